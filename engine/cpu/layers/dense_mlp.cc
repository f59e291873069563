// See dense_mlp.h.
#include "engine/cpu/layers/dense_mlp.h"

#include <array>

namespace r1eval::cpu {

namespace {

struct Scratch {
  kernels::QuantizedColumns input;  // (T, D)
  float* gate_up = nullptr;         // (T, 2 F)
  float* hidden = nullptr;          // (T, F)
  kernels::QuantizedColumns hidden_q;

  static Scratch carve(const ModelConfig& c, std::int64_t t, Carver& carver) {
    Scratch s;
    s.input = carver.take_columns(t, c.hidden_dim);
    s.gate_up = carver.take<float>(2 * t * c.ffn_dim);
    s.hidden = carver.take<float>(t * c.ffn_dim);
    s.hidden_q = carver.take_columns(t, c.ffn_dim);
    return s;
  }
};

}  // namespace

std::int64_t dense_mlp_scratch_bytes(const ModelConfig& config, std::int64_t max_tokens) {
  Carver carver(nullptr);
  Scratch::carve(config, max_tokens, carver);
  return carver.used();
}

void gated_row(const kernels::KernelTable& kernels, const MlpWeights& w, float* gate_up,
               float* hidden) {
  const std::int64_t f = w.width();
  if (w.gate.bias != nullptr) {
    kernels.add(w.gate.bias, f, gate_up);
  }
  if (w.up.bias != nullptr) {
    kernels.add(w.up.bias, f, gate_up + f);
  }
  kernels.silu_product(gate_up, gate_up + f, f, hidden);
}

Pending dense_mlp(const Step& step, const float* norm, const MlpWeights& w, const Pending& before) {
  const ModelConfig& c = *step.config;
  Carver carver(step.work);
  const Scratch s = Scratch::carve(c, step.max_tokens, carver);
  const std::int64_t n = step.n();
  const std::int64_t f = c.ffn_dim;
  const bool is_quantized = w.gate.is_quantized() || w.up.is_quantized();
  step.over_tokens([&](std::int64_t token) {
    step.add_pending(before, token);
    step.norm(norm, token, token);
    if (is_quantized) {
      step.kernels->quantize(step.input + token * c.hidden_dim, s.input, token, -1, nullptr);
    }
  });
  const auto from_input = [&](const Linear& linear, float* out) {
    return Product{&linear.matrix, step.input, c.hidden_dim, s.input, n, 0, out, 2 * f};
  };
  const std::array<Product, 2> gate_up{from_input(w.gate, s.gate_up),
                                       from_input(w.up, s.gate_up + f)};
  step.run(gate_up);
  step.over_tokens([&](std::int64_t token) {
    float* hidden = s.hidden + token * f;
    gated_row(*step.kernels, w, s.gate_up + token * 2 * f, hidden);
    if (w.down.is_quantized()) {
      step.kernels->quantize(hidden, s.hidden_q, token, -1, nullptr);
    }
  });
  const std::array<Product, 1> down{
      Product{&w.down.matrix, s.hidden, f, s.hidden_q, n, 0, step.projected, c.hidden_dim}};
  step.run(down);
  return {true, w.down.bias};
}

}  // namespace r1eval::cpu
