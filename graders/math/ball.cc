#include "graders/math/ball.h"

#include <acb.h>
#include <arb.h>
#include <fmpz.h>

#include <algorithm>
#include <array>
#include <optional>

#include "graders/bounds.h"
#include "graders/math/ball_evaluator.h"
#include "graders/math/numeric.h"

namespace r1eval {

using Id = std::int32_t;

namespace {

constexpr slong kAgreementBits = 300;
// Two constants have only one point to differ at, and may be close by design: tanh 1000 and 1.
constexpr slong kConstantBits = 3800;
constexpr std::array<slong, 5> kPrecisions = {64, 192, 640, 2048, 4096};

}  // namespace

Balls compare_balls(const Expression& a, Id ia, const Expression& b, Id ib, std::int64_t& fuel,
                    std::string& evidence) {
  note_integers(a, ia, b, ib);
  const bool constant = !has_symbols(a, ia) && !has_symbols(b, ib);
  const int n_points = constant ? 1 : kPoints;
  int agreed = 0;
  for (int point = 0; point < (constant ? 1 : 3 * kPoints); ++point) {
    if (point >= n_points && agreed >= 3) {
      break;
    }
    for (const slong precision : kPrecisions) {
      BallEvaluator evaluator(point, precision, fuel);
      Ball x;
      Ball y;
      const bool defined = evaluator.value(a, ia, x) && evaluator.value(b, ib, y);
      if (fuel < 0) {
        evidence = "budget";
        return Balls::kUnknown;
      }
      if (!defined) {
        if (precision > kPrecisions[0]) {
          break;  // a point where a side has no value
        }
        continue;
      }
      Ball apart;
      acb_sub(apart.v, x.v, y.v, precision);
      if (acb_is_finite(apart.v) == 0) {
        continue;
      }
      if (acb_contains_zero(apart.v) == 0) {
        evidence = "ball_disproof: point " + std::to_string(point) + ", " +
                   std::to_string(precision) + " bits";
        return Balls::kDifferent;
      }
      // Relative agreement; for values that are zero, absolute agreement at the last precision.
      const slong bits = std::min(acb_rel_accuracy_bits(x.v), acb_rel_accuracy_bits(y.v));
      const slong wanted = constant ? kConstantBits : kAgreementBits;
      bool agrees = bits >= wanted || acb_is_zero(apart.v) != 0;
      // Large values that agree in their leading bits may still differ: 9^{9^9} and 9^{9^9} + 1.
      mag_t size;
      mag_init(size);
      acb_get_mag(size, apart.v);
      agrees = agrees && mag_cmp_2exp_si(size, -kAgreementBits / 4) < 0;
      if (!agrees && precision == kPrecisions.back()) {
        agrees = mag_cmp_2exp_si(size, -kAgreementBits) < 0;
      }
      mag_clear(size);
      if (agrees) {
        ++agreed;
        break;
      }
    }
  }
  if (agreed == n_points || (!constant && agreed >= 3)) {
    evidence = "numeric_agreement: " + std::to_string(constant ? kConstantBits : kAgreementBits) +
               " bits, " + std::to_string(agreed) + (agreed == 1 ? " point" : " points");
    return Balls::kAgree;
  }
  evidence = "undecided: too few points where both sides have a value";
  return Balls::kUnknown;
}

Balls balls_meet(const Expression& a, Id ia, const Expression& b, Id ib, std::int64_t& fuel,
                 std::string& evidence) {
  note_integers(a, ia, b, ib);
  const bool constant = !has_symbols(a, ia) && !has_symbols(b, ib);
  int met = 0;
  for (int point = 0; point < (constant ? 1 : kPoints); ++point) {
    for (const slong precision : {kPrecisions[0], kPrecisions[1], kPrecisions[2]}) {
      BallEvaluator evaluator(point, precision, fuel);
      Ball x;
      Ball y;
      const bool defined = evaluator.value(a, ia, x) && evaluator.value(b, ib, y);
      if (fuel < 0) {
        evidence = "budget";
        return Balls::kUnknown;
      }
      Ball apart;
      acb_sub(apart.v, x.v, y.v, precision);
      if (!defined || acb_is_finite(apart.v) == 0) {
        continue;
      }
      if (acb_contains_zero(apart.v) == 0) {
        evidence = "ball_disproof: point " + std::to_string(point) + ", " +
                   std::to_string(precision) + " bits";
        return Balls::kDifferent;
      }
      mag_t size;
      mag_init(size);
      acb_get_mag(size, apart.v);
      const bool is_small = mag_cmp_2exp_si(size, -kAgreementBits / 4) < 0;
      mag_clear(size);
      if (is_small) {
        ++met;
        break;
      }
    }
  }
  return met > 0 ? Balls::kAgree : Balls::kUnknown;
}

std::optional<bool> within_tolerance(const Expression& a, Id ia, const Expression& b, Id ib,
                                     int decimals, std::int64_t& fuel) {
  for (const slong precision : kPrecisions) {
    BallEvaluator evaluator(0, precision, fuel);
    Ball x;
    Ball y;
    if (!evaluator.value(a, ia, x) || !evaluator.value(b, ib, y)) {
      if (fuel < 0) {
        return std::nullopt;
      }
      continue;
    }
    Ball gap;
    Ball bound;
    acb_sub(gap.v, x.v, y.v, precision);
    acb_abs(acb_realref(gap.v), gap.v, precision);
    acb_abs(acb_realref(x.v), x.v, precision);
    acb_abs(acb_realref(y.v), y.v, precision);
    arb_max(acb_realref(bound.v), acb_realref(x.v), acb_realref(y.v), precision);
    arb_one(acb_realref(x.v));
    arb_min(acb_realref(bound.v), acb_realref(bound.v), acb_realref(x.v), precision);
    arb_set_si(acb_realref(x.v), 10);
    arb_pow_ui(acb_realref(x.v), acb_realref(x.v), static_cast<ulong>(decimals), precision);
    arb_div(acb_realref(bound.v), acb_realref(bound.v), acb_realref(x.v), precision);
    if (arb_le(acb_realref(gap.v), acb_realref(bound.v)) != 0) {
      return true;
    }
    if (arb_gt(acb_realref(gap.v), acb_realref(bound.v)) != 0) {
      return false;
    }
  }
  return std::nullopt;
}

std::optional<int> order_of(const Expression& e, Id a, Id b, std::int64_t& fuel) {
  for (const slong precision : kPrecisions) {
    BallEvaluator evaluator(0, precision, fuel);
    Ball x;
    Ball y;
    acb_zero(y.v);
    if (!evaluator.value(e, a, x) || (b >= 0 && !evaluator.value(e, b, y))) {
      if (fuel < 0) {
        return std::nullopt;
      }
      continue;
    }
    if (!x.is_real() || !y.is_real()) {
      return std::nullopt;
    }
    acb_sub(x.v, x.v, y.v, precision);
    if (arb_is_zero(acb_realref(x.v)) != 0) {
      return 0;
    }
    if (arb_contains_zero(acb_realref(x.v)) == 0) {
      return arb_is_positive(acb_realref(x.v)) != 0 ? 1 : -1;
    }
  }
  return std::nullopt;
}

std::optional<Integer> floor_of(const Expression& e, Id id, std::int64_t& fuel) {
  for (const slong precision : kPrecisions) {
    BallEvaluator evaluator(0, precision, fuel);
    Ball x;
    if (!evaluator.value(e, id, x) || !x.is_real() || acb_is_finite(x.v) == 0) {
      if (fuel < 0) {
        return std::nullopt;
      }
      continue;
    }
    Ball below;
    arb_floor(acb_realref(below.v), acb_realref(x.v), precision);
    fmpz_t whole;
    fmpz_init(whole);
    const bool is_known = arb_contains_int(acb_realref(x.v)) == 0 &&
                          arb_get_unique_fmpz(whole, acb_realref(below.v)) != 0 &&
                          fmpz_bits(whole) < 62;
    const slong value = is_known ? fmpz_get_si(whole) : 0;
    fmpz_clear(whole);
    if (is_known) {
      return Integer(value);
    }
  }
  return std::nullopt;
}

}  // namespace r1eval
