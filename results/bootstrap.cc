#include "results/bootstrap.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/parallel.h"
#include "base/rng.h"

namespace r1eval {
namespace {

// Type 7 quantile (linear between order statistics), as numpy and R use by default.
double quantile_of(const std::vector<double>& sorted, double p) {
  const double at = std::clamp(p, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  const double part = at - static_cast<double>(low);
  return sorted[low] + part * (sorted[high] - sorted[low]);
}

// n units drawn with replacement. A 32-bit word times n, upper half: biased by less than n / 2^32.
void draw_counts(std::uint64_t key, std::vector<std::uint32_t>& counts) {
  std::fill(counts.begin(), counts.end(), 0U);
  const auto n = static_cast<std::uint64_t>(counts.size());
  std::size_t drawn = 0;
  for (std::uint32_t block = 0; drawn < counts.size(); ++block) {
    const auto words = philox4x32(
        {block, 0, 0, 0}, {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)});
    for (std::size_t w = 0; w < 4 && drawn < counts.size(); ++w, ++drawn) {
      ++counts[static_cast<std::size_t>((words[w] * n) >> 32)];
    }
  }
}

}  // namespace

Interval bootstrap_interval(std::int64_t n_units, const WeightedStatistic& statistic,
                            const BootstrapOptions& options) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Interval interval{-kInfinity, kInfinity, "none", options.level};
  if (n_units < 2 || options.n_draws < 2) {
    return interval;
  }
  const auto n = static_cast<std::size_t>(n_units);
  std::vector<std::uint32_t> once(n, 1);
  const double observed = statistic(once);
  if (!std::isfinite(observed)) {
    return interval;
  }
  const std::uint64_t stream = stable_hash64({"bootstrap", std::to_string(options.seed)});
  std::vector<double> draws(static_cast<std::size_t>(options.n_draws));
  parallel_for_range(options.n_draws, 64, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::uint32_t> counts(n);
    for (std::int64_t r = begin; r < end; ++r) {
      draw_counts(random_at(stream, static_cast<std::uint64_t>(r)), counts);
      draws[static_cast<std::size_t>(r)] = statistic(counts);
    }
  });
  std::erase_if(draws, [](double x) { return !std::isfinite(x); });
  if (draws.size() < 2) {
    return interval;
  }
  std::sort(draws.begin(), draws.end());

  // Acceleration from the jackknife: leave one unit out.
  std::vector<double> left_out(n);
  parallel_for_range(n_units, 256, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::uint32_t> counts(n, 1);
    for (std::int64_t i = begin; i < end; ++i) {
      counts[static_cast<std::size_t>(i)] = 0;
      left_out[static_cast<std::size_t>(i)] = statistic(counts);
      counts[static_cast<std::size_t>(i)] = 1;
    }
  });
  double centre = 0;
  for (const double x : left_out) {
    centre += x;
  }
  centre /= static_cast<double>(n);
  double squares = 0;
  double cubes = 0;
  for (const double x : left_out) {
    squares += (centre - x) * (centre - x);
    cubes += (centre - x) * (centre - x) * (centre - x);
  }
  const double acceleration = cubes / (6 * std::pow(squares, 1.5));

  // Ties with the observed value count half, so that lattice statistics get no bias of their own.
  const auto below =
      static_cast<double>(std::lower_bound(draws.begin(), draws.end(), observed) - draws.begin());
  const auto not_above =
      static_cast<double>(std::upper_bound(draws.begin(), draws.end(), observed) - draws.begin());
  const double share = (below + not_above) / 2 / static_cast<double>(draws.size());
  const double alpha = (1 - options.level) / 2;
  const boost::math::normal normal;
  if (!std::isfinite(acceleration) || share <= 0 || share >= 1) {
    interval.method = "percentile";
    interval.lower = quantile_of(draws, alpha);
    interval.upper = quantile_of(draws, 1 - alpha);
    return interval;
  }
  const double bias = boost::math::quantile(normal, share);
  const auto level_at = [&](double p) {
    const double z = bias + boost::math::quantile(normal, p);
    return boost::math::cdf(normal, bias + z / (1 - acceleration * z));
  };
  interval.method = "bca";
  interval.lower = quantile_of(draws, level_at(alpha));
  interval.upper = quantile_of(draws, level_at(1 - alpha));
  return interval;
}

}  // namespace r1eval
