// The formulas behind every score: standard errors, intervals, pass@k, majority votes.
//
// Sources  Miller 2024, "Adding Error Bars to Evals", arXiv:2411.00640 (standard errors, clusters);
//          Wilson 1927 and Clopper & Pearson 1934 (intervals of a proportion); Chen et al. 2021,
//          arXiv:2107.03374 (pass@k); Yao et al. 2024, arXiv:2406.12045 (pass^k).
//          docs/statistics.md explains which is used when.
// Units    scores are fractions of 1. Threads: pure functions.
// Tested   tests/results/statistics_test.cc against exact enumeration and an independent library.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "results/aggregate.h"

namespace r1eval {

// Sum with an error that grows with log n, the same for the same order of values.
double pairwise_sum(std::span<const double> values);
double mean(std::span<const double> values);

// sqrt( sum (m_i - m)^2 / (n (n - 1)) ): what new questions of the same kind would change. Contains
// the sampling noise of finite k. None for n < 2.
std::optional<double> se_population(std::span<const double> item_means);

// (1/n) sqrt( sum s_i^2 / k_i ), s_i^2 the unbiased variance within item i: what asking the same
// questions again would change. `variances[i]` and `counts[i]` per item; none when any k_i is 1.
std::optional<double> se_rerun(std::span<const double> variances,
                               std::span<const std::int64_t> counts);

// (1/n) sqrt( C/(C-1) sum_c ( sum_{i in c} (m_i - m) )^2 ) over C clusters. None for C < 2.
std::optional<double> se_clustered(std::span<const double> item_means,
                                   std::span<const std::int64_t> cluster_of);

// sqrt( sum_s (n_s/n)^2 S_s^2 / n_s ) for fixed, complete strata; strata of one item are pooled
// into the plain variance. None for n < 2.
std::optional<double> se_stratified(std::span<const double> item_means,
                                    std::span<const std::int64_t> stratum_of);

// Intervals at `level`, within [0, 1].
Interval wilson_interval(double p, double n, double level = 0.95);
Interval clopper_pearson_interval(std::int64_t successes, std::int64_t n, double level = 0.95);
Interval t_interval(double value, double se, double degrees_of_freedom, double level = 0.95);

// Probability that at least one of k draws without replacement from n samples, c of them right, is
// right: 1 - C(n-c, k)/C(n, k). Requires 1 <= k <= n.
double pass_at_k(std::int64_t n, std::int64_t c, std::int64_t k);

// Probability that all of k draws without replacement are right: C(c, k)/C(n, k). 1 <= k <= n.
double pass_hat_k(std::int64_t n, std::int64_t c, std::int64_t k);

// Variance of one item's pass@k estimate over runs that draw its n samples again, at the rate
// (c + 1/2)/(n + 1): the estimate's exact variance under that binomial distribution.
double pass_at_k_rerun_variance(std::int64_t n, std::int64_t c, std::int64_t k);

struct Vote {
  double score = 0;  // share of the classes tied for most votes that are right; 0 without votes
  bool is_tied = false;
  std::int64_t votes = 0;  // samples that gave an answer
};

// Majority over answer classes; an empty class abstains. `is_right[i]` belongs to `classes[i]`.
Vote majority_vote(std::span<const std::string> classes, const std::vector<bool>& is_right);

// Mean of the vote over all subsets of k of an item's samples: exact over the ways in which k draws
// without replacement spread over the classes where these are few, else over 1,000 draws keyed by
// `seed`. `is_tied` says whether any subset's vote may tie; `votes` is of all samples. 1 <= k <= n.
Vote majority_vote_at(std::span<const std::string> classes, const std::vector<bool>& is_right,
                      std::int64_t k, std::uint64_t seed);

}  // namespace r1eval
