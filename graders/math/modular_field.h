// Values of a tree modulo one prime, with one choice of signs for nested roots: the arithmetic
// under the identity test (identity.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "graders/math/expression.h"
#include "graders/math/hash_text.h"

namespace r1eval::modular {

using Id = std::int32_t;
using U64 = std::uint64_t;
__extension__ using U128 = unsigned __int128;

inline U64 mul(U64 a, U64 b, U64 p) {
  return static_cast<U64>(static_cast<U128>(a) * b % p);
}

inline U64 add(U64 a, U64 b, U64 p) {
  return a + b >= p ? a + b - p : a + b;
}

inline U64 neg(U64 a, U64 p) {
  return a == 0 ? 0 : p - a;
}

inline U64 pow_mod(U64 b, U64 e, U64 p) {
  U64 r = 1;
  for (b %= p; e != 0; e >>= 1, b = mul(b, b, p)) {
    if ((e & 1) != 0) {
      r = mul(r, b, p);
    }
  }
  return r;
}

inline U64 inverse(U64 a, U64 p) {
  return pow_mod(a, p - 2, p);
}

// Values modulo one prime, with one choice of signs for nested roots.
class Field {
 public:
  // `parities`: which integer exponents of -1 are taken for odd, by their order of appearance.
  Field(U64 p, bool is_complex, U64 signs, U64 parities, std::int64_t& fuel)
      : p_(p), complex_(is_complex), signs_(signs), parities_(parities), fuel_(fuel) {}

  enum class Why : std::uint8_t { kNone, kRetry, kFail };
  Why why = Why::kNone;

  int roots_used() const { return static_cast<int>(branches_.size()); }

  int exponents_used() const { return static_cast<int>(exponents_.size()); }

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
  U64 parities_;
  std::int64_t& fuel_;
  std::map<U64, int> branches_;
  std::map<U64, int> exponents_;
};

}  // namespace r1eval::modular
