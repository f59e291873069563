// A mixture's router: which experts a token goes to, and with which weights.
//
//   s = softmax(logits) or sigmoid(logits);  t = s + bias, where there is one
//   group score = best t of the group (no bias), or the sum of its best two;  the best groups stay
//   chosen = the k best t within them, best first;  weight = s (not t)
//   divided by (their sum + 1e-20) where the model says so, times its scale
//
// Ties go to the lower index, for groups as for experts. Experts of other groups cannot be chosen,
// whatever their score: they are masked with -inf as in DeepSeek's code (the transformers library
// masks with 0, which differs where a biased score is negative).
// Source   DeepSeek's inference/model.py (Gate); float32 throughout.
// Tested   tests/engine/cpu/router_test.cc
#pragma once

#include <cstdint>

#include "engine/model/model_config.h"

namespace r1eval::cpu {

// `scores` is room for 2 * n_routed + n_groups values. Fills experts and weights (n_used), best
// first.
void route(const Experts& experts, const float* logits, const float* bias, float* scores,
           std::int32_t* chosen, float* weights);

}  // namespace r1eval::cpu
