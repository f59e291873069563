#include "graders/math/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "graders/math/exact.h"
#include "graders/math/parser_impl.h"

namespace r1eval::parsing {

// "\frac12", or "{1 \over 2}": after an integer, the rest of a mixed number.
bool Parser::is_fraction_next() const {
  return is_command("frac") || is_command("dfrac") || is_command("tfrac") ||
         (is_op("{") && is_kind(TokenKind::kNumber, 1) && is_command("over", 2));
}

bool Parser::is_modulo() const {
  return is_command("mod") || is_command("bmod") ||
         (is_kind(TokenKind::kWord) && t_[i_].text == "mod");
}

std::string Parser::relation_operator() {
  if (done()) {
    return "";
  }
  const Token& token = t_[i_];
  if (token.kind == TokenKind::kOperator &&
      (token.text == "=" || token.text == "<" || token.text == ">")) {
    return token.text;
  }
  if (token.kind == TokenKind::kCommand) {
    static constexpr std::array<std::array<std::string_view, 2>, 16> kNames = {{{"le", "l"},
                                                                                {"leq", "l"},
                                                                                {"ge", "g"},
                                                                                {"geq", "g"},
                                                                                {"ne", "n"},
                                                                                {"neq", "n"},
                                                                                {"lt", "<"},
                                                                                {"gt", ">"},
                                                                                {"leqslant", "l"},
                                                                                {"geqslant", "g"},
                                                                                {"in", "i"},
                                                                                {"approx", "~"},
                                                                                {"simeq", "~"},
                                                                                {"equiv", "e"},
                                                                                {"cong", "e"},
                                                                                {"notin", "o"}}};
    for (const auto& [name, code] : kNames) {
      if (token.text == name) {
        return std::string(code);
      }
    }
  }
  return "";
}

bool Parser::at_separator() {
  if (is_op(",") || is_op(";")) {
    ++i_;
    if (joins_answers(i_)) {
      ++i_;
    }
    return true;
  }
  if (i_ + 1 < t_.size() && (is_command("lor") || is_command("vee") || is_command("land") ||
                             is_command("wedge") || joins_answers(i_))) {
    ++i_;
    return true;
  }
  return false;
}

// Words between two answers: "and", "or", also with a comma in the text command.
bool Parser::joins_answers(std::size_t at) const {
  if (at >= t_.size() || (t_[at].kind != TokenKind::kText && t_[at].kind != TokenKind::kWord)) {
    return false;
  }
  std::string word = fold_words(t_[at].text);
  word.erase(0, std::min(word.find_first_not_of(" ,;"), word.size()));
  return word == "and" || word == "or" || (word.empty() && !t_[at].text.empty());
}

// "(k \in Z)" after a complete answer
bool Parser::qualifier_follows() const {
  if (!is_op("(")) {
    return false;
  }
  int depth = 0;
  for (std::size_t k = i_; k < t_.size(); ++k) {
    depth += t_[k].text == "(" ? 1 : t_[k].text == ")" ? -1 : 0;
    if (depth == 0) {
      return false;
    }
    if (depth == 1 && t_[k].kind == TokenKind::kCommand && t_[k].text == "in") {
      return true;
    }
  }
  return false;
}

Parser::Id Parser::answers() {
  std::vector<Id> members;
  std::vector<std::size_t> group_ends;  // where a semicolon stood
  bool only_commas = true;
  bool has_or = false;
  bool is_tight = true;  // no space after the commas
  bool has_and = false;
  while (!done()) {
    Id member = relation();
    if (member == kBad) {
      return kBad;
    }
    if (is_command("over")) {  // "1 \over 2" without its braces
      ++i_;
      const Id below = set_expression();
      member = below == kBad ? kBad : make(Kind::kQuotient, {member, below});
    }
    member = with_unit(member);
    if (member == kBad) {
      return kBad;
    }
    members.push_back(member);
    if (qualifier_follows()) {
      ++i_;
      const Id qualifier = relation();
      if (qualifier == kBad || !accept(")")) {
        return bad("a condition in parentheses is not understood");
      }
      members.push_back(qualifier);
    }
    if (static_cast<std::int64_t>(members.size()) > bounds::kMaxSetMembers) {
      return bad("too many answers in a list");
    }
    if (done()) {
      break;
    }
    only_commas = only_commas && is_op(",");
    has_and = has_and || unit_is_and();
    is_tight = is_tight && i_ + 1 < t_.size() && !t_[i_ + 1].space_before;
    const bool and_between =
        unit_is_and() && e_.at(members.back()).kind == Kind::kRelation && members.size() > 1;
    if (is_op(";") || and_between) {
      group_ends.push_back(members.size());
    }
    const std::size_t before = i_;
    if (!at_separator()) {
      return bad(fmt::format("'{}' is not understood here", t_[i_].text.substr(0, 40)));
    }
    for (std::size_t k = before; k < i_; ++k) {
      has_or =
          has_or || fold_words(t_[k].text) == "or" || t_[k].text == "lor" || t_[k].text == "vee";
    }
  }
  if (members.empty()) {
    return bad("there is nothing to read");
  }
  if (members.size() == 1) {
    return members[0];
  }
  // "p = 5, q = 2; p = 7, q = 2": groups of as many members between semicolons are tuples.
  if (!group_ends.empty() && group_ends[0] > 1) {
    const std::size_t width = group_ends[0];
    bool regular = members.size() == width * (group_ends.size() + 1);
    for (std::size_t k = 0; k < group_ends.size(); ++k) {
      regular = regular && group_ends[k] == width * (k + 1);
    }
    if (regular) {
      std::vector<Id> tuples;
      for (std::size_t k = 0; k < members.size(); k += width) {
        const auto from = members.begin() + static_cast<std::ptrdiff_t>(k);
        tuples.push_back(make(
            Kind::kTuple, std::vector<Id>(from, from + static_cast<std::ptrdiff_t>(width)), "()"));
        if (tuples.back() == kBad) {
          return kBad;
        }
      }
      members = std::move(tuples);
    }
  }
  return make(Kind::kList, std::move(members),
              has_or                     ? "o"
              : has_and                  ? "and"
              : only_commas && !is_tight ? ", "
              : only_commas              ? ","
                                         : ";");
}

// The left side of "P(x) = …" and "P(A \cup B) = …": a name with its argument, not a product.
// kBad, with nothing said, where the left side is none.
Parser::Id Parser::named_application() {
  std::size_t open = i_ + 1;
  std::string name = i_ < t_.size() ? t_[i_].text : "";
  if (is_command("mathbb") && is_op("{", 1) && is_op("}", 3)) {
    name = t_[i_ + 2].text;
    open = i_ + 4;
  } else if (!is_kind(TokenKind::kLetter) && !is_command("Pr") &&
             !(is_kind(TokenKind::kCommand) && contains(kSymbolNames, name))) {
    return kBad;
  }
  if (open >= t_.size() || (t_[open].text != "(" && t_[open].text != "[")) {
    return kBad;
  }
  std::size_t end = open;
  int depth = 0;
  bool is_simple = true;  // names and numbers between commas
  bool is_scalar = true;
  std::string inner;
  for (; end < t_.size(); ++end) {
    const Token& token = t_[end];
    depth += token.text == "(" || token.text == "["   ? 1
             : token.text == ")" || token.text == "]" ? -1
                                                      : 0;
    if (depth == 0) {
      break;
    }
    if (end > open) {
      const bool is_part =
          token.kind == TokenKind::kLetter || token.kind == TokenKind::kNumber ||
          (token.kind == TokenKind::kCommand && contains(kSymbolNames, token.text));
      const bool wants_part = (end - open) % 2 == 1;
      is_simple = is_simple && (wants_part ? is_part && token.text != name : token.text == ",");
      is_scalar = is_scalar && (is_part || token.kind == TokenKind::kOperator) &&
                  token.text != "|" && token.text != "=" && token.text != "<" && token.text != ">";
      inner += token.kind == TokenKind::kText ? fold_words(token.text) : token.text;
    }
  }
  if (end + 1 >= t_.size() || t_[end + 1].kind != TokenKind::kOperator || t_[end + 1].text != "=" ||
      end == open + 1) {
    return kBad;
  }
  if (is_simple) {
    std::vector<Id> arguments;
    for (std::size_t k = open + 1; k < end; k += 2) {
      i_ = k;
      const Id one = primary();
      if (one == kBad) {
        return kBad;
      }
      arguments.push_back(one);
    }
    i_ = end + 1;
    return make(Kind::kFunction, std::move(arguments), name);
  }
  if (is_scalar || (std::isupper(static_cast<unsigned char>(name[0])) == 0)) {
    return kBad;
  }
  i_ = end + 1;
  return make(Kind::kSymbol, {}, name + "(" + inner + ")");
}

Parser::Id Parser::relation() {
  std::vector<Id> sides;
  std::string operators;
  if (is_command("neg") || is_command("lnot")) {
    // not (x = {1, 2}), as computer algebra prints non-membership
    ++i_;
    const Id inner = relation();
    if (inner == kBad) {
      return kBad;
    }
    Node& node = e_.nodes[static_cast<std::size_t>(inner)];
    if (node.kind != Kind::kRelation || node.text.size() != 1) {
      return bad("a negation that is not judged");
    }
    const bool is_set = e_.at(node.children[1]).kind == Kind::kSet;
    const char op = node.text[0];
    node.text = op == '='   ? (is_set ? "o" : "n")
                : op == 'n' ? "="
                : op == 'i' ? "o"
                : op == 'o' ? "i"
                : op == '<' ? "g"
                : op == '>' ? "l"
                : op == 'l' ? ">"
                : op == 'g' ? "<"
                            : "";
    return node.text.empty() ? bad("a negation that is not judged") : inner;
  }
  const Id named = named_application();
  Id left = named != kBad ? named : set_expression();
  if (left == kBad) {
    return kBad;
  }
  sides.push_back(left);
  while (true) {
    std::string op = relation_operator();
    if (op.empty()) {
      break;
    }
    ++i_;
    // "\le q" and the like: "=" after "<" or ">" was one operator in the text.
    const Id right = set_expression();
    if (right == kBad) {
      return kBad;
    }
    operators += op;
    sides.push_back(right);
    if (op == "e") {
      // a \equiv b \pmod m, also with "(mod m)" in plain parentheses, or "b \bmod m"
      const Node& residue = e_.at(right);
      if (residue.kind == Kind::kFunction && residue.text == "mod" && operators.size() == 1) {
        sides.back() = residue.children[0];
        sides.push_back(residue.children[1]);
        return make(Kind::kRelation, std::move(sides), "m");
      }
      const std::size_t start = i_;
      const bool parenthesis = accept("(");
      if (is_command("pmod") || is_modulo()) {
        ++i_;
        const Id modulus = is_op("{") ? group() : sum();
        if (modulus == kBad || (parenthesis && !accept(")"))) {
          return bad("a modulus is not understood");
        }
        if (operators.size() != 1) {
          return bad("a chain of congruences is not judged");
        }
        sides.push_back(modulus);
        return make(Kind::kRelation, std::move(sides), "m");
      }
      i_ = start;
    }
  }
  if (operators.empty() && (is_command("pmod") || (is_op("(") && is_command("bmod", 1)))) {
    // "3 (mod 7)": a residue of any name
    const bool parenthesis = accept("(");
    ++i_;
    const Id modulus = is_op("{") ? group() : sum();
    const Id any = modulus == kBad ? kBad : make(Kind::kSymbol);
    if (any == kBad || (parenthesis && !accept(")"))) {
      return bad("a modulus is not understood");
    }
    return make(Kind::kRelation, {any, left, modulus}, "m");
  }
  if (operators.empty()) {
    if (is_command("choose")) {
      ++i_;
      const Id below = set_expression();
      return below == kBad ? kBad : make(Kind::kFunction, {left, below}, "binomial");
    }
    return left;
  }
  return make(Kind::kRelation, std::move(sides), operators);
}

Parser::Id Parser::set_expression() {
  Id left = sum();
  for (std::int64_t members = 0; left != kBad; ++members) {
    if (members > bounds::kMaxPostfixes) {
      return bad("too many members of a union");
    }
    Kind kind;
    if (is_command("cup")) {
      kind = Kind::kUnion;
    } else if (is_command("cap")) {
      kind = Kind::kIntersection;
    } else if (is_command("setminus") || is_command("backslash")) {
      kind = Kind::kDifference;
    } else if (is_op(":") && i_ + 1 < t_.size()) {
      ++i_;
      const Id right = sum();
      if (right == kBad) {
        return kBad;
      }
      if (e_.at(left).kind == Kind::kRatio) {
        e_.nodes[static_cast<std::size_t>(left)].children.push_back(right);
      } else {
        left = make(Kind::kRatio, {left, right});
      }
      continue;
    } else {
      break;
    }
    ++i_;
    Id right = sum();
    // "{0.5}" lost its backslashes on the way
    const auto as_set = [&](Id id) {
      return id != kBad && e_.at(id).kind == Kind::kNumber ? make(Kind::kSet, {id}) : id;
    };
    right = as_set(right);
    left = as_set(left);
    left = right == kBad || left == kBad ? kBad : make(kind, {left, right});
  }
  return left;
}

Parser::Id Parser::sum() {
  if (++depth_ > bounds::kMaxNesting) {
    return bad("the expression is nested too deeply");
  }
  std::vector<Id> terms;
  Id left = kBad;
  if (is_command("pm") || is_command("mp")) {
    const std::string sign = is_command("pm") ? "+" : "-";
    ++i_;
    const Id kid = product();
    left = kid == kBad ? kBad : make(Kind::kPlusMinus, {kid}, sign);
  } else {
    left = product();
  }
  std::int64_t plus_minus = 0;
  while (left != kBad) {
    if (is_op("+") || is_op("-")) {
      const bool minus = is_op("-");
      ++i_;
      Id right = product();
      if (right != kBad && minus) {
        right = make(Kind::kNegative, {right});
      }
      if (right == kBad) {
        left = kBad;
      } else if (minus && e_.at(left).kind == Kind::kSymbol &&
                 e_.at(e_.at(right).children[0]).kind == Kind::kSet) {
        left = make(Kind::kDifference, {left, e_.at(right).children[0]});  // R - {0}
      } else if (e_.at(left).kind == Kind::kSum && !terms.empty()) {
        e_.nodes[static_cast<std::size_t>(left)].children.push_back(right);
      } else {
        left = add_terms(left, scalar(right));
        if (left != kBad && e_.at(left).kind == Kind::kSum) {
          terms.push_back(left);
        }
      }
    } else if (is_command("pm") || is_command("mp")) {
      if (++plus_minus > bounds::kMaxPlusMinus) {
        return bad("too many plus-minus signs");
      }
      const std::string sign = is_command("pm") ? "+" : "-";
      ++i_;
      const Id right = product();
      left = right == kBad ? kBad : make(Kind::kPlusMinus, {left, right}, sign);
      terms.clear();
    } else {
      break;
    }
  }
  --depth_;
  return left;
}

// A bar after a value closes, unless none is open, or it follows a closed one and a value comes
// next: ||x||y||.
bool Parser::bar_opens() const {
  if (bars_ == 0) {
    return true;
  }
  const bool after_bar = i_ > 0 && t_[i_ - 1].text == "|" && i_ != bar_open_at_ + 1;
  if (!after_bar || i_ + 1 >= t_.size()) {
    return false;
  }
  const Token& next = t_[i_ + 1];
  return next.kind == TokenKind::kNumber || next.kind == TokenKind::kLetter ||
         next.text == "frac" || next.text == "(";
}

bool Parser::starts_primary() const {
  if (done()) {
    return false;
  }
  const Token& token = t_[i_];
  switch (token.kind) {
    case TokenKind::kNumber:
    case TokenKind::kLetter:
      return true;
    case TokenKind::kWord:
      return is_op("_", 1);
    case TokenKind::kText:
      return false;
    case TokenKind::kOperator:
      return token.text == "(" || token.text == "{" || (token.text == "|" && bar_opens());
    case TokenKind::kCommand:
      break;
  }
  static constexpr std::array<std::string_view, 12> kPrimary = {
      "frac",  "dfrac", "tfrac",  "cfrac",  "sqrt",   "pi",
      "infty", "binom", "dbinom", "tbinom", "lfloor", "lceil"};
  return contains(kPrimary, token.text) || is_function() || contains(kSymbolNames, token.text) ||
         token.text == "vec" || token.text == "hat" || token.text == "lvert" ||
         token.text == "begin" || token.text == "overline" || token.text == "bar" ||
         token.text == "sum" || token.text == "prod" || token.text == "int" ||
         token.text == "lim" || token.text == "partial" || token.text == "langle" ||
         token.text == "overrightarrow" || token.text == "mathbb" || token.text == "mathcal" ||
         token.text == "tilde" || token.text == "hbar" || token.text == "angle";
}

// Does the argument of a function without brackets end before this sign? \log_2 3 \cdot \log_3 2
// and ln x / x are products of a logarithm, sin 2 \cdot x is not.
bool Parser::ends_argument(Id left) const {
  const bool is_product = is_op("*") || is_command("cdot") || is_command("times");
  if (!is_product && !is_op("/") && !is_command("div")) {
    return false;
  }
  const std::size_t sign = is_op("-", 1) || is_op("+", 1) ? 2 : 1;
  if (is_function(sign)) {
    return true;
  }
  const Node& node = e_.at(left);
  return !is_product && node.kind == Kind::kSymbol && i_ + 1 < t_.size() &&
         t_[i_ + 1].text == node.text;
}

// After a factor "[x + 1]" is a factor, not an interval or a list: one member, the same brackets.
bool Parser::is_grouping_bracket() const {
  if (!is_op("[")) {
    return false;
  }
  std::int64_t depth = 0;
  for (std::size_t k = i_ + 1; k < t_.size(); ++k) {
    if (t_[k].kind == TokenKind::kCommand && t_[k].text == "begin") {
      return false;
    }
    if (t_[k].kind != TokenKind::kOperator) {
      continue;
    }
    const std::string& text = t_[k].text;
    if (text == "(" || text == "[" || text == "{" || text == "\\{") {
      ++depth;
    } else if (text == ")" || text == "]" || text == "}" || text == "\\}") {
      if (depth == 0) {
        return text == "]";
      }
      --depth;
    } else if (depth == 0 && (text == "," || text == ";")) {
      return false;
    }
  }
  return false;
}

Parser::Id Parser::product() {
  Id left = unary();
  for (std::int64_t factors = 0; left != kBad; ++factors) {
    if (factors > bounds::kMaxFactors) {
      return bad("too many factors in a product");
    }
    if (in_function_ && ends_argument(left)) {
      break;
    }
    if (is_op("*") || is_command("cdot") || is_command("times") || is_command("ast")) {
      ++i_;
      const Id right = unary();
      left = right == kBad ? kBad : multiply(left, right);
    } else if (is_op("/") || is_command("div")) {
      // "… / 8y": spaces around the stroke and none in 8y say that 8y is below it.
      const bool is_spaced = is_op("/") && t_[i_].space_before && i_ + 2 < t_.size() &&
                             t_[i_ + 1].space_before && is_kind(TokenKind::kNumber, 1) &&
                             is_kind(TokenKind::kLetter, 2) && !t_[i_ + 2].space_before;
      ++i_;
      Id right = unary();
      while (right != kBad && is_spaced && is_kind(TokenKind::kLetter) && !t_[i_].space_before) {
        const Id factor = powers();
        right = factor == kBad ? kBad : multiply(right, factor);
      }
      left = right == kBad ? kBad : quotient(scalar(left), scalar(right));
    } else if (is_modulo() && i_ + 1 < t_.size()) {
      ++i_;
      const Id right = unary();
      left = right == kBad ? kBad : make(Kind::kFunction, {scalar(left), scalar(right)}, "mod");
    } else if (is_grouping_bracket()) {
      const int bars = bars_;
      const bool outer = in_function_;
      bars_ = 0;
      in_function_ = false;
      ++i_;
      const Id right = sum();
      bars_ = bars;
      in_function_ = outer;
      left = right == kBad || !accept("]") ? kBad : multiply(left, right);
    } else if ((is_op("[") && is_command("begin", 1)) ||
               ((is_op("[") || is_op("\\{")) &&
                (scalar(left) != left || e_.at(left).kind == Kind::kMatrix))) {
      const Id right = powers();  // [1 + 2][3 - 4]
      left = right == kBad ? kBad : multiply(left, right);
    } else if (unit_in_brackets()) {
      break;
    } else if (starts_primary()) {
      if (qualifier_follows()) {
        break;
      }
      if (in_function_ && is_function()) {
        break;
      }
      // "1 1/2" and "1\frac12" are mixed numbers; "2 3" is not a product.
      const bool integer_left = e_.at(left).kind == Kind::kNumber &&
                                e_.at(left).value.is_integer() && !e_.at(left).is_decimal;
      if (is_kind(TokenKind::kNumber)) {
        if (integer_left && is_op("/", 1) && is_kind(TokenKind::kNumber, 2) &&
            all_digits(t_[i_].text) && all_digits(t_[i_ + 2].text)) {
          left = mixed_in_line(left);
          continue;
        }
        if (integer_left || e_.at(left).kind == Kind::kNumber) {
          return bad("two numbers side by side");
        }
      }
      const bool fraction_next = is_fraction_next();
      const Id right = powers();
      if (right == kBad) {
        return kBad;
      }
      const Node& node = e_.at(right);
      const Node& name = e_.at(left);
      if (name.kind == Kind::kSymbol && node.kind == Kind::kTuple && node.children.size() > 1 &&
          std::isupper(static_cast<unsigned char>(name.text[0])) != 0) {
        left = make(Kind::kRelation, {left, right}, "=");  // the point A(1, 2)
        continue;
      }
      const Id mixed = integer_left && fraction_next ? mixed_number(left, right) : kBad;
      left = mixed != kBad ? mixed : multiply(left, right);
    } else {
      break;
    }
  }
  return left;
}

Parser::Id Parser::unary() {
  if (is_op("-") || is_op("+")) {
    bool minus = false;
    std::int64_t signs = 0;
    while (is_op("-") || is_op("+")) {
      minus = minus != is_op("-");
      ++i_;
      if (++signs > bounds::kMaxNesting) {
        return bad("too many signs");
      }
    }
    // -2\frac13 is -(2 + 1/3): the sign is taken after the mixed number was read.
    Id kid = powers();
    const bool is_integer = kid != kBad && e_.at(kid).kind == Kind::kNumber &&
                            e_.at(kid).value.is_integer() && !e_.at(kid).is_decimal;
    if (is_integer && !unit_in_brackets() && is_fraction_next()) {
      const Id fraction = powers();
      if (fraction == kBad) {
        return kBad;
      }
      const Id mixed = mixed_number(kid, fraction);
      kid = mixed != kBad ? mixed : make(Kind::kProduct, {kid, fraction});
    } else if (is_integer && is_kind(TokenKind::kNumber) && is_op("/", 1) &&
               is_kind(TokenKind::kNumber, 2) && all_digits(t_[i_].text) &&
               all_digits(t_[i_ + 2].text)) {
      kid = mixed_in_line(kid);
    }
    if (kid != kBad && minus && e_.at(kid).kind == Kind::kMatrix) {
      const Id factor = number(Rational(Integer(-1)));
      return factor == kBad ? kBad : multiply(factor, kid);
    }
    return kid == kBad || !minus ? kid : make(Kind::kNegative, {kid});
  }
  return powers();
}

// "1\frac12", also with a percent or degree sign after it; kBad where it is a product.
Parser::Id Parser::mixed_number(Id integer, Id fraction) {
  const Node node = e_.at(fraction);
  if (node.kind == Kind::kPercent || node.kind == Kind::kDegree) {
    const Id inner = mixed_number(integer, node.children[0]);
    return inner == kBad ? kBad : make(node.kind, {inner});
  }
  const bool is_mixed = node.kind == Kind::kQuotient &&
                        e_.at(node.children[0]).kind == Kind::kNumber &&
                        e_.at(node.children[1]).kind == Kind::kNumber;
  return is_mixed ? make(Kind::kSum, {integer, fraction}) : kBad;
}

// "1 3/4", "12 1/2%": an integer was read, a fraction in the line follows.
Parser::Id Parser::mixed_in_line(Id integer) {
  const Id top = powers();
  ++i_;
  const Id bottom = top == kBad ? kBad : powers();
  const Id fraction = bottom == kBad ? kBad : quotient(top, bottom);
  const Id mixed = fraction == kBad ? kBad : mixed_number(integer, fraction);
  return mixed != kBad ? mixed : bad("a mixed number is not understood");
}

// A quotient; a percent or degree sign after an integer denominator belongs to all of "1/2%".
Parser::Id Parser::quotient(Id top, Id bottom) {
  const Node below = e_.at(bottom);
  const bool is_marked = (below.kind == Kind::kPercent || below.kind == Kind::kDegree) &&
                         e_.at(below.children[0]).kind == Kind::kNumber &&
                         e_.at(top).kind == Kind::kNumber;
  if (is_marked) {
    const Id inner = make(Kind::kQuotient, {top, below.children[0]});
    return inner == kBad ? kBad : make(below.kind, {inner});
  }
  return make(Kind::kQuotient, {top, bottom});
}

std::string Parser::raw_group() {
  std::string text;
  if (accept("{")) {
    int depth = 1;
    while (!done()) {
      if (is_op("{")) {
        ++depth;
      } else if (is_op("}") && --depth == 0) {
        ++i_;
        break;
      }
      text += t_[i_++].text;
    }
  } else if (!done()) {
    text = t_[i_++].text;
  }
  return text;
}

Parser::Id Parser::powers() {
  const std::size_t start = i_;
  Id base = primary();
  for (std::int64_t postfixes = 0; base != kBad; ++postfixes) {
    if (postfixes > bounds::kMaxPostfixes) {
      return bad("too many signs after a value");
    }
    if (is_op("^")) {
      ++i_;
      std::size_t k = is_op("{") ? 1 : 0;
      if (is_command("circ", k) || is_command("degree", k)) {
        i_ += k + 1;
        if (k == 1 && !accept("}")) {
          return bad("a degree sign with more in its exponent");
        }
        base = make(Kind::kDegree, {base});
        continue;
      }
      const bool was_matrix = e_.at(base).kind == Kind::kMatrix;
      const bool is_row = e_.at(base).kind == Kind::kTuple && e_.at(base).children.size() > 1;
      if ((was_matrix || is_row) && i_ + k < t_.size() &&
          (t_[i_ + k].text == "T" || t_[i_ + k].text == "top" || t_[i_ + k].text == "t" ||
           t_[i_ + k].text == "intercal")) {
        i_ += k + 1;
        if (k == 1) {
          accept("}");
        }
        const Node matrix = e_.at(base);
        const auto columns =
            was_matrix ? static_cast<std::size_t>(matrix.columns) : matrix.children.size();
        const std::size_t rows = matrix.children.size() / columns;
        Node turned;
        turned.kind = Kind::kMatrix;
        turned.columns = static_cast<std::int32_t>(rows);
        for (std::size_t c = 0; c < columns; ++c) {
          for (std::size_t r = 0; r < rows; ++r) {
            turned.children.push_back(matrix.children[r * columns + c]);
          }
        }
        base = e_.add(std::move(turned));
        continue;
      }
      if ((is_op("+", k) || is_op("-", k)) && e_.at(base).kind == Kind::kSymbol &&
          e_.at(base).text.starts_with("R")) {
        e_.nodes[static_cast<std::size_t>(base)].text += t_[i_ + k].text;
        i_ += k + 1;
        if (k == 1) {
          accept("}");
        }
        continue;
      }
      if (++depth_ > bounds::kMaxNesting) {
        return bad("powers are nested too deeply");
      }
      const bool outer = in_function_;
      in_function_ = false;
      Id exponent = kBad;
      if (is_op("{")) {
        exponent = group();
      } else if (is_op("-")) {
        ++i_;
        const Id kid = primary();
        exponent = kid == kBad ? kBad : make(Kind::kNegative, {kid});
      } else {
        exponent = primary();
        if (exponent != kBad && is_op("^")) {  // 9^9^9 is 9^(9^9)
          ++i_;
          const Id upper = is_op("{") ? group() : powers();
          exponent = upper == kBad ? kBad : make(Kind::kPower, {exponent, upper});
        }
      }
      in_function_ = outer;
      --depth_;
      if (was_matrix && exponent != kBad) {
        const auto exact = exact_value(e_, exponent);
        if (const auto whole = exact ? exact->small_int() : std::nullopt) {
          base = matrix_power(base, *whole);
          continue;
        }
      }
      base = exponent == kBad ? kBad : make(Kind::kPower, {scalar(base), exponent});
    } else if (is_command("ldots") && e_.at(base).is_decimal) {
      ++i_;  // "0.333…": the digits that are shown
    } else if (is_command("degree") || is_command("circ")) {
      ++i_;
      base = make(Kind::kDegree, {base});
    } else if (is_op("!")) {
      ++i_;
      const bool is_double = is_op("!") && !t_[i_].space_before;  // 5!! = 5 * 3 * 1
      i_ += is_double ? 1 : 0;
      base = make(Kind::kFunction, {base}, is_double ? "double factorial" : "factorial");
    } else if (is_op("%")) {
      ++i_;
      const Node& whole = e_.at(base);
      if (whole.kind == Kind::kConstant && whole.text == "infty") {
        continue;  // a hundredth of infinity
      }
      base = make(Kind::kPercent, {base});
    } else if (is_op("_")) {
      ++i_;
      // x^{2}_{i}: the subscript belongs to what was raised
      const Node& outermost = e_.at(base);
      const bool raised =
          outermost.kind == Kind::kPower && e_.at(outermost.children[0]).kind == Kind::kSymbol;
      Node& node = e_.nodes[static_cast<std::size_t>(raised ? outermost.children[0] : base)];
      std::string sub = raw_group();
      if (node.kind == Kind::kSymbol && node.text == "R" &&
          (sub == "ge0" || sub == "geq0" || sub == ">0" || sub == "+" || sub == "le0" ||
           sub == "leq0" || sub == "<0" || sub == "-")) {
        // the half lines
        node.text = sub[0] == '>' || sub[0] == '+'   ? "R+"
                    : sub[0] == '<' || sub[0] == '-' ? "R-"
                    : sub[0] == 'g'                  ? "R+0"
                                                     : "R-0";
        continue;
      }
      if (node.kind == Kind::kSymbol) {
        node.text += "_" + sub;
      } else if (node.kind == Kind::kNumber && i_ >= start + 2 && all_digits(t_[start].text) &&
                 all_digits(sub) && sub.size() <= 2) {
        node.kind = Kind::kBase;
        node.text = t_[start].text;
        node.columns = static_cast<std::int32_t>(std::stoi(sub));
      } else if (node.kind == Kind::kConstant) {
        node.kind = Kind::kSymbol;
        node.text += "_" + sub;
      } else {
        return bad("a subscript where none is understood");
      }
    } else {
      break;
    }
  }
  return base;
}

Parser::Id Parser::group() {
  if (!accept("{")) {
    return bad("a group in braces is missing");
  }
  if (is_op("}")) {
    return bad("an empty group");
  }
  std::size_t end = 0;
  --i_;
  if (const std::size_t bar = builder_bar(end); bar != 0) {
    return set_builder(bar, end);
  }
  ++i_;
  std::vector<Id> members;
  while (true) {
    const Id member = relation();
    if (member == kBad) {
      return kBad;
    }
    members.push_back(with_unit(member));
    if (members.back() == kBad) {
      return kBad;
    }
    if (!is_op(",") && !is_op(";")) {
      break;
    }
    ++i_;
    if (static_cast<std::int64_t>(members.size()) > bounds::kMaxSetMembers) {
      return bad("too many members in a set");
    }
  }
  // "{a \over b}"
  if (is_command("over") && members.size() == 1) {
    ++i_;
    const Id below = sum();
    if (below == kBad) {
      return kBad;
    }
    members[0] = make(Kind::kQuotient, {members[0], below});
  }
  if (!done() && !accept("}")) {
    return bad(fmt::format("'{}' is not understood here", t_[i_].text.substr(0, 40)));
  }
  return members.size() == 1 ? members[0] : make(Kind::kSet, std::move(members));
}

// "\text{The answer is } 16", "= 16", "\approx 16": what stands before the value.
void Parser::skip_introduction() {
  if (is_kind(TokenKind::kText) && t_.size() > 1) {
    const std::string word = fold_words(t_[0].text);
    const std::string& raw = t_[0].text;
    const std::size_t last = raw.find_last_not_of(' ');
    const bool has_colon = last != std::string::npos && raw[last] == ':';
    if (has_colon || word.ends_with(" is") || word.ends_with(" are") || word == "is") {
      ++i_;
    }
  }
  while (i_ + 1 < t_.size() && (is_op("=") || is_op(":") || is_command("approx"))) {
    ++i_;
  }
}

Result<Expression> Parser::run() {
  // Trailing full stops end a sentence, not an expression.
  while (!t_.empty() && t_.back().kind == TokenKind::kOperator &&
         (t_.back().text == "." || t_.back().text == "," || t_.back().text == ";" ||
          t_.back().text == "\\\\")) {
    t_.pop_back();
  }
  if (t_.empty()) {
    return fail(ErrorCode::kParse, "there is nothing to read");
  }
  // An answer of nothing but words.
  bool any_word = false;
  bool only_words = true;
  std::string words;
  for (const Token& token : t_) {
    const bool is_word = token.kind == TokenKind::kWord || token.kind == TokenKind::kText;
    any_word = any_word || is_word;
    only_words = only_words && (is_word || token.kind == TokenKind::kLetter);
    words += (token.space_before || is_word ? " " : "") + token.text;
  }
  const bool text_is_value =
      t_.size() == 1 && t_[0].kind == TokenKind::kText &&
      (rational_from_decimal(fold_words(t_[0].text)) || fold_words(t_[0].text).size() == 1);
  if (any_word && only_words && !text_is_value) {
    std::string folded = fold_words(words);
    if (folded.size() > 2 && folded.front() == '(' && folded.back() == ')') {
      folded = folded.substr(1, folded.size() - 2);
    }
    if (folded.size() == 1) {
      // The letter as it was written.
      const std::size_t at =
          words.find_first_of({folded[0], static_cast<char>(std::toupper(folded[0]))});
      e_.root = make(Kind::kSymbol, {}, words.substr(at, 1));
    } else {
      e_.root = make(Kind::kText, {}, folded);
    }
    return std::move(e_);
  }
  if (t_.size() == 1 && t_[0].kind == TokenKind::kText && fold_words(t_[0].text).size() == 1 &&
      !rational_from_decimal(fold_words(t_[0].text))) {
    std::string letter = t_[0].text;
    letter.erase(
        std::remove_if(letter.begin(), letter.end(),
                       [](char c) { return std::isalpha(static_cast<unsigned char>(c)) == 0; }),
        letter.end());
    e_.root = make(Kind::kSymbol, {}, letter);
    return std::move(e_);
  }
  if (auto based = whole_in_base()) {
    return std::move(*based);
  }
  skip_introduction();
  const Id root = answers();
  if (root == kBad) {
    return fail(ErrorCode::kParse, why_.empty() ? "the expression is not understood" : why_);
  }
  e_.root = root;
  e_.exact.clear();  // values found while the tree was still growing
  return std::move(e_);
}
}  // namespace r1eval::parsing

namespace r1eval {

std::string fold_words(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      while (i + 1 < text.size() && std::isalpha(static_cast<unsigned char>(text[i + 1])) != 0) {
        ++i;
      }
      if (i + 1 < text.size() && (text[i + 1] == ' ' || text[i + 1] == ',')) {
        ++i;
      }
      if (!out.empty() && out.back() != ' ') {
        out += ' ';
      }
    } else if (std::isspace(static_cast<unsigned char>(c)) != 0 || c == '~') {
      if (!out.empty() && out.back() != ' ') {
        out += ' ';
      }
    } else if (c == '$' || c == '{' || c == '}' || c == '*' || c == '"' || c == '`') {
      continue;
    } else {
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  while (!out.empty() && (out.back() == ' ' || out.back() == '.' || out.back() == ',' ||
                          out.back() == ';' || out.back() == ':')) {
    out.pop_back();
  }
  return out;
}

Result<Expression> parse_math(std::string_view text, bool has_plain_units) {
  R1_TRY(std::vector<Token> tokens, lex_math(text, has_plain_units));
  return parsing::Parser(std::move(tokens)).run();
}

}  // namespace r1eval
