// Generators of expert loads and sequence lengths, by name. See operator_case.h.
#pragma once

#include <string_view>

#include "base/result.h"
#include "kernels/operators/operators.h"

namespace r1eval::kernels {

// Whether the operator takes the load and its parameters are in range. Errors: kInvalidArgument
// with the loads that exist.
Status check_load(const OperatorSpec& op, const Shape& shape, std::string_view load);

}  // namespace r1eval::kernels
