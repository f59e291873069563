#include "base/rng.h"

#include <gtest/gtest.h>

#include <set>

namespace r1eval {
namespace {

// Known answers of the generator's authors (Random123, kat_vectors).
TEST(PhiloxTest, MatchesThePublishedKnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(PermutationTest, HoldsEveryIndexOnceAndDependsOnTheKey) {
  const auto order = permutation(100, 7);
  EXPECT_EQ(std::set<std::int64_t>(order.begin(), order.end()).size(), 100u);
  EXPECT_EQ(order, permutation(100, 7));
  EXPECT_NE(order, permutation(100, 8));
}

TEST(UniformTest, StaysInTheUnitIntervalWithTheRightMean) {
  double sum = 0;
  for (std::uint64_t i = 0; i < 10000; ++i) {
    const double u = uniform_at(42, i);
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
  }
  EXPECT_NEAR(sum / 10000, 0.5, 0.01);
}

}  // namespace
}  // namespace r1eval
