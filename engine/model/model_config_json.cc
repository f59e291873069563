// Model configuration from a config.json. See model_config.h.
//
// Defaults are those of the transformers library's configuration classes. A field that would change
// the numbers and that we do not read the meaning of is refused by name, never ignored.
#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "engine/model/model_config.h"
#include "engine/model/rope_scaling.h"

namespace r1eval {

namespace {

class Reader {
 public:
  Reader(const Json& json, const std::string& origin) : json_(json), origin_(origin) {}

  const Json& json() const { return json_; }

  const std::string& origin() const { return origin_; }

  Error bad(std::string_view key, const std::string& why) const {
    return fail(ErrorCode::kParse, fmt::format("{}: {} {}", origin_, key, why));
  }

  Error unsupported(const std::string& what) const {
    return fail(ErrorCode::kUnsupported, fmt::format("{}: {}", origin_, what));
  }

  bool has(std::string_view key) const { return find_member(json_, key) != nullptr; }

  Result<std::int64_t> integer(std::string_view key, std::int64_t least) const {
    const Json* value = find_member(json_, key);
    if (value == nullptr) {
      return bad(key, "is missing");
    }
    // A number beyond 63 bits is read as unsigned; its value does not matter any more.
    if (!value->is_number_integer() || value->is_number_float() ||
        (value->is_number_unsigned() &&
         value->get<std::uint64_t>() > static_cast<std::uint64_t>(kMaxModelExtent)) ||
        value->get<std::int64_t>() < least || value->get<std::int64_t>() > kMaxModelExtent) {
      return bad(key, fmt::format("is {}, which cannot be", dump_json(*value).substr(0, 60)));
    }
    return value->get<std::int64_t>();
  }

  Result<std::int64_t> extent(std::string_view key) const { return integer(key, 1); }

  Result<std::int64_t> extent_or(std::string_view key, std::int64_t otherwise) const {
    return has(key) ? extent(key) : Result<std::int64_t>(otherwise);
  }

  Result<std::int64_t> count_or(std::string_view key, std::int64_t otherwise) const {
    return has(key) ? integer(key, 0) : Result<std::int64_t>(otherwise);
  }

  Result<double> number_or(std::string_view key, double otherwise) const {
    const Json* value = find_member(json_, key);
    if (value == nullptr) {
      return otherwise;
    }
    if (!value->is_number() || !std::isfinite(value->get<double>())) {
      return bad(key, fmt::format("is {}; a number is expected", dump_json(*value).substr(0, 60)));
    }
    return value->get<double>();
  }

  Result<bool> flag_or(std::string_view key, bool otherwise) const {
    const Json* value = find_member(json_, key);
    if (value == nullptr) {
      return otherwise;
    }
    if (!value->is_boolean()) {
      return bad(key,
                 fmt::format("is {}; true or false is expected", dump_json(*value).substr(0, 60)));
    }
    return value->get<bool>();
  }

  Result<std::string> text_or(std::string_view key, std::string_view otherwise) const {
    const Json* value = find_member(json_, key);
    if (value == nullptr) {
      return std::string(otherwise);
    }
    if (!value->is_string()) {
      return bad(key, fmt::format("is {}; a string is expected", dump_json(*value).substr(0, 60)));
    }
    return value->get<std::string>();
  }

 private:
  const Json& json_;
  const std::string& origin_;
};

BiasRule rule(bool has_bias) {
  return has_bias ? BiasRule::kRequired : BiasRule::kAbsent;
}

// YaRN. The magnitude goes into cosines and sines, but for DeepSeek's mscale_all_dim, which also
// scales the scores.
Status apply_yarn(const Reader& rope, double theta, double factor, ModelConfig& config) {
  R1_TRY(const double original, rope.number_or("original_max_position_embeddings",
                                               static_cast<double>(config.context_tokens)));
  R1_TRY(const double fast, rope.number_or("beta_fast", 32.0));
  R1_TRY(const double slow, rope.number_or("beta_slow", 1.0));
  R1_TRY(const double mscale, rope.number_or("mscale", 0.0));
  R1_TRY(const double mscale_all_dim, rope.number_or("mscale_all_dim", 0.0));
  R1_TRY(const double stated, rope.number_or("attention_factor", 0.0));
  R1_TRY(const bool truncates, rope.flag_or("truncate", true));
  if (!(original >= 1.0) || !(fast > 0.0) || !(slow > 0.0)) {
    return rope.bad("rope_scaling", "has YaRN parameters that cannot be");
  }
  scale_yarn(config.rope_frequencies, theta, factor, original, fast, slow, truncates);
  config.rope_scaling = "yarn";
  double magnitude = yarn_magnitude(factor, 1.0);
  if (stated > 0.0) {
    magnitude = stated;
  } else if (mscale != 0.0 && mscale_all_dim != 0.0) {
    magnitude = yarn_magnitude(factor, mscale) / yarn_magnitude(factor, mscale_all_dim);
  }
  config.rope_magnitude = static_cast<float>(magnitude);
  if (config.is_latent() && mscale_all_dim != 0.0) {
    const double all = yarn_magnitude(factor, mscale_all_dim);
    config.attention_scale *= static_cast<float>(all * all);
  }
  return ok_status();
}

Status apply_llama3(const Reader& rope, double factor, ModelConfig& config) {
  R1_TRY(const double low, rope.number_or("low_freq_factor", 1.0));
  R1_TRY(const double high, rope.number_or("high_freq_factor", 4.0));
  R1_TRY(const double original, rope.number_or("original_max_position_embeddings", 8192.0));
  if (!(low > 0.0) || !(high > low) || !(original >= 1.0)) {
    return rope.bad("rope_scaling", "has llama3 parameters that cannot be");
  }
  scale_llama3(config.rope_frequencies, factor, low, high, original);
  config.rope_scaling = "llama3";
  return ok_status();
}

Status read_rope(const Reader& reader, ModelConfig& config) {
  // Newer files write one object rope_parameters, theta included.
  const Json* parameters = find_member(reader.json(), "rope_parameters");
  const Json* scaling =
      parameters != nullptr ? parameters : find_member(reader.json(), "rope_scaling");
  const Json nothing = Json::object();
  if (scaling != nullptr && !scaling->is_object()) {
    return reader.bad("rope_scaling", "is no object");
  }
  const Reader rope(scaling == nullptr ? nothing : *scaling, reader.origin());
  R1_TRY(const double stated_theta, reader.number_or("rope_theta", 10000.0));
  R1_TRY(const double theta, rope.number_or("rope_theta", stated_theta));
  R1_TRY(const double partial, reader.number_or("partial_rotary_factor", 1.0));
  if (partial != 1.0) {
    return reader.unsupported(fmt::format("partial_rotary_factor {} is not supported", partial));
  }
  if (!(theta > 1.0)) {
    return reader.bad("rope_theta", fmt::format("is {}, which cannot be", theta));
  }
  config.rope_frequencies = rope_frequencies(config.rope_dim, theta);
  R1_TRY(const std::string old_type, rope.text_or("type", "default"));
  R1_TRY(const std::string type, rope.text_or("rope_type", old_type));
  R1_TRY(const double factor, rope.number_or("factor", 1.0));
  if (!(factor > 0.0)) {
    return reader.bad("rope_scaling.factor", fmt::format("is {}", factor));
  }
  if (type == "linear") {
    for (double& frequency : config.rope_frequencies) {
      frequency /= factor;
    }
    config.rope_scaling = "linear";
    return ok_status();
  }
  if (type == "llama3") {
    return apply_llama3(rope, factor, config);
  }
  if (type == "yarn") {
    return apply_yarn(rope, theta, factor, config);
  }
  if (type != "default") {
    return reader.unsupported(
        fmt::format("rope scaling \"{}\" is not supported; linear, llama3 and yarn are", type));
  }
  return ok_status();
}

Status read_grouped_attention(const Reader& reader, ModelConfig& config) {
  R1_TRY(config.n_kv_heads, reader.extent_or("num_key_value_heads", config.n_heads));
  if (config.n_heads % config.n_kv_heads != 0) {
    return reader.bad("num_attention_heads",
                      fmt::format("is {}, not a multiple of the {} key/value heads", config.n_heads,
                                  config.n_kv_heads));
  }
  if (!reader.has("head_dim") && config.hidden_dim % config.n_heads != 0) {
    return reader.bad("hidden_size", fmt::format("is {}, not a multiple of the {} heads, and there "
                                                 "is no head_dim",
                                                 config.hidden_dim, config.n_heads));
  }
  R1_TRY(config.head_dim, reader.extent_or("head_dim", std::max<std::int64_t>(
                                                           config.hidden_dim / config.n_heads, 1)));
  config.rope_dim = config.head_dim;
  if (config.rope_dim % 2 != 0) {
    return reader.bad("head_dim", fmt::format("is {}; an even number is needed", config.rope_dim));
  }
  return ok_status();
}

Status read_latent_attention(const Reader& reader, ModelConfig& config) {
  LatentAttention& latent = config.latent;
  config.attention = AttentionKind::kLatent;
  config.n_kv_heads = config.n_heads;
  R1_TRY(latent.kv_rank, reader.extent("kv_lora_rank"));
  R1_TRY(latent.q_rank, reader.extent_or("q_lora_rank", 0));
  R1_TRY(latent.nope_dim, reader.extent("qk_nope_head_dim"));
  R1_TRY(latent.rope_dim, reader.extent("qk_rope_head_dim"));
  R1_TRY(latent.value_dim, reader.extent("v_head_dim"));
  config.head_dim = latent.query_dim();
  config.rope_dim = latent.rope_dim;
  if (config.rope_dim % 2 != 0) {
    return reader.bad("qk_rope_head_dim",
                      fmt::format("is {}; an even number is needed", config.rope_dim));
  }
  R1_TRY(const bool interleaves, reader.flag_or("rope_interleave", true));
  config.rope_pairs = interleaves ? RopePairs::kNeighbours : RopePairs::kHalves;
  return ok_status();
}

Status read_experts(const Reader& reader, bool is_v3, ModelConfig& config) {
  Experts& experts = config.experts;
  if (!reader.has("n_routed_experts")) {
    experts.first_layer = config.n_layers;
    return ok_status();
  }
  R1_TRY(experts.n_routed, reader.extent("n_routed_experts"));
  R1_TRY(experts.n_used, reader.extent("num_experts_per_tok"));
  R1_TRY(experts.ffn_dim, reader.extent("moe_intermediate_size"));
  R1_TRY(experts.n_shared, reader.count_or("n_shared_experts", 0));
  R1_TRY(experts.first_layer, reader.count_or("first_k_dense_replace", 0));
  R1_TRY(experts.layer_step, reader.extent_or("moe_layer_freq", 1));
  Router& router = experts.router;
  R1_TRY(const double scale, reader.number_or("routed_scaling_factor", 1.0));
  R1_TRY(router.normalizes, reader.flag_or("norm_topk_prob", is_v3));
  R1_TRY(router.n_groups, reader.extent_or("n_group", 1));
  R1_TRY(router.n_groups_used, reader.extent_or("topk_group", 1));
  router.scale = static_cast<float>(scale);
  R1_TRY(const std::string scoring, reader.text_or("scoring_func", is_v3 ? "sigmoid" : "softmax"));
  R1_TRY(const std::string method, reader.text_or("topk_method", is_v3 ? "noaux_tc" : "greedy"));
  if (is_v3) {
    if (scoring != "sigmoid" || method != "noaux_tc") {
      return reader.unsupported(
          fmt::format("a deepseek_v3 router with scoring_func \"{}\" and topk_method \"{}\" is not "
                      "supported; sigmoid and noaux_tc are",
                      scoring, method));
    }
    router.scores = Router::Scores::kSigmoid;
    router.group_score = Router::GroupScore::kBestTwo;
    router.has_bias = true;
    return ok_status();
  }
  if (scoring != "softmax" || (method != "greedy" && method != "group_limited_greedy")) {
    return reader.unsupported(
        fmt::format("a deepseek_v2 router with scoring_func \"{}\" and topk_method \"{}\" is not "
                    "supported; softmax with greedy or group_limited_greedy is",
                    scoring, method));
  }
  if (router.normalizes) {
    // DeepSeek's code then leaves the scaling factor out, the transformers library the division.
    return reader.unsupported(
        "norm_topk_prob with a deepseek_v2 router is not supported: its published "
        "implementations disagree");
  }
  if (method == "greedy") {
    router.n_groups = 1;
    router.n_groups_used = 1;
  }
  return ok_status();
}

Status read_quantization(const Reader& reader, ModelConfig& config) {
  const Json* json = find_member(reader.json(), "quantization_config");
  if (json == nullptr) {
    return ok_status();
  }
  const std::string method = string_or(*json, "quant_method");
  if (method != "fp8" || string_or(*json, "fmt", "e4m3") != "e4m3") {
    return reader.unsupported(
        fmt::format("quantization \"{}\" is not supported; fp8 of format e4m3 is", method));
  }
  const Json* block = find_member(*json, "weight_block_size");
  if (block == nullptr || *block != Json::array({128, 128})) {
    return reader.unsupported(
        fmt::format("fp8 weights with weight_block_size {} are not supported; [128,128] is",
                    block == nullptr ? "none" : dump_json(*block).substr(0, 60)));
  }
  config.has_fp8_weights = true;
  return ok_status();
}

void read_end_tokens(const Reader& reader, ModelConfig& config) {
  const Json* eos = find_member(reader.json(), "eos_token_id");
  const Json list = eos == nullptr ? Json::array() : eos->is_array() ? *eos : Json::array({*eos});
  for (const Json& id : list) {
    if (id.is_number_integer()) {
      config.end_tokens.push_back(id.get<std::int64_t>());
    }
  }
  config.bos_token = int_or(reader.json(), "bos_token_id", -1);
}

}  // namespace

Result<ModelConfig> read_model_config(const Json& json, const std::string& origin) {
  if (!json.is_object()) {
    return fail(ErrorCode::kParse, fmt::format("{}: expected a JSON object", origin));
  }
  const Reader reader(json, origin);
  ModelConfig config;
  R1_TRY(config.architecture, reader.text_or("model_type", ""));
  const bool is_v3 = config.architecture == "deepseek_v3";
  const bool is_deepseek = is_v3 || config.architecture == "deepseek_v2";
  const bool is_qwen = config.architecture == "qwen2";
  if (!is_deepseek && !is_qwen && config.architecture != "llama") {
    return reader.unsupported(
        fmt::format("model_type \"{}\" is not supported; llama, qwen2, deepseek_v2 and deepseek_v3 "
                    "are",
                    config.architecture));
  }
  R1_TRY(config.name, reader.text_or("_name_or_path", ""));
  R1_TRY(config.n_layers, reader.extent("num_hidden_layers"));
  R1_TRY(config.hidden_dim, reader.extent("hidden_size"));
  R1_TRY(config.ffn_dim, reader.extent("intermediate_size"));
  R1_TRY(config.n_heads, reader.extent("num_attention_heads"));
  R1_TRY(config.vocab_size, reader.extent("vocab_size"));
  R1_TRY(config.context_tokens, reader.extent("max_position_embeddings"));
  R1_TRY(config.tied_head, reader.flag_or("tie_word_embeddings", false));
  R1_TRY(const double eps, reader.number_or("rms_norm_eps", 1e-6));
  if (!(eps >= 0.0) || eps > 1.0) {
    return reader.bad("rms_norm_eps", fmt::format("is {}, which cannot be", eps));
  }
  config.rms_norm_eps = static_cast<float>(eps);
  R1_TRY(const std::string act, reader.text_or("hidden_act", "silu"));
  if (act != "silu") {
    return reader.unsupported(fmt::format("hidden_act \"{}\" is not supported; silu is", act));
  }
  R1_TRY(const bool slides, reader.flag_or("use_sliding_window", false));
  if (slides) {
    return reader.unsupported("use_sliding_window is true, which is not supported");
  }
  if (is_deepseek) {
    R1_RETURN_IF_ERROR(read_latent_attention(reader, config));
    R1_RETURN_IF_ERROR(read_experts(reader, is_v3, config));
    R1_TRY(config.n_prediction_layers, reader.count_or("num_nextn_predict_layers", 0));
  } else {
    R1_RETURN_IF_ERROR(read_grouped_attention(reader, config));
    config.experts.first_layer = config.n_layers;
  }
  R1_TRY(const bool attention_bias, reader.flag_or("attention_bias", false));
  R1_TRY(const bool mlp_bias, reader.flag_or("mlp_bias", false));
  config.qkv_bias = rule(attention_bias || is_qwen);
  config.output_bias = rule(attention_bias && !is_qwen);
  config.mlp_bias = rule(mlp_bias && !is_qwen);
  config.attention_scale = 1.0F / std::sqrt(static_cast<float>(config.head_dim));
  R1_RETURN_IF_ERROR(read_rope(reader, config));
  R1_RETURN_IF_ERROR(read_quantization(reader, config));
  read_end_tokens(reader, config);
  R1_RETURN_IF_ERROR(check_model_config(config, origin));
  return config;
}

}  // namespace r1eval
