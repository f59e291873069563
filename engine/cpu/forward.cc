// The forward step. See forward.h.
//
// A step is a fixed list of phases, each a loop over tokens, row tiles or (token, head) pairs that
// the team divides, one after the other. All columns of the step pass through a row tile
// while it is in the first-level cache, so a step reads every weight from memory once, whatever the
// batch.
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

namespace r1eval::cpu {

namespace {

std::int64_t work_bytes(const ModelConfig& c, std::int64_t max_tokens) {
  const std::int64_t attention =
      c.is_latent() ? mla_scratch_bytes(c, max_tokens) : gqa_scratch_bytes(c, max_tokens);
  const std::int64_t mlp = std::max(dense_mlp_scratch_bytes(c, max_tokens),
                                    c.experts.n_routed > 0 ? moe_scratch_bytes(c, max_tokens) : 0);
  return std::max(attention, mlp);
}

kernels::QuantizedColumns carve(const ModelConfig& c, std::int64_t t, Carver& carver, Step& step) {
  step.residual = carver.take<float>(t * c.hidden_dim);
  step.input = carver.take<float>(t * c.hidden_dim);
  step.projected = carver.take<float>(t * c.hidden_dim);
  step.cosines = carver.take<float>(t * (c.rope_dim / 2));
  step.sines = carver.take<float>(t * (c.rope_dim / 2));
  const kernels::QuantizedColumns head_input = carver.take_columns(t, c.hidden_dim);
  step.work = carver.take<std::byte>(work_bytes(c, t));
  return head_input;
}

}  // namespace

std::int64_t Forward::scratch_bytes(const ModelConfig& config, std::int64_t max_tokens) {
  Carver carver(nullptr);
  Step step;
  carve(config, max_tokens, carver, step);
  return carver.used();
}

Result<Forward> Forward::make(const ModelConfig& config, const ModelWeights& weights,
                              const KvCache& cache, std::int64_t max_tokens) {
  Forward f;
  f.config_ = &config;
  f.weights_ = &weights;
  R1_TRY(f.storage_,
         Block::make(scratch_bytes(config, max_tokens), "memory for a step's activations"));
  Carver carver(f.storage_.data());
  f.head_input_ = carve(config, max_tokens, carver, f.step_);
  f.step_.config = &config;
  f.step_.cache = &cache;
  f.step_.kernels = &kernels::active_kernels();
  f.step_.max_tokens = max_tokens;
  return f;
}

void Forward::run(ThreadTeam& team, std::span<const StepToken> tokens, const HeadWork& work) {
  work_ = work;
  head_scores_.begin(*step_.kernels, work.n_real, work.targets, work.scores);
  step_.team = &team;
  step_.tokens = tokens;
  const KvShape& shape = step_.cache->shape();
  attention_.make(tokens, config_->n_heads / shape.n_kv_heads, shape.n_kv_heads, team.size(),
                  shares_attention_);
  step_.attention = &attention_;
  team.run([&] { step_.timed(&StepTimes::total_s, [&] { walk(); }); });
}

void Forward::walk() {
  const ModelConfig& c = *config_;
  step_.over_tokens([&](std::int64_t token) { embed(token); });
  Pending pending;
  for (std::int64_t i = 0; i < c.n_layers; ++i) {
    const LayerWeights& w = weights_->layers[static_cast<std::size_t>(i)];
    pending = c.is_latent() ? mla_attention(step_, w.mla, i, pending)
                            : gqa_attention(step_, w.gqa, i, pending);
    pending = c.has_experts(i) ? moe(step_, w.ffn_norm, w.moe, pending)
                               : dense_mlp(step_, w.ffn_norm, w.dense, pending);
  }
  head(pending);
}

void Forward::embed(std::int64_t token) {
  const ModelConfig& c = *config_;
  const StepToken& t = step_.tokens[static_cast<std::size_t>(token)];
  kernels::unpack_row(weights_->embedding, t.token, step_.residual + token * c.hidden_dim);
  const std::int64_t half = c.rope_dim / 2;
  for (std::int64_t i = 0; i < half; ++i) {
    const double angle =
        static_cast<double>(t.position) * c.rope_frequencies[static_cast<std::size_t>(i)];
    step_.cosines[token * half + i] = static_cast<float>(std::cos(angle)) * c.rope_magnitude;
    step_.sines[token * half + i] = static_cast<float>(std::sin(angle)) * c.rope_magnitude;
  }
}

void Forward::fill_head_input(const Pending& pending, std::span<const std::int64_t> tokens) {
  const std::int64_t d = config_->hidden_dim;
  step_.team->phase(
      static_cast<std::int64_t>(tokens.size()), 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t column = begin; column < end; ++column) {
          const std::int64_t token = tokens[static_cast<std::size_t>(column)];
          step_.add_pending(pending, token);
          step_.norm(weights_->final_norm, token, column);
          if (weights_->head.is_quantized()) {
            step_.kernels->quantize(step_.input + column * d, head_input_, column, -1, nullptr);
          }
        }
      });
}

void Forward::head(const Pending& pending) {
  const ModelConfig& c = *config_;
  const Linear& head = weights_->head;
  const kernels::KernelTable& table = *step_.kernels;
  ThreadTeam& team = *step_.team;
  const auto rows = static_cast<std::int64_t>(work_.logit_tokens.size());
  if (rows > 0) {
    fill_head_input(pending, work_.logit_tokens);
    // More rows than columns of scratch cannot be: each logit row is a token of the step.
    const std::array<Product, 1> product{Product{&head.matrix, step_.input, c.hidden_dim,
                                                 head_input_, rows, 0, work_.logits, c.vocab_size}};
    step_.run(product);
  }
  if (rows > 0 && (head.bias != nullptr || !work_.log_sums.empty())) {
    team.phase(rows, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        float* logits = work_.logits + row * c.vocab_size;
        if (head.bias != nullptr) {
          table.add(head.bias, c.vocab_size, logits);
        }
        if (!work_.log_sums.empty()) {
          work_.log_sums[static_cast<std::size_t>(row)] = head_scores_.log_sum(logits);
        }
      }
    });
  }
  const auto product = [&](std::int64_t first, std::int64_t n, std::int64_t n_columns, float* out) {
    kernels::PackedMatrix block = head.matrix;  // rows [first, first + n) of it
    block.data += first / kernels::kTileRows * block.tile_stride;
    block.rows = n;
    if (head.is_quantized()) {
      table.matmul_quantized(block, 0, block.n_tiles(), head_input_, n_columns, out,
                             HeadScores::kBlockRows);
    } else {
      table.matmul_float(block, 0, block.n_tiles(), step_.input, c.hidden_dim, n_columns, out,
                         HeadScores::kBlockRows);
    }
    for (std::int64_t column = 0; column < n_columns && head.bias != nullptr; ++column) {
      table.add(head.bias + first, n, out + column * HeadScores::kBlockRows);
    }
  };
  const auto n_scored = static_cast<std::int64_t>(work_.scored_tokens.size());
  for (std::int64_t row = 0; row < n_scored; row += HeadScores::kGroupRows) {
    const std::int64_t n = std::min(HeadScores::kGroupRows, n_scored - row);
    fill_head_input(pending, work_.scored_tokens.subspan(static_cast<std::size_t>(row),
                                                         static_cast<std::size_t>(n)));
    step_.timed(&StepTimes::products_s, [&] { head_scores_.run(team, row, n, product); });
  }
}

}  // namespace r1eval::cpu
