// Sequences with pages in common are attended to together; that must not show in any bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "engine/cpu/attention_plan.h"
#include "engine/cpu/cpu_runner.h"
#include "kernels/kernels.h"
#include "tests/engine/cpu/tiny_runner.h"

namespace r1eval {
namespace {

std::unique_ptr<CpuRunner> make_tiny(int threads, Numerics numerics, bool shares) {
  CpuRunnerOptions options;
  options.threads = threads;
  options.numerics = numerics;
  options.share_attention = shares;
  return make_tiny(options);
}

// Two questions behind a common beginning, several samples each, and a stranger: every sample's
// tail of its own length, decoded beside a prompt that is still being read. Returns all logits.
std::vector<float> mixed_run(CpuRunner& runner) {
  std::vector<float> out;
  const auto feed = [&](const std::vector<StepChunk>& chunks) {
    const auto logits = runner.step(chunks);
    EXPECT_TRUE(logits) << logits.error().message;
    out.insert(out.end(), logits.value().begin(), logits.value().end());
  };
  const auto common = some_tokens(300, 1);  // one span and a part, nine pages and a part
  const auto left = some_tokens(90, 2);
  const auto right = some_tokens(260, 3);
  const SequenceId root = runner.open_sequence();
  feed({{root, common, 1}});
  std::vector<SequenceId> samples;
  for (const auto* question : {&left, &right}) {
    const SequenceId asked = runner.fork_sequence(root, 300).value();
    feed({{asked, *question, 1}});
    for (int i = 0; i < 6; ++i) {
      samples.push_back(
          runner.fork_sequence(asked, 300 + static_cast<std::int64_t>(question->size())).value());
    }
    samples.push_back(asked);
  }
  const SequenceId stranger = runner.open_sequence();
  const auto long_prompt = some_tokens(600, 4);
  std::size_t fed = 0;
  for (std::uint32_t round = 0; round < 12; ++round) {
    std::vector<std::vector<TokenId>> tails;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      tails.push_back(some_tokens(1 + (i + round) % 3 * 7, 100 * round + static_cast<unsigned>(i)));
    }
    std::vector<StepChunk> chunks;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      chunks.push_back({samples[i], tails[i], 1});
    }
    chunks.push_back({stranger, std::span(long_prompt).subspan(fed, 50), 2});
    fed += 50;
    feed(chunks);
  }
  return out;
}

TEST(AttentionSharingTest, ChangesNoBitOfAnyLogit) {
  for (const Numerics numerics : {Numerics::kReference, Numerics::kFast}) {
    const auto alone = mixed_run(*make_tiny(1, numerics, false));
    for (const int threads : {1, 3}) {
      const auto shared = mixed_run(*make_tiny(threads, numerics, true));
      ASSERT_EQ(shared.size(), alone.size());
      EXPECT_EQ(std::memcmp(shared.data(), alone.data(), alone.size() * sizeof(float)), 0);
    }
  }
}

TEST(AttentionPlanTest, CoversEveryHeadOnceAndPutsCommonPrefixesTogether) {
  // Page tables: three samples of one prompt, interleaved with three of another.
  const std::vector<std::vector<std::int32_t>> tables = {{7, 8, 20}, {1, 2, 21}, {7, 8, 22},
                                                         {1, 2, 23}, {7, 8, 24}, {1, 2, 25}};
  std::vector<cpu::StepToken> tokens;
  for (const auto& table : tables) {
    tokens.push_back({0, 70, table.data()});
  }
  cpu::AttentionPlan plan;
  plan.make(tokens, 3, 2, 1, true);
  ASSERT_EQ(plan.n_blocks(), 2);
  for (std::int64_t b = 0; b < 2; ++b) {
    const auto block = plan.block(b);
    ASSERT_EQ(block.size(), 9U);
    for (const auto& column : block) {
      EXPECT_EQ(column.token % 2, block.front().token % 2);
    }
  }
  plan.make(tokens, 3, 2, 1, false);
  EXPECT_EQ(plan.n_blocks(), 6);
}

TEST(AttentionPlanTest, CutsWhatIsWiderThanABlock) {
  const std::vector<std::int32_t> table = {0, 1, 2, 3};
  std::vector<cpu::StepToken> tokens;
  for (std::int64_t i = 0; i < 100; ++i) {
    tokens.push_back({0, i, table.data()});
  }
  for (const std::int64_t heads : {1, 3, 7, 50}) {
    cpu::AttentionPlan plan;
    plan.make(tokens, heads, 1, 1, true);
    std::vector<int> seen(static_cast<std::size_t>(100 * heads));
    for (std::int64_t b = 0; b < plan.n_blocks(); ++b) {
      EXPECT_LE(plan.block(b).size(), static_cast<std::size_t>(kernels::kMaxAttentionColumns));
      for (const auto& column : plan.block(b)) {
        ++seen[static_cast<std::size_t>(column.token * heads + column.head)];
      }
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), 100 * heads);
  }
}

}  // namespace
}  // namespace r1eval
