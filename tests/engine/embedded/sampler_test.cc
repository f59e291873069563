#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/rng.h"

namespace r1eval {
namespace {

std::vector<float> random_logits(std::size_t n, std::uint64_t key) {
  std::vector<float> logits;
  for (std::size_t i = 0; i < n; ++i) {
    logits.push_back(static_cast<float>(12 * uniform_at(key, i) - 6));
  }
  return logits;
}

// The definition, step by step, with a full sort.
TokenId plain(const std::vector<float>& logits, std::int64_t n, const SamplerConfig& c,
              std::uint64_t index) {
  std::vector<std::size_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
  if (c.temperature == 0) {
    return static_cast<TokenId>(order[0]);
  }
  std::vector<double> p;
  for (const std::size_t i : order) {
    p.push_back(std::exp((static_cast<double>(logits[i]) - logits[order[0]]) / c.temperature));
  }
  if (c.top_k > 0) {
    p.resize(std::min(p.size(), static_cast<std::size_t>(c.top_k)));
  }
  double total = std::accumulate(p.begin(), p.end(), 0.0);
  double mass = 0;
  for (std::size_t i = 0; i < p.size() && c.top_p < 1; ++i) {
    mass += p[i];
    if (mass >= c.top_p * total) {
      p.resize(i + 1);
    }
  }
  while (p.size() > 1 && p.back() < c.min_p) {
    p.pop_back();
  }
  total = std::accumulate(p.begin(), p.end(), 0.0);
  const double point = uniform_at(c.seed, index) * total;
  mass = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    mass += p[i];
    if (point < mass) {
      return static_cast<TokenId>(order[i]);
    }
  }
  return static_cast<TokenId>(order[p.size() - 1]);
}

TEST(SamplerTest, DrawsAsTheDefinitionDoes) {
  int differs = 0;
  for (std::uint64_t round = 0; round < 400; ++round) {
    const std::vector<float> logits = random_logits(300, round);
    SamplerConfig config;
    config.seed = round;
    config.temperature = 0.3 + 0.2 * static_cast<double>(round % 7);
    config.top_p = round % 3 == 0 ? 1.0 : 0.5 + 0.05 * static_cast<double>(round % 10);
    config.top_k = round % 4 == 0 ? static_cast<std::int64_t>(round % 40) : 0;
    config.min_p = round % 5 == 0 ? 0.05 : 0;
    differs +=
        sample_token(logits, 300, config, round) == plain(logits, 300, config, round) ? 0 : 1;
  }
  EXPECT_EQ(differs, 0);
}

TEST(SamplerTest, GreedyTakesTheLowestIdAmongEquals) {
  SamplerConfig greedy;
  greedy.temperature = 0;
  EXPECT_EQ(sample_token(std::vector<float>{1, 5, 5, 2}, 4, greedy, 0), 1);
}

TEST(SamplerTest, PaddingOfTheVocabularyIsNeverDrawn) {
  const std::vector<float> logits = {0, 0, 100};
  SamplerConfig config;
  for (std::uint64_t i = 0; i < 100; ++i) {
    EXPECT_LT(sample_token(logits, 2, config, i), 2);
  }
}

TEST(SamplerTest, FrequenciesFollowTheProbabilities) {
  const std::vector<float> logits = {std::log(0.5F), std::log(0.3F), std::log(0.2F)};
  SamplerConfig config;
  config.seed = 11;
  std::map<TokenId, int> counts;
  for (std::uint64_t i = 0; i < 20000; ++i) {
    ++counts[sample_token(logits, 3, config, i)];
  }
  EXPECT_NEAR(counts[0] / 20000.0, 0.5, 0.015);
  EXPECT_NEAR(counts[1] / 20000.0, 0.3, 0.015);
}

TEST(SamplerTest, LogprobsSumToOne) {
  const std::vector<float> logits = random_logits(50, 3);
  double total = 0;
  for (TokenId i = 0; i < 50; ++i) {
    total += std::exp(token_logprob(logits, 50, i));
  }
  EXPECT_NEAR(total, 1, 1e-9);
}

}  // namespace
}  // namespace r1eval
