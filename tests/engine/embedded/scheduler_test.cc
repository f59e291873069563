#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <utility>

#include "base/rng.h"

namespace r1eval {
namespace {

constexpr std::int64_t kVocab = 40;
constexpr TokenId kEnd = 0;

// A model whose logits are a hash of all tokens before: any mix-up of sequences, positions or pages
// shows in the text. Pages are counted as a real cache would.
class HashRunner : public ModelRunner {
 public:
  HashRunner(std::int64_t n_pages, std::int64_t max_step)
      : n_free_(n_pages), n_pages_(n_pages), max_step_(max_step) {}

  std::int64_t vocab_size() const override { return kVocab; }

  std::int64_t context_tokens() const override { return 200; }

  CacheStats cache_stats() const override { return {kPage, n_pages_, n_free_}; }

  std::int64_t max_step_tokens() const override { return max_step_; }

  SequenceId open_sequence() override {
    sequences_[next_] = {};
    return next_++;
  }

  Result<SequenceId> fork_sequence(SequenceId parent, std::int64_t n) override {
    std::vector<TokenId> tokens(sequences_.at(parent).begin(), sequences_.at(parent).begin() + n);
    if (pages(n) > n_free_) {
      return fail(ErrorCode::kResourceExhausted, "pages");
    }
    n_free_ -= pages(n);
    sequences_[next_] = std::move(tokens);
    return next_++;
  }

  void close_sequence(SequenceId id) override {
    n_free_ += pages(sequence_tokens(id));
    sequences_.erase(id);
  }

  std::int64_t sequence_tokens(SequenceId id) const override {
    return static_cast<std::int64_t>(sequences_.at(id).size());
  }

  Result<std::span<const float>> step(std::span<const StepChunk> chunks) override {
    std::int64_t needed = 0;
    std::int64_t n_tokens = 0;
    for (const StepChunk& chunk : chunks) {
      const std::int64_t had = sequence_tokens(chunk.sequence);
      needed += pages(had + static_cast<std::int64_t>(chunk.tokens.size())) - pages(had);
      n_tokens += static_cast<std::int64_t>(chunk.tokens.size());
    }
    EXPECT_LE(n_tokens, max_step_);
    if (needed > n_free_) {
      return fail(ErrorCode::kResourceExhausted, "pages");
    }
    n_free_ -= needed;
    logits_.clear();
    for (const StepChunk& chunk : chunks) {
      auto& tokens = sequences_.at(chunk.sequence);
      tokens.insert(tokens.end(), chunk.tokens.begin(), chunk.tokens.end());
      if (chunk.logit_rows == 1) {
        std::uint64_t hash = 7;
        for (const TokenId token : tokens) {
          hash = random_at(hash, static_cast<std::uint64_t>(token));
        }
        for (std::int64_t v = 0; v < kVocab; ++v) {
          logits_.push_back(
              static_cast<float>(3 * uniform_at(hash, static_cast<std::uint64_t>(v))));
        }
      }
    }
    return std::span<const float>(logits_);
  }

  bool all_closed() const { return sequences_.empty() && n_free_ == n_pages_; }

 private:
  static constexpr std::int64_t kPage = 8;

  static std::int64_t pages(std::int64_t n) { return (n + kPage - 1) / kPage; }

  std::map<SequenceId, std::vector<TokenId>> sequences_;
  SequenceId next_ = 0;
  std::int64_t n_free_;
  const std::int64_t n_pages_;
  const std::int64_t max_step_;
  std::vector<float> logits_;
};

Vocabulary letters() {
  Vocabulary vocabulary;
  vocabulary.n_tokens = kVocab;
  vocabulary.is_end = [](TokenId id) { return id == kEnd; };
  vocabulary.text = [](TokenId id) { return std::string(1, static_cast<char>('A' + id)); };
  return vocabulary;
}

Job job_for(std::int64_t index) {
  Job job;
  job.index = index;
  const std::int64_t question = index / 3;  // three samples each
  job.group = "q" + std::to_string(question);
  const std::int64_t length = 5 + (question * 7) % 40;
  for (std::int64_t i = 0; i < length; ++i) {
    job.prompt.push_back(static_cast<TokenId>(1 + (question * 13 + i * 5) % (kVocab - 1)));
  }
  job.sampler.seed = static_cast<std::uint64_t>(index) + 100;
  job.max_tokens = 1 + (index * 11) % 60;
  return job;
}

struct Schedule {
  std::int64_t n_pages = 1000;
  std::int64_t max_step = 512;
  SchedulerOptions options;
};

std::map<std::int64_t, Completion> run_all(const Schedule& schedule, std::int64_t n_jobs) {
  HashRunner runner(schedule.n_pages, schedule.max_step);
  Scheduler scheduler(runner, letters(), schedule.options);
  std::int64_t next = 0;
  std::map<std::int64_t, Completion> done;
  const CancelToken cancel;
  const Status status = scheduler.run(
      [&]() -> std::optional<Job> {
        return next < n_jobs ? std::optional<Job>(job_for(next++)) : std::nullopt;
      },
      [&](std::int64_t index, Completion completion) {
        EXPECT_TRUE(done.emplace(index, std::move(completion)).second) << "done twice";
      },
      cancel);
  EXPECT_TRUE(status.has_value()) << status.error().message;
  EXPECT_TRUE(runner.all_closed());
  return done;
}

TEST(SchedulerTest, ASamplesTokensNeverDependOnTheSchedule) {
  constexpr std::int64_t kJobs = 24;
  Schedule alone;
  alone.options.max_sequences = 1;
  const auto expected = run_all(alone, kJobs);
  ASSERT_EQ(expected.size(), static_cast<std::size_t>(kJobs));
  for (std::uint64_t round = 0; round < 1000; ++round) {
    Schedule schedule;
    schedule.options.max_sequences = 1 + static_cast<std::int64_t>(random_at(round, 0) % 20);
    schedule.options.prefill_tokens = 1 + static_cast<std::int64_t>(random_at(round, 1) % 70);
    schedule.max_step =
        schedule.options.max_sequences + static_cast<std::int64_t>(random_at(round, 2) % 90);
    // From barely enough for the longest sample to plenty: small caches preempt.
    schedule.n_pages = 15 + static_cast<std::int64_t>(random_at(round, 3) % 80);
    const auto done = run_all(schedule, kJobs);
    ASSERT_EQ(done.size(), expected.size());
    for (const auto& [index, completion] : done) {
      ASSERT_FALSE(completion.error.has_value()) << completion.error->message;
      ASSERT_EQ(completion.token_ids, expected.at(index).token_ids) << "round " << round;
      ASSERT_EQ(completion.finish_reason, expected.at(index).finish_reason);
    }
  }
}

TEST(SchedulerTest, EndsAtEndTokensAndLimitsAndSaysWhich) {
  const auto done = run_all({}, 24);
  for (const auto& [index, completion] : done) {
    const bool ended = completion.token_ids.back() == kEnd;
    EXPECT_EQ(completion.finish_reason, ended ? "stop" : "length");
    EXPECT_LE(completion.usage.completion, job_for(index).max_tokens);
    EXPECT_EQ(completion.content.find('A'), std::string::npos);  // the end token is no text
  }
}

TEST(SchedulerTest, StopStringsEndTheTextBeforeThem) {
  const auto plain = run_all({}, 3);
  const std::string& text = plain.at(2).content;
  ASSERT_GE(text.size(), 6u);
  HashRunner runner(1000, 512);
  Scheduler scheduler(runner, letters(), {});
  bool pulled = false;
  Completion stopped;
  const CancelToken cancel;
  ASSERT_TRUE(scheduler
                  .run(
                      [&]() -> std::optional<Job> {
                        if (std::exchange(pulled, true)) {
                          return std::nullopt;
                        }
                        Job job = job_for(2);
                        job.stop = {text.substr(3, 2)};  // two tokens make one stop string
                        return job;
                      },
                      [&](std::int64_t, Completion completion) { stopped = std::move(completion); },
                      cancel)
                  .has_value());
  EXPECT_EQ(stopped.content, text.substr(0, text.find(text.substr(3, 2))));
  EXPECT_EQ(stopped.finish_reason, "stop");
}

// Runs these jobs on a roomy machine.
std::map<std::int64_t, Completion> run_jobs(const std::vector<Job>& jobs,
                                            SchedulerStats* stats = nullptr) {
  HashRunner runner(1000, 512);
  Scheduler scheduler(runner, letters(), {});
  std::size_t next = 0;
  std::map<std::int64_t, Completion> done;
  const CancelToken cancel;
  EXPECT_TRUE(scheduler.run(
      [&]() -> std::optional<Job> {
        return next < jobs.size() ? std::optional<Job>(jobs[next++]) : std::nullopt;
      },
      [&](std::int64_t index, Completion completion) {
        done.emplace(index, std::move(completion));
      },
      cancel));
  EXPECT_TRUE(runner.all_closed());
  if (stats != nullptr) {
    *stats = scheduler.stats();
  }
  return done;
}

TEST(SchedulerTest, SamplesOfAQuestionPayForTheirPromptOnce) {
  std::vector<Job> jobs;
  for (std::int64_t i = 0; i < 8; ++i) {
    Job job = job_for(9);  // one prompt for all
    job.index = i;
    job.sampler.seed = static_cast<std::uint64_t>(i);
    jobs.push_back(std::move(job));
  }
  const auto n_prompt = static_cast<std::int64_t>(jobs[0].prompt.size());
  SchedulerStats stats;
  const auto done = run_jobs(jobs, &stats);
  EXPECT_EQ(stats.n_shared, 7 * (n_prompt - 1));
  EXPECT_EQ(stats.most_running, 8);
}

TEST(SchedulerTest, ACancelledSampleComesBackAsAnErrorAndTheOthersAreAsBefore) {
  std::vector<Job> jobs = {job_for(3), job_for(4), job_for(5)};
  const auto expected = run_jobs(jobs);
  for (const int after : {0, 1, 4}) {
    std::vector<Job> with = jobs;
    with[1].is_cancelled = [n = 0, after]() mutable { return n++ >= after; };
    const auto done = run_jobs(with);
    ASSERT_TRUE(done.at(4).error.has_value()) << after;
    EXPECT_EQ(done.at(4).error->code, ErrorCode::kCancelled);
    EXPECT_EQ(done.at(3).token_ids, expected.at(3).token_ids);
    EXPECT_EQ(done.at(5).token_ids, expected.at(5).token_ids);
  }
}

TEST(SchedulerTest, TheThinkBudgetPutsTheClosingTagInOrEndsTheSample) {
  Job job = job_for(2);
  job.max_tokens = 40;
  job.think.open = "[";  // no letter of the vocabulary
  job.think.close = "BCB";
  job.think.starts_open = true;
  const auto plain = run_jobs({job}).at(2);
  ASSERT_EQ(plain.content.find("BCB"), std::string::npos);
  job.think.budget = 5;
  const auto ended = run_jobs({job}).at(2);
  EXPECT_EQ(ended.finish_reason, "think_budget");
  EXPECT_EQ(ended.content, plain.content.substr(0, 5));
  job.think_close = {1, 2, 1};
  job.logprobs = 0;
  const auto forced = run_jobs({job}).at(2);
  EXPECT_TRUE(forced.think_close_forced);
  EXPECT_EQ(forced.content.substr(0, 8), plain.content.substr(0, 5) + "BCB");
  EXPECT_GT(forced.token_ids.size(), 8u);
  EXPECT_NE(forced.finish_reason, "think_budget");
  ASSERT_EQ(forced.logprobs.size(), forced.token_ids.size());
  EXPECT_TRUE(std::isnan(forced.logprobs[5].logprob));  // nobody drew it
}

TEST(SchedulerTest, LogprobsAreThoseOfTheUntemperedDistribution) {
  Job job = job_for(2);
  job.sampler.temperature = 0.1;
  job.logprobs = 3;
  const auto done = run_jobs({job}).at(2);
  ASSERT_EQ(done.logprobs.size(), done.token_ids.size());
  for (std::size_t i = 0; i < done.logprobs.size(); ++i) {
    const TokenLogprob& token = done.logprobs[i];
    ASSERT_EQ(token.top.size(), 3u);
    EXPECT_GE(token.top[0].second, token.top[1].second);
    EXPECT_LT(token.logprob, 0);
    // 40 tokens with logits within 3: none has more than e^3 / (e^3 + 39).
    EXPECT_LT(token.top[0].second, std::log(std::exp(3.0) / (std::exp(3.0) + 39)) + 1e-9);
    EXPECT_GE(token.top[0].second, token.logprob);
  }
}

TEST(SchedulerTest, ASampleThatCannotFitFailsAloneAndTheOthersGoOn) {
  Schedule tiny;
  tiny.n_pages = 6;  // 48 tokens
  const auto done = run_all(tiny, 24);
  int failed = 0;
  for (const auto& [index, completion] : done) {
    failed += completion.error.has_value() ? 1 : 0;
  }
  EXPECT_EQ(done.size(), 24u);
  EXPECT_GT(failed, 0);
  EXPECT_LT(failed, 24);
}

TEST(SchedulerTest, DrainingFinishesWhatIsInFlightAndPullsNoMore) {
  HashRunner runner(1000, 512);
  Scheduler scheduler(runner, letters(), {});
  std::int64_t next = 0;
  std::size_t n_done = 0;
  CancelToken cancel;
  ASSERT_TRUE(scheduler
                  .run(
                      [&]() -> std::optional<Job> {
                        if (next == 5) {
                          cancel.drain();
                        }
                        return job_for(next++);
                      },
                      [&](std::int64_t, Completion) { ++n_done; }, cancel)
                  .has_value());
  EXPECT_EQ(n_done, static_cast<std::size_t>(next));
  EXPECT_LE(next, 7);
}

}  // namespace
}  // namespace r1eval
