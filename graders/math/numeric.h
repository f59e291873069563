// Floating-point values of trees at fixed sample points. They may refute an equality, never prove
// one.
#pragma once

#include <complex>
#include <cstdint>

#include "graders/math/expression.h"

namespace r1eval {

// A floating-point value; symbols get the values of sample point `point`. NaN where undefined.
std::complex<double> numeric_value(const Expression& e, std::int32_t id, int point);
bool has_symbols(const Expression& e, std::int32_t id);
// Do the two sides differ at a sample point where both have a value? `points` counts those points.
bool differ_at_a_point(const Expression& a, std::int32_t ia, const Expression& b, std::int32_t ib,
                       int& points);

}  // namespace r1eval
