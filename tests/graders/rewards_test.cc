#include "graders/rewards.h"

#include <gtest/gtest.h>

namespace r1eval {
namespace {

TEST(FormatRewardTest, WantsBothBlocksOnTheirOwnLines) {
  EXPECT_EQ(reward_format_think_answer("<think>\nwhy\n</think>\n<answer>\n9\n</answer>"), 1);
  EXPECT_EQ(reward_format_think_answer("<think>\na\nb\n</think>\n<answer>\n9\n</answer>"), 1);
  EXPECT_EQ(reward_format_think_answer(" <think>\nwhy\n</think>\n<answer>\n9\n</answer>"), 0);
  EXPECT_EQ(reward_format_think_answer("<think>why</think><answer>9</answer>"), 0);
}

TEST(FormatRewardTest, WantsOneThinkingBlockAtTheStart) {
  EXPECT_EQ(reward_format_think("<think>a</think>b"), 1);
  EXPECT_EQ(reward_format_think("<think>a"), 0);
  EXPECT_EQ(reward_format_think("x<think>a</think>b"), 0);
  EXPECT_EQ(reward_format_think("<think>a</think>b<think>c</think>"), 0);
}

TEST(TagCountTest, CountsATagOnlyWhenItStandsOnce) {
  EXPECT_DOUBLE_EQ(reward_tag_count("<think>\na\n</think>\n<answer>\nb"), 0.75);
  EXPECT_DOUBLE_EQ(reward_tag_count("<think>\na\n</think>\n<answer>\nb\n</answer>"), 1.0);
  EXPECT_DOUBLE_EQ(reward_tag_count("<think>\n<think>\na\n</think>\nb"), 0.25);
}

TEST(ReasoningStepsTest, ThreeStepsAreAllOfIt) {
  EXPECT_DOUBLE_EQ(reward_reasoning_steps("no marks"), 0);
  EXPECT_DOUBLE_EQ(reward_reasoning_steps("1. begin\n- then"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(reward_reasoning_steps("Step 1: a Step 2: b Step 3: c Step 4: d"), 1);
}

TEST(CosineRewardTest, EndsAreTheParameters) {
  const CosineReward params;
  EXPECT_DOUBLE_EQ(reward_cosine(0, true, params), 1.0);
  EXPECT_DOUBLE_EQ(reward_cosine(1000, true, params), 0.5);
  EXPECT_DOUBLE_EQ(reward_cosine(0, false, params), -1.0);
  EXPECT_DOUBLE_EQ(reward_cosine(1000, false, params), -0.5);
}

TEST(RepetitionRewardTest, IsTheShareOfRepeatedGrams) {
  EXPECT_DOUBLE_EQ(reward_repetition_words("a b a B", 2, -1), -1.0 / 3);
  EXPECT_DOUBLE_EQ(reward_repetition_words("a", 2, -1), 0);
  const std::vector<std::int64_t> ids = {4, 4, 4, 4};
  EXPECT_DOUBLE_EQ(reward_repetition_ids(ids, 1, -2), -1.5);
}

TEST(LengthRewardTest, RanksAGroupByLength) {
  const std::vector<double> lengths = {10, 30, 50};
  const std::vector<double> rewards = reward_length_batch(lengths, {true, false, false});
  EXPECT_DOUBLE_EQ(rewards[0], 0.5);
  EXPECT_DOUBLE_EQ(rewards[1], 0);
  EXPECT_DOUBLE_EQ(rewards[2], -0.5);
  const std::vector<double> same = {7, 7};
  EXPECT_EQ(reward_length_batch(same, {true, false}), (std::vector<double>{0, 0}));
}

TEST(SoftOverlongTest, FallsOverTheCache) {
  EXPECT_DOUBLE_EQ(reward_soft_overlong(60, 100, 40), 0);
  EXPECT_DOUBLE_EQ(reward_soft_overlong(80, 100, 40), -0.5);
  EXPECT_DOUBLE_EQ(reward_soft_overlong(101, 100, 40), -1);
}

}  // namespace
}  // namespace r1eval
