// The bars of a comparison of kernels, at a size that a test may take; simulate_kernel_compare
// prints the same for more cases and other noise.
#include <gtest/gtest.h>

#include "tests/results/kernel_error_rates.h"

namespace r1eval {
namespace {

TEST(KernelErrorRatesTest, AtOnePercentOffsetsNoNullCaseOfThousandsIsCalledSlower) {
  MadeSuite suite;
  suite.n_cases = 2000;
  suite.offset = 0.01;
  const ErrorRates rates = measure_error_rates(suite);
  EXPECT_LE(rates.n_confirmed, 2);  // 0.1 %
  EXPECT_LE(rates.n_beyond, 2);
  EXPECT_GT(rates.n_flagged, 0);  // the first look alone would cry wolf
}

TEST(KernelErrorRatesTest, AtHalfAPercentThreePercentAreFound) {
  MadeSuite suite;
  suite.n_cases = 600;
  suite.offset = 0.005;
  suite.slowdown = 0.03;
  suite.seed = 7;
  const ErrorRates rates = measure_error_rates(suite);
  EXPECT_GE(rates.n_confirmed, 570);  // 95 %
  EXPECT_EQ(rates.n_faster, 0);
}

}  // namespace
}  // namespace r1eval
