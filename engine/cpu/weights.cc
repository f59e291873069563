// Loading and packing. See weights.h.
//
// Two walks over one list of what the model needs: the first checks names, types and shapes and
// sums the bytes, the second places and fills. Both go through Plan, so that they cannot disagree.
#include "engine/cpu/weights.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <set>
#include <string>

#include "base/parallel.h"

namespace r1eval::cpu {

namespace {

using kernels::kTileRows;
using kernels::PackedMatrix;
using kernels::StoredFormat;

StoredFormat stored_format(TensorType type) {
  switch (type) {
    case TensorType::kF32:
      return StoredFormat::kF32;
    case TensorType::kF16:
      return StoredFormat::kF16;
    case TensorType::kBF16:
      return StoredFormat::kBF16;
    case TensorType::kQ8_0:
      return StoredFormat::kQ8_0;
    case TensorType::kQ4_0:
      return StoredFormat::kQ4_0;
    case TensorType::kQ4_1:
      return StoredFormat::kQ4_1;
    case TensorType::kQ5_0:
      return StoredFormat::kQ5_0;
    case TensorType::kQ5_1:
      return StoredFormat::kQ5_1;
    case TensorType::kQ4_K:
      return StoredFormat::kQ4_K;
    case TensorType::kQ5_K:
      return StoredFormat::kQ5_K;
    case TensorType::kQ6_K:
      return StoredFormat::kQ6_K;
  }
  return StoredFormat::kF32;
}

// The file's row that becomes row `row` of Q or K. Heads of `head_dim` rows, of which the first
// `rope_dim` are rotated in neighbouring pairs in the file and by halves here.
std::int64_t rope_source_row(std::int64_t row, std::int64_t head_dim, std::int64_t rope_dim) {
  const std::int64_t in_head = row % head_dim;
  if (in_head >= rope_dim) {
    return row;
  }
  const std::int64_t half = rope_dim / 2;
  const std::int64_t source = in_head < half ? 2 * in_head : 2 * (in_head - half) + 1;
  return row - in_head + source;
}

struct MatrixJob {
  const GgufTensor* tensor = nullptr;
  PackedMatrix* out = nullptr;
  bool reorder_rope = false;
};

struct VectorJob {
  const GgufTensor* tensor = nullptr;
  const float** out = nullptr;
  bool reorder_rope = false;
};

class Plan {
 public:
  Plan(const GgufFile& file, const ModelConfig& config, bool as_f32)
      : file_(file), config_(config), as_f32_(as_f32) {}

  Status build(ModelWeights& weights) {
    const ModelConfig& c = config_;
    const std::int64_t query_rows = c.n_heads * c.head_dim;
    const std::int64_t kv_rows = c.n_kv_heads * c.head_dim;
    R1_RETURN_IF_ERROR(matrix("token_embd.weight", c.vocab_size, c.hidden_dim, weights.embedding));
    R1_RETURN_IF_ERROR(gain("output_norm.weight", c.hidden_dim, weights.final_norm));
    if (!c.tied_head) {
      R1_RETURN_IF_ERROR(matrix("output.weight", c.vocab_size, c.hidden_dim, weights.head.matrix));
    }
    R1_RETURN_IF_ERROR(bias("output.bias", c.vocab_size, weights.head.bias));
    weights.layers.resize(static_cast<std::size_t>(c.n_layers));
    for (std::int64_t i = 0; i < c.n_layers; ++i) {
      LayerWeights& layer = weights.layers[static_cast<std::size_t>(i)];
      const std::string at = fmt::format("blk.{}.", i);
      const bool permuted = c.rope_pairs == RopePairs::kNeighbours;
      R1_RETURN_IF_ERROR(gain(at + "attn_norm.weight", c.hidden_dim, layer.attention_norm));
      R1_RETURN_IF_ERROR(linear(at + "attn_q", query_rows, c.hidden_dim, layer.query, permuted));
      R1_RETURN_IF_ERROR(linear(at + "attn_k", kv_rows, c.hidden_dim, layer.key, permuted));
      R1_RETURN_IF_ERROR(linear(at + "attn_v", kv_rows, c.hidden_dim, layer.value));
      R1_RETURN_IF_ERROR(linear(at + "attn_output", c.hidden_dim, query_rows, layer.output));
      R1_RETURN_IF_ERROR(gain(at + "ffn_norm.weight", c.hidden_dim, layer.ffn_norm));
      R1_RETURN_IF_ERROR(linear(at + "ffn_gate", c.ffn_dim, c.hidden_dim, layer.gate));
      R1_RETURN_IF_ERROR(linear(at + "ffn_up", c.ffn_dim, c.hidden_dim, layer.up));
      R1_RETURN_IF_ERROR(linear(at + "ffn_down", c.hidden_dim, c.ffn_dim, layer.down));
    }
    return no_unknown_tensors();
  }

  std::int64_t bytes() const { return bytes_; }

  // Gives every job its place in the storage and fills it.
  void fill(ModelWeights& weights) {
    std::byte* next = weights.storage.data();
    for (const MatrixJob& job : matrices_) {
      job.out->data = next;
      next += rounded(job.out->bytes());
    }
    for (const VectorJob& job : vectors_) {
      auto* to = reinterpret_cast<float*>(next);
      *job.out = to;
      const std::int64_t n = job.tensor->n_values();
      kernels::dequantize_row(stored_format(job.tensor->type), job.tensor->bytes.data(), n, to);
      if (job.reorder_rope) {
        const std::vector<float> file_order(to, to + n);
        for (std::int64_t i = 0; i < n; ++i) {
          to[i] = file_order[static_cast<std::size_t>(
              rope_source_row(i, config_.head_dim, config_.rope_dim))];
        }
      }
      next += rounded(n * 4);
    }
    for (const MatrixJob& job : matrices_) {
      parallel_for_index(
          job.out->n_tiles(), [&](std::int64_t tile) { fill_tile(job, tile); }, 8);
    }
  }

 private:
  static std::int64_t rounded(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }

  Result<const GgufTensor*> tensor(const std::string& name, std::int64_t rows,
                                   std::int64_t columns) {
    used_.insert(name);
    const GgufTensor* found = file_.find_tensor(name);
    if (found == nullptr) {
      return fail(ErrorCode::kParse, fmt::format("{}: tensor {} is missing", file_.path(), name));
    }
    if (found->row_length() != columns || found->n_rows() != rows) {
      return fail(
          ErrorCode::kParse,
          fmt::format("{}: tensor {} is {} x {}; the metadata of the model says {} x {}",
                      file_.path(), name, found->n_rows(), found->row_length(), rows, columns));
    }
    return found;
  }

  Status matrix(const std::string& name, std::int64_t rows, std::int64_t columns, PackedMatrix& out,
                bool reorder_rope = false) {
    R1_TRY(const GgufTensor* from, tensor(name, rows, columns));
    out.layout = kernels::packed_layout(stored_format(from->type), as_f32_);
    out.rows = rows;
    out.columns = columns;
    out.tile_stride = rounded(out.layout.tile_bytes(columns));
    bytes_ += rounded(out.bytes());
    matrices_.push_back({from, &out, reorder_rope});
    return ok_status();
  }

  Status vector(const std::string& name, std::int64_t n, const float*& out, bool reorder_rope) {
    R1_TRY(const GgufTensor* from, tensor(name, 1, n));
    bytes_ += rounded(n * 4);
    vectors_.push_back({from, &out, reorder_rope});
    return ok_status();
  }

  Status gain(const std::string& name, std::int64_t n, const float*& out) {
    return vector(name, n, out, false);
  }

  Status bias(const std::string& name, std::int64_t n, const float*& out,
              bool reorder_rope = false) {
    return file_.find_tensor(name) == nullptr ? ok_status() : vector(name, n, out, reorder_rope);
  }

  Status linear(const std::string& name, std::int64_t rows, std::int64_t columns, Linear& out,
                bool reorder_rope = false) {
    R1_RETURN_IF_ERROR(matrix(name + ".weight", rows, columns, out.matrix, reorder_rope));
    return bias(name + ".bias", rows, out.bias, reorder_rope);
  }

  // A tensor that we would ignore is a feature that we would leave out: wrong numbers, not an
  // error.
  Status no_unknown_tensors() const {
    for (const GgufTensor& tensor : file_.tensors()) {
      const bool is_known = used_.count(tensor.name) > 0 || tensor.name == "rope_freqs.weight" ||
                            tensor.name.find(".attn_rot_embd") != std::string::npos ||
                            tensor.name.find(".rotary_emb.inv_freq") != std::string::npos;
      if (!is_known) {
        return fail(ErrorCode::kUnsupported,
                    fmt::format("{}: tensor {} belongs to a feature of {} that is not supported",
                                file_.path(), tensor.name, config_.architecture));
      }
    }
    return ok_status();
  }

  void fill_tile(const MatrixJob& job, std::int64_t tile) const {
    const StoredFormat format = stored_format(job.tensor->type);
    const PackedMatrix& out = *job.out;
    const std::int64_t row_bytes =
        out.columns / kernels::stored_block_values(format) * kernels::stored_block_bytes(format);
    std::array<const std::byte*, kTileRows> rows{};
    for (std::int64_t r = 0; r < kTileRows; ++r) {
      const std::int64_t row = tile * kTileRows + r;
      if (row < out.rows) {
        const std::int64_t source =
            job.reorder_rope ? rope_source_row(row, config_.head_dim, config_.rope_dim) : row;
        rows[static_cast<std::size_t>(r)] = job.tensor->bytes.data() + source * row_bytes;
      }
    }
    // The storage is ours to write until load_weights returns.
    kernels::pack_tile(format, out.layout, rows.data(), out.columns,
                       const_cast<std::byte*>(out.data) + tile * out.tile_stride);
  }

  const GgufFile& file_;
  const ModelConfig& config_;
  const bool as_f32_;
  std::int64_t bytes_ = 0;
  std::vector<MatrixJob> matrices_;
  std::vector<VectorJob> vectors_;
  std::set<std::string> used_;
};

}  // namespace

Result<std::int64_t> packed_weight_bytes(const GgufFile& file, const ModelConfig& config,
                                         bool as_f32) {
  ModelWeights weights;
  Plan plan(file, config, as_f32);
  R1_RETURN_IF_ERROR(plan.build(weights));
  return plan.bytes();
}

Result<ModelWeights> load_weights(const GgufFile& file, const ModelConfig& config, bool as_f32) {
  ModelWeights weights;
  Plan plan(file, config, as_f32);
  R1_RETURN_IF_ERROR(plan.build(weights));
  R1_TRY(weights.storage, Block::make(plan.bytes(), "memory for the weights"));
  plan.fill(weights);
  if (config.tied_head) {
    weights.head.matrix = weights.embedding;
  }
  file.release_pages();
  return weights;
}

}  // namespace r1eval::cpu
