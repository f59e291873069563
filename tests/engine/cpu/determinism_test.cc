// The contract of ModelRunner: a token's logits are the same bits whatever else is computed with
// it.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "engine/cpu/cpu_runner.h"
#include "tests/engine/cpu/tiny_runner.h"

namespace r1eval {
namespace {

std::unique_ptr<CpuRunner> make_tiny(int threads, Numerics numerics,
                                     std::int64_t cache_tokens = 8192) {
  CpuRunnerOptions options;
  options.threads = threads;
  options.numerics = numerics;
  options.cache_tokens = cache_tokens;
  return make_tiny(options);
}

std::vector<float> step_one(CpuRunner& runner, SequenceId id, std::span<const TokenId> tokens) {
  const StepChunk chunk{id, tokens, static_cast<std::int64_t>(tokens.size())};
  const auto logits = runner.step({&chunk, 1});
  EXPECT_TRUE(logits) << logits.error().message;
  return {logits.value().begin(), logits.value().end()};
}

std::vector<float> whole(CpuRunner& runner, const std::vector<TokenId>& tokens) {
  const SequenceId id = runner.open_sequence();
  auto out = step_one(runner, id, tokens);
  runner.close_sequence(id);
  return out;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

class DeterminismTest : public testing::TestWithParam<Numerics> {};

TEST_P(DeterminismTest, ChunkedPrefillEqualsWholePrefill) {
  const auto runner = make_tiny(1, GetParam());
  const auto tokens = some_tokens(300, 1);  // beyond one attention span
  const auto expected = whole(*runner, tokens);
  for (const std::size_t size : {1U, 5U, 32U, 33U, 257U}) {
    const SequenceId id = runner->open_sequence();
    std::vector<float> ours;
    for (std::size_t at = 0; at < tokens.size(); at += size) {
      const auto part = step_one(
          *runner, id, {tokens.data() + at, std::min<std::size_t>(size, tokens.size() - at)});
      ours.insert(ours.end(), part.begin(), part.end());
    }
    runner->close_sequence(id);
    EXPECT_TRUE(same_bits(ours, expected)) << "chunks of " << size;
  }
}

TEST_P(DeterminismTest, AnyThreadCountGivesTheSameBits) {
  const auto tokens = some_tokens(90, 2);
  const auto expected = whole(*make_tiny(1, GetParam()), tokens);
  for (const int threads : {2, 3, 5}) {
    EXPECT_TRUE(same_bits(whole(*make_tiny(threads, GetParam()), tokens), expected)) << threads;
  }
}

TEST_P(DeterminismTest, TheRestOfTheBatchDoesNotMatter) {
  const auto runner = make_tiny(2, GetParam());
  constexpr std::size_t kMost = 17;
  std::vector<std::vector<TokenId>> prompts;
  std::vector<std::vector<float>> expected;
  for (std::size_t i = 0; i < kMost; ++i) {
    prompts.push_back(some_tokens(3 + 5 * i, static_cast<std::uint32_t>(10 + i)));
    expected.push_back(whole(*runner, prompts.back()));
  }
  for (std::size_t n = 1; n <= kMost; ++n) {
    std::vector<StepChunk> chunks;
    for (std::size_t i = 0; i < n; ++i) {
      // Fed but for their last token, which then stands in one step with the others'.
      const std::span<const TokenId> prompt = prompts[i];
      const SequenceId id = runner->open_sequence();
      step_one(*runner, id, prompt.first(prompt.size() - 1));
      chunks.push_back({id, prompt.last(1), 1});
    }
    const auto logits = runner->step(chunks);
    ASSERT_TRUE(logits);
    const std::size_t vocab = 97;
    for (std::size_t i = 0; i < n; ++i) {
      EXPECT_TRUE(
          same_bits(logits.value().subspan(i * vocab, vocab), std::span(expected[i]).last(vocab)))
          << "sequence " << i << " of " << n;
      runner->close_sequence(chunks[i].sequence);
    }
  }
}

TEST_P(DeterminismTest, AForkGoesOnAsAFreshSequenceWould) {
  const auto runner = make_tiny(2, GetParam());
  const auto prompt = some_tokens(75, 3);
  for (const std::size_t shared : {0U, 31U, 32U, 64U, 75U}) {
    const SequenceId parent = runner->open_sequence();
    step_one(*runner, parent, prompt);
    const auto child = runner->fork_sequence(parent, static_cast<std::int64_t>(shared));
    ASSERT_TRUE(child);
    const auto tail = some_tokens(40, 4);
    const auto parent_tail = some_tokens(40, 5);
    step_one(*runner, parent, parent_tail);  // must not disturb the child's pages
    const auto ours = step_one(*runner, child.value(), tail);
    auto all = prompt;
    all.resize(shared);
    all.insert(all.end(), tail.begin(), tail.end());
    const auto expected = whole(*runner, all);
    EXPECT_TRUE(same_bits(ours, std::span(expected).last(ours.size()))) << shared;
    runner->close_sequence(parent);
    runner->close_sequence(child.value());
  }
}

INSTANTIATE_TEST_SUITE_P(Numerics, DeterminismTest,
                         testing::Values(Numerics::kReference, Numerics::kFast),
                         [](const auto& made) {
                           return made.param == Numerics::kReference ? "Reference" : "Fast";
                         });

TEST(CpuRunnerTest, AStepThatDoesNotFitChangesNothing) {
  const auto runner = make_tiny(1, Numerics::kFast, 64);  // two pages
  const auto tokens = some_tokens(33, 6);
  const SequenceId a = runner->open_sequence();
  const SequenceId b = runner->open_sequence();
  const auto before = step_one(*runner, a, std::span(tokens).first(10));
  const std::vector<StepChunk> chunks = {{a, std::span(tokens).subspan(10, 20), 1}, {b, tokens, 1}};
  const auto refused = runner->step(chunks);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(runner->sequence_tokens(a), 10);
  EXPECT_EQ(runner->sequence_tokens(b), 0);
  EXPECT_EQ(runner->cache_stats().n_free, 1);
  runner->close_sequence(a);
  EXPECT_EQ(runner->cache_stats().n_free, 2);
  EXPECT_EQ(step_one(*runner, b, tokens).size(), 33U * 97U);
  const auto fork = runner->fork_sequence(b, 33);
  ASSERT_FALSE(fork);
  EXPECT_EQ(fork.error().code, ErrorCode::kResourceExhausted);
}

TEST(CpuRunnerTest, RefusesTokensOutsideTheVocabularyAndTheContext) {
  const auto runner = make_tiny(1, Numerics::kFast);
  const SequenceId id = runner->open_sequence();
  const std::vector<TokenId> bad = {97};
  const StepChunk outside{id, bad, 1};
  EXPECT_EQ(runner->step({&outside, 1}).error().code, ErrorCode::kInvalidArgument);
  const auto tokens = some_tokens(512, 7);
  for (int i = 0; i < 4; ++i) {
    step_one(*runner, id, tokens);
  }
  const StepChunk beyond{id, std::span(tokens).first(1), 1};
  EXPECT_EQ(runner->step({&beyond, 1}).error().code, ErrorCode::kInvalidArgument);
  const StepChunk unknown{id + 1, std::span(tokens).first(1), 1};
  EXPECT_EQ(runner->step({&unknown, 1}).error().code, ErrorCode::kInvalidArgument);
}

TEST(CpuRunnerTest, NamesATensorThatIsMissingMisshapenOrUnknown) {
  const auto message = [](const GgufBuilder& builder) {
    const std::string bytes = builder.build();
    const auto file = GgufFile::parse(std::as_bytes(std::span(bytes)), "m.gguf");
    EXPECT_TRUE(file);
    const auto made = make_cpu_runner(file.value(), {});
    EXPECT_FALSE(made);
    return made ? std::string() : made.error().message;
  };
  GgufBuilder unknown = tiny_model();
  unknown.random_f32("blk.0.attn_q_norm.weight", {16}, 1.0F, 0.1F);
  EXPECT_NE(message(unknown).find("blk.0.attn_q_norm.weight"), std::string::npos);
  GgufBuilder misshapen = tiny_model();
  misshapen.random_f32("output.weight", {64, 96}, 0.0F, 1.0F);
  EXPECT_NE(message(misshapen).find("output.weight is 96 x 64"), std::string::npos);
  GgufBuilder bias = tiny_model();
  bias.random_f32("blk.1.attn_norm.bias", {64}, 0.0F, 1.0F);
  EXPECT_NE(message(bias).find("blk.1.attn_norm.bias"), std::string::npos);
}

TEST(CpuRunnerTest, RefusesWithNumbersWhatMemoryCannotHold) {
  const std::string bytes = tiny_model().build();
  const auto file = GgufFile::parse(std::as_bytes(std::span(bytes)), "m.gguf");
  ASSERT_TRUE(file);
  CpuRunnerOptions options;
  options.cache_tokens = std::int64_t{1} << 31;  // 512 GiB
  const auto made = make_cpu_runner(file.value(), options);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kResourceExhausted);
  EXPECT_NE(made.error().message.find("MiB"), std::string::npos);
}

}  // namespace
}  // namespace r1eval
