// Scores of given tokens against whole rows of logits.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/rng.h"
#include "engine/cpu/cpu_runner.h"
#include "tests/engine/cpu/gguf_builder.h"

namespace r1eval {
namespace {

constexpr std::int64_t kVocab = 97;

std::unique_ptr<CpuRunner> make_tiny(int threads, std::int64_t real_tokens = 0) {
  static const std::string bytes = tiny_model().build();
  const auto file = GgufFile::parse(std::as_bytes(std::span(bytes)), "tiny");
  EXPECT_TRUE(file) << file.error().message;
  CpuRunnerOptions options;
  options.threads = threads;
  options.real_tokens = real_tokens;
  auto made = make_cpu_runner(file.value(), options);
  EXPECT_TRUE(made) << made.error().message;
  return std::move(made).value();
}

std::vector<TokenId> some_tokens(std::size_t n, std::uint64_t seed) {
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < n; ++i) {
    tokens.push_back(static_cast<TokenId>(random_at(seed, i) % kVocab));
  }
  return tokens;
}

std::vector<ScoreTarget> next_tokens(const std::vector<TokenId>& tokens) {
  std::vector<ScoreTarget> targets;
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    targets.push_back({static_cast<std::int64_t>(i), tokens[i + 1]});
  }
  return targets;
}

std::vector<TokenScore> scores_of(CpuRunner& runner, const std::vector<TokenId>& tokens,
                                  const std::vector<ScoreTarget>& targets) {
  StepChunk chunk{runner.open_sequence(), tokens, 0};
  chunk.targets = targets;
  const auto rows = runner.step({&chunk, 1});
  EXPECT_TRUE(rows) << rows.error().message;
  EXPECT_TRUE(rows->empty());
  runner.close_sequence(chunk.sequence);
  return {runner.scores().begin(), runner.scores().end()};
}

TEST(ScoresTest, AgreeWithRowsOfLogits) {
  for (const std::int64_t n_real : {std::int64_t{0}, std::int64_t{90}}) {
    const auto runner = make_tiny(2, n_real);
    const auto tokens = some_tokens(70, 1);  // more than a group of scored rows
    const auto scores = scores_of(*runner, tokens, next_tokens(tokens));
    ASSERT_EQ(scores.size(), 69U);
    StepChunk whole{runner->open_sequence(), tokens, 70};
    whole.wants_log_sums = true;
    const auto logits = runner->step({&whole, 1}).value();
    ASSERT_EQ(runner->log_sums().size(), 70U);
    const std::int64_t n = n_real == 0 ? kVocab : n_real;
    for (std::size_t i = 0; i < 69; ++i) {
      double sum = 0;
      std::int64_t best = 0;
      for (std::int64_t v = 0; v < n; ++v) {
        const auto at = i * kVocab + static_cast<std::size_t>(v);
        sum += std::exp(static_cast<double>(logits[at]));
        best = logits[at] > logits[i * kVocab + static_cast<std::size_t>(best)] ? v : best;
      }
      EXPECT_NEAR(runner->log_sums()[i], std::log(sum), 1e-5);
      EXPECT_EQ(scores[i].best, best);
      const TokenId target = tokens[i + 1];
      if (target >= n) {
        EXPECT_EQ(scores[i].logprob, -INFINITY);  // padding
      } else {
        // The same products, so the same bits up to the subtraction.
        EXPECT_EQ(scores[i].logprob,
                  static_cast<double>(logits[i * kVocab + static_cast<std::size_t>(target)]) -
                      runner->log_sums()[i]);
      }
    }
  }
}

TEST(ScoresTest, DoNotDependOnTheRestOfTheStepOrOnThreads) {
  const auto tokens = some_tokens(50, 2);
  const auto targets = next_tokens(tokens);
  const auto expected = scores_of(*make_tiny(1), tokens, targets);
  const auto runner = make_tiny(3);
  const auto other = some_tokens(33, 3);
  std::vector<StepChunk> chunks = {{runner->open_sequence(), other, 2},
                                   {runner->open_sequence(), tokens, 0}};
  chunks[1].targets = targets;
  ASSERT_TRUE(runner->step(chunks));
  ASSERT_EQ(runner->scores().size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(runner->scores()[i].logprob, expected[i].logprob);
  }
}

TEST(ScoresTest, SeveralTokensOfOneRowShareIt) {
  const auto runner = make_tiny(1);
  const auto tokens = some_tokens(5, 4);
  const auto scores = scores_of(*runner, tokens, {{4, 1}, {4, 2}, {4, 3}});
  const auto one = scores_of(*runner, tokens, {{4, 2}});
  ASSERT_EQ(scores.size(), 3U);
  EXPECT_EQ(scores[1].logprob, one[0].logprob);
  EXPECT_EQ(scores[0].best, scores[2].best);
}

TEST(ScoresTest, RefusesTargetsOutsideTheChunk) {
  const auto runner = make_tiny(1);
  const auto tokens = some_tokens(3, 5);
  for (const ScoreTarget& bad : {ScoreTarget{3, 0}, ScoreTarget{-1, 0}, ScoreTarget{0, 97}}) {
    StepChunk chunk{runner->open_sequence(), tokens, 0};
    chunk.targets = {&bad, 1};
    EXPECT_EQ(runner->step({&chunk, 1}).error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace r1eval
