// The seam inside the embedded engine: a step's mixed batch of tokens in, logits out.
//
// Above it stand the scheduler, the sampler and the stop conditions (engine/scheduler.h), below it
// the forward pass and its key/value cache (engine/cpu/, later engine/cuda/). The scheduler is
// tested with a fake runner, the forward pass without a scheduler.
//
// Contract  the logits of a token depend only on the model file, the numerics and the tokens before
//           it in its own sequence: bit for bit the same whatever else is in the batch, however the
//           prompt was cut into chunks, and for any thread count.
// Shapes    T = all new tokens of the step, V = vocabulary. Logits rows are (n_rows, V) float32.
// Threads   one scheduler thread calls; the runner uses its own workers inside step().
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace r1eval {

using TokenId = std::int32_t;
using SequenceId = std::int64_t;

// Asks for the log-probability of `token` as the continuation of a chunk up to its token `row`.
struct ScoreTarget {
  std::int64_t row = 0;  // index into the chunk's tokens
  TokenId token = 0;
};

struct TokenScore {
  double logprob = 0;  // natural logarithm, of the untempered distribution over the real tokens
  TokenId best = 0;    // the most probable token there, the lowest id among equals
};

// New tokens of one sequence in this step: one for decode, a chunk of the prompt for prefill.
struct StepChunk {
  SequenceId sequence = -1;
  std::span<const TokenId> tokens;  // non-empty; they continue what the cache holds of the sequence
  std::int64_t logit_rows = 0;      // logits wanted for this many of the LAST tokens of the chunk
  // Rows ascending; a chunk asks for logits or for scores. Scores take no row of logits in memory.
  std::span<const ScoreTarget> targets = {};
  bool wants_log_sums = false;  // of the rows of logits
};

struct CacheStats {
  std::int64_t page_tokens = 0;  // tokens a page holds
  std::int64_t n_pages = 0;      // in all
  std::int64_t n_free = 0;       // of these, unused or held only for prompts to come
};

class ModelRunner {
 public:
  virtual ~ModelRunner() = default;

  virtual std::int64_t vocab_size() const = 0;      // V: rows of the output head
  virtual std::int64_t context_tokens() const = 0;  // longest sequence the model was made for
  virtual CacheStats cache_stats() const = 0;
  virtual std::int64_t max_step_tokens() const = 0;  // T of one step at most

  // A new, empty sequence. Costs no cache until tokens come.
  virtual SequenceId open_sequence() = 0;

  // A new sequence that begins with what the cache still holds of `tokens`, at least one token
  // short of all: sequence_tokens() says with how many. By default with nothing.
  virtual SequenceId open_sequence(std::span<const TokenId> tokens) {
    (void)tokens;
    return open_sequence();
  }

  // How many tokens that would be.
  virtual std::int64_t cached_tokens(std::span<const TokenId> tokens) const {
    (void)tokens;
    return 0;
  }

  // A new sequence that begins as a copy of the first `n_tokens` of `parent` (full pages are
  // shared, the last partial one is copied). Errors: kResourceExhausted.
  virtual Result<SequenceId> fork_sequence(SequenceId parent, std::int64_t n_tokens) = 0;
  virtual void close_sequence(SequenceId sequence) = 0;
  // Tokens that the cache holds of the sequence.
  virtual std::int64_t sequence_tokens(SequenceId sequence) const = 0;

  // Appends every chunk's tokens to its sequence and computes the wanted logits, rows in the order
  // of the chunks and of their tokens. All or nothing: on kResourceExhausted (pages) no sequence
  // has changed, and the caller preempts one. The span stays valid until the next call.
  virtual Result<std::span<const float>> step(std::span<const StepChunk> chunks) = 0;

  // Of the last step, valid until the next: the scores of all targets, in the order of chunks and
  // targets; and, where a chunk wanted them, for each row of logits the logarithm of the sum of its
  // exponentials over the real tokens. A runner that offers neither gives none.
  virtual std::span<const TokenScore> scores() const { return {}; }

  virtual std::span<const double> log_sums() const { return {}; }
};

}  // namespace r1eval
