// Who a token goes to: groups, masks, ties.
#include "engine/cpu/layers/router.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace r1eval::cpu {
namespace {

struct Routed {
  std::vector<std::int32_t> experts;
  std::vector<float> weights;
};

Routed routed(const Experts& experts, const std::vector<float>& logits,
              const std::vector<float>& bias) {
  std::vector<float> scores(
      static_cast<std::size_t>(2 * experts.n_routed + experts.router.n_groups));
  Routed out;
  out.experts.resize(static_cast<std::size_t>(experts.n_used));
  out.weights.resize(static_cast<std::size_t>(experts.n_used));
  route(experts, logits.data(), bias.empty() ? nullptr : bias.data(), scores.data(),
        out.experts.data(), out.weights.data());
  return out;
}

Experts sigmoid_experts() {
  Experts experts;
  experts.n_routed = 6;
  experts.n_used = 2;
  experts.router.scores = Router::Scores::kSigmoid;
  experts.router.group_score = Router::GroupScore::kBestTwo;
  experts.router.n_groups = 3;
  experts.router.n_groups_used = 1;
  experts.router.has_bias = true;
  return experts;
}

TEST(RouterTest, NeverTakesAnExpertOfAnExcludedGroupHoweverLowTheOthersAre) {
  // All biased scores are negative: a mask of 0 would let excluded experts win.
  const Routed out =
      routed(sigmoid_experts(), {0, 0, 0, 0, 0, 0}, {-3.0F, -3.0F, -2.0F, -2.5F, -9.0F, -1.0F});
  EXPECT_EQ(out.experts, (std::vector<std::int32_t>{2, 3}));
}

TEST(RouterTest, ScoresAGroupByItsBestTwoBiasedScores) {
  // Group 2 has the best single expert, group 0 the best pair.
  const Routed out =
      routed(sigmoid_experts(), {0, 0, 0, 0, 0, 0}, {0.4F, 0.4F, 0.0F, 0.0F, 0.6F, 0.0F});
  EXPECT_EQ(out.experts, (std::vector<std::int32_t>{0, 1}));
}

TEST(RouterTest, WeighsByTheScoreWithoutItsBias) {
  Experts experts = sigmoid_experts();
  experts.router.n_groups = 1;
  experts.router.normalizes = true;
  experts.router.scale = 2.5F;
  const Routed out = routed(experts, {0, 1, 2, 3, 4, 5}, {9, 0, 8, 0, 0, 0});
  EXPECT_EQ(out.experts, (std::vector<std::int32_t>{0, 2}));
  const float first = 0.5F;
  const float second = 1.0F / (1.0F + std::exp(-2.0F));
  EXPECT_NEAR(out.weights[0], 2.5F * first / (first + second), 1e-6F);
  EXPECT_NEAR(out.weights[1], 2.5F * second / (first + second), 1e-6F);
}

TEST(RouterTest, GivesTiesToTheLowerIndexOfGroupsAndExperts) {
  Experts experts;
  experts.n_routed = 6;
  experts.n_used = 3;
  experts.router.n_groups = 3;
  experts.router.n_groups_used = 2;
  const Routed out = routed(experts, {1, 1, 1, 1, 1, 1}, {});
  EXPECT_EQ(out.experts, (std::vector<std::int32_t>{0, 1, 2}));
  EXPECT_NEAR(out.weights[0], 1.0F / 6.0F, 1e-6F);
}

}  // namespace
}  // namespace r1eval::cpu
