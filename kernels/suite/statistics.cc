// See statistics.h.
#include "kernels/suite/statistics.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/operators/generator.h"

namespace r1eval::kernels {

namespace {

constexpr std::int64_t kResamples = 400;

}  // namespace

double quantile(std::span<const double> sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

SampleSummary summarize_samples(std::span<const double> samples) {
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  SampleSummary out;
  out.median = quantile(sorted, 0.5);
  out.min = sorted.front();
  out.p95 = quantile(sorted, 0.95);
  const double q1 = quantile(sorted, 0.25);
  const double q3 = quantile(sorted, 0.75);
  out.iqr_ratio = out.median > 0 ? (q3 - q1) / out.median : 0;
  const double fence = q3 + 3 * (q3 - q1);
  out.outliers = sorted.end() - std::upper_bound(sorted.begin(), sorted.end(), fence);
  // A resample's median is an order statistic: draw positions, take the middle one.
  const std::size_t n = sorted.size();
  const std::uint64_t stream = tensor_stream(0x626f6f74, n);
  std::vector<double> medians;
  std::vector<std::size_t> drawn(n);
  std::uint64_t at = 0;
  for (std::int64_t r = 0; r < kResamples; ++r) {
    for (std::size_t& position : drawn) {
      position = static_cast<std::size_t>(random_word(stream, at++) % n);
    }
    const auto middle = drawn.begin() + static_cast<std::ptrdiff_t>(n / 2);
    std::nth_element(drawn.begin(), middle, drawn.end());
    double median = sorted[*middle];
    if (n % 2 == 0) {
      median = (median + sorted[*std::max_element(drawn.begin(), middle)]) / 2;
    }
    medians.push_back(median);
  }
  std::sort(medians.begin(), medians.end());
  out.ci_low = quantile(medians, 0.025);
  out.ci_high = quantile(medians, 0.975);
  return out;
}

}  // namespace r1eval::kernels
