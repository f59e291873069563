// Work on single rows (norms, activations, rotation, mixing, narrowing): included by
// kernels_impl.h, under its rules. Written once over how a row is stored; sums and products are
// float32.
#pragma once

namespace r1eval::kernels {
namespace {

struct FloatRow {
  using Stored = float;

  static Vec load(const float* p) { return v_load(p); }

  static void store(float* p, Vec a) { v_store(p, a); }
};

struct BfloatRow {
  using Stored = std::uint16_t;

  static Vec load(const std::uint16_t* p) { return v_load_bfloat(p); }

  static void store(std::uint16_t* p, Vec a) { v_store_bfloat(p, a); }
};

// The first n (below 16) values, zeros behind them.
template <typename Row>
inline Vec load_part(const typename Row::Stored* p, std::int64_t n) {
  alignas(64) typename Row::Stored all[16] = {};
  for (std::int64_t i = 0; i < n; ++i) {
    all[i] = p[i];
  }
  return Row::load(all);
}

template <typename Row>
inline void store_part(typename Row::Stored* p, Vec a, std::int64_t n) {
  alignas(64) typename Row::Stored all[16];
  Row::store(all, a);
  for (std::int64_t i = 0; i < n; ++i) {
    p[i] = all[i];
  }
}

// out[i] = f(i, a[i], b[i]) for vectors of 16 and what is left; f takes and gives vectors.
template <typename Row, typename F>
inline void over_row(const typename Row::Stored* a, const typename Row::Stored* b, std::int64_t n,
                     typename Row::Stored* out, const F& f) {
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    Row::store(out + i, f(i, Row::load(a + i), Row::load(b + i)));
  }
  if (i < n) {
    store_part<Row>(out + i, f(i, load_part<Row>(a + i, n - i), load_part<Row>(b + i, n - i)),
                    n - i);
  }
}

template <typename Row>
inline float sum_of_squares(const typename Row::Stored* x, std::int64_t n) {
  Vec squares[4] = {v_set(0.0F), v_set(0.0F), v_set(0.0F), v_set(0.0F)};
  std::int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    R1_UNROLL
    for (int j = 0; j < 4; ++j) {
      const Vec a = Row::load(x + i + j * 16);
      squares[j] = v_fma(a, a, squares[j]);
    }
  }
  for (; i + 16 <= n; i += 16) {
    const Vec a = Row::load(x + i);
    squares[0] = v_fma(a, a, squares[0]);
  }
  if (i < n) {
    const Vec a = load_part<Row>(x + i, n - i);
    squares[1] = v_fma(a, a, squares[1]);
  }
  return v_sum(v_add(v_add(squares[0], squares[1]), v_add(squares[2], squares[3])));
}

template <typename Row>
inline void scale_row(const typename Row::Stored* x, const float* gain, float factor,
                      std::int64_t n, typename Row::Stored* out) {
  const Vec wide = v_set(factor);
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    Row::store(out + i, v_mul(v_mul(Row::load(x + i), wide), v_load(gain + i)));
  }
  if (i < n) {
    const Vec product =
        v_mul(v_mul(load_part<Row>(x + i, n - i), wide), load_part<FloatRow>(gain + i, n - i));
    store_part<Row>(out + i, product, n - i);
  }
}

template <typename Row>
inline void norm_row(const typename Row::Stored* x, const float* gain, float eps, std::int64_t n,
                     typename Row::Stored* out) {
  const float mean = sum_of_squares<Row>(x, n) / static_cast<float>(n);
  scale_row<Row>(x, gain, 1.0F / __builtin_sqrtf(mean + eps), n, out);
}

template <typename Row>
inline void add_norm_row(const typename Row::Stored* x, typename Row::Stored* residual,
                         const float* gain, float eps, std::int64_t n, typename Row::Stored* out) {
  over_row<Row>(x, residual, n, residual, [](std::int64_t, Vec a, Vec b) { return v_add(b, a); });
  norm_row<Row>(residual, gain, eps, n, out);
}

template <typename Row>
inline void silu_row(const typename Row::Stored* gate, const typename Row::Stored* up,
                     std::int64_t n, typename Row::Stored* out) {
  const Vec one = v_set(1.0F);
  over_row<Row>(gate, up, n, out, [&](std::int64_t, Vec g, Vec u) {
    return v_mul(v_div(g, v_add(one, v_exp(v_sub(v_set(0.0F), g)))), u);
  });
}

// Eight values of `out` at a time would load each weight eight times; 64 keep the sums in registers
// over all k rows.
template <typename Row>
inline void combine_row(const typename Row::Stored* from, const std::int32_t* rows,
                        const float* weights, std::int64_t k, std::int64_t n,
                        typename Row::Stored* out) {
  constexpr int kVectors = 4;
  std::int64_t i = 0;
  for (; i + kVectors * 16 <= n; i += kVectors * 16) {
    Vec sum[kVectors];
    R1_UNROLL
    for (int j = 0; j < kVectors; ++j) {
      sum[j] = v_set(0.0F);
    }
    for (std::int64_t r = 0; r < k; ++r) {
      const typename Row::Stored* row = from + static_cast<std::int64_t>(rows[r]) * n + i;
      const Vec weight = v_set(weights[r]);
      R1_UNROLL
      for (int j = 0; j < kVectors; ++j) {
        sum[j] = v_fma(weight, Row::load(row + j * 16), sum[j]);
      }
    }
    R1_UNROLL
    for (int j = 0; j < kVectors; ++j) {
      Row::store(out + i + j * 16, sum[j]);
    }
  }
  for (; i < n; i += 16) {
    const std::int64_t left = n - i < 16 ? n - i : 16;
    Vec sum = v_set(0.0F);
    for (std::int64_t r = 0; r < k; ++r) {
      const typename Row::Stored* row = from + static_cast<std::int64_t>(rows[r]) * n + i;
      sum = v_fma(v_set(weights[r]), load_part<Row>(row, left), sum);
    }
    store_part<Row>(out + i, sum, left);
  }
}

// (a, b) becomes (a cos - b sin, b cos + a sin).
template <typename Row>
inline void rotate_pairs_row(typename Row::Stored* x, const float* cosines, const float* sines,
                             std::int64_t n) {
  const auto rotate = [](Vec a, Vec c, Vec s) {
    const Vec turned = v_mul(v_swap_neighbours(a), s);
    return v_fma(a, c, v_even_odd(v_sub(v_set(0.0F), turned), turned));
  };
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    Row::store(x + i, rotate(Row::load(x + i), v_load_twice(cosines + i / 2),
                             v_load_twice(sines + i / 2)));
  }
  if (i < n) {
    alignas(64) float c[16] = {};
    alignas(64) float s[16] = {};
    for (std::int64_t j = i; j < n; ++j) {
      c[j - i] = cosines[j / 2];
      s[j - i] = sines[j / 2];
    }
    store_part<Row>(x + i, rotate(load_part<Row>(x + i, n - i), v_load(c), v_load(s)), n - i);
  }
}

void rms_norm(const float* x, const float* gain, float eps, std::int64_t n, float* out) {
  norm_row<FloatRow>(x, gain, eps, n, out);
}

void rms_norm_bf16(const std::uint16_t* x, const float* gain, float eps, std::int64_t n,
                   std::uint16_t* out) {
  norm_row<BfloatRow>(x, gain, eps, n, out);
}

void add_rms_norm(const float* x, float* residual, const float* gain, float eps, std::int64_t n,
                  float* out) {
  add_norm_row<FloatRow>(x, residual, gain, eps, n, out);
}

void add_rms_norm_bf16(const std::uint16_t* x, std::uint16_t* residual, const float* gain,
                       float eps, std::int64_t n, std::uint16_t* out) {
  add_norm_row<BfloatRow>(x, residual, gain, eps, n, out);
}

void silu_product(const float* gate, const float* up, std::int64_t n, float* out) {
  silu_row<FloatRow>(gate, up, n, out);
}

void silu_product_bf16(const std::uint16_t* gate, const std::uint16_t* up, std::int64_t n,
                       std::uint16_t* out) {
  silu_row<BfloatRow>(gate, up, n, out);
}

void combine(const float* from, const std::int32_t* rows, const float* weights, std::int64_t k,
             std::int64_t n, float* out) {
  combine_row<FloatRow>(from, rows, weights, k, n, out);
}

void combine_bf16(const std::uint16_t* from, const std::int32_t* rows, const float* weights,
                  std::int64_t k, std::int64_t n, std::uint16_t* out) {
  combine_row<BfloatRow>(from, rows, weights, k, n, out);
}

void rotate_pairs(float* x, const float* cosines, const float* sines, std::int64_t n) {
  rotate_pairs_row<FloatRow>(x, cosines, sines, n);
}

void rotate_pairs_bf16(std::uint16_t* x, const float* cosines, const float* sines, std::int64_t n) {
  rotate_pairs_row<BfloatRow>(x, cosines, sines, n);
}

void to_bfloat(const float* x, std::int64_t n, std::uint16_t* out) {
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    v_store_bfloat(out + i, v_load(x + i));
  }
  if (i < n) {
    store_part<BfloatRow>(out + i, load_part<FloatRow>(x + i, n - i), n - i);
  }
}

void quantize_f8(const std::uint16_t* x, std::int64_t n, std::uint8_t* out, float* scales) {
  constexpr std::int64_t kBlock = 128;
  for (std::int64_t begin = 0; begin < n; begin += kBlock) {
    Vec v[kBlock / 16];
    Vec most = v_set(0.0F);
    R1_UNROLL
    for (int j = 0; j < kBlock / 16; ++j) {
      v[j] = v_load_bfloat(x + begin + j * 16);
      most = v_max(v_abs(v[j]), most);
    }
    const float largest = v_largest(most);
    const float scale = largest > 0.0F ? largest * (1.0F / 448.0F) : 1.0F;
    const Vec inverse = v_set(1.0F / scale);
    const Vec limit = v_set(448.0F);
    R1_UNROLL
    for (int j = 0; j < kBlock / 16; ++j) {
      v_store_f8(out + begin + j * 16,
                 v_max(v_min(v_mul(v[j], inverse), limit), v_sub(v_set(0.0F), limit)));
    }
    scales[begin / kBlock] = scale;
  }
}

}  // namespace
}  // namespace r1eval::kernels
