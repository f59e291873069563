// Whether outputs are right: three measures against the reference, places of NaN, bits of a second
// run.
#pragma once

#include <string>
#include <vector>

#include "kernels/suite/oracle.h"

namespace r1eval::kernels {

struct Measures {
  double relative_norm = 0;        // |out - ref| / |ref|; 0 where both are 0
  double row_cosine_distance = 0;  // worst row
  double worst_excess = 0;         // largest |error| / allowed, over elements; at most 1 passes
  std::int64_t worst_row = 0;
  std::int64_t worst_column = 0;
};

struct CheckResult {
  bool passed = false;
  Measures measures;    // of the output that is worst
  std::string problem;  // which output, measure, place, values; empty when passed
};

// Compares one output. Values that are NaN or infinite in the reference must be so in `out`, and
// nowhere else.
CheckResult compare_output(const OutputRows& out, const OutputRows& expected,
                           const Tolerance& tolerance);

struct CheckOptions {
  double flop_budget = 0;  // of the reference; 0: everything
  bool runs_twice = true;  // the second run's outputs must have the same bits
};

// Poison, run, compare, run again. Errors: what setting up or running failed of; a wrong result is
// no error but a CheckResult.
Result<CheckResult> check_case(const OperatorCase& c, Execution& execution,
                               const CheckOptions& options);

}  // namespace r1eval::kernels
