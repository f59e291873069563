// Exact rational numbers of bounded size: sums, products and powers that would pass kMaxExactBits
// give nothing instead of a value, so no text can make the arithmetic slow or large.
#pragma once

#include <boost/multiprecision/cpp_int.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graders/bounds.h"

namespace r1eval {

using Integer = boost::multiprecision::cpp_int;

inline std::int64_t bit_length(const Integer& n) {
  return n == 0 ? 0 : static_cast<std::int64_t>(boost::multiprecision::msb(abs(n))) + 1;
}

// The words of |n|, the lowest first.
std::vector<std::uint64_t> words_of(const Integer& n);
// Decimal digits with a sign; long numbers in GMP's time, not in its square.
std::string print_integer(const Integer& n);
// Of GMP, within the limits of graders/bounds.h; n >= k.
Integer factorial_of(std::int64_t n);
Integer double_factorial_of(std::int64_t n);
Integer binomial_of(std::int64_t n, std::int64_t k);
// GMP's: many times faster than Boost's where the numbers are long.
Integer common_divisor(const Integer& a, const Integer& b);

struct Rational {
  Integer num = 0;
  Integer den = 1;  // > 0, prime to num

  Rational() = default;

  explicit Rational(Integer n) : num(std::move(n)) {}

  Rational(Integer n, Integer d) : num(std::move(n)), den(std::move(d)) { reduce(); }

  void reduce() {
    if (den < 0) {
      den = -den;
      num = -num;
    }
    if (den != 1) {
      const Integer g = common_divisor(num, den);
      if (g != 1) {
        num /= g;
        den /= g;
      }
    }
  }

  bool is_integer() const { return den == 1; }

  bool is_zero() const { return num == 0; }

  bool is_small() const {
    return bit_length(num) <= bounds::kMaxExactBits && bit_length(den) <= bounds::kMaxExactBits;
  }

  std::optional<std::int64_t> small_int() const {
    if (den != 1 || bit_length(num) > 62) {
      return std::nullopt;
    }
    return static_cast<std::int64_t>(num);
  }

  bool operator==(const Rational& other) const { return num == other.num && den == other.den; }

  bool operator<(const Rational& other) const { return num * other.den < other.num * den; }
};

inline Rational operator+(const Rational& a, const Rational& b) {
  return a.den == 1 && b.den == 1 ? Rational(a.num + b.num)
                                  : Rational(a.num * b.den + b.num * a.den, a.den * b.den);
}

inline Rational operator-(const Rational& a) {
  Rational r = a;
  r.num = -r.num;
  return r;
}

inline Rational operator-(const Rational& a, const Rational& b) {
  return a + (-b);
}

inline Rational operator*(const Rational& a, const Rational& b) {
  return a.den == 1 && b.den == 1 ? Rational(a.num * b.num)
                                  : Rational(a.num * b.num, a.den * b.den);
}

inline Rational absolute(const Rational& a) {
  return a.num < 0 ? -a : a;
}

inline std::string print_rational(const Rational& r) {
  return r.den == 1 ? print_integer(r.num) : print_integer(r.num) + "/" + print_integer(r.den);
}

// num / den as a double, also where both are far beyond a double's range.
double to_double(const Rational& r);
// "12", "-3.50", ".5", "6.02e23"; nothing for other text or past kMaxLiteralDigits.
std::optional<Rational> rational_from_decimal(std::string_view text);
// base^exponent, where the result stays within kMaxExactBits.
std::optional<Rational> power(const Rational& base, std::int64_t exponent);

}  // namespace r1eval
