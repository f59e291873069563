// Exact rational values of trees, within limits: nothing is returned in place of a value that would
// be too large (graders/bounds.h) or that is not rational.
#pragma once

#include <cstdint>
#include <optional>

#include "graders/math/expression.h"

namespace r1eval {

// The rational value of a subtree, where it has one within the limits. Remembered in `e`.
std::optional<Rational> exact_value(const Expression& e, std::int32_t id);

}  // namespace r1eval
