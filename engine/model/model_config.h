// The shape and the constants of a model, read from the metadata of its GGUF file.
//
// Units   counts of layers, heads, tokens; rope angles in radians.
// Errors  kUnsupported names the architecture or feature that this program does not run and what it
//         does; kParse names the key whose value cannot be.
// Source  key names: the GGUF specification; meaning: the transformers library's llama and qwen2.
// Tested  tests/engine/cpu/gguf_test.cc
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/model/gguf.h"

namespace r1eval {

// How the file orders the rows of Q and K, seen by the rotation.
enum class RopePairs : std::uint8_t {
  kNeighbours,  // (0,1), (2,3), …: llama files, whose rows the converter permuted
  kHalves,      // (0,d/2), (1,d/2+1), …: qwen2 files
};

struct ModelConfig {
  std::string architecture;  // "llama" or "qwen2"
  std::string name;          // general.name, may be empty
  std::int64_t n_layers = 0;
  std::int64_t n_heads = 0;
  std::int64_t n_kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t hidden_dim = 0;  // D, width of the residual stream
  std::int64_t ffn_dim = 0;     // width inside the MLP
  std::int64_t vocab_size = 0;  // V, rows of the embedding
  std::int64_t context_tokens = 0;
  float rms_norm_eps = 1e-5F;
  bool tied_head = false;  // the output head is the embedding

  RopePairs rope_pairs = RopePairs::kHalves;
  std::int64_t rope_dim = 0;  // leading values of a head that are rotated, even
  // Angle of pair i at position p is p * rope_frequencies[i]; scaling is already in them.
  std::vector<double> rope_frequencies;  // (rope_dim / 2)
  float rope_magnitude = 1.0F;           // factor on cos and sin (YaRN)
  std::string rope_scaling = "none";     // none, linear, factors (rope_freqs tensor), yarn

  std::int64_t heads_per_kv() const { return n_heads / n_kv_heads; }
};

Result<ModelConfig> read_model_config(const GgufFile& file);

}  // namespace r1eval
