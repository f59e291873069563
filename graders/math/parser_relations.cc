// Relations and what they stand between: sides of equations, inequalities and congruences, unions
// and ratios.
#include <array>
#include <cctype>

#include "graders/math/parser.h"
#include "graders/math/parser_impl.h"

namespace r1eval::parsing {

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

}  // namespace r1eval::parsing
