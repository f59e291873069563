// What holds for a model configuration, wherever it was read from. See model_config.h.
#include "engine/model/model_config.h"

#include <fmt/format.h>

#include <cmath>

namespace r1eval {

namespace {

constexpr std::int64_t kMaxLayers = 4096;
constexpr std::int64_t kMaxExperts = 4096;

}  // namespace

Status check_model_config(const ModelConfig& config, const std::string& origin) {
  const auto bad = [&](const std::string& what) {
    return fail(ErrorCode::kParse, fmt::format("{}: {}", origin, what));
  };
  if (config.n_layers > kMaxLayers) {
    return bad(fmt::format("{} layers, which cannot be", config.n_layers));
  }
  if (config.n_heads * config.head_dim > kMaxModelExtent) {
    return bad(
        fmt::format("{} heads of {} values, which cannot be", config.n_heads, config.head_dim));
  }
  if (!std::isfinite(config.attention_scale) || !std::isfinite(config.rope_magnitude)) {
    return bad("the rope scaling's parameters give no finite factor");
  }
  for (const double frequency : config.rope_frequencies) {
    if (!std::isfinite(frequency)) {
      return bad("the rope scaling's parameters give no finite frequency");
    }
  }
  const Experts& experts = config.experts;
  if (experts.n_routed == 0) {
    return ok_status();
  }
  const Router& router = experts.router;
  if (experts.n_routed > kMaxExperts || experts.n_used > experts.n_routed) {
    return bad(
        fmt::format("{} of {} experts a token, which cannot be", experts.n_used, experts.n_routed));
  }
  if (experts.n_shared < 0 || experts.n_shared > kMaxExperts || experts.first_layer < 0 ||
      experts.layer_step < 1) {
    return bad("the numbers of shared experts or dense layers cannot be");
  }
  if (experts.shared_dim() > kMaxModelExtent) {
    return bad(fmt::format("{} shared experts of {} values, which cannot be", experts.n_shared,
                           experts.ffn_dim));
  }
  if (router.n_groups < 1 || experts.n_routed % router.n_groups != 0 || router.n_groups_used < 1 ||
      router.n_groups_used > router.n_groups) {
    return bad(fmt::format("{} experts in {} groups of which {} are used, which cannot be",
                           experts.n_routed, router.n_groups, router.n_groups_used));
  }
  if (experts.n_routed / router.n_groups * router.n_groups_used < experts.n_used) {
    return bad(fmt::format("{} experts a token, but the {} groups used have fewer", experts.n_used,
                           router.n_groups_used));
  }
  if (!std::isfinite(router.scale)) {
    return bad("the scale of the experts' weights is no finite number");
  }
  return ok_status();
}

}  // namespace r1eval
