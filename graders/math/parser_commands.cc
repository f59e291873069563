// LaTeX commands and functions.
#include <fmt/format.h>

#include "graders/math/parser_impl.h"

namespace r1eval::parsing {

// A command's argument: a group, one digit of a number, or one token.
Parser::Id Parser::argument() {
  if (is_op("{")) {
    return group();
  }
  if (is_kind(TokenKind::kNumber)) {
    Token& token = t_[i_];
    if (all_digits(token.text) && token.text.size() > 1) {
      const std::string digit = token.text.substr(0, 1);
      token.text.erase(0, 1);
      return number(*rational_from_decimal(digit));
    }
  }
  return primary();
}

Parser::Id Parser::function(std::string name) {
  if (name == "lg") {
    name = "log";
  }
  Id base = kBad;
  Id exponent = kBad;
  for (int k = 0; k < 2; ++k) {
    if (is_op("_") && base == kBad) {
      ++i_;
      base = is_op("{") ? group() : (is_kind(TokenKind::kNumber) ? primary() : argument());
      if (base == kBad) {
        return kBad;
      }
    } else if (is_op("^") && exponent == kBad) {
      ++i_;
      exponent = is_op("{") ? group() : argument();
      if (exponent == kBad) {
        return kBad;
      }
    }
  }
  std::vector<Id> arguments;
  if (is_op("(") || is_op("[") || is_op("\\{")) {
    const std::string close = is_op("(") ? ")" : is_op("[") ? "]" : "\\}";
    ++i_;
    const bool outer = in_function_;
    in_function_ = false;
    while (true) {
      const Id one = sum();
      if (one == kBad) {
        return kBad;
      }
      arguments.push_back(one);
      if (!is_op(",")) {
        break;
      }
      ++i_;
    }
    in_function_ = outer;
    if (!done() && !accept(close)) {
      return bad("a function's argument is not closed");
    }
  } else {
    const bool outer = in_function_;
    in_function_ = true;
    Id one = kBad;
    if (!done() && (is_op("-") || starts_primary())) {
      one = product();
    } else {
      bad(fmt::format("the function {} has no argument", name));
    }
    in_function_ = outer;
    if (one == kBad) {
      return kBad;
    }
    arguments.push_back(one);
  }
  if (base != kBad) {
    arguments.push_back(base);
  }
  if (arguments.size() == 1 && e_.at(arguments[0]).kind == Kind::kSet &&
      (name == "max" || name == "min" || name == "gcd" || name == "lcm")) {
    arguments = std::vector<Id>(e_.at(arguments[0]).children);  // \max\{1, 2\}
  }
  if ((name == "gcd" || name == "lcm") && !arguments.empty()) {
    const Id reduced = reduce_gcd(name == "lcm", arguments);
    if (reduced != kBad) {
      return reduced;
    }
  }
  Id call = make(Kind::kFunction, std::move(arguments), name);
  if (call != kBad && exponent != kBad) {
    const Node& node = e_.at(exponent);
    if (node.kind == Kind::kNegative) {
      return bad("inverse functions are not judged");
    }
    call = make(Kind::kPower, {call, exponent});
  }
  return call;
}

Parser::Id Parser::command() {
  const std::string name = t_[i_].text;
  if (name == "begin") {
    return matrix();
  }
  ++i_;
  if (name == "frac" || name == "dfrac" || name == "tfrac" || name == "cfrac") {
    const Id top = argument();
    const Id bottom = top == kBad ? kBad : argument();
    return bottom == kBad ? bad("a fraction lacks a part") : make(Kind::kQuotient, {top, bottom});
  }
  if (name == "sqrt" || name == "cbrt") {
    Id degree = kBad;
    if (is_op("[")) {
      ++i_;
      degree = sum();
      if (degree == kBad || !accept("]")) {
        return bad("a root's degree is not understood");
      }
    }
    Id radicand = kBad;
    if (is_op("{")) {
      radicand = group();
    } else {
      radicand = primary();
    }
    if (radicand == kBad) {
      return kBad;
    }
    if (degree == kBad) {
      degree = number(Rational(Integer(name == "cbrt" ? 3 : 2)));
    }
    return make(Kind::kFunction, {radicand, degree}, "root");
  }
  if (name == "binom" || name == "dbinom" || name == "tbinom") {
    const Id n = argument();
    const Id k = n == kBad ? kBad : argument();
    return k == kBad ? kBad : make(Kind::kFunction, {n, k}, "binomial");
  }
  if (name == "pi") {
    return make(Kind::kConstant, {}, "pi");
  }
  if (name == "infty") {
    return make(Kind::kConstant, {}, "infty");
  }
  if (name == "emptyset" || name == "varnothing") {
    return make(Kind::kSet);
  }
  if (name == "mathbb" || name == "mathcal" || name == "Bbb") {
    return make(Kind::kSymbol, {}, raw_group());
  }
  if (name == "lfloor" || name == "lceil") {
    const Id kid = sum();
    if (kid == kBad || !(is_command(name == "lfloor" ? "rfloor" : "rceil"))) {
      return bad("a floor or ceiling is not closed");
    }
    ++i_;
    return make(Kind::kFunction, {kid}, name == "lfloor" ? "floor" : "ceil");
  }
  if (name == "lvert" || name == "vert") {
    ++bars_;
    const Id kid = sum();
    --bars_;
    if (kid == kBad || !(is_command("rvert") || is_command("vert") || is_op("|"))) {
      return bad("an absolute value is not closed");
    }
    ++i_;
    return make(Kind::kFunction, {kid}, "abs");
  }
  if (name == "langle") {
    --i_;
    return brackets();
  }
  if (name == "vec" || name == "hat" || name == "overline" || name == "bar" ||
      name == "overrightarrow" || name == "tilde") {
    return make(Kind::kSymbol, {}, name + "(" + raw_group() + ")");
  }
  if (name == "angle" || name == "triangle" || name == "therefore") {
    return primary();
  }
  if (name == "int") {
    return integral();
  }
  if (name == "sum" || name == "prod") {
    return repeated(name);
  }
  if (name == "lim") {
    return limit();
  }
  if (name == "partial") {
    return make(Kind::kSymbol, {}, name);
  }
  if (contains(kFunctionNames, name)) {
    return function(name);
  }
  if (contains(kSymbolNames, name)) {
    return make(Kind::kSymbol, {}, name);
  }
  return bad(fmt::format("the command \\{} is not understood", name.substr(0, 40)));
}

}  // namespace r1eval::parsing
