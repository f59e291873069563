#include "graders/math/modular_field.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "graders/bounds.h"
#include "graders/math/ball.h"
#include "graders/math/exact.h"
#include "graders/math/numeric.h"

namespace r1eval::modular {
namespace {

bool contains_constant(const Expression& e, Id id, const char* name) {
  const Node& n = e.at(id);
  if (n.kind == Kind::kConstant && n.text == name) {
    return true;
  }
  for (const Id kid : n.children) {
    if (contains_constant(e, kid, name)) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::optional<U64> Field::rational_root(const Rational& r, std::int64_t n) {
  if (r.is_zero()) {
    return 0;
  }
  if (bit_length(r.num) > 512 || bit_length(r.den) > 512) {
    return no(Why::kFail);
  }
  U64 result = 1;
  if (r.num < 0) {
    if (n % 2 != 0) {
      result = p_ - 1;
    } else if (complex_ && n == 2) {
      result = *square_root(p_ - 1);
    } else {
      return no(Why::kFail);
    }
  }
  for (const bool below : {false, true}) {
    for (const auto& [prime, count] : factors(abs(below ? r.den : r.num))) {
      const auto root = any_root(of(prime), n);
      if (!root) {
        return root;
      }
      const U64 v = pow_mod(*root, static_cast<U64>(count), p_);
      result = mul(result, below ? inverse(v, p_) : v, p_);
    }
  }
  return result;
}

std::optional<U64> Field::branch_root(U64 v, std::int64_t n) {
  const auto root = any_root(v, n);
  if (!root || n % 2 != 0) {
    return root;
  }
  const auto [it, is_new] = branches_.emplace(v, static_cast<int>(branches_.size()));
  const bool flip = it->second < 60 && ((signs_ >> it->second) & 1) != 0;
  return flip ? neg(*root, p_) : *root;
}

bool Field::terms_of(const Expression& e, Id id, const Rational& scale, Terms& terms,
                     Rational& constant) {
  if (--fuel_ < 0 || bit_length(scale.num) + bit_length(scale.den) > 4096) {
    why = Why::kFail;
    return false;
  }
  if (const auto exact = exact_value(e, id)) {
    constant = constant + *exact * scale;
    return true;
  }
  const Node& n = e.at(id);
  switch (n.kind) {
    case Kind::kSum:
      for (const Id kid : n.children) {
        if (!terms_of(e, kid, scale, terms, constant)) {
          return false;
        }
      }
      return true;
    case Kind::kNegative:
      return terms_of(e, n.children[0], -scale, terms, constant);
    case Kind::kProduct:
      if (const auto left = exact_value(e, n.children[0])) {
        return terms_of(e, n.children[1], scale * *left, terms, constant);
      }
      if (const auto right = exact_value(e, n.children[1])) {
        return terms_of(e, n.children[0], scale * *right, terms, constant);
      }
      break;
    case Kind::kQuotient:
      if (const auto below = exact_value(e, n.children[1]); below && !below->is_zero()) {
        return terms_of(e, n.children[0], scale * Rational(below->den, below->num), terms,
                        constant);
      }
      break;
    default:
      break;
  }
  const auto v = value(e, id);
  if (!v) {
    return false;
  }
  const bool flip = *v > p_ - *v;
  Rational& slot = terms[flip ? p_ - *v : *v];
  slot = slot + (flip ? -scale : scale);
  return true;
}

// kernel^exponent, where fractions with denominators that divide 12 stay exact.
std::optional<U64> Field::kernel_power(const std::string& name, const Rational& exponent) {
  fuel_ -= 128;
  const Rational twelfths = exponent * Rational(Integer(12));
  if (!twelfths.is_integer()) {
    return no(Why::kFail);
  }
  const U64 e = static_cast<U64>(Integer(abs(twelfths.num) % (p_ - 1)));
  const U64 v = pow_mod(atom(name), e, p_);
  return twelfths.num < 0 ? inverse(v, p_) : v;
}

std::optional<U64> Field::power_of(const Expression& e, Id base, Id exponent) {
  fuel_ -= 128;
  const auto r = exact_value(e, exponent);
  const Node& b = e.at(base);
  const bool is_e = b.kind == Kind::kConstant && b.text == "e";
  if (r && bit_length(r->num) + bit_length(r->den) < bounds::kMaxExactBits) {
    if (is_e) {
      return kernel_power("e", *r);
    }
    const U64 n = static_cast<U64>(Integer(abs(r->num) % (p_ - 1)));
    std::optional<U64> v;
    if (r->den == 1) {
      v = value(e, base);
    } else if (bit_length(r->den) < 10) {
      const auto degree = static_cast<std::int64_t>(r->den);
      const auto exact = exact_value(e, base);
      if (exact) {
        v = rational_root(*exact, degree);
      } else if ((v = value(e, base))) {
        v = branch_root(*v, degree);
      }
    } else {
      return no(Why::kFail);
    }
    if (!v) {
      return v;
    }
    if (*v == 0) {
      return r->num > 0 ? std::optional<U64>(0) : no(Why::kRetry);
    }
    const U64 result = pow_mod(*v, n, p_);
    return r->num < 0 ? inverse(result, p_) : result;
  }
  Terms terms;
  Rational constant;
  if (is_e && contains_constant(e, exponent, "i") && complex_) {
    // e^{i t}: divide by i by multiplying out is not needed for pure multiples of pi.
    const auto v = value(e, exponent);
    const auto i = square_root(p_ - 1);
    if (v && i) {
      const U64 unit = mul(mul(*v, inverse(mul(*i, atom("pi"), p_), p_), p_), 12, p_);
      const std::int64_t k = unit < 100000        ? static_cast<std::int64_t>(unit)
                             : p_ - unit < 100000 ? -static_cast<std::int64_t>(p_ - unit)
                                                  : INT64_MIN;
      if (k != INT64_MIN) {
        // cos(pi/12) + i sin(pi/12), to the k-th power
        const U64 r2 = *square_root(2);
        const U64 r6 = mul(r2, *square_root(3), p_);
        const U64 quarter = inverse(4, p_);
        const U64 c = mul(add(r6, r2, p_), quarter, p_);
        const U64 s = mul(add(r6, neg(r2, p_), p_), quarter, p_);
        const U64 z = add(c, mul(*i, s, p_), p_);
        return pow_mod(z, static_cast<U64>(((k % 24) + 24) % 24), p_);
      }
    }
  }
  if (!terms_of(e, exponent, Rational(Integer(1)), terms, constant)) {
    return std::nullopt;
  }
  std::map<std::string, Rational> kernels;  // factor of the base -> multiplicity
  std::optional<U64> start;
  if (is_e) {
    start = kernel_power("e", constant);
    kernels["e"] = Rational(Integer(1));
  } else if (const auto q = exact_value(e, base);
             q && !q->is_zero() && bit_length(q->num) < 512 && bit_length(q->den) < 512) {
    if (!constant.is_integer()) {
      return no(Why::kFail);
    }
    const auto v = of(*q);
    if (!v) {
      return v;
    }
    const U64 n = static_cast<U64>(Integer(abs(constant.num) % (p_ - 1)));
    start = pow_mod(constant.num < 0 ? inverse(*v, p_) : *v, n, p_);
    if (q->num < 0) {
      kernels["-1"] = Rational(Integer(1));
    }
    for (const bool below : {false, true}) {
      for (const auto& [prime, count] : factors(abs(below ? q->den : q->num))) {
        kernels[prime.str()] = Rational(Integer(below ? -count : count));
      }
    }
  } else {
    const auto v = value(e, base);
    if (!v || *v == 0 || !constant.is_integer()) {
      return v ? no(Why::kFail) : v;
    }
    const U64 n = static_cast<U64>(Integer(abs(constant.num) % (p_ - 1)));
    start = pow_mod(constant.num < 0 ? inverse(*v, p_) : *v, n, p_);
    kernels["#" + std::to_string(*v)] = Rational(Integer(1));
  }
  if (!start) {
    return start;
  }
  U64 result = *start;
  for (const auto& [key, coefficient] : terms) {
    for (const auto& [kernel, count] : kernels) {
      if (kernel == "-1" && coefficient.is_integer()) {
        // (-1)^n is 1 or -1: both readings are tried
        const auto [it, is_new] = exponents_.emplace(key, static_cast<int>(exponents_.size()));
        const bool is_odd = it->second < 60 && ((parities_ >> it->second) & 1) != 0;
        if (is_odd && coefficient.num % 2 != 0) {
          result = neg(result, p_);
        }
        continue;
      }
      const auto v = kernel_power("pow " + kernel + " " + std::to_string(key), coefficient * count);
      if (!v) {
        return v;
      }
      result = mul(result, *v, p_);
    }
  }
  return result;
}

std::optional<Field::Angle> Field::angle_of(const Expression& e, Id id, bool degrees) {
  const Node& n = e.at(id);
  if (n.kind == Kind::kDegree) {
    return angle_of(e, n.children[0], true);
  }
  Terms terms;
  Rational constant;
  if (!terms_of(e, id, Rational(Integer(1)), terms, constant)) {
    return std::nullopt;
  }
  const auto plus = [&](const Angle& a, const Angle& b) {
    return Angle{add(mul(a.cos, b.cos, p_), neg(mul(a.sin, b.sin, p_), p_), p_),
                 add(mul(a.sin, b.cos, p_), mul(a.cos, b.sin, p_), p_)};
  };
  const auto times = [&](Angle a, Integer k) {
    if (k < 0) {
      a.sin = neg(a.sin, p_);
      k = -k;
    }
    Angle r{1, 0};
    for (; k != 0; k >>= 1, a = plus(a, a)) {
      if ((k & 1) != 0) {
        r = plus(r, a);
      }
    }
    return r;
  };
  const auto generic = [&](const std::string& name, const Rational& c) -> std::optional<Angle> {
    fuel_ -= 512;
    const Rational twelfths = c * Rational(Integer(12));
    if (!twelfths.is_integer() || bit_length(twelfths.num) > 64) {
      no(Why::kFail);
      return std::nullopt;
    }
    const U64 m = hash_text("angle " + name, p_) % p_;
    const U64 m2 = mul(m, m, p_);
    const U64 d = inverse(add(1, m2, p_), p_);
    return times({mul(add(1, neg(m2, p_), p_), d, p_), mul(mul(2, m, p_), d, p_)}, twelfths.num);
  };
  const U64 pi = atom("pi");
  const U64 pi_key = pi > p_ - pi ? p_ - pi : pi;
  Angle total{1, 0};
  Rational turns;  // in units of pi
  if (degrees) {
    turns = constant * Rational(Integer(1), Integer(180));
    constant = Rational();
  }
  for (const auto& [key, coefficient] : terms) {
    if (key == pi_key && !degrees) {
      turns = turns + (pi == pi_key ? coefficient : -coefficient);
      continue;
    }
    const auto part = generic(std::to_string(key), coefficient);
    if (!part) {
      return std::nullopt;
    }
    total = plus(total, *part);
  }
  if (!constant.is_zero()) {
    const auto part = generic("1", constant);
    if (!part) {
      return std::nullopt;
    }
    total = plus(total, *part);
  }
  const Rational units = turns * Rational(Integer(12));
  if (units.is_integer()) {
    const auto r2 = square_root(2);
    const auto r3 = square_root(3);
    if (!r2 || !r3) {
      return std::nullopt;
    }
    const U64 r6 = mul(*r2, *r3, p_);
    const U64 quarter = inverse(4, p_);
    const Angle unit{mul(add(r6, *r2, p_), quarter, p_),
                     mul(add(r6, neg(*r2, p_), p_), quarter, p_)};
    total = plus(total, times(unit, Integer(units.num % 24)));
  } else {
    // pi/D as an independent angle: sums and multiples agree, closed forms are not known.
    const auto part = generic("pi " + turns.den.str(),
                              Rational(Integer(turns.num % (2 * turns.den)), Integer(12)));
    if (!part) {
      return std::nullopt;
    }
    total = plus(total, *part);
  }
  return total;
}

std::optional<U64> Field::log_of(const Expression& e, Id id) {
  if (--fuel_ < 0) {
    return no(Why::kFail);
  }
  const Node& n = e.at(id);
  if (n.kind == Kind::kConstant && n.text == "e") {
    return 1;
  }
  if (n.kind == Kind::kPower) {
    const auto inner = log_of(e, n.children[0]);
    const auto exponent = inner ? value(e, n.children[1]) : std::nullopt;
    return exponent ? std::optional<U64>(mul(*inner, *exponent, p_)) : std::nullopt;
  }
  if (n.kind == Kind::kFunction && n.text == "exp") {
    return value(e, n.children[0]);
  }
  if (n.kind == Kind::kFunction && n.text == "root") {
    const auto inner = log_of(e, n.children[0]);
    const auto degree = inner ? value(e, n.children[1]) : std::nullopt;
    return degree && *degree != 0 ? std::optional<U64>(mul(*inner, inverse(*degree, p_), p_))
                                  : std::nullopt;
  }
  if (const auto r = exact_value(e, id)) {
    if (r->num <= 0 || bit_length(r->num) > 4096 || bit_length(r->den) > 4096) {
      return no(Why::kFail);
    }
    U64 result = 0;
    for (const bool below : {false, true}) {
      for (const auto& [prime, count] : factors(below ? r->den : r->num)) {
        const U64 part = mul(atom("ln " + prime.str()), static_cast<U64>(count), p_);
        result = add(result, below ? neg(part, p_) : part, p_);
      }
    }
    return result;
  }
  if (n.kind == Kind::kProduct || n.kind == Kind::kQuotient) {
    const auto a = log_of(e, n.children[0]);
    const auto b = a ? log_of(e, n.children[1]) : std::nullopt;
    return b ? std::optional<U64>(add(*a, n.kind == Kind::kProduct ? *b : neg(*b, p_), p_))
             : std::nullopt;
  }
  const auto v = value(e, id);
  return v ? std::optional<U64>(atom("ln #" + std::to_string(*v))) : std::nullopt;
}

std::optional<U64> Field::function(const Expression& e, const Node& n) {
  const std::string& name = n.text;
  const Id arg = n.children[0];
  if (name == "root") {
    const auto degree = exact_value(e, n.children[1]);
    const auto d = degree ? degree->small_int() : std::nullopt;
    if (!d || *d < 1 || *d > 1000) {
      return no(Why::kFail);
    }
    if (const auto exact = exact_value(e, arg)) {
      return rational_root(*exact, *d);
    }
    const auto v = value(e, arg);
    return v ? branch_root(*v, *d) : v;
  }
  if (name == "sin" || name == "cos" || name == "tan" || name == "cot" || name == "sec" ||
      name == "csc") {
    const auto a = angle_of(e, arg, false);
    if (!a) {
      return std::nullopt;
    }
    const bool sin_top = name == "sin" || name == "tan";
    const bool cos_top = name == "cos" || name == "cot";
    const U64 top = sin_top ? a->sin : cos_top ? a->cos : 1;
    const U64 bottom = name == "tan" || name == "sec"   ? a->cos
                       : name == "cot" || name == "csc" ? a->sin
                                                        : 1;
    return bottom == 0 ? std::optional<U64>(no(Why::kRetry)) : mul(top, inverse(bottom, p_), p_);
  }
  if (name == "ln" || name == "log") {
    const auto v = log_of(e, arg);
    if (!v || (name == "ln" && n.children.size() == 1)) {
      return v;
    }
    std::optional<U64> base;
    if (n.children.size() == 2) {
      base = log_of(e, n.children[1]);
    } else {
      base = add(atom("ln 2"), atom("ln 5"), p_);
    }
    return base && *base != 0 ? std::optional<U64>(mul(*v, inverse(*base, p_), p_)) : std::nullopt;
  }
  if (name == "exp") {
    Expression copy = e;
    Node base;
    base.kind = Kind::kConstant;
    base.text = "e";
    const Id id = copy.add(base);
    return power_of(copy, id, arg);
  }
  if (name == "abs") {
    const auto v = value(e, arg);
    if (!v) {
      return v;
    }
    if (complex_ && contains_constant(e, arg, "i") && !has_symbols(e, arg)) {
      const std::complex<double> z = numeric_value(e, arg, 0);
      const double square = std::norm(z);
      if (square < 1e12 && std::abs(square - std::round(square)) < 1e-9) {
        return rational_root(Rational(Integer(std::llround(square))), 2);
      }
      return no(Why::kFail);
    }
    if (!has_symbols(e, arg)) {
      const auto sign = order_of(e, arg, -1, fuel_);
      return !sign ? std::optional<U64>(no(Why::kFail)) : *sign < 0 ? neg(*v, p_) : *v;
    }
    return branch_root(mul(*v, *v, p_), 2);
  }
  if ((name == "max" || name == "min") && !n.children.empty()) {
    std::size_t best = 0;
    bool known = true;
    for (std::size_t k = 0; k < n.children.size() && known; ++k) {
      known = !has_symbols(e, n.children[k]);
      if (known && k != 0) {
        const auto order = order_of(e, n.children[k], n.children[best], fuel_);
        known = order.has_value();
        best = known && (name == "max" ? *order > 0 : *order < 0) ? k : best;
      }
    }
    if (known) {
      return value(e, n.children[best]);
    }
  }
  if (name == "mod" && !has_symbols(e, n.children[0]) && !has_symbols(e, n.children[1])) {
    const std::complex<double> q =
        numeric_value(e, n.children[0], 0) / numeric_value(e, n.children[1], 0);
    if (q.imag() == 0 && std::abs(q.real()) < 1e9 &&
        std::abs(q.real() - std::round(q.real())) > 1e-6) {
      const auto a = value(e, n.children[0]);
      const auto b = a ? value(e, n.children[1]) : a;
      const U64 whole = of(Integer(std::llround(std::floor(q.real()))));
      return b ? std::optional<U64>(add(*a, neg(mul(whole, *b, p_), p_), p_)) : b;
    }
    return no(Why::kFail);
  }
  std::vector<U64> arguments;
  for (const Id kid : n.children) {
    const auto v = value(e, kid);
    if (!v) {
      return v;
    }
    arguments.push_back(*v);
  }
  if ((name == "floor" || name == "ceil") &&
      (arguments[0] < 1U << 20 || p_ - arguments[0] < 1U << 20)) {
    return arguments[0];  // an integer once simplified
  }
  if (name == "max" || name == "min") {
    std::sort(arguments.begin(), arguments.end());
  }
  std::string key = name;
  for (const U64 v : arguments) {
    key += " " + std::to_string(v);
  }
  return atom(key);
}

std::optional<U64> Field::value(const Expression& e, Id id) {
  if (--fuel_ < 0) {
    return no(Why::kFail);
  }
  const Node& n = e.at(id);
  const auto kid = [&](std::size_t k) { return value(e, n.children[k]); };
  switch (n.kind) {
    case Kind::kNumber:
      return of(n.value);
    case Kind::kSymbol:
      return atom("symbol " + n.text);
    case Kind::kConstant:
      if (n.text == "i") {
        return complex_ ? square_root(p_ - 1) : no(Why::kFail);
      }
      if (n.text == "infty") {
        return no(Why::kFail);
      }
      return n.text == "e" ? std::optional<U64>(pow_mod(atom("e"), 12, p_)) : atom(n.text);
    case Kind::kSum: {
      U64 total = 0;
      for (std::size_t k = 0; k < n.children.size(); ++k) {
        const auto v = kid(k);
        if (!v) {
          return v;
        }
        total = add(total, *v, p_);
      }
      return total;
    }
    case Kind::kProduct: {
      const auto a = kid(0);
      const auto b = a ? kid(1) : a;
      return b ? std::optional<U64>(mul(*a, *b, p_)) : b;
    }
    case Kind::kQuotient: {
      const auto a = kid(0);
      const auto b = a ? kid(1) : a;
      if (b && *b == 0) {
        return no(Why::kRetry);
      }
      fuel_ -= 64;
      return b ? std::optional<U64>(mul(*a, inverse(*b, p_), p_)) : b;
    }
    case Kind::kNegative: {
      const auto v = kid(0);
      return v ? std::optional<U64>(neg(*v, p_)) : v;
    }
    case Kind::kPower:
      if (const auto exact = exact_value(e, id)) {
        return of(*exact);
      }
      return power_of(e, n.children[0], n.children[1]);
    case Kind::kPercent: {
      const auto v = kid(0);
      return v ? std::optional<U64>(mul(*v, inverse(100, p_), p_)) : v;
    }
    case Kind::kDegree:
    case Kind::kUnit:
      return kid(0);
    case Kind::kFunction:
      if (n.text == "factorial" || n.text == "binomial" || n.text == "floor" || n.text == "ceil" ||
          n.text == "mod" || n.text == "sum" || n.text == "prod") {
        if (const auto exact = exact_value(e, id)) {
          return of(*exact);
        }
      }
      return function(e, n);
    default:
      return no(Why::kFail);
  }
}

}  // namespace r1eval::modular
