// The gated MLP: Linear_down(silu(Linear_gate(x)) * Linear_up(x)), x = norm(residual).
//
// Shapes   T tokens, D hidden_dim, F width inside.
// Source   the transformers library's LlamaMLP.
#pragma once

#include <cstdint>

#include "engine/cpu/step.h"
#include "kernels/cpu/linear.h"

namespace r1eval::cpu {

struct MlpWeights {
  Linear gate;  // (F, D)
  Linear up;    // (F, D)
  Linear down;  // (D, F)

  std::int64_t width() const { return gate.matrix.rows; }
};

std::int64_t dense_mlp_scratch_bytes(const ModelConfig& config, std::int64_t max_tokens);

// `norm` (D) is the gain of the norm before it.
Pending dense_mlp(const Step& step, const float* norm, const MlpWeights& weights,
                  const Pending& before);

// hidden = silu(gate) * up of one row, biases added to the products first; gate and up lie one
// behind the other in `gate_up`.
void gated_row(const kernels::KernelTable& kernels, const MlpWeights& weights, float* gate_up,
               float* hidden);

}  // namespace r1eval::cpu
