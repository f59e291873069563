// A model's weights in the kernels' tiles, by layer.
//
// Shapes   linear weights are (out, in); each layer type's shapes stand in its header (layers/).
//          Biases and gains are float32; a bias that the model does not have is null.
// Rope     rows that are rotated (and their biases) are put into half-split order here, whatever
// the
//          file's order, so that there is one rotation.
// Errors   missing, additional or wrongly shaped tensors are named; kUnsupported for what we cannot
//          run.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "engine/cpu/layers/dense_mlp.h"
#include "engine/cpu/layers/gqa_attention.h"
#include "engine/cpu/layers/mla_attention.h"
#include "engine/cpu/layers/moe.h"
#include "engine/model/checkpoint.h"
#include "engine/model/model_config.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/memory.h"

namespace r1eval::cpu {

// One of each pair is filled, as the configuration says.
struct LayerWeights {
  GqaWeights gqa;
  MlaWeights mla;
  const float* ffn_norm = nullptr;  // (D)
  MlpWeights dense;
  MoeWeights moe;
};

struct ModelWeights {
  kernels::PackedMatrix embedding;  // (V, D)
  std::vector<LayerWeights> layers;
  const float* final_norm = nullptr;  // (D)
  Linear head;                        // (V, D), the embedding's matrix where tied
  Block storage;

  std::int64_t bytes() const { return storage.bytes(); }
};

// Bytes that load_weights will need.
Result<std::int64_t> packed_weight_bytes(const Checkpoint& checkpoint, const ModelConfig& config,
                                         bool as_f32);

// Reads, reorders and packs everything, in parallel. `as_f32`: dequantised to float32.
Result<ModelWeights> load_weights(const Checkpoint& checkpoint, const ModelConfig& config,
                                  bool as_f32);

}  // namespace r1eval::cpu
