// One step of the transformer over a batch of tokens: embedding, layers, output head.
//
// What a layer does stands in engine/cpu/layers/, one file a type; this file only walks them.
// Shapes   T tokens of the step, D hidden_dim, V vocab_size.
// Threads  run() uses the team; the object belongs to one scheduler thread.
#pragma once

#include <cstdint>
#include <span>

#include "engine/cpu/attention_plan.h"
#include "engine/cpu/head_scores.h"
#include "engine/cpu/kv_cache.h"
#include "engine/cpu/step.h"
#include "engine/cpu/step_token.h"
#include "engine/cpu/weights.h"
#include "engine/model/model_config.h"
#include "kernels/cpu/memory.h"
#include "kernels/cpu/thread_team.h"
#include "kernels/kernels.h"

namespace r1eval::cpu {

// What is wanted of the output head. No token is in both lists.
struct HeadWork {
  std::span<const std::int64_t> logit_tokens;   // these tokens' rows of logits …
  float* logits = nullptr;                      // … (rows, V)
  std::span<double> log_sums;                   // of these rows; empty: not wanted
  std::span<const std::int64_t> scored_tokens;  // these are only scored, row by row
  std::span<const RowTarget> targets;
  std::span<TokenScore> scores;  // of the targets
  std::int64_t n_real = 0;       // tokens of the vocabulary that count
};

class Forward {
 public:
  static Result<Forward> make(const ModelConfig& config, const ModelWeights& weights,
                              const KvCache& cache, std::int64_t max_tokens);

  static std::int64_t scratch_bytes(const ModelConfig& config, std::int64_t max_tokens);

  // Whether sequences with pages in common are attended to together; changes no bit.
  void set_shares_attention(bool shares) { shares_attention_ = shares; }

  // Adds up where the time of the steps goes; null, as at first: no.
  void set_times(StepTimes* times) { step_.times = times; }

  // Runs `tokens` (at most max_tokens) through the layers, writes their keys and values, and does
  // the head's work.
  void run(ThreadTeam& team, std::span<const StepToken> tokens, const HeadWork& work);

 private:
  void walk();
  void embed(std::int64_t token);
  void head(const Pending& pending);
  // Columns 0 … of the head's input, from some tokens of the step.
  void fill_head_input(const Pending& pending, std::span<const std::int64_t> tokens);

  const ModelConfig* config_ = nullptr;
  const ModelWeights* weights_ = nullptr;
  Block storage_;
  Step step_;
  kernels::QuantizedColumns head_input_;  // (T, D)
  HeadWork work_;
  HeadScores head_scores_;
  AttentionPlan attention_;
  bool shares_attention_ = true;
};

}  // namespace r1eval::cpu
