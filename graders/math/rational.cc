#include "graders/math/rational.h"

#include <gmp.h>

#include <cmath>
#include <iterator>
#include <vector>

namespace r1eval {
namespace {

// n as mantissa * 2^exponent.
double mantissa_of(const Integer& n, std::int64_t& exponent) {
  const std::int64_t bits = bit_length(n);
  exponent = bits > 64 ? bits - 64 : 0;
  const Integer top = exponent > 0 ? Integer(abs(n) >> static_cast<unsigned>(exponent)) : abs(n);
  const double m = static_cast<double>(static_cast<std::uint64_t>(top));
  return n < 0 ? -m : m;
}

// An integer of GMP that is freed at the end.
struct GmpInteger {
  mpz_t v;

  explicit GmpInteger(const Integer& n) {
    const std::vector<std::uint64_t> words = words_of(n);
    mpz_init(v);
    mpz_import(v, words.size(), -1, sizeof(std::uint64_t), 0, 0, words.data());
  }

  ~GmpInteger() { mpz_clear(v); }

  Integer value() const {
    std::vector<std::uint64_t> words(mpz_size(v) + 1);
    std::size_t n = 0;
    mpz_export(words.data(), &n, -1, sizeof(std::uint64_t), 0, 0, v);
    Integer result;
    boost::multiprecision::import_bits(result, words.begin(),
                                       words.begin() + static_cast<std::ptrdiff_t>(n), 64, false);
    return result;
  }

  GmpInteger(const GmpInteger&) = delete;
  GmpInteger& operator=(const GmpInteger&) = delete;
};

}  // namespace

std::vector<std::uint64_t> words_of(const Integer& n) {
  std::vector<std::uint64_t> words;
  boost::multiprecision::export_bits(Integer(abs(n)), std::back_inserter(words), 64, false);
  return words;
}

std::string print_integer(const Integer& n) {
  if (bit_length(n) < 1024) {
    return n.str();
  }
  const GmpInteger x(n);
  std::string digits(mpz_sizeinbase(x.v, 10) + 2, '\0');
  mpz_get_str(digits.data(), 10, x.v);
  digits.resize(digits.find('\0'));
  return n < 0 ? "-" + digits : digits;
}

Integer common_divisor(const Integer& a, const Integer& b) {
  if (a == 0 || b == 0 || (bit_length(a) < 256 && bit_length(b) < 256)) {
    return gcd(a, b);
  }
  GmpInteger x(a);
  const GmpInteger y(b);
  mpz_gcd(x.v, x.v, y.v);
  return x.value();
}

Integer factorial_of(std::int64_t n) {
  GmpInteger result((Integer(0)));
  mpz_fac_ui(result.v, static_cast<unsigned long>(n));
  return result.value();
}

Integer double_factorial_of(std::int64_t n) {
  GmpInteger result((Integer(0)));
  mpz_2fac_ui(result.v, static_cast<unsigned long>(n));
  return result.value();
}

Integer binomial_of(std::int64_t n, std::int64_t k) {
  GmpInteger result((Integer(0)));
  mpz_bin_uiui(result.v, static_cast<unsigned long>(n), static_cast<unsigned long>(k));
  return result.value();
}

double to_double(const Rational& r) {
  std::int64_t a = 0;
  std::int64_t b = 0;
  const double m = mantissa_of(r.num, a);
  const double d = mantissa_of(r.den, b);
  return std::ldexp(m / d, static_cast<int>(a - b));
}

std::optional<Rational> rational_from_decimal(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  std::string digits;
  std::int64_t scale = 0;
  bool seen_point = false;
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.' && !seen_point) {
      seen_point = true;
    } else if (c >= '0' && c <= '9') {
      if (!digits.empty() || c != '0') {
        digits += c;
      }
      scale += seen_point ? 1 : 0;
    } else {
      break;
    }
  }
  if (i == 0 || (i == 1 && seen_point) ||
      static_cast<std::int64_t>(text.size()) > bounds::kMaxLiteralDigits) {
    return std::nullopt;
  }
  std::int64_t exponent = 0;
  if (i < text.size()) {
    if ((text[i] != 'e' && text[i] != 'E') || text.size() - i > 7) {
      return std::nullopt;
    }
    bool negative_exponent = false;
    ++i;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) {
      negative_exponent = text[i] == '-';
      ++i;
    }
    if (i == text.size()) {
      return std::nullopt;
    }
    for (; i < text.size(); ++i) {
      if (text[i] < '0' || text[i] > '9') {
        return std::nullopt;
      }
      exponent = exponent * 10 + (text[i] - '0');
    }
    exponent = negative_exponent ? -exponent : exponent;
  }
  exponent -= scale;
  if (exponent > 15000 || exponent < -15000) {
    return std::nullopt;
  }
  const Integer mantissa = digits.empty() ? Integer(0) : Integer(digits);
  const Integer ten =
      boost::multiprecision::pow(Integer(10), static_cast<unsigned>(std::abs(exponent)));
  Rational value = exponent >= 0 ? Rational(mantissa * ten) : Rational(mantissa, ten);
  return negative ? -value : value;
}

std::optional<Rational> power(const Rational& base, std::int64_t exponent) {
  if (exponent == 0 || (base.den == 1 && base.num == 1)) {
    return Rational(Integer(1));
  }
  if (base.is_zero()) {
    return exponent > 0 ? std::optional(base) : std::nullopt;
  }
  if (base.den == 1 && base.num == -1) {
    return Rational(Integer(exponent % 2 == 0 ? 1 : -1));
  }
  const std::int64_t n = exponent < 0 ? -exponent : exponent;
  const std::int64_t bits = std::max(bit_length(base.num), bit_length(base.den));
  if (n > bounds::kMaxExactBits || n < 0 || bits * n > bounds::kMaxExactBits) {
    return std::nullopt;
  }
  Rational result;
  result.num = boost::multiprecision::pow(base.num, static_cast<unsigned>(n));
  result.den = boost::multiprecision::pow(base.den, static_cast<unsigned>(n));
  if (exponent < 0) {
    std::swap(result.num, result.den);
    if (result.den < 0) {
      result.num = -result.num;
      result.den = -result.den;
    }
  }
  return result;
}

}  // namespace r1eval
