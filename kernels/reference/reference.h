// Slow, obvious versions of the kernels in double precision: the oracle of tests/kernels.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/weights.h"

namespace r1eval::kernels::reference {

// out[c * rows + row] = sum over k of W[row, k] * x[c, k], and beside it the sum of the absolute
// products, against which an error is to be judged. W is `rows` stored rows, one after the other.
struct Product {
  std::vector<double> value;
  std::vector<double> magnitude;
};

Product matmul(StoredFormat format, const std::byte* weights, std::int64_t rows,
               std::int64_t columns, const float* x, std::int64_t n);

std::vector<double> rms_norm(const float* x, const float* gain, double eps, std::int64_t n);

double silu_product(double gate, double up);

// softmax(scale * q K^T) V for one query; keys and values (n_positions, head_dim).
std::vector<double> attend(const float* query, const float* keys, const float* values,
                           std::int64_t n_positions, std::int64_t head_dim, double scale);

// The same over one row a token (latent attention): its first key_dim values are the key, its first
// value_dim the value. No positions: zeros.
std::vector<double> attend_latent(const float* query, const float* rows, std::int64_t n_positions,
                                  std::int64_t key_dim, std::int64_t value_dim, double scale);

// sum over i < k of weights[i] * row rows[i] of `from` (rows of n values).
std::vector<double> combine(const float* from, const std::int32_t* rows, const float* weights,
                            std::int64_t k, std::int64_t n);

// Pairs (2 i, 2 i + 1) of x turned by the angles whose cosines and sines are given; n even.
std::vector<double> rotate_pairs(const float* x, const float* cosines, const float* sines,
                                 std::int64_t n);

}  // namespace r1eval::kernels::reference
