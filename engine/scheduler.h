// Continuous batching: keeps the model busy with as many sequences as there is room for.
//
// One step is one mixed batch: the next token of every sequence that decodes, then chunks of
// prompts up to a token budget. A sequence is its tokens and how many of them the cache holds, so
// decoding, prefilling and recomputing after a preemption are the same thing: feed what is missing,
// and when the last token was fed, sample one more.
//
// Sharing  samples of one group have one prompt: the first prefills it, the others start as forks.
// Memory   when pages run out, the kept prefix goes first, then the youngest sequence is preempted
//          and later recomputed from its tokens, with the same result.
// Identity a sample's tokens depend on model, prompt and sampling settings alone, as the runner's
//          logits do (engine/model_runner.h) and the sampler's draws do.
// Threads  run() is one thread's loop; the sink is called from it.
// Tested   tests/engine/embedded/scheduler_test.cc, on a runner whose logits are a hash of the
// tokens
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/generation.h"
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
};

struct SchedulerOptions {
  std::int64_t max_sequences = 32;
  std::int64_t prefill_tokens = 256;  // of prompts in one step, beside the decoding sequences
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

 private:
  struct Sequence;

  void admit(const Source& source, const CancelToken& cancel);
  bool start(std::unique_ptr<Sequence>& sequence);
  // False: no sequence advanced, but room was made.
  Result<bool> step(const Sink& sink);
  bool make_room(const Sink& sink);
  void take_token(Sequence& sequence, std::span<const float> logits);
  void keep_prefix(const Sequence& sequence);
  void drop_prefix();
  void finish(Sequence& sequence, const Sink& sink);

  ModelRunner& runner_;
  const Vocabulary vocabulary_;
  const SchedulerOptions options_;
  bool source_dry_ = false;
  std::deque<std::unique_ptr<Sequence>> waiting_;  // pulled, or preempted: those first
  std::vector<std::unique_ptr<Sequence>> running_;

  // The prompt of the group that was prefilled last, held open for its further samples.
  struct Prefix {
    std::string group;
    std::vector<TokenId> tokens;
    SequenceId sequence = -1;
  };

  Prefix prefix_;
};

}  // namespace r1eval
