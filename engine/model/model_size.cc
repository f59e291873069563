// See model_size.h.
#include "engine/model/model_size.h"

namespace r1eval {

namespace {

struct Counts {
  std::int64_t matrices = 0;
  std::int64_t vectors = 0;

  Counts& operator+=(const Counts& other) {
    matrices += other.matrices;
    vectors += other.vectors;
    return *this;
  }

  std::int64_t all() const { return matrices + vectors; }
};

Counts linear(std::int64_t rows, std::int64_t columns, BiasRule bias) {
  return {rows * columns, bias == BiasRule::kRequired ? rows : 0};
}

Counts mlp(const ModelConfig& c, std::int64_t width, BiasRule bias) {
  Counts n = linear(width, c.hidden_dim, bias);
  n += linear(width, c.hidden_dim, bias);
  n += linear(c.hidden_dim, width, bias);
  return n;
}

Counts attention(const ModelConfig& c) {
  Counts n{0, c.hidden_dim};  // its norm
  if (!c.is_latent()) {
    n += linear(c.n_heads * c.head_dim, c.hidden_dim, c.qkv_bias);
    n += linear(c.n_kv_heads * c.head_dim, c.hidden_dim, c.qkv_bias);
    n += linear(c.n_kv_heads * c.head_dim, c.hidden_dim, c.qkv_bias);
    n += linear(c.hidden_dim, c.n_heads * c.head_dim, c.output_bias);
    return n;
  }
  const LatentAttention& a = c.latent;
  const std::int64_t query_rows = c.n_heads * a.query_dim();
  if (a.q_rank > 0) {
    n += linear(a.q_rank, c.hidden_dim, c.qkv_bias);
    n += linear(query_rows, a.q_rank, BiasRule::kAbsent);
    n.vectors += a.q_rank;
  } else {
    n += linear(query_rows, c.hidden_dim, BiasRule::kAbsent);
  }
  n += linear(a.cache_dim(), c.hidden_dim, c.qkv_bias);
  n.vectors += a.kv_rank;
  n += linear(c.n_heads * (a.nope_dim + a.value_dim), a.kv_rank, BiasRule::kAbsent);
  n += linear(c.hidden_dim, c.n_heads * a.value_dim, c.output_bias);
  return n;
}

}  // namespace

ModelSize model_size(const ModelConfig& c) {
  ModelSize size;
  Counts total;
  Counts active;
  std::int64_t routers = 0;
  for (std::int64_t i = 0; i < c.n_layers; ++i) {
    Counts layer = attention(c);
    layer.vectors += c.hidden_dim;  // the norm before the MLP
    Counts used = layer;
    if (!c.has_experts(i)) {
      const Counts dense = mlp(c, c.ffn_dim, c.mlp_bias);
      layer += dense;
      used += dense;
    } else {
      const Experts& e = c.experts;
      Counts always{e.n_routed * c.hidden_dim, e.router.has_bias ? e.n_routed : 0};
      routers += always.matrices;
      if (e.n_shared > 0) {
        always += mlp(c, e.shared_dim(), c.mlp_bias);
      }
      const Counts expert = mlp(c, e.ffn_dim, BiasRule::kAbsent);
      layer += always;
      used += always;
      layer += {e.n_routed * expert.matrices, 0};
      used += {e.n_used * expert.matrices, 0};
    }
    total += layer;
    active += used;
  }
  total.vectors += c.hidden_dim;  // the last norm
  active.vectors += c.hidden_dim;
  const std::int64_t table = c.vocab_size * c.hidden_dim;
  size.embedding_parameters = table;
  size.fp8_parameters = total.matrices - routers;
  size.total_parameters = total.all() + table + (c.tied_head ? 0 : table);
  size.active_parameters = active.all() + table;
  size.active_with_embedding = size.active_parameters + (c.tied_head ? 0 : table);
  size.cache_values_per_token = c.n_layers * c.cache_values();
  size.flops_per_token = 2 * (active.matrices + table);
  const LatentAttention& a = c.latent;
  const std::int64_t expanded = c.is_latent() ? a.query_dim() + a.value_dim : 2 * c.head_dim;
  const std::int64_t run = c.is_latent() ? a.cache_dim() + a.kv_rank : 2 * c.head_dim;
  size.flops_per_cached_token = 2 * c.n_layers * c.n_heads * run;
  size.expanded_flops_per_cached_token = 2 * c.n_layers * c.n_heads * expanded;
  return size;
}

}  // namespace r1eval
