#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/rng.h"

namespace r1eval {
namespace {

constexpr double kNothingBelow = -40;  // exponent under which a token weighs nothing

struct Candidate {
  double exponent;  // (logit - best) / temperature
  double weight;
  TokenId id;
};

bool before(const Candidate& a, const Candidate& b) {
  return a.exponent != b.exponent ? a.exponent > b.exponent : a.id < b.id;
}

TokenId arg_max(std::span<const float> logits) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < logits.size(); ++i) {
    if (logits[i] > logits[best]) {
      best = i;
    }
  }
  return static_cast<TokenId>(best);
}

}  // namespace

SamplerConfig sampler_config(const GenerateConfig& config) {
  SamplerConfig out;
  out.temperature = config.temperature.value_or(1);
  out.top_p = config.top_p.value_or(1);
  out.min_p = config.min_p.value_or(0);
  out.top_k = std::max<std::int64_t>(0, config.top_k.value_or(0));
  out.seed = config.seed;
  return out;
}

TokenId sample_token(std::span<const float> logits, std::int64_t n_tokens,
                     const SamplerConfig& config, std::uint64_t index) {
  logits = logits.first(std::min(logits.size(), static_cast<std::size_t>(n_tokens)));
  const TokenId best = arg_max(logits);
  if (config.temperature <= 0 || config.top_k == 1) {
    return best;
  }
  const double top = logits[static_cast<std::size_t>(best)];
  const double scale = 1 / config.temperature;
  // First the tokens that can matter at all; only they are given a weight.
  thread_local std::vector<Candidate> candidates;
  candidates.clear();
  const auto lowest = static_cast<float>(top + kNothingBelow * config.temperature);
  double total = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] >= lowest) {
      const double exponent = (static_cast<double>(logits[i]) - top) * scale;
      const double weight = std::exp(exponent);
      total += weight;
      candidates.push_back({exponent, weight, static_cast<TokenId>(i)});
    }
  }
  // Sort no more than is needed: the most probable few first, and the rest only when the mass asked
  // for lies beyond them.
  std::size_t n_sorted = 0;
  const auto sort_up_to = [&](std::size_t n) {
    n = std::min(n, candidates.size());
    if (n > n_sorted) {
      std::partial_sort(candidates.begin() + static_cast<std::ptrdiff_t>(n_sorted),
                        candidates.begin() + static_cast<std::ptrdiff_t>(n), candidates.end(),
                        before);
      n_sorted = n;
    }
  };
  std::size_t n_kept = candidates.size();
  if (config.top_k > 0 && static_cast<std::size_t>(config.top_k) < n_kept) {
    n_kept = static_cast<std::size_t>(config.top_k);
    sort_up_to(n_kept);
    total = 0;
    for (std::size_t i = 0; i < n_kept; ++i) {
      total += candidates[i].weight;
    }
  }
  if (config.top_p < 1) {
    const double wanted = config.top_p * total;
    double mass = 0;
    for (std::size_t i = 0; i < n_kept; ++i) {
      if (i >= n_sorted) {
        sort_up_to(std::max<std::size_t>(64, 4 * n_sorted));
      }
      mass += candidates[i].weight;
      if (mass >= wanted) {
        n_kept = i + 1;
        break;
      }
    }
    total = mass;
  }
  sort_up_to(n_kept);
  if (config.min_p > 0) {
    double mass = 0;
    std::size_t n = 0;
    // The best token weighs 1, so the bound is min_p itself.
    while (n < n_kept && (n == 0 || candidates[n].weight >= config.min_p)) {
      mass += candidates[n++].weight;
    }
    n_kept = n;
    total = mass;
  }
  const double point = uniform_at(config.seed, index) * total;
  double mass = 0;
  for (std::size_t i = 0; i < n_kept; ++i) {
    mass += candidates[i].weight;
    if (point < mass) {
      return candidates[i].id;
    }
  }
  return candidates[n_kept - 1].id;
}

double log_sum_exp(std::span<const float> logits, std::int64_t n_tokens) {
  logits = logits.first(std::min(logits.size(), static_cast<std::size_t>(n_tokens)));
  const double top = logits[static_cast<std::size_t>(arg_max(logits))];
  double total = 0;
  for (const float logit : logits) {
    total += std::exp(static_cast<double>(logit) - top);
  }
  return top + std::log(total);
}

double token_logprob(std::span<const float> logits, std::int64_t n_tokens, TokenId token) {
  return static_cast<double>(logits[static_cast<std::size_t>(token)]) -
         log_sum_exp(logits, n_tokens);
}

std::vector<std::pair<TokenId, double>> best_tokens(std::span<const float> logits,
                                                    std::int64_t n_tokens, std::int64_t n,
                                                    double log_sum) {
  logits = logits.first(std::min(logits.size(), static_cast<std::size_t>(n_tokens)));
  std::vector<std::pair<TokenId, double>> best;
  const auto wanted = static_cast<std::size_t>(n);
  for (std::size_t i = 0; i < logits.size() && wanted > 0; ++i) {
    const double logprob = static_cast<double>(logits[i]) - log_sum;
    if (best.size() == wanted && logprob <= best.back().second) {
      continue;
    }
    const auto at = std::upper_bound(
        best.begin(), best.end(), logprob,
        [](double value, const std::pair<TokenId, double>& has) { return value > has.second; });
    best.insert(at, {static_cast<TokenId>(i), logprob});
    if (best.size() > wanted) {
      best.pop_back();
    }
  }
  return best;
}

}  // namespace r1eval
