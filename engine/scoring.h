// Log-probabilities of given continuations: the scoring mode of the embedded engine.
//
// Tokens   Context and continuation are tokenised as the common harnesses do: white space at the
//          context's end belongs to the continuation; the continuation's tokens are those that the
//          whole text has beyond as many as the context alone has. A BOS stands there exactly once;
//          an empty context is the BOS alone, or the end token where a model has no BOS.
// Cost     One pass over the context, whose pages all its continuations share; continuations of one
//          token need nothing more. Contexts that begin alike share pages through the cache's
//          index.
// Identity a score depends on model, context and continuation alone, bit for bit.
// Threads  run() is one thread's loop; the sink is called from it.
// Tested   tests/engine/embedded/scoring_test.cc
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/result.h"
#include "engine/model/tokenizer.h"
#include "engine/model_runner.h"

namespace r1eval {

// The tokens of one continuation and of what stands before it.
struct ScoredText {
  std::vector<TokenId> context;       // at least one
  std::vector<TokenId> continuation;  // at least one
};

// Errors: kInvalidArgument when the continuation has no token of its own, or there is neither
// context nor a token to begin with.
Result<ScoredText> tokenize_scored(const Tokenizer& tokenizer, std::string_view context,
                                   std::string_view continuation);

struct ScoreJob {
  std::int64_t index = 0;
  std::vector<ScoredText> texts;  // usually continuations of one context
};

struct ContinuationScore {
  double sum_logprob = 0;
  std::vector<double> token_logprobs;
  bool is_greedy = true;  // every token is the most probable one at its place
};

struct JobScore {
  std::vector<ContinuationScore> texts;  // as in the job
  std::optional<Error> error;            // then the scores do not count
};

class Scorer {
 public:
  explicit Scorer(ModelRunner& runner);
  ~Scorer();

  using Source = std::function<std::optional<ScoreJob>()>;
  using Sink = std::function<void(std::int64_t index, JobScore score)>;

  // Until the source is dry, or `cancel` stops it. A job that does not fit in context or cache
  // comes back with an error that names the sizes. Errors: what the runner fails with.
  Status run(const Source& source, const Sink& sink, const CancelToken& cancel);

 private:
  struct Pass;
  struct Active;

  void start_passes();
  Result<bool> step(const Sink& sink);

  ModelRunner& runner_;
  std::vector<std::unique_ptr<Active>> active_;
};

}  // namespace r1eval
