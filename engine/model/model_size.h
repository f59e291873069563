// What a model weighs and costs, derived from its configuration alone.
//
// Counted  parameters of everything that one pass of the main model uses: embedding, attention,
//          norms, routers with their selection bias, routed and shared experts, output head (once
//          where tied to the embedding). Prediction layers behind the last one and the factors of
//          FP8 weights are not parameters here.
//          Active are those that one token is multiplied with: of the routed experts only the
//          chosen ones; the embedding is one row's lookup and not counted, the head is (also where
//          tied). active_with_embedding counts the embedding's table too, as model cards do.
// FLOPs    two per active parameter of a matrix, plus attention's over the cached positions; a
//          multiply-add is two.
// Tested   tests/engine/model/model_size_test.cc, against published totals.
#pragma once

#include <cstdint>

#include "engine/model/model_config.h"

namespace r1eval {

struct ModelSize {
  std::int64_t total_parameters = 0;
  std::int64_t active_parameters = 0;
  std::int64_t active_with_embedding = 0;
  std::int64_t embedding_parameters = 0;
  std::int64_t fp8_parameters = 0;  // of total: those that an FP8 checkpoint stores in one byte
  std::int64_t cache_values_per_token = 0;           // all layers
  std::int64_t flops_per_token = 0;                  // without attention over the cache
  std::int64_t flops_per_cached_token = 0;           // attention, a token and a position before it
  std::int64_t expanded_flops_per_cached_token = 0;  // latent attention's other form; else the same
};

ModelSize model_size(const ModelConfig& config);

}  // namespace r1eval
