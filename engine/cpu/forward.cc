// The forward step. See forward.h.
//
// A step is a fixed list of phases, each a loop over tokens, row tiles or (token, head) pairs that
// the team divides; between them stands a barrier. Per layer:
//   tokens   add the previous block's output to the residual, normalise, quantise
//   tiles    Q, K and V as one product over the same input
//   tokens   biases, rotation, keys and values into their page
//   heads    attention
//   tokens   quantise
//   tiles    output projection
//   tokens   add, normalise, quantise
//   tiles    gate and up as one product
//   tokens   silu(gate) * up, quantise
//   tiles    down projection
// All columns of the step pass through a row tile while it is in the first-level cache, so a step
// reads every weight from memory once, whatever the batch.
//
// Precision. Linear layers take their input as 8-bit blocks. Of the error that this adds to
// SmolLM2's logits, Q, K and V cause about half (mean KL 1.2e-3 of 2.7e-3, one place at a time),
// though they are a sixth of the work: keys and values stay wrong for all later tokens. Their input
// is therefore quantised in two parts, the second holding what the first lost, and multiplied as
// two columns.
//
// No value depends on how the loops were divided: a tile's product is one chain per output whatever
// the column count (kernels/cpu/kernels_impl.h), everything else is per token.
#include "engine/cpu/forward.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace r1eval::cpu {

using kernels::kPageTokens;
using kernels::PackedMatrix;

struct Forward::Output {
  const PackedMatrix* matrix;
  float* out;
  std::int64_t stride;
};

namespace {

constexpr std::int64_t aligned(std::int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

std::int64_t widest_input(const ModelConfig& c) {
  return std::max({c.hidden_dim, c.ffn_dim, c.n_heads * c.head_dim});
}

// Of all quantised columns of a step: one a token, two for the input of Q, K and V.
std::int64_t quantized_bytes(const ModelConfig& c, std::int64_t n_tokens) {
  return std::max(kernels::QuantizedColumns::storage_bytes(n_tokens, widest_input(c)),
                  kernels::QuantizedColumns::storage_bytes(2 * n_tokens, c.hidden_dim));
}

// Chunk length so that each thread gets about four chunks; whole groups of `unit`.
std::int64_t grain_for(std::int64_t n, int n_threads, std::int64_t unit) {
  const std::int64_t chunks = 4 * static_cast<std::int64_t>(n_threads);
  return std::max(unit, (n / chunks + unit - 1) / unit * unit);
}

bool any_quantized(std::initializer_list<const Linear*> linears) {
  return std::any_of(linears.begin(), linears.end(),
                     [](const Linear* linear) { return !linear->matrix.layout.is_float(); });
}

// Hands out consecutive pieces of a block of memory.
class Carver {
 public:
  explicit Carver(std::byte* at) : at_(at) {}

  template <typename T>
  T* take(std::int64_t n) {
    T* taken = reinterpret_cast<T*>(at_);
    at_ += aligned(n * static_cast<std::int64_t>(sizeof(T)));
    return taken;
  }

 private:
  std::byte* at_;
};

}  // namespace

std::int64_t Forward::scratch_bytes(const ModelConfig& c, std::int64_t t) {
  const std::int64_t width = widest_input(c);
  const std::int64_t qkv = (c.n_heads + 2 * c.n_kv_heads) * c.head_dim;
  const std::int64_t floats =
      2 * t * c.hidden_dim + t * width + 2 * t * qkv + 2 * t * c.ffn_dim + t * c.rope_dim;
  return floats * 4 + quantized_bytes(c, t) + 16 * 64;
}

Result<Forward> Forward::make(const ModelConfig& config, const ModelWeights& weights,
                              const KvCache& cache, std::int64_t max_tokens) {
  Forward f;
  f.config_ = &config;
  f.weights_ = &weights;
  f.cache_ = &cache;
  f.kernels_ = &kernels::active_kernels();
  f.max_tokens_ = max_tokens;
  f.qkv_width_ = (config.n_heads + 2 * config.n_kv_heads) * config.head_dim;
  f.input_width_ = widest_input(config);
  R1_TRY(f.storage_,
         Block::make(scratch_bytes(config, max_tokens), "memory for a step's activations"));
  Carver carver(f.storage_.data());
  const std::int64_t t = max_tokens;
  f.residual_ = carver.take<float>(t * config.hidden_dim);
  f.projected_ = carver.take<float>(t * config.hidden_dim);
  f.input_ = carver.take<float>(t * f.input_width_);
  f.qkv_ = carver.take<float>(2 * t * f.qkv_width_);
  f.gate_up_ = carver.take<float>(2 * t * config.ffn_dim);
  f.cosines_ = carver.take<float>(t * (config.rope_dim / 2));
  f.sines_ = carver.take<float>(t * (config.rope_dim / 2));
  f.quantized_ = carver.take<std::byte>(quantized_bytes(config, t));
  return f;
}

kernels::QuantizedColumns Forward::quantized(std::int64_t width) const {
  // The arrays' places may not depend on the step: phases of one step name the same ones.
  const std::int64_t n = width == config_->hidden_dim ? 2 * max_tokens_ : max_tokens_;
  return kernels::QuantizedColumns::in_storage(quantized_, n, width);
}

void Forward::run(ThreadTeam& team, std::span<const StepToken> tokens, const HeadWork& work) {
  tokens_ = tokens;
  head_ = work;
  head_scores_.begin(*kernels_, work.n_real, work.targets, work.scores);
  const auto n = static_cast<std::int64_t>(tokens.size());
  attention_.make(tokens, config_->heads_per_kv(), config_->n_kv_heads, team.size(),
                  shares_attention_);
  team.run([&](int) { step(team, n); });
}

void Forward::step(ThreadTeam& team, std::int64_t n) {
  const ModelConfig& c = *config_;
  team.phase(n, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t token = begin; token < end; ++token) {
      embed(token);
    }
  });
  for (std::int64_t i = 0; i < c.n_layers; ++i) {
    layer(team, i, n);
  }
  head(team);
}

void Forward::head_input(ThreadTeam& team, std::span<const std::int64_t> tokens) {
  team.phase(static_cast<std::int64_t>(tokens.size()), 1,
             [&](std::int64_t begin, std::int64_t end) {
               for (std::int64_t column = begin; column < end; ++column) {
                 const std::int64_t token = tokens[static_cast<std::size_t>(column)];
                 add_to_residual(weights_->layers.back().down, token);
                 norm(weights_->final_norm, token, column);
                 if (!weights_->head.matrix.layout.is_float()) {
                   quantize_input(config_->hidden_dim, column);
                 }
               }
             });
}

void Forward::head(ThreadTeam& team) {
  const Linear& head = weights_->head;
  const std::int64_t vocab = config_->vocab_size;
  const auto rows = static_cast<std::int64_t>(head_.logit_tokens.size());
  if (rows > 0) {
    head_input(team, head_.logit_tokens);
    // More rows than columns of scratch cannot be: each logit row is a token of the step.
    const std::array<Output, 1> outputs{{{&head.matrix, head_.logits, vocab}}};
    products(team, outputs, rows);
  }
  if (rows > 0 && (head.bias != nullptr || !head_.log_sums.empty())) {
    team.phase(rows, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        float* logits = head_.logits + row * vocab;
        if (head.bias != nullptr) {
          kernels_->add(head.bias, vocab, logits);
        }
        if (!head_.log_sums.empty()) {
          head_.log_sums[static_cast<std::size_t>(row)] = head_scores_.log_sum(logits);
        }
      }
    });
  }
  const auto product = [&](std::int64_t first, std::int64_t n, std::int64_t n_columns, float* out) {
    PackedMatrix block = head.matrix;  // rows [first, first + n) of it
    block.data += first / kernels::kTileRows * block.tile_stride;
    block.rows = n;
    if (block.layout.is_float()) {
      kernels_->matmul_float(block, 0, block.n_tiles(), input_, block.columns, n_columns, out,
                             HeadScores::kBlockRows);
    } else {
      kernels_->matmul_quantized(block, 0, block.n_tiles(), quantized(block.columns), n_columns,
                                 out, HeadScores::kBlockRows);
    }
    for (std::int64_t c = 0; c < n_columns && head.bias != nullptr; ++c) {
      kernels_->add(head.bias + first, n, out + c * HeadScores::kBlockRows);
    }
  };
  const auto n_scored = static_cast<std::int64_t>(head_.scored_tokens.size());
  for (std::int64_t row = 0; row < n_scored; row += HeadScores::kGroupRows) {
    const std::int64_t n = std::min(HeadScores::kGroupRows, n_scored - row);
    head_input(team, head_.scored_tokens.subspan(static_cast<std::size_t>(row),
                                                 static_cast<std::size_t>(n)));
    head_scores_.run(team, row, n, product);
  }
}

void Forward::layer(ThreadTeam& team, std::int64_t index, std::int64_t n) {
  const ModelConfig& c = *config_;
  const LayerWeights& w = weights_->layers[static_cast<std::size_t>(index)];
  const std::int64_t query_width = c.n_heads * c.head_dim;
  const std::int64_t kv_width = c.n_kv_heads * c.head_dim;
  const auto over_tokens = [&](const auto& body) {
    team.phase(n, grain_for(n, team.size(), 1), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t token = begin; token < end; ++token) {
        body(token);
      }
    });
  };

  const bool attention_quantized = any_quantized({&w.query, &w.key, &w.value});
  over_tokens([&](std::int64_t token) {
    if (index > 0) {
      add_to_residual(weights_->layers[static_cast<std::size_t>(index - 1)].down, token);
    }
    norm(w.attention_norm, token, token);
    if (attention_quantized) {
      quantize_input(c.hidden_dim, token, n + token);
    }
  });
  const std::array<Output, 3> qkv{{{&w.query.matrix, qkv_, qkv_width_},
                                   {&w.key.matrix, qkv_ + query_width, qkv_width_},
                                   {&w.value.matrix, qkv_ + query_width + kv_width, qkv_width_}}};
  products(team, qkv, n, attention_quantized ? n : 0);
  over_tokens([&](std::int64_t token) {
    if (attention_quantized) {
      kernels_->add(qkv_ + (n + token) * qkv_width_, qkv_width_, qkv_ + token * qkv_width_);
    }
    finish_qkv(index, token);
  });
  const std::int64_t n_items = attention_.n_blocks() * c.n_kv_heads;
  team.phase(n_items, grain_for(n_items, 4 * team.size(), 1),
             [&](std::int64_t begin, std::int64_t end) {
               for (std::int64_t item = begin; item < end; ++item) {
                 attend(index, item / c.n_kv_heads, item % c.n_kv_heads);
               }
             });
  if (any_quantized({&w.output})) {
    over_tokens([&](std::int64_t token) { quantize_input(query_width, token); });
  }
  const std::array<Output, 1> output{{{&w.output.matrix, projected_, c.hidden_dim}}};
  products(team, output, n);

  const bool mlp_quantized = any_quantized({&w.gate, &w.up});
  over_tokens([&](std::int64_t token) {
    add_to_residual(w.output, token);
    norm(w.ffn_norm, token, token);
    if (mlp_quantized) {
      quantize_input(c.hidden_dim, token);
    }
  });
  const std::array<Output, 2> gate_up{{{&w.gate.matrix, gate_up_, 2 * c.ffn_dim},
                                       {&w.up.matrix, gate_up_ + c.ffn_dim, 2 * c.ffn_dim}}};
  products(team, gate_up, n);
  const bool down_quantized = any_quantized({&w.down});
  over_tokens([&](std::int64_t token) {
    float* gate = gate_up_ + token * 2 * c.ffn_dim;
    float* up = gate + c.ffn_dim;
    if (w.gate.bias != nullptr) {
      kernels_->add(w.gate.bias, c.ffn_dim, gate);
    }
    if (w.up.bias != nullptr) {
      kernels_->add(w.up.bias, c.ffn_dim, up);
    }
    kernels_->silu_product(gate, up, c.ffn_dim, input_ + token * c.ffn_dim);
    if (down_quantized) {
      quantize_input(c.ffn_dim, token);
    }
  });
  const std::array<Output, 1> down{{{&w.down.matrix, projected_, c.hidden_dim}}};
  products(team, down, n);
}

void Forward::embed(std::int64_t token) {
  const ModelConfig& c = *config_;
  const StepToken& t = tokens_[static_cast<std::size_t>(token)];
  kernels::unpack_row(weights_->embedding, t.token, residual_ + token * c.hidden_dim);
  const std::int64_t half = c.rope_dim / 2;
  for (std::int64_t i = 0; i < half; ++i) {
    const double angle =
        static_cast<double>(t.position) * c.rope_frequencies[static_cast<std::size_t>(i)];
    cosines_[token * half + i] = static_cast<float>(std::cos(angle)) * c.rope_magnitude;
    sines_[token * half + i] = static_cast<float>(std::sin(angle)) * c.rope_magnitude;
  }
}

void Forward::add_to_residual(const Linear& linear, std::int64_t token) {
  const std::int64_t d = config_->hidden_dim;
  kernels_->add(projected_ + token * d, d, residual_ + token * d);
  if (linear.bias != nullptr) {
    kernels_->add(linear.bias, d, residual_ + token * d);
  }
}

void Forward::norm(const float* gain, std::int64_t from_token, std::int64_t column) {
  const std::int64_t d = config_->hidden_dim;
  kernels_->rms_norm(residual_ + from_token * d, gain, config_->rms_norm_eps, d,
                     input_ + column * d);
}

void Forward::quantize_input(std::int64_t width, std::int64_t column, std::int64_t rest_column) {
  // The rest of a token's input may lie in projected_: the residual has taken that up already.
  float* rest = rest_column < 0 ? nullptr : projected_ + column * config_->hidden_dim;
  kernels_->quantize(input_ + column * width, quantized(width), column, rest_column, rest);
}

void Forward::finish_qkv(std::int64_t layer_index, std::int64_t token) {
  const ModelConfig& c = *config_;
  const LayerWeights& w = weights_->layers[static_cast<std::size_t>(layer_index)];
  const StepToken& t = tokens_[static_cast<std::size_t>(token)];
  const KvShape& shape = cache_->shape();
  float* query = qkv_ + token * qkv_width_;
  float* key = query + c.n_heads * c.head_dim;
  float* value = key + c.n_kv_heads * c.head_dim;
  const auto add_bias = [&](const Linear& linear, float* to) {
    if (linear.bias != nullptr) {
      kernels_->add(linear.bias, linear.matrix.rows, to);
    }
  };
  add_bias(w.query, query);
  add_bias(w.key, key);
  add_bias(w.value, value);
  const float* cosines = cosines_ + token * (c.rope_dim / 2);
  const float* sines = sines_ + token * (c.rope_dim / 2);
  for (std::int64_t head = 0; head < c.n_heads + c.n_kv_heads; ++head) {
    kernels_->rotate_halves(query + head * c.head_dim, cosines, sines, c.rope_dim);
  }
  const std::int64_t page = t.pages[t.position / kPageTokens];
  const std::int64_t slot = t.position % kPageTokens;
  for (std::int64_t head = 0; head < c.n_kv_heads; ++head) {
    const float* k = key + head * c.head_dim;
    const float* v = value + head * c.head_dim;
    const std::int64_t key_at = page * shape.key_page_stride() + slot;
    const std::int64_t value_at = page * shape.value_page_stride() + slot * shape.value_dim();
    if (shape.is_f16) {
      std::array<std::uint16_t, kernels::kMaxHeadDim> half;
      kernels_->to_half(k, c.head_dim, half.data());
      auto* keys = reinterpret_cast<std::uint16_t*>(cache_->keys(layer_index, head)) + key_at;
      for (std::int64_t d = 0; d < c.head_dim; ++d) {
        keys[d * kPageTokens] = half[static_cast<std::size_t>(d)];
      }
      auto* values = reinterpret_cast<std::uint16_t*>(cache_->values(layer_index, head));
      kernels_->to_half(v, c.head_dim, values + value_at);
    } else {
      auto* keys = reinterpret_cast<float*>(cache_->keys(layer_index, head)) + key_at;
      for (std::int64_t d = 0; d < c.head_dim; ++d) {
        keys[d * kPageTokens] = k[d];
      }
      auto* values = reinterpret_cast<float*>(cache_->values(layer_index, head));
      std::copy(v, v + c.head_dim, values + value_at);
    }
  }
}

void Forward::attend(std::int64_t layer_index, std::int64_t block, std::int64_t kv_head) {
  const ModelConfig& c = *config_;
  const KvShape& shape = cache_->shape();
  thread_local std::vector<float> scratch;
  const std::int64_t n_scratch = kernels::attention_scratch_floats(c.head_dim, shape.value_dim());
  if (static_cast<std::int64_t>(scratch.size()) < n_scratch) {
    scratch.resize(static_cast<std::size_t>(n_scratch));
  }
  std::array<kernels::AttentionColumn, kernels::kMaxAttentionColumns> columns;
  kernels::AttentionTask task;
  for (const AttentionPlan::Column& at : attention_.block(block)) {
    const StepToken& t = tokens_[static_cast<std::size_t>(at.token)];
    const std::int64_t head = kv_head * c.heads_per_kv() + at.head;
    columns[static_cast<std::size_t>(task.n_columns++)] = {
        qkv_ + at.token * qkv_width_ + head * c.head_dim,
        input_ + (at.token * c.n_heads + head) * c.head_dim, t.pages, t.position + 1};
  }
  task.columns = columns.data();
  task.head_dim = c.head_dim;
  task.value_dim = shape.value_dim();
  task.out_dim = c.head_dim;
  task.scale = 1.0F / std::sqrt(static_cast<float>(c.head_dim));
  task.cache_is_f16 = shape.is_f16;
  task.keys = cache_->keys(layer_index, kv_head);
  task.values = cache_->values(layer_index, kv_head);
  task.key_page_stride = shape.key_page_stride();
  task.value_page_stride = shape.value_page_stride();
  task.scratch = scratch.data();
  kernels_->attend(task);
}

void Forward::products(ThreadTeam& team, std::span<const Output> outputs, std::int64_t n,
                       std::int64_t n_rest) {
  std::int64_t n_tiles = 0;
  for (const Output& output : outputs) {
    n_tiles += output.matrix->n_tiles();
  }
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    std::int64_t first = 0;  // of this output in the common numbering of tiles
    for (const Output& output : outputs) {
      const PackedMatrix& matrix = *output.matrix;
      const std::int64_t from = std::max<std::int64_t>(begin - first, 0);
      const std::int64_t to = std::min(end - first, matrix.n_tiles());
      first += matrix.n_tiles();
      if (from >= to) {
        continue;
      }
      if (matrix.layout.is_float()) {
        kernels_->matmul_float(matrix, from, to, input_, matrix.columns, n, output.out,
                               output.stride);
        // Float products lose nothing: their rest is zero.
        const std::int64_t first_row = from * kernels::kTileRows;
        const std::int64_t n_rows = std::min(to * kernels::kTileRows, matrix.rows) - first_row;
        for (std::int64_t c = n; c < n + n_rest; ++c) {
          std::fill_n(output.out + c * output.stride + first_row, n_rows, 0.0F);
        }
      } else {
        kernels_->matmul_quantized(matrix, from, to, quantized(matrix.columns), n + n_rest,
                                   output.out, output.stride);
      }
    }
  };
  team.phase(n_tiles, grain_for(n_tiles, team.size(), 4), body);
}

}  // namespace r1eval::cpu
