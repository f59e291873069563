#include "results/kernel_statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "base/rng.h"

namespace r1eval {
namespace {

// Bounds of the median by listing all n^n resamples.
MedianBounds enumerated_bounds(const std::vector<double>& x, double alpha) {
  const std::size_t n = x.size();
  std::map<double, double> p;
  std::vector<std::size_t> digits(n, 0);
  double total = 0;
  for (bool more = true; more;) {
    std::vector<double> draw;
    for (const std::size_t d : digits) {
      draw.push_back(x[d]);
    }
    p[median_of(draw)] += 1;
    total += 1;
    more = false;
    for (std::size_t& d : digits) {
      if (++d < n) {
        more = true;
        break;
      }
      d = 0;
    }
  }
  MedianBounds bounds;
  double sum = 0;
  for (const auto& [value, count] : p) {
    bounds.lower = value;
    sum += count / total;
    if (sum > alpha) {
      break;
    }
  }
  sum = 0;
  for (auto at = p.rbegin(); at != p.rend(); ++at) {
    bounds.upper = at->first;
    sum += at->second / total;
    if (sum > alpha) {
      break;
    }
  }
  return bounds;
}

TEST(KernelStatisticsTest, BoundsOfTheMedianAreThoseOfAllResamples) {
  for (std::size_t n = 1; n <= 6; ++n) {
    for (std::uint64_t round = 0; round < 4; ++round) {
      std::vector<double> x;
      for (std::uint64_t i = 0; i < n; ++i) {
        x.push_back(std::round(20 * (uniform_at(round, 100 * n + i) - 0.4)));  // with ties
      }
      for (const double alpha : {0.01, 0.05, 0.1, 0.3}) {
        const MedianBounds exact = enumerated_bounds(x, alpha);
        const MedianBounds ours = median_bounds(x, alpha);
        EXPECT_DOUBLE_EQ(ours.lower, exact.lower) << n << " values, alpha " << alpha;
        EXPECT_DOUBLE_EQ(ours.upper, exact.upper) << n << " values, alpha " << alpha;
      }
    }
  }
}

TEST(KernelStatisticsTest, OfFiveLaunchesNoneMayDisagree) {
  const std::vector<double> all_slower = {0.01, 0.04, 0.02, 0.05, 0.03};
  const std::vector<double> one_faster = {-0.001, 0.04, 0.02, 0.05, 0.03};
  EXPECT_GT(median_bounds(all_slower, 0.05).lower, 0);
  EXPECT_LT(median_bounds(one_faster, 0.05).lower, 0);
  EXPECT_NEAR(wilcoxon_p_above(all_slower), 1.0 / 32, 1e-12);
  EXPECT_NEAR(sign_p_above(all_slower), 1.0 / 32, 1e-12);
  EXPECT_NEAR(sign_p_above(one_faster), 6.0 / 32, 1e-12);
}

TEST(KernelStatisticsTest, ManyValuesUseTheSameRanksAsFewerWould) {
  std::vector<double> x;
  for (int i = 0; i < 401; ++i) {
    x.push_back(i);
  }
  const MedianBounds many = median_bounds(x, 0.05);
  x.resize(399);
  const MedianBounds fewer = median_bounds(x, 0.05);
  EXPECT_NEAR(many.lower, fewer.lower + 1, 1.01);
  EXPECT_NEAR(many.upper, fewer.upper + 1, 1.01);
  EXPECT_GT(many.lower, 175);
  EXPECT_LT(many.lower, 190);
}

TEST(KernelStatisticsTest, SignedRanksMatchEveryAssignmentOfSigns) {
  const std::vector<double> x = {0.5, -0.5, 1.5, 2, -3, 4, 0, 4};
  // By hand over 2^7 signs of the non-zero ones, ranks 1.5 1.5 3 4 5 6.5 6.5.
  const std::vector<double> ranks = {1.5, 1.5, 3, 4, 5, 6.5, 6.5};
  const double observed = 1.5 + 3 + 4 + 6.5 + 6.5;
  int at_least = 0;
  for (unsigned signs = 0; signs < 128; ++signs) {
    double sum = 0;
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      sum += (signs >> i & 1U) != 0 ? ranks[i] : 0;
    }
    at_least += sum >= observed ? 1 : 0;
  }
  EXPECT_NEAR(wilcoxon_p_above(x), at_least / 128.0, 1e-12);
}

TEST(KernelStatisticsTest, EmptyAndEqualValuesAreNoEvidence) {
  EXPECT_EQ(median_of({}), 0);
  EXPECT_EQ(wilcoxon_p_above({}), 1);
  const std::vector<double> zeros(7, 0.0);
  EXPECT_EQ(wilcoxon_p_above(zeros), 1);
  EXPECT_EQ(sign_p_above(zeros), 1);
  EXPECT_EQ(median_bounds(zeros, 0.05).lower, 0);
}

TEST(KernelStatisticsTest, QuantilesAndSpreadOfKnownNumbers) {
  const std::vector<double> x = {5, 1, 4, 2, 3, 100};
  EXPECT_DOUBLE_EQ(median_of(x), 3.5);
  EXPECT_DOUBLE_EQ(quantile_of(x, 0.2), 2);
  EXPECT_DOUBLE_EQ(quantile_of(x, 1), 100);
  EXPECT_NEAR(robust_sd(x), 1.4826 * 1.5, 1e-12);
}

}  // namespace
}  // namespace r1eval
