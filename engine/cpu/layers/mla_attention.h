// Multi-head latent attention (DeepSeek): keys and values of all heads come from one latent vector
// a token, which is all that the cache holds.
//
//   q          = Linear_q(x), or Linear_q_b(norm(Linear_q_a(x)));   per head: q_nope, q_rope
//   c, k_rope  = Linear_kv_a(x);  c = norm(c);  q_rope and k_rope are rotated
//   scores     = scale (q_nope . (K_b c) + q_rope . k_rope) = scale ((K_b^T q_nope) . c + q_rope .
//   k_rope) out        = Linear_o(V_b (softmax(scores) c))              per head, all heads joined
//
// The right-hand side is the absorbed form: it multiplies the query once instead of every key, and
// is the one that runs, for prompts as for single tokens, so that a token's bits do not depend on
// how a prompt was cut. docs/decisions/latent-attention.md says what that costs.
//
// Shapes   T tokens, D hidden_dim, H heads, n nope_dim, r rope_dim, v value_dim, R kv_rank, Q
// q_rank. Source   DeepSeek-V2, arXiv:2405.04434, section 2.1; the transformers library's
//          modeling_deepseek_v3 (float32).
#pragma once

#include <cstdint>
#include <vector>

#include "engine/cpu/step.h"
#include "kernels/cpu/linear.h"

namespace r1eval::cpu {

struct MlaWeights {
  const float* norm = nullptr;        // (D)
  Linear query_a;                     // (Q, D), where there is a query latent
  const float* query_norm = nullptr;  // (Q)
  Linear query;                       // (H (n + r), Q or D); the rotated part in half-split order
  Linear kv_a;                        // (R + r, D), likewise
  const float* kv_norm = nullptr;     // (R)
  std::vector<kernels::PackedMatrix> key_b;    // per head (R, n)
  std::vector<kernels::PackedMatrix> value_b;  // per head (v, R)
  Linear output;                               // (D, H v)
};

std::int64_t mla_scratch_bytes(const ModelConfig& config, std::int64_t max_tokens);

// Returns what it leaves in `projected`.
Pending mla_attention(const Step& step, const MlaWeights& weights, std::int64_t layer,
                      const Pending& before);

}  // namespace r1eval::cpu
