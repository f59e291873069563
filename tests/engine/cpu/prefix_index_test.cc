#include "engine/cpu/prefix_index.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "engine/cpu/cpu_runner.h"
#include "tests/engine/cpu/gguf_builder.h"

namespace r1eval::cpu {
namespace {

constexpr std::int64_t kPage = 4;

std::vector<TokenId> page_of(TokenId a, TokenId b) {
  return {a, b, a, b};
}

std::vector<TokenId> joined(std::initializer_list<std::vector<TokenId>> parts) {
  std::vector<TokenId> all;
  for (const auto& part : parts) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

TEST(PrefixIndexTest, FindsTheLongestRunOfPagesAndNoFalseOne) {
  PrefixIndex index(8, kPage, "m");
  const auto a = page_of(1, 2);
  const auto b = page_of(3, 4);
  EXPECT_EQ(index.insert(-1, a, 5), 5);
  EXPECT_EQ(index.insert(5, b, 2), 2);
  EXPECT_EQ(index.find(joined({a, b, a}), 9), (std::vector<std::int32_t>{5, 2}));
  EXPECT_EQ(index.find(joined({a, b}), 1), (std::vector<std::int32_t>{5}));
  EXPECT_EQ(index.find(joined({a, a}), 9), (std::vector<std::int32_t>{5}));
  EXPECT_TRUE(index.find(b, 9).empty());  // known only as the second page
  EXPECT_TRUE(index.find(std::span(a).first(3), 9).empty());
}

TEST(PrefixIndexTest, KnowsAContentOnce) {
  PrefixIndex index(8, kPage, "m");
  index.insert(-1, page_of(1, 2), 0);
  EXPECT_EQ(index.insert(-1, page_of(1, 2), 1), 0);
  EXPECT_FALSE(index.holds(1));
}

TEST(PrefixIndexTest, EvictsTheLongestReleasedAndNeverBeforeWhatContinuesIt) {
  PrefixIndex index(8, kPage, "m");
  index.insert(-1, page_of(1, 1), 0);
  index.insert(0, page_of(2, 2), 1);
  index.insert(-1, page_of(3, 3), 2);
  index.insert(-1, page_of(4, 4), 3);
  index.release(0);  // before the page that continues it
  index.release(2);
  index.release(1);
  EXPECT_EQ(index.n_idle(), 3);
  EXPECT_EQ(index.evict(), 2);
  EXPECT_EQ(index.evict(), 1);
  EXPECT_EQ(index.evict(), 0);
  EXPECT_EQ(index.n_idle(), 0);  // page 3 is in use
  EXPECT_TRUE(index.holds(3));
  index.release(3);
  index.use(3);
  EXPECT_EQ(index.n_idle(), 0);
}

// The runner's side: what is taken from the index has the same bits as what is computed.
TEST(PrefixIndexTest, ASequenceOnKnownPagesGivesTheSameLogits) {
  const std::string bytes = tiny_model().build();
  const auto file = GgufFile::parse(std::as_bytes(std::span(bytes)), "tiny");
  ASSERT_TRUE(file);
  CpuRunnerOptions options;
  options.threads = 1;
  options.cache_tokens = 12 * 32;
  auto runner = make_cpu_runner(file.value(), options).value();
  std::int64_t n_known = 0;
  for (std::uint64_t round = 0; round < 60; ++round) {
    // Prompts over few tokens and lengths, so that many begin alike; a small cache, so that pages
    // go.
    std::vector<TokenId> prompt(static_cast<std::size_t>(20 + random_at(round, 0) % 200));
    const auto seed = random_at(round, 1) % 3;
    const std::size_t changes_at = 64 * static_cast<std::size_t>(random_at(round, 2) % 3);
    for (std::size_t i = 0; i < prompt.size(); ++i) {
      prompt[i] = static_cast<TokenId>(random_at(i < changes_at ? 0 : seed, 100 + i) % 97);
    }
    const SequenceId id = runner->open_sequence(prompt);
    const std::int64_t n = runner->sequence_tokens(id);
    ASSERT_LT(n, static_cast<std::int64_t>(prompt.size()));
    n_known += n;
    const StepChunk chunk{id, std::span<const TokenId>(prompt).subspan(static_cast<std::size_t>(n)),
                          1};
    const auto logits = runner->step({&chunk, 1});
    ASSERT_TRUE(logits) << logits.error().message;
    const std::vector<float> ours(logits->begin(), logits->end());
    runner->close_sequence(id);
    EXPECT_EQ(runner->cache_stats().n_free, 12);
    auto fresh_options = options;
    fresh_options.keep_prefixes = false;
    auto fresh = make_cpu_runner(file.value(), fresh_options).value();
    const StepChunk whole{fresh->open_sequence(), prompt, 1};
    const auto expected = fresh->step({&whole, 1});
    ASSERT_TRUE(expected);
    EXPECT_EQ(ours, std::vector<float>(expected->begin(), expected->end())) << "round " << round;
  }
  EXPECT_GT(n_known, 1000);
}

}  // namespace
}  // namespace r1eval::cpu
