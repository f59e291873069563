#include "graders/math/canon.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <set>

#include "graders/bounds.h"
#include "graders/math/ball.h"

namespace r1eval {
namespace {

using Id = std::int32_t;
using U64 = std::uint64_t;
__extension__ using U128 = unsigned __int128;

U64 mul(U64 a, U64 b, U64 p) {
  return static_cast<U64>(static_cast<U128>(a) * b % p);
}

U64 add(U64 a, U64 b, U64 p) {
  return a + b >= p ? a + b - p : a + b;
}

U64 neg(U64 a, U64 p) {
  return a == 0 ? 0 : p - a;
}

U64 pow_mod(U64 b, U64 e, U64 p) {
  U64 r = 1;
  for (b %= p; e != 0; e >>= 1, b = mul(b, b, p)) {
    if ((e & 1) != 0) {
      r = mul(r, b, p);
    }
  }
  return r;
}

U64 inverse(U64 a, U64 p) {
  return pow_mod(a, p - 2, p);
}

U64 mix(U64 x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

U64 hash_text(const std::string& text, U64 seed) {
  U64 h = mix(seed);
  for (const char c : text) {
    h = mix(h ^ static_cast<unsigned char>(c));
  }
  return h;
}

bool is_prime(U64 n) {
  U64 d = n - 1;
  int s = 0;
  for (; (d & 1) == 0; d >>= 1) {
    ++s;
  }
  for (const U64 a :
       {2ULL, 3ULL, 5ULL, 7ULL, 11ULL, 13ULL, 17ULL, 19ULL, 23ULL, 29ULL, 31ULL, 37ULL}) {
    U64 x = pow_mod(a, d, n);
    if (x == 1 || x == n - 1) {
      continue;
    }
    bool composite = true;
    for (int r = 1; r < s && composite; ++r) {
      x = mul(x, x, n);
      composite = x != n - 1;
    }
    if (composite) {
      return false;
    }
  }
  return true;
}

// Primes below 2^61 that leave 23 (real: 2 and 3 are squares, -1 is not, cube roots are unique) or
// 1 (complex: -1, 2 and 3 are squares) modulo 24.
const std::vector<U64>& primes(bool is_complex) {
  const auto make = [](U64 residue) {
    std::vector<U64> list;
    U64 n = (U64{1} << 61) - 1 - mix(residue) % (U64{1} << 50);
    n -= n % 24;
    for (n += residue; list.size() < 160; n -= 24) {
      if (is_prime(n)) {
        list.push_back(n);
      }
    }
    return list;
  };
  static const std::vector<U64> real = make(23);
  static const std::vector<U64> complex = make(1);
  return is_complex ? complex : real;
}

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

bool needs_complex(const Expression& e, Id id) {
  const Node& n = e.at(id);
  if (n.kind == Kind::kConstant && n.text == "i") {
    return true;
  }
  if (n.kind == Kind::kFunction && n.text == "root") {
    const auto value = exact_value(e, n.children[0]);
    const auto degree = exact_value(e, n.children[1]);
    if (value && value->num < 0 && degree && degree->small_int().value_or(1) % 2 == 0) {
      return true;
    }
  }
  for (const Id kid : n.children) {
    if (needs_complex(e, kid)) {
      return true;
    }
  }
  return false;
}

// Values modulo one prime, with one choice of signs for nested roots.
class Field {
 public:
  Field(U64 p, bool is_complex, U64 signs, std::int64_t& fuel)
      : p_(p), complex_(is_complex), signs_(signs), fuel_(fuel) {}

  enum class Why : std::uint8_t { kNone, kRetry, kFail };
  Why why = Why::kNone;

  int roots_used() const { return static_cast<int>(branches_.size()); }

  std::optional<U64> value(const Expression& e, Id id);

 private:
  using Terms = std::map<U64, Rational>;  // canonical value of a term -> its rational coefficient

  struct Angle {
    U64 cos;
    U64 sin;
  };

  std::nullopt_t no(Why w) {
    if (why != Why::kFail) {
      why = w;
    }
    return std::nullopt;
  }

  U64 of(const Integer& n) const {
    const U64 r = static_cast<U64>(Integer(abs(n) % p_));
    return n < 0 ? neg(r, p_) : r;
  }

  U64 atom(const std::string& name) const {
    const U64 r = hash_text(name, p_) % (p_ - 2) + 1;
    return mul(r, r, p_);  // a square, so that roots of symbols exist
  }

  std::optional<U64> of(const Rational& r) {
    fuel_ -= (bit_length(r.num) + bit_length(r.den)) / 16;
    if (r.den == 1) {
      return of(r.num);
    }
    const U64 d = of(r.den);
    return d == 0 ? std::optional<U64>(no(Why::kRetry)) : mul(of(r.num), inverse(d, p_), p_);
  }

  std::optional<U64> square_root(U64 v) {
    fuel_ -= 128;
    if (v == 0) {
      return 0;
    }
    if (pow_mod(v, (p_ - 1) / 2, p_) != 1) {
      return no(Why::kRetry);
    }
    if (p_ % 4 == 3) {
      return pow_mod(v, (p_ + 1) / 4, p_);
    }
    U64 q = p_ - 1;
    int s = 0;
    for (; (q & 1) == 0; q >>= 1) {
      ++s;
    }
    U64 z = 2;
    while (pow_mod(z, (p_ - 1) / 2, p_) != p_ - 1) {
      ++z;
    }
    U64 c = pow_mod(z, q, p_);
    U64 x = pow_mod(v, (q + 1) / 2, p_);
    U64 t = pow_mod(v, q, p_);
    for (int m = s; t != 1;) {
      int i = 0;
      for (U64 u = t; u != 1; u = mul(u, u, p_)) {
        ++i;
      }
      U64 b = c;
      for (int k = 0; k < m - i - 1; ++k) {
        b = mul(b, b, p_);
      }
      x = mul(x, b, p_);
      c = mul(b, b, p_);
      t = mul(t, c, p_);
      m = i;
    }
    return x;
  }

  std::optional<U64> any_root(U64 v, std::int64_t n) {
    while (n % 2 == 0) {
      const auto r = square_root(v);
      if (!r) {
        return r;
      }
      v = *r;
      n /= 2;
    }
    if (n == 1) {
      return v;
    }
    if (n > 1000) {
      return no(Why::kFail);
    }
    fuel_ -= 64 + n / 4;
    U64 inv = 0;  // of n modulo p - 1
    for (std::int64_t k = 1; k < n && inv == 0; ++k) {
      const U128 m = static_cast<U128>(p_ - 1) * static_cast<U64>(k) + 1;
      if (m % static_cast<U64>(n) == 0) {
        inv = static_cast<U64>(m / static_cast<U64>(n));
      }
    }
    return inv == 0 ? std::optional<U64>(no(Why::kRetry)) : pow_mod(v, inv, p_);
  }

  // Prime factors of a positive integer; what trial division leaves counts as one more.
  std::map<Integer, std::int64_t> factors(Integer n) {
    std::map<Integer, std::int64_t> out;
    for (unsigned d = 2; d < 2000 && Integer(d) * d <= n; d += d == 2 ? 1U : 2U) {
      --fuel_;
      while (n % d == 0) {
        n /= d;
        ++out[Integer(d)];
      }
    }
    if (n > 1) {
      const Integer s = sqrt(n);
      out[s * s == n ? s : n] += s * s == n ? 2 : 1;
    }
    return out;
  }

  std::optional<U64> rational_root(const Rational& r, std::int64_t n);
  std::optional<U64> branch_root(U64 v, std::int64_t n);
  std::optional<U64> power_of(const Expression& e, Id base, Id exponent);
  bool terms_of(const Expression& e, Id id, const Rational& scale, Terms& terms,
                Rational& constant);
  std::optional<Angle> angle_of(const Expression& e, Id id, bool degrees);
  std::optional<U64> kernel_power(const std::string& name, const Rational& exponent);
  std::optional<U64> log_of(const Expression& e, Id id);
  std::optional<U64> function(const Expression& e, const Node& n);

  U64 p_;
  bool complex_;
  U64 signs_;
  std::int64_t& fuel_;
  std::map<U64, int> branches_;
};

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
      return numeric_value(e, arg, 0).real() < 0 ? neg(*v, p_) : *v;
    }
    return branch_root(mul(*v, *v, p_), 2);
  }
  if ((name == "max" || name == "min") && !n.children.empty()) {
    std::size_t best = 0;
    bool known = true;
    for (std::size_t k = 0; k < n.children.size() && known; ++k) {
      known = !has_symbols(e, n.children[k]);
      const double v = known ? numeric_value(e, n.children[k], 0).real() : 0;
      const double b = known ? numeric_value(e, n.children[best], 0).real() : 0;
      known = known && std::isfinite(v);
      best = (name == "max" ? v > b : v < b) ? k : best;
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

}  // namespace

namespace {

// Takes the work of one operation on numbers of `bits` bits; false when there is none left.
bool pay(const Expression& e, std::int64_t bits) {
  const std::int64_t words = bits / 64 + 1;
  e.exact_fuel -= words * words + 1;
  return e.exact_fuel >= 0;
}

// The same for an operation that reduces a fraction: the common divisor costs a step per bit.
bool pay(const Expression& e, const Rational& a, const Rational& b) {
  const std::int64_t top = bit_length(a.num) + bit_length(b.num);
  const std::int64_t below = bit_length(a.den) + bit_length(b.den);
  e.exact_fuel -= std::min(top, below) * (std::max(top, below) / 64 + 1) / 8;
  return pay(e, std::max(top, below));
}

// What floor and ceiling round: an exact value, or a constant that is clearly between integers.
std::optional<Rational> floor_argument(const Expression& e, Id id,
                                       const std::optional<Rational>& exact) {
  if (exact || has_symbols(e, id)) {
    return exact;
  }
  const std::complex<double> v = numeric_value(e, id, 0);
  if (v.imag() != 0 || !(std::abs(v.real()) < 1e9) ||
      std::abs(v.real() - std::round(v.real())) < 1e-5) {
    return std::nullopt;
  }
  return Rational(2 * Integer(std::llround(std::floor(v.real()))) + 1, Integer(2));
}

Id copy_subtree(const Expression& from, Id id, Expression& to) {
  Node node = from.at(id);
  for (Id& kid : node.children) {
    kid = copy_subtree(from, kid, to);
  }
  return to.add(std::move(node));
}

// A sum or product with closed integer bounds, term by term.
std::optional<Rational> repeated_exact(const Expression& e, const Node& n) {
  const auto from = exact_value(e, n.children[1]);
  const auto to = exact_value(e, n.children[2]);
  if (!from || !to || !from->is_integer() || !to->is_integer() || n.columns < 0) {
    return std::nullopt;
  }
  const std::int64_t a = from->small_int().value_or(1);
  const std::int64_t b = to->small_int().value_or(std::int64_t{1} << 61);
  if (b - a >= bounds::kMaxRepeatedTerms) {
    return std::nullopt;
  }
  Expression body;
  body.root = copy_subtree(e, n.children[0], body);
  const std::string bound = "@" + std::to_string(n.columns);
  std::vector<std::size_t> slots;
  for (std::size_t k = 0; k < body.nodes.size(); ++k) {
    if (body.nodes[k].kind == Kind::kSymbol && body.nodes[k].text == bound) {
      body.nodes[k].kind = Kind::kNumber;
      slots.push_back(k);
    }
  }
  Rational total(Integer(n.text == "sum" ? 0 : 1));
  body.exact_fuel = e.exact_fuel;
  for (std::int64_t k = a; k <= b; ++k) {
    for (const std::size_t slot : slots) {
      body.nodes[slot].value = Rational(Integer(k));
    }
    body.exact.assign(body.nodes.size(), std::nullopt);
    body.exact_fuel -= static_cast<std::int64_t>(body.nodes.size());
    const auto term = exact_value(body, body.root);
    if (!term || !pay(body, total, *term)) {
      e.exact_fuel = body.exact_fuel;
      return std::nullopt;
    }
    total = n.text == "sum" ? total + *term : total * *term;
    if (!total.is_small()) {
      return std::nullopt;
    }
  }
  e.exact_fuel = body.exact_fuel;
  return total;
}

std::optional<Rational> compute_exact(const Expression& e, Id id) {
  const Node& n = e.at(id);
  const auto kid = [&](std::size_t k) { return exact_value(e, n.children[k]); };
  std::optional<Rational> result;
  switch (n.kind) {
    case Kind::kNumber:
      return n.value;
    case Kind::kSum: {
      Rational total;
      for (std::size_t k = 0; k < n.children.size(); ++k) {
        const auto v = kid(k);
        if (!v || !total.is_small() || !pay(e, total, *v)) {
          return std::nullopt;
        }
        total = total + *v;
      }
      result = total;
      break;
    }
    case Kind::kProduct: {
      const auto a = kid(0);
      const auto b = a ? kid(1) : a;
      if (b && pay(e, *a, *b) &&
          bit_length(a->num) + bit_length(b->num) + bit_length(a->den) + bit_length(b->den) <
              2 * bounds::kMaxExactBits) {
        result = *a * *b;
      }
      break;
    }
    case Kind::kQuotient: {
      const auto a = kid(0);
      const auto b = a ? kid(1) : a;
      if (b && !b->is_zero() && pay(e, *a, *b)) {
        result = *a * Rational(b->den, b->num);
      }
      break;
    }
    case Kind::kNegative: {
      const auto v = kid(0);
      return v ? std::optional<Rational>(-*v) : v;
    }
    case Kind::kPercent: {
      const auto v = kid(0);
      return v ? std::optional<Rational>(*v * Rational(Integer(1), Integer(100))) : v;
    }
    case Kind::kDegree:
    case Kind::kUnit:
      return kid(0);
    case Kind::kPower: {
      const auto a = kid(0);
      const auto b = a ? kid(1) : a;
      if (b && a->den == 1 && a->num == -1 && b->is_integer()) {
        return Rational(Integer(b->num % 2 == 0 ? 1 : -1));
      }
      if (b && ((a->den == 1 && a->num == 1) || (a->is_zero() && b->num > 0))) {
        return *a;
      }
      const auto small = b ? b->small_int() : std::nullopt;
      const std::int64_t bits = b ? bit_length(a->num) + bit_length(a->den) : 0;
      if (small && std::abs(*small) <= bounds::kMaxExactBits && pay(e, bits * std::abs(*small))) {
        result = power(*a, *small);
      }
      break;
    }
    case Kind::kFunction: {
      if (n.text == "factorial") {
        const auto v = kid(0);
        const std::int64_t m = v ? v->small_int().value_or(-1) : -1;
        if (m >= 0 && m <= bounds::kMaxFactorial && pay(e, m * 10)) {
          Integer f = 1;
          for (std::int64_t k = 2; k <= m; ++k) {
            f *= k;
          }
          return Rational(f);
        }
      } else if (n.text == "binomial") {
        const auto a = kid(0);
        const auto b = a ? kid(1) : a;
        const std::int64_t m = a ? a->small_int().value_or(-1) : -1;
        const std::int64_t k = b ? b->small_int().value_or(-1) : -1;
        if (m >= 0 && m <= bounds::kMaxFactorial && k >= 0 && pay(e, m * 10)) {
          Integer c = k > m ? 0 : 1;
          for (std::int64_t j = 1; j <= k && c != 0; ++j) {
            c = c * (m - k + j) / j;
          }
          return Rational(c);
        }
      } else if (n.text == "floor" || n.text == "ceil") {
        if (const auto v = floor_argument(e, n.children[0], kid(0))) {
          Integer q = v->num / v->den;
          if (v->den != 1 && v->num < 0) {
            q -= 1;
          }
          return Rational(n.text == "ceil" && v->den != 1 ? q + 1 : q);
        }
      } else if (n.text == "mod") {
        const auto a = kid(0);
        const auto b = a ? kid(1) : a;
        if (b && !b->is_zero() && pay(e, *a, *b)) {
          const Rational q = *a * Rational(b->den, b->num);
          Integer whole = q.num / q.den;
          if (q.den != 1 && q.num < 0) {
            whole -= 1;
          }
          result = *a - *b * Rational(whole);
        }
      } else if (n.text == "max" || n.text == "min") {
        for (std::size_t k = 0; k < n.children.size(); ++k) {
          const auto v = kid(k);
          if (!v) {
            return std::nullopt;
          }
          if (!result || (n.text == "max" ? *result < *v : *v < *result)) {
            result = v;
          }
        }
      } else if ((n.text == "sum" || n.text == "prod") && n.children.size() == 3) {
        return repeated_exact(e, n);
      } else if (n.text == "abs") {
        const auto v = kid(0);
        return v ? std::optional<Rational>(absolute(*v)) : v;
      } else if (n.text == "root") {
        const auto v = kid(0);
        const auto d = v ? kid(1) : v;
        if (d && d->den == 1 && d->num == 2 && v->num >= 0) {
          const Integer a = sqrt(v->num);
          const Integer b = sqrt(v->den);
          if (a * a == v->num && b * b == v->den) {
            return Rational(a, b);
          }
        }
      }
      break;
    }
    default:
      break;
  }
  if (result && !result->is_small()) {
    return std::nullopt;
  }
  return result;
}

}  // namespace

std::optional<Rational> exact_value(const Expression& e, Id id) {
  const auto slot = static_cast<std::size_t>(id);
  if (e.exact.size() < e.nodes.size()) {
    e.exact.resize(e.nodes.size());
  }
  if (!e.exact[slot]) {
    auto value = compute_exact(e, id);
    e.exact[slot] = std::move(value);
  }
  return *e.exact[slot];
}

bool has_symbols(const Expression& e, Id id) {
  const Node& n = e.at(id);
  if (n.kind == Kind::kSymbol) {
    return true;
  }
  for (const Id kid : n.children) {
    if (has_symbols(e, kid)) {
      return true;
    }
  }
  return false;
}

std::complex<double> numeric_value(const Expression& e, Id id, int point) {
  using C = std::complex<double>;
  const C nan(std::nan(""), 0);
  const Node& n = e.at(id);
  const auto kid = [&](std::size_t k) { return numeric_value(e, n.children[k], point); };
  switch (n.kind) {
    case Kind::kNumber:
      return to_double(n.value);
    case Kind::kSymbol: {
      const double u =
          static_cast<double>(hash_text(n.text, static_cast<U64>(point)) >> 11) * 0x1p-53;
      return point < 4 ? 0.3 + 2.1 * u : 4.0 * u - 2.0;
    }
    case Kind::kConstant:
      return n.text == "e"    ? C(std::numbers::e)
             : n.text == "pi" ? C(std::numbers::pi)
             : n.text == "i"  ? C(0, 1)
                              : nan;
    case Kind::kSum: {
      C total = 0;
      for (std::size_t k = 0; k < n.children.size(); ++k) {
        total += kid(k);
      }
      return total;
    }
    case Kind::kProduct:
      return kid(0) * kid(1);
    case Kind::kQuotient:
      return kid(0) / kid(1);
    case Kind::kNegative:
      return -kid(0);
    case Kind::kPercent:
      return kid(0) / 100.0;
    case Kind::kDegree:
    case Kind::kUnit:
      return kid(0);
    case Kind::kPower: {
      const C a = kid(0);
      const C b = kid(1);
      if (a == C(0)) {
        return b.real() > 0 ? C(0) : nan;
      }
      if (b.imag() == 0 && b.real() == std::round(b.real()) && std::abs(b.real()) < 1e6) {
        return std::pow(a, static_cast<int>(b.real()));
      }
      if (a.imag() == 0 && a.real() < 0) {
        const auto r = exact_value(e, n.children[1]);
        if (r && r->den % 2 != 0) {  // odd roots of negative reals are real
          const double size = std::pow(-a.real(), b.real());
          return r->num % 2 == 0 ? size : -size;
        }
        return std::pow(C(a.real(), 0.0), b);
      }
      return std::pow(a, b);
    }
    case Kind::kFunction: {
      const std::string& f = n.text;
      if (f == "sum" || f == "prod" || f == "integral" || f == "antiderivative" ||
          f.starts_with("limit")) {
        const auto exact = exact_value(e, id);
        return exact ? C(to_double(*exact)) : nan;
      }
      if (f == "max" || f == "min") {
        C best = kid(0);
        for (std::size_t k = 1; k < n.children.size(); ++k) {
          const C v = kid(k);
          best = (f == "max" ? v.real() > best.real() : v.real() < best.real()) ? v : best;
          best = std::isfinite(v.real()) ? best : nan;
        }
        return best;
      }
      if (f == "mod") {
        const double a = kid(0).real();
        const double b = kid(1).real();
        return a - b * std::floor(a / b);
      }
      C a = kid(0);
      if (a.imag() == 0) {
        a = C(a.real(), 0.0);  // never the branch below a cut
      }
      if (e.at(n.children[0]).kind == Kind::kDegree &&
          (f == "sin" || f == "cos" || f == "tan" || f == "cot" || f == "sec" || f == "csc")) {
        a *= std::numbers::pi / 180;
      }
      if (std::abs(a) > 1e8 &&
          (f == "sin" || f == "cos" || f == "tan" || f == "cot" || f == "sec" || f == "csc")) {
        return nan;
      }
      if (f == "root") {
        const C d = kid(1);
        const double degree = d.real();
        if (a.imag() == 0 && a.real() < 0 && std::fmod(degree, 2.0) == 1.0) {
          return -std::pow(-a.real(), 1 / degree);
        }
        // A variable under an even root is meant where the root is real.
        if (a.imag() == 0 && a.real() < 0 && has_symbols(e, n.children[0])) {
          return nan;
        }
        return degree == 2 ? std::sqrt(a) : std::pow(a, 1 / degree);
      }
      if (f == "sin") return std::sin(a);
      if (f == "cos") return std::cos(a);
      if (f == "tan") return std::tan(a);
      if (f == "cot") return 1.0 / std::tan(a);
      if (f == "sec") return 1.0 / std::cos(a);
      if (f == "csc") return 1.0 / std::sin(a);
      if (f == "ln") return std::log(a);
      if (f == "log")
        return std::log(a) / (n.children.size() == 2 ? std::log(kid(1)) : C(std::log(10.0)));
      if (f == "exp") return std::exp(a);
      if (f == "abs") return std::abs(a);
      const double x = a.real();
      const bool real = a.imag() == 0;
      if (f == "arctan" && real) return std::atan(x);
      if (f == "arccot" && real) return std::numbers::pi / 2 - std::atan(x);
      if (f == "arcsin" && real && std::abs(x) <= 1) return std::asin(x);
      if (f == "arccos" && real && std::abs(x) <= 1) return std::acos(x);
      if (f == "sinh" && real) return std::sinh(x);
      if (f == "cosh" && real) return std::cosh(x);
      if (f == "tanh" && real) return std::tanh(x);
      if (f == "coth" && real) return 1 / std::tanh(x);
      if (f == "floor" && a.imag() == 0) return std::floor(a.real());
      if (f == "ceil" && a.imag() == 0) return std::ceil(a.real());
      if (f == "factorial" && a.imag() == 0 && a.real() >= 0) return std::tgamma(a.real() + 1);
      return nan;
    }
    default:
      return nan;
  }
}

namespace {

// Do the two sides differ at a point where both have a value? Counts those points.
bool is_refuted(const Expression& a, Id ia, const Expression& b, Id ib, int& points) {
  const bool constant = !has_symbols(a, ia) && !has_symbols(b, ib);
  for (int point = 0; point < (constant ? 1 : 8); ++point) {
    const std::complex<double> x = numeric_value(a, ia, point);
    const std::complex<double> y = numeric_value(b, ib, point);
    if (!std::isfinite(std::abs(x)) || !std::isfinite(std::abs(y))) {
      continue;
    }
    ++points;
    const double scale = std::max({1e-6, std::abs(x), std::abs(y)});
    if (std::abs(x - y) > 1e-7 * std::max(1.0, scale) && scale < 1e12) {
      return true;
    }
  }
  return false;
}

}  // namespace

namespace {

Same same_by_identity(const Expression& a, Id ia, const Expression& b, Id ib, std::int64_t& fuel,
                      std::string& evidence) {
  const auto x = exact_value(a, ia);
  const auto y = exact_value(b, ib);
  if (x && y) {
    evidence = "exact";
    return *x == *y ? Same::kEqual : Same::kDifferent;
  }
  fuel -= 200;
  int points = 0;
  if (is_refuted(a, ia, b, ib, points)) {
    evidence = "the values differ at a sample point";
    return Same::kDifferent;
  }
  const bool is_complex = needs_complex(a, ia) || needs_complex(b, ib);
  int agreed = 0;
  bool any_value = false;
  for (const U64 p : primes(is_complex)) {
    bool equal = false;
    bool has_value = false;
    for (U64 signs = 0; signs < static_cast<U64>(bounds::kMaxSignChoices); ++signs) {
      Field field(p, is_complex, signs, fuel);
      const auto u = field.value(a, ia);
      const auto v = u ? field.value(b, ib) : u;
      if (fuel < 0) {
        evidence = "budget";
        return Same::kBudget;
      }
      if (!v) {
        if (field.why == Field::Why::kFail) {
          evidence = "undecided: outside what the identity test covers";
          return Same::kUndecided;
        }
        break;
      }
      has_value = true;
      any_value = true;
      // A root's sign is only known from the values at a point.
      equal = *u == *v && (field.roots_used() == 0 || points > 0);
      if (equal || (U64{1} << std::min(field.roots_used(), 20)) <= signs + 1) {
        break;
      }
    }
    if (!has_value) {
      continue;
    }
    if (!equal) {
      evidence = "undecided: the identity test does not confirm it";
      return Same::kUndecided;
    }
    if (++agreed == 3) {
      evidence = "identity_bound: equal modulo 3 primes of 61 bits";
      return Same::kEqual;
    }
  }
  evidence = any_value ? "undecided: too few usable primes" : "undecided: no value";
  return Same::kUndecided;
}

}  // namespace

Same same_value(const Expression& a, Id ia, const Expression& b, Id ib, std::int64_t& fuel,
                std::string& evidence) {
  const Same same = same_by_identity(a, ia, b, ib, fuel, evidence);
  if (same != Same::kUndecided) {
    return same;
  }
  switch (compare_balls(a, ia, b, ib, fuel, evidence)) {
    case Balls::kDifferent:
      return Same::kDifferent;
    case Balls::kAgree:
      return Same::kEqual;
    case Balls::kUnknown:
      break;
  }
  return fuel < 0 ? Same::kBudget : Same::kUndecided;
}

bool is_proportional(const Expression& a, Id ia, const Expression& b, Id ib, std::int64_t& fuel,
                     int& sign) {
  // Ratio at sample points gives c as a small fraction; the identity test then proves a = c b.
  sign = 0;
  const std::complex<double> x = numeric_value(a, ia, 0);
  const std::complex<double> y = numeric_value(b, ib, 0);
  const double c = (x / y).real();
  if (!std::isfinite(c) || c == 0) {
    return false;
  }
  for (std::int64_t den = 1; den <= 1000; ++den) {
    const double num = c * static_cast<double>(den);
    if (std::abs(num - std::round(num)) < 1e-8 * std::max(1.0, std::abs(num)) &&
        std::abs(num) < 1e12) {
      Expression scaled = b;
      Node factor;
      factor.value = Rational(Integer(std::llround(num)), Integer(den));
      Node product;
      product.kind = Kind::kProduct;
      product.children = {scaled.add(factor), ib};
      const Id id = scaled.add(product);
      std::string ignored;
      sign = c > 0 ? 1 : -1;
      return same_value(a, ia, scaled, id, fuel, ignored) == Same::kEqual;
    }
  }
  return false;
}

}  // namespace r1eval
