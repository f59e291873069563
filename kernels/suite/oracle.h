// What a case's outputs should be: the double-precision references of kernels/reference on the
// case's own rounded inputs.
//
// Full size  where a whole reference would take minutes, `rows` rows of the first output are
//            computed, spread over it by the case's seed.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "kernels/suite/execution.h"

namespace r1eval::kernels {

struct Expected {
  std::vector<OutputRows> outputs;
  // Of the first output: which rows `outputs[0]` holds, ascending; empty: all of them.
  std::vector<std::int64_t> rows;
};

// flop_budget: reference operations to spend, some; 0: everything.
Result<Expected> expected_outputs(const OperatorCase& c, double flop_budget);

}  // namespace r1eval::kernels
