// Small-sample statistics of paired process launches: what a comparison of kernel times rests on.
//
// Units    differences are natural logarithms of time ratios; positive is slower.
// Order    closed forms only: no draws, so the same data gives the same verdict anywhere.
// Sources  exact bootstrap distribution of a median: Maritz & Jarrett 1978, J. Am. Statist. Ass.
//          73:194. Signed ranks: Wilcoxon 1945, Biometrics Bulletin 1:80; zeros dropped, ties at
//          their mean rank, null distribution by convolution over those ranks.
// Threads  pure functions. Errors: none; NaN must not come in.
// Tested   tests/results/kernel_statistics_test.cc, against enumeration of every resample and sign.
#pragma once

#include <cstdint>
#include <span>

namespace r1eval {

// Middle value, or the mean of the two in the middle; 0 for none.
double median_of(std::span<const double> values);

// Value below which a share q of the values lies, linear between neighbours; 0 for none.
double quantile_of(std::span<const double> values, double q);

// 1.4826 times the median distance from the median: a standard deviation that outliers do not move.
double robust_sd(std::span<const double> values);

struct MedianBounds {
  double lower = 0;
  double upper = 0;
};

// One-sided bounds of the median at `alpha` each, from the exact distribution of the median of a
// resample: the largest value that the resampled median falls below with probability of at most
// alpha, and the mirror of it. Of five values at 0.05 it is their least: no fifth of them may
// disagree. No values: 0, 0. One value: itself.
MedianBounds median_bounds(std::span<const double> values, double alpha);

// One-sided p-values of "the values tend to be above 0".
double wilcoxon_p_above(std::span<const double> values);
double sign_p_above(std::span<const double> values);

}  // namespace r1eval
