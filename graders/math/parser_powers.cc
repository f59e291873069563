// What follows a value (exponents, subscripts, factorials, percent and degree signs), and groups in
// braces.
#include <fmt/format.h>

#include "graders/math/exact.h"
#include "graders/math/parser_impl.h"

namespace r1eval::parsing {

namespace {

// "0.333…", "0.1666…", "0.142857142857…": the fraction that digits which are seen to repeat go on
// to; nothing for the digits of an irrational number.
std::optional<Rational> repeating_fraction(const Rational& shown, std::int32_t places) {
  if (places < 3 || places > 60) {
    return std::nullopt;
  }
  const Integer scale = boost::multiprecision::pow(Integer(10), static_cast<unsigned>(places));
  const Rational scaled = shown * Rational(scale);
  std::string digits = Integer(abs(scaled.num) % scale).str();
  digits.insert(0, static_cast<std::size_t>(places) - digits.size(), '0');
  const auto n = static_cast<std::size_t>(places);
  std::size_t period = 0;
  if (digits[n - 1] == digits[n - 2] && digits[n - 1] == digits[n - 3] && digits[n - 1] != '0') {
    period = 1;
  }
  for (std::size_t length = 2; period == 0 && 2 * length <= n; ++length) {
    bool repeats = n % length == 0;
    for (std::size_t k = length; k < n && repeats; ++k) {
      repeats = digits[k] == digits[k - length];
    }
    period = repeats ? length : 0;
  }
  if (period == 0) {
    return std::nullopt;
  }
  // What follows the digits shown: one more period after them, over 10^places (10^period - 1).
  const Integer tail(digits.substr(n - period));
  const Integer below =
      scale * (boost::multiprecision::pow(Integer(10), static_cast<unsigned>(period)) - 1);
  const Rational rest(shown.num < 0 ? Integer(-tail) : tail, below);
  return shown + rest;
}

}  // namespace

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
    } else if ((is_command("ldots") || is_command("dots") || is_command("cdots")) &&
               e_.at(base).is_decimal) {
      ++i_;
      Node& literal = e_.nodes[static_cast<std::size_t>(base)];
      if (const auto whole = repeating_fraction(literal.value, literal.places)) {
        literal.value = *whole;
        literal.is_decimal = false;
        literal.places = 0;
      }
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

}  // namespace r1eval::parsing
