// The shape and the constants of a model, from a GGUF file's metadata or from a config.json.
//
// Units   counts of layers, heads, tokens; rope angles in radians.
// Errors  kUnsupported names the architecture or feature that this program does not run and what it
//         does; kParse names the key whose value cannot be.
// Source  key names: the GGUF specification, the transformers library's configurations; meaning:
//         that library's llama, qwen2, deepseek_v2 and deepseek_v3, DeepSeek's own model code where
//         they differ.
// Tested  tests/engine/cpu/gguf_test.cc, tests/engine/model/model_config_test.cc
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "engine/model/gguf.h"

namespace r1eval {

// How the file orders the rows that the rotation mixes.
enum class RopePairs : std::uint8_t {
  kNeighbours,  // (0,1), (2,3), …: llama GGUF files, whose rows the converter permuted; DeepSeek
  kHalves,      // (0,d/2), (1,d/2+1), …: everything else
};

// Whether linear layers of one kind have a bias.
enum class BiasRule : std::uint8_t {
  kAbsent,    // a bias in the file is an error
  kRequired,  // a missing one is
  kAsFound,   // GGUF does not say: what the file holds
};

enum class AttentionKind : std::uint8_t {
  kGrouped,  // heads with keys and values of their own, shared by groups of query heads
  kLatent,   // DeepSeek's: keys and values of all heads come from one latent vector a token
};

// Multi-head latent attention. A query and a key are nope_dim values without a position followed by
// rope_dim rotated ones; the rotated part of the key is one for all heads.
struct LatentAttention {
  std::int64_t q_rank = 0;   // width of the query's own latent; 0: queries come from the input
  std::int64_t kv_rank = 0;  // width of the cached latent
  std::int64_t nope_dim = 0;
  std::int64_t rope_dim = 0;
  std::int64_t value_dim = 0;
  float norm_eps = 1e-6F;  // of the latents' norms: not the model's rms_norm_eps

  std::int64_t query_dim() const { return nope_dim + rope_dim; }

  std::int64_t cache_dim() const { return kv_rank + rope_dim; }
};

// A router: scores, then groups, then experts, then their weights.
struct Router {
  enum class Scores : std::uint8_t { kSoftmax, kSigmoid };
  // What a group of experts is worth: its best score, or the sum of its best two.
  enum class GroupScore : std::uint8_t { kBest, kBestTwo };

  Scores scores = Scores::kSoftmax;
  GroupScore group_score = GroupScore::kBest;
  std::int64_t n_groups = 1;
  std::int64_t n_groups_used = 1;
  bool has_bias = false;  // added to the scores for the choice, not for the weights
  bool normalizes = false;
  float scale = 1.0F;  // of the weights
};

struct Experts {
  std::int64_t n_routed = 0;  // 0: no layer has experts
  std::int64_t n_used = 0;    // per token
  std::int64_t ffn_dim = 0;   // of one expert
  std::int64_t n_shared = 0;  // one dense MLP of n_shared * ffn_dim beside them
  std::int64_t first_layer = 0;
  std::int64_t layer_step = 1;  // of the layers from first_layer, those whose index it divides
  Router router;

  std::int64_t shared_dim() const { return n_shared * ffn_dim; }
};

struct ModelConfig {
  std::string architecture;  // "llama", "qwen2", "deepseek_v2", "deepseek_v3"; "deepseek2" in GGUF
  std::string name;          // general.name, may be empty
  std::int64_t n_layers = 0;
  std::int64_t n_heads = 0;
  std::int64_t n_kv_heads = 0;  // as many as n_heads where attention is latent
  std::int64_t head_dim = 0;    // latent: of a query, nope_dim + rope_dim
  std::int64_t hidden_dim = 0;  // D, width of the residual stream
  std::int64_t ffn_dim = 0;     // width inside a dense MLP
  std::int64_t vocab_size = 0;  // V, rows of the embedding
  std::int64_t context_tokens = 0;
  float rms_norm_eps = 1e-5F;
  bool tied_head = false;  // the output head is the embedding

  AttentionKind attention = AttentionKind::kGrouped;
  LatentAttention latent;
  Experts experts;
  float attention_scale = 0.0F;  // of the scores, before the softmax

  BiasRule qkv_bias = BiasRule::kAsFound;  // latent: of the projections from the input
  BiasRule output_bias = BiasRule::kAsFound;
  BiasRule mlp_bias = BiasRule::kAsFound;

  RopePairs rope_pairs = RopePairs::kHalves;
  std::int64_t rope_dim = 0;  // values of a head that are rotated, even
  // Angle of pair i at position p is p * rope_frequencies[i]; scaling is already in them.
  std::vector<double> rope_frequencies;  // (rope_dim / 2)
  float rope_magnitude = 1.0F;           // factor on cos and sin (YaRN)
  std::string rope_scaling = "none";  // none, linear, llama3, factors (a rope_freqs tensor), yarn

  bool has_fp8_weights = false;          // quantization_config of a config.json
  std::int64_t n_prediction_layers = 0;  // behind the last layer in the file, not run
  std::vector<std::int64_t> end_tokens;  // eos ids of a config.json
  std::int64_t bos_token = -1;

  std::int64_t heads_per_kv() const { return n_heads / n_kv_heads; }

  bool is_latent() const { return attention == AttentionKind::kLatent; }

  bool has_experts(std::int64_t layer) const {
    return experts.n_routed > 0 && layer >= experts.first_layer && layer % experts.layer_step == 0;
  }

  // Values that the cache keeps of a token in a layer.
  std::int64_t cache_values() const {
    return is_latent() ? latent.cache_dim() : 2 * n_kv_heads * head_dim;
  }
};

Result<ModelConfig> read_model_config(const GgufFile& file);

// `origin` stands in messages: the path of the config.json.
Result<ModelConfig> read_model_config(const Json& config, const std::string& origin);

// What both readers check at the end: sizes that fit together.
Status check_model_config(const ModelConfig& config, const std::string& origin);

constexpr std::int64_t kMaxModelExtent = 1 << 24;  // of any one width; larger ones are damage

}  // namespace r1eval
