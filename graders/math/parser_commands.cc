// LaTeX commands and functions.
#include <fmt/format.h>

#include "graders/math/exact.h"
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

Parser::Id Parser::command() {
  const std::string name = t_[i_].text;
  if (name == "begin") {
    return matrix();
  }
  ++i_;
  if (name == "frac" || name == "dfrac" || name == "tfrac" || name == "cfrac") {
    const std::size_t start = i_;
    const Id derivative = derivative_operator();
    if (derivative != kBad || !why_.empty()) {
      return derivative;
    }
    i_ = start;
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
    if (degree != kBad && !exact_value(e_, degree)) {  // the n-th root
      const Id one = number(Rational(Integer(1)));
      const Id exponent = one == kBad ? kBad : make(Kind::kQuotient, {one, degree});
      return exponent == kBad ? kBad : make(Kind::kPower, {scalar(radicand), exponent});
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
  if (name == "mathbb" || name == "mathcal" || name == "Bbb" || name == "mathfrak" ||
      name == "mathscr") {
    return make(Kind::kSymbol, {}, raw_group());
  }
  if (name == "R" || name == "Z" || name == "N" || name == "Q" || name == "C") {
    return make(Kind::kSymbol, {}, name);
  }
  if (name == "reals" || name == "integers" || name == "naturals") {
    return make(Kind::kSymbol, {}, name == "reals" ? "R" : name == "integers" ? "Z" : "N");
  }
  if (name == "ldots" || name == "dots" || name == "cdots" || name == "dotsc" || name == "vdots" ||
      name == "ddots") {
    return make(Kind::kSymbol, {}, "...");
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
    return e_.at(kid).kind == Kind::kMatrix ? determinant(kid)
                                            : make(Kind::kFunction, {kid}, "abs");
  }
  if (name == "langle") {
    --i_;
    return brackets();
  }
  if (name == "overline" || name == "bar") {
    const std::size_t start = i_;
    bool has_unit = false;
    for (std::size_t k = i_; is_op("{") && k < t_.size() && t_[k].text != "}"; ++k) {
      has_unit = has_unit || (t_[k].kind == TokenKind::kLetter && t_[k].text == "i");
    }
    if (has_unit) {
      const Id kid = group();
      return kid == kBad ? kBad : conjugate(kid);
    }
    i_ = start;
  }
  if (name == "vec" || name == "hat" || name == "overline" || name == "bar" ||
      name == "overrightarrow" || name == "tilde" || name == "widehat" || name == "widetilde" ||
      name == "underline" || name == "dot" || name == "ddot") {
    const std::string inner = raw_group();
    // Unit vectors are the same in every dress.
    const std::string letter = inner == "imath" ? "i" : inner == "jmath" ? "j" : inner;
    if ((name == "vec" || name == "hat" || name == "overrightarrow" || name == "widehat") &&
        (letter == "i" || letter == "j" || letter == "k")) {
      return make(Kind::kSymbol, {}, "hat(" + letter + ")");
    }
    return make(Kind::kSymbol, {}, (name == "bar" ? "overline" : name) + "(" + inner + ")");
  }
  if (name == "angle" || name == "triangle" || name == "therefore" || name == "measuredangle") {
    // "m\angle A", "\angle ABC", "\triangle ABC": one name
    std::string letters;
    while (is_kind(TokenKind::kLetter) && (letters.empty() || !t_[i_].space_before)) {
      letters += t_[i_++].text;
    }
    return letters.empty() ? primary() : make(Kind::kSymbol, {}, letters);
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
  if (!function_named(name).empty() || name.starts_with('@')) {
    return function(name);
  }
  if (name == "hbar" || name == "imath" || name == "jmath" || name == "nabla" || name == "aleph" ||
      name == "square" || name == "varrho" || name == "varsigma" || name == "Xi" ||
      name == "Upsilon" || name == "varpi" || name == "digamma" || name == "Pi") {
    return make(Kind::kSymbol, {}, name);
  }
  if (contains(kSymbolNames, name)) {
    return make(Kind::kSymbol, {}, name);
  }
  return bad(fmt::format("the command \\{} is not understood", name.substr(0, 40)));
}

}  // namespace r1eval::parsing
