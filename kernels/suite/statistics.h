// Summary of one case's samples.
#pragma once

#include <cstdint>
#include <span>

namespace r1eval::kernels {

struct SampleSummary {
  double median = 0;
  double ci_low = 0;  // 95 % of the median, by the bootstrap
  double ci_high = 0;
  double min = 0;
  double p95 = 0;
  double iqr_ratio = 0;
  std::int64_t outliers = 0;  // beyond Q3 + 3 (Q3 - Q1); counted, not removed
};

// `samples` is not empty. The bootstrap draws by a fixed key: the same samples, the same interval.
SampleSummary summarize_samples(std::span<const double> samples);

// Linear interpolation between order statistics; `sorted` ascending, not empty.
double quantile(std::span<const double> sorted, double share);

}  // namespace r1eval::kernels
