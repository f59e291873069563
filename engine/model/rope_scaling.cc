// See rope_scaling.h.
#include "engine/model/rope_scaling.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace r1eval {

std::vector<double> rope_frequencies(std::int64_t dim, double theta) {
  std::vector<double> frequencies;
  for (std::int64_t i = 0; i < dim / 2; ++i) {
    frequencies.push_back(
        std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(dim)));
  }
  return frequencies;
}

void scale_llama3(std::vector<double>& frequencies, double factor, double low_factor,
                  double high_factor, double original_context) {
  for (double& frequency : frequencies) {
    const double wave = 2.0 * std::numbers::pi / frequency;
    if (wave > original_context / low_factor) {
      frequency /= factor;
    } else if (wave >= original_context / high_factor) {
      const double kept = (original_context / wave - low_factor) / (high_factor - low_factor);
      frequency = (1.0 - kept) * frequency / factor + kept * frequency;
    }
  }
}

void scale_yarn(std::vector<double>& frequencies, double theta, double factor,
                double original_context, double beta_fast, double beta_slow, bool truncates) {
  const double d = 2.0 * static_cast<double>(frequencies.size());
  const auto index_of_rotations = [&](double rotations) {
    return d * std::log(original_context / (rotations * 2.0 * std::numbers::pi)) /
           (2.0 * std::log(theta));
  };
  double low = index_of_rotations(beta_fast);
  double high = index_of_rotations(beta_slow);
  if (truncates) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, d - 1.0);
  if (high == low) {
    high += 0.001;
  }
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] = frequencies[i] / factor * ramp + frequencies[i] * (1.0 - ramp);
  }
}

double yarn_magnitude(double factor, double mscale) {
  return factor > 1.0 ? 0.1 * mscale * std::log(factor) + 1.0 : 1.0;
}

}  // namespace r1eval
