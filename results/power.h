// How much can be seen before it is paid for: minimal detectable effects, numbers of items and
// samples, and boundaries for looking early.
//
// Model    the difference of item means has variance omega2 + sigma2_a/k_a + sigma2_b/k_b: omega2
// is
//          the variance over items of the true difference, sigma2 the mean variance within an item.
//          About these same items omega2 does not count.
// Units    fractions of 1; alpha is two-sided in power and effects, one-sided in settles, needed_*.
// Sources  power of the paired t-test by the noncentral t distribution: Cohen 1988, chapter 2;
// Miller
//          2024, arXiv:2411.00640, section 5 (omega2 and sigma2). Alpha spending: Lan & DeMets
//          1983, Biometrika 70:659, with the recursive integration of Armitage, McPherson & Rowe
//          1969, J. R. Statist. Soc. A 132:235.
// Tested   tests/results/power_test.cc
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace r1eval {

struct DifferenceVariance {
  double omega2 = 0;
  double sigma2_a = 0;
  double sigma2_b = 0;
};

// Variances to plan with where no earlier run gives them: k = 1 differences of two models with
// uniformly spread abilities, and of near twins (a quantised checkpoint).
inline constexpr DifferenceVariance kDifferentModels{1.0 / 9, 1.0 / 6, 1.0 / 6};
inline constexpr DifferenceVariance kNearTwins{0.01, 0.10, 0.10};

// Probability that a two-sided t-test of n pairs with standard deviation sd rejects "no difference"
// when the difference is delta. n >= 2, sd > 0.
double power_of_difference(double delta, double sd, std::int64_t n, double alpha = 0.05);

// The smallest difference found with probability `power`. None for n < 2 or sd = 0. With `step` s
// above 0 the differences are multiples of 1/s (k samples on both sides: s = k), and the exact
// permutation test, whose sums move by 2/s, is conservative by half of that: 1/(s n) is added.
std::optional<double> minimal_detectable_effect(double sd, std::int64_t n, double alpha = 0.05,
                                                double power = 0.8, std::int64_t step = 0);

// sqrt(omega2 + sigma2_a/k_a + sigma2_b/k_b); without omega2 for these items.
double difference_sd(const DifferenceVariance& variance, std::int64_t k_a, std::int64_t k_b,
                     bool about_these_items);

// Would a distance between difference and margin this large settle a gate at one-sided alpha, with
// n items of k_a and k_b samples? Counts one unseen lost unit in, as gates do.
bool settles(const DifferenceVariance& variance, double distance, std::int64_t n, std::int64_t k_a,
             std::int64_t k_b, bool about_these_items, double alpha = 0.05);

// Least samples an item (the same on both sides), or items, that settle it. None: no k up to 2^20,
// or no n up to 2^24, would do.
std::optional<std::int64_t> needed_k(const DifferenceVariance& variance, double distance,
                                     std::int64_t n, bool about_these_items, double alpha = 0.05);
std::optional<std::int64_t> needed_n(const DifferenceVariance& variance, double distance,
                                     std::int64_t k_a, std::int64_t k_b, bool about_these_items,
                                     double alpha = 0.05);

// Bounds on |z| at equally spaced looks that spend two-sided alpha as O'Brien and Fleming's do.
std::vector<double> obrien_fleming_bounds(int n_looks, double alpha = 0.05);

}  // namespace r1eval
