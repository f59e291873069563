// One step of the transformer over a batch of tokens: llama and qwen2 layers over kernels/.
//
// Shapes   T tokens of the step, D hidden_dim, H n_heads, G n_kv_heads, d head_dim, F ffn_dim,
//          V vocab_size. Activations are rows of one token each, float32.
// Threads  run() uses the team; the object belongs to one scheduler thread.
// Source   the transformers library's modeling_llama and modeling_qwen2 (float32).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/cpu/attention_plan.h"
#include "engine/cpu/head_scores.h"
#include "engine/cpu/kv_cache.h"
#include "engine/cpu/memory.h"
#include "engine/cpu/step_token.h"
#include "engine/cpu/thread_team.h"
#include "engine/cpu/weights.h"
#include "engine/model/model_config.h"
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

  // Runs `tokens` (at most max_tokens) through the layers, writes their keys and values, and does
  // the head's work.
  void run(ThreadTeam& team, std::span<const StepToken> tokens, const HeadWork& head);

 private:
  struct Output;

  void step(ThreadTeam& team, std::int64_t n);
  void layer(ThreadTeam& team, std::int64_t index, std::int64_t n);
  void head(ThreadTeam& team);
  // Columns 0 … of the head's input, from some tokens of the step.
  void head_input(ThreadTeam& team, std::span<const std::int64_t> tokens);
  void embed(std::int64_t token);
  void finish_qkv(std::int64_t layer, std::int64_t token);
  void attend(std::int64_t layer, std::int64_t block, std::int64_t kv_head);
  void add_to_residual(const Linear& linear, std::int64_t token);
  void norm(const float* gain, std::int64_t from_token, std::int64_t column);
  // Quantises row `column` of the input; with rest_column >= 0 in two parts (kernels.h).
  void quantize_input(std::int64_t width, std::int64_t column, std::int64_t rest_column = -1);
  // out rows = the linears applied to n input columns (and, where they are quantised, n_rest rest
  // columns behind them); every linear has its own place.
  void products(ThreadTeam& team, std::span<const Output> outputs, std::int64_t n,
                std::int64_t n_rest = 0);

  kernels::QuantizedColumns quantized(std::int64_t width) const;

  const ModelConfig* config_ = nullptr;
  const ModelWeights* weights_ = nullptr;
  const KvCache* cache_ = nullptr;
  const kernels::KernelTable* kernels_ = nullptr;
  std::int64_t max_tokens_ = 0;
  std::int64_t qkv_width_ = 0;    // (H + 2 G) d
  std::int64_t input_width_ = 0;  // widest input of a linear

  Block storage_;
  float* residual_ = nullptr;       // (T, D)
  float* input_ = nullptr;          // (T, input_width_): what the next linears read
  float* qkv_ = nullptr;            // (T, (H + 2 G) d)
  float* gate_up_ = nullptr;        // (T, 2 F)
  float* projected_ = nullptr;      // (T, D)
  float* cosines_ = nullptr;        // (T, rope_dim / 2)
  float* sines_ = nullptr;          // (T, rope_dim / 2)
  std::byte* quantized_ = nullptr;  // the input in 8 bits; two columns a token before Q, K and V

  std::span<const StepToken> tokens_;
  HeadWork head_;
  HeadScores head_scores_;
  AttentionPlan attention_;
  bool shares_attention_ = true;
};

}  // namespace r1eval::cpu
