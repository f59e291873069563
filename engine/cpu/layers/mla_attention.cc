// See mla_attention.h. Phases:
//   tokens   add what is pending, normalise, quantise
//   tiles    the query's (or its latent's) and the key/value latent's projections
//   tokens   norms of the latents; rotated key and latent into the cache
//   tiles    the query from its latent, where there is one
//   tokens   rotate the queries; quantise their other parts per head
//   tiles    key_b per head: queries in latent space
//   heads    attention over the latents
//   tokens   quantise per head
//   tiles    value_b per head
//   tokens   quantise
//   tiles    output projection
#include "engine/cpu/layers/mla_attention.h"

#include <algorithm>
#include <array>

#include "engine/cpu/layers/paged_attention.h"

namespace r1eval::cpu {

using kernels::kPageTokens;
using kernels::QuantizedColumns;

namespace {

struct Scratch {
  QuantizedColumns input;    // (2 T, D): the second half holds what the first lost
  float* query_a = nullptr;  // (T, Q)
  QuantizedColumns query_a_q;
  float* query = nullptr;      // (T, H (n + r))
  float* kv_a = nullptr;       // (2 T, R + r)
  QuantizedColumns nope_q;     // (H T, n), a head's tokens together
  float* absorbed = nullptr;   // (T, H (R + r)): queries as the cache's rows are laid out
  float* context = nullptr;    // (T, H R)
  QuantizedColumns context_q;  // (H T, R), a head's tokens together
  float* heads = nullptr;      // (T, H v)
  QuantizedColumns heads_q;

  static Scratch carve(const ModelConfig& c, std::int64_t t, Carver& carver) {
    const LatentAttention& a = c.latent;
    Scratch s;
    s.input = carver.take_columns(2 * t, c.hidden_dim);
    s.query_a = carver.take<float>(t * a.q_rank);
    s.query_a_q = carver.take_columns(t, a.q_rank);
    s.query = carver.take<float>(t * c.n_heads * a.query_dim());
    s.kv_a = carver.take<float>(2 * t * a.cache_dim());
    s.nope_q = carver.take_columns(c.n_heads * t, a.nope_dim);
    s.absorbed = carver.take<float>(t * c.n_heads * a.cache_dim());
    s.context = carver.take<float>(t * c.n_heads * a.kv_rank);
    s.context_q = carver.take_columns(c.n_heads * t, a.kv_rank);
    s.heads = carver.take<float>(t * c.n_heads * a.value_dim);
    s.heads_q = carver.take_columns(t, c.n_heads * a.value_dim);
    return s;
  }
};

void add_bias(const Step& step, const Linear& linear, float* to) {
  if (linear.bias != nullptr) {
    step.kernels->add(linear.bias, linear.matrix.rows, to);
  }
}

// Normalises the latent, rotates the key, and puts both into the token's page.
void finish_kv(const Step& step, const MlaWeights& w, std::int64_t layer, std::int64_t token,
               float* row) {
  const ModelConfig& c = *step.config;
  const LatentAttention& a = c.latent;
  const StepToken& t = step.tokens[static_cast<std::size_t>(token)];
  const KvShape& shape = step.cache->shape();
  add_bias(step, w.kv_a, row);
  step.kernels->rms_norm(row, w.kv_norm, a.norm_eps, a.kv_rank, row);
  step.kernels->rotate_halves(row + a.kv_rank, step.cosines + token * (a.rope_dim / 2),
                              step.sines + token * (a.rope_dim / 2), a.rope_dim);
  const std::int64_t at = t.pages[t.position / kPageTokens] * shape.key_page_stride() +
                          t.position % kPageTokens * shape.row_stride();
  if (shape.is_f16) {
    auto* rows = reinterpret_cast<std::uint16_t*>(step.cache->keys(layer, 0));
    step.kernels->to_half(row, a.cache_dim(), rows + at);
  } else {
    auto* rows = reinterpret_cast<float*>(step.cache->keys(layer, 0));
    std::copy_n(row, a.cache_dim(), rows + at);
  }
}

}  // namespace

std::int64_t mla_scratch_bytes(const ModelConfig& config, std::int64_t max_tokens) {
  Carver carver(nullptr);
  Scratch::carve(config, max_tokens, carver);
  return carver.used();
}

Pending mla_attention(const Step& step, const MlaWeights& w, std::int64_t layer,
                      const Pending& before) {
  const ModelConfig& c = *step.config;
  const LatentAttention& a = c.latent;
  const kernels::KernelTable& k = *step.kernels;
  Carver carver(step.work);
  const Scratch s = Scratch::carve(c, step.max_tokens, carver);
  const std::int64_t n = step.n();
  const std::int64_t query_width = c.n_heads * a.query_dim();
  const std::int64_t heads_width = c.n_heads * a.value_dim;
  const bool has_query_latent = a.q_rank > 0;
  const Linear& first_query = has_query_latent ? w.query_a : w.query;
  // The key/value latent stays for all later tokens, so its input is quantised in two parts.
  const bool kv_quantized = w.kv_a.is_quantized();
  step.over_tokens([&](std::int64_t token) {
    step.add_pending(before, token);
    step.norm(w.norm, token, token);
    if (kv_quantized || first_query.is_quantized()) {
      k.quantize(step.input + token * c.hidden_dim, s.input, token, kv_quantized ? n + token : -1,
                 step.projected + token * c.hidden_dim);
    }
  });
  const std::array<Product, 2> from_input{
      Product{&first_query.matrix, step.input, c.hidden_dim, s.input, n, 0,
              has_query_latent ? s.query_a : s.query, first_query.matrix.rows},
      Product{&w.kv_a.matrix, step.input, c.hidden_dim, s.input, n, kv_quantized ? n : 0, s.kv_a,
              a.cache_dim()}};
  step.run(from_input);
  step.over_tokens([&](std::int64_t token) {
    float* kv = s.kv_a + token * a.cache_dim();
    if (kv_quantized) {
      k.add(s.kv_a + (n + token) * a.cache_dim(), a.cache_dim(), kv);
    }
    finish_kv(step, w, layer, token, kv);
    if (has_query_latent) {
      float* latent = s.query_a + token * a.q_rank;
      add_bias(step, w.query_a, latent);
      k.rms_norm(latent, w.query_norm, a.norm_eps, a.q_rank, latent);
      if (w.query.is_quantized()) {
        k.quantize(latent, s.query_a_q, token, -1, nullptr);
      }
    }
  });
  if (has_query_latent) {
    const std::array<Product, 1> query{
        Product{&w.query.matrix, s.query_a, a.q_rank, s.query_a_q, n, 0, s.query, query_width}};
    step.run(query);
  }

  const bool key_b_quantized = !w.key_b.front().layout.is_float();
  step.over_tokens([&](std::int64_t token) {
    float* row = s.query + token * query_width;
    add_bias(step, w.query, row);
    for (std::int64_t head = 0; head < c.n_heads; ++head) {
      float* query = row + head * a.query_dim();
      float* rotated = s.absorbed + (token * c.n_heads + head) * a.cache_dim() + a.kv_rank;
      std::copy_n(query + a.nope_dim, a.rope_dim, rotated);
      k.rotate_halves(rotated, step.cosines + token * (a.rope_dim / 2),
                      step.sines + token * (a.rope_dim / 2), a.rope_dim);
      if (key_b_quantized) {
        k.quantize(query, s.nope_q, head * n + token, -1, nullptr);
      }
    }
  });
  std::vector<Product> per_head(static_cast<std::size_t>(c.n_heads));
  for (std::int64_t head = 0; head < c.n_heads; ++head) {
    const auto h = static_cast<std::size_t>(head);
    per_head[h] = {&w.key_b[h],
                   s.query + head * a.query_dim(),
                   query_width,
                   columns_from(s.nope_q, head * n),
                   n,
                   0,
                   s.absorbed + head * a.cache_dim(),
                   c.n_heads * a.cache_dim()};
  }
  step.run(per_head);

  attend_to_cache(
      step, layer,
      {s.absorbed, c.n_heads * a.cache_dim(), s.context, c.n_heads * a.kv_rank, a.kv_rank});

  if (!w.value_b.front().layout.is_float()) {
    step.over_tokens([&](std::int64_t token) {
      for (std::int64_t head = 0; head < c.n_heads; ++head) {
        k.quantize(s.context + (token * c.n_heads + head) * a.kv_rank, s.context_q,
                   head * n + token, -1, nullptr);
      }
    });
  }
  for (std::int64_t head = 0; head < c.n_heads; ++head) {
    const auto h = static_cast<std::size_t>(head);
    per_head[h] = {&w.value_b[h],
                   s.context + head * a.kv_rank,
                   c.n_heads * a.kv_rank,
                   columns_from(s.context_q, head * n),
                   n,
                   0,
                   s.heads + head * a.value_dim,
                   heads_width};
  }
  step.run(per_head);

  if (w.output.is_quantized()) {
    step.over_tokens([&](std::int64_t token) {
      k.quantize(s.heads + token * heads_width, s.heads_q, token, -1, nullptr);
    });
  }
  const std::array<Product, 1> output{Product{&w.output.matrix, s.heads, heads_width, s.heads_q, n,
                                              0, step.projected, c.hidden_dim}};
  step.run(output);
  return {true, w.output.bias};
}

}  // namespace r1eval::cpu
