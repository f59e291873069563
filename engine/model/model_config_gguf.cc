// Model configuration from GGUF metadata. See model_config.h.
#include "engine/model/model_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "engine/model/rope_scaling.h"

namespace r1eval {

namespace {

class Reader {
 public:
  Reader(const GgufFile& file, std::string architecture)
      : file_(file), architecture_(std::move(architecture)) {}

  std::string key(std::string_view suffix) const {
    return fmt::format("{}.{}", architecture_, suffix);
  }

  Error bad(std::string_view full_key, const std::string& why) const {
    return fail(ErrorCode::kParse, fmt::format("{}: {} {}", file_.path(), full_key, why));
  }

  Error unsupported(const std::string& what) const {
    return fail(ErrorCode::kUnsupported, fmt::format("{}: {}", file_.path(), what));
  }

  Result<std::int64_t> extent(std::string_view suffix) const {
    const std::string full = key(suffix);
    if (file_.is_array(full)) {
      return unsupported(
          fmt::format("{} differs from layer to layer, which is not supported", full));
    }
    R1_TRY(const std::int64_t value, file_.require_int(full));
    return checked(full, value);
  }

  Result<std::int64_t> extent_or(std::string_view suffix, std::int64_t otherwise) const {
    return file_.has(key(suffix)) ? extent(suffix) : checked(key(suffix), otherwise);
  }

 private:
  Result<std::int64_t> checked(const std::string& full, std::int64_t value) const {
    if (value < 1 || value > kMaxModelExtent) {
      return bad(full, fmt::format("is {}, which cannot be", value));
    }
    return value;
  }

  const GgufFile& file_;
  std::string architecture_;
};

// Divides each frequency by the factor that the file's rope_freqs tensor holds for it (llama3
// scaling).
Status apply_frequency_factors(const GgufFile& file, ModelConfig& config) {
  const GgufTensor* factors = file.find_tensor("rope_freqs.weight");
  if (factors == nullptr) {
    return ok_status();
  }
  if (factors->type != TensorType::kF32 ||
      factors->n_values() != static_cast<std::int64_t>(config.rope_frequencies.size())) {
    return fail(
        ErrorCode::kParse,
        fmt::format("{}: tensor rope_freqs.weight holds {} values of type {}; {} of F32 are "
                    "expected",
                    file.path(), factors->n_values(), tensor_type_info(factors->type).name,
                    config.rope_frequencies.size()));
  }
  for (std::size_t i = 0; i < config.rope_frequencies.size(); ++i) {
    float factor = 1.0F;
    std::memcpy(&factor, factors->bytes.data() + i * sizeof factor, sizeof factor);
    if (!(factor > 0.0F) || !std::isfinite(factor)) {
      return fail(ErrorCode::kParse, fmt::format("{}: tensor rope_freqs.weight: value {} is {}",
                                                 file.path(), i, factor));
    }
    config.rope_frequencies[i] /= static_cast<double>(factor);
  }
  config.rope_scaling = "factors";
  return ok_status();
}

// What reading of the rotation needs to know: how the magnitude follows from YaRN's keys differs.
struct YarnKeys {
  double factor = 1.0;
  double attention_factor = 1.0;
};

Result<YarnKeys> read_yarn(const GgufFile& file, const Reader& reader, ModelConfig& config,
                           double theta, double factor) {
  R1_TRY(const auto original, file.get_float(reader.key("rope.scaling.original_context_length")));
  R1_TRY(const auto fast, file.get_float(reader.key("rope.scaling.yarn_beta_fast")));
  R1_TRY(const auto slow, file.get_float(reader.key("rope.scaling.yarn_beta_slow")));
  R1_TRY(const auto attention, file.get_float(reader.key("rope.scaling.attn_factor")));
  const double context = original.value_or(static_cast<double>(config.context_tokens));
  if (!(context >= 1.0) || !(fast.value_or(32.0) > 0.0) || !(slow.value_or(1.0) > 0.0) ||
      !std::isfinite(attention.value_or(1.0))) {
    return reader.bad(reader.key("rope.scaling"), "has YaRN parameters that cannot be");
  }
  scale_yarn(config.rope_frequencies, theta, factor, context, fast.value_or(32.0),
             slow.value_or(1.0));
  config.rope_scaling = "yarn";
  return YarnKeys{factor, attention.value_or(1.0)};
}

Status read_rope(const GgufFile& file, const Reader& reader, ModelConfig& config) {
  R1_TRY(config.rope_dim, reader.extent_or("rope.dimension_count", config.head_dim));
  if (config.rope_dim > config.head_dim || config.rope_dim % 2 != 0) {
    return reader.bad(reader.key("rope.dimension_count"),
                      fmt::format("is {}; an even number up to the head's {} is expected",
                                  config.rope_dim, config.head_dim));
  }
  R1_TRY(const auto stated_theta, file.get_float(reader.key("rope.freq_base")));
  const double theta = stated_theta.value_or(10000.0);
  if (!(theta > 1.0) || !std::isfinite(theta)) {
    return reader.bad(reader.key("rope.freq_base"), fmt::format("is {}, which cannot be", theta));
  }
  config.rope_frequencies = rope_frequencies(config.rope_dim, theta);
  R1_TRY(const auto type, file.get_string(reader.key("rope.scaling.type")));
  R1_TRY(const auto factor_key, file.get_float(reader.key("rope.scaling.factor")));
  R1_TRY(const auto old_factor, file.get_float(reader.key("rope.scale_linear")));
  const double factor = factor_key.value_or(old_factor.value_or(1.0));
  const std::string scaling = type.value_or(old_factor ? "linear" : "none");
  if (!(factor > 0.0) || !std::isfinite(factor)) {
    return reader.bad(reader.key("rope.scaling.factor"), fmt::format("is {}", factor));
  }
  if (scaling == "linear") {
    for (double& frequency : config.rope_frequencies) {
      frequency /= factor;
    }
    config.rope_scaling = "linear";
  } else if (scaling == "yarn") {
    R1_TRY(const YarnKeys yarn, read_yarn(file, reader, config, theta, factor));
    if (config.is_latent()) {
      // DeepSeek puts the magnitude into the scale of the scores; the key holds 0.1 * mscale.
      R1_TRY(const auto multiplier, file.get_float(reader.key("rope.scaling.yarn_log_multiplier")));
      const double magnitude = yarn_magnitude(factor, 10.0 * multiplier.value_or(0.0));
      config.attention_scale *= static_cast<float>(magnitude * magnitude);
    } else {
      config.rope_magnitude =
          static_cast<float>(yarn_magnitude(factor, 1.0) * yarn.attention_factor);
    }
  } else if (scaling != "none") {
    return reader.unsupported(fmt::format(
        "rope scaling \"{}\" is not supported; none, linear, yarn and a rope_freqs tensor are",
        scaling));
  }
  return apply_frequency_factors(file, config);
}

// Heads with keys and values of their own.
Status read_grouped_attention(const GgufFile& file, const Reader& reader, ModelConfig& config) {
  R1_TRY(config.n_kv_heads, reader.extent_or("attention.head_count_kv", config.n_heads));
  if (config.n_heads % config.n_kv_heads != 0) {
    return reader.bad(reader.key("attention.head_count"),
                      fmt::format("is {}, not a multiple of the {} key/value heads", config.n_heads,
                                  config.n_kv_heads));
  }
  if (!file.has(reader.key("attention.key_length")) && config.hidden_dim % config.n_heads != 0) {
    return reader.bad(reader.key("embedding_length"),
                      fmt::format("is {}, not a multiple of the {} heads, and there is no "
                                  "attention.key_length",
                                  config.hidden_dim, config.n_heads));
  }
  R1_TRY(config.head_dim,
         reader.extent_or("attention.key_length",
                          std::max<std::int64_t>(config.hidden_dim / config.n_heads, 1)));
  R1_TRY(const std::int64_t value_dim, reader.extent_or("attention.value_length", config.head_dim));
  if (value_dim != config.head_dim) {
    return reader.unsupported(
        fmt::format("attention.value_length {} differs from key_length {}, "
                    "which is not supported for {}",
                    value_dim, config.head_dim, config.architecture));
  }
  return ok_status();
}

// Newer files describe the attention over the latent, with one key/value head, and give the heads'
// real sizes under *_mla; older ones give the real sizes directly.
Status read_latent_attention(const GgufFile& file, const Reader& reader, ModelConfig& config) {
  LatentAttention& latent = config.latent;
  config.attention = AttentionKind::kLatent;
  config.n_kv_heads = config.n_heads;
  const bool is_new = file.has(reader.key("attention.key_length_mla"));
  const char* key_name = is_new ? "attention.key_length_mla" : "attention.key_length";
  const char* value_name = is_new ? "attention.value_length_mla" : "attention.value_length";
  R1_TRY(config.head_dim, reader.extent(key_name));
  R1_TRY(latent.value_dim, reader.extent(value_name));
  R1_TRY(latent.kv_rank, reader.extent("attention.kv_lora_rank"));
  R1_TRY(latent.rope_dim, reader.extent("rope.dimension_count"));
  if (file.has(reader.key("attention.q_lora_rank"))) {
    R1_TRY(const std::int64_t rank, file.require_int(reader.key("attention.q_lora_rank")));
    if (rank != 0) {  // some converters write 0 for none
      R1_TRY(latent.q_rank, reader.extent("attention.q_lora_rank"));
    }
  }
  if (latent.rope_dim >= config.head_dim) {
    return reader.bad(reader.key("rope.dimension_count"),
                      fmt::format("is {}, which leaves nothing of a key of {}", latent.rope_dim,
                                  config.head_dim));
  }
  latent.nope_dim = config.head_dim - latent.rope_dim;
  return ok_status();
}

Status read_experts(const GgufFile& file, const Reader& reader, ModelConfig& config) {
  R1_TRY(const auto n_experts, file.get_int(reader.key("expert_count")));
  if (n_experts.value_or(0) == 0) {
    config.experts.first_layer = config.n_layers;
    return ok_status();
  }
  if (!config.is_latent()) {
    return reader.unsupported(fmt::format("{} is {}: experts are supported for deepseek2 only",
                                          reader.key("expert_count"), *n_experts));
  }
  Experts& experts = config.experts;
  R1_TRY(experts.n_routed, reader.extent("expert_count"));
  R1_TRY(experts.n_used, reader.extent("expert_used_count"));
  R1_TRY(experts.ffn_dim, reader.extent("expert_feed_forward_length"));
  R1_TRY(const auto n_shared, file.get_int(reader.key("expert_shared_count")));
  R1_TRY(const auto n_dense, file.get_int(reader.key("leading_dense_block_count")));
  experts.n_shared = n_shared.value_or(0);
  experts.first_layer = n_dense.value_or(0);
  Router& router = experts.router;
  R1_TRY(router.n_groups, reader.extent_or("expert_group_count", 1));
  R1_TRY(router.n_groups_used, reader.extent_or("expert_group_used_count", 1));
  R1_TRY(const auto scale, file.get_float(reader.key("expert_weights_scale")));
  R1_TRY(const auto norm, file.get_bool(reader.key("expert_weights_norm")));
  R1_TRY(const auto gating, file.get_int(reader.key("expert_gating_func")));
  router.scale = static_cast<float>(scale.value_or(1.0));
  router.normalizes = norm.value_or(false);
  if (gating.value_or(1) == 2) {
    router.scores = Router::Scores::kSigmoid;
    router.group_score = Router::GroupScore::kBestTwo;
  } else if (gating.value_or(1) > 1 || gating.value_or(1) < 0) {
    return reader.unsupported(fmt::format("{} is {}; 1 (softmax) and 2 (sigmoid) are supported",
                                          reader.key("expert_gating_func"), *gating));
  }
  router.has_bias =
      file.find_tensor(fmt::format("blk.{}.exp_probs_b.bias", experts.first_layer)) != nullptr;
  return ok_status();
}

}  // namespace

Result<ModelConfig> read_model_config(const GgufFile& file) {
  ModelConfig config;
  R1_TRY(config.architecture, file.require_string("general.architecture"));
  const bool is_deepseek = config.architecture == "deepseek2";
  if (config.architecture != "llama" && config.architecture != "qwen2" && !is_deepseek) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("{}: architecture \"{}\" is not supported; llama, qwen2 and deepseek2 are",
                    file.path(), config.architecture));
  }
  R1_TRY(const auto name, file.get_string("general.name"));
  config.name = name.value_or("");
  const Reader reader(file, config.architecture);
  R1_TRY(config.n_layers, reader.extent("block_count"));
  R1_TRY(const auto n_prediction, file.get_int(reader.key("nextn_predict_layers")));
  if (n_prediction.value_or(0) > 0 && *n_prediction < config.n_layers) {
    // Such files count the prediction layers among the blocks.
    config.n_prediction_layers = *n_prediction;
    config.n_layers -= *n_prediction;
  }
  R1_TRY(config.hidden_dim, reader.extent("embedding_length"));
  R1_TRY(config.n_heads, reader.extent("attention.head_count"));
  R1_TRY(config.context_tokens, reader.extent("context_length"));
  if (is_deepseek) {
    R1_RETURN_IF_ERROR(read_latent_attention(file, reader, config));
  } else {
    R1_RETURN_IF_ERROR(read_grouped_attention(file, reader, config));
  }
  R1_TRY(const double eps, file.require_float(reader.key("attention.layer_norm_rms_epsilon")));
  if (!(eps >= 0.0) || eps > 1.0) {
    return reader.bad(reader.key("attention.layer_norm_rms_epsilon"), fmt::format("is {}", eps));
  }
  config.rms_norm_eps = static_cast<float>(eps);
  R1_TRY(const auto window, file.get_int(reader.key("attention.sliding_window")));
  if (window.value_or(0) > 0) {
    return reader.unsupported(fmt::format("{} is {}, which is not supported",
                                          reader.key("attention.sliding_window"), *window));
  }
  R1_RETURN_IF_ERROR(read_experts(file, reader, config));
  R1_TRY(config.ffn_dim, reader.extent("feed_forward_length"));
  config.rope_pairs = config.architecture == "qwen2" ? RopePairs::kHalves : RopePairs::kNeighbours;
  config.attention_scale = 1.0F / std::sqrt(static_cast<float>(config.head_dim));
  R1_RETURN_IF_ERROR(read_rope(file, reader, config));

  const GgufTensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr) {
    return fail(ErrorCode::kParse,
                fmt::format("{}: tensor token_embd.weight is missing", file.path()));
  }
  config.vocab_size = embedding->n_rows();
  if (config.vocab_size > kMaxModelExtent) {
    return reader.bad("token_embd.weight", fmt::format("has {} rows", config.vocab_size));
  }
  config.tied_head = file.find_tensor("output.weight") == nullptr;
  R1_RETURN_IF_ERROR(check_model_config(config, file.path()));
  return config;
}

}  // namespace r1eval
