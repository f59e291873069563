// See router.h.
#include "engine/cpu/layers/router.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace r1eval::cpu {

namespace {

constexpr float kMasked = -std::numeric_limits<float>::infinity();

// Of equal values the first.
std::int64_t index_of_best(const float* values, std::int64_t n) {
  std::int64_t best = 0;
  for (std::int64_t i = 1; i < n; ++i) {
    if (values[i] > values[best]) {
      best = i;
    }
  }
  return best;
}

void score(Router::Scores kind, const float* logits, std::int64_t n, float* out) {
  if (kind == Router::Scores::kSigmoid) {
    for (std::int64_t i = 0; i < n; ++i) {
      out[i] = 1.0F / (1.0F + std::exp(-logits[i]));
    }
    return;
  }
  const float most = *std::max_element(logits, logits + n);
  float sum = 0.0F;
  for (std::int64_t i = 0; i < n; ++i) {
    out[i] = std::exp(logits[i] - most);
    sum += out[i];
  }
  for (std::int64_t i = 0; i < n; ++i) {
    out[i] /= sum;
  }
}

float group_score(Router::GroupScore kind, const float* values, std::int64_t n) {
  float best = kMasked;
  float second = kMasked;
  for (std::int64_t i = 0; i < n; ++i) {
    if (values[i] > best) {
      second = best;
      best = values[i];
    } else if (values[i] > second) {
      second = values[i];
    }
  }
  return kind == Router::GroupScore::kBest || n < 2 ? best : best + second;
}

}  // namespace

void route(const Experts& experts, const float* logits, const float* bias, float* scores,
           std::int32_t* chosen, float* weights) {
  const Router& router = experts.router;
  const std::int64_t n = experts.n_routed;
  float* biased = scores + n;
  float* groups = biased + n;
  score(router.scores, logits, n, scores);
  for (std::int64_t i = 0; i < n; ++i) {
    biased[i] = bias == nullptr ? scores[i] : scores[i] + bias[i];
  }
  if (router.n_groups_used < router.n_groups) {
    const std::int64_t size = n / router.n_groups;
    for (std::int64_t g = 0; g < router.n_groups; ++g) {
      groups[g] = group_score(router.group_score, biased + g * size, size);
    }
    // What stays is marked with NaN, which no comparison takes again.
    for (std::int64_t i = 0; i < router.n_groups_used; ++i) {
      std::int64_t best = -1;
      for (std::int64_t g = 0; g < router.n_groups; ++g) {
        if (!std::isnan(groups[g]) && (best < 0 || groups[g] > groups[best])) {
          best = g;
        }
      }
      if (best >= 0) {
        groups[best] = std::numeric_limits<float>::quiet_NaN();
      }
    }
    for (std::int64_t g = 0; g < router.n_groups; ++g) {
      if (!std::isnan(groups[g])) {
        std::fill_n(biased + g * size, size, kMasked);
      }
    }
  }
  float sum = 0.0F;
  for (std::int64_t rank = 0; rank < experts.n_used; ++rank) {
    const std::int64_t best = index_of_best(biased, n);
    chosen[rank] = static_cast<std::int32_t>(best);
    weights[rank] = scores[best];
    sum += scores[best];
    biased[best] = kMasked;
  }
  const float divisor = router.normalizes ? sum + 1e-20F : 1.0F;
  for (std::int64_t rank = 0; rank < experts.n_used; ++rank) {
    weights[rank] = weights[rank] / divisor * router.scale;
  }
}

}  // namespace r1eval::cpu
