// The identity test: both sides are evaluated modulo several 61-bit primes with a random value for
// every symbol and independent kernel (J. Schwartz, "Fast probabilistic algorithms for verification
// of polynomial identities", J. ACM 27(4), 1980; R. Zippel, EUROSAM 1979). It decides identities of
// polynomials, quotients, radicals, powers, logarithms and trigonometric functions without
// expanding anything. Ordinary floating point may only refute.
//
// Work is counted in steps (bounds::kMaxFuel); no clock, no global state.
#pragma once

#include <cstdint>
#include <string>

#include "graders/math/expression.h"

namespace r1eval {

enum class Same : std::uint8_t { kEqual, kDifferent, kUndecided, kBudget };

// `points`: how many sample points both sides have agreeing values at. Gives kEqual, kUndecided,
// kBudget.
Same same_by_identity(const Expression& a, std::int32_t ia, const Expression& b, std::int32_t ib,
                      int points, std::int64_t& fuel, std::string& evidence);

}  // namespace r1eval
