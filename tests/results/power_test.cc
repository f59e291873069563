#include "results/power.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/results/reference.h"

namespace r1eval {
namespace {

TEST(PowerTest, AgreesWithStatsmodels) {
  for (const Json& row : reference()["power"]) {
    EXPECT_NEAR(power_of_difference(row[0], row[1], row[2], row[3]), row[4].get<double>(), 1e-9)
        << row;
  }
  for (const Json& row : reference()["mde"]) {
    EXPECT_NEAR(*minimal_detectable_effect(row[0], row[1]), row[2].get<double>(), 1e-9) << row;
  }
}

TEST(PowerTest, OfNoDifferenceIsTheErrorRate) {
  EXPECT_NEAR(power_of_difference(0, 1, 50), 0.05, 1e-12);
  EXPECT_FALSE(minimal_detectable_effect(0, 50).has_value());
  EXPECT_FALSE(minimal_detectable_effect(0.5, 1).has_value());
}

TEST(SequentialTest, BoundsAgreeWithASecondIntegration) {
  for (const Json& row : reference()["obrien_fleming"]) {
    const std::vector<double> bounds = obrien_fleming_bounds(row[0], row[1]);
    ASSERT_EQ(bounds.size(), row[2].size());
    for (std::size_t i = 0; i < bounds.size(); ++i) {
      EXPECT_NEAR(bounds[i], row[2][i].get<double>(), 1e-6) << row << " look " << i + 1;
    }
  }
}

TEST(NeededTest, TheNumberSettlesAndOneLessDoesNot) {
  const DifferenceVariance v{0.01, 0.1, 0.1};
  const double distance = 0.02;
  const std::int64_t n = *needed_n(v, distance, 4, 4, false);
  EXPECT_TRUE(settles(v, distance, n, 4, 4, false));
  EXPECT_FALSE(settles(v, distance, n - 1, 4, 4, false));
  const std::int64_t k = *needed_k(v, distance, 500, false);
  EXPECT_TRUE(settles(v, distance, 500, k, k, false));
  EXPECT_FALSE(settles(v, distance, 500, k - 1, k - 1, false));
}

TEST(NeededTest, NoNumberOfSamplesReplacesItems) {
  EXPECT_FALSE(needed_k({0.1, 0.1, 0.1}, 0.01, 30, false).has_value());
  EXPECT_FALSE(needed_k({0.1, 0.1, 0.1}, 0, 30, false).has_value());
  EXPECT_FALSE(needed_n({0.1, 0.1, 0.1}, -0.01, 1, 1, false).has_value());
}

}  // namespace
}  // namespace r1eval
