// Two runs on the same items: tests and intervals of a paired difference, and corrections for many
// tests at once.
//
// Units    differences are fractions of 1, candidate minus baseline. Threads: pure functions.
// Errors   none: NaN never comes in (records are finite), empty input gives p = 1.
// Sources  permutation: Fisher 1935, The Design of Experiments, section 21. McNemar 1947,
//          Psychometrika 12:153; mid-p: Fagerland, Lydersen & Laake 2013, BMC Med. Res. Methodol.
//          13:91. Score interval: Tango 1998, Statistics in Medicine 17:891. Holm 1979, Scand. J.
//          Statist. 6:65. Benjamini & Hochberg 1995, J. R. Statist. Soc. B 57:289.
// Tested   tests/results/paired_test.cc: exact enumeration, and values of
// scripts/reference_statistics.py.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "results/aggregate.h"

namespace r1eval {

struct PermutationResult {
  double p = 1;                // two-sided
  std::int64_t n_nonzero = 0;  // differences that a sign can change
  std::string method;          // "exact" or "drawn"
};

// Under the null each difference is as likely with the other sign. Exact where the differences are
// multiples of a common fraction (as they are for any equal k) and the table of their sums is not
// too large; else 100,000 draws keyed by (seed, draw), with the observed one counted in.
PermutationResult sign_flip_test(std::span<const double> differences, std::uint64_t seed,
                                 std::int64_t n_draws = 100000);

// b and c are the discordant pairs. Two-sided min(1, 2 P(Bin(b+c, 1/2) <= min(b, c))).
double mcnemar_exact_p(std::int64_t b, std::int64_t c);
double mcnemar_mid_p(std::int64_t b, std::int64_t c);

// Interval of (b - c)/n for n pairs: b where only the candidate is right, c only the baseline. All
// values that the score test does not reject at 1 - level, two-sided.
Interval tango_interval(std::int64_t b, std::int64_t c, std::int64_t n, double level = 0.95);

// Adjusted p-values, in the order given.
std::vector<double> holm_adjust(std::span<const double> p_values);
std::vector<double> benjamini_hochberg_adjust(std::span<const double> p_values);

}  // namespace r1eval
