#include "graders/math/equality.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "graders/bounds.h"
#include "graders/math/characters.h"
#include "graders/math/exact.h"
#include "graders/math/ladder.h"
#include "graders/math/lexer.h"
#include "graders/math/number_words.h"
#include "graders/math/numeric.h"
#include "graders/math/parser.h"

namespace r1eval {
namespace {

using Id = std::int32_t;

std::string normal_string(std::string_view text) {
  std::string out;
  const auto tokens = lex_math(text);
  if (!tokens) {
    return std::string(trim(text));
  }
  bool after_number = false;
  for (const Token& token : *tokens) {
    // "1 6" is not 16.
    out += after_number && token.kind == TokenKind::kNumber ? " " : "";
    after_number = token.kind == TokenKind::kNumber;
    if (token.kind == TokenKind::kText) {
      out += "\\text{" + fold_words(token.text) + "}";
    } else if (token.kind == TokenKind::kCommand) {
      out += "\\" + (token.text == "dfrac" || token.text == "tfrac" ? "frac" : token.text) + " ";
    } else {
      out += (token.space_before && token.kind == TokenKind::kWord ? " " : "") + token.text;
    }
  }
  return out;
}

// "log" without a base is read with base 10 first, then as ln, the same way on both sides.
bool equal_by_natural_logarithms(const Side& gold, const Side& pred, Ladder& ladder) {
  const auto is_bare = [](const Node& n) {
    return n.kind == Kind::kFunction && n.text == "log" && n.children.size() == 1;
  };
  const auto natural = [&](const Side& s) {
    const auto tree = s.copy();
    for (Node& n : tree->nodes) {
      if (is_bare(n)) {
        n.text = "ln";
      }
    }
    tree->exact.clear();
    return Side{tree, s.id};
  };
  const auto any = [&](const Side& s) {
    return std::any_of(s.e->nodes.begin(), s.e->nodes.end(), is_bare);
  };
  return (any(gold) || any(pred)) && ladder.equal(natural(gold), natural(pred));
}

// One reading of i, j and I for the pair: where one side has the imaginary unit and the other has
// none but writes j or I, that letter is the unit.
void agree_on_imaginary_unit(Expression& gold, Expression& pred) {
  const auto has = [](const Expression& e, Kind kind, const char* name) {
    return std::any_of(e.nodes.begin(), e.nodes.end(),
                       [&](const Node& n) { return n.kind == kind && n.text == name; });
  };
  const bool in_gold = has(gold, Kind::kConstant, "i");
  const bool in_pred = has(pred, Kind::kConstant, "i");
  if (in_gold == in_pred) {
    return;
  }
  Expression& other = in_gold ? pred : gold;
  const Expression& one = in_gold ? gold : pred;
  for (const char* name : {"j", "I", "hat(i)"}) {
    if (has(other, Kind::kSymbol, name) && !has(one, Kind::kSymbol, name)) {
      for (Node& n : other.nodes) {
        if (n.kind == Kind::kSymbol && n.text == name) {
          n.kind = Kind::kConstant;
          n.text = "i";
        }
      }
      return;
    }
  }
}

// Is the answer the gold's option label with the option's words: "(b)" and "(b) circle"?
bool is_labelled_text(std::string_view gold, std::string_view pred) {
  return gold.size() == 3 && gold.front() == '(' && gold.back() == ')' &&
         std::isalpha(static_cast<unsigned char>(gold[1])) != 0 && pred.starts_with(gold) &&
         pred.size() > 4 && pred[3] == ' ' &&
         std::isalpha(static_cast<unsigned char>(pred[4])) != 0 &&
         pred.find('(', 4) == std::string_view::npos;
}

// Other names for the same variables, by their first appearance.
void rename_by_position(const Expression& gold, Id gold_root, Expression& pred) {
  std::vector<std::string> theirs;
  std::vector<std::string> ours;
  names_in_order(pred, pred.root, theirs);
  names_in_order(gold, gold_root, ours);
  if (theirs.size() != ours.size()) {
    return;
  }
  for (Node& node : pred.nodes) {
    const auto at = std::find(theirs.begin(), theirs.end(), node.text);
    if (node.kind == Kind::kSymbol && at != theirs.end()) {
      node.text = ours[static_cast<std::size_t>(at - theirs.begin())];
    }
  }
}

// "12 m" is a product, or twelve metres where the other side is a value without symbols.
bool equal_with_units(std::string_view g, std::string_view p, Side& gold, Side& pred,
                      const MathRules& rules, std::string& evidence) {
  const bool gold_has = has_symbols(*gold.e, gold.id);
  const bool pred_has = has_symbols(*pred.e, pred.id);
  const auto again = [&](std::string_view text, Side& side) {
    auto tree = parse_math(text, true);
    if (!tree || has_symbols(*tree, tree->root)) {
      return false;
    }
    const Node& top = tree->at(tree->root);
    const bool has_unit = top.kind == Kind::kUnit ||
                          (top.kind == Kind::kList &&
                           std::any_of(top.children.begin(), top.children.end(), [&](Id member) {
                             return tree->at(member).kind == Kind::kUnit;
                           }));
    if (!has_unit) {
      return false;
    }
    const Id root = tree->root;
    side = {std::make_shared<Expression>(std::move(*tree)), root};
    return true;
  };
  // A gold's one letter is a name ("24 m" may be a product), unless the answer has a unit too.
  const auto gold_again = [&] {
    return again(g, gold) && (pred.kind() == Kind::kUnit ||
                              (gold.kind() == Kind::kUnit && gold.node().text.size() >= 2));
  };
  const bool changed =
      (pred_has && !gold_has && again(p, pred)) || (gold_has && !pred_has && gold_again());
  if (!changed) {
    return false;
  }
  Ladder ladder(rules);
  const bool equal = ladder.equal(gold, pred);
  evidence = ladder.evidence;
  return equal;
}

// "\cos a \cdot b" as the cosine of a, times b, on both sides.
bool equal_by_narrow_arguments(std::string_view g, std::string_view p, const Side& gold,
                               const Side& pred, const MathRules& rules, std::string& evidence) {
  if (!gold.e->has_signs_in_arguments && !pred.e->has_signs_in_arguments) {
    return false;
  }
  auto a = parse_math(g, false, true);
  auto b = parse_math(p, false, true);
  if (!a || !b) {
    return false;
  }
  const Id gold_root = a->root;
  const Id pred_root = b->root;
  Ladder ladder(rules);
  const bool equal = ladder.equal({std::make_shared<Expression>(std::move(*a)), gold_root},
                                  {std::make_shared<Expression>(std::move(*b)), pred_root});
  evidence = equal ? ladder.evidence : evidence;
  return equal;
}

// Words that sentences are made of and answers are not; names of units and functions are none.
bool is_prose_word(std::string_view word) {
  static constexpr std::array<std::string_view, 55> kWords = {
      "is",    "are",     "was",   "were",  "be",    "been",   "as",    "the",   "approximately",
      "about", "so",      "we",    "it",    "its",   "to",     "of",    "by",    "at",
      "has",   "have",    "had",   "for",   "but",   "got",    "get",   "gets",  "gives",
      "then",  "thus",    "hence", "there", "with",  "from",   "that",  "this",  "these",
      "which", "because", "since", "when",  "where", "also",   "our",   "you",   "your",
      "his",   "her",     "he",    "she",   "they",  "equals", "makes", "means", "therefore",
      "who"};
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

// "0.333..." goes on; other dots end a sentence.
bool goes_on(std::string_view text) {
  if (!text.ends_with("...")) {
    return false;
  }
  const std::size_t end = text.size() - 3;
  std::size_t from = end;
  while (from > 0 && std::isdigit(static_cast<unsigned char>(text[from - 1])) != 0) {
    --from;
  }
  return from < end && from > 0 && text[from - 1] == '.';
}

}  // namespace

std::string_view unwrap_answer(std::string_view text) {
  for (int round = 0; round < 8; ++round) {
    text = trim(text);
    const std::size_t before = text.size();
    const auto strip = [&](std::string_view open, std::string_view close) {
      if (text.size() >= open.size() + close.size() && text.starts_with(open) &&
          text.ends_with(close)) {
        const std::string_view inner =
            text.substr(open.size(), text.size() - open.size() - close.size());
        if (inner.find(close) == std::string_view::npos) {
          text = inner;
        }
      }
    };
    strip("$$", "$$");
    strip("$", "$");
    strip("\\(", "\\)");
    strip("\\[", "\\]");
    for (const std::string_view mark : {"**", "`", "*", "_", "\"", "'"}) {
      strip(mark, mark);
    }
    strip("“", "”");
    strip("‘", "’");
    for (const std::string_view box : {"\\boxed{", "\\fbox{", "\\framebox{"}) {
      if (text.starts_with(box)) {
        int depth = 0;
        std::size_t i = box.size() - 1;
        for (; i < text.size(); ++i) {
          if (text[i] == '\\') {
            ++i;
          } else if (text[i] == '{') {
            ++depth;
          } else if (text[i] == '}' && --depth == 0) {
            break;
          }
        }
        if (i + 1 >= text.size()) {
          text = text.substr(box.size(), (i < text.size() ? i : text.size()) - box.size());
        }
      }
    }
    if (!text.empty() && text.back() == '.' && text.size() > 1 && !goes_on(text)) {
      text.remove_suffix(1);
    }
    if (text.size() == before) {
      break;
    }
  }
  return text;
}

Readable how_readable(std::string_view text) {
  if (static_cast<std::int64_t>(text.size()) > bounds::kMaxExpressionBytes * 4) {
    return Readable::kNo;
  }
  const std::string_view bare = unwrap_answer(text);
  // A sentence with a number in it is neither a value nor a text answer.
  std::size_t run = 0;
  while (run < bare.size() && std::isalpha(static_cast<unsigned char>(bare[run])) != 0) {
    ++run;
  }
  const std::string_view first = bare.substr(0, run);
  const bool is_name = first == "sqrt" || first == "pi" || first == "sin" || first == "cos" ||
                       first == "tan" || first == "exp" || first == "ln" || first == "log";
  const bool has_digit = bare.find_first_of("0123456789") != std::string_view::npos;
  // Words of prose outside commands and \\text{…}.
  bool has_prose = false;
  std::int64_t plain_words = 0;
  for (std::size_t i = 0; i < bare.size() && !has_prose;) {
    if (std::isalpha(static_cast<unsigned char>(bare[i])) == 0) {
      ++i;
      continue;
    }
    const bool is_command = i > 0 && (bare[i - 1] == '\\' || bare[i - 1] == '{');
    const std::size_t from = i;
    while (i < bare.size() && std::isalpha(static_cast<unsigned char>(bare[i])) != 0) {
      ++i;
    }
    has_prose = !is_command && i - from >= 2 && is_prose_word(bare.substr(from, i - from));
    plain_words += i - from >= 2 ? 1 : 0;
  }
  if (run >= 2 && !is_name && has_digit && bare.find(' ') != std::string_view::npos &&
      bare.find('=') != run && bare.find('=') != run + 1) {
    return Readable::kNo;
  }
  const auto parsed = parse_math(bare);
  if (!parsed) {
    return Readable::kNo;
  }
  if (has_prose && parsed->at(parsed->root).kind != Kind::kText) {
    return Readable::kNo;
  }
  const Node& root = parsed->at(parsed->root);
  if (root.kind == Kind::kText && number_from_numerals(root.text)) {
    return Readable::kMath;
  }
  if (root.kind == Kind::kText) {
    return std::count(bare.begin(), bare.end(), ' ') <= 6 ? Readable::kText : Readable::kNo;
  }
  // "I think that's it" parses (an apostrophe is a derivative), and is a sentence.
  if (plain_words >= 3 && !has_digit &&
      bare.find_first_of("\\+-*/^=<>()[]{}_") == std::string_view::npos) {
    return Readable::kNo;
  }
  return Readable::kMath;
}

Status check_gold(std::string_view gold) {
  const std::string_view bare = unwrap_answer(gold);
  if (bare.empty()) {
    return fail(ErrorCode::kUnsupported, "the gold is empty");
  }
  const auto parsed = parse_math(bare);
  if (!parsed) {
    return fail(ErrorCode::kUnsupported, "the gold '" + std::string(bare.substr(0, 80)) +
                                             "' cannot be read: " + parsed.error().message);
  }
  return ok_status();
}

MathComparison compare_math(std::string_view gold, std::string_view pred, const MathRules& rules) {
  MathComparison result;
  std::string_view g = unwrap_answer(gold);
  std::string_view p = unwrap_answer(pred);
  std::array<std::string, 2> digits;
  if (rules.reads_number_words) {
    const auto replace = [](std::string_view& text, std::string& value) {
      const bool in_text = text.starts_with("\\text{") && text.ends_with("}");
      if (auto number = with_digits(in_text ? text.substr(6, text.size() - 7) : text)) {
        value = std::move(*number);
        text = value;
      }
    };
    replace(g, digits[0]);
    replace(p, digits[1]);
  }
  result.gold_form = normal_string(g);
  result.pred_form = normal_string(p);
  if (p.empty() || result.pred_form.empty()) {
    result.outcome = Outcome::kNoAnswer;
    result.evidence = "the answer is empty";
    return result;
  }
  if (result.gold_form == result.pred_form && (!result.gold_form.empty() || g == p)) {
    result.outcome = Outcome::kCorrect;
    result.rung = "string";
    result.evidence = "string";
    return result;
  }
  auto gold_tree = parse_math(g);
  auto pred_tree = parse_math(p);
  const auto words_agree = [&] { return fold_words(g) == fold_words(p); };
  if (!gold_tree) {
    gold_tree = parse_math(g, true);
  }
  if (!gold_tree) {
    result.rung = "text";
    result.outcome = Outcome::kUnscored;
    result.evidence = "the gold cannot be read: " + gold_tree.error().message;
    return result;
  }
  const bool is_unreadable = !pred_tree;
  if (is_unreadable) {
    pred_tree = parse_math(p, true);
  }
  if (!pred_tree) {
    result.rung = "text";
    result.outcome = Outcome::kIncorrect;
    result.evidence = "the answer cannot be read: " + pred_tree.error().message;
    if (gold_tree->at(gold_tree->root).kind == Kind::kText && words_agree()) {
      result.outcome = Outcome::kCorrect;
      result.evidence = "text";
    }
    return result;
  }
  Ladder ladder(rules);
  agree_on_imaginary_unit(*gold_tree, *pred_tree);
  const Id gold_root = gold_tree->root;
  const Id pred_root = pred_tree->root;
  Side a{std::make_shared<Expression>(std::move(*gold_tree)), gold_root};
  if (rules.names_are_free) {
    rename_by_position(*a.e, a.id, *pred_tree);
  }
  Side b{std::make_shared<Expression>(std::move(*pred_tree)), pred_root};
  bool equal =
      ladder.equal(a, b) || ((a.kind() == Kind::kText || b.kind() == Kind::kText) && words_agree());
  equal = equal || equal_by_natural_logarithms(a, b, ladder);
  equal = equal || equal_by_narrow_arguments(g, p, a, b, rules, ladder.evidence);
  const bool is_label = !equal && is_labelled_text(fold_words(g), fold_words(p));
  equal = equal || is_label;
  if (!equal) {
    equal = equal_with_units(g, p, a, b, rules, ladder.evidence);
  }
  result.outcome = equal ? Outcome::kCorrect : Outcome::kIncorrect;
  result.rung = "structure";
  if (const auto value = exact_value(*a.e, a.id)) {
    result.gold_form = print_rational(*value);
    result.rung = "value";
  }
  if (const auto value = exact_value(*b.e, b.id)) {
    result.pred_form = print_rational(*value);
  }
  result.evidence = is_label ? "option label" : ladder.evidence;
  return result;
}

}  // namespace r1eval
