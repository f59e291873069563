#include "results/aggregate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "results/results_json.h"

namespace r1eval {
namespace {

std::vector<GradedSample> samples_of(int n_items, int k) {
  std::vector<GradedSample> samples;
  for (int i = 0; i < n_items; ++i) {
    for (int s = 0; s < k; ++s) {
      GradedSample sample;
      sample.item = "item" + std::to_string(i);
      sample.sample = s;
      const bool right = (i * 7 + s * 3) % 5 < 2;
      sample.outcome = right ? Outcome::kCorrect : Outcome::kIncorrect;
      sample.answer_class = right ? "=" : "~" + std::to_string(s % 2);
      sample.completion_tokens = 10 + i + s;
      samples.push_back(sample);
    }
  }
  return samples;
}

TEST(AggregateTest, GivesTheSameBytesForAnyOrderOfSamples) {
  std::vector<GradedSample> samples = samples_of(20, 4);
  RunSummary summary;
  summary.tasks = {aggregate_task("t", samples, {}, 4, 80, {})};
  const std::string expected = results_json(summary);
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    std::shuffle(samples.begin(), samples.end(), random);
    summary.tasks = {aggregate_task("t", samples, {}, 4, 80, {})};
    EXPECT_EQ(results_json(summary), expected);
  }
}

TEST(AggregateTest, UnscoredSamplesAreLeftOutAndCounted) {
  std::vector<GradedSample> samples = samples_of(2, 2);
  for (GradedSample& sample : samples) {
    sample.outcome = sample.item == "item0" ? Outcome::kUnscored : Outcome::kCorrect;
  }
  const TaskScores scores = aggregate_task("t", samples, {}, 2, 4, {});
  EXPECT_EQ(scores.score.n_items, 1);
  EXPECT_EQ(scores.score.value, 1);
  EXPECT_EQ(scores.n_unscored, 2);
}

TEST(AggregateTest, NoAnswerScoresNothing) {
  std::vector<GradedSample> samples = samples_of(1, 2);
  samples[0].outcome = Outcome::kNoAnswer;
  samples[1].outcome = Outcome::kCorrect;
  const TaskScores scores = aggregate_task("t", samples, {}, 2, 2, {});
  EXPECT_DOUBLE_EQ(scores.score.value, 0.5);
  EXPECT_EQ(scores.n_no_answer, 1);
}

TEST(AggregateTest, MissingSamplesMakeTheScorePartial) {
  EXPECT_TRUE(aggregate_task("t", samples_of(3, 1), {}, 1, 4, {}).is_partial);
  EXPECT_FALSE(aggregate_task("t", samples_of(3, 1), {}, 1, 3, {}).is_partial);
}

TEST(AggregateTest, IntervalsHoldTheValueAndStayInsideTheUnitRange) {
  for (const int n : {1, 2, 5, 30, 150}) {
    for (const int k : {1, 2, 16}) {
      for (const Outcome all : {Outcome::kCorrect, Outcome::kIncorrect, Outcome::kUnscored}) {
        std::vector<GradedSample> samples = samples_of(n, k);
        if (all != Outcome::kUnscored) {
          for (GradedSample& sample : samples) {
            sample.outcome = all;
          }
        }
        const Score score = aggregate_task("t", samples, {}, k, n * k, {}).score;
        EXPECT_GE(score.interval.lower, 0) << n << " " << k;
        EXPECT_LE(score.interval.upper, 1) << n << " " << k;
        EXPECT_LE(score.interval.lower, score.value + 1e-12) << n << " " << k;
        EXPECT_GE(score.interval.upper, score.value - 1e-12) << n << " " << k;
        EXPECT_LT(score.interval.lower, score.interval.upper) << n << " " << k;
      }
    }
  }
}

TEST(AggregateTest, BreaksDownByMetadata) {
  std::map<std::string, ItemInfo> items;
  items["item0"].metadata["subject"] = "a";
  items["item1"].metadata["subject"] = "b";
  const TaskScores scores = aggregate_task("t", samples_of(2, 1), items, 1, 2, {"subject"});
  ASSERT_EQ(scores.breakdown.at("subject").size(), 2u);
  EXPECT_EQ(scores.breakdown.at("subject").at("a").n_items, 1);
}

TEST(AggregateTest, ReportsConsensusAndPassAtKForSeveralSamples) {
  const TaskScores scores = aggregate_task("t", samples_of(10, 4), {}, 4, 40, {});
  ASSERT_TRUE(scores.extra_metrics.contains("cons@4"));
  ASSERT_TRUE(scores.extra_metrics.contains("pass@4"));
  EXPECT_GE(scores.extra_metrics.at("pass@4").value, scores.score.value);
}

}  // namespace
}  // namespace r1eval
