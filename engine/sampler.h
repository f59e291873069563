// Draws the next token from a row of logits.
//
// Order    the padding of the vocabulary is masked, then temperature, top-k, top-p on the tempered
//          distribution (the smallest set whose mass reaches p; the crossing token is kept), min-p,
//          and one uniform number is put through the inverse CDF in order of falling probability,
//          ties by lower id. Temperature 0 takes the largest logit, the lowest id among equals.
// Numbers  masses are summed in double; tokens more than e^-40 below the best weigh nothing.
//          One uniform a token, by identity (key = the sample's seed, counter = index of the
//          token): what is drawn does not depend on batch, thread or order.
// Threads  pure functions.
// Tested   tests/engine/embedded/sampler_test.cc, against a plain full sort.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/generation.h"
#include "engine/model_runner.h"

namespace r1eval {

struct SamplerConfig {
  double temperature = 1;
  double top_p = 1;
  double min_p = 0;
  std::int64_t top_k = 0;  // 0: off
  std::uint64_t seed = 0;
};

// Unset fields take their neutral value; temperature 1.
SamplerConfig sampler_config(const GenerateConfig& config);

// `n_tokens` of the row are real tokens, the rest is padding. `index` counts the sample's tokens.
TokenId sample_token(std::span<const float> logits, std::int64_t n_tokens,
                     const SamplerConfig& config, std::uint64_t index);

// The n best tokens and their log-probabilities, best first, ties by lower id. `log_sum`: the
// logarithm of the sum of exp(logit) over the real tokens.
std::vector<std::pair<TokenId, double>> best_tokens(std::span<const float> logits,
                                                    std::int64_t n_tokens, std::int64_t n,
                                                    double log_sum);

// log of the sum of exp(logit) over the real tokens, in double.
double log_sum_exp(std::span<const float> logits, std::int64_t n_tokens);

// Natural logarithm of the token's probability, untempered.
double token_logprob(std::span<const float> logits, std::int64_t n_tokens, TokenId token);

}  // namespace r1eval
