#include "graders/math/ball_evaluator.h"

#include <arb.h>
#include <fmpz.h>

#include <array>
#include <optional>
#include <vector>

#include "graders/math/exact.h"
#include "graders/math/numeric.h"

namespace r1eval {

using Id = std::int32_t;

namespace {

constexpr std::int64_t kMaxTerms = 256;  // of a sum at one sample point

void set_integer(fmpz_t out, const Integer& n) {
  if (const auto small = Rational(n).small_int()) {
    fmpz_set_si(out, static_cast<slong>(*small));
  } else {
    const std::vector<std::uint64_t> words = words_of(n);
    fmpz_set_ui_array(out, words.data(), static_cast<slong>(words.size()));
    if (n < 0) {
      fmpz_neg(out, out);
    }
  }
}

void set_rational(Ball& out, const Rational& r, slong precision) {
  fmpz_t num;
  fmpz_t den;
  fmpz_init(num);
  fmpz_init(den);
  set_integer(num, r.num);
  set_integer(den, r.den);
  arb_fmpz_div_fmpz(acb_realref(out.v), num, den, precision);
  arb_zero(acb_imagref(out.v));
  fmpz_clear(num);
  fmpz_clear(den);
}

std::uint64_t hash_name(const std::string& name, std::uint64_t seed) {
  std::uint64_t h = 0xCBF29CE484222325ULL ^ (seed * 0x9E3779B97F4A7C15ULL);
  for (const char c : name) {
    h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  }
  h ^= h >> 29;
  h *= 0xBF58476D1CE4E5B9ULL;
  return h ^ (h >> 32);
}

// c pi^k, for what is written as a product of rationals and powers of pi; 0 has any k.
struct PiMultiple {
  Rational factor;
  int power = 0;
};

std::optional<PiMultiple> multiple_of_pi(const Expression& e, Id id) {
  if (const auto exact = exact_value(e, id)) {
    return PiMultiple{*exact, 0};
  }
  const Node& n = e.at(id);
  if (n.kind == Kind::kConstant && n.text == "pi") {
    return PiMultiple{Rational(Integer(1)), 1};
  }
  if (n.kind != Kind::kSum && n.kind != Kind::kProduct && n.kind != Kind::kQuotient &&
      n.kind != Kind::kNegative) {
    return std::nullopt;
  }
  std::optional<PiMultiple> total = multiple_of_pi(e, n.children[0]);
  if (total && n.kind == Kind::kNegative) {
    total->factor = -total->factor;
  }
  for (std::size_t k = 1; total && k < n.children.size(); ++k) {
    const auto next = multiple_of_pi(e, n.children[k]);
    if (!next || bit_length(next->factor.num) + bit_length(next->factor.den) > 64 ||
        bit_length(total->factor.num) + bit_length(total->factor.den) > 256) {
      return std::nullopt;
    }
    if (n.kind == Kind::kProduct) {
      total = PiMultiple{total->factor * next->factor, total->power + next->power};
    } else if (n.kind == Kind::kQuotient) {
      if (next->factor.is_zero()) {
        return std::nullopt;
      }
      total = PiMultiple{total->factor * Rational(next->factor.den, next->factor.num),
                         total->power - next->power};
    } else if (total->power == next->power) {
      total->factor = total->factor + next->factor;
    } else {
      return std::nullopt;
    }
  }
  return total;
}

}  // namespace

bool BallEvaluator::root(Ball& x, std::int64_t degree, bool has_names, Ball& out) {
  if (degree < 1 || degree > 10000 || !pay(8)) {
    return false;
  }
  if (x.is_real() && arb_is_negative(acb_realref(x.v)) != 0) {
    if (degree % 2 != 0) {  // odd roots of negative reals are real
      acb_neg(x.v, x.v);
      arb_root_ui(acb_realref(out.v), acb_realref(x.v), static_cast<ulong>(degree), precision_);
      arb_zero(acb_imagref(out.v));
      acb_neg(out.v, out.v);
      return true;
    }
    if (has_names) {
      return false;  // a variable under an even root is meant where the root is real
    }
  }
  if (acb_contains_zero(x.v) != 0 && acb_is_zero(x.v) == 0) {
    // What may be zero: no branch of the root is larger than the root of the largest size.
    mag_t size;
    mag_init(size);
    acb_get_mag(size, x.v);
    mag_root(size, size, static_cast<ulong>(degree));
    acb_zero(out.v);
    mag_set(arb_radref(acb_realref(out.v)), size);
    if (!x.is_real() || degree > 2 || arb_is_nonnegative(acb_realref(x.v)) == 0) {
      mag_set(arb_radref(acb_imagref(out.v)), size);
    }
    mag_clear(size);
    return true;
  }
  acb_root_ui(out.v, x.v, static_cast<ulong>(degree), precision_);
  return true;
}

bool BallEvaluator::power(const Expression& e, Id base, Id exponent, Ball& out) {
  const Node& b = e.at(base);
  Ball y;
  if (b.kind == Kind::kConstant && b.text == "e") {
    if (!value(e, exponent, y) || !pay(16)) {
      return false;
    }
    acb_exp(out.v, y.v, precision_);
    return true;
  }
  Ball x;
  if (!value(e, base, x)) {
    return false;
  }
  const auto exact = exact_value(e, exponent);
  if (exact && exact->is_integer() && bit_length(exact->num) < 40) {
    if (!pay(8)) {
      return false;
    }
    acb_pow_si(out.v, x.v, static_cast<slong>(exact->small_int().value_or(0)), precision_);
    return true;
  }
  if (exact && bit_length(exact->den) < 14 && bit_length(exact->num) < 40) {
    Ball r;
    const std::int64_t degree = Rational(exact->den).small_int().value_or(0);
    const std::int64_t raised = Rational(exact->num).small_int().value_or(0);
    if (!root(x, degree, has_symbols(e, base), r)) {
      return false;
    }
    acb_pow_si(out.v, r.v, static_cast<slong>(raised), precision_);
    return true;
  }
  if (!value(e, exponent, y) || !pay(32)) {
    return false;
  }
  // A power of zero, or of what may be zero, is not continued.
  if (acb_contains_zero(x.v) != 0) {
    return false;
  }
  if (x.is_real() && arb_is_negative(acb_realref(x.v)) != 0 && has_symbols(e, base) &&
      acb_is_int(y.v) == 0) {
    return false;
  }
  acb_pow(out.v, x.v, y.v, precision_);
  return true;
}

bool BallEvaluator::repeated(const Expression& e, const Node& n, Ball& out) {
  if (n.children.size() != 3 || n.columns < 0) {
    return false;
  }
  std::array<std::int64_t, 2> ends{};
  for (std::size_t k = 0; k < 2; ++k) {
    Ball end;
    fmpz_t whole;
    if (!value(e, n.children[k + 1], end) || acb_is_int(end.v) == 0) {
      return false;
    }
    fmpz_init(whole);
    const bool is_exact = arb_get_unique_fmpz(whole, acb_realref(end.v)) != 0;
    const bool fits = is_exact && fmpz_fits_si(whole) != 0;
    ends[k] = fits ? fmpz_get_si(whole) : 0;
    fmpz_clear(whole);
    if (!fits) {
      return false;
    }
  }
  if (ends[1] - ends[0] >= kMaxTerms) {
    return false;
  }
  const bool is_sum = n.text == "sum";
  const std::string name = "@" + std::to_string(n.columns);
  acb_set_si(out.v, is_sum ? 0 : 1);
  for (std::int64_t k = ends[0]; k <= ends[1]; ++k) {
    bound_[name] = k;
    Ball term;
    if (!value(e, n.children[0], term)) {
      bound_.erase(name);
      return false;
    }
    if (is_sum) {
      acb_add(out.v, out.v, term.v, precision_);
    } else {
      acb_mul(out.v, out.v, term.v, precision_);
    }
  }
  bound_.erase(name);
  return true;
}

bool BallEvaluator::function(const Expression& e, const Node& n, Ball& out) {
  const std::string& f = n.text;
  if (n.children.empty()) {
    return false;
  }
  if (f == "sum" || f == "prod") {
    return repeated(e, n, out);
  }
  Ball x;
  if (!value(e, n.children[0], x) || !pay(32)) {
    return false;
  }
  const bool real = x.is_real();
  const bool is_trigonometric =
      f == "sin" || f == "cos" || f == "tan" || f == "cot" || f == "sec" || f == "csc";
  // Zeros at multiples of pi/2 are exact: a ball around zero would ask for more and more bits.
  if (const auto turns = f == "sin" || f == "cos" || f == "tan" || f == "cot"
                             ? multiple_of_pi(e, n.children[0])
                             : std::nullopt;
      turns && turns->power == 1) {
    const Rational halves = turns->factor * Rational(Integer(2));
    const bool is_odd = halves.is_integer() && halves.num % 2 != 0;
    if (halves.is_integer() && (f == "sin" || f == "tan") != is_odd) {
      acb_zero(out.v);
      return true;
    }
  }
  if (is_trigonometric && e.at(n.children[0]).kind == Kind::kDegree) {
    Ball unit;
    arb_const_pi(acb_realref(unit.v), precision_);
    acb_div_si(unit.v, unit.v, 180, precision_);
    acb_mul(x.v, x.v, unit.v, precision_);
  }
  if (f == "root") {
    const auto degree = exact_value(e, n.children[1]);
    const auto d = degree ? degree->small_int().value_or(0) : 0;
    return root(x, d, has_symbols(e, n.children[0]), out);
  }
  if (f == "sin") {
    acb_sin(out.v, x.v, precision_);
  } else if (f == "cos") {
    acb_cos(out.v, x.v, precision_);
  } else if (f == "tan") {
    acb_tan(out.v, x.v, precision_);
  } else if (f == "cot") {
    acb_cot(out.v, x.v, precision_);
  } else if (f == "sec") {
    acb_sec(out.v, x.v, precision_);
  } else if (f == "csc") {
    acb_csc(out.v, x.v, precision_);
  } else if (f == "exp") {
    acb_exp(out.v, x.v, precision_);
  } else if (f == "sinh") {
    acb_sinh(out.v, x.v, precision_);
  } else if (f == "cosh") {
    acb_cosh(out.v, x.v, precision_);
  } else if (f == "tanh") {
    acb_tanh(out.v, x.v, precision_);
  } else if (f == "coth") {
    acb_coth(out.v, x.v, precision_);
  } else if (f == "arcsin" && real) {
    acb_asin(out.v, x.v, precision_);
  } else if (f == "arccos" && real) {
    acb_acos(out.v, x.v, precision_);
  } else if (f == "arctan" && real) {
    acb_atan(out.v, x.v, precision_);
  } else if (f == "arccot" && real) {
    Ball half;
    arb_const_pi(acb_realref(half.v), precision_);
    acb_mul_2exp_si(half.v, half.v, -1);
    acb_atan(x.v, x.v, precision_);
    acb_sub(out.v, half.v, x.v, precision_);
  } else if (f == "ln" || f == "log") {
    if (acb_contains_zero(x.v) != 0 ||
        (real && arb_is_negative(acb_realref(x.v)) != 0 && has_symbols(e, n.children[0]))) {
      return false;
    }
    acb_log(out.v, x.v, precision_);
    if (f == "log" || n.children.size() == 2) {
      Ball base;
      if (n.children.size() == 2) {
        if (!value(e, n.children[1], base) || acb_contains_zero(base.v) != 0) {
          return false;
        }
      } else {
        acb_set_si(base.v, 10);
      }
      acb_log(base.v, base.v, precision_);
      acb_div(out.v, out.v, base.v, precision_);
    }
  } else if (f == "abs") {
    acb_abs(acb_realref(out.v), x.v, precision_);
    arb_zero(acb_imagref(out.v));
  } else if ((f == "floor" || f == "ceil") && real) {
    if (f == "floor") {
      arb_floor(acb_realref(out.v), acb_realref(x.v), precision_);
    } else {
      arb_ceil(acb_realref(out.v), acb_realref(x.v), precision_);
    }
    arb_zero(acb_imagref(out.v));
  } else if (f == "factorial") {
    acb_add_si(x.v, x.v, 1, precision_);
    acb_gamma(out.v, x.v, precision_);
  } else if (f == "double factorial") {
    // n!! = 2^{n/2} (n/2)! for even n, n! / (n-1)!! for odd n
    fmpz_t integer;
    fmpz_init(integer);
    const bool is_whole = acb_is_int(x.v) != 0 &&
                          arb_get_unique_fmpz(integer, acb_realref(x.v)) != 0 &&
                          fmpz_sgn(integer) >= 0 && fmpz_bits(integer) < 30;
    const slong whole = is_whole ? fmpz_get_si(integer) : 0;
    fmpz_clear(integer);
    if (!is_whole) {
      return false;
    }
    const slong even = whole % 2 == 0 ? whole : whole - 1;
    arb_fac_ui(acb_realref(out.v), static_cast<ulong>(even / 2), precision_);
    arb_mul_2exp_si(acb_realref(out.v), acb_realref(out.v), even / 2);
    arb_zero(acb_imagref(out.v));
    if (whole % 2 != 0) {
      arb_fac_ui(acb_realref(x.v), static_cast<ulong>(whole), precision_);
      acb_div(out.v, x.v, out.v, precision_);
    }
  } else if (f == "binomial") {
    Ball k;
    if (!value(e, n.children[1], k)) {
      return false;
    }
    Ball apart;
    acb_sub(apart.v, x.v, k.v, precision_);
    for (Ball* b : {&x, &k, &apart}) {
      acb_add_si(b->v, b->v, 1, precision_);
    }
    acb_gamma(x.v, x.v, precision_);
    acb_rgamma(k.v, k.v, precision_);
    acb_rgamma(apart.v, apart.v, precision_);
    acb_mul(out.v, x.v, k.v, precision_);
    acb_mul(out.v, out.v, apart.v, precision_);
  } else if (f == "mod" && real) {
    Ball y;
    if (!value(e, n.children[1], y) || !y.is_real()) {
      return false;
    }
    Ball q;
    acb_div(q.v, x.v, y.v, precision_);
    arb_floor(acb_realref(q.v), acb_realref(q.v), precision_);
    acb_mul(q.v, q.v, y.v, precision_);
    acb_sub(out.v, x.v, q.v, precision_);
  } else if ((f == "max" || f == "min") && real) {
    acb_set(out.v, x.v);
    for (std::size_t k = 1; k < n.children.size(); ++k) {
      Ball y;
      if (!value(e, n.children[k], y) || !y.is_real()) {
        return false;
      }
      if (f == "max") {
        arb_max(acb_realref(out.v), acb_realref(out.v), acb_realref(y.v), precision_);
      } else {
        arb_min(acb_realref(out.v), acb_realref(out.v), acb_realref(y.v), precision_);
      }
    }
  } else if (f == "arg") {
    if (acb_contains_zero(x.v) != 0) {
      return false;
    }
    acb_arg(acb_realref(out.v), x.v, precision_);
    arb_zero(acb_imagref(out.v));
  } else if (f == "sgn") {
    acb_sgn(out.v, x.v, precision_);
  } else if (f == "Re" || f == "Im") {
    arb_set(acb_realref(out.v), f == "Re" ? acb_realref(x.v) : acb_imagref(x.v));
    arb_zero(acb_imagref(out.v));
  } else {
    return false;
  }
  return acb_is_finite(out.v) != 0;
}

bool BallEvaluator::value(const Expression& e, Id id, Ball& out) {
  if (!pay(2)) {
    return false;
  }
  const Node& n = e.at(id);
  switch (n.kind) {
    case Kind::kNumber:
      set_rational(out, n.value, precision_);
      return true;
    case Kind::kSymbol: {
      if (const auto bound = bound_.find(n.text); bound != bound_.end()) {
        acb_set_si(out.v, bound->second);
        return true;
      }
      const std::uint64_t h = hash_name(n.text, static_cast<std::uint64_t>(point_));
      if (e.integers.contains(n.text)) {
        acb_set_si(out.v, static_cast<slong>(2 + (h % 13) + static_cast<std::uint64_t>(point_)));
        return true;
      }
      // Four points are positive, four of either sign; more are near zero, and large, for functions
      // that have no value elsewhere. All are exact in binary, so that x - x is exactly zero.
      const auto numerator = static_cast<std::int64_t>(h % 99991) + 3001;
      const std::int64_t sign = point_ >= 4 && ((h >> 40) & 1) != 0 ? -1 : 1;
      const slong shift = point_ < kPoints ? 15 : point_ < 2 * kPoints ? 17 : 12;
      acb_set_si(out.v, sign * numerator);
      acb_mul_2exp_si(out.v, out.v, -shift);
      return true;
    }
    case Kind::kConstant:
      if (n.text == "pi") {
        arb_const_pi(acb_realref(out.v), precision_);
        arb_zero(acb_imagref(out.v));
        return true;
      }
      if (n.text == "e") {
        arb_const_e(acb_realref(out.v), precision_);
        arb_zero(acb_imagref(out.v));
        return true;
      }
      if (n.text == "i") {
        acb_onei(out.v);
        return true;
      }
      return false;
    case Kind::kSum: {
      acb_zero(out.v);
      Ball term;
      for (const Id kid : n.children) {
        if (!value(e, kid, term)) {
          return false;
        }
        acb_add(out.v, out.v, term.v, precision_);
      }
      return true;
    }
    case Kind::kProduct:
    case Kind::kQuotient: {
      Ball right;
      if (!value(e, n.children[0], out) || !value(e, n.children[1], right)) {
        return false;
      }
      if (n.kind == Kind::kProduct) {
        acb_mul(out.v, out.v, right.v, precision_);
      } else {
        acb_div(out.v, out.v, right.v, precision_);
      }
      return acb_is_finite(out.v) != 0;
    }
    case Kind::kNegative:
      if (!value(e, n.children[0], out)) {
        return false;
      }
      acb_neg(out.v, out.v);
      return true;
    case Kind::kPercent:
      if (!value(e, n.children[0], out)) {
        return false;
      }
      acb_div_si(out.v, out.v, 100, precision_);
      return true;
    case Kind::kDegree:
    case Kind::kUnit:
      return value(e, n.children[0], out);
    case Kind::kPower:
      if (const auto exact = exact_value(e, id)) {
        set_rational(out, *exact, precision_);
        return true;
      }
      return power(e, n.children[0], n.children[1], out) && acb_is_finite(out.v) != 0;
    case Kind::kFunction:
      return function(e, n, out);
    default:
      return false;
  }
}

}  // namespace r1eval
