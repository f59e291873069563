// Exact equality of constants: algebraic numbers and elementary functions of them, decided by
// Calcium (exact_constants_shim.h) with a proof either way. A build without Calcium answers
// kUndecided.
#pragma once

#include <cstdint>

#include "graders/math/expression.h"
#include "graders/math/identity.h"

namespace r1eval {

// For two trees without symbols. Small ones only (bounds.h): beyond the limits, and where Calcium
// does not know, the answer is kUndecided. Spends `fuel`.
Same same_constant(const Expression& a, std::int32_t ia, const Expression& b, std::int32_t ib,
                   std::int64_t& fuel);

}  // namespace r1eval
