// Softmax attention of a step's queries over the cache, whatever lies in it.
//
// Work items are blocks of query heads that see the same pages (engine/cpu/attention_plan.h), per
// head of the cache.
#pragma once

#include <cstdint>

#include "engine/cpu/step.h"

namespace r1eval::cpu {

// Shapes   queries (T, H, head_dim of the cache), out (T, H, out_dim); the strides lead from token
// to
//          token.
struct PagedAttention {
  const float* queries = nullptr;
  std::int64_t query_stride = 0;
  float* out = nullptr;
  std::int64_t out_stride = 0;
  std::int64_t out_dim = 0;
};

// One phase.
void attend_to_cache(const Step& step, std::int64_t layer, const PagedAttention& attention);

}  // namespace r1eval::cpu
