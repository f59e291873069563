// A model's weights in the kernels' tiles, by layer.
//
// Shapes   linear weights are (out, in); D hidden_dim, F ffn_dim, V vocab_size, H n_heads, G
// n_kv_heads,
//          d head_dim. Biases and gains are float32; a bias that the file lacks is null.
// Rope     rows of Q and K (and their biases) are put into half-split order here, whatever the
// file's
//          order, so that there is one rotation.
// Errors   missing, additional or wrongly shaped tensors are named; kUnsupported for what we cannot
// run.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "engine/cpu/memory.h"
#include "engine/model/gguf.h"
#include "engine/model/model_config.h"
#include "kernels/kernels.h"

namespace r1eval::cpu {

struct Linear {
  kernels::PackedMatrix matrix;
  const float* bias = nullptr;  // (out)
};

struct LayerWeights {
  const float* attention_norm = nullptr;  // (D)
  Linear query;                           // (H d, D)
  Linear key;                             // (G d, D)
  Linear value;                           // (G d, D)
  Linear output;                          // (D, H d)
  const float* ffn_norm = nullptr;        // (D)
  Linear gate;                            // (F, D)
  Linear up;                              // (F, D)
  Linear down;                            // (D, F)
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
Result<std::int64_t> packed_weight_bytes(const GgufFile& file, const ModelConfig& config,
                                         bool as_f32);

// Reads, reorders and packs everything, in parallel. `as_f32`: dequantised to float32.
Result<ModelWeights> load_weights(const GgufFile& file, const ModelConfig& config, bool as_f32);

}  // namespace r1eval::cpu
