#include "harness/plan.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace r1eval {
namespace {

TEST(SampleItemsTest, SpreadsOverStrataInProportion) {
  std::vector<Item> items;
  for (int i = 0; i < 100; ++i) {
    Item item;
    item.id = std::to_string(i);
    item.stratum = i < 60 ? "large" : (i < 90 ? "middle" : "small");
    items.push_back(item);
  }
  const auto chosen = sample_items(items, 20, 0, "t");
  EXPECT_EQ(std::set<std::int64_t>(chosen.begin(), chosen.end()).size(), 20u);
  std::map<std::string, int> counts;
  for (const std::int64_t i : chosen) {
    ++counts[items[static_cast<std::size_t>(i)].stratum];
  }
  EXPECT_EQ(counts["large"], 12);
  EXPECT_EQ(counts["middle"], 6);
  EXPECT_EQ(counts["small"], 2);
  EXPECT_EQ(sample_items(items, 20, 0, "t"), chosen);
  EXPECT_NE(sample_items(items, 20, 1, "t"), chosen);
}

TEST(PlanTest, KeysAreUniqueAndDependOnTheModel) {
  RunOptions options;
  options.tasks = {"mini_math", "mini_gpqa"};
  options.k = 3;
  auto plan = load_plan(options, TaskRegistry::open().value(), DatasetStore("/nonexistent"));
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  plan_samples(*plan, options, "model a");
  std::set<std::string> keys;
  std::set<std::uint64_t> seeds;
  for (const PlannedSample& sample : plan->samples) {
    keys.insert(sample.key);
    seeds.insert(sample.seed);
  }
  EXPECT_EQ(keys.size(), plan->samples.size());
  EXPECT_EQ(seeds.size(), plan->samples.size());
  const std::string first = plan->samples[0].key;
  plan_samples(*plan, options, "model b");
  EXPECT_NE(plan->samples[0].key, first);
}

TEST(PlanTest, ABackendThatCannotDoWhatATaskNeedsIsRefusedBeforeAnythingIsSent) {
  RunOptions options;
  options.tasks = {"mini_math"};
  auto plan = load_plan(options, TaskRegistry::open().value(), DatasetStore("/nonexistent"));
  ASSERT_TRUE(plan.has_value());
  Capabilities endpoint;
  endpoint.model = "some-model";
  endpoint.is_endpoint = true;
  EXPECT_TRUE(check_abilities(*plan, options, endpoint));
  RunOptions budget = options;
  budget.think_budget = 100;
  EXPECT_FALSE(check_abilities(*plan, budget, endpoint));
  plan->tasks[0].task.prompt.style = "choice_loglikelihood";
  const Status refused = check_abilities(*plan, options, endpoint);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().message.find("chat endpoint"), std::string::npos);
  Capabilities base_model;
  base_model.can_score = true;
  base_model.chat_problem = "no template";
  EXPECT_TRUE(check_abilities(*plan, options, base_model));
  plan->tasks[0].task.prompt.style = "problem";
  EXPECT_FALSE(check_abilities(*plan, options, base_model));
}

TEST(PlanTest, TasksThatNeedASandboxAreRefusedBeforeAnythingIsSent) {
  RunOptions options;
  options.suite = "mini";
  const auto plan = load_plan(options, TaskRegistry::open().value(), DatasetStore("/nonexistent"));
  ASSERT_FALSE(plan.has_value());
  EXPECT_EQ(plan.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(plan.error().message.find("mini_code"), std::string::npos);
  EXPECT_NE(plan.error().message.find("--task mini_math,mini_aime,mini_mmlu,mini_gpqa"),
            std::string::npos)
      << plan.error().message;
}

TEST(PlanTest, EveryBuiltInGoldCanBeRead) {
  RunOptions options;
  options.tasks = {"mini_math", "mini_aime", "mini_mmlu", "mini_gpqa"};
  const auto plan = load_plan(options, TaskRegistry::open().value(), DatasetStore("/nonexistent"));
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  for (const PlannedTask& planned : plan->tasks) {
    EXPECT_TRUE(planned.unscored_items.empty())
        << planned.task.name << " " << planned.unscored_items.front();
  }
}

TEST(PlanTest, MissingDataNamesTheCommandsThatBringIt) {
  RunOptions options;
  options.suite = "math";
  const auto plan = load_plan(options, TaskRegistry::open().value(), DatasetStore("/nonexistent"));
  ASSERT_FALSE(plan.has_value());
  EXPECT_EQ(plan.error().code, ErrorCode::kNotFound);
  EXPECT_NE(plan.error().message.find("r1eval data fetch math"), std::string::npos);
  EXPECT_NE(plan.error().message.find("math_500, aime_2024, aime_2025"), std::string::npos);
}

}  // namespace
}  // namespace r1eval
