// See gqa_attention.h.
#include "engine/cpu/layers/gqa_attention.h"

#include <algorithm>
#include <array>

#include "engine/cpu/layers/paged_attention.h"

namespace r1eval::cpu {

using kernels::kPageTokens;

namespace {

struct Scratch {
  kernels::QuantizedColumns input;  // (2 T, D): the second half holds what the first lost
  float* qkv = nullptr;             // (2 T, (H + 2 G) d), likewise
  float* attended = nullptr;        // (T, H d)
  kernels::QuantizedColumns attended_q;

  static Scratch carve(const ModelConfig& c, std::int64_t t, Carver& carver) {
    Scratch s;
    s.input = carver.take_columns(2 * t, c.hidden_dim);
    s.qkv = carver.take<float>(2 * t * (c.n_heads + 2 * c.n_kv_heads) * c.head_dim);
    s.attended = carver.take<float>(t * c.n_heads * c.head_dim);
    s.attended_q = carver.take_columns(t, c.n_heads * c.head_dim);
    return s;
  }
};

// Adds biases, rotates, and puts keys and values into their page.
void finish_qkv(const Step& step, const GqaWeights& w, std::int64_t layer, std::int64_t token,
                float* query) {
  const ModelConfig& c = *step.config;
  const StepToken& t = step.tokens[static_cast<std::size_t>(token)];
  const KvShape& shape = step.cache->shape();
  float* key = query + c.n_heads * c.head_dim;
  float* value = key + c.n_kv_heads * c.head_dim;
  const auto add_bias = [&](const Linear& linear, float* to) {
    if (linear.bias != nullptr) {
      step.kernels->add(linear.bias, linear.matrix.rows, to);
    }
  };
  add_bias(w.query, query);
  add_bias(w.key, key);
  add_bias(w.value, value);
  const float* cosines = step.cosines + token * (c.rope_dim / 2);
  const float* sines = step.sines + token * (c.rope_dim / 2);
  for (std::int64_t head = 0; head < c.n_heads + c.n_kv_heads; ++head) {
    step.kernels->rotate_halves(query + head * c.head_dim, cosines, sines, c.rope_dim);
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
      step.kernels->to_half(k, c.head_dim, half.data());
      auto* keys = reinterpret_cast<std::uint16_t*>(step.cache->keys(layer, head)) + key_at;
      for (std::int64_t d = 0; d < c.head_dim; ++d) {
        keys[d * kPageTokens] = half[static_cast<std::size_t>(d)];
      }
      auto* values = reinterpret_cast<std::uint16_t*>(step.cache->values(layer, head));
      step.kernels->to_half(v, c.head_dim, values + value_at);
    } else {
      auto* keys = reinterpret_cast<float*>(step.cache->keys(layer, head)) + key_at;
      for (std::int64_t d = 0; d < c.head_dim; ++d) {
        keys[d * kPageTokens] = k[d];
      }
      auto* values = reinterpret_cast<float*>(step.cache->values(layer, head));
      std::copy(v, v + c.head_dim, values + value_at);
    }
  }
}

}  // namespace

std::int64_t gqa_scratch_bytes(const ModelConfig& config, std::int64_t max_tokens) {
  Carver carver(nullptr);
  Scratch::carve(config, max_tokens, carver);
  return carver.used();
}

Pending gqa_attention(const Step& step, const GqaWeights& w, std::int64_t layer,
                      const Pending& before) {
  const ModelConfig& c = *step.config;
  Carver carver(step.work);
  const Scratch s = Scratch::carve(c, step.max_tokens, carver);
  const std::int64_t n = step.n();
  const std::int64_t query_width = c.n_heads * c.head_dim;
  const std::int64_t kv_width = c.n_kv_heads * c.head_dim;
  const std::int64_t qkv_width = query_width + 2 * kv_width;
  const bool is_quantized =
      w.query.is_quantized() || w.key.is_quantized() || w.value.is_quantized();
  step.over_tokens([&](std::int64_t token) {
    step.add_pending(before, token);
    step.norm(w.norm, token, token);
    if (is_quantized) {
      step.kernels->quantize(step.input + token * c.hidden_dim, s.input, token, n + token,
                             step.projected + token * c.hidden_dim);
    }
  });
  const auto from_input = [&](const Linear& linear, float* out) {
    return Product{&linear.matrix,       step.input, c.hidden_dim, s.input, n,
                   is_quantized ? n : 0, out,        qkv_width};
  };
  const std::array<Product, 3> qkv{from_input(w.query, s.qkv),
                                   from_input(w.key, s.qkv + query_width),
                                   from_input(w.value, s.qkv + query_width + kv_width)};
  step.run(qkv);
  step.over_tokens([&](std::int64_t token) {
    float* row = s.qkv + token * qkv_width;
    if (is_quantized) {
      step.kernels->add(s.qkv + (n + token) * qkv_width, qkv_width, row);
    }
    finish_qkv(step, w, layer, token, row);
  });
  attend_to_cache(step, layer, {s.qkv, qkv_width, s.attended, query_width, c.head_dim});
  if (w.output.is_quantized()) {
    step.over_tokens([&](std::int64_t token) {
      step.kernels->quantize(s.attended + token * query_width, s.attended_q, token, -1, nullptr);
    });
  }
  const std::array<Product, 1> output{Product{&w.output.matrix, s.attended, query_width,
                                              s.attended_q, n, 0, step.projected, c.hidden_dim}};
  step.run(output);
  return {true, w.output.bias};
}

}  // namespace r1eval::cpu
