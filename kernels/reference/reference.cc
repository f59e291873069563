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

namespace {

// exp(score - largest) / sum.
std::vector<double> softmax_of(std::vector<double> scores) {
  double most = -HUGE_VAL;
  for (const double score : scores) {
    most = std::max(most, score);
  }
  double sum = 0.0;
  for (double& score : scores) {
    score = std::exp(score - most);
    sum += score;
  }
  for (double& score : scores) {
    score /= sum;
  }
  return scores;
}

// Row t of the keys begins at keys + t * key_stride, of the values likewise.
std::vector<double> attend_rows(const float* query, const float* keys, std::int64_t key_stride,
                                const float* values, std::int64_t value_stride,
                                std::int64_t n_positions, std::int64_t key_dim,
                                std::int64_t value_dim, double scale) {
  std::vector<double> scores;
  for (std::int64_t t = 0; t < n_positions; ++t) {
    double score = 0.0;
    for (std::int64_t d = 0; d < key_dim; ++d) {
      score += static_cast<double>(query[d]) * static_cast<double>(keys[t * key_stride + d]);
    }
    scores.push_back(score * scale);
  }
  const std::vector<double> weights = softmax_of(scores);
  std::vector<double> out(static_cast<std::size_t>(value_dim), 0.0);
  for (std::int64_t t = 0; t < n_positions; ++t) {
    for (std::int64_t d = 0; d < value_dim; ++d) {
      out[static_cast<std::size_t>(d)] +=
          weights[static_cast<std::size_t>(t)] * static_cast<double>(values[t * value_stride + d]);
    }
  }
  return out;
}

}  // namespace

std::vector<double> attend(const float* query, const float* keys, const float* values,
                           std::int64_t n_positions, std::int64_t head_dim, double scale) {
  return attend_rows(query, keys, head_dim, values, head_dim, n_positions, head_dim, head_dim,
                     scale);
}

std::vector<double> attend_latent(const float* query, const float* rows, std::int64_t n_positions,
                                  std::int64_t key_dim, std::int64_t value_dim, double scale) {
  return attend_rows(query, rows, key_dim, rows, key_dim, n_positions, key_dim, value_dim, scale);
}

std::vector<double> combine(const float* from, const std::int32_t* rows, const float* weights,
                            std::int64_t k, std::int64_t n) {
  std::vector<double> out(static_cast<std::size_t>(n), 0.0);
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      out[static_cast<std::size_t>(j)] +=
          static_cast<double>(weights[i]) * static_cast<double>(from[rows[i] * n + j]);
    }
  }
  return out;
}

std::vector<double> rotate_pairs(const float* x, const float* cosines, const float* sines,
                                 std::int64_t n) {
  std::vector<double> out;
  for (std::int64_t i = 0; i < n / 2; ++i) {
    const double a = static_cast<double>(x[2 * i]);
    const double b = static_cast<double>(x[2 * i + 1]);
    const double c = static_cast<double>(cosines[i]);
    const double s = static_cast<double>(sines[i]);
    out.push_back(a * c - b * s);
    out.push_back(b * c + a * s);
  }
  return out;
}

}  // namespace r1eval::kernels::reference
