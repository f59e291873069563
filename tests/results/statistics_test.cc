#include "results/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/results/reference.h"

namespace r1eval {
namespace {

TEST(PassAtKTest, EqualsTheShareOfSubsetsWithARightSample) {
  // Counted over every subset of n samples of which the first c are right.
  for (int n = 1; n <= 8; ++n) {
    for (int c = 0; c <= n; ++c) {
      for (int k = 1; k <= n; ++k) {
        int with = 0;
        int all = 0;
        for (int set = 0; set < 1 << n; ++set) {
          if (__builtin_popcount(static_cast<unsigned>(set)) == k) {
            ++all;
            with += (set & ((1 << c) - 1)) != 0 ? 1 : 0;
          }
        }
        EXPECT_NEAR(pass_at_k(n, c, k), static_cast<double>(with) / all, 1e-12);
      }
    }
  }
}

TEST(StandardErrorTest, OfThePopulationIsTheSampleDeviationOverRootN) {
  const std::vector<double> means = {0, 1, 1, 0.5};
  // mean 0.625, squares 0.390625 + 2 * 0.140625 + 0.015625 = 0.6875, over 4 * 3
  EXPECT_NEAR(*se_population(means), std::sqrt(0.6875 / 12), 1e-15);
  EXPECT_FALSE(se_population(std::vector<double>{1}).has_value());
}

TEST(StandardErrorTest, OfARerunIsUndefinedForSingleSamples) {
  const std::vector<double> variances = {0.25, 0.5};
  EXPECT_NEAR(*se_rerun(variances, std::vector<std::int64_t>{4, 2}),
              0.5 * std::sqrt(0.25 / 4 + 0.5 / 2), 1e-15);
  EXPECT_FALSE(se_rerun(variances, std::vector<std::int64_t>{4, 1}).has_value());
}

TEST(StandardErrorTest, ClustersOfOneEqualThePlainError) {
  const std::vector<double> means = {0, 1, 1, 0.25, 0.5};
  EXPECT_NEAR(*se_clustered(means, std::vector<std::int64_t>{0, 1, 2, 3, 4}), *se_population(means),
              1e-15);
}

TEST(StandardErrorTest, CopiedItemsInAClusterDoNotMakeUsSurer) {
  const std::vector<double> once = {0, 1, 1, 0};
  const std::vector<double> twice = {0, 0, 1, 1, 1, 1, 0, 0};
  EXPECT_NEAR(*se_clustered(twice, std::vector<std::int64_t>{0, 0, 1, 1, 2, 2, 3, 3}),
              *se_population(once), 1e-15);
}

// 9 of 30, computed apart: Wilson's formula with z = 1.959963984540054, and Clopper-Pearson by
// bisecting the binomial distribution function, summed term by term.
TEST(IntervalTest, AgreesWithASeparateComputation) {
  const Interval wilson = wilson_interval(0.3, 30);
  EXPECT_NEAR(wilson.lower, 0.16664748268243793, 1e-12);
  EXPECT_NEAR(wilson.upper, 0.47875787458714947, 1e-12);
  const Interval exact = clopper_pearson_interval(9, 30);
  EXPECT_NEAR(exact.lower, 0.147345184754701, 1e-12);
  EXPECT_NEAR(exact.upper, 0.4939590414625537, 1e-12);
}

TEST(IntervalTest, OfNoSuccessHasItsClosedForm) {
  const Interval none = clopper_pearson_interval(0, 20);
  EXPECT_EQ(none.lower, 0);
  EXPECT_NEAR(none.upper, 1 - std::pow(0.025, 1.0 / 20), 1e-12);
  EXPECT_EQ(clopper_pearson_interval(20, 20).upper, 1);
}

TEST(MajorityVoteTest, TiesGiveTheShareOfRightClasses) {
  const std::vector<std::string> classes = {"=", "a", "", "=", "a"};
  const Vote vote = majority_vote(classes, {true, false, false, true, false});
  EXPECT_DOUBLE_EQ(vote.score, 0.5);
  EXPECT_TRUE(vote.is_tied);
  EXPECT_EQ(vote.votes, 4);
}

TEST(MajorityVoteTest, NoVotesScoreNothing) {
  const std::vector<std::string> classes = {"", ""};
  EXPECT_EQ(majority_vote(classes, {false, false}).score, 0);
}

TEST(ReferenceTest, IntervalsAgreeWithScipyAndStatsmodels) {
  for (const Json& row : reference()["wilson"]) {
    const double n = row[1].get<double>();
    const Interval interval = wilson_interval(row[0].get<double>() / n, n, row[2]);
    EXPECT_NEAR(interval.lower, row[3].get<double>(), 1e-12);
    EXPECT_NEAR(interval.upper, row[4].get<double>(), 1e-12);
  }
  for (const Json& row : reference()["clopper_pearson"]) {
    const Interval interval = clopper_pearson_interval(row[0], row[1], row[2]);
    EXPECT_NEAR(interval.lower, row[3].get<double>(), 1e-9);
    EXPECT_NEAR(interval.upper, row[4].get<double>(), 1e-9);
  }
  for (const Json& row : reference()["t_interval"]) {
    const Interval interval = t_interval(row[0], row[1], row[2]);
    EXPECT_NEAR(interval.lower, row[3].get<double>(), 1e-9);
    EXPECT_NEAR(interval.upper, row[4].get<double>(), 1e-9);
  }
}

TEST(ReferenceTest, StandardErrorsAgreeWithTheirDefinitions) {
  const Json& stored = reference()["errors"];
  const auto means = stored["means"].get<std::vector<double>>();
  EXPECT_NEAR(*se_population(means), stored["population"].get<double>(), 1e-12);
  EXPECT_NEAR(*se_clustered(means, stored["cluster"].get<std::vector<std::int64_t>>()),
              stored["clustered"].get<double>(), 1e-12);
  EXPECT_NEAR(*se_stratified(means, stored["stratum"].get<std::vector<std::int64_t>>()),
              stored["stratified"].get<double>(), 1e-12);
}

TEST(PassHatKTest, EqualsTheShareOfSubsetsThatAreAllRight) {
  for (int n = 1; n <= 8; ++n) {
    for (int c = 0; c <= n; ++c) {
      for (int k = 1; k <= n; ++k) {
        int all_right = 0;
        int all = 0;
        for (int set = 0; set < 1 << n; ++set) {
          if (__builtin_popcount(static_cast<unsigned>(set)) == k) {
            ++all;
            all_right += (set & ~((1 << c) - 1)) == 0 ? 1 : 0;
          }
        }
        EXPECT_NEAR(pass_hat_k(n, c, k), static_cast<double>(all_right) / all, 1e-12);
      }
    }
  }
}

TEST(PassAtKTest, VarianceOfARerunIsTheBinomialOneForKOne) {
  const double rate = 3.5 / 9;
  EXPECT_NEAR(pass_at_k_rerun_variance(8, 3, 1), rate * (1 - rate) / 8, 1e-12);
}

TEST(MajorityVoteAtTest, EqualsTheMeanOverAllSubsets) {
  const std::vector<std::string> classes = {"=", "~7", "", "=", "~7", "~9", "~7", "=", ""};
  const std::vector<bool> right = {true, false, false, true, false, false, false, true, false};
  for (int k = 1; k <= 9; ++k) {
    double sum = 0;
    int all = 0;
    for (unsigned set = 0; set < 1U << 9; ++set) {
      if (__builtin_popcount(set) != k) {
        continue;
      }
      std::vector<std::string> chosen;
      std::vector<bool> chosen_right;
      for (std::size_t i = 0; i < 9; ++i) {
        if ((set >> i & 1U) != 0) {
          chosen.push_back(classes[i]);
          chosen_right.push_back(right[i]);
        }
      }
      sum += majority_vote(chosen, chosen_right).score;
      ++all;
    }
    EXPECT_NEAR(majority_vote_at(classes, right, k, 1).score, sum / all, 1e-12) << k;
  }
}

TEST(MajorityVoteAtTest, DrawsWhereClassesAreMany) {
  std::vector<std::string> classes;
  std::vector<bool> right;
  for (int i = 0; i < 40; ++i) {
    classes.push_back(i < 20 ? "=" : "~" + std::to_string(i));
    right.push_back(i < 20);
  }
  // Half the samples agree and are right: eight draws nearly always hold two of them.
  const Vote vote = majority_vote_at(classes, right, 8, 1);
  EXPECT_GT(vote.score, 0.95);
  EXPECT_EQ(vote.score, majority_vote_at(classes, right, 8, 1).score);
}

}  // namespace
}  // namespace r1eval
