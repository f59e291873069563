// Model configuration from GGUF metadata. See model_config.h.
#include "engine/model/model_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

namespace r1eval {

namespace {

constexpr std::int64_t kMaxExtent = 1 << 24;  // of any one width; larger ones are damage

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
    if (value < 1 || value > kMaxExtent) {
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

// YaRN (Peng et al. 2023, arXiv:2309.00071): low frequencies are interpolated by 1/factor, high
// ones left, those between blended by a linear ramp over the pair's index.
void apply_yarn(ModelConfig& config, double theta, double factor, double original_context,
                double beta_fast, double beta_slow, double attention_factor) {
  const double d = static_cast<double>(config.rope_dim);
  const auto index_of_rotations = [&](double rotations) {
    return d * std::log(original_context / (rotations * 2.0 * std::numbers::pi)) /
           (2.0 * std::log(theta));
  };
  const double low = std::max(std::floor(index_of_rotations(beta_fast)), 0.0);
  double high = std::min(std::ceil(index_of_rotations(beta_slow)), d - 1.0);
  if (high == low) {
    high += 0.001;
  }
  for (std::size_t i = 0; i < config.rope_frequencies.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    const double extrapolated = config.rope_frequencies[i];
    config.rope_frequencies[i] = extrapolated / factor * ramp + extrapolated * (1.0 - ramp);
  }
  config.rope_magnitude = static_cast<float>((0.1 * std::log(factor) + 1.0) * attention_factor);
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
  for (std::int64_t i = 0; i < config.rope_dim / 2; ++i) {
    config.rope_frequencies.push_back(
        std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(config.rope_dim)));
  }
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
    R1_TRY(const auto original, file.get_float(reader.key("rope.scaling.original_context_length")));
    R1_TRY(const auto fast, file.get_float(reader.key("rope.scaling.yarn_beta_fast")));
    R1_TRY(const auto slow, file.get_float(reader.key("rope.scaling.yarn_beta_slow")));
    R1_TRY(const auto attention, file.get_float(reader.key("rope.scaling.attn_factor")));
    const double context = original.value_or(static_cast<double>(config.context_tokens));
    if (!(context >= 1.0) || !(fast.value_or(32.0) > 0.0) || !(slow.value_or(1.0) > 0.0)) {
      return reader.bad(reader.key("rope.scaling"), "has YaRN parameters that cannot be");
    }
    apply_yarn(config, theta, factor, context, fast.value_or(32.0), slow.value_or(1.0),
               attention.value_or(1.0));
    config.rope_scaling = "yarn";
  } else if (scaling != "none") {
    return reader.unsupported(fmt::format(
        "rope scaling \"{}\" is not supported; none, linear, yarn and a rope_freqs tensor are",
        scaling));
  }
  return apply_frequency_factors(file, config);
}

}  // namespace

Result<ModelConfig> read_model_config(const GgufFile& file) {
  ModelConfig config;
  R1_TRY(config.architecture, file.require_string("general.architecture"));
  if (config.architecture != "llama" && config.architecture != "qwen2") {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{}: architecture \"{}\" is not supported; llama and qwen2 are",
                            file.path(), config.architecture));
  }
  R1_TRY(const auto name, file.get_string("general.name"));
  config.name = name.value_or("");
  const Reader reader(file, config.architecture);
  R1_TRY(config.n_layers, reader.extent("block_count"));
  R1_TRY(config.hidden_dim, reader.extent("embedding_length"));
  R1_TRY(config.ffn_dim, reader.extent("feed_forward_length"));
  R1_TRY(config.n_heads, reader.extent("attention.head_count"));
  R1_TRY(config.n_kv_heads, reader.extent_or("attention.head_count_kv", config.n_heads));
  R1_TRY(config.context_tokens, reader.extent("context_length"));
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
  R1_TRY(const double eps, file.require_float(reader.key("attention.layer_norm_rms_epsilon")));
  if (!(eps >= 0.0) || eps > 1.0) {
    return reader.bad(reader.key("attention.layer_norm_rms_epsilon"), fmt::format("is {}", eps));
  }
  config.rms_norm_eps = static_cast<float>(eps);
  for (const char* feature : {"expert_count", "attention.sliding_window"}) {
    R1_TRY(const auto value, file.get_int(reader.key(feature)));
    if (value.value_or(0) > 0) {
      return reader.unsupported(
          fmt::format("{} is {}, which is not supported", reader.key(feature), *value));
    }
  }
  config.rope_pairs = config.architecture == "llama" ? RopePairs::kNeighbours : RopePairs::kHalves;
  R1_RETURN_IF_ERROR(read_rope(file, reader, config));

  const GgufTensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr) {
    return fail(ErrorCode::kParse,
                fmt::format("{}: tensor token_embd.weight is missing", file.path()));
  }
  config.vocab_size = embedding->n_rows();
  if (config.vocab_size > kMaxExtent) {
    return reader.bad("token_embd.weight", fmt::format("has {} rows", config.vocab_size));
  }
  config.tied_head = file.find_tensor("output.weight") == nullptr;
  return config;
}

}  // namespace r1eval
