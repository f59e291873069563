// See checker.h.
#include "kernels/suite/checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace r1eval::kernels {

namespace {

struct RowSums {
  double dot = 0;
  double out = 0;
  double ref = 0;
  double error = 0;
};

std::string place(const OutputRows& out, std::int64_t at) {
  return fmt::format("{} row {} column {}", out.name, at / out.columns, at % out.columns);
}

// Which measure of `m` a tolerance refuses, or empty.
std::string refusal(const Measures& m, const Tolerance& t) {
  if (t.relative_norm > 0 && !(m.relative_norm <= t.relative_norm)) {
    return fmt::format("norm of the error {:.3g} of the reference's, allowed {:.3g}",
                       m.relative_norm, t.relative_norm);
  }
  if (t.row_cosine_distance > 0 && !(m.row_cosine_distance <= t.row_cosine_distance)) {
    return fmt::format("row at cosine distance {:.3g}, allowed {:.3g}", m.row_cosine_distance,
                       t.row_cosine_distance);
  }
  if (!(m.worst_excess <= 1)) {
    return fmt::format("an element {:.3g} times the allowed error away", m.worst_excess);
  }
  return {};
}

CheckResult compare_exact(const OutputRows& out, const OutputRows& expected) {
  CheckResult result;
  for (std::size_t i = 0; i < expected.values.size(); ++i) {
    const double a = out.values[i];
    const double b = expected.values[i];
    if (!(a == b || (std::isnan(a) && std::isnan(b)))) {
      result.problem =
          fmt::format("{}: {} instead of {}", place(expected, static_cast<std::int64_t>(i)), a, b);
      return result;
    }
  }
  result.passed = true;
  return result;
}

}  // namespace

CheckResult compare_output(const OutputRows& out, const OutputRows& expected,
                           const Tolerance& tolerance) {
  CheckResult result;
  if (out.values.size() != expected.values.size() || out.columns != expected.columns) {
    result.problem =
        fmt::format("{}: {} values in rows of {}, expected {} in rows of {}", expected.name,
                    out.values.size(), out.columns, expected.values.size(), expected.columns);
    return result;
  }
  if (tolerance.is_exact || expected.is_exact) {
    return compare_exact(out, expected);
  }
  Measures& m = result.measures;
  double error2 = 0;
  double ref2 = 0;
  const std::int64_t columns = expected.columns;
  for (std::int64_t row = 0; row < expected.rows(); ++row) {
    const double* a = out.values.data() + row * columns;
    const double* b = expected.values.data() + row * columns;
    RowSums sums;
    for (std::int64_t c = 0; c < columns; ++c) {
      if (!std::isfinite(a[c]) || !std::isfinite(b[c])) {
        if (a[c] == b[c] || (std::isnan(a[c]) && std::isnan(b[c]))) {
          continue;
        }
        result.problem =
            fmt::format("{}: {} instead of {}", place(expected, row * columns + c), a[c], b[c]);
        return result;
      }
      sums.dot += a[c] * b[c];
      sums.out += a[c] * a[c];
      sums.ref += b[c] * b[c];
      sums.error += (a[c] - b[c]) * (a[c] - b[c]);
    }
    error2 += sums.error;
    ref2 += sums.ref;
    // Of rows that are rounding noise beside the absolute tolerance, the angle means nothing.
    const double noise = tolerance.absolute * std::sqrt(static_cast<double>(columns));
    if (sums.out > 0 && sums.ref > noise * noise) {
      m.row_cosine_distance =
          std::max(m.row_cosine_distance, 1 - sums.dot / std::sqrt(sums.out * sums.ref));
    } else if (sums.ref > noise * noise) {
      m.row_cosine_distance = 1;
    }
    const double rms = std::sqrt(sums.ref / static_cast<double>(columns));
    for (std::int64_t c = 0; c < columns; ++c) {
      if (!std::isfinite(b[c])) {
        continue;
      }
      const double allowed = std::max(
          {tolerance.absolute, tolerance.of_row_rms * rms, tolerance.relative * std::fabs(b[c])});
      const double error = std::fabs(a[c] - b[c]);
      const double excess = error == 0 ? 0 : allowed > 0 ? error / allowed : HUGE_VAL;
      if (excess > m.worst_excess) {
        m.worst_excess = excess;
        m.worst_row = row;
        m.worst_column = c;
      }
    }
  }
  m.relative_norm = error2 == 0 ? 0 : ref2 > 0 ? std::sqrt(error2 / ref2) : HUGE_VAL;
  const std::string refused = refusal(m, tolerance);
  if (!refused.empty()) {
    const std::int64_t at = m.worst_row * columns + m.worst_column;
    result.problem = fmt::format("{}; worst at {}: {:.6g} instead of {:.6g}", refused,
                                 place(expected, at), out.values[static_cast<std::size_t>(at)],
                                 expected.values[static_cast<std::size_t>(at)]);
    return result;
  }
  result.passed = true;
  return result;
}

}  // namespace r1eval::kernels
