// Dimensions of the models whose operators the suite measures.
//
// Source  the models' config.json (DeepSeek-V3/R1, DeepSeek-V2-Lite, and the distills' base
// models).
#pragma once

#include <cstdint>

namespace r1eval::kernels {

// A mixture of experts.
struct MoeDims {
  const char* model;
  std::int64_t hidden;       // H
  std::int64_t experts;      // E, routed
  std::int64_t top_k;        // k, experts a token
  std::int64_t groups;       // of experts
  std::int64_t groups_kept;  // groups that a token may choose from
  std::int64_t inter;        // I, width of an expert
  std::int64_t shared;       // shared experts: one of width shared * I
  bool sigmoid;              // else softmax
  double scale;              // of the chosen experts' weights
};

// Multi-head latent attention.
struct MlaDims {
  const char* model;
  std::int64_t hidden;   // H
  std::int64_t heads;    // h
  std::int64_t q_lora;   // 0: the query comes directly from the hidden state
  std::int64_t kv_lora;  // c, the latent
  std::int64_t nope;     // of a head's query and key: without position
  std::int64_t rope;     // r: rotated
  std::int64_t v;        // of a head's value
};

// Grouped-query attention of the dense distills.
struct GqaDims {
  const char* model;
  std::int64_t hidden;
  std::int64_t heads;
  std::int64_t kv_heads;
  std::int64_t head_dim;
  std::int64_t inter;
};

inline constexpr MoeDims kV3Moe{"v3", 7168, 256, 8, 8, 4, 2048, 1, true, 2.5};
inline constexpr MoeDims kV2LiteMoe{"v2lite", 2048, 64, 6, 1, 1, 1408, 2, false, 1.0};
inline constexpr MlaDims kV3Mla{"v3", 7168, 128, 1536, 512, 128, 64, 128};
inline constexpr MlaDims kV2LiteMla{"v2lite", 2048, 16, 0, 512, 128, 64, 128};
inline constexpr GqaDims kDistills[] = {
    {"qwen-1.5b", 1536, 12, 2, 128, 8960}, {"qwen-7b", 3584, 28, 4, 128, 18944},
    {"llama-8b", 4096, 32, 8, 128, 14336}, {"qwen-14b", 5120, 40, 8, 128, 13824},
    {"qwen-32b", 5120, 40, 8, 128, 27648}, {"llama-70b", 8192, 64, 8, 128, 28672},
};
inline constexpr std::int64_t kV3Vocabulary = 129280;
inline constexpr std::int64_t kV2LiteVocabulary = 102400;

// Softmax scale of DeepSeek's MLA: 192^-0.5 (0.1 mscale ln 40 + 1)^2 with mscale 1.
inline constexpr double kV3SoftmaxScale = 0.07216878364870322 * 1.8738;
// Tokens of a block of the paged caches in the suite's cases.
inline constexpr std::int64_t kCacheBlockTokens = 64;

}  // namespace r1eval::kernels
