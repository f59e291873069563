// Loading and packing. See weights.h.
//
// Two walks over one list of what the model needs: the first checks names, types and shapes and
// sums the bytes, the second places and fills. Both go through Plan, so that they cannot disagree.
#include "engine/cpu/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <set>
#include <string>
#include <utility>

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
    case TensorType::kF8_E4M3:
      return StoredFormat::kF8_E4M3;
    case TensorType::kOnlySafetensors:
      break;
  }
  return StoredFormat::kF32;
}

// Rows that come in heads of `head_rows`, of which `rope_dim` from `rope_begin` are rotated: in
// neighbouring pairs in the file, by halves here. head_rows 0: nothing is reordered.
struct RowOrder {
  std::int64_t head_rows = 0;
  std::int64_t rope_begin = 0;
  std::int64_t rope_dim = 0;

  // The file's row that becomes row `row`.
  std::int64_t source(std::int64_t row) const {
    if (head_rows == 0) {
      return row;
    }
    const std::int64_t at = row % head_rows - rope_begin;
    if (at < 0 || at >= rope_dim) {
      return row;
    }
    const std::int64_t half = rope_dim / 2;
    return row - at + (at < half ? 2 * at : 2 * (at - half) + 1);
  }
};

// A stored matrix's rows, one after the other from first_row.
struct StoredRows {
  const CheckpointTensor* tensor = nullptr;
  std::int64_t first_row = 0;

  StoredFormat format() const { return stored_format(tensor->type); }

  const std::byte* row(std::int64_t index) const {
    const std::int64_t row_bytes = tensor->columns / kernels::stored_block_values(format()) *
                                   kernels::stored_block_bytes(format());
    return tensor->bytes.data() + (first_row + index) * row_bytes;
  }

  // Factors of that row's blocks of columns; null for types that hold their own.
  const std::byte* scales(std::int64_t index) const {
    if (tensor->scales.empty()) {
      return nullptr;
    }
    const std::int64_t blocks = (tensor->columns + kFp8Block - 1) / kFp8Block;
    return tensor->scales.data() +
           (first_row + index) / kFp8Block * blocks * static_cast<std::int64_t>(sizeof(float));
  }

  void dequantize(std::int64_t index, float* out) const {
    kernels::dequantize_row(format(), {row(index), scales(index)}, tensor->columns, out);
  }
};

struct MatrixJob {
  StoredRows from;
  PackedMatrix* out = nullptr;
  RowOrder order;
  bool transposes = false;  // the stored rows are the columns
};

struct VectorJob {
  const CheckpointTensor* tensor = nullptr;
  const float** out = nullptr;
  RowOrder order;
};

// Of packed weights, after which the pages of the file that they came from are given back.
constexpr std::int64_t kReleaseBytes = std::int64_t{32} << 20;

class Plan {
 public:
  Plan(const Checkpoint& checkpoint, const ModelConfig& config, bool as_f32)
      : checkpoint_(checkpoint), config_(config), as_f32_(as_f32) {}

  Status build(ModelWeights& weights) {
    const ModelConfig& c = config_;
    R1_RETURN_IF_ERROR(matrix("token_embd.weight", c.vocab_size, c.hidden_dim, weights.embedding));
    R1_RETURN_IF_ERROR(vector("output_norm.weight", c.hidden_dim, weights.final_norm));
    if (!c.tied_head) {
      R1_RETURN_IF_ERROR(matrix("output.weight", c.vocab_size, c.hidden_dim, weights.head.matrix));
    }
    R1_RETURN_IF_ERROR(
        bias("output.bias", BiasRule::kAsFound, c.vocab_size, weights.head.bias, {}));
    weights.layers.resize(static_cast<std::size_t>(c.n_layers));
    for (std::int64_t i = 0; i < c.n_layers; ++i) {
      LayerWeights& layer = weights.layers[static_cast<std::size_t>(i)];
      const std::string at = fmt::format("blk.{}.", i);
      R1_RETURN_IF_ERROR(c.is_latent() ? latent_attention(at, layer.mla)
                                       : grouped_attention(at, layer.gqa));
      R1_RETURN_IF_ERROR(vector(at + "ffn_norm.weight", c.hidden_dim, layer.ffn_norm));
      R1_RETURN_IF_ERROR(c.has_experts(i) ? mixture(at, layer.moe)
                                          : mlp(at, "", c.ffn_dim, layer.dense));
    }
    return no_unknown_tensors();
  }

  std::int64_t bytes() const { return bytes_; }

  // Gives every job its place in the storage and fills it.
  Status fill(ModelWeights& weights) {
    std::byte* next = weights.storage.data();
    for (const MatrixJob& job : matrices_) {
      job.out->data = next;
      next += rounded(job.out->bytes());
    }
    for (const VectorJob& job : vectors_) {
      auto* to = reinterpret_cast<float*>(next);
      *job.out = to;
      const std::int64_t n = job.tensor->columns * job.tensor->rows;
      const StoredFormat format = stored_format(job.tensor->type);
      kernels::dequantize_row(format, {job.tensor->bytes.data(), nullptr}, n, to);
      const std::vector<float> file_order(to, to + n);
      for (std::int64_t i = 0; i < n; ++i) {
        to[i] = file_order[static_cast<std::size_t>(job.order.source(i))];
        if (!std::isfinite(to[i])) {
          return bad(
              fmt::format("tensor {}: value {} is not finite; the file is damaged or was "
                          "converted wrongly",
                          job.tensor->file_name, job.order.source(i)));
        }
      }
      next += rounded(n * 4);
    }
    // The file's pages are given back as we go: the process never holds both forms of the weights.
    std::int64_t n_unreleased = 0;
    for (std::size_t i = 0; i < matrices_.size(); ++i) {
      const MatrixJob& job = matrices_[i];
      if (job.transposes) {
        continue;
      }
      std::atomic<bool> is_finite{true};  // relaxed: the loop's end orders it
      parallel_for_index(
          job.out->n_tiles(),
          [&](std::int64_t tile) {
            if (!fill_tile(job, tile)) {
              is_finite.store(false, std::memory_order_relaxed);
            }
          },
          8);
      if (!is_finite.load(std::memory_order_relaxed)) {
        return not_finite(job);
      }
      n_unreleased += job.out->bytes();
      if (n_unreleased >= kReleaseBytes) {
        checkpoint_.release_pages();
        n_unreleased = 0;
      }
    }
    std::vector<char> is_finite(matrices_.size(), 1);
    parallel_for_index(static_cast<std::int64_t>(matrices_.size()), [&](std::int64_t i) {
      const MatrixJob& job = matrices_[static_cast<std::size_t>(i)];
      if (job.transposes) {
        is_finite[static_cast<std::size_t>(i)] = fill_transposed(job) ? 1 : 0;
      }
    });
    for (std::size_t i = 0; i < matrices_.size(); ++i) {
      if (is_finite[i] == 0) {
        return not_finite(matrices_[i]);
      }
    }
    return ok_status();
  }

 private:
  static std::int64_t rounded(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }

  // One infinite or undefined weight makes every later logit so, without a word. The packed tiles
  // are what is checked; where one fails, the stored rows say which value it was.
  Error not_finite(const MatrixJob& job) const {
    const CheckpointTensor& tensor = *job.from.tensor;
    std::string where = "has a value";
    std::vector<float> values(static_cast<std::size_t>(tensor.columns));
    const std::int64_t n_rows = job.transposes ? job.out->columns : job.out->rows;
    for (std::int64_t row = 0; row < n_rows; ++row) {
      job.from.dequantize(row, values.data());
      const auto bad_value = std::find_if_not(values.begin(), values.end(),
                                              [](float value) { return std::isfinite(value); });
      if (bad_value != values.end()) {
        where = fmt::format("row {}, column {} holds a value", job.from.first_row + row,
                            bad_value - values.begin());
        break;
      }
    }
    return bad(fmt::format(
        "tensor {}: {} that is not finite; the file is damaged or was converted wrongly",
        tensor.file_name, where));
  }

  Error bad(const std::string& what) const {
    return fail(ErrorCode::kParse, fmt::format("{}: {}", checkpoint_.path(), what));
  }

  Status grouped_attention(const std::string& at, GqaWeights& w) {
    const ModelConfig& c = config_;
    const std::int64_t query_rows = c.n_heads * c.head_dim;
    const std::int64_t kv_rows = c.n_kv_heads * c.head_dim;
    const RowOrder order =
        c.rope_pairs == RopePairs::kNeighbours ? RowOrder{c.head_dim, 0, c.rope_dim} : RowOrder{};
    R1_RETURN_IF_ERROR(vector(at + "attn_norm.weight", c.hidden_dim, w.norm));
    R1_RETURN_IF_ERROR(linear(at + "attn_q", c.qkv_bias, query_rows, c.hidden_dim, w.query, order));
    R1_RETURN_IF_ERROR(linear(at + "attn_k", c.qkv_bias, kv_rows, c.hidden_dim, w.key, order));
    R1_RETURN_IF_ERROR(linear(at + "attn_v", c.qkv_bias, kv_rows, c.hidden_dim, w.value));
    return linear(at + "attn_output", c.output_bias, c.hidden_dim, query_rows, w.output);
  }

  Status latent_attention(const std::string& at, MlaWeights& w) {
    const ModelConfig& c = config_;
    const LatentAttention& a = c.latent;
    const bool pairs = c.rope_pairs == RopePairs::kNeighbours;
    const RowOrder query_order =
        pairs ? RowOrder{a.query_dim(), a.nope_dim, a.rope_dim} : RowOrder{};
    const RowOrder kv_order = pairs ? RowOrder{a.cache_dim(), a.kv_rank, a.rope_dim} : RowOrder{};
    const std::int64_t query_rows = c.n_heads * a.query_dim();
    R1_RETURN_IF_ERROR(vector(at + "attn_norm.weight", c.hidden_dim, w.norm));
    if (a.q_rank > 0) {
      R1_RETURN_IF_ERROR(linear(at + "attn_q_a", c.qkv_bias, a.q_rank, c.hidden_dim, w.query_a));
      R1_RETURN_IF_ERROR(vector(at + "attn_q_a_norm.weight", a.q_rank, w.query_norm));
      R1_RETURN_IF_ERROR(
          linear(at + "attn_q_b", BiasRule::kAbsent, query_rows, a.q_rank, w.query, query_order));
    } else {
      R1_RETURN_IF_ERROR(
          linear(at + "attn_q", BiasRule::kAbsent, query_rows, c.hidden_dim, w.query, query_order));
    }
    R1_RETURN_IF_ERROR(
        linear(at + "attn_kv_a_mqa", c.qkv_bias, a.cache_dim(), c.hidden_dim, w.kv_a, kv_order));
    R1_RETURN_IF_ERROR(vector(at + "attn_kv_a_norm.weight", a.kv_rank, w.kv_norm));
    R1_RETURN_IF_ERROR(latent_heads(at, w));
    return linear(at + "attn_output", c.output_bias, c.hidden_dim, c.n_heads * a.value_dim,
                  w.output);
  }

  // key_b and value_b of every head, from either form (checkpoint.h).
  Status latent_heads(const std::string& at, MlaWeights& w) {
    const LatentAttention& a = config_.latent;
    const std::int64_t n_heads = config_.n_heads;
    w.key_b.resize(static_cast<std::size_t>(n_heads));
    w.value_b.resize(static_cast<std::size_t>(n_heads));
    const bool is_joined = checkpoint_.find(at + "attn_kv_b.weight") != nullptr;
    const CheckpointTensor* joined = nullptr;
    const CheckpointTensor* keys = nullptr;
    const CheckpointTensor* values = nullptr;
    if (is_joined) {
      R1_TRY(joined,
             tensor(at + "attn_kv_b.weight", n_heads * (a.nope_dim + a.value_dim), a.kv_rank));
    } else {
      R1_TRY(keys, tensor(at + "attn_k_b.weight", n_heads * a.kv_rank, a.nope_dim));
      R1_TRY(values, tensor(at + "attn_v_b.weight", n_heads * a.value_dim, a.kv_rank));
    }
    for (std::int64_t head = 0; head < n_heads; ++head) {
      const auto h = static_cast<std::size_t>(head);
      if (is_joined) {
        const std::int64_t first = head * (a.nope_dim + a.value_dim);
        place({{joined, first}, &w.key_b[h], {}, true}, a.kv_rank, a.nope_dim);
        place({{joined, first + a.nope_dim}, &w.value_b[h], {}, false}, a.value_dim, a.kv_rank);
      } else {
        place({{keys, head * a.kv_rank}, &w.key_b[h], {}, false}, a.kv_rank, a.nope_dim);
        place({{values, head * a.value_dim}, &w.value_b[h], {}, false}, a.value_dim, a.kv_rank);
      }
    }
    return ok_status();
  }

  Status mlp(const std::string& at, const std::string& suffix, std::int64_t width, MlpWeights& w) {
    const std::int64_t d = config_.hidden_dim;
    const BiasRule rule = config_.mlp_bias;
    R1_RETURN_IF_ERROR(linear(at + "ffn_gate" + suffix, rule, width, d, w.gate));
    R1_RETURN_IF_ERROR(linear(at + "ffn_up" + suffix, rule, width, d, w.up));
    return linear(at + "ffn_down" + suffix, rule, d, width, w.down);
  }

  Status mixture(const std::string& at, MoeWeights& w) {
    const Experts& e = config_.experts;
    const std::int64_t d = config_.hidden_dim;
    R1_TRY(const CheckpointTensor* router, tensor(at + "ffn_gate_inp.weight", e.n_routed, d));
    place({{router, 0}, &w.router.matrix, {}, false}, e.n_routed, d, true);
    if (e.router.has_bias) {
      R1_RETURN_IF_ERROR(vector(at + "exp_probs_b.bias", e.n_routed, w.router_bias));
    }
    w.experts.resize(static_cast<std::size_t>(e.n_routed));
    for (std::int64_t x = 0; x < e.n_routed; ++x) {
      MlpWeights& expert = w.experts[static_cast<std::size_t>(x)];
      const std::string suffix = fmt::format(".{}.weight", x);
      R1_RETURN_IF_ERROR(matrix(at + "ffn_gate" + suffix, e.ffn_dim, d, expert.gate.matrix));
      R1_RETURN_IF_ERROR(matrix(at + "ffn_up" + suffix, e.ffn_dim, d, expert.up.matrix));
      R1_RETURN_IF_ERROR(matrix(at + "ffn_down" + suffix, d, e.ffn_dim, expert.down.matrix));
    }
    w.note_forms();
    return e.n_shared == 0 ? ok_status() : mlp(at, "_shexp", e.shared_dim(), w.shared);
  }

  Result<const CheckpointTensor*> tensor(const std::string& name, std::int64_t rows,
                                         std::int64_t columns) {
    used_.insert(name);
    const CheckpointTensor* found = checkpoint_.find(name);
    if (found == nullptr) {
      return bad(fmt::format("tensor {} is missing", name));
    }
    if (found->columns != columns || found->rows != rows) {
      return bad(fmt::format("tensor {} is {} x {}; the configuration of the model says {} x {}",
                             found->file_name, found->rows, found->columns, rows, columns));
    }
    return found;
  }

  // Reserves the packed matrix of (rows, columns) for a job.
  void place(const MatrixJob& job, std::int64_t rows, std::int64_t columns, bool in_f32 = false) {
    PackedMatrix& out = *job.out;
    const StoredFormat format = job.from.format();
    // Transposed rows are no rows of blocks any more: such values become plain floats.
    const bool is_plain =
        kernels::stored_block_values(format) == 1 && format != StoredFormat::kF8_E4M3;
    out.layout = kernels::packed_layout(format, as_f32_ || in_f32 || (job.transposes && !is_plain));
    out.rows = rows;
    out.columns = columns;
    out.tile_stride = rounded(out.layout.tile_bytes(columns));
    bytes_ += rounded(out.bytes());
    matrices_.push_back(job);
  }

  Status matrix(const std::string& name, std::int64_t rows, std::int64_t columns, PackedMatrix& out,
                const RowOrder& order = {}) {
    R1_TRY(const CheckpointTensor* from, tensor(name, rows, columns));
    place({{from, 0}, &out, order, false}, rows, columns);
    return ok_status();
  }

  Status vector(const std::string& name, std::int64_t n, const float*& out,
                const RowOrder& order = {}) {
    R1_TRY(const CheckpointTensor* from, tensor(name, 1, n));
    if (from->type == TensorType::kF8_E4M3) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("{}: tensor {} is FP8; norms and biases in FP8 are not supported",
                              checkpoint_.path(), from->file_name));
    }
    bytes_ += rounded(n * 4);
    vectors_.push_back({from, &out, order});
    return ok_status();
  }

  Status bias(const std::string& name, BiasRule rule, std::int64_t n, const float*& out,
              const RowOrder& order) {
    if (rule == BiasRule::kAbsent ||
        (rule == BiasRule::kAsFound && checkpoint_.find(name) == nullptr)) {
      return ok_status();
    }
    return vector(name, n, out, order);
  }

  Status linear(const std::string& name, BiasRule rule, std::int64_t rows, std::int64_t columns,
                Linear& out, const RowOrder& order = {}) {
    R1_RETURN_IF_ERROR(matrix(name + ".weight", rows, columns, out.matrix, order));
    return bias(name + ".bias", rule, rows, out.bias, order);
  }

  // A tensor that we would ignore is a feature that we would leave out: wrong numbers, not an
  // error.
  Status no_unknown_tensors() const {
    for (const CheckpointTensor& tensor : checkpoint_.tensors()) {
      const bool is_known = used_.count(tensor.name) > 0 || tensor.name == "rope_freqs.weight" ||
                            tensor.name.find(".attn_rot_embd") != std::string::npos ||
                            tensor.name.find(".rotary_emb.inv_freq") != std::string::npos ||
                            is_of_prediction_layer(tensor.name);
      if (!is_known) {
        return fail(ErrorCode::kUnsupported,
                    fmt::format("{}: tensor {} belongs to a feature of {} that is not supported",
                                checkpoint_.path(), tensor.file_name, config_.architecture));
      }
    }
    return ok_status();
  }

  bool is_of_prediction_layer(const std::string& name) const {
    for (std::int64_t i = 0; i < config_.n_prediction_layers; ++i) {
      if (name.rfind(fmt::format("blk.{}.", config_.n_layers + i), 0) == 0) {
        return true;
      }
    }
    return false;
  }

  // False: a value is not finite.
  bool fill_tile(const MatrixJob& job, std::int64_t tile) const {
    const PackedMatrix& out = *job.out;
    std::array<kernels::StoredRow, kTileRows> rows{};
    for (std::int64_t r = 0; r < kTileRows; ++r) {
      const std::int64_t row = tile * kTileRows + r;
      if (row < out.rows) {
        const std::int64_t source = job.order.source(row);
        rows[static_cast<std::size_t>(r)] = {job.from.row(source), job.from.scales(source)};
      }
    }
    // The storage is ours to write until load_weights returns.
    std::byte* to = const_cast<std::byte*>(out.data) + tile * out.tile_stride;
    kernels::pack_tile(job.from.format(), out.layout, rows.data(), out.columns, to);
    return kernels::is_finite_tile(out.layout, out.columns, to);
  }

  // Row r, column k of the result is column r of stored row k.
  // False: a value is not finite.
  bool fill_transposed(const MatrixJob& job) const {
    const PackedMatrix& out = *job.out;
    const StoredFormat format = job.from.format();
    const bool keeps_form = out.layout.form != kernels::PackedForm::kF32;
    const auto size = static_cast<std::size_t>(keeps_form ? 2 : 4);
    const auto columns = static_cast<std::size_t>(out.columns);
    std::vector<std::byte> values(static_cast<std::size_t>(out.rows) * columns * size);
    std::vector<float> stored(static_cast<std::size_t>(out.rows));
    for (std::int64_t k = 0; k < out.columns; ++k) {
      const auto* from = job.from.row(k);
      if (!keeps_form) {
        job.from.dequantize(k, stored.data());
        from = reinterpret_cast<const std::byte*>(stored.data());
      }
      for (std::size_t r = 0; r < static_cast<std::size_t>(out.rows); ++r) {
        std::memcpy(values.data() + (r * columns + static_cast<std::size_t>(k)) * size,
                    from + r * size, size);
      }
    }
    bool is_finite = true;
    for (std::int64_t tile = 0; tile < out.n_tiles(); ++tile) {
      std::array<kernels::StoredRow, kTileRows> rows{};
      for (std::int64_t r = 0; r < kTileRows && tile * kTileRows + r < out.rows; ++r) {
        rows[static_cast<std::size_t>(r)].values =
            values.data() + static_cast<std::size_t>(tile * kTileRows + r) * columns * size;
      }
      std::byte* to = const_cast<std::byte*>(out.data) + tile * out.tile_stride;
      kernels::pack_tile(keeps_form ? format : StoredFormat::kF32, out.layout, rows.data(),
                         out.columns, to);
      is_finite = is_finite && kernels::is_finite_tile(out.layout, out.columns, to);
    }
    return is_finite;
  }

  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  const bool as_f32_;
  std::int64_t bytes_ = 0;
  std::vector<MatrixJob> matrices_;
  std::vector<VectorJob> vectors_;
  std::set<std::string> used_;
};

}  // namespace

Result<std::int64_t> packed_weight_bytes(const Checkpoint& checkpoint, const ModelConfig& config,
                                         bool as_f32) {
  ModelWeights weights;
  Plan plan(checkpoint, config, as_f32);
  R1_RETURN_IF_ERROR(plan.build(weights));
  return plan.bytes();
}

Result<ModelWeights> load_weights(const Checkpoint& checkpoint, const ModelConfig& config,
                                  bool as_f32) {
  ModelWeights weights;
  Plan plan(checkpoint, config, as_f32);
  R1_RETURN_IF_ERROR(plan.build(weights));
  R1_TRY(weights.storage, Block::make(plan.bytes(), "memory for the weights"));
  R1_RETURN_IF_ERROR(plan.fill(weights));
  if (config.tied_head) {
    weights.head.matrix = weights.embedding;
  }
  checkpoint.release_pages();
  return weights;
}

}  // namespace r1eval::cpu
