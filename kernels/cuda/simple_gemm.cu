// Products, plainly: 64 x 64 tiles through shared memory in float32, four by four values a thread.
// The second reference on a device; the fast forms are in grouped_gemm.cu and masked_gemm.cu.
//
// Status   compiled and emulated, not yet run on a device.
#include "kernels/cuda/simple.cuh"
#include "kernels/shared/tile_scheduler.h"

namespace r1eval::kernels::R1_DEVICE {

constexpr int kSimpleTile = 64;
constexpr int kSimpleDepth = 16;
constexpr int kSimpleThreads = 256;

struct SimpleTiles {
  float a[kSimpleDepth][kSimpleTile + 1];
  float b[kSimpleDepth][kSimpleTile + 1];
};

// store(row, column, value) for the tile at (row0, column0) of A B^T; a(row, k) and b(column, k)
// are asked for values inside only.
template <class A, class B, class Store>
R1_DEV void tile_product(std::int64_t rows, std::int64_t columns, std::int64_t depth,
                         std::int64_t row0, std::int64_t column0, A a, B b, Store store) {
  auto* s = shared<SimpleTiles>();
  const int t = thread_index();
  const int my_row = t / 16 * 4;
  const int my_column = t % 16 * 4;
  float sum[4][4] = {};
  for (std::int64_t k0 = 0; k0 < depth; k0 += kSimpleDepth) {
    for (int i = t; i < kSimpleTile * kSimpleDepth; i += kSimpleThreads) {
      const int k = i % kSimpleDepth;
      const int r = i / kSimpleDepth;
      const bool inside = k0 + k < depth;
      s->a[k][r] = inside && row0 + r < rows ? a(row0 + r, k0 + k) : 0.0F;
      s->b[k][r] = inside && column0 + r < columns ? b(column0 + r, k0 + k) : 0.0F;
    }
    __syncthreads();
    for (int k = 0; k < kSimpleDepth; ++k) {
      for (int i = 0; i < 4; ++i) {
        for (int j = 0; j < 4; ++j) {
          sum[i][j] += s->a[k][my_row + i] * s->b[k][my_column + j];
        }
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) {
      if (row0 + my_row + i < rows && column0 + my_column + j < columns) {
        store(row0 + my_row + i, column0 + my_column + j, sum[i][j]);
      }
    }
  }
}

R1_KERNEL void R1_BOUNDS(kSimpleThreads, 1) simple_router_gemm_kernel(device::RouterGemm a) {
  const std::int64_t column_tiles = ceil_div<std::int64_t>(a.experts, kSimpleTile);
  tile_product(
      a.tokens, a.experts, a.hidden, block_index() / column_tiles * kSimpleTile,
      block_index() % column_tiles * kSimpleTile,
      [&](std::int64_t t, std::int64_t k) { return to_float(a.x[t * a.hidden + k]); },
      [&](std::int64_t e, std::int64_t k) { return to_float(a.weights[e * a.hidden + k]); },
      [&](std::int64_t t, std::int64_t e, float sum) { a.logits[t * a.experts + e] = sum; });
}

template <bool kE4m3>
R1_KERNEL void R1_BOUNDS(kSimpleThreads, 1) simple_grouped_gemm_kernel(device::GroupedGemm a) {
  const auto column_tiles = static_cast<int>(ceil_div<std::int64_t>(a.n, kSimpleTile));
  const auto rows_of = [&](int g) { return group_rows(a, g).rows; };
  GroupedTiles tiles(rows_of, a.groups, kSimpleTile, column_tiles, column_tiles);
  const Tile tile = tiles.at(block_index());
  if (!tile.valid) {
    return;
  }
  const GroupRows group = group_rows(a, tile.group);
  const auto value_a = [&](std::int64_t r, std::int64_t k) {
    const std::int64_t row = group.first + r;
    if constexpr (kE4m3) {
      return to_float(static_cast<const E4m3*>(a.a)[row * a.k + k]) *
             a.a_scales[activation_scale_index(row, k, a.k)];
    } else {
      return to_float(static_cast<const Bf16*>(a.a)[row * a.k + k]);
    }
  };
  const auto value_b = [&](std::int64_t n, std::int64_t k) {
    const std::int64_t at = (tile.group * a.n + n) * a.k + k;
    if constexpr (kE4m3) {
      return to_float(static_cast<const E4m3*>(a.weights)[at]) *
             a.weight_scales[weight_scale_index(tile.group, n, k, a.n, a.k)];
    } else {
      return to_float(static_cast<const Bf16*>(a.weights)[at]);
    }
  };
  tile_product(group.rows, a.n, a.k, std::int64_t{tile.row_tile} * kSimpleTile,
               std::int64_t{tile.column_tile} * kSimpleTile, value_a, value_b,
               [&](std::int64_t r, std::int64_t n, float sum) {
                 a.out[(group.first + r) * a.n + n] = round_bf16(sum);
               });
}

R1_KERNEL void R1_BOUNDS(kSimpleThreads, 1) simple_per_head_kernel(device::PerHead a) {
  const std::int64_t column_tiles = ceil_div<std::int64_t>(a.out_width, kSimpleTile);
  const std::int64_t row_tiles = ceil_div<std::int64_t>(a.tokens, kSimpleTile);
  const std::int64_t head = block_index() / (row_tiles * column_tiles);
  const std::int64_t tile = block_index() % (row_tiles * column_tiles);
  tile_product(
      a.tokens, a.out_width, a.in, tile / column_tiles * kSimpleTile,
      tile % column_tiles * kSimpleTile,
      [&](std::int64_t t, std::int64_t k) {
        return to_float(a.a[(t * a.heads + head) * a.in + k]);
      },
      [&](std::int64_t n, std::int64_t k) {
        return to_float(a.weights[(head * a.out_width + n) * a.in + k]);
      },
      [&](std::int64_t t, std::int64_t n, float sum) {
        a.out[(t * a.heads + head) * a.out_width + n] = round_bf16(sum);
      });
}

Status simple_router_gemm(const device::RouterGemm& a, void* stream) {
  return launch("moe.router_gemm",
                {.blocks = ceil_div<std::int64_t>(a.tokens, kSimpleTile) *
                           ceil_div<std::int64_t>(a.experts, kSimpleTile),
                 .threads = kSimpleThreads,
                 .shared_bytes = sizeof(SimpleTiles)},
                stream, simple_router_gemm_kernel, a);
}

Status simple_grouped_gemm(const device::GroupedGemm& a, void* stream) {
  // Where the tiles lie is known on the device only: blocks for the most there can be.
  const std::int64_t row_tiles =
      a.offsets == nullptr && a.counts != nullptr
          ? a.groups * ceil_div<std::int64_t>(a.rows_per_group, kSimpleTile)
          : a.total_rows / kSimpleTile + smaller<std::int64_t>(a.groups, a.total_rows);
  return launch(
      "moe.grouped_gemm",
      {.blocks = row_tiles * ceil_div<std::int64_t>(a.n, kSimpleTile),
       .threads = kSimpleThreads,
       .shared_bytes = sizeof(SimpleTiles)},
      stream, a.is_e4m3 ? simple_grouped_gemm_kernel<true> : simple_grouped_gemm_kernel<false>, a);
}

Status simple_per_head(const device::PerHead& a, void* stream) {
  return launch("mla.absorb",
                {.blocks = a.heads * ceil_div<std::int64_t>(a.tokens, kSimpleTile) *
                           ceil_div<std::int64_t>(a.out_width, kSimpleTile),
                 .threads = kSimpleThreads,
                 .shared_bytes = sizeof(SimpleTiles)},
                stream, simple_per_head_kernel, a);
}

}  // namespace r1eval::kernels::R1_DEVICE
