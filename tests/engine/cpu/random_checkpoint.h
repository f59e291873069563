// Small random checkpoints as the hub publishes them, and GGUF twins with the same weights.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"

namespace r1eval {

struct RandomTensor {
  std::vector<std::int64_t> shape;  // (rows, columns) or (n)
  std::vector<double> values;       // what the file's rounded values stand for
  std::string dtype;                // as stored
  std::string bytes;
  std::vector<float> scales;  // of FP8, (ceil(rows / 128), ceil(columns / 128))
};

struct RandomCheckpoint {
  Json config;
  std::map<std::string, RandomTensor> tensors;  // by the hub's names
};

// Every tensor that the configuration calls for, rounded to `dtype` (F32, F16, BF16); with
// "quantization_config" the linear layers' to F8_E4M3 with factors, the others to BF16.
RandomCheckpoint random_checkpoint(const Json& config, const std::string& dtype,
                                   std::uint32_t seed);

// config.json and safetensors in `folder`, in `n_shards` files.
void write_checkpoint(const RandomCheckpoint& checkpoint, const std::string& folder, int n_shards);

// The same weights in F32 as GGUF. `joined_kv_b`: DeepSeek's older form. `as_q8`: matrices in Q8_0,
// where their rows are whole blocks, routers excepted.
std::string gguf_twin(const RandomCheckpoint& checkpoint, bool joined_kv_b, bool as_q8 = false);

}  // namespace r1eval
