// Grouped product with few rows a group (masked, contiguous or dense), weights read once at the
// speed of memory. The engine and the idea are in stream.cuh; here are the tiles and the store.
//
// Tiles    64 columns of the output by up to 128 rows of a group; a group with more rows has its
// weights
//          read once a 128 rows, by blocks that run together, so that the second reading is from
//          the second-level cache.
// Status   compiled and emulated, not yet run on a device.
#include "kernels/cuda/fast.cuh"
#include "kernels/cuda/stream.cuh"
#include "kernels/shared/tile_scheduler.h"

namespace r1eval::kernels::R1_DEVICE {

struct MaskedGemm {
  TensorMap weights;
  TokenMaps tokens;
  device::GroupedGemm a;
};

template <bool kE4m3>
R1_KERNEL void R1_BOUNDS(kStreamThreads, 1)
    masked_gemm_kernel(const __grid_constant__ MaskedGemm p) {
  auto* s = shared<StreamShared>();
  const device::GroupedGemm& a = p.a;
  stream_begin(s);
  const auto rows_of = [&](int g) { return group_rows(a, g).rows; };
  const auto column_tiles = static_cast<int>(ceil_div<std::int64_t>(a.n, kStreamRows));
  const auto k_blocks =
      static_cast<int>(ceil_div<std::int64_t>(a.k, kE4m3 ? kLineBytes : kLineBytes / 2));
  GroupedTiles tiles(rows_of, a.groups, kStreamColumns, column_tiles, 1);
  RingPlace at;
  if (is_stream_producer()) {
    for (std::int64_t linear = block_index();; linear += grid_blocks()) {
      const Tile tile = tiles.at(linear);
      if (!tile.valid) {
        break;
      }
      const GroupRows group = group_rows(a, tile.group);
      const int row = tile.row_tile * kStreamColumns;
      stream_produce<kE4m3>(s, at, k_blocks, stream_width(group.rows - row), p.tokens,
                            group.first + row, [&](unsigned char* to, Barrier* full, int kb) {
                              tma_load<Keep::kFirstOut>(to, p.weights, full,
                                                        kb * (kE4m3 ? kLineBytes : kLineBytes / 2),
                                                        tile.column_tile * kStreamRows, tile.group);
                            });
    }
  } else if (is_stream_consumer()) {
    for (std::int64_t linear = block_index();; linear += grid_blocks()) {
      const Tile tile = tiles.at(linear);
      if (!tile.valid) {
        break;
      }
      const GroupRows group = group_rows(a, tile.group);
      const int row = tile.row_tile * kStreamColumns;
      const int rows = smaller(group.rows - row, kStreamColumns);
      const int n0 = tile.column_tile * kStreamRows;
      StreamScales scales;
      if constexpr (kE4m3) {
        scales.even = a.weight_scales + weight_scale_index(tile.group, n0, 0, a.n, a.k);
        scales.odd = scales.even;
        scales.tokens = a.a_scales + std::int64_t{group.first + row} * k_blocks;
        scales.rows = rows;
      }
      with_stream_width(stream_width(rows), [&](auto width) {
        constexpr int N = decltype(width)::value;
        float sum[N / 2];
        stream_consume<kE4m3, N>(s, at, k_blocks, scales, sum);
        R1_UNROLL
        for (int i = 0; i < N / 2; ++i) {
          const Place place = accumulator_place(thread_index(), i);
          if (place.column < rows && n0 + place.row < a.n) {
            a.out[std::int64_t{group.first + row + place.column} * a.n + n0 + place.row] =
                round_bf16(sum[i]);
          }
        }
      });
    }
  }
}

bool masked_gemm_takes(const device::GroupedGemm& a) {
  return a.k * (a.is_e4m3 ? 1 : 2) % 16 == 0 && a.n > 0 && a.groups > 0;
}

Status masked_gemm(const device::GroupedGemm& a, void* stream) {
  const bool is_masked = a.offsets == nullptr && a.counts != nullptr;
  const std::int64_t rows = is_masked ? a.groups * a.rows_per_group : a.total_rows;
  if (rows == 0) {
    return ok_status();
  }
  MaskedGemm p;
  R1_TRY(p.weights, make_weight_map(a.weights, a.is_e4m3, a.groups, a.n, a.k));
  R1_TRY(p.tokens, make_token_maps(a.a, a.is_e4m3, rows, a.k));
  p.a = a;
  return launch("moe.grouped_gemm",
                {.blocks = multiprocessors(),
                 .threads = kStreamThreads,
                 .shared_bytes = sizeof(StreamShared)},
                stream, a.is_e4m3 ? masked_gemm_kernel<true> : masked_gemm_kernel<false>, p);
}

}  // namespace r1eval::kernels::R1_DEVICE
