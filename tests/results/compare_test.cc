#include "results/compare.h"

#include <gtest/gtest.h>

#include <cmath>

#include "results/paired.h"

namespace r1eval {
namespace {

ItemResult item(const std::string& id, std::int64_t correct, std::int64_t k,
                const std::string& question = "") {
  ItemResult result;
  result.id = id;
  result.question = question;
  result.k = k;
  result.sum = static_cast<double>(correct);
  result.sum_squares = result.sum;
  result.n_samples = k;
  return result;
}

TaskResult task(std::vector<ItemResult> items) {
  TaskResult result;
  result.task = "t";
  result.items = std::move(items);
  return result;
}

TEST(CompareTest, PairsById) {
  const TaskComparison c =
      *compare_task(task({item("a", 1, 1), item("b", 0, 1), item("c", 1, 1)}),
                    task({item("a", 0, 1), item("b", 0, 1), item("d", 1, 1)}), {});
  EXPECT_EQ(c.n_pairs, 2);
  EXPECT_EQ(c.n_dropped, 2);
  EXPECT_EQ(c.delta, 0.5);
  EXPECT_EQ(c.n_gained, 1);
  // a +1, b 0; c right but unpaired: 1 - 1 against nothing known: 0; d right in the baseline: -1.
  EXPECT_EQ(c.worst_case, (1.0 + 0 + 0 - 1) / 4);
}

TEST(CompareTest, PairsByQuestionWhereIdsDiffer) {
  const TaskComparison c = *compare_task(task({item("1", 1, 1, "q1"), item("2", 1, 1, "q2")}),
                                         task({item("x", 0, 1, "q2"), item("y", 1, 1, "q1")}), {});
  EXPECT_EQ(c.n_pairs, 2);
  EXPECT_EQ(c.delta, 0.5);
}

TEST(CompareTest, NumbersThatCountFromElsewhereStillPairByQuestion) {
  const TaskComparison c = *compare_task(task({item("1", 1, 1, "q1"), item("2", 1, 1, "q2")}),
                                         task({item("0", 1, 1, "q1"), item("1", 0, 1, "q2")}), {});
  EXPECT_EQ(c.n_pairs, 2);
  EXPECT_EQ(c.n_dropped, 0);
  EXPECT_EQ(c.n_changed_items, 0);
}

TEST(CompareTest, TheSameIdWithAnotherQuestionIsNoPair) {
  const TaskComparison c = *compare_task(task({item("1", 1, 1, "q1"), item("2", 1, 1, "q2")}),
                                         task({item("1", 0, 1, "q9"), item("2", 1, 1, "q2")}), {});
  EXPECT_EQ(c.n_pairs, 1);
  EXPECT_EQ(c.n_changed_items, 1);
  EXPECT_EQ(c.n_dropped, 1);
}

TEST(CompareTest, AnItemThatOneSideCouldNotScoreIsDropped) {
  const TaskComparison c = *compare_task(task({item("a", 1, 1), item("b", 0, 0)}),
                                         task({item("a", 1, 1), item("b", 1, 1)}), {});
  EXPECT_EQ(c.n_pairs, 1);
  EXPECT_EQ(c.n_dropped, 1);
}

TEST(CompareTest, WithoutAnyPairThereIsNoNumber) {
  EXPECT_FALSE(compare_task(task({item("a", 1, 1)}), task({item("b", 1, 1)}), {}).has_value());
  EXPECT_FALSE(compare_task(task({}), task({}), {}).has_value());
}

TEST(CompareTest, TheseItemsNeedTwoSamples) {
  CompareOptions options;
  options.about = Question::kTheseItems;
  const Result<TaskComparison> refused =
      compare_task(task({item("a", 1, 1)}), task({item("a", 1, 4)}), options);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("at least 2"), std::string::npos);
}

TEST(CompareTest, TheseItemsUseTheVarianceWithinItems) {
  CompareOptions options;
  options.about = Question::kTheseItems;
  const TaskComparison c = *compare_task(task({item("a", 3, 4), item("b", 1, 4)}),
                                         task({item("a", 2, 4), item("b", 4, 4)}), options);
  // s^2 = k m (1 - m) / (k - 1): 0.25, 0.25 and 1/3, 0.
  EXPECT_NEAR(*c.se, 0.5 * std::sqrt((0.25 + 0.25 + 1.0 / 3) / 4), 1e-15);
}

TEST(CompareTest, SingleSamplesGiveTangoAndMcNemar) {
  std::vector<ItemResult> a;
  std::vector<ItemResult> b;
  for (int i = 0; i < 50; ++i) {
    const std::string id = std::to_string(100 + i);
    a.push_back(item(id, i < 3 ? 1 : (i < 12 ? 0 : 1), 1));
    b.push_back(item(id, i < 3 ? 0 : 1, 1));
  }
  const TaskComparison c = *compare_task(task(a), task(b), {});
  const Interval tango = tango_interval(3, 9, 50);
  EXPECT_EQ(c.interval.lower, tango.lower);
  EXPECT_EQ(c.interval.upper, tango.upper);
  EXPECT_EQ(*c.mcnemar, mcnemar_exact_p(3, 9));
  EXPECT_NEAR(c.p, *c.mcnemar, 1e-12);
}

TEST(CompareTest, IdenticalRunsAreNotProvenEqualByFewItems) {
  std::vector<ItemResult> items;
  for (int i = 0; i < 30; ++i) {
    items.push_back(item(std::to_string(i), 4, 4));
  }
  const TaskComparison c = *compare_task(task(items), task(items), {});
  EXPECT_EQ(c.delta, 0);
  EXPECT_EQ(c.p, 1);
  // One of 30 unseen: nothing better than about 2.7/30 can be said.
  EXPECT_LT(c.lower, -0.08);
  EXPECT_GT(c.lower, -0.12);
}

TEST(CompareTest, ClustersWidenTheInterval) {
  std::vector<ItemResult> a;
  std::vector<ItemResult> b;
  for (int i = 0; i < 40; ++i) {
    a.push_back(item(std::to_string(100 + i), (i / 4) % 5 < 4 ? 4 : 0, 4));
    b.push_back(item(std::to_string(100 + i), 2, 4));
  }
  const TaskComparison apart = *compare_task(task(a), task(b), {});
  for (int i = 0; i < 40; ++i) {
    a[static_cast<std::size_t>(i)].cluster = "c" + std::to_string(i / 4);
  }
  const TaskComparison together = *compare_task(task(a), task(b), {});
  EXPECT_EQ(together.n_units, 10);
  EXPECT_GT(*together.design_effect, 2);
  EXPECT_LT(together.lower, apart.lower);
  EXPECT_GT(together.p, apart.p);
}

TEST(CompareTest, DuplicatedQuestionsAreNotPairedByQuestion) {
  const Result<TaskComparison> c =
      compare_task(task({item("1", 1, 1, "q"), item("2", 1, 1, "q"), item("3", 1, 1, "r")}),
                   task({item("x", 1, 1, "q"), item("y", 1, 1, "q"), item("z", 1, 1, "r")}), {});
  EXPECT_EQ(c->n_pairs, 1);
}

}  // namespace
}  // namespace r1eval
