// What the layers of one step share: the batch's tokens, the residual stream, the means to compute.
//
// Shapes   T tokens of the step, at most max_tokens; D hidden_dim. Rows of one token each, float32.
// Threads  every thread of the team walks the same layers; the object does not change meanwhile,
// and
//          threads write disjoint rows between two barriers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/cpu/attention_plan.h"
#include "engine/cpu/kv_cache.h"
#include "kernels/cpu/linear.h"
#include "engine/cpu/step_token.h"
#include "kernels/cpu/thread_team.h"
#include "engine/model/model_config.h"
#include "kernels/kernels.h"

namespace r1eval::cpu {

// A block's output that lies in `projected` and has not been added to the residual yet: the next
// block does that while it normalises, which saves a walk over the tokens.
struct Pending {
  bool is_there = false;
  const float* bias = nullptr;  // (D), added with it
};

struct Step {
  const ModelConfig* config = nullptr;
  const KvCache* cache = nullptr;
  const kernels::KernelTable* kernels = nullptr;
  ThreadTeam* team = nullptr;
  std::span<const StepToken> tokens;
  const AttentionPlan* attention = nullptr;  // which query heads are computed together
  std::int64_t max_tokens = 0;

  float* residual = nullptr;   // (T, D)
  float* input = nullptr;      // (T, D): the residual, normalised
  float* projected = nullptr;  // (T, D): output of the last block
  float* cosines = nullptr;    // (T, rope_dim / 2)
  float* sines = nullptr;      // (T, rope_dim / 2)
  std::byte* work = nullptr;   // of the layer that runs; its own scratch_bytes

  std::int64_t n() const { return static_cast<std::int64_t>(tokens.size()); }

  // body(token) for every token, as one phase.
  template <typename Body>
  void over_tokens(const Body& body) const {
    team->phase(n(), grain_for(n(), team->size(), 1), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t token = begin; token < end; ++token) {
        body(token);
      }
    });
  }

  // Adds what is pending to a token's residual.
  void add_pending(const Pending& pending, std::int64_t token) const {
    const std::int64_t d = config->hidden_dim;
    if (pending.is_there) {
      kernels->add(projected + token * d, d, residual + token * d);
    }
    if (pending.bias != nullptr) {
      kernels->add(pending.bias, d, residual + token * d);
    }
  }

  // input row `column` = the token's residual, normalised.
  void norm(const float* gain, std::int64_t token, std::int64_t column) const {
    const std::int64_t d = config->hidden_dim;
    kernels->rms_norm(residual + token * d, gain, config->rms_norm_eps, d, input + column * d);
  }

  void run(std::span<const Product> all) const { products(*team, *kernels, all); }
};

}  // namespace r1eval::cpu
