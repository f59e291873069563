// The inner loops themselves, written once over 16-lane vectors and compiled once per instruction
// set.
//
// The problem  Decoding a batch of N sequences multiplies every weight of the model with N columns
// of
//   activations. A library that takes the columns a few at a time reads the weights again for each
//   group, decodes them again, and at N = 8 spends its time on that. What can be saved: the weights
//   should come from memory once per step, be unpacked once per group of columns, and everything in
//   between should stay in registers.
// The idea  Weights lie in tiles of 16 rows (kernels/weights.h), so that a 64-byte load is 4
// columns
//   of 16 rows, one operand of the byte dot product; the other operand is 4 activation bytes of one
//   column, broadcast. A register tile is R row tiles by C columns: R loads and C broadcasts feed
//   R * C dot products.
// Scales  Dot products are one instruction per 64 products; what surrounds them is what costs. With
//   a float scale per 16 activations each sum of 16 products needs a conversion, a multiplication
//   and an addition: on a processor that starts one dot product or one float operation a cycle, a
//   third of the time. Here a block of 16 has a whole multiplier m instead (kernels.h), and a
//   block of 32 weights stays in integers:
//     sum over k of w x = scale_x (scale_w (m_0 sum_0 + m_1 sum_1) + offset_w (m_0 s_0 + m_1 s_1))
//   sum_h are the sums of q_w q_x over 16 columns, s_h those of q_x. Two sums are packed into the
//   16-bit halves of a lane and meet both multipliers in one instruction. For this they must fit in
//   16 bits: nibbles do; wider weights are centred by what the sum starts from, and where they
//   still might not fit, the sum loses its lowest bits, rounded (3 of 18 for Q8_0: an error of 1e-5
//   of the absolute products, beside 4e-3 from rounding the activations). scale_x is applied once,
//   at the end. Measured on a Zen 4 core (466 GOP/s of bare dot products), 3072 x 576, 8 columns,
//   GOP/s before and after: Q4_1 266 and 307, Q8_0 252 and 324.
// Memory  Weights that do not come from the cache are asked for four tiles ahead, while the first
//   columns pass: a head of 49152 x 576 in Q8_0 goes from 25 to 37 GOP/s at 1 column, from 125 to
//   208 at 8.
// Bits  The chain of float operations of one output value is: for each block of 32 columns, in
// order,
//   one fused multiply-add for each term. R and C do not enter it, so any batch, any cut and any
//   thread count give the same bits. Nothing here is left to the compiler's contraction: the file
//   is compiled with -ffp-contract=off and fused operations are asked for by name (v_fma).
// Attention  kernels/cpu/attention_impl.h.
// Measured  docs/engine.md.
//
// This file is included by kernels_scalar.cc, kernels_avx2.cc and kernels_avx512.cc after their
// simd_*.h. It must not call library templates or inline functions of other headers that the
// compiler might emit out of line: such a copy could be linked into code for a lesser processor.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernels.h"

#if defined(__clang__)
#define R1_UNROLL _Pragma("clang loop unroll(full)")
#else
#define R1_UNROLL _Pragma("GCC unroll 16")
#endif

namespace r1eval::kernels {
namespace {

// ---- Quantised matrix product ------------------------------------------------------------------

// Tiles that all columns pass before the next ones are looked at.
constexpr std::int64_t kTilesInCache = 4;

// kZero: the q that stands for 0 (a power of two), or 0 where offsets are stored.
template <PackedForm kForm, bool kHalfScales, bool kOffsets, int kBits, int kZero>
struct QuantizedForm {
  static constexpr bool kNibbles = kForm == PackedForm::kNibbles;
  static constexpr bool kHasOffsets = kOffsets;
  static constexpr int kGroups = kForm == PackedForm::kBytes16 ? 2 : 1;  // scale groups per block
  static constexpr int kValueBytes = kNibbles ? 256 : 512;
  static constexpr int kScaleBytes = kHalfScales ? 32 : 64;  // of 16 rows
  static constexpr int kBlockBytes = kValueBytes + kGroups * kScaleBytes * (kOffsets ? 2 : 1);
  // Sums over 16 columns must fit in 16 bits to meet their multiplier; where they might not, they
  // lose their lowest bits, rounded. Centred weights are at most kZero in size, others 2^kBits - 1.
  static constexpr bool kCentreSums = kZero != 0 && !kNibbles;
  static constexpr int kLargestWeight = kCentreSums ? kZero : (1 << kBits) - 1;
  static constexpr int kLargestSum = 16 * 127 * kLargestWeight;
  static constexpr int kShift = kLargestSum < (1 << 15)   ? 0
                                : kLargestSum < (1 << 16) ? 1
                                : kLargestSum < (1 << 17) ? 2
                                                          : 3;
  static_assert((kLargestSum >> kShift) < (1 << 15));
  static constexpr int kZeroLog2 = kZero == 0 ? 0 : __builtin_ctz(kZero == 0 ? 1U : kZero);

  // Four columns of 16 rows: vector `v` (0-3) of the first or second 16 columns.
  static Bytes weights(const std::byte* block, int half, int v) {
    if constexpr (kNibbles) {
      const Bytes both = b_load(block + v * 64);
      return half == 0 ? b_low_nibbles(both) : b_high_nibbles(both);
    } else {
      return b_load(block + (half * 4 + v) * 64);
    }
  }

  static Vec load_scale(const std::byte* p) {
    if constexpr (kHalfScales) {
      return v_load_half(reinterpret_cast<const std::uint16_t*>(p));
    } else {
      return v_load(reinterpret_cast<const float*>(p));
    }
  }

  static Vec scale(const std::byte* block, int group) {
    return load_scale(block + kValueBytes + group * kScaleBytes);
  }

  static Vec offset(const std::byte* block) {
    return load_scale(block + kValueBytes + kGroups * kScaleBytes);
  }

  // What the sum of 16 products starts from.
  static Sums first_sum(std::int32_t negated_sum) {
    Sums first = s_zero();
    if constexpr (kCentreSums) {
      first = s_shift_left<kZeroLog2>(s_set(negated_sum));
    }
    if constexpr (kShift > 0) {
      first = s_add(first, s_set(1 << (kShift - 1)));
    }
    return first;
  }

  // What the sum over a block of 32 starts from.
  static Sums first_block_sum(std::int32_t block_sum) {
    if constexpr (kZero != 0 && kNibbles) {
      return s_sub(s_zero(), s_shift_left<kZeroLog2>(s_set(block_sum)));
    } else {
      return s_zero();
    }
  }
};

// kAhead: asks for the weights kTilesInCache tiles further on, which come next.
template <typename Form, int R, int C, bool kAhead>
inline void quantized_register_tile(const std::byte* tile, std::int64_t tile_stride,
                                    std::int64_t n_blocks, const QuantizedColumns& x,
                                    std::int64_t column, float (*out)[kTileRows]) {
  const std::int64_t x_stride = n_blocks * 32;
  const std::int8_t* values = x.values + column * x_stride;
  const std::int32_t* multipliers = x.multipliers + column * n_blocks;
  const std::int32_t* negated_sums = x.negated_sums + column * n_blocks * 2;
  const std::int32_t* block_sums = x.block_sums + column * n_blocks;
  Vec total[R][C];
  R1_UNROLL
  for (int r = 0; r < R; ++r) {
    R1_UNROLL
    for (int c = 0; c < C; ++c) {
      total[r][c] = v_set(0.0F);
    }
  }
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    const std::byte* block = tile + b * Form::kBlockBytes;
    if constexpr (kAhead) {
      R1_UNROLL
      for (int r = 0; r < R; ++r) {
        R1_UNROLL
        for (int line = 0; line < Form::kBlockBytes; line += 64) {
          __builtin_prefetch(block + (kTilesInCache + r) * tile_stride + line, 0, 2);
        }
      }
    }
    Sums sum[2][R][C];
    R1_UNROLL
    for (int half = 0; half < 2; ++half) {
      R1_UNROLL
      for (int c = 0; c < C; ++c) {
        const Sums first = Form::first_sum(negated_sums[(c * n_blocks + b) * 2 + half]);
        R1_UNROLL
        for (int r = 0; r < R; ++r) {
          sum[half][r][c] = first;
        }
      }
      const std::int8_t* xb = values + b * 32 + half * 16;
      R1_UNROLL
      for (int v = 0; v < 4; ++v) {
        Bytes weights[R];
        R1_UNROLL
        for (int r = 0; r < R; ++r) {
          weights[r] = Form::weights(block + r * tile_stride, half, v);
        }
        R1_UNROLL
        for (int c = 0; c < C; ++c) {
          const Four four = f_load(xb + c * x_stride + v * 4);
          R1_UNROLL
          for (int r = 0; r < R; ++r) {
            if constexpr (Form::kNibbles) {
              sum[half][r][c] = s_dot_nibbles(sum[half][r][c], weights[r], four);
            } else {
              sum[half][r][c] = s_dot(sum[half][r][c], weights[r], four);
            }
          }
        }
      }
    }
    R1_UNROLL
    for (int c = 0; c < C; ++c) {
      const std::int32_t multiplier = multipliers[c * n_blocks + b];
      const std::int32_t block_sum = block_sums[c * n_blocks + b];
      R1_UNROLL
      for (int r = 0; r < R; ++r) {
        const std::byte* row_block = block + r * tile_stride;
        if constexpr (Form::kGroups == 1) {
          const Sums both =
              s_multiply_pairs(Form::first_block_sum(block_sum),
                               s_pack<Form::kShift>(sum[0][r][c], sum[1][r][c]), s_set(multiplier));
          total[r][c] = v_fma(s_to_float(both), Form::scale(row_block, 0), total[r][c]);
          if constexpr (Form::kHasOffsets) {
            const float x_sum = static_cast<float>(block_sum) * (1.0F / (1 << Form::kShift));
            total[r][c] = v_fma(Form::offset(row_block), v_set(x_sum), total[r][c]);
          }
        } else {
          const auto low = static_cast<std::int32_t>(multiplier & 0xffff);
          const auto high = static_cast<std::int32_t>(multiplier >> 16);
          const Sums first =
              s_multiply_pairs(s_zero(), s_pack<Form::kShift>(sum[0][r][c], s_zero()), s_set(low));
          const Sums second =
              s_multiply_pairs(s_zero(), s_pack<Form::kShift>(sum[1][r][c], s_zero()), s_set(high));
          total[r][c] = v_fma(s_to_float(first), Form::scale(row_block, 0), total[r][c]);
          total[r][c] = v_fma(s_to_float(second), Form::scale(row_block, 1), total[r][c]);
        }
      }
    }
  }
  R1_UNROLL
  for (int c = 0; c < C; ++c) {
    const Vec scale = v_set(x.scales[column + c] * static_cast<float>(1 << Form::kShift));
    R1_UNROLL
    for (int r = 0; r < R; ++r) {
      v_store(out[r * C + c], v_mul(total[r][c], scale));
    }
  }
}

// Rows of a tile that exist: all but in a matrix's last tile.
inline std::int64_t rows_in_tile(const PackedMatrix& weights, std::int64_t tile) {
  const std::int64_t left = weights.rows - tile * kTileRows;
  return left < kTileRows ? left : kTileRows;
}

inline void store_rows(const float* from, std::int64_t n, float* to) {
  if (n == kTileRows) {
    v_store(to, v_load(from));
    return;
  }
  for (std::int64_t i = 0; i < n; ++i) {
    to[i] = from[i];
  }
}

template <typename Form, int R, int C>
inline void quantized_columns(const PackedMatrix& weights, std::int64_t tile,
                              const QuantizedColumns& x, std::int64_t column, float* out,
                              std::int64_t out_stride) {
  alignas(64) float result[R * C][kTileRows];
  const std::byte* data = weights.data + tile * weights.tile_stride;
  if (column == 0) {
    quantized_register_tile<Form, R, C, true>(data, weights.tile_stride, x.columns / 32, x, column,
                                              result);
  } else {
    quantized_register_tile<Form, R, C, false>(data, weights.tile_stride, x.columns / 32, x, column,
                                               result);
  }
  for (int r = 0; r < R; ++r) {
    const std::int64_t n_rows = rows_in_tile(weights, tile + r);
    for (int c = 0; c < C; ++c) {
      store_rows(result[r * C + c], n_rows,
                 out + (column + c) * out_stride + (tile + r) * kTileRows);
    }
  }
}

// C columns starting at `column` for all tiles of the range, R at a time.
template <typename Form, int C>
inline void quantized_column_group(const PackedMatrix& weights, std::int64_t tile_begin,
                                   std::int64_t tile_end, const QuantizedColumns& x,
                                   std::int64_t column, float* out, std::int64_t out_stride) {
  constexpr int kR = row_tiles(C);
  std::int64_t tile = tile_begin;
  for (; tile + kR <= tile_end; tile += kR) {
    quantized_columns<Form, kR, C>(weights, tile, x, column, out, out_stride);
  }
  for (; tile < tile_end; ++tile) {
    quantized_columns<Form, 1, C>(weights, tile, x, column, out, out_stride);
  }
}

template <typename Form, int C>
inline void quantized_rest(const PackedMatrix& weights, std::int64_t tile_begin,
                           std::int64_t tile_end, const QuantizedColumns& x, std::int64_t column,
                           std::int64_t n, float* out, std::int64_t out_stride) {
  if (n == C) {
    quantized_column_group<Form, C>(weights, tile_begin, tile_end, x, column, out, out_stride);
  } else if constexpr (C > 1) {
    quantized_rest<Form, C - 1>(weights, tile_begin, tile_end, x, column, n, out, out_stride);
  }
}

template <typename Form>
void quantized_all(const PackedMatrix& weights, std::int64_t tile_begin, std::int64_t tile_end,
                   const QuantizedColumns& x, std::int64_t n, float* out, std::int64_t out_stride) {
  for (std::int64_t tile = tile_begin; tile < tile_end; tile += kTilesInCache) {
    const std::int64_t end = tile + kTilesInCache < tile_end ? tile + kTilesInCache : tile_end;
    std::int64_t column = 0;
    for (; column + kMaxColumns <= n; column += kMaxColumns) {
      quantized_column_group<Form, kMaxColumns>(weights, tile, end, x, column, out, out_stride);
    }
    if (column < n) {
      quantized_rest<Form, kMaxColumns - 1>(weights, tile, end, x, column, n - column, out,
                                            out_stride);
    }
  }
}

void matmul_quantized(const PackedMatrix& weights, std::int64_t tile_begin, std::int64_t tile_end,
                      const QuantizedColumns& x, std::int64_t n, float* out,
                      std::int64_t out_stride) {
  const PackedLayout& layout = weights.layout;
  const auto run = [&](auto form) {
    quantized_all<decltype(form)>(weights, tile_begin, tile_end, x, n, out, out_stride);
  };
  using Form = PackedForm;
  if (layout.form == PackedForm::kNibbles) {
    if (!layout.scale_is_f16) {
      run(QuantizedForm<Form::kNibbles, false, true, 4, 0>());
    } else if (layout.has_offset) {
      run(QuantizedForm<Form::kNibbles, true, true, 4, 0>());
    } else {
      run(QuantizedForm<Form::kNibbles, true, false, 4, 8>());
    }
  } else if (layout.form == PackedForm::kBytes16) {
    run(QuantizedForm<Form::kBytes16, false, false, 6, 32>());
  } else if (layout.has_offset) {
    layout.scale_is_f16 ? run(QuantizedForm<Form::kBytes, true, true, 5, 0>())
                        : run(QuantizedForm<Form::kBytes, false, true, 5, 0>());
  } else {
    layout.zero == 16 ? run(QuantizedForm<Form::kBytes, true, false, 5, 16>())
                      : run(QuantizedForm<Form::kBytes, true, false, 8, 128>());
  }
}

// ---- Float matrix product ----------------------------------------------------------------------

template <bool kValue>
struct Flag {
  static constexpr bool value = kValue;
};

template <PackedForm kForm>
inline Vec load_weights(const std::byte* p) {
  if constexpr (kForm == PackedForm::kF32) {
    return v_load(reinterpret_cast<const float*>(p));
  } else if constexpr (kForm == PackedForm::kF16) {
    return v_load_half(reinterpret_cast<const std::uint16_t*>(p));
  } else {
    return v_load_f8(reinterpret_cast<const std::uint8_t*>(p));
  }
}

// total += the products of `n` columns of R tiles with C columns of x; weights begin at w.
template <PackedForm kForm, int R, int C, bool kAhead>
inline void add_float_dots(const std::byte* w, std::int64_t tile_stride, std::int64_t n,
                           const float* x, std::int64_t x_stride, Vec (&total)[R][C]) {
  if constexpr (kForm == PackedForm::kBF16) {
    for (std::int64_t k = 0; k < n; k += 2) {
      Pairs weight[R];
      R1_UNROLL
      for (int r = 0; r < R; ++r) {
        const std::byte* from = w + r * tile_stride + k * 32;
        weight[r] = p_load(from);
        if constexpr (kAhead) {
          __builtin_prefetch(from + kTilesInCache * tile_stride, 0, 2);
        }
      }
      R1_UNROLL
      for (int c = 0; c < C; ++c) {
        const Vec first = v_set(x[c * x_stride + k]);
        const Vec second = v_set(k + 1 < n ? x[c * x_stride + k + 1] : 0.0F);
        R1_UNROLL
        for (int r = 0; r < R; ++r) {
          total[r][c] =
              v_fma(p_high(weight[r]), second, v_fma(p_low(weight[r]), first, total[r][c]));
        }
      }
    }
    return;
  }
  constexpr std::int64_t kStep = kTileRows * (kForm == PackedForm::kF32  ? 4
                                              : kForm == PackedForm::kF8 ? 1
                                                                         : 2);
  for (std::int64_t k = 0; k < n; ++k) {
    Vec weight[R];
    R1_UNROLL
    for (int r = 0; r < R; ++r) {
      const std::byte* from = w + r * tile_stride + k * kStep;
      weight[r] = load_weights<kForm>(from);
      if constexpr (kAhead) {
        __builtin_prefetch(from + kTilesInCache * tile_stride, 0, 2);
      }
    }
    R1_UNROLL
    for (int c = 0; c < C; ++c) {
      const Vec xk = v_set(x[c * x_stride + k]);
      R1_UNROLL
      for (int r = 0; r < R; ++r) {
        total[r][c] = v_fma(weight[r], xk, total[r][c]);
      }
    }
  }
}

template <int R, int C>
inline void clear(Vec (&sums)[R][C]) {
  R1_UNROLL
  for (int r = 0; r < R; ++r) {
    R1_UNROLL
    for (int c = 0; c < C; ++c) {
      sums[r][c] = v_set(0.0F);
    }
  }
}

template <PackedForm kForm, int R, int C, bool kAhead>
inline void float_columns(const PackedMatrix& weights, std::int64_t tile, const float* x,
                          std::int64_t x_stride, std::int64_t column, float* out,
                          std::int64_t out_stride) {
  const std::byte* w = weights.data + tile * weights.tile_stride;
  const float* xc = x + column * x_stride;
  Vec total[R][C];
  clear(total);
  if constexpr (kForm == PackedForm::kF8) {
    // Each block of columns is summed without its rows' factors, which then come once.
    for (std::int64_t begin = 0; begin < weights.columns; begin += kF8BlockColumns) {
      const std::byte* block = w + PackedLayout::f8_block_at(begin / kF8BlockColumns);
      const std::int64_t left = weights.columns - begin;
      Vec part[R][C];
      clear(part);
      add_float_dots<kForm, R, C, kAhead>(block + 64, weights.tile_stride,
                                          left < kF8BlockColumns ? left : kF8BlockColumns,
                                          xc + begin, x_stride, part);
      R1_UNROLL
      for (int r = 0; r < R; ++r) {
        const Vec factor = v_load(reinterpret_cast<const float*>(block + r * weights.tile_stride));
        R1_UNROLL
        for (int c = 0; c < C; ++c) {
          total[r][c] = v_fma(part[r][c], factor, total[r][c]);
        }
      }
    }
  } else {
    add_float_dots<kForm, R, C, kAhead>(w, weights.tile_stride, weights.columns, xc, x_stride,
                                        total);
  }
  alignas(64) float result[kTileRows];
  R1_UNROLL
  for (int r = 0; r < R; ++r) {
    R1_UNROLL
    for (int c = 0; c < C; ++c) {
      v_store(result, total[r][c]);
      store_rows(result, rows_in_tile(weights, tile + r),
                 out + (column + c) * out_stride + (tile + r) * kTileRows);
    }
  }
}

template <PackedForm kForm, int C>
inline void float_column_group(const PackedMatrix& weights, std::int64_t tile_begin,
                               std::int64_t tile_end, const float* x, std::int64_t x_stride,
                               std::int64_t column, float* out, std::int64_t out_stride) {
  constexpr int kR = row_tiles(C);
  const auto run = [&](auto ahead) {
    std::int64_t tile = tile_begin;
    for (; tile + kR <= tile_end; tile += kR) {
      float_columns<kForm, kR, C, decltype(ahead)::value>(weights, tile, x, x_stride, column, out,
                                                          out_stride);
    }
    for (; tile < tile_end; ++tile) {
      float_columns<kForm, 1, C, decltype(ahead)::value>(weights, tile, x, x_stride, column, out,
                                                         out_stride);
    }
  };
  column == 0 ? run(Flag<true>()) : run(Flag<false>());
}

template <PackedForm kForm, int C>
inline void float_rest(const PackedMatrix& weights, std::int64_t tile_begin, std::int64_t tile_end,
                       const float* x, std::int64_t x_stride, std::int64_t column, std::int64_t n,
                       float* out, std::int64_t out_stride) {
  if (n == C) {
    float_column_group<kForm, C>(weights, tile_begin, tile_end, x, x_stride, column, out,
                                 out_stride);
  } else if constexpr (C > 1) {
    float_rest<kForm, C - 1>(weights, tile_begin, tile_end, x, x_stride, column, n, out,
                             out_stride);
  }
}

template <PackedForm kForm>
void float_all(const PackedMatrix& weights, std::int64_t tile_begin, std::int64_t tile_end,
               const float* x, std::int64_t x_stride, std::int64_t n, float* out,
               std::int64_t out_stride) {
  for (std::int64_t tile = tile_begin; tile < tile_end; tile += kTilesInCache) {
    const std::int64_t end = tile + kTilesInCache < tile_end ? tile + kTilesInCache : tile_end;
    std::int64_t column = 0;
    for (; column + kMaxFloatColumns <= n; column += kMaxFloatColumns) {
      float_column_group<kForm, kMaxFloatColumns>(weights, tile, end, x, x_stride, column, out,
                                                  out_stride);
    }
    if (column < n) {
      float_rest<kForm, kMaxFloatColumns - 1>(weights, tile, end, x, x_stride, column, n - column,
                                              out, out_stride);
    }
  }
}

void matmul_float(const PackedMatrix& weights, std::int64_t tile_begin, std::int64_t tile_end,
                  const float* x, std::int64_t x_stride, std::int64_t n, float* out,
                  std::int64_t out_stride) {
  switch (weights.layout.form) {
    case PackedForm::kF32:
      return float_all<PackedForm::kF32>(weights, tile_begin, tile_end, x, x_stride, n, out,
                                         out_stride);
    case PackedForm::kF16:
      return float_all<PackedForm::kF16>(weights, tile_begin, tile_end, x, x_stride, n, out,
                                         out_stride);
    case PackedForm::kF8:
      return float_all<PackedForm::kF8>(weights, tile_begin, tile_end, x, x_stride, n, out,
                                        out_stride);
    default:
      return float_all<PackedForm::kBF16>(weights, tile_begin, tile_end, x, x_stride, n, out,
                                          out_stride);
  }
}

// ---- Element-wise ------------------------------------------------------------------------------

// exp(x) for x <= 88: 2^n times a polynomial on [-ln2/2, ln2/2], relative error below 2e-7. Below
// -87 the result is held at exp(-87), 1.6e-38, which adds nothing to a sum that contains exp(0).
inline Vec v_exp(Vec x) {
  x = v_min(v_max(x, v_set(-87.0F)), v_set(88.0F));
  const Vec n = v_round(v_mul(x, v_set(1.44269504F)));
  Vec r = v_fma(n, v_set(-0.693359375F), x);  // ln 2 in two parts, so that n * ln 2 is exact enough
  r = v_fma(n, v_set(2.12194440e-4F), r);
  Vec p = v_set(1.0F / 5040.0F);
  p = v_fma(p, r, v_set(1.0F / 720.0F));
  p = v_fma(p, r, v_set(1.0F / 120.0F));
  p = v_fma(p, r, v_set(1.0F / 24.0F));
  p = v_fma(p, r, v_set(1.0F / 6.0F));
  p = v_fma(p, r, v_set(0.5F));
  p = v_fma(p, r, v_set(1.0F));
  p = v_fma(p, r, v_set(1.0F));
  return v_scale(p, n);
}

// The same number as a lane of v_exp gives.
inline float exp_one(float x) {
  alignas(64) float v[16];
  v_store(v, v_exp(v_set(x)));
  return v[0];
}

// Quantises `columns` values as column `column` and leaves in `rest` (may be x itself, or null)
// what the bytes could not hold.
void quantize_column(const float* x, const QuantizedColumns& q, std::int64_t column, float* rest) {
  const std::int64_t n_blocks = q.columns / 32;
  std::int8_t* values = q.values + column * q.columns;
  Vec most = v_abs(v_load(x));
  for (std::int64_t i = 16; i < q.columns; i += 16) {
    most = v_max(v_abs(v_load(x + i)), most);
  }
  const float largest = v_largest(most);
  // The largest block's multiplier is kLargestMultiplier, the others' are rounded up to whole ones.
  const float scale = largest / (127.0F * kLargestMultiplier);
  const bool is_finite = scale <= __FLT_MAX__;
  const float inverse = scale >= __FLT_MIN__ && is_finite ? 1.0F / scale : 0.0F;
  q.scales[column] = is_finite ? scale : __builtin_nanf("");  // an overflow is not to look like 0
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    std::int32_t both[2];
    std::int32_t block_sum = 0;
    for (int half = 0; half < 2; ++half) {
      const std::int64_t at = b * 32 + half * 16;
      const Vec v = v_load(x + at);
      const float in_steps = v_largest(v_abs(v)) * inverse * (1.0F / 127.0F);
      const float here = in_steps > 0.0F ? in_steps : 0.0F;  // also where it is no number
      auto multiplier = static_cast<std::int32_t>(here);
      multiplier += static_cast<float>(multiplier) < here ? 1 : 0;
      multiplier = multiplier < kLargestMultiplier ? multiplier : kLargestMultiplier;
      const float step = static_cast<float>(multiplier) * scale;
      const Vec to_whole = v_set(step > 0.0F ? 1.0F / step : 0.0F);
      const Vec whole = v_max(v_min(v_round(v_mul(v, to_whole)), v_set(127.0F)), v_set(-127.0F));
      v_store_bytes(values + at, whole);
      if (rest != nullptr) {
        v_store(rest + at, v_fma(whole, v_set(-step), v));
      }
      const auto sum = static_cast<std::int32_t>(v_sum(whole));  // exact: whole and small
      q.negated_sums[(column * n_blocks + b) * 2 + half] = -sum;
      both[half] = multiplier;
      block_sum += multiplier * sum;
    }
    q.multipliers[column * n_blocks + b] = both[0] | (both[1] << 16);
    q.block_sums[column * n_blocks + b] = block_sum;
  }
}

void quantize(const float* x, const QuantizedColumns& q, std::int64_t column,
              std::int64_t rest_column, float* rest) {
  quantize_column(x, q, column, rest_column < 0 ? nullptr : rest);
  if (rest_column >= 0) {
    quantize_column(rest, q, rest_column, nullptr);
  }
}

void add(const float* x, std::int64_t n, float* y) {
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    v_store(y + i, v_add(v_load(y + i), v_load(x + i)));
  }
  for (; i < n; ++i) {
    y[i] += x[i];
  }
}

void rotate_halves(float* x, const float* cosines, const float* sines, std::int64_t n) {
  const std::int64_t half = n / 2;
  std::int64_t i = 0;
  for (; i + 16 <= half; i += 16) {
    const Vec a = v_load(x + i);
    const Vec b = v_load(x + half + i);
    const Vec c = v_load(cosines + i);
    const Vec s = v_load(sines + i);
    v_store(x + i, v_sub(v_mul(a, c), v_mul(b, s)));
    v_store(x + half + i, v_add(v_mul(b, c), v_mul(a, s)));
  }
  for (; i < half; ++i) {
    const float a = x[i];
    const float b = x[half + i];
    x[i] = a * cosines[i] - b * sines[i];
    x[half + i] = b * cosines[i] + a * sines[i];
  }
}

void to_half(const float* x, std::int64_t n, std::uint16_t* out) {
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    v_store_half(out + i, v_load(x + i));
  }
  if (i < n) {
    alignas(64) float v[16] = {};
    std::uint16_t h[16];
    for (std::int64_t j = i; j < n; ++j) {
      v[j - i] = x[j];
    }
    v_store_half(h, v_load(v));
    for (std::int64_t j = i; j < n; ++j) {
      out[j] = h[j - i];
    }
  }
}

RowSummary summarize(const float* x, std::int64_t n) {
  RowSummary out;
  alignas(64) float rest[16];
  const std::int64_t whole = n / 16 * 16;
  for (std::int64_t i = 0; i < 16; ++i) {
    rest[i] = whole + i < n ? x[whole + i] : -__builtin_inff();
  }
  Vec most = v_load(rest);
  for (std::int64_t i = 0; i < whole; i += 16) {
    most = v_max(v_load(x + i), most);
  }
  out.maximum = v_largest(most);
  const Vec minus = v_set(out.maximum);
  Vec sum = v_exp(v_sub(v_load(rest), minus));  // the missing lanes weigh 1.6e-38
  for (std::int64_t i = 0; i < whole; i += 16) {
    sum = v_add(sum, v_exp(v_sub(v_load(x + i), minus)));
  }
  out.sum = v_sum(sum);
  while (out.best + 1 < n && x[out.best] != out.maximum) {
    ++out.best;
  }
  return out;
}

}  // namespace
}  // namespace r1eval::kernels

#include "kernels/cpu/bf16_matmul_impl.h"
#include "kernels/cpu/rows_impl.h"
//
#include "kernels/cpu/attention_impl.h"

namespace r1eval::kernels {
namespace {

constexpr KernelTable kTable = {
    kIsaName,          matmul_quantized,
    matmul_float,      matmul_bf16,
    quantize,          rms_norm,
    silu_product,      rms_norm_bf16,
    silu_product_bf16, add_rms_norm,
    add_rms_norm_bf16, combine,
    combine_bf16,      add,
    rotate_halves,     rotate_pairs,
    rotate_pairs_bf16, attend,
    to_half,           to_bfloat,
    quantize_f8,       summarize,
};

}  // namespace
}  // namespace r1eval::kernels
