#include "engine/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/clock.h"
#include "base/parallel.h"

namespace r1eval {
namespace {

// Waiting for another sequence to compute a common beginning pays from so many tokens on.
constexpr std::int64_t kWorthWaiting = 16;
// Groups whose lengths are remembered; beyond, all are forgotten and learned anew.
constexpr std::size_t kMostGroups = 4096;

std::int64_t common_prefix(std::span<const TokenId> a, std::span<const TokenId> b) {
  const std::size_t n = std::min(a.size(), b.size());
  std::size_t i = 0;
  while (i < n && a[i] == b[i]) {
    ++i;
  }
  return static_cast<std::int64_t>(i);
}

}  // namespace

struct Scheduler::Sequence {
  explicit Sequence(Job from) : job(std::move(from)), text(job.stop, job.think) {
    tokens = job.prompt;
  }

  Job job;
  SequenceId id = -1;           // -1: not in the cache
  std::vector<TokenId> tokens;  // prompt, then what was generated
  std::int64_t n_cached = 0;    // of `tokens`
  std::int64_t n_generated = 0;
  bool was_preempted = false;
  GeneratedText text;
  std::vector<TokenLogprob> logprobs;
  std::string finish_reason;  // empty while it runs
  std::string stop_cause;
  bool think_close_forced = false;
  double pulled_at = 0;
  double started_at = -1;
  double first_token_at = -1;

  std::int64_t n_tokens() const { return static_cast<std::int64_t>(tokens.size()); }

  std::int64_t n_pending() const { return n_tokens() - n_cached; }

  void end(const char* reason, const char* cause) {
    finish_reason = reason;
    stop_cause = cause;
  }
};

Vocabulary vocabulary_of(const Tokenizer& tokenizer, std::int64_t vocab_size) {
  Vocabulary vocabulary;
  vocabulary.n_tokens = std::min(tokenizer.vocab_size(), vocab_size);
  vocabulary.is_end = [&tokenizer](TokenId id) {
    const auto& ends = tokenizer.end_tokens();
    return std::find(ends.begin(), ends.end(), id) != ends.end();
  };
  vocabulary.text = [&tokenizer](TokenId id) {
    return tokenizer.is_special(id) ? std::string() : std::string(tokenizer.token_bytes(id));
  };
  return vocabulary;
}

Scheduler::Scheduler(ModelRunner& runner, Vocabulary vocabulary, const SchedulerOptions& options)
    : runner_(runner), vocabulary_(std::move(vocabulary)), options_(options) {}

Scheduler::~Scheduler() = default;

Status Scheduler::run(const Source& source, const Sink& sink, const CancelToken& cancel) {
  source_dry_ = false;
  Status status = ok_status();
  bool may_admit = true;
  while (status.has_value()) {
    if (cancel.is_stopped()) {
      status = fail(ErrorCode::kCancelled, "stopped");
      break;
    }
    drop_cancelled(sink);
    // After a preemption a step comes first: the preempted sequence would otherwise take its pages
    // back at once, and nobody would ever advance.
    if (may_admit) {
      pull(source, cancel);
      admit();
    }
    if (running_.empty() && waiting_.empty()) {
      if (source_dry_) {
        break;
      }
      continue;
    }
    const Result<bool> stepped = step(sink);
    if (!stepped) {
      status = stepped.error();
    }
    may_admit = !stepped || *stepped || running_.empty();
  }
  for (const SequencePtr& sequence : running_) {
    runner_.close_sequence(sequence->id);
  }
  running_.clear();
  waiting_.clear();
  return status;
}

// Some samples are pulled ahead of their turn, so that there is a choice of whom to start.
void Scheduler::pull(const Source& source, const CancelToken& cancel) {
  const std::int64_t ahead = std::max<std::int64_t>(1, options_.max_sequences / 4);
  const auto room = [&] {
    const auto n_waiting = static_cast<std::int64_t>(waiting_.size());
    const auto n_running = static_cast<std::int64_t>(running_.size());
    return n_waiting + n_running < options_.max_sequences || n_waiting < ahead;
  };
  while (!source_dry_ && room()) {
    if (cancel.is_draining()) {
      source_dry_ = true;
      break;
    }
    std::optional<Job> job = source();
    if (!job) {
      source_dry_ = true;
      break;
    }
    auto sequence = std::make_unique<Sequence>(std::move(*job));
    sequence->pulled_at = steady_clock().now();
    waiting_.push_back(std::move(sequence));
  }
}

void Scheduler::admit() {
  if (source_dry_ && waiting_.size() > 1) {
    std::stable_sort(
        waiting_.begin(), waiting_.end(), [&](const SequencePtr& a, const SequencePtr& b) {
          if (a->was_preempted != b->was_preempted) {
            return a->was_preempted;
          }
          return expected_tokens(*a) - a->n_tokens() > expected_tokens(*b) - b->n_tokens();
        });
  }
  for (std::size_t i = 0; i < waiting_.size();) {
    if (static_cast<std::int64_t>(running_.size()) >= options_.max_sequences) {
      return;
    }
    const bool was_preempted = waiting_[i]->was_preempted;
    if (start(waiting_[i])) {
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    } else if (was_preempted) {
      return;  // whoever comes later must not take the pages that it waits for
    } else {
      ++i;
    }
  }
}

Scheduler::Start Scheduler::find_start(const Sequence& sequence) const {
  Start best;
  if (!options_.share_prompts) {
    return best;
  }
  // Feeding the last token gives the logits to sample from, so that one is never taken over.
  const std::int64_t most = sequence.n_tokens() - 1;
  const std::int64_t page = std::max<std::int64_t>(1, runner_.cache_stats().page_tokens);
  best.n_tokens = runner_.cached_tokens(sequence.tokens);
  std::int64_t promised = 0;
  for (const SequencePtr& other : running_) {
    const bool is_sibling = !sequence.job.group.empty() && other->job.group == sequence.job.group;
    const bool is_computing = other->n_pending() > 1;
    if (!is_sibling && !is_computing) {
      continue;
    }
    const std::int64_t common = std::min(most, common_prefix(other->tokens, sequence.tokens));
    if (is_sibling && std::min(common, other->n_cached) > best.n_tokens) {
      best.n_tokens = std::min(common, other->n_cached);
      best.parent = other.get();
    }
    promised = std::max(promised, is_sibling ? common : common / page * page);
  }
  best.waits = promised >= best.n_tokens + kWorthWaiting;
  return best;
}

std::int64_t Scheduler::expected_tokens(const Sequence& sequence) const {
  const auto n_prompt = static_cast<std::int64_t>(sequence.job.prompt.size());
  const auto group = group_lengths_.find(sequence.job.group);
  const Lengths& known = group != group_lengths_.end() ? group->second : lengths_;
  if (known.n == 0) {
    return n_prompt + sequence.job.max_tokens;
  }
  const auto mean = static_cast<std::int64_t>(known.sum / static_cast<double>(known.n));
  // One that has outlived the expectation may go on for as long again as half of what it has.
  const std::int64_t rest =
      std::max(mean - sequence.n_generated, sequence.n_generated > mean ? mean / 2 : 0);
  return std::min(sequence.n_tokens() + rest, n_prompt + sequence.job.max_tokens);
}

bool Scheduler::has_room(const Sequence& sequence, const Start& where) const {
  if (running_.empty()) {
    return true;  // an idle machine always tries
  }
  const CacheStats cache = runner_.cache_stats();
  const std::int64_t page = std::max<std::int64_t>(1, cache.page_tokens);
  // Pages of a running parent are in use anyway; those that only the index holds count as free.
  const std::int64_t to_feed =
      sequence.n_tokens() - (where.parent != nullptr ? where.n_tokens / page * page : 0);
  std::int64_t pages = to_feed / page + 1;
  // Half of what each is expected to grow by, all of it for one that was pushed out before: not all
  // are at their longest at once. Where nothing is known, a page.
  const auto growth = [&](const Sequence& of) {
    if (!options_.plans_growth) {
      return std::int64_t{0};
    }
    if (lengths_.n == 0 && !sequence.was_preempted) {
      return std::int64_t{1};
    }
    const std::int64_t most = lengths_.n == 0 ? of.n_tokens() / 4 : of.job.max_tokens;
    const std::int64_t rest =
        std::min(most, std::max<std::int64_t>(0, expected_tokens(of) - of.n_tokens()));
    return rest / page / (sequence.was_preempted ? 1 : 2) + 1;
  };
  pages += growth(sequence);
  for (const SequencePtr& other : running_) {
    pages += growth(*other) + std::max<std::int64_t>(0, other->n_pending() - 1) / page;
  }
  return pages <= cache.n_free;
}

// Moves a waiting sequence to the running ones if there is room for it now.
bool Scheduler::start(SequencePtr& sequence) {
  const Start where = find_start(*sequence);
  if (where.waits || !has_room(*sequence, where)) {
    return false;
  }
  if (where.parent != nullptr) {
    const Result<SequenceId> fork = runner_.fork_sequence(where.parent->id, where.n_tokens);
    if (!fork) {
      return false;
    }
    sequence->id = *fork;
  } else if (options_.share_prompts) {
    sequence->id = runner_.open_sequence(sequence->tokens);
  } else {
    sequence->id = runner_.open_sequence();
  }
  sequence->n_cached = runner_.sequence_tokens(sequence->id);
  stats_.n_shared += sequence->n_cached;
  if (sequence->started_at < 0) {
    sequence->started_at = steady_clock().now();
  }
  running_.push_back(std::move(sequence));
  stats_.most_running = std::max(stats_.most_running, static_cast<std::int64_t>(running_.size()));
  return true;
}

void Scheduler::drop_cancelled(const Sink& sink) {
  const auto drop = [&](SequencePtr& sequence) {
    if (!sequence->job.is_cancelled || !sequence->job.is_cancelled()) {
      return;
    }
    if (sequence->id >= 0) {
      runner_.close_sequence(sequence->id);
    }
    Completion completion;
    completion.error = fail(ErrorCode::kCancelled, "the sample was cancelled");
    sink(sequence->job.index, std::move(completion));
    sequence.reset();
  };
  std::for_each(running_.begin(), running_.end(), drop);
  std::for_each(waiting_.begin(), waiting_.end(), drop);
  std::erase(running_, nullptr);
  std::erase(waiting_, nullptr);
}

Result<bool> Scheduler::step(const Sink& sink) {
  std::vector<StepChunk> chunks;
  std::vector<Sequence*> owners;
  const auto add = [&](Sequence& sequence, std::int64_t n) {
    StepChunk chunk;
    chunk.sequence = sequence.id;
    chunk.tokens =
        std::span<const TokenId>(sequence.tokens)
            .subspan(static_cast<std::size_t>(sequence.n_cached), static_cast<std::size_t>(n));
    chunk.logit_rows = n == sequence.n_pending() ? 1 : 0;
    chunk.wants_log_sums = sequence.job.logprobs >= 0;
    chunks.push_back(chunk);
    owners.push_back(&sequence);
  };
  const std::int64_t largest = runner_.max_step_tokens();
  std::int64_t n_tokens = 0;
  for (const SequencePtr& sequence : running_) {
    if (sequence->n_pending() == 1 && n_tokens < largest) {
      add(*sequence, 1);
      ++n_tokens;
    }
  }
  std::int64_t budget = std::min(options_.prefill_tokens, largest - n_tokens);
  for (const SequencePtr& sequence : running_) {
    if (sequence->n_pending() > 1 && budget > 0) {
      const std::int64_t n = std::min(sequence->n_pending(), budget);
      add(*sequence, n);
      n_tokens += n;
      budget -= n;
    }
  }
  if (chunks.empty()) {
    return fail(ErrorCode::kInternal, "the scheduler has sequences but nothing to compute");
  }
  const Result<std::span<const float>> logits = runner_.step(chunks);
  if (!logits) {
    if (logits.error().code == ErrorCode::kResourceExhausted && make_room(sink)) {
      return false;
    }
    return logits.error();
  }
  ++stats_.n_steps;
  stats_.n_fed += n_tokens;
  std::vector<Sequence*> rows;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    owners[i]->n_cached += static_cast<std::int64_t>(chunks[i].tokens.size());
    if (chunks[i].logit_rows == 1) {
      rows.push_back(owners[i]);
    }
  }
  const auto width = static_cast<std::size_t>(runner_.vocab_size());
  const std::span<const double> log_sums = runner_.log_sums();
  parallel_for_index(static_cast<std::int64_t>(rows.size()), [&](std::int64_t r) {
    const auto row = static_cast<std::size_t>(r);
    take_token(*rows[row], logits->subspan(row * width, width),
               row < log_sums.size() ? &log_sums[row] : nullptr);
  });
  for (SequencePtr& sequence : running_) {
    if (!sequence->finish_reason.empty()) {
      finish(*sequence, sink);
      sequence.reset();
    }
  }
  std::erase(running_, nullptr);
  return true;
}

// Frees pages by preempting the youngest sequence. False when there is none to preempt.
bool Scheduler::make_room(const Sink& sink) {
  if (running_.size() > 1) {
    SequencePtr youngest = std::move(running_.back());
    running_.pop_back();
    runner_.close_sequence(youngest->id);
    youngest->id = -1;
    youngest->n_cached = 0;
    youngest->was_preempted = true;
    ++stats_.n_preempted;
    waiting_.push_front(std::move(youngest));
    return true;
  }
  if (running_.size() == 1) {
    Sequence& only = *running_.front();
    const CacheStats cache = runner_.cache_stats();
    Completion completion;
    completion.error = fail(
        ErrorCode::kResourceExhausted,
        fmt::format("{} tokens of one sample do not fit in the cache of {} tokens: give the engine "
                    "more memory, or ask for fewer tokens",
                    only.tokens.size(), cache.n_pages * cache.page_tokens));
    runner_.close_sequence(only.id);
    sink(only.job.index, std::move(completion));
    running_.clear();
    return true;
  }
  return false;
}

void Scheduler::take_token(Sequence& sequence, std::span<const float> logits,
                           const double* log_sum) {
  const TokenId token = sample_token(logits, vocabulary_.n_tokens, sequence.job.sampler,
                                     static_cast<std::uint64_t>(sequence.n_generated));
  if (sequence.job.logprobs >= 0) {
    const double sum = log_sum != nullptr ? *log_sum : log_sum_exp(logits, vocabulary_.n_tokens);
    sequence.logprobs.push_back(
        {static_cast<double>(logits[static_cast<std::size_t>(token)]) - sum,
         best_tokens(logits, vocabulary_.n_tokens, sequence.job.logprobs, sum)});
  }
  append(sequence, token);
  if (!sequence.finish_reason.empty() || !sequence.text.is_over_budget()) {
    return;
  }
  if (sequence.job.think_close.empty()) {
    sequence.end("think_budget", "think_budget");
    return;
  }
  // The closing tag is fed like any other token; nobody drew it, so it has no log-probability.
  sequence.think_close_forced = true;
  for (const TokenId forced : sequence.job.think_close) {
    if (!sequence.finish_reason.empty()) {
      break;
    }
    if (sequence.job.logprobs >= 0) {
      sequence.logprobs.push_back({std::nan(""), {}});
    }
    append(sequence, forced);
  }
}

void Scheduler::append(Sequence& sequence, TokenId token) {
  sequence.tokens.push_back(token);
  ++sequence.n_generated;
  if (sequence.first_token_at < 0) {
    sequence.first_token_at = steady_clock().now();
  }
  if (vocabulary_.is_end(token)) {
    sequence.end("stop", "end_token");
  } else if (sequence.text.add(vocabulary_.text(token))) {
    sequence.end("stop", "stop_string");
  } else if (sequence.n_generated >= sequence.job.max_tokens) {
    sequence.end("length", "max_tokens");
  } else if (sequence.n_tokens() >= runner_.context_tokens()) {
    sequence.end("length", "context");
  }
}

void Scheduler::finish(Sequence& sequence, const Sink& sink) {
  runner_.close_sequence(sequence.id);
  const double now = steady_clock().now();
  if (group_lengths_.size() >= kMostGroups) {
    group_lengths_.clear();
  }
  for (Lengths* lengths : {&lengths_, &group_lengths_[sequence.job.group]}) {
    lengths->sum += static_cast<double>(sequence.n_generated);
    ++lengths->n;
  }
  Completion completion;
  completion.content = valid_utf8(sequence.text.whole_text());
  completion.finish_reason = sequence.finish_reason;
  completion.stop_cause = sequence.stop_cause;
  completion.think_close_forced = sequence.think_close_forced;
  completion.usage.prompt = static_cast<std::int64_t>(sequence.job.prompt.size());
  completion.usage.completion = sequence.n_generated;
  completion.timings.queue = sequence.started_at - sequence.pulled_at;
  completion.timings.first_token = sequence.first_token_at - sequence.started_at;
  completion.timings.total = now - sequence.started_at;
  completion.token_ids.assign(sequence.tokens.end() - sequence.n_generated, sequence.tokens.end());
  completion.logprobs = std::move(sequence.logprobs);
  sink(sequence.job.index, std::move(completion));
}

}  // namespace r1eval
