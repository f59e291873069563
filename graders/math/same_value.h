// Are two scalar expressions the same value? Exact rationals first, then the identity test
// (identity.h), then balls (ball.h).
#pragma once

#include <cstdint>
#include <string>

#include "graders/math/expression.h"
#include "graders/math/identity.h"

namespace r1eval {

// Spends `fuel`; `evidence` says which rung decided.
Same same_value(const Expression& a, std::int32_t ia, const Expression& b, std::int32_t ib,
                std::int64_t& fuel, std::string& evidence);
// Is a = c * b for a rational constant c != 0? Sets the sign of c (0: unknown).
bool is_proportional(const Expression& a, std::int32_t ia, const Expression& b, std::int32_t ib,
                     std::int64_t& fuel, int& sign);

}  // namespace r1eval
