// A checkpoint as a source of tensors, configuration, tokenizer and template, whatever its format.
//
// Formats   a .gguf file (or the first of its parts), or a folder as the hub publishes it:
//           config.json, model.safetensors or shards with model.safetensors.index.json, and beside
//           them generation_config.json, tokenizer.json, tokenizer_config.json,
//           chat_template.jinja.
// Names     tensors have one set of names here, GGUF's, whatever the file calls them. Experts are
//           one tensor each: blk.L.ffn_gate.E.weight. Matrices are (rows, columns) = (out, in).
//           attn_kv_b (heads x (nope + value), rank) is the original form of a latent attention's
//           second projection; newer GGUF files hold attn_k_b (heads x rank, nope), transposed per
//           head, and attn_v_b (heads x value, rank).
// Errors    those of the files; a missing shard is named; kUnsupported by name.
// Ownership tensors point into mapped files that live as long as the checkpoint.
// Threads   immutable; release_pages() may be called any time.
// Tested    tests/engine/model/checkpoint_test.cc
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/model/chat_template.h"
#include "engine/model/gguf.h"
#include "engine/model/model_config.h"
#include "engine/model/tensor_type.h"
#include "engine/model/tokenizer.h"

namespace r1eval {

struct CheckpointTensor {
  std::string name;       // ours
  std::string file_name;  // the file's, for messages
  TensorType type = TensorType::kF32;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::span<const std::byte> bytes;
  // F8_E4M3 only: float32 factors, one per 128 x 128 values, edge tiles short: (ceil(rows / 128),
  // ceil(columns / 128)). Not aligned.
  std::span<const std::byte> scales;
};

constexpr std::int64_t kFp8Block = 128;

class Checkpoint {
 public:
  // Everything must be there.
  static Result<std::unique_ptr<Checkpoint>> open(const std::string& path);

  // For looking at: a folder may lack its weights, and `path` may be a config.json itself.
  static Result<std::unique_ptr<Checkpoint>> open_description(const std::string& path);

  virtual ~Checkpoint() = default;
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  virtual std::string format() const = 0;  // "gguf" or "safetensors"
  virtual Result<ModelConfig> config() const = 0;
  virtual Result<std::unique_ptr<Tokenizer>> tokenizer() const = 0;
  // The checkpoint's own, or ChatML where the vocabulary has its tokens. Errors: kUnsupported.
  Result<ChatTemplate> chat_template(const Tokenizer& tokenizer) const;
  // Every file that the model's behaviour depends on, in a fixed order.
  virtual std::vector<std::string> files() const = 0;
  virtual std::int64_t total_bytes() const = 0;  // of the weights' files
  virtual void release_pages() const = 0;

  const std::string& path() const { return path_; }

  const std::vector<CheckpointTensor>& tensors() const { return tensors_; }

  const CheckpointTensor* find(std::string_view name) const;  // null where absent

 protected:
  explicit Checkpoint(std::string path) : path_(std::move(path)) {}

  virtual Result<std::string> template_source() const = 0;  // empty: none
  Status add(CheckpointTensor tensor);

 private:
  std::string path_;
  std::vector<CheckpointTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

// A view of a file that is already open and outlives it.
Result<std::unique_ptr<Checkpoint>> view_gguf(const GgufFile& file);

// By format; callers use Checkpoint::open.
Result<std::unique_ptr<Checkpoint>> open_gguf_checkpoint(const std::string& path);
Result<std::unique_ptr<Checkpoint>> open_safetensors_checkpoint(const std::string& path,
                                                                bool needs_weights);

// The tensor's name here, for the hub's name; empty for one that holds no weight of a layer that is
// run (prediction layers, stored rope frequencies), its own name where it is none that we know.
std::string canonical_tensor_name(std::string_view hub_name, const ModelConfig& config);

}  // namespace r1eval
