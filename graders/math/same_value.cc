#include "graders/math/same_value.h"

#include <algorithm>
#include <cmath>

#include "graders/math/ball.h"
#include "graders/math/identity.h"
#include "graders/math/numeric.h"

namespace r1eval {

using Id = std::int32_t;

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
