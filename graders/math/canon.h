// Are two scalar expressions the same value? Exact rationals first; then both sides are evaluated
// modulo several 61-bit primes with a random value for every symbol and independent kernel (the
// identity test of Schwartz and Zippel), which decides identities of polynomials, quotients,
// radicals, powers, logarithms and trigonometric functions without expanding anything. Ordinary
// floating point may only refute.
//
// Work is counted in steps (bounds::kMaxFuel); no clock, no global state.
#pragma once

#include <complex>
#include <optional>
#include <string>

#include "graders/math/expression.h"

namespace r1eval {

enum class Same : std::uint8_t { kEqual, kDifferent, kUndecided, kBudget };

// The rational value of a subtree, where it has one within the limits.
std::optional<Rational> exact_value(const Expression& e, std::int32_t id);
// A floating-point value; symbols get the values of sample point `point`. NaN where undefined.
std::complex<double> numeric_value(const Expression& e, std::int32_t id, int point);
bool has_symbols(const Expression& e, std::int32_t id);

Same same_value(const Expression& a, std::int32_t ia, const Expression& b, std::int32_t ib,
                std::int64_t& fuel, std::string& evidence);
// Is a = c * b for a rational constant c != 0? Sets the sign of c (0: unknown).
bool is_proportional(const Expression& a, std::int32_t ia, const Expression& b, std::int32_t ib,
                     std::int64_t& fuel, int& sign);

}  // namespace r1eval
