// A folder of config.json and safetensors files as a checkpoint. See checkpoint.h.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "engine/model/checkpoint.h"
#include "engine/model/safetensors.h"

namespace r1eval {

namespace {

// Takes "PREFIX", or nothing.
bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) {
    return false;
  }
  text.remove_prefix(prefix.size());
  return true;
}

// Takes "17." and gives 17, or -1.
std::int64_t take_number(std::string_view& text) {
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0 || end == text.data() + text.size() || *end != '.') {
    return -1;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return value;
}

struct Renamed {
  std::string_view hub;
  std::string_view ours;
};

constexpr Renamed kLayerParts[] = {
    {"input_layernorm.", "attn_norm."},
    {"post_attention_layernorm.", "ffn_norm."},
    {"self_attn.q_proj.", "attn_q."},
    {"self_attn.k_proj.", "attn_k."},
    {"self_attn.v_proj.", "attn_v."},
    {"self_attn.o_proj.", "attn_output."},
    {"self_attn.q_a_proj.", "attn_q_a."},
    {"self_attn.q_a_layernorm.", "attn_q_a_norm."},
    {"self_attn.q_b_proj.", "attn_q_b."},
    {"self_attn.kv_a_proj_with_mqa.", "attn_kv_a_mqa."},
    {"self_attn.kv_a_layernorm.", "attn_kv_a_norm."},
    {"self_attn.kv_b_proj.", "attn_kv_b."},
    {"mlp.gate_proj.", "ffn_gate."},
    {"mlp.up_proj.", "ffn_up."},
    {"mlp.down_proj.", "ffn_down."},
    {"mlp.shared_experts.gate_proj.", "ffn_gate_shexp."},
    {"mlp.shared_experts.up_proj.", "ffn_up_shexp."},
    {"mlp.shared_experts.down_proj.", "ffn_down_shexp."},
};

constexpr Renamed kExpertParts[] = {
    {"gate_proj.", "ffn_gate"},
    {"up_proj.", "ffn_up"},
    {"down_proj.", "ffn_down"},
};

// "weight", "bias" and "weight_scale_inv" are what may stand behind a part's name.
bool is_leaf(std::string_view text) {
  return text == "weight" || text == "bias" || text == "weight_scale_inv";
}

}  // namespace

std::string canonical_tensor_name(std::string_view hub_name, const ModelConfig& config) {
  std::string_view rest = hub_name;
  const std::string own(hub_name);
  if (hub_name == "model.embed_tokens.weight") {
    return "token_embd.weight";
  }
  if (hub_name == "model.norm.weight") {
    return "output_norm.weight";
  }
  if (hub_name == "lm_head.weight") {
    return config.tied_head ? "" : "output.weight";  // a stored copy of a tied head is never used
  }
  if (!take(rest, "model.layers.")) {
    return own;
  }
  const std::int64_t layer = take_number(rest);
  if (layer < 0) {
    return own;
  }
  if (layer >= config.n_layers) {
    return layer < config.n_layers + config.n_prediction_layers ? "" : own;
  }
  if (rest == "self_attn.rotary_emb.inv_freq") {
    return "";
  }
  const std::string at = fmt::format("blk.{}.", layer);
  if (rest == "mlp.gate.weight") {
    return at + "ffn_gate_inp.weight";
  }
  if (rest == "mlp.gate.e_score_correction_bias") {
    return at + "exp_probs_b.bias";
  }
  if (take(rest, "mlp.experts.")) {
    const std::int64_t expert = take_number(rest);
    for (const Renamed& part : kExpertParts) {
      if (expert >= 0 && take(rest, part.hub)) {
        return is_leaf(rest) ? fmt::format("{}{}.{}.{}", at, part.ours, expert, rest) : own;
      }
    }
    return own;
  }
  for (const Renamed& part : kLayerParts) {
    if (take(rest, part.hub)) {
      return is_leaf(rest) ? fmt::format("{}{}{}", at, part.ours, rest) : own;
    }
  }
  return own;
}

namespace {

constexpr std::string_view kScaleSuffix = "_scale_inv";

// A shard's name in an index must be a plain file name of the folder.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos && name != "." && name != "..";
}

// "bos_token": "<s>" or {"content": "<s>", …}.
std::string special_token(const Json& json, std::string_view key) {
  const Json* token = find_member(json, key);
  if (token == nullptr) {
    return "";
  }
  return token->is_string() ? token->get<std::string>() : string_or(*token, "content");
}

class SafetensorsCheckpoint final : public Checkpoint {
 public:
  SafetensorsCheckpoint(std::string folder, std::string config_path)
      : Checkpoint(folder), folder_(std::move(folder)), config_path_(std::move(config_path)) {}

  Status read(bool needs_weights) {
    R1_TRY(const std::string text, read_file(config_path_));
    Result<Json> json = parse_json(text);
    if (!json) {
      return json.error().with_context(config_path_);
    }
    R1_TRY(config_, read_model_config(*json, config_path_));
    R1_RETURN_IF_ERROR(read_generation_config());
    const Result<std::vector<std::string>> shards = shard_names();
    if (!shards) {
      return needs_weights ? Status(shards.error()) : ok_status();
    }
    for (const std::string& shard : *shards) {
      if (!path_exists(in_folder(shard))) {
        if (!needs_weights) {
          return ok_status();  // an index without its shards describes no more than config.json
        }
        return fail(ErrorCode::kNotFound,
                    fmt::format("{}: shard {} is missing; fetch it again", folder_, shard));
      }
    }
    for (const std::string& shard : *shards) {
      R1_TRY(SafetensorsFile file, SafetensorsFile::open(in_folder(shard)));
      shards_.push_back(std::move(file));
    }
    return index();
  }

  std::string format() const override { return "safetensors"; }

  Result<ModelConfig> config() const override { return config_; }

  Result<std::unique_ptr<Tokenizer>> tokenizer() const override {
    const std::string path = in_folder("tokenizer.json");
    if (!path_exists(path)) {
      return fail(ErrorCode::kUnsupported, fmt::format("{}: there is no tokenizer.json", folder_));
    }
    R1_TRY(const std::string text, read_file(path));
    R1_TRY(const Json json, tokenizer_config());
    TokenizerSpecials specials;
    specials.bos = special_token(json, "bos_token");
    specials.eos = special_token(json, "eos_token");
    specials.end_tokens = config_.end_tokens;
    if (const Json* adds = find_member(json, "add_bos_token");
        adds != nullptr && adds->is_boolean()) {
      // Only the llama classes follow this key; the others go by the tokenizer.json itself.
      if (string_or(json, "tokenizer_class").starts_with("Llama")) {
        specials.adds_bos = adds->get<bool>();
      }
    }
    R1_TRY(auto tokenizer, Tokenizer::from_tokenizer_json(text, path, specials));
    if (tokenizer->vocab_size() > config_.vocab_size) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("{}: the tokenizer has {} tokens, the model {}", path,
                              tokenizer->vocab_size(), config_.vocab_size));
    }
    return tokenizer;
  }

  std::vector<std::string> files() const override {
    std::vector<std::string> out = {config_path_};
    for (const char* name : {"generation_config.json", "tokenizer.json", "tokenizer_config.json",
                             "chat_template.jinja", "chat_template.json"}) {
      if (path_exists(in_folder(name))) {
        out.push_back(in_folder(name));
      }
    }
    for (const SafetensorsFile& shard : shards_) {
      out.push_back(shard.path());
    }
    return out;
  }

  std::int64_t total_bytes() const override {
    std::int64_t n = 0;
    for (const SafetensorsFile& shard : shards_) {
      n += shard.total_bytes();
    }
    return n;
  }

  void release_pages() const override {
    for (const SafetensorsFile& shard : shards_) {
      shard.release_pages();
    }
  }

 protected:
  Result<std::string> template_source() const override {
    if (path_exists(in_folder("chat_template.jinja"))) {
      return read_file(in_folder("chat_template.jinja"));
    }
    R1_TRY(const Json json, tokenizer_config());
    const Json* source = find_member(json, "chat_template");
    if (source != nullptr && source->is_array()) {
      // Several by name: the one for plain chats.
      for (const Json& named : *source) {
        if (string_or(named, "name") == "default") {
          return string_or(named, "template");
        }
      }
      return std::string();
    }
    if (source == nullptr && path_exists(in_folder("chat_template.json"))) {
      R1_TRY(const std::string text, read_file(in_folder("chat_template.json")));
      R1_TRY(const Json other, parse_json(text));
      return string_or(other, "chat_template");
    }
    return source != nullptr && source->is_string() ? source->get<std::string>() : std::string();
  }

 private:
  std::string in_folder(std::string_view name) const { return fmt::format("{}/{}", folder_, name); }

  Result<Json> tokenizer_config() const {
    const std::string path = in_folder("tokenizer_config.json");
    if (!path_exists(path)) {
      return Json(Json::object());
    }
    R1_TRY(const std::string text, read_file(path));
    Result<Json> json = parse_json(text);
    if (!json) {
      return json.error().with_context(path);
    }
    return json;
  }

  // Its end tokens win over those of config.json.
  Status read_generation_config() {
    const std::string path = in_folder("generation_config.json");
    if (!path_exists(path)) {
      return ok_status();
    }
    R1_TRY(const std::string text, read_file(path));
    const Result<Json> json = parse_json(text);
    if (!json) {
      return json.error().with_context(path);
    }
    const Json* eos = find_member(*json, "eos_token_id");
    if (eos == nullptr) {
      return ok_status();
    }
    config_.end_tokens.clear();
    for (const Json& id : eos->is_array() ? *eos : Json::array({*eos})) {
      if (id.is_number_integer()) {
        config_.end_tokens.push_back(id.get<std::int64_t>());
      }
    }
    return ok_status();
  }

  Result<std::vector<std::string>> shard_names() const {
    const std::string index_path = in_folder("model.safetensors.index.json");
    if (!path_exists(index_path)) {
      if (path_exists(in_folder("model.safetensors"))) {
        return std::vector<std::string>{"model.safetensors"};
      }
      return fail(ErrorCode::kNotFound,
                  fmt::format("{}: neither model.safetensors nor model.safetensors.index.json is "
                              "there",
                              folder_));
    }
    R1_TRY(const std::string text, read_file(index_path));
    const Result<Json> json = parse_json(text);
    if (!json) {
      return json.error().with_context(index_path);
    }
    const Json* map = find_member(*json, "weight_map");
    if (map == nullptr || !map->is_object() || map->empty()) {
      return fail(ErrorCode::kParse, fmt::format("{}: weight_map is missing", index_path));
    }
    std::set<std::string> names;
    for (const auto& [tensor, shard] : map->items()) {
      const std::string name = shard.is_string() ? shard.get<std::string>() : "";
      if (!is_plain_name(name)) {
        return fail(ErrorCode::kParse,
                    fmt::format("{}: the shard of {} is no file name", index_path, tensor));
      }
      names.insert(name);
    }
    return std::vector<std::string>(names.begin(), names.end());
  }

  Status index() {
    // Factors of FP8 weights, by the weight's name here.
    std::map<std::string, const SafetensorsTensor*> scales;
    std::vector<std::pair<std::string, const SafetensorsTensor*>> weights;
    for (const SafetensorsFile& shard : shards_) {
      for (const SafetensorsTensor& tensor : shard.tensors()) {
        std::string name = canonical_tensor_name(tensor.name, config_);
        if (name.empty()) {
          continue;
        }
        if (name.ends_with(kScaleSuffix)) {
          scales[name.substr(0, name.size() - kScaleSuffix.size())] = &tensor;
        } else {
          weights.emplace_back(std::move(name), &tensor);
        }
      }
    }
    for (auto& [name, tensor] : weights) {
      CheckpointTensor entry;
      entry.file_name = tensor->name;
      entry.type = tensor->type;
      entry.bytes = tensor->bytes;
      const auto& shape = tensor->shape;
      if (shape.empty() || shape.size() > 2 || tensor->n_values() == 0) {
        return fail(ErrorCode::kParse,
                    fmt::format("{}: tensor {} has {} dimensions; 1 or 2, none of them empty, are "
                                "expected",
                                folder_, tensor->name, shape.size()));
      }
      entry.columns = shape.back();
      entry.rows = shape.size() == 2 ? shape[0] : 1;
      if (entry.type == TensorType::kF8_E4M3) {
        const auto found = scales.find(name);
        R1_RETURN_IF_ERROR(add_scales(found == scales.end() ? nullptr : found->second, entry));
        scales.erase(name);
      }
      entry.name = std::move(name);
      R1_RETURN_IF_ERROR(add(std::move(entry)));
    }
    if (!scales.empty()) {
      return fail(ErrorCode::kParse, fmt::format("{}: {} belongs to no FP8 weight", folder_,
                                                 scales.begin()->second->name));
    }
    return ok_status();
  }

  Status add_scales(const SafetensorsTensor* scales, CheckpointTensor& entry) const {
    const auto bad = [&](const std::string& what) {
      return fail(ErrorCode::kParse,
                  fmt::format("{}: tensor {} {}", folder_, entry.file_name, what));
    };
    if (!config_.has_fp8_weights) {
      return bad("is FP8, but config.json has no quantization_config that says so");
    }
    if (scales == nullptr) {
      return bad("is FP8 and its _scale_inv is missing");
    }
    const std::vector<std::int64_t> expected = {(entry.rows + kFp8Block - 1) / kFp8Block,
                                                (entry.columns + kFp8Block - 1) / kFp8Block};
    if (scales->type != TensorType::kF32 || scales->shape != expected) {
      return bad(fmt::format("is FP8 and its _scale_inv is not {} x {} values of F32", expected[0],
                             expected[1]));
    }
    for (std::size_t at = 0; at < scales->bytes.size(); at += sizeof(float)) {
      float value = 0.0F;
      std::memcpy(&value, scales->bytes.data() + at, sizeof value);
      if (!(value - value == 0.0F)) {
        return bad("has a _scale_inv that is not finite");
      }
    }
    entry.scales = scales->bytes;
    return ok_status();
  }

  const std::string folder_;
  const std::string config_path_;
  ModelConfig config_;
  std::vector<SafetensorsFile> shards_;
};

}  // namespace

Result<std::unique_ptr<Checkpoint>> open_safetensors_checkpoint(const std::string& path,
                                                                bool needs_weights) {
  std::string folder = path;
  std::string config_path = path + "/config.json";
  if (!is_directory(path)) {
    const std::size_t slash = path.find_last_of('/');
    folder = slash == std::string::npos ? "." : path.substr(0, slash);
    config_path = path;
  }
  if (!path_exists(config_path)) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{}: there is no config.json, so this is no checkpoint folder", path));
  }
  auto checkpoint =
      std::make_unique<SafetensorsCheckpoint>(std::move(folder), std::move(config_path));
  R1_RETURN_IF_ERROR(checkpoint->read(needs_weights));
  return std::unique_ptr<Checkpoint>(std::move(checkpoint));
}

}  // namespace r1eval
