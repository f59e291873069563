#include "engine/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/parallel.h"

namespace r1eval {
namespace {

// Prefixes shorter than this are not worth a fork.
constexpr std::size_t kShortestPrefix = 16;

}  // namespace

struct Scheduler::Sequence {
  Job job;
  SequenceId id = -1;           // -1: not in the cache
  std::vector<TokenId> tokens;  // prompt, then what was generated
  std::int64_t n_cached = 0;    // of `tokens`
  std::int64_t n_generated = 0;
  std::string text;
  std::string finish_reason;  // empty while it runs
  double pulled_at = 0;
  double started_at = -1;
  double first_token_at = -1;

  std::int64_t n_pending() const { return static_cast<std::int64_t>(tokens.size()) - n_cached; }
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
    // After a preemption a step comes first: the preempted sequence would otherwise take its pages
    // back at once, and nobody would ever advance.
    if (may_admit) {
      admit(source, cancel);
    }
    if (running_.empty() && waiting_.empty()) {
      break;
    }
    const Result<bool> stepped = step(sink);
    if (!stepped) {
      status = stepped.error();
    }
    may_admit = !stepped || *stepped || running_.empty();
  }
  for (auto& sequence : running_) {
    if (sequence->id >= 0) {
      runner_.close_sequence(sequence->id);
    }
  }
  running_.clear();
  waiting_.clear();
  drop_prefix();
  return status;
}

void Scheduler::admit(const Source& source, const CancelToken& cancel) {
  const auto in_flight = [&] {
    return static_cast<std::int64_t>(running_.size() + waiting_.size());
  };
  while (!source_dry_ && in_flight() < options_.max_sequences) {
    if (cancel.is_draining()) {
      source_dry_ = true;
      break;
    }
    std::optional<Job> job = source();
    if (!job) {
      source_dry_ = true;
      break;
    }
    auto sequence = std::make_unique<Sequence>();
    sequence->tokens = job->prompt;
    sequence->job = std::move(*job);
    sequence->pulled_at = steady_clock().now();
    waiting_.push_back(std::move(sequence));
  }
  for (std::size_t i = 0; i < waiting_.size();) {
    if (start(waiting_[i])) {
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
}

// Moves a waiting sequence to the running ones if there is room for it now.
bool Scheduler::start(std::unique_ptr<Sequence>& sequence) {
  const std::string& group = sequence->job.group;
  const bool fresh = sequence->n_generated == 0;
  const bool can_share = fresh && !group.empty() && sequence->tokens.size() > kShortestPrefix;
  const bool has_prefix = can_share && prefix_.sequence >= 0 && prefix_.group == group &&
                          prefix_.tokens == sequence->tokens;
  if (can_share && !has_prefix) {
    // Another sample of the group is prefilling this very prompt: wait, and fork from it.
    const bool leader_runs =
        std::any_of(running_.begin(), running_.end(), [&](const std::unique_ptr<Sequence>& other) {
          return other->job.group == group && other->n_generated == 0 &&
                 other->job.prompt == sequence->job.prompt;
        });
    if (leader_runs) {
      return false;
    }
  }
  const CacheStats cache = runner_.cache_stats();
  // Room for what is to be fed and a page to grow for everybody; an idle machine always tries.
  const std::int64_t to_feed =
      has_prefix ? cache.page_tokens : static_cast<std::int64_t>(sequence->tokens.size());
  const std::int64_t pages = to_feed / std::max<std::int64_t>(1, cache.page_tokens) + 2 +
                             static_cast<std::int64_t>(running_.size());
  if (!running_.empty() && pages > cache.n_free) {
    return false;
  }
  if (has_prefix) {
    // All but the last token: feeding that one gives the logits to sample from.
    const auto n_shared = static_cast<std::int64_t>(sequence->tokens.size()) - 1;
    const Result<SequenceId> fork = runner_.fork_sequence(prefix_.sequence, n_shared);
    if (!fork) {
      return false;
    }
    sequence->id = *fork;
    sequence->n_cached = n_shared;
  } else {
    sequence->id = runner_.open_sequence();
    sequence->n_cached = 0;
  }
  if (sequence->started_at < 0) {
    sequence->started_at = steady_clock().now();
  }
  running_.push_back(std::move(sequence));
  return true;
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
    chunks.push_back(chunk);
    owners.push_back(&sequence);
  };
  const std::int64_t largest = runner_.max_step_tokens();
  std::int64_t n_tokens = 0;
  for (const auto& sequence : running_) {
    if (sequence->n_pending() == 1 && n_tokens < largest) {
      add(*sequence, 1);
      ++n_tokens;
    }
  }
  std::int64_t budget = std::min(options_.prefill_tokens, largest - n_tokens);
  for (const auto& sequence : running_) {
    if (sequence->n_pending() > 1 && budget > 0) {
      const std::int64_t n = std::min(sequence->n_pending(), budget);
      add(*sequence, n);
      budget -= n;
    }
  }
  if (chunks.empty()) {
    // Everything waits for memory that a kept prefix holds.
    if (prefix_.sequence >= 0) {
      drop_prefix();
      return true;
    }
    return fail(ErrorCode::kInternal, "the scheduler has sequences but nothing to compute");
  }
  const Result<std::span<const float>> logits = runner_.step(chunks);
  if (!logits) {
    if (logits.error().code == ErrorCode::kResourceExhausted && make_room(sink)) {
      return false;
    }
    return logits.error();
  }
  std::vector<std::pair<Sequence*, std::int64_t>> rows;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    owners[i]->n_cached += static_cast<std::int64_t>(chunks[i].tokens.size());
    if (chunks[i].logit_rows == 1) {
      rows.emplace_back(owners[i], static_cast<std::int64_t>(rows.size()));
    }
  }
  const auto width = static_cast<std::size_t>(runner_.vocab_size());
  parallel_for_index(static_cast<std::int64_t>(rows.size()), [&](std::int64_t r) {
    const auto& [sequence, row] = rows[static_cast<std::size_t>(r)];
    take_token(*sequence, logits->subspan(static_cast<std::size_t>(row) * width, width));
  });
  for (const auto& [sequence, row] : rows) {
    if (sequence->n_generated == 1) {
      keep_prefix(*sequence);
    }
  }
  for (auto& sequence : running_) {
    if (!sequence->finish_reason.empty()) {
      finish(*sequence, sink);
      sequence.reset();
    }
  }
  std::erase(running_, nullptr);
  return true;
}

// Frees pages: the kept prefix, else the youngest sequence. False when a single sequence is too
// much.
bool Scheduler::make_room(const Sink& sink) {
  if (prefix_.sequence >= 0) {
    drop_prefix();
    return true;
  }
  if (running_.size() > 1) {
    std::unique_ptr<Sequence> youngest = std::move(running_.back());
    running_.pop_back();
    runner_.close_sequence(youngest->id);
    youngest->id = -1;
    youngest->n_cached = 0;
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

void Scheduler::take_token(Sequence& sequence, std::span<const float> logits) {
  const TokenId token = sample_token(logits, vocabulary_.n_tokens, sequence.job.sampler,
                                     static_cast<std::uint64_t>(sequence.n_generated));
  sequence.tokens.push_back(token);
  ++sequence.n_generated;
  if (sequence.first_token_at < 0) {
    sequence.first_token_at = steady_clock().now();
  }
  if (vocabulary_.is_end(token)) {
    sequence.finish_reason = "stop";
    return;
  }
  const std::size_t before = sequence.text.size();
  sequence.text += vocabulary_.text(token);
  std::size_t cut = std::string::npos;
  for (const std::string& stop : sequence.job.stop) {
    if (stop.empty()) {
      continue;
    }
    // A stop string may have begun in an earlier token.
    const std::size_t from = before > stop.size() ? before - stop.size() : 0;
    cut = std::min(cut, sequence.text.find(stop, from));
  }
  if (cut != std::string::npos) {
    sequence.text.erase(cut);
    sequence.finish_reason = "stop";
  } else if (sequence.n_generated >= sequence.job.max_tokens ||
             static_cast<std::int64_t>(sequence.tokens.size()) >= runner_.context_tokens()) {
    sequence.finish_reason = "length";
  }
}

void Scheduler::keep_prefix(const Sequence& sequence) {
  if (sequence.job.group.empty() || sequence.job.prompt.size() <= kShortestPrefix ||
      (prefix_.sequence >= 0 && prefix_.group == sequence.job.group &&
       prefix_.tokens == sequence.job.prompt)) {
    return;
  }
  const Result<SequenceId> fork =
      runner_.fork_sequence(sequence.id, static_cast<std::int64_t>(sequence.job.prompt.size()) - 1);
  if (!fork) {
    return;
  }
  drop_prefix();
  prefix_ = {sequence.job.group, sequence.job.prompt, *fork};
}

void Scheduler::drop_prefix() {
  if (prefix_.sequence >= 0) {
    runner_.close_sequence(prefix_.sequence);
  }
  prefix_ = Prefix();
}

void Scheduler::finish(Sequence& sequence, const Sink& sink) {
  runner_.close_sequence(sequence.id);
  const double now = steady_clock().now();
  Completion completion;
  completion.content = valid_utf8(sequence.text);
  completion.finish_reason = sequence.finish_reason;
  completion.usage.prompt = static_cast<std::int64_t>(sequence.job.prompt.size());
  completion.usage.completion = sequence.n_generated;
  completion.timings.queue = sequence.started_at - sequence.pulled_at;
  completion.timings.first_token = sequence.first_token_at - sequence.started_at;
  completion.timings.total = now - sequence.started_at;
  completion.token_ids.assign(sequence.tokens.end() - sequence.n_generated, sequence.tokens.end());
  sink(sequence.job.index, std::move(completion));
}

}  // namespace r1eval
