// The determinism contract end to end: a sample's tokens depend on model, prompt, settings and seed
// alone, whatever the batch, the chunks, the threads, the memory, and what is shared.
#include <gtest/gtest.h>

#include <array>
#include <map>

#include "base/json.h"
#include "base/rng.h"
#include "engine/cpu/cpu_runner.h"
#include "engine/scheduler.h"
#include "tests/engine/cpu/gguf_builder.h"
#include "tests/engine/cpu/random_checkpoint.h"
#include "tests/support/shared_data.h"

namespace r1eval {
namespace {

struct Schedule {
  CpuRunnerOptions runner;
  SchedulerOptions scheduler;
  std::uint64_t order = 0;  // of the jobs; 0: as they are
};

Schedule random_schedule(std::uint64_t round, std::int64_t longest_tokens) {
  std::uint64_t n_drawn = 0;
  const auto draw = [&](std::uint64_t below) {
    return static_cast<std::int64_t>(random_at(round, n_drawn++) % below);
  };
  Schedule schedule;
  schedule.runner.threads = 1 + static_cast<int>(draw(4));
  schedule.scheduler.max_sequences = 1 + draw(8);
  schedule.scheduler.prefill_tokens = 1 + draw(150);
  schedule.runner.max_step_tokens = schedule.scheduler.max_sequences + draw(100);
  // From what the longest sample needs to plenty: small caches preempt.
  schedule.runner.cache_tokens = longest_tokens + 32 + draw(3) * 48;
  schedule.runner.share_attention = draw(4) != 0;
  schedule.runner.keep_prefixes = draw(4) != 0;
  schedule.scheduler.share_prompts = draw(4) != 0;
  schedule.scheduler.plans_growth = draw(2) != 0;
  schedule.order = static_cast<std::uint64_t>(draw(3));
  return schedule;
}

using Tokens = std::map<std::int64_t, std::vector<std::int32_t>>;

struct Outcome {
  Tokens tokens;
  SchedulerStats stats;
};

Outcome run(const GgufFile& file, const std::vector<Job>& jobs, const Vocabulary& vocabulary,
            const Schedule& schedule) {
  Outcome outcome;
  auto runner = make_cpu_runner(file, schedule.runner);
  EXPECT_TRUE(runner) << runner.error().message;
  Scheduler scheduler(**runner, vocabulary, schedule.scheduler);
  const auto order = schedule.order == 0
                         ? std::vector<std::int64_t>()
                         : permutation(static_cast<std::int64_t>(jobs.size()), schedule.order);
  std::size_t next = 0;
  const CancelToken cancel;
  const Status status = scheduler.run(
      [&]() -> std::optional<Job> {
        if (next == jobs.size()) {
          return std::nullopt;
        }
        const std::size_t at = order.empty() ? next : static_cast<std::size_t>(order[next]);
        ++next;
        return jobs[at];
      },
      [&](std::int64_t index, Completion completion) {
        EXPECT_FALSE(completion.error.has_value()) << completion.error->message;
        EXPECT_TRUE(outcome.tokens.emplace(index, std::move(completion.token_ids)).second);
      },
      cancel);
  EXPECT_TRUE(status) << status.error().message;
  const CacheStats cache = (*runner)->cache_stats();
  EXPECT_EQ(cache.n_free, cache.n_pages);
  outcome.stats = scheduler.stats();
  return outcome;
}

// Two questions of several samples each behind a common beginning.
std::vector<Job> jobs_for(std::int64_t vocab) {
  std::vector<Job> jobs;
  constexpr std::array<std::int64_t, 5> kMaxTokens = {8, 52, 14, 70, 24};
  for (std::int64_t i = 0; i < 5; ++i) {
    const std::int64_t question = i / 3;
    Job job;
    job.index = i;
    job.group = "q" + std::to_string(question);
    const std::int64_t n = 34 + 8 * question;
    for (std::int64_t t = 0; t < n; ++t) {
      const std::uint64_t key =
          t < 33 && question < 2 ? 1 : static_cast<std::uint64_t>(question + 2);
      job.prompt.push_back(static_cast<TokenId>(1 + random_at(key, static_cast<std::uint64_t>(t)) %
                                                        static_cast<std::uint64_t>(vocab - 1)));
    }
    job.sampler.seed = static_cast<std::uint64_t>(900 + i);
    job.sampler.top_p = 0.95;
    job.max_tokens = kMaxTokens[static_cast<std::size_t>(i)];
    jobs.push_back(std::move(job));
  }
  return jobs;
}

Vocabulary letters(std::int64_t n_tokens) {
  Vocabulary vocabulary;
  vocabulary.n_tokens = n_tokens;
  vocabulary.is_end = [](TokenId id) { return id == 0; };
  vocabulary.text = [](TokenId id) { return std::string(1, static_cast<char>(' ' + id)); };
  return vocabulary;
}

// Rounds 1 to n against each sample alone in the simplest schedule; what the rounds did, summed.
SchedulerStats expect_same_tokens(const std::string& gguf, std::int64_t n_vocabulary,
                                  std::uint64_t n_rounds) {
  SchedulerStats seen;
  const auto file = GgufFile::parse(std::as_bytes(std::span(gguf)), "tiny");
  EXPECT_TRUE(file) << file.error().message;
  const std::vector<Job> jobs = jobs_for(n_vocabulary);
  const Vocabulary vocabulary = letters(n_vocabulary);
  Schedule alone;
  alone.runner.threads = 1;
  alone.runner.keep_prefixes = false;
  alone.runner.share_attention = false;
  alone.scheduler.max_sequences = 1;
  alone.scheduler.share_prompts = false;
  const Tokens expected = run(file.value(), jobs, vocabulary, alone).tokens;
  EXPECT_EQ(expected.size(), jobs.size());
  for (std::uint64_t round = 1; round <= n_rounds && !testing::Test::HasFailure(); ++round) {
    const Outcome outcome = run(file.value(), jobs, vocabulary, random_schedule(round, 136));
    EXPECT_EQ(outcome.tokens, expected) << "round " << round;
    seen.n_preempted += outcome.stats.n_preempted;
    seen.n_shared += outcome.stats.n_shared;
  }
  return seen;
}

TEST(SchedulesTest, AThousandRandomSchedulesGiveTheSameTokens) {
  const SchedulerStats seen = expect_same_tokens(tiny_model().build(), 97, 1000);
  // The schedules did what they are meant to vary.
  EXPECT_GT(seen.n_preempted, 100);
  EXPECT_GT(seen.n_shared, 10000);
}

// Latent attention and experts, quantised: which columns an expert sees depends on the batch.
TEST(SchedulesTest, RandomSchedulesOfAMixtureGiveTheSameTokens) {
  constexpr const char* kConfig =
      R"({"model_type": "deepseek_v3", "hidden_size": 64, "intermediate_size": 96,
          "num_hidden_layers": 2, "num_attention_heads": 2, "q_lora_rank": 32, "kv_lora_rank": 32,
          "qk_nope_head_dim": 32, "qk_rope_head_dim": 8, "v_head_dim": 32, "n_routed_experts": 8,
          "num_experts_per_tok": 3, "n_shared_experts": 1, "moe_intermediate_size": 32,
          "first_k_dense_replace": 1, "n_group": 2, "topk_group": 1, "norm_topk_prob": true,
          "routed_scaling_factor": 2.5, "vocab_size": 96, "max_position_embeddings": 1024})";
  const RandomCheckpoint checkpoint = random_checkpoint(parse_json(kConfig).value(), "F32", 5);
  const SchedulerStats seen = expect_same_tokens(gguf_twin(checkpoint, false, true), 96, 200);
  EXPECT_GT(seen.n_preempted, 20);
  EXPECT_GT(seen.n_shared, 2000);
}

// A budget of memory that holds a few of many samples: they take turns, and none is changed by it.
TEST(SchedulesTest, ATightMemoryBudgetPreemptsAndChangesNoToken) {
  const std::string gguf = tiny_model().build();
  const auto file = GgufFile::parse(std::as_bytes(std::span(gguf)), "tiny");
  ASSERT_TRUE(file) << file.error().message;
  std::vector<Job> jobs;
  for (std::int64_t i = 0; i < 12; ++i) {
    Job job = jobs_for(97)[0];
    job.index = i;
    job.group = "q";
    job.max_tokens = 150;
    job.sampler.seed = static_cast<std::uint64_t>(i);
    jobs.push_back(std::move(job));
  }
  Schedule schedule;
  schedule.runner.threads = 1;
  schedule.runner.max_step_tokens = 64;
  schedule.runner.cache_tokens = 4096;
  schedule.scheduler.max_sequences = 12;
  schedule.scheduler.plans_growth = false;
  const Outcome plenty = run(file.value(), jobs, letters(97), schedule);
  EXPECT_EQ(plenty.stats.n_preempted, 0);
  const auto runner = make_cpu_runner(file.value(), schedule.runner);
  ASSERT_TRUE(runner) << runner.error().message;
  const CpuRunnerInfo info = (*runner)->info();
  const std::int64_t token_bytes = info.cache_bytes / info.cache_tokens;
  schedule.runner.memory_bytes =
      info.weight_bytes + info.scratch_bytes + info.other_bytes + 420 * token_bytes;
  const Outcome tight = run(file.value(), jobs, letters(97), schedule);
  EXPECT_GT(tight.stats.n_preempted, 0);
  EXPECT_EQ(tight.tokens, plenty.tokens);
  // Less than a page is refused with the numbers, before anything is loaded.
  schedule.runner.memory_bytes -= 420 * token_bytes;
  const auto refused = make_cpu_runner(file.value(), schedule.runner);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
}

// The same on a real model, a few rounds.
TEST(SchedulesTest, ARealModelToo) {
  R1_REQUIRE_TEST_MODEL(model, "smollm2-135m.gguf");
  const auto file = GgufFile::open(model);
  ASSERT_TRUE(file) << file.error().message;
  const std::vector<Job> jobs = jobs_for(49152);
  Vocabulary vocabulary;
  vocabulary.n_tokens = 49152;
  vocabulary.is_end = [](TokenId id) { return id == 0; };
  vocabulary.text = [](TokenId) { return std::string("x"); };
  Schedule alone;
  alone.runner.threads = 1;
  alone.scheduler.max_sequences = 1;
  const Tokens expected = run(file.value(), jobs, vocabulary, alone).tokens;
  for (std::uint64_t round = 1; round <= 6; ++round) {
    ASSERT_EQ(run(file.value(), jobs, vocabulary, random_schedule(round, 136)).tokens, expected)
        << "round " << round;
  }
  report_cases("random schedules of smollm2-135m", 6);
}

}  // namespace
}  // namespace r1eval
