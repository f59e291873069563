// Frequencies of the rotary position embedding, and how long-context variants change them.
//
// Units   angle of pair i at position p is p * frequency[i], radians.
// Source  Su et al. 2021, arXiv:2104.09864; YaRN: Peng et al. 2023, arXiv:2309.00071; llama3
// scaling:
//         Meta's Llama 3.1 model code.
// Tested  tests/engine/model/model_config_test.cc
#pragma once

#include <cstdint>
#include <vector>

namespace r1eval {

// theta^(-2 i / dim), i < dim / 2.
std::vector<double> rope_frequencies(std::int64_t dim, double theta);

// The wave lengths above original_context / low_factor become `factor` times longer, those below
// original_context / high_factor stay, between them both are blended.
void scale_llama3(std::vector<double>& frequencies, double factor, double low_factor,
                  double high_factor, double original_context);

// Low frequencies are divided by the factor, high ones stay, between them lies a linear ramp over
// the pair's index. `truncates`: the ramp's ends are whole indices.
void scale_yarn(std::vector<double>& frequencies, double theta, double factor,
                double original_context, double beta_fast, double beta_slow, bool truncates = true);

// 0.1 * mscale * ln(factor) + 1, or 1 where the factor is at most 1.
double yarn_magnitude(double factor, double mscale);

}  // namespace r1eval
