// See random_checkpoint.h.
#include "tests/engine/cpu/random_checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "base/file.h"
#include "kernels/weights.h"
#include "tests/engine/cpu/gguf_builder.h"

namespace r1eval {

namespace {

using kernels::f8_to_float;

std::uint8_t nearest_f8(double value) {
  std::uint8_t best = 0;
  for (int bits = 0; bits < 256; ++bits) {
    if ((bits & 0x7f) == 0x7f) {
      continue;
    }
    const auto code = static_cast<std::uint8_t>(bits);
    if (std::fabs(static_cast<double>(f8_to_float(code)) - value) <
        std::fabs(static_cast<double>(f8_to_float(best)) - value)) {
      best = code;
    }
  }
  return best;
}

template <typename T>
void put(std::string& to, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  to.append(bytes, sizeof value);
}

class Maker {
 public:
  Maker(const Json& config, std::string dtype, std::uint32_t seed)
      : config_(config), dtype_(std::move(dtype)), random_(seed) {
    checkpoint_.config = config;
  }

  std::int64_t number(const char* key, std::int64_t otherwise = 0) const {
    return int_or(config_, key, otherwise);
  }

  void vector(const std::string& name, std::int64_t n, double mean, double deviation) {
    add(name, {n}, dtype_, mean, deviation);
  }

  void matrix(const std::string& name, std::int64_t rows, std::int64_t columns,
              const std::string& dtype) {
    add(name, {rows, columns}, dtype, 0.0, 1.5 / std::sqrt(static_cast<double>(columns)));
  }

  void linear(const std::string& name, std::int64_t rows, std::int64_t columns, bool has_bias) {
    if (config_.contains("quantization_config")) {
      fp8(name + ".weight", rows, columns);
    } else {
      matrix(name + ".weight", rows, columns, dtype_);
    }
    if (has_bias) {
      vector(name + ".bias", rows, 0.0, 0.3);
    }
  }

  void mlp(const std::string& at, std::int64_t width, bool has_bias) {
    const std::int64_t d = number("hidden_size");
    linear(at + "gate_proj", width, d, has_bias);
    linear(at + "up_proj", width, d, has_bias);
    linear(at + "down_proj", d, width, has_bias);
  }

  RandomCheckpoint make() {
    const std::int64_t d = number("hidden_size");
    const std::int64_t h = number("num_attention_heads");
    const std::string kind = string_or(config_, "model_type");
    const bool is_deepseek = kind.starts_with("deepseek");
    const bool attention_bias = bool_or(config_, "attention_bias", false);
    const bool mlp_bias = bool_or(config_, "mlp_bias", false);
    matrix("model.embed_tokens.weight", number("vocab_size"), d, dtype_);
    vector("model.norm.weight", d, 1.0, 0.2);
    if (!bool_or(config_, "tie_word_embeddings", false)) {
      matrix("lm_head.weight", number("vocab_size"), d, dtype_);
    }
    for (std::int64_t i = 0; i < number("num_hidden_layers"); ++i) {
      const std::string at = fmt::format("model.layers.{}.", i);
      vector(at + "input_layernorm.weight", d, 1.0, 0.2);
      vector(at + "post_attention_layernorm.weight", d, 1.0, 0.2);
      const std::string attention = at + "self_attn.";
      if (is_deepseek) {
        const std::int64_t nope = number("qk_nope_head_dim");
        const std::int64_t rope = number("qk_rope_head_dim");
        const std::int64_t value = number("v_head_dim");
        const std::int64_t rank = number("kv_lora_rank");
        const std::int64_t q_rank = number("q_lora_rank");
        if (q_rank > 0) {
          linear(attention + "q_a_proj", q_rank, d, attention_bias);
          vector(attention + "q_a_layernorm.weight", q_rank, 1.0, 0.2);
          linear(attention + "q_b_proj", h * (nope + rope), q_rank, false);
        } else {
          linear(attention + "q_proj", h * (nope + rope), d, false);
        }
        linear(attention + "kv_a_proj_with_mqa", rank + rope, d, attention_bias);
        vector(attention + "kv_a_layernorm.weight", rank, 1.0, 0.2);
        linear(attention + "kv_b_proj", h * (nope + value), rank, false);
        linear(attention + "o_proj", d, h * value, attention_bias);
      } else {
        const std::int64_t g = number("num_key_value_heads", h);
        const std::int64_t head = number("head_dim", d / h);
        const bool qkv_bias = attention_bias || kind == "qwen2";
        linear(attention + "q_proj", h * head, d, qkv_bias);
        linear(attention + "k_proj", g * head, d, qkv_bias);
        linear(attention + "v_proj", g * head, d, qkv_bias);
        linear(attention + "o_proj", d, h * head, attention_bias);
      }
      const std::int64_t experts = number("n_routed_experts");
      if (experts > 0 && i >= number("first_k_dense_replace") &&
          i % number("moe_layer_freq", 1) == 0) {
        const std::int64_t inner = number("moe_intermediate_size");
        matrix(at + "mlp.gate.weight", experts, d, "F32");
        if (kind == "deepseek_v3") {
          add(at + "mlp.gate.e_score_correction_bias", {experts}, "F32", 0.2, 0.1);
        }
        for (std::int64_t e = 0; e < experts; ++e) {
          mlp(fmt::format("{}mlp.experts.{}.", at, e), inner, false);
        }
        if (number("n_shared_experts") > 0) {
          mlp(at + "mlp.shared_experts.", inner * number("n_shared_experts"), mlp_bias);
        }
      } else {
        mlp(at + "mlp.", number("intermediate_size"), mlp_bias);
      }
    }
    for (std::int64_t i = 0; i < number("num_nextn_predict_layers"); ++i) {
      const std::string at = fmt::format("model.layers.{}.", number("num_hidden_layers") + i);
      add(at + "eh_proj.weight", {d, 2 * d}, "BF16", std::nan(""), 0.0);
      add(at + "self_attn.q_proj.weight", {d, d}, "BF16", std::nan(""), 0.0);
    }
    return std::move(checkpoint_);
  }

 private:
  double draw(double mean, double deviation) {
    return mean + deviation * std::normal_distribution<double>()(random_);
  }

  void add(const std::string& name, std::vector<std::int64_t> shape, const std::string& dtype,
           double mean, double deviation) {
    RandomTensor tensor;
    std::int64_t n = 1;
    for (const std::int64_t extent : shape) {
      n *= extent;
    }
    tensor.shape = std::move(shape);
    tensor.dtype = dtype;
    for (std::int64_t i = 0; i < n; ++i) {
      const auto value = static_cast<float>(draw(mean, deviation));
      if (dtype == "F32") {
        put(tensor.bytes, value);
        tensor.values.push_back(static_cast<double>(value));
      } else if (dtype == "F16") {
        const std::uint16_t bits = kernels::float_to_half(value);
        put(tensor.bytes, bits);
        tensor.values.push_back(static_cast<double>(kernels::half_to_float(bits)));
      } else {
        std::uint32_t wide = 0;
        std::memcpy(&wide, &value, sizeof wide);
        const auto bits = static_cast<std::uint16_t>(wide >> 16);
        put(tensor.bytes, bits);
        tensor.values.push_back(static_cast<double>(kernels::bfloat_to_float(bits)));
      }
    }
    checkpoint_.tensors[name] = std::move(tensor);
  }

  void fp8(const std::string& name, std::int64_t rows, std::int64_t columns) {
    RandomTensor tensor;
    tensor.shape = {rows, columns};
    tensor.dtype = "F8_E4M3";
    const std::int64_t blocks = (columns + 127) / 128;
    std::uniform_real_distribution<float> uniform(0.5F, 2.0F);
    for (std::int64_t i = 0; i < (rows + 127) / 128 * blocks; ++i) {
      tensor.scales.push_back(uniform(random_) / 100.0F);
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t k = 0; k < columns; ++k) {
        const float scale = tensor.scales[static_cast<std::size_t>(r / 128 * blocks + k / 128)];
        const double wished = draw(0.0, 1.5 / std::sqrt(static_cast<double>(columns)));
        const std::uint8_t bits = nearest_f8(wished / static_cast<double>(scale));
        put(tensor.bytes, bits);
        tensor.values.push_back(static_cast<double>(f8_to_float(bits) * scale));
      }
    }
    checkpoint_.tensors[name] = std::move(tensor);
  }

  const Json& config_;
  const std::string dtype_;
  std::mt19937 random_;
  RandomCheckpoint checkpoint_;
};

void write_shard(const std::string& path,
                 const std::vector<std::pair<std::string, const RandomTensor*>>& tensors) {
  OrderedJson header;
  std::string data;
  const auto add = [&](const std::string& name, const std::string& dtype,
                       const std::vector<std::int64_t>& shape, const std::string& bytes) {
    header[name] = {{"dtype", dtype},
                    {"shape", shape},
                    {"data_offsets", {data.size(), data.size() + bytes.size()}}};
    data += bytes;
  };
  for (const auto& [name, tensor] : tensors) {
    add(name, tensor->dtype, tensor->shape, tensor->bytes);
    if (!tensor->scales.empty()) {
      std::string scales;
      for (const float scale : tensor->scales) {
        put(scales, scale);
      }
      add(name + "_scale_inv", "F32",
          {(tensor->shape[0] + 127) / 128, (tensor->shape[1] + 127) / 128}, scales);
    }
  }
  header["__metadata__"] = {{"format", "pt"}};
  const std::string text = dump_json(header);
  std::string out;
  put(out, static_cast<std::uint64_t>(text.size()));
  (void)write_file_atomic(path, out + text + data);
}

}  // namespace

RandomCheckpoint random_checkpoint(const Json& config, const std::string& dtype,
                                   std::uint32_t seed) {
  return Maker(config, dtype, seed).make();
}

void write_checkpoint(const RandomCheckpoint& checkpoint, const std::string& folder, int n_shards) {
  (void)make_directories(folder);
  (void)write_file_atomic(folder + "/config.json", dump_json(checkpoint.config));
  std::vector<std::vector<std::pair<std::string, const RandomTensor*>>> shards(
      static_cast<std::size_t>(n_shards));
  OrderedJson map;
  std::size_t next = 0;
  const auto shard_name = [&](std::size_t i) {
    return n_shards == 1 ? std::string("model.safetensors")
                         : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, n_shards);
  };
  for (const auto& [name, tensor] : checkpoint.tensors) {
    const std::size_t shard = next++ % shards.size();
    shards[shard].emplace_back(name, &tensor);
    map[name] = shard_name(shard);
  }
  for (std::size_t i = 0; i < shards.size(); ++i) {
    write_shard(folder + "/" + shard_name(i), shards[i]);
  }
  if (n_shards > 1) {
    (void)write_file_atomic(folder + "/model.safetensors.index.json",
                            dump_json(OrderedJson{{"weight_map", map}}));
  }
}

namespace {

class TwinWriter {
 public:
  TwinWriter(const RandomCheckpoint& checkpoint, bool as_q8) : c_(checkpoint), as_q8_(as_q8) {}

  std::string write(bool joined_kv_b) {
    const Json& config = c_.config;
    const std::string kind = string_or(config, "model_type");
    is_deepseek_ = kind.starts_with("deepseek");
    const std::string a = (is_deepseek_ ? "deepseek2" : kind) + ".";
    const auto count = [&](const char* key, std::int64_t otherwise = 0) {
      return static_cast<std::uint32_t>(int_or(config, key, otherwise));
    };
    const std::uint32_t layers = count("num_hidden_layers");
    const std::uint32_t heads = count("num_attention_heads");
    b_.text("general.architecture", a.substr(0, a.size() - 1))
        .number(a + "block_count", layers)
        .number(a + "context_length", count("max_position_embeddings"))
        .number(a + "embedding_length", count("hidden_size"))
        .number(a + "feed_forward_length", count("intermediate_size"))
        .number(a + "attention.head_count", heads)
        .real(a + "attention.layer_norm_rms_epsilon",
              static_cast<float>(double_or(config, "rms_norm_eps", 1e-6)))
        .real(a + "rope.freq_base", static_cast<float>(double_or(config, "rope_theta", 10000.0)));
    if (is_deepseek_) {
      deepseek_keys(a, joined_kv_b, count);
    } else {
      const std::uint32_t head = count("head_dim", count("hidden_size") / heads);
      b_.number(a + "attention.head_count_kv", count("num_key_value_heads", heads))
          .number(a + "attention.key_length", head)
          .number(a + "attention.value_length", head);
    }
    if (const Json* rope = find_member(config, "rope_scaling")) {
      b_.text(a + "rope.scaling.type", string_or(*rope, "type"))
          .real(a + "rope.scaling.factor", static_cast<float>(double_or(*rope, "factor", 1.0)));
      if (string_or(*rope, "type") == "yarn") {
        b_.real(a + "rope.scaling.original_context_length",
                static_cast<float>(double_or(*rope, "original_max_position_embeddings", 0.0)))
            .real(a + "rope.scaling.yarn_log_multiplier",
                  static_cast<float>(0.1 * double_or(*rope, "mscale_all_dim", 0.0)));
      }
    }
    tensor("token_embd.weight", "model.embed_tokens.weight");
    tensor("output_norm.weight", "model.norm.weight");
    tensor("output.weight", "lm_head.weight");
    for (std::uint32_t i = 0; i < layers; ++i) {
      layer(fmt::format("blk.{}.", i), fmt::format("model.layers.{}.", i), joined_kv_b);
    }
    return b_.build();
  }

 private:
  template <typename Count>
  void deepseek_keys(const std::string& a, bool joined_kv_b, const Count& count) {
    const std::uint32_t key = count("qk_nope_head_dim") + count("qk_rope_head_dim");
    const char* suffix = joined_kv_b ? "" : "_mla";
    b_.number(a + "attention.key_length" + suffix, key)
        .number(a + "attention.value_length" + suffix, count("v_head_dim"))
        .number(a + "attention.kv_lora_rank", count("kv_lora_rank"))
        .number(a + "rope.dimension_count", count("qk_rope_head_dim"));
    if (!joined_kv_b) {
      b_.number(a + "attention.key_length", count("kv_lora_rank") + count("qk_rope_head_dim"))
          .number(a + "attention.value_length", count("kv_lora_rank"))
          .number(a + "attention.head_count_kv", 1);
    }
    if (count("q_lora_rank") > 0) {
      b_.number(a + "attention.q_lora_rank", count("q_lora_rank"));
    }
    const bool is_v3 = string_or(c_.config, "model_type") == "deepseek_v3";
    b_.number(a + "leading_dense_block_count", count("first_k_dense_replace"))
        .number(a + "expert_feed_forward_length", count("moe_intermediate_size"))
        .number(a + "expert_count", count("n_routed_experts"))
        .number(a + "expert_used_count", count("num_experts_per_tok"))
        .number(a + "expert_shared_count", count("n_shared_experts"))
        .number(a + "expert_group_count", count("n_group", 1))
        .number(a + "expert_group_used_count", count("topk_group", 1))
        .number(a + "expert_gating_func", is_v3 ? 2 : 1)
        .real(a + "expert_weights_scale",
              static_cast<float>(double_or(c_.config, "routed_scaling_factor", 1.0)));
    b_.raw_value(a + "expert_weights_norm", 7,
                 bool_or(c_.config, "norm_topk_prob", is_v3) ? "\x01" : std::string(1, '\0'));
  }

  const RandomTensor* find(const std::string& name) const {
    const auto at = c_.tensors.find(name);
    return at == c_.tensors.end() ? nullptr : &at->second;
  }

  void write(const std::string& name, std::vector<std::uint64_t> shape,
             const std::vector<double>& values) {
    std::string bytes;
    if (as_q8_ && shape.size() > 1 && shape[0] % 32 == 0 &&
        name.find("ffn_gate_inp") == std::string::npos) {
      for (std::size_t at = 0; at < values.size(); at += 32) {
        put_q8_block(values.data() + at, bytes);
      }
      b_.tensor(name, std::move(shape), 8, bytes);
      return;
    }
    for (const double value : values) {
      put(bytes, static_cast<float>(value));
    }
    b_.tensor(name, std::move(shape), 0, bytes);
  }

  static void put_q8_block(const double* values, std::string& bytes) {
    double most = 0.0;
    for (int i = 0; i < 32; ++i) {
      most = std::max(most, std::fabs(values[i]));
    }
    const std::uint16_t scale = kernels::float_to_half(static_cast<float>(most / 127.0));
    put(bytes, scale);
    const auto step = static_cast<double>(kernels::half_to_float(scale));
    for (int i = 0; i < 32; ++i) {
      put(bytes, static_cast<std::int8_t>(
                     step == 0.0 ? 0.0 : std::clamp(std::round(values[i] / step), -127.0, 127.0)));
    }
  }

  static std::vector<std::uint64_t> reversed(const std::vector<std::int64_t>& shape) {
    return {shape.rbegin(), shape.rend()};
  }

  void tensor(const std::string& ours, const std::string& hub) {
    if (const RandomTensor* from = find(hub)) {
      write(ours, reversed(from->shape), from->values);
    }
  }

  void linear(const std::string& ours, const std::string& hub) {
    tensor(ours + ".weight", hub + ".weight");
    tensor(ours + ".bias", hub + ".bias");
  }

  // llama files hold rotated rows so that pairs are neighbours: (i, i + d/2) become (2 i, 2 i + 1).
  void permuted(const std::string& ours, const std::string& hub, std::int64_t head) {
    for (const char* leaf : {".weight", ".bias"}) {
      const RandomTensor* from = find(hub + leaf);
      if (from == nullptr) {
        continue;
      }
      const std::int64_t width = from->shape.size() == 2 ? from->shape[1] : 1;
      std::vector<double> values(from->values.size());
      for (std::int64_t r = 0; r < from->shape[0]; ++r) {
        const std::int64_t in_head = r % head;
        const std::int64_t to =
            r - in_head + (in_head < head / 2 ? 2 * in_head : 2 * (in_head - head / 2) + 1);
        for (std::int64_t k = 0; k < width; ++k) {
          values[static_cast<std::size_t>(to * width + k)] =
              from->values[static_cast<std::size_t>(r * width + k)];
        }
      }
      write(ours + leaf, reversed(from->shape), values);
    }
  }

  void layer(const std::string& ours, const std::string& hub, bool joined_kv_b) {
    const std::string attention = hub + "self_attn.";
    tensor(ours + "attn_norm.weight", hub + "input_layernorm.weight");
    tensor(ours + "ffn_norm.weight", hub + "post_attention_layernorm.weight");
    if (is_deepseek_) {
      linear(ours + "attn_q", attention + "q_proj");
      linear(ours + "attn_q_a", attention + "q_a_proj");
      tensor(ours + "attn_q_a_norm.weight", attention + "q_a_layernorm.weight");
      linear(ours + "attn_q_b", attention + "q_b_proj");
      linear(ours + "attn_kv_a_mqa", attention + "kv_a_proj_with_mqa");
      tensor(ours + "attn_kv_a_norm.weight", attention + "kv_a_layernorm.weight");
      if (joined_kv_b) {
        linear(ours + "attn_kv_b", attention + "kv_b_proj");
      } else {
        split_kv_b(ours, *find(attention + "kv_b_proj.weight"));
      }
    } else {
      const std::int64_t d = int_or(c_.config, "hidden_size", 0);
      const std::int64_t head =
          int_or(c_.config, "head_dim", d / int_or(c_.config, "num_attention_heads", 1));
      const bool permutes = string_or(c_.config, "model_type") == "llama";
      const auto rotated = [&](const char* to, const char* from) {
        permutes ? permuted(ours + to, attention + from, head)
                 : linear(ours + to, attention + from);
      };
      rotated("attn_q", "q_proj");
      rotated("attn_k", "k_proj");
      linear(ours + "attn_v", attention + "v_proj");
    }
    linear(ours + "attn_output", attention + "o_proj");
    for (const char* part : {"gate", "up", "down"}) {
      const std::string to = fmt::format("{}ffn_{}", ours, part);
      const std::string from = fmt::format("{}_proj", part);
      linear(to, hub + "mlp." + from);
      linear(to + "_shexp", hub + "mlp.shared_experts." + from);
      experts(to + "_exps.weight", hub + "mlp.experts.", from + ".weight");
    }
    tensor(ours + "ffn_gate_inp.weight", hub + "mlp.gate.weight");
    tensor(ours + "exp_probs_b.bias", hub + "mlp.gate.e_score_correction_bias");
  }

  void experts(const std::string& ours, const std::string& hub, const std::string& leaf) {
    std::vector<double> values;
    std::uint64_t n = 0;
    const RandomTensor* from = nullptr;
    while (const RandomTensor* next = find(fmt::format("{}{}.{}", hub, n, leaf))) {
      values.insert(values.end(), next->values.begin(), next->values.end());
      from = next;
      ++n;
    }
    if (n > 0) {
      std::vector<std::uint64_t> shape = reversed(from->shape);
      shape.push_back(n);
      write(ours, shape, values);
    }
  }

  void split_kv_b(const std::string& ours, const RandomTensor& from) {
    const std::int64_t nope = int_or(c_.config, "qk_nope_head_dim", 0);
    const std::int64_t value = int_or(c_.config, "v_head_dim", 0);
    const std::int64_t rank = from.shape[1];
    const std::int64_t heads = from.shape[0] / (nope + value);
    std::vector<double> keys;
    std::vector<double> values;
    const auto at = [&](std::int64_t head, std::int64_t row, std::int64_t k) {
      return from.values[static_cast<std::size_t>((head * (nope + value) + row) * rank + k)];
    };
    for (std::int64_t head = 0; head < heads; ++head) {
      for (std::int64_t k = 0; k < rank; ++k) {
        for (std::int64_t row = 0; row < nope; ++row) {
          keys.push_back(at(head, row, k));
        }
      }
      for (std::int64_t row = 0; row < value; ++row) {
        for (std::int64_t k = 0; k < rank; ++k) {
          values.push_back(at(head, nope + row, k));
        }
      }
    }
    const auto u = [](std::int64_t n) { return static_cast<std::uint64_t>(n); };
    write(ours + "attn_k_b.weight", {u(nope), u(rank), u(heads)}, keys);
    write(ours + "attn_v_b.weight", {u(rank), u(value), u(heads)}, values);
  }

  const RandomCheckpoint& c_;
  const bool as_q8_;
  GgufBuilder b_;
  bool is_deepseek_ = false;
};

}  // namespace

std::string gguf_twin(const RandomCheckpoint& checkpoint, bool joined_kv_b, bool as_q8) {
  return TwinWriter(checkpoint, as_q8).write(joined_kv_b);
}

}  // namespace r1eval
