// Continuous batching: keeps the model busy with as many sequences as there is room for.
//
// One step is one mixed batch: the next token of every sequence that decodes, then chunks of
// prompts up to a token budget. A sequence is its tokens and how many of them the cache holds, so
// decoding, prefilling and recomputing after a preemption are the same thing: feed what is missing,
// and when the last token was fed, sample one more.
//
// Sharing  samples of one question have one prompt: the first computes it, the others wait and
// start
//          as forks of it, all in one step. A prompt that only begins like another waits until the
//          common pages are there, and starts from them (the cache's index finds them).
// Memory   a sequence is admitted when its tokens fit beside what the running ones are expected to
//          grow by. When pages run out all the same, the youngest sequence is preempted and later
//          recomputed from its tokens, with the same result; it comes back only where everybody has
//          room to grow, so that sequences do not push each other out in turn.
// Order    as pulled; when the source is dry, the longest expected first, so that the last sample
// is
//          not one that has just begun. A question's finished samples tell what to expect.
// Identity a sample's tokens depend on model, prompt and sampling settings alone, as the runner's
//          logits do (engine/model_runner.h) and the sampler's draws do.
// Threads  run() is one thread's loop; the sink is called from it.
// Tested   tests/engine/embedded/scheduler_test.cc on a runner whose logits are a hash of the
// tokens,
//          schedules_test.cc on the real one
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/cancel.h"
#include "base/generation.h"
#include "engine/generated_text.h"
#include "engine/model/tokenizer.h"
#include "engine/model_runner.h"
#include "engine/sampler.h"

namespace r1eval {

struct Job {
  std::int64_t index = 0;
  std::string group;
  std::vector<TokenId> prompt;
  SamplerConfig sampler;
  std::int64_t max_tokens = 0;
  std::vector<std::string> stop;  // stop strings, as bytes
  ThinkRules think;
  std::vector<TokenId> think_close;  // put in when the budget is used up; empty: the sample ends
  std::int64_t logprobs = -1;        // -1: none; else of every token and of so many best ones
  // Asked before every step, if set; a cancelled job comes back with the error kCancelled.
  std::function<bool()> is_cancelled;
};

struct SchedulerOptions {
  std::int64_t max_sequences = 32;
  std::int64_t prefill_tokens = 256;  // of prompts in one step, beside the decoding sequences
  bool share_prompts = true;          // changes no token
  // Admit only beside what the running sequences are expected to grow by. Without it whatever fits
  // now is started, and preempted when all have grown; changes no token.
  bool plans_growth = true;
};

// What happened, for reports and tests.
struct SchedulerStats {
  std::int64_t n_steps = 0;
  std::int64_t n_fed = 0;        // tokens computed
  std::int64_t n_shared = 0;     // tokens taken from the cache instead
  std::int64_t n_preempted = 0;  // times that a sequence lost its pages
  std::int64_t most_running = 0;
};

// What the scheduler asks of a vocabulary; a Tokenizer gives it, tests make their own.
struct Vocabulary {
  std::int64_t n_tokens = 0;  // real tokens; rows beyond are padding
  std::function<bool(TokenId)> is_end;
  std::function<std::string(TokenId)> text;  // bytes of a token in the answer; empty: not shown
};

Vocabulary vocabulary_of(const Tokenizer& tokenizer, std::int64_t vocab_size);

class Scheduler {
 public:
  Scheduler(ModelRunner& runner, Vocabulary vocabulary, const SchedulerOptions& options);
  ~Scheduler();

  using Source = std::function<std::optional<Job>()>;
  using Sink = std::function<void(std::int64_t index, Completion completion)>;

  // Until the source is dry and all its jobs are done, or `cancel` stops it (what is in flight is
  // dropped). Errors: what the runner fails with, other than lack of pages.
  Status run(const Source& source, const Sink& sink, const CancelToken& cancel);

  const SchedulerStats& stats() const { return stats_; }

 private:
  struct Sequence;
  using SequencePtr = std::unique_ptr<Sequence>;

  // Where a sequence can begin: on pages that are there, or on those that another one is computing.
  struct Start {
    const Sequence* parent = nullptr;  // fork of this one …
    std::int64_t n_tokens = 0;         // … or of the index, with so many tokens
    bool waits = false;                // for more than that
  };

  void pull(const Source& source, const CancelToken& cancel);
  void admit();
  bool start(SequencePtr& sequence);
  Start find_start(const Sequence& sequence) const;
  bool has_room(const Sequence& sequence, const Start& where) const;
  // Tokens that the sequence is expected to have at its end.
  std::int64_t expected_tokens(const Sequence& sequence) const;
  void drop_cancelled(const Sink& sink);
  // False: no sequence advanced, but room was made.
  Result<bool> step(const Sink& sink);
  bool make_room(const Sink& sink);
  void take_token(Sequence& sequence, std::span<const float> logits, const double* log_sum);
  void append(Sequence& sequence, TokenId token);
  void finish(Sequence& sequence, const Sink& sink);

  ModelRunner& runner_;
  const Vocabulary vocabulary_;
  const SchedulerOptions options_;
  SchedulerStats stats_;
  bool source_dry_ = false;
  std::deque<SequencePtr> waiting_;  // pulled, or preempted: those first; bounded by pull()
  std::vector<SequencePtr> running_;

  // Lengths of finished samples, of all and by group.
  struct Lengths {
    double sum = 0;
    std::int64_t n = 0;
  };

  Lengths lengths_;
  std::unordered_map<std::string, Lengths> group_lengths_;
};

}  // namespace r1eval
