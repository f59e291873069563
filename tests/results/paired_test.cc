#include "results/paired.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/results/reference.h"

namespace r1eval {
namespace {

double enumerated_sign_flip(const std::vector<double>& d) {
  double observed = 0;
  for (const double x : d) {
    observed += x;
  }
  int extreme = 0;
  for (unsigned signs = 0; signs < 1U << d.size(); ++signs) {
    double sum = 0;
    for (std::size_t i = 0; i < d.size(); ++i) {
      sum += (signs >> i & 1U) != 0 ? d[i] : -d[i];
    }
    extreme += std::abs(sum) >= std::abs(observed) - 1e-12 ? 1 : 0;
  }
  return static_cast<double>(extreme) / std::exp2(static_cast<double>(d.size()));
}

TEST(SignFlipTest, EqualsTheCountOverAllSigns) {
  const std::vector<std::vector<double>> cases = {
      {0.25, -0.5, 0.75},
      {1, 1, 1, -1, 1},
      {1.0 / 3, 2.0 / 3, -1.0 / 3, 1},
      {0.5},
      {0.125, 0.25, 0.375, -0.5, 0.625, 0.75, -0.875, 1, 0.5, 0.25, 0.125}};
  for (const std::vector<double>& d : cases) {
    const PermutationResult result = sign_flip_test(d, 1);
    EXPECT_EQ(result.method, "exact");
    EXPECT_NEAR(result.p, enumerated_sign_flip(d), 1e-12);
  }
}

TEST(SignFlipTest, AgreesWithScipy) {
  const Json& stored = reference()["sign_flip"];
  EXPECT_NEAR(sign_flip_test(stored["differences"].get<std::vector<double>>(), 1).p,
              stored["p"].get<double>(), 1e-12);
}

TEST(SignFlipTest, OnSingleSamplesIsMcNemar) {
  std::vector<double> d(40, 0.0);
  d.insert(d.end(), 9, 1.0);
  d.insert(d.end(), 21, -1.0);
  EXPECT_NEAR(sign_flip_test(d, 1).p, mcnemar_exact_p(9, 21), 1e-12);
}

TEST(SignFlipTest, DrawsWhereNoLatticeIsFoundAndComesNearTheExactValue) {
  const std::vector<double> d = {0.1234567, -0.2345671, 0.31415926, 0.27182818, 0.1414213,
                                 0.0577215, -0.1618033, 0.41421356, 0.0693147,  0.2236067};
  const PermutationResult result = sign_flip_test(d, 7);
  EXPECT_EQ(result.method, "drawn");
  const double exact = enumerated_sign_flip(d);
  EXPECT_NEAR(result.p, exact, 5 * std::sqrt(exact * (1 - exact) / 100000) + 1e-5);
  EXPECT_EQ(result.p, sign_flip_test(d, 7).p);
}

TEST(SignFlipTest, WithoutDifferencesRejectsNothing) {
  EXPECT_EQ(sign_flip_test(std::vector<double>(10, 0.0), 1).p, 1);
  EXPECT_EQ(sign_flip_test(std::vector<double>{}, 1).p, 1);
}

TEST(McNemarTest, AgreesWithScipy) {
  for (const Json& row : reference()["mcnemar_exact"]) {
    EXPECT_NEAR(mcnemar_exact_p(row[0], row[1]), row[2].get<double>(), 1e-12);
  }
  for (const Json& row : reference()["mcnemar_mid"]) {
    EXPECT_NEAR(mcnemar_mid_p(row[0], row[1]), row[2].get<double>(), 1e-12);
  }
  EXPECT_EQ(mcnemar_exact_p(0, 0), 1);
}

TEST(TangoTest, AgreesWithASecondImplementation) {
  for (const Json& row : reference()["tango"]) {
    const Interval interval = tango_interval(row[0], row[1], row[2], row[3]);
    EXPECT_NEAR(interval.lower, row[4].get<double>(), 1e-9) << row;
    EXPECT_NEAR(interval.upper, row[5].get<double>(), 1e-9) << row;
  }
}

TEST(TangoTest, IsSymmetricAndHoldsTheEstimate) {
  for (std::int64_t n = 1; n <= 12; ++n) {
    for (std::int64_t b = 0; b <= n; ++b) {
      for (std::int64_t c = 0; b + c <= n; ++c) {
        const Interval one = tango_interval(b, c, n);
        const Interval other = tango_interval(c, b, n);
        EXPECT_NEAR(one.lower, -other.upper, 1e-9);
        const double estimate = static_cast<double>(b - c) / static_cast<double>(n);
        EXPECT_LE(one.lower, estimate + 1e-9);
        EXPECT_GE(one.upper, estimate - 1e-9);
        EXPECT_GE(one.lower, -1);
        EXPECT_LE(one.upper, 1);
      }
    }
  }
}

TEST(AdjustmentTest, AgreesWithStatsmodels) {
  const auto p = reference()["p_values"].get<std::vector<double>>();
  const std::vector<double> holm = holm_adjust(p);
  const std::vector<double> bh = benjamini_hochberg_adjust(p);
  for (std::size_t i = 0; i < p.size(); ++i) {
    EXPECT_NEAR(holm[i], reference()["holm"][i].get<double>(), 1e-12);
    EXPECT_NEAR(bh[i], reference()["benjamini_hochberg"][i].get<double>(), 1e-12);
  }
}

}  // namespace
}  // namespace r1eval
