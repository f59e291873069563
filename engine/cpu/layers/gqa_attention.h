// Attention with grouped key/value heads (multi-head and multi-query are its extremes): llama,
// qwen2.
//
//   q, k, v = Linear(norm(residual));  q, k rotated;  out = Linear(softmax(scale q k^T) v)
//
// Shapes   T tokens, D hidden_dim, H query heads, G key/value heads, d head_dim.
// Precision  the input of Q, K and V is quantised in two parts (docs/decisions).
// Source   the transformers library's modeling_llama and modeling_qwen2 (float32).
#pragma once

#include <cstdint>

#include "engine/cpu/step.h"
#include "kernels/cpu/linear.h"

namespace r1eval::cpu {

struct GqaWeights {
  const float* norm = nullptr;  // (D)
  Linear query;                 // (H d, D)
  Linear key;                   // (G d, D)
  Linear value;                 // (G d, D)
  Linear output;                // (D, H d)
};

std::int64_t gqa_scratch_bytes(const ModelConfig& config, std::int64_t max_tokens);

// Returns what it leaves in `projected`.
Pending gqa_attention(const Step& step, const GqaWeights& weights, std::int64_t layer,
                      const Pending& before);

}  // namespace r1eval::cpu
