// One step of the transformer over a batch of tokens: embedding, layers, output head.
//
// What a layer does stands in engine/cpu/layers/, one file a type; this file only walks them.
// Shapes   T tokens of the step, D hidden_dim, V vocab_size.
// Threads  run() uses the team; the object belongs to one scheduler thread.
#pragma once

#include <cstdint>
#include <span>

#include "engine/cpu/attention_plan.h"
#include "engine/cpu/kv_cache.h"
#include "engine/cpu/memory.h"
#include "engine/cpu/step.h"
#include "engine/cpu/step_token.h"
#include "engine/cpu/thread_team.h"
#include "engine/cpu/weights.h"
#include "engine/model/model_config.h"
#include "kernels/kernels.h"

namespace r1eval::cpu {

class Forward {
 public:
  static Result<Forward> make(const ModelConfig& config, const ModelWeights& weights,
                              const KvCache& cache, std::int64_t max_tokens);

  static std::int64_t scratch_bytes(const ModelConfig& config, std::int64_t max_tokens);

  // Whether sequences with pages in common are attended to together; changes no bit.
  void set_shares_attention(bool shares) { shares_attention_ = shares; }

  // Runs `tokens` (at most max_tokens) through the layers, writes their keys and values, and fills
  // logits[i * V …] for the token logit_tokens[i].
  void run(ThreadTeam& team, std::span<const StepToken> tokens,
           std::span<const std::int64_t> logit_tokens, float* logits);

 private:
  void walk(std::span<const std::int64_t> logit_tokens, float* logits);
  void embed(std::int64_t token);
  void head(const Pending& pending, std::span<const std::int64_t> logit_tokens, float* logits);

  const ModelConfig* config_ = nullptr;
  const ModelWeights* weights_ = nullptr;
  Block storage_;
  Step step_;
  kernels::QuantizedColumns head_input_;  // (T, D)
  AttentionPlan attention_;
  bool shares_attention_ = true;
};

}  // namespace r1eval::cpu
