// Bootstrap intervals of statistics that have no formula: ratios, majority votes, tokens per
// correct answer.
//
// Source   Efron 1987, J. Am. Statist. Ass. 82:171 (BCa); Davison & Hinkley 1997, section 3.8: for
//          nested data only the outer level is drawn again, as an item's mean already carries the
//          noise of its samples.
// Order    draw r of seed s is the same units on any machine and thread count: word j of replicate
//          r is random_at(key(s, r), j).
// Tested   tests/results/bootstrap_test.cc
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "results/aggregate.h"

namespace r1eval {

// The statistic when unit i stands in the data counts[i] times. Must be pure.
using WeightedStatistic = std::function<double(std::span<const std::uint32_t> counts)>;

struct BootstrapOptions {
  std::int64_t n_draws = 10000;
  std::uint64_t seed = 0;
  double level = 0.95;
};

// Units are items, or clusters of items. "bca", or "percentile" where the acceleration or the bias
// cannot be computed (all draws on one side); draws that give no finite number are left out.
// n_units < 2 gives the whole line: (-infinity, infinity), method "none".
Interval bootstrap_interval(std::int64_t n_units, const WeightedStatistic& statistic,
                            const BootstrapOptions& options);

}  // namespace r1eval
