// The oracle. See reference.h.
#include "kernels/reference/reference.h"

#include <algorithm>
#include <cmath>

namespace r1eval::kernels::reference {

Product matmul(StoredFormat format, const std::byte* weights, std::int64_t rows,
               std::int64_t columns, const float* x, std::int64_t n) {
  Product out;
  out.value.resize(static_cast<std::size_t>(rows * n));
  out.magnitude.resize(static_cast<std::size_t>(rows * n));
  const std::int64_t row_bytes = columns / stored_block_values(format) * stored_block_bytes(format);
  std::vector<float> row(static_cast<std::size_t>(columns));
  for (std::int64_t r = 0; r < rows; ++r) {
    dequantize_row(format, weights + r * row_bytes, columns, row.data());
    for (std::int64_t c = 0; c < n; ++c) {
      double sum = 0.0;
      double magnitude = 0.0;
      for (std::int64_t k = 0; k < columns; ++k) {
        const double product = static_cast<double>(row[static_cast<std::size_t>(k)]) *
                               static_cast<double>(x[c * columns + k]);
        sum += product;
        magnitude += std::fabs(product);
      }
      out.value[static_cast<std::size_t>(c * rows + r)] = sum;
      out.magnitude[static_cast<std::size_t>(c * rows + r)] = magnitude;
    }
  }
  return out;
}

std::vector<double> rms_norm(const float* x, const float* gain, double eps, std::int64_t n) {
  double squares = 0.0;
  for (std::int64_t i = 0; i < n; ++i) {
    squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  const double factor = 1.0 / std::sqrt(squares / static_cast<double>(n) + eps);
  std::vector<double> out;
  for (std::int64_t i = 0; i < n; ++i) {
    out.push_back(static_cast<double>(x[i]) * factor * static_cast<double>(gain[i]));
  }
  return out;
}

double silu_product(double gate, double up) {
  return gate / (1.0 + std::exp(-gate)) * up;
}

std::vector<double> attend(const float* query, const float* keys, const float* values,
                           std::int64_t n_positions, std::int64_t head_dim, double scale) {
  std::vector<double> weights;
  double most = -HUGE_VAL;
  for (std::int64_t t = 0; t < n_positions; ++t) {
    double score = 0.0;
    for (std::int64_t d = 0; d < head_dim; ++d) {
      score += static_cast<double>(query[d]) * static_cast<double>(keys[t * head_dim + d]);
    }
    weights.push_back(score * scale);
    most = std::max(most, score * scale);
  }
  double sum = 0.0;
  for (double& weight : weights) {
    weight = std::exp(weight - most);
    sum += weight;
  }
  std::vector<double> out(static_cast<std::size_t>(head_dim), 0.0);
  for (std::int64_t t = 0; t < n_positions; ++t) {
    for (std::int64_t d = 0; d < head_dim; ++d) {
      out[static_cast<std::size_t>(d)] += weights[static_cast<std::size_t>(t)] / sum *
                                          static_cast<double>(values[t * head_dim + d]);
    }
  }
  return out;
}

}  // namespace r1eval::kernels::reference
