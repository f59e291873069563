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
// Names that stand for integers: below factorials and binomials, in exponents of negative numbers,
// in bounds of sums. Stored in both trees for numeric_value and the balls.
void note_integers(const Expression& a, std::int32_t ia, const Expression& b, std::int32_t ib);
// Where both sides have logarithms of names: does only one of them have a value once one name is
// negative? ln x^2 and 2 ln x are such a pair; ln(xy) and ln x + ln y are not.
bool domains_differ(const Expression& a, std::int32_t ia, const Expression& b, std::int32_t ib);

}  // namespace r1eval
