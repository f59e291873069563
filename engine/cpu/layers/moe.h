// A mixture of experts beside shared ones: DeepSeek's second half of a layer.
//
//   out = sum over the chosen experts, best first, of weight * MLP_expert(x)  +  MLP_shared(x)
//
// Execution  (token, expert) pairs are sorted by expert; an expert is one product over its tokens'
//            columns, so that its weights are read once a step. The sum runs in the order of rank,
//            in float32, whatever the order of computation.
// Precision  the router's weights and input are float32 in all numerics.
// Shapes   T tokens, D hidden_dim, E experts, k chosen a token, R = T k rows, I width of an expert,
//          S width of the shared one.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/cpu/layers/dense_mlp.h"
#include "engine/cpu/step.h"
#include "kernels/cpu/linear.h"

namespace r1eval::cpu {

struct MoeWeights {
  Linear router;                       // (E, D), float32
  const float* router_bias = nullptr;  // (E), for the choice only
  std::vector<MlpWeights> experts;
  MlpWeights shared;  // empty where there is none
  // What forms the experts' inputs are needed in; of all of them together.
  bool quantized_input = false;
  bool float_input = false;
  bool quantized_hidden = false;

  void note_forms();
};

std::int64_t moe_scratch_bytes(const ModelConfig& config, std::int64_t max_tokens);

Pending moe(const Step& step, const float* norm, const MoeWeights& weights, const Pending& before);

}  // namespace r1eval::cpu
