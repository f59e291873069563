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

// New tokens of one sequence in this step: one for decode, a chunk of the prompt for prefill.
struct StepChunk {
  SequenceId sequence = -1;
  std::span<const TokenId> tokens;  // non-empty; they continue what the cache holds of the sequence
  std::int64_t logit_rows = 0;      // logits wanted for this many of the LAST tokens of the chunk
};

struct CacheStats {
  std::int64_t page_tokens = 0;  // tokens a page holds
  std::int64_t n_pages = 0;      // in all
  std::int64_t n_free = 0;
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
};

}  // namespace r1eval
