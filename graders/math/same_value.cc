#include "graders/math/same_value.h"

#include <algorithm>
#include <cmath>

#include "graders/bounds.h"
#include "graders/math/ball.h"
#include "graders/math/exact.h"
#include "graders/math/exact_constants.h"
#include "graders/math/identity.h"
#include "graders/math/numeric.h"

namespace r1eval {

using Id = std::int32_t;

namespace {

Same by_rungs(const Expression& a, Id ia, const Expression& b, Id ib, std::int64_t& fuel,
              std::string& evidence) {
  const auto x = exact_value(a, ia);
  const auto y = exact_value(b, ib);
  if (x && y) {
    evidence = "exact";
    return *x == *y ? Same::kEqual : Same::kDifferent;
  }
  fuel -= 200;
  int points = 0;
  bool seems_different = false;
  if (differ_at_a_point(a, ia, b, ib, points)) {
    // Floating point can be wrong after a cancellation; balls cannot. Members of long lists do
    // without.
    const Balls check =
        fuel > bounds::kMaxFuel / 2 ? balls_meet(a, ia, b, ib, fuel, evidence) : Balls::kUnknown;
    if (fuel < 0) {
      return Same::kBudget;
    }
    if (check != Balls::kAgree) {
      evidence = check == Balls::kDifferent ? evidence : "the values differ at a sample point";
      return Same::kDifferent;
    }
    seems_different = true;
  }
  const Same same = same_by_identity(a, ia, b, ib, points, fuel, evidence);
  if (same != Same::kUndecided) {
    return same;
  }
  const Balls balls = compare_balls(a, ia, b, ib, fuel, evidence);
  if (balls == Balls::kDifferent) {
    return Same::kDifferent;
  }
  if (fuel < 0) {
    return Same::kBudget;
  }
  if (balls == Balls::kUnknown && seems_different) {
    evidence = "the values differ at a sample point";
    return Same::kDifferent;
  }
  // Agreement of constants is no proof yet: Calcium may have one. It is not asked where no value is
  // known: there it can search for seconds.
  if (balls == Balls::kAgree && !has_symbols(a, ia) && !has_symbols(b, ib)) {
    const Same exact = same_constant(a, ia, b, ib, fuel);
    if (exact != Same::kUndecided) {
      evidence = exact == Same::kEqual ? "algebraic_proof" : "algebraic_disproof";
      return exact;
    }
  }
  return balls == Balls::kAgree ? Same::kEqual : Same::kUndecided;
}

}  // namespace

Same same_value(const Expression& a, Id ia, const Expression& b, Id ib, std::int64_t& fuel,
                std::string& evidence) {
  note_integers(a, ia, b, ib);
  const Same same = by_rungs(a, ia, b, ib, fuel, evidence);
  if (same == Same::kEqual && domains_differ(a, ia, b, ib)) {
    evidence = "one side has no value where the other has";
    return Same::kDifferent;
  }
  return same;
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
