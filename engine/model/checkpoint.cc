// What both formats share, and GGUF files as checkpoints. See checkpoint.h.
#include "engine/model/checkpoint.h"

#include <fmt/format.h>

#include <utility>

#include "base/file.h"

namespace r1eval {

Result<std::unique_ptr<Checkpoint>> Checkpoint::open(const std::string& path) {
  return is_directory(path) ? open_safetensors_checkpoint(path, true) : open_gguf_checkpoint(path);
}

Result<std::unique_ptr<Checkpoint>> Checkpoint::open_description(const std::string& path) {
  return is_directory(path) || path.ends_with(".json") ? open_safetensors_checkpoint(path, false)
                                                       : open_gguf_checkpoint(path);
}

Result<ChatTemplate> Checkpoint::chat_template(const Tokenizer& tokenizer) const {
  R1_TRY(const std::string source, template_source());
  if (!source.empty()) {
    return ChatTemplate::parse(source, tokenizer.bos_text(), tokenizer.eos_text());
  }
  if (tokenizer.has_token("<|im_start|>") && tokenizer.has_token("<|im_end|>")) {
    return ChatTemplate::parse(kChatMlTemplate, tokenizer.bos_text(), tokenizer.eos_text());
  }
  return fail(ErrorCode::kUnsupported,
              fmt::format("{}: there is no chat template, so there is no telling how the model "
                          "wants to be asked; use an instruction-tuned checkpoint",
                          path_));
}

const CheckpointTensor* Checkpoint::find(std::string_view name) const {
  const auto at = index_.find(name);
  return at == index_.end() ? nullptr : &tensors_[at->second];
}

Status Checkpoint::add(CheckpointTensor tensor) {
  if (!index_.emplace(tensor.name, tensors_.size()).second) {
    return fail(ErrorCode::kParse,
                fmt::format("{}: tensor {} is there twice", path_, tensor.file_name));
  }
  tensors_.push_back(std::move(tensor));
  return ok_status();
}

namespace {

// Which kind of expert weight a stacked tensor holds: "blk.3.ffn_gate_exps.weight" -> "blk.3.
// ffn_gate"; empty for others.
std::string stacked_experts(const std::string& name) {
  constexpr std::string_view kSuffix = "_exps.weight";
  return name.ends_with(kSuffix) ? name.substr(0, name.size() - kSuffix.size()) : "";
}

class GgufCheckpoint final : public Checkpoint {
 public:
  GgufCheckpoint(const GgufFile& file, std::unique_ptr<GgufFile> owned)
      : Checkpoint(file.path()), owned_(std::move(owned)), file_(file) {}

  Status index() {
    for (const GgufTensor& tensor : file_.tensors()) {
      const std::string experts = stacked_experts(tensor.name);
      if (experts.empty() || tensor.shape.size() != 3) {
        R1_RETURN_IF_ERROR(add({tensor.name,
                                tensor.name,
                                tensor.type,
                                tensor.n_rows(),
                                tensor.row_length(),
                                tensor.bytes,
                                {}}));
        continue;
      }
      const auto n = static_cast<std::size_t>(tensor.shape[2]);
      const std::size_t each = tensor.bytes.size() / n;
      for (std::size_t e = 0; e < n; ++e) {
        R1_RETURN_IF_ERROR(add({fmt::format("{}.{}.weight", experts, e),
                                tensor.name,
                                tensor.type,
                                tensor.shape[1],
                                tensor.shape[0],
                                tensor.bytes.subspan(e * each, each),
                                {}}));
      }
    }
    return ok_status();
  }

  std::string format() const override { return "gguf"; }

  Result<ModelConfig> config() const override { return read_model_config(file_); }

  Result<std::unique_ptr<Tokenizer>> tokenizer() const override {
    return Tokenizer::from_gguf(file_);
  }

  std::vector<std::string> files() const override { return {file_.path()}; }

  std::int64_t total_bytes() const override { return file_.total_bytes(); }

  void release_pages() const override { file_.release_pages(); }

 protected:
  Result<std::string> template_source() const override {
    R1_TRY(const auto source, file_.get_string("tokenizer.chat_template"));
    return source.value_or("");
  }

 private:
  const std::unique_ptr<GgufFile> owned_;
  const GgufFile& file_;
};

}  // namespace

Result<std::unique_ptr<Checkpoint>> view_gguf(const GgufFile& file) {
  auto checkpoint = std::make_unique<GgufCheckpoint>(file, nullptr);
  R1_RETURN_IF_ERROR(checkpoint->index());
  return std::unique_ptr<Checkpoint>(std::move(checkpoint));
}

Result<std::unique_ptr<Checkpoint>> open_gguf_checkpoint(const std::string& path) {
  R1_TRY(GgufFile file, GgufFile::open(path));
  auto owned = std::make_unique<GgufFile>(std::move(file));
  const GgufFile& view = *owned;
  auto checkpoint = std::make_unique<GgufCheckpoint>(view, std::move(owned));
  R1_RETURN_IF_ERROR(checkpoint->index());
  return std::unique_ptr<Checkpoint>(std::move(checkpoint));
}

}  // namespace r1eval
