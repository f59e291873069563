// See moe.h. Phases:
//   tokens   add what is pending, normalise, quantise
//   tiles    router, and the shared expert's gate and up
//   tokens   route
//   one      sort the (token, rank) pairs by expert
//   rows     gather the input of each pair; the shared expert's silu
//   tiles    gate and up of every expert that was hit; the shared expert's down
//   rows     silu(gate) * up, quantise
//   tiles    down of every expert
//   tokens   sum by rank, add the shared expert
#include "engine/cpu/layers/moe.h"

#include <algorithm>

#include "engine/cpu/layers/router.h"

namespace r1eval::cpu {

using kernels::QuantizedColumns;

namespace {

struct Scratch {
  QuantizedColumns input;            // (T, D)
  float* logits = nullptr;           // (T, E)
  float* scores = nullptr;           // (T, 2 E + groups)
  std::int32_t* chosen = nullptr;    // (T, k), best first
  float* weights = nullptr;          // (T, k)
  std::int32_t* row_of = nullptr;    // (T, k): the pair's row in order of experts
  std::int32_t* token_of = nullptr;  // (R)
  std::int32_t* begin = nullptr;     // (E + 1): first row of an expert
  QuantizedColumns rows_q;           // (R, D)
  float* rows = nullptr;             // (R, D): input where weights are float; then output
  float* gate_up = nullptr;          // (R, 2 I)
  float* hidden = nullptr;           // (R, I)
  QuantizedColumns hidden_q;
  float* shared_gate_up = nullptr;  // (T, 2 S)
  float* shared_hidden = nullptr;   // (T, S)
  QuantizedColumns shared_hidden_q;

  static Scratch carve(const ModelConfig& c, std::int64_t t, Carver& carver) {
    const Experts& e = c.experts;
    const std::int64_t r = t * e.n_used;
    Scratch s;
    s.input = carver.take_columns(t, c.hidden_dim);
    s.logits = carver.take<float>(t * e.n_routed);
    s.scores = carver.take<float>(t * (2 * e.n_routed + e.router.n_groups));
    s.chosen = carver.take<std::int32_t>(r);
    s.weights = carver.take<float>(r);
    s.row_of = carver.take<std::int32_t>(r);
    s.token_of = carver.take<std::int32_t>(r);
    s.begin = carver.take<std::int32_t>(e.n_routed + 1);
    s.rows_q = carver.take_columns(r, c.hidden_dim);
    s.rows = carver.take<float>(r * c.hidden_dim);
    s.gate_up = carver.take<float>(2 * r * e.ffn_dim);
    s.hidden = carver.take<float>(r * e.ffn_dim);
    s.hidden_q = carver.take_columns(r, e.ffn_dim);
    s.shared_gate_up = carver.take<float>(2 * t * e.shared_dim());
    s.shared_hidden = carver.take<float>(t * e.shared_dim());
    s.shared_hidden_q = carver.take_columns(t, e.shared_dim());
    return s;
  }
};

// Counting sort of the pairs by expert; within an expert, tokens ascend.
void sort_by_expert(const Experts& e, std::int64_t n_tokens, const Scratch& s) {
  std::fill_n(s.begin, e.n_routed + 1, 0);
  const std::int64_t n_pairs = n_tokens * e.n_used;
  for (std::int64_t i = 0; i < n_pairs; ++i) {
    ++s.begin[s.chosen[i] + 1];
  }
  for (std::int64_t x = 0; x < e.n_routed; ++x) {
    s.begin[x + 1] += s.begin[x];
  }
  // `begin` serves as the place of the next row and is moved back afterwards.
  for (std::int64_t i = 0; i < n_pairs; ++i) {
    const std::int32_t row = s.begin[s.chosen[i]]++;
    s.row_of[i] = row;
    s.token_of[row] = static_cast<std::int32_t>(i / e.n_used);
  }
  for (std::int64_t x = e.n_routed; x > 0; --x) {
    s.begin[x] = s.begin[x - 1];
  }
  s.begin[0] = 0;
}

}  // namespace

void MoeWeights::note_forms() {
  for (const MlpWeights& expert : experts) {
    quantized_input |= expert.gate.is_quantized() || expert.up.is_quantized();
    float_input |= !expert.gate.is_quantized() || !expert.up.is_quantized();
    quantized_hidden |= expert.down.is_quantized();
  }
}

std::int64_t moe_scratch_bytes(const ModelConfig& config, std::int64_t max_tokens) {
  Carver carver(nullptr);
  Scratch::carve(config, max_tokens, carver);
  return carver.used();
}

Pending moe(const Step& step, const float* norm, const MoeWeights& w, const Pending& before) {
  const ModelConfig& c = *step.config;
  const Experts& e = c.experts;
  const kernels::KernelTable& k = *step.kernels;
  Carver carver(step.work);
  const Scratch s = Scratch::carve(c, step.max_tokens, carver);
  const std::int64_t n = step.n();
  const std::int64_t d = c.hidden_dim;
  const std::int64_t inner = e.ffn_dim;
  const std::int64_t shared = e.shared_dim();
  const bool has_shared = shared > 0;
  const bool shared_quantized =
      has_shared && (w.shared.gate.is_quantized() || w.shared.up.is_quantized());
  step.over_tokens([&](std::int64_t token) {
    step.add_pending(before, token);
    step.norm(norm, token, token);
    if (w.quantized_input || shared_quantized) {
      k.quantize(step.input + token * d, s.input, token, -1, nullptr);
    }
  });
  std::vector<Product> todo;
  todo.push_back({&w.router.matrix, step.input, d, s.input, n, 0, s.logits, e.n_routed});
  if (has_shared) {
    todo.push_back(
        {&w.shared.gate.matrix, step.input, d, s.input, n, 0, s.shared_gate_up, 2 * shared});
    todo.push_back(
        {&w.shared.up.matrix, step.input, d, s.input, n, 0, s.shared_gate_up + shared, 2 * shared});
  }
  step.run(todo);
  step.over_tokens([&](std::int64_t token) {
    route(e, s.logits + token * e.n_routed, w.router_bias,
          s.scores + token * (2 * e.n_routed + e.router.n_groups), s.chosen + token * e.n_used,
          s.weights + token * e.n_used);
  });
  sort_by_expert(e, n, s);

  const std::int64_t n_rows = n * e.n_used;
  const std::int64_t row_grain = grain_for(n_rows, step.team->size(), 1);
  step.team->phase(n_rows, row_grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t token = s.token_of[row];
      if (w.quantized_input) {
        copy_column(s.input, token, s.rows_q, row);
      }
      if (w.float_input) {
        std::copy_n(step.input + token * d, d, s.rows + row * d);
      }
    }
  });
  if (has_shared) {
    step.over_tokens([&](std::int64_t token) {
      float* hidden = s.shared_hidden + token * shared;
      gated_row(k, w.shared, s.shared_gate_up + token * 2 * shared, hidden);
      if (w.shared.down.is_quantized()) {
        k.quantize(hidden, s.shared_hidden_q, token, -1, nullptr);
      }
    });
  }
  todo.clear();
  for (std::int64_t x = 0; x < e.n_routed; ++x) {
    const std::int64_t first = s.begin[x];
    const std::int64_t count = s.begin[x + 1] - first;
    if (count > 0) {
      const MlpWeights& expert = w.experts[static_cast<std::size_t>(x)];
      const QuantizedColumns columns = columns_from(s.rows_q, first);
      float* out = s.gate_up + first * 2 * inner;
      todo.push_back(
          {&expert.gate.matrix, s.rows + first * d, d, columns, count, 0, out, 2 * inner});
      todo.push_back(
          {&expert.up.matrix, s.rows + first * d, d, columns, count, 0, out + inner, 2 * inner});
    }
  }
  if (has_shared) {
    todo.push_back({&w.shared.down.matrix, s.shared_hidden, shared, s.shared_hidden_q, n, 0,
                    step.projected, d});
  }
  step.run(todo);
  step.team->phase(n_rows, row_grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      float* gate = s.gate_up + row * 2 * inner;
      float* hidden = s.hidden + row * inner;
      k.silu_product(gate, gate + inner, inner, hidden);
      if (w.quantized_hidden) {
        k.quantize(hidden, s.hidden_q, row, -1, nullptr);
      }
    }
  });
  todo.clear();
  for (std::int64_t x = 0; x < e.n_routed; ++x) {
    const std::int64_t first = s.begin[x];
    const std::int64_t count = s.begin[x + 1] - first;
    if (count > 0) {
      todo.push_back({&w.experts[static_cast<std::size_t>(x)].down.matrix, s.hidden + first * inner,
                      inner, columns_from(s.hidden_q, first), count, 0, s.rows + first * d, d});
    }
  }
  step.run(todo);
  step.over_tokens([&](std::int64_t token) {
    float* sum = step.input + token * d;  // what it held is not needed any more
    std::fill_n(sum, d, 0.0F);
    for (std::int64_t rank = 0; rank < e.n_used; ++rank) {
      const std::int64_t row = s.row_of[token * e.n_used + rank];
      const float weight = s.weights[token * e.n_used + rank];
      const float* from = s.rows + row * d;
      for (std::int64_t i = 0; i < d; ++i) {
        sum[i] += weight * from[i];
      }
    }
    float* out = step.projected + token * d;
    if (has_shared) {
      k.add(sum, d, out);
    } else {
      std::copy_n(sum, d, out);
    }
  });
  return {true, has_shared ? w.shared.down.bias : nullptr};
}

}  // namespace r1eval::cpu
