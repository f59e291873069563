#include "engine/scoring.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/rng.h"
#include "engine/cpu/cpu_runner.h"
#include "tests/engine/cpu/gguf_builder.h"

namespace r1eval {
namespace {

std::unique_ptr<CpuRunner> make_tiny(std::int64_t cache_tokens) {
  static const std::string bytes = tiny_model().build();
  const auto file = GgufFile::parse(std::as_bytes(std::span(bytes)), "tiny");
  EXPECT_TRUE(file) << file.error().message;
  CpuRunnerOptions options;
  options.threads = 1;
  options.cache_tokens = cache_tokens;
  auto made = make_cpu_runner(file.value(), options);
  EXPECT_TRUE(made) << made.error().message;
  return std::move(made).value();
}

std::vector<TokenId> some_tokens(std::size_t n, std::uint64_t seed) {
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < n; ++i) {
    tokens.push_back(static_cast<TokenId>(random_at(seed, i) % 97));
  }
  return tokens;
}

// Log-probability of each token after the first, from whole rows of logits.
std::vector<double> plain_logprobs(ModelRunner& runner, const std::vector<TokenId>& tokens) {
  StepChunk chunk{runner.open_sequence(), tokens, static_cast<std::int64_t>(tokens.size())};
  const auto logits = runner.step({&chunk, 1}).value();
  std::vector<double> out;
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    double sum = 0;
    for (std::size_t v = 0; v < 97; ++v) {
      sum += std::exp(static_cast<double>(logits[i * 97 + v]));
    }
    out.push_back(static_cast<double>(logits[i * 97 + static_cast<std::size_t>(tokens[i + 1])]) -
                  std::log(sum));
  }
  runner.close_sequence(chunk.sequence);
  return out;
}

// Questions with a common beginning, four choices each, of one to several tokens.
std::vector<ScoreJob> some_jobs(std::int64_t n) {
  std::vector<ScoreJob> jobs;
  for (std::int64_t i = 0; i < n; ++i) {
    ScoreJob job;
    job.index = i;
    auto context = some_tokens(70, 1);
    const auto own =
        some_tokens(static_cast<std::size_t>(5 + 7 * i), 100 + static_cast<std::uint64_t>(i));
    context.insert(context.end(), own.begin(), own.end());
    for (std::size_t c = 0; c < 4; ++c) {
      job.texts.push_back({context, some_tokens(i % 2 == 0 ? 1 : 1 + c * 13, 200 + c)});
    }
    jobs.push_back(std::move(job));
  }
  return jobs;
}

std::map<std::int64_t, JobScore> run_all(ModelRunner& runner, const std::vector<ScoreJob>& jobs) {
  Scorer scorer(runner);
  std::map<std::int64_t, JobScore> scores;
  std::size_t next = 0;
  const CancelToken cancel;
  const Status status = scorer.run(
      [&]() -> std::optional<ScoreJob> {
        return next < jobs.size() ? std::optional<ScoreJob>(jobs[next++]) : std::nullopt;
      },
      [&](std::int64_t index, JobScore score) {
        EXPECT_TRUE(scores.emplace(index, std::move(score)).second);
      },
      cancel);
  EXPECT_TRUE(status) << status.error().message;
  EXPECT_EQ(runner.cache_stats().n_free, runner.cache_stats().n_pages);
  return scores;
}

TEST(ScorerTest, AgreesWithPlainForwardPasses) {
  const auto jobs = some_jobs(9);
  const auto runner = make_tiny(8192);
  const auto scores = run_all(*runner, jobs);
  ASSERT_EQ(scores.size(), jobs.size());
  for (const ScoreJob& job : jobs) {
    const JobScore& score = scores.at(job.index);
    ASSERT_FALSE(score.error.has_value());
    for (std::size_t t = 0; t < job.texts.size(); ++t) {
      auto all = job.texts[t].context;
      const auto& continuation = job.texts[t].continuation;
      all.insert(all.end(), continuation.begin(), continuation.end());
      const auto expected = plain_logprobs(*runner, all);
      double sum = 0;
      ASSERT_EQ(score.texts[t].token_logprobs.size(), continuation.size());
      for (std::size_t i = 0; i < continuation.size(); ++i) {
        const double logprob = expected[expected.size() - continuation.size() + i];
        EXPECT_NEAR(score.texts[t].token_logprobs[i], logprob, 2e-5);
        sum += score.texts[t].token_logprobs[i];
      }
      EXPECT_EQ(score.texts[t].sum_logprob, sum);
    }
  }
}

TEST(ScorerTest, ASmallCacheGivesTheSameBits) {
  const auto jobs = some_jobs(9);
  const auto expected = run_all(*make_tiny(8192), jobs);
  const auto scores = run_all(*make_tiny(320), jobs);
  for (const auto& [index, score] : scores) {
    ASSERT_FALSE(score.error.has_value()) << score.error->message;
    for (std::size_t t = 0; t < score.texts.size(); ++t) {
      EXPECT_EQ(score.texts[t].token_logprobs, expected.at(index).texts[t].token_logprobs);
    }
  }
}

TEST(ScorerTest, SaysWhichContinuationIsGreedy) {
  const auto runner = make_tiny(1024);
  const auto context = some_tokens(20, 3);
  StepChunk chunk{runner->open_sequence(), context, 0};
  const ScoreTarget target{19, 0};
  chunk.targets = {&target, 1};
  ASSERT_TRUE(runner->step({&chunk, 1}));
  const TokenId best = runner->scores()[0].best;
  runner->close_sequence(chunk.sequence);
  const TokenId other = best == 5 ? 6 : 5;
  const auto scores = run_all(*runner, {{0, {{context, {best}}, {context, {other}}}}});
  EXPECT_TRUE(scores.at(0).texts[0].is_greedy);
  EXPECT_FALSE(scores.at(0).texts[1].is_greedy);
  EXPECT_GT(scores.at(0).texts[0].sum_logprob, scores.at(0).texts[1].sum_logprob);
}

TEST(ScorerTest, WhatFitsNeitherContextNorCacheIsRefusedWithTheSizesAndTheRestGoesOn) {
  const auto runner = make_tiny(256);
  std::vector<ScoreJob> jobs = {{0, {{some_tokens(3000, 1), {1}}}},
                                {1, {{some_tokens(300, 1), {1}}}},
                                {2, {{some_tokens(30, 1), {1}}}}};
  const auto scores = run_all(*runner, jobs);
  ASSERT_TRUE(scores.at(0).error.has_value());
  EXPECT_NE(scores.at(0).error->message.find("3001"), std::string::npos);
  EXPECT_NE(scores.at(0).error->message.find("2048"), std::string::npos);
  ASSERT_TRUE(scores.at(1).error.has_value());
  EXPECT_NE(scores.at(1).error->message.find("256"), std::string::npos);
  EXPECT_FALSE(scores.at(2).error.has_value());
}

}  // namespace
}  // namespace r1eval
