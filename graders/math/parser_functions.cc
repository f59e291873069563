// Functions and their arguments.
#include <fmt/format.h>

#include "graders/math/parser_impl.h"

namespace r1eval::parsing {

// A copy with nodes of its own, so that the limit on nodes also limits repeated use.
Parser::Id Parser::copy_of(Id id) {
  Node node = e_.at(id);
  for (Id& kid : node.children) {
    kid = copy_of(kid);
    if (kid == kBad) {
      return kBad;
    }
  }
  if (static_cast<std::int64_t>(e_.nodes.size()) >= bounds::kMaxNodes) {
    return bad("the expression has too many parts");
  }
  return e_.add(std::move(node));
}

// The arguments: in brackets, in a group, or what a name without brackets reaches.
bool Parser::arguments_of(const std::string& name, std::vector<Id>& arguments) {
  const bool outer = in_function_;
  const int bars = bars_;
  if (is_op("(") || is_op("[") || is_op("\\{")) {
    const std::string close = is_op("(") ? ")" : is_op("[") ? "]" : "\\}";
    ++i_;
    in_function_ = false;
    bars_ = 0;
    while (true) {
      const Id one = sum();
      if (one == kBad) {
        return false;
      }
      arguments.push_back(one);
      if (!accept(",")) {
        break;
      }
    }
    in_function_ = outer;
    bars_ = bars;
    if (!done() && !accept(close)) {
      bad("a function's argument is not closed");
      return false;
    }
    return true;
  }
  Id one = kBad;
  if (is_op("{")) {
    in_function_ = false;
    bars_ = 0;
    one = group();
    bars_ = bars;
  } else if (!done() && (is_op("-") || is_op("|") || starts_primary())) {
    in_function_ = true;
    one = product();
  } else {
    bad(fmt::format("the function {} has no argument", name.substr(0, 40)));
  }
  in_function_ = outer;
  if (one == kBad) {
    return false;
  }
  const Node& node = e_.at(one);
  if ((name == "max" || name == "min" || name == "gcd" || name == "lcm" ||
       function_named(name).empty()) &&
      node.kind == Kind::kTuple) {
    arguments = std::vector<Id>(node.children);
  } else {
    arguments.push_back(one);
  }
  return true;
}

// Functions that others express: sech x = 1 / cosh x, arsinh x = ln(x + sqrt(x^2 + 1)), …
Parser::Id Parser::elementary(const std::string& name, Id x) {
  const auto integer = [&](std::int64_t n) { return number(Rational(Integer(n))); };
  const auto over = [&](Id a, Id b) {
    return a == kBad || b == kBad ? kBad : make(Kind::kQuotient, {a, b});
  };
  const auto plus = [&](Id a, Id b) {
    return a == kBad || b == kBad ? kBad : make(Kind::kSum, {a, b});
  };
  const auto call = [&](const std::string& f, Id a) {
    return a == kBad ? kBad : make(Kind::kFunction, {a}, f);
  };
  const auto one_over = [&](Id a) { return over(integer(1), a); };
  if (name == "sech" || name == "csch") {
    return one_over(call(name == "sech" ? "cosh" : "sinh", x));
  }
  if (name == "arcsec" || name == "arccsc") {
    return call(name == "arcsec" ? "arccos" : "arcsin", one_over(x));
  }
  if (name == "arsech" || name == "arcsch") {
    return elementary(name == "arsech" ? "arcosh" : "arsinh", one_over(x));
  }
  if (name == "arsinh" || name == "arcosh") {
    const Id two = integer(2);
    const Id again = two == kBad ? kBad : copy_of(x);
    const Id square = again == kBad ? kBad : make(Kind::kPower, {again, two});
    const Id radicand = plus(square, integer(name == "arsinh" ? 1 : -1));
    const Id degree = integer(2);
    const Id root = radicand == kBad || degree == kBad
                        ? kBad
                        : make(Kind::kFunction, {radicand, degree}, "root");
    return call("ln", plus(x, root));
  }
  if (name == "artanh" || name == "arcoth") {
    // half the logarithm of (1 + x) / (1 - x) or (x + 1) / (x - 1)
    const Id again = copy_of(x);
    const Id minus = again == kBad ? kBad : make(Kind::kNegative, {again});
    const Id top = plus(integer(1), x);
    const Id below = name == "artanh" ? plus(integer(1), minus) : plus(again, integer(-1));
    return over(call("ln", over(top, below)), integer(2));
  }
  if (name == "cis") {
    const Id cosine = call("cos", x);
    const Id again = cosine == kBad ? kBad : copy_of(x);
    const Id sine = call("sin", again);
    const Id unit = sine == kBad ? kBad : make(Kind::kConstant, {}, "i");
    const Id part = unit == kBad ? kBad : make(Kind::kProduct, {unit, sine});
    return plus(cosine, part);
  }
  if (name == "cbrt") {
    const Id degree = integer(3);
    return degree == kBad ? kBad : make(Kind::kFunction, {x, degree}, "root");
  }
  return call(name, x);
}

Parser::Id Parser::apply(const std::string& name, std::vector<Id> arguments) {
  if (arguments.size() == 1) {
    const Node& node = e_.at(arguments[0]);
    if (node.kind == Kind::kSet &&
        (name == "max" || name == "min" || name == "gcd" || name == "lcm")) {
      arguments = std::vector<Id>(node.children);  // \max\{1, 2\}
    } else if (node.kind == Kind::kMatrix && name == "det") {
      return determinant(arguments[0]);
    } else if (node.kind == Kind::kMatrix && name == "tr") {
      std::vector<Id> terms;
      const auto n = static_cast<std::size_t>(node.columns);
      if (n * n != node.children.size()) {
        return bad("a trace of a matrix that is not square");
      }
      for (std::size_t k = 0; k < n; ++k) {
        terms.push_back(node.children[k * n + k]);
      }
      return make(Kind::kSum, std::move(terms));
    }
  }
  if ((name == "gcd" || name == "lcm") && !arguments.empty()) {
    const Id reduced = reduce_gcd(name == "lcm", arguments);
    if (reduced != kBad) {
      return reduced;
    }
  }
  return arguments.size() == 1 ? elementary(name, arguments[0])
                               : make(Kind::kFunction, std::move(arguments), name);
}

Parser::Id Parser::function(std::string name) {
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
      const bool outer = in_function_;
      in_function_ = false;
      if (is_op("-")) {
        ++i_;
        const Id kid = argument();
        exponent = kid == kBad ? kBad : make(Kind::kNegative, {kid});
      } else {
        exponent = is_op("{") ? group() : argument();
      }
      in_function_ = outer;
      if (exponent == kBad) {
        return kBad;
      }
    }
  }
  const std::string_view known = function_named(name);
  if (name.starts_with('@')) {
    name.erase(0, 1);
  } else if (!known.empty()) {
    name = std::string(known);
  }
  if (name == "lg") {
    name = "log";
    if (base == kBad && (base = number(Rational(Integer(10)))) == kBad) {
      return kBad;
    }
  }
  if (exponent != kBad) {
    const Node& node = e_.at(exponent);
    const Node& size = node.kind == Kind::kNegative ? e_.at(node.children[0]) : node;
    const bool is_minus_one =
        size.kind == Kind::kNumber && size.value.den == 1 &&
        ((node.kind == Kind::kNegative && size.value.num == 1) || node.value.num == -1);
    if (is_minus_one) {
      const std::string_view inverse = inverse_function(name);
      if (inverse.empty()) {
        return bad("the inverse of this function is not judged");
      }
      name = std::string(inverse);
      exponent = kBad;
    }
  }
  std::vector<Id> arguments;
  if (!arguments_of(name, arguments)) {
    return kBad;
  }
  if (base != kBad && name != "log" && (name == "max" || name == "min" || name == "gcd")) {
    return bad("an extremum over a set is not judged");
  }
  Id call = kBad;
  if (base != kBad) {
    arguments.push_back(base);
    call = make(Kind::kFunction, std::move(arguments), name == "ln" ? "log" : name);
  } else {
    call = apply(name, std::move(arguments));
  }
  return call != kBad && exponent != kBad ? make(Kind::kPower, {call, exponent}) : call;
}

}  // namespace r1eval::parsing
