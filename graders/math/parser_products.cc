// Sums, products, quotients, mixed numbers, and where a factor may begin without a sign.
#include <cctype>

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
      if (in_function_ && signs_end_arguments_) {
        break;
      }
      e_.has_signs_in_arguments = e_.has_signs_in_arguments || in_function_;
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

}  // namespace r1eval::parsing
