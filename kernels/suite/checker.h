// Whether outputs are right: three measures against the reference, places of NaN.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/operators/operators.h"

namespace r1eval::kernels {

// An output (or a part of it) as the checker sees it: values as they were stored, widened.
struct OutputRows {
  std::string name;  // "out", "lse", …
  std::int64_t columns = 0;
  std::vector<double> values;  // (rows, columns)
  bool is_exact = false;       // indices and copied bytes: compared for equality

  std::int64_t rows() const {
    return columns == 0 ? 0 : static_cast<std::int64_t>(values.size()) / columns;
  }
};

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

}  // namespace r1eval::kernels
