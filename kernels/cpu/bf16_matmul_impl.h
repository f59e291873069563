// The bfloat16 product: included by kernels_impl.h, under its rules.
//
// The idea  Weights lie as pairs of columns of 16 rows (kernels/weights.h), one operand of the
//   bfloat16 dot product; the other is a pair of one column's activations in every lane. Four row
//   tiles by six columns are 24 independent sums: ten loads feed 24 dot products, where a processor
//   that loads one line a cycle would starve a 16 x 8 tile (nine for eight).
// Without the instruction  a pair is taken apart by a shift and a mask, and two fused multiply-adds
//   do the same in the same order; the bits differ, as the dot product flushes subnormals.
// Bits  A value's chain is one dot product a pair of columns, in order: no other column, row or cut
//   enters it.
#pragma once

namespace r1eval::kernels {
namespace {

struct Bfloat16Product {
  const std::uint16_t* x;
  std::int64_t x_stride;
  float* out;
  std::uint16_t* bf16_out;
  std::int64_t out_stride;
};

inline std::uint32_t pair_at(const std::uint16_t* x) {
  std::uint32_t both;
  __builtin_memcpy(&both, x, sizeof both);
  return both;
}

inline void store_product_rows(const Bfloat16Product& p, Vec value, std::int64_t n_rows,
                               std::int64_t at) {
  if (n_rows == kTileRows) {
    if (p.bf16_out != nullptr) {
      v_store_bfloat(p.bf16_out + at, value);
    } else {
      v_store(p.out + at, value);
    }
    return;
  }
  alignas(64) float wide[kTileRows];
  alignas(64) std::uint16_t narrow[kTileRows];
  v_store(wide, value);
  v_store_bfloat(narrow, value);
  for (std::int64_t i = 0; i < n_rows; ++i) {
    if (p.bf16_out != nullptr) {
      p.bf16_out[at + i] = narrow[i];
    } else {
      p.out[at + i] = wide[i];
    }
  }
}

template <int R, int C, bool kAhead>
inline void bf16_columns(const PackedMatrix& weights, std::int64_t tile, const Bfloat16Product& p,
                         std::int64_t column) {
  const std::byte* w = weights.data + tile * weights.tile_stride;
  const std::uint16_t* x = p.x + column * p.x_stride;
  const std::int64_t stride = weights.tile_stride;
  const std::int64_t n_pairs = weights.columns / 2;
  Vec total[R][C];
  clear(total);
  for (std::int64_t k = 0; k < n_pairs; ++k) {
    Pairs weight[R];
    R1_UNROLL
    for (int r = 0; r < R; ++r) {
      const std::byte* from = w + r * stride + k * 64;
      weight[r] = p_load(from);
      if constexpr (kAhead) {
        __builtin_prefetch(from + kTilesInCache * stride, 0, 2);
      }
    }
    R1_UNROLL
    for (int c = 0; c < C; ++c) {
      const Pair both = p_set(pair_at(x + c * p.x_stride + 2 * k));
      R1_UNROLL
      for (int r = 0; r < R; ++r) {
        total[r][c] = p_dot(total[r][c], weight[r], both);
      }
    }
  }
  if (weights.columns % 2 != 0) {
    for (int c = 0; c < C; ++c) {
      const Pair last = p_set(x[c * p.x_stride + weights.columns - 1]);
      for (int r = 0; r < R; ++r) {
        total[r][c] = p_dot(total[r][c], p_load(w + r * stride + n_pairs * 64), last);
      }
    }
  }
  R1_UNROLL
  for (int r = 0; r < R; ++r) {
    const std::int64_t n_rows = rows_in_tile(weights, tile + r);
    R1_UNROLL
    for (int c = 0; c < C; ++c) {
      store_product_rows(p, total[r][c], n_rows,
                         (column + c) * p.out_stride + (tile + r) * kTileRows);
    }
  }
}

template <int C>
inline void bf16_column_group(const PackedMatrix& weights, std::int64_t tile_begin,
                              std::int64_t tile_end, const Bfloat16Product& p,
                              std::int64_t column) {
  constexpr int kR = pair_row_tiles(C);
  const auto run = [&](auto ahead) {
    std::int64_t tile = tile_begin;
    for (; tile + kR <= tile_end; tile += kR) {
      bf16_columns<kR, C, decltype(ahead)::value>(weights, tile, p, column);
    }
    for (; tile < tile_end; ++tile) {
      bf16_columns<1, C, decltype(ahead)::value>(weights, tile, p, column);
    }
  };
  column == 0 ? run(Flag<true>()) : run(Flag<false>());
}

template <int C>
inline void bf16_rest(const PackedMatrix& weights, std::int64_t tile_begin, std::int64_t tile_end,
                      const Bfloat16Product& p, std::int64_t column, std::int64_t n) {
  if (n == C) {
    bf16_column_group<C>(weights, tile_begin, tile_end, p, column);
  } else if constexpr (C > 1) {
    bf16_rest<C - 1>(weights, tile_begin, tile_end, p, column, n);
  }
}

void matmul_bf16(const PackedMatrix& weights, std::int64_t tile_begin, std::int64_t tile_end,
                 const std::uint16_t* x, std::int64_t x_stride, std::int64_t n, float* out,
                 std::uint16_t* bf16_out, std::int64_t out_stride) {
  const Bfloat16Product p{x, x_stride, out, bf16_out, out_stride};
  for (std::int64_t tile = tile_begin; tile < tile_end; tile += kTilesInCache) {
    const std::int64_t end = tile + kTilesInCache < tile_end ? tile + kTilesInCache : tile_end;
    std::int64_t column = 0;
    for (; column + kMaxPairColumns <= n; column += kMaxPairColumns) {
      bf16_column_group<kMaxPairColumns>(weights, tile, end, p, column);
    }
    if (column < n) {
      bf16_rest<kMaxPairColumns - 1>(weights, tile, end, p, column, n - column);
    }
  }
}

}  // namespace
}  // namespace r1eval::kernels
