// Grouped product with many rows a group: 128 x 256 tiles in bf16, 128 x 128 in e4m3.
//
// Shape    Two warpgroups multiply, 64 rows of a tile each; a warp of a third asks for tiles by
//          TMA into a ring (four slots of 48 KiB in bf16, six of 32 KiB in e4m3). Blocks are
//          persistent and take tiles in bands of four column tiles, so that blocks that run
//          together share weights and rows in the second-level cache. A tile at the end of a group
//          computes rows of the next one and does not store them.
// e4m3     Every 128 of K is summed apart and added in float32 times both scales; while one
//          warpgroup adds, the other's products keep the tensor cores busy.
// Status   compiled and emulated, not yet run on a device.
#include "kernels/cuda/fast.cuh"
#include "kernels/cuda/ptx.cuh"
#include "kernels/shared/tile_scheduler.h"

namespace r1eval::kernels::R1_DEVICE {

constexpr int kLargeRows = 128;
constexpr int kLargeConsumers = 256;
constexpr int kLargeThreads = kLargeConsumers + 128;
constexpr int kBand = 4;

template <bool kE4m3>
struct LargeShape {
  static constexpr int kColumns = kE4m3 ? 128 : 256;
  static constexpr int kStages = kE4m3 ? 6 : 4;
  static constexpr int kDepth = kE4m3 ? 128 : 64;  // 128 bytes of K

  struct Shared {
    unsigned char a[kStages][kLargeRows * 128];
    unsigned char b[kStages][kColumns * 128];
    Barrier full[kStages];
    Barrier empty[kStages];
  };

  struct Ring {
    int slot = 0;
    std::uint32_t phase = 0;

    R1_DEV void advance() {
      if (++slot == kStages) {
        slot = 0;
        phase ^= 1U;
      }
    }
  };
};

struct LargeGemm {
  TensorMap rows;
  TensorMap weights;
  device::GroupedGemm a;
};

template <bool kE4m3>
R1_DEV void large_produce(const LargeGemm& p, typename LargeShape<kE4m3>::Shared* s, Tile tile,
                          int first_row, int k_blocks, typename LargeShape<kE4m3>::Ring& at) {
  using Shape = LargeShape<kE4m3>;
  R1_NO_UNROLL
  for (int kb = 0; kb < k_blocks; ++kb) {
    barrier_wait(&s->empty[at.slot], at.phase ^ 1U);
    barrier_arrive_expect(&s->full[at.slot], (kLargeRows + Shape::kColumns) * 128);
    tma_load(s->a[at.slot], p.rows, &s->full[at.slot], kb * Shape::kDepth, first_row);
    tma_load(s->b[at.slot], p.weights, &s->full[at.slot], kb * Shape::kDepth,
             tile.column_tile * Shape::kColumns, tile.group);
    at.advance();
  }
}

template <bool kE4m3>
R1_DEV void large_consume(const LargeGemm& p, typename LargeShape<kE4m3>::Shared* s, Tile tile,
                          const GroupRows& group, int k_blocks,
                          typename LargeShape<kE4m3>::Ring& at) {
  using Shape = LargeShape<kE4m3>;
  constexpr int N = Shape::kColumns;
  const device::GroupedGemm& a = p.a;
  const auto half = static_cast<unsigned>(thread_index() / 128);
  const int low = thread_index() / 32 * 16 + lane_index() / 4;  // and low + 8
  const int row0 = tile.row_tile * kLargeRows;
  const int column0 = tile.column_tile * N;
  float sum[N / 2];
  R1_UNROLL
  for (int i = 0; i < N / 2; ++i) {
    sum[i] = 0.0F;
  }
  if constexpr (kE4m3) {
    const float* row_scales[2];
    R1_UNROLL
    for (int r = 0; r < 2; ++r) {
      const int row = smaller(row0 + low + 8 * r, group.rows - 1);
      row_scales[r] = a.a_scales + std::int64_t{group.first + row} * k_blocks;
    }
    const float* weight_scales =
        a.weight_scales + weight_scale_index(tile.group, column0, 0, a.n, a.k);
    R1_NO_UNROLL
    for (int kb = 0; kb < k_blocks; ++kb) {
      const float weight = __ldg(weight_scales + kb);
      const float scale[2] = {__ldg(row_scales[0] + kb) * weight,
                              __ldg(row_scales[1] + kb) * weight};
      barrier_wait(&s->full[at.slot], at.phase);
      const std::uint64_t x = k_major_descriptor(shared_address(s->a[at.slot]) + half * 8192U);
      const std::uint64_t w = k_major_descriptor(shared_address(s->b[at.slot]));
      float d[N / 2];
      wgmma_fence();
      R1_UNROLL
      for (unsigned step = 0; step < 4; ++step) {
        wgmma_e4m3<N>(d, x + 2 * step, w + 2 * step, step > 0);
      }
      wgmma_commit();
      wgmma_wait<0>();
      if (lane_index() == 0) {
        barrier_arrive(&s->empty[at.slot]);
      }
      R1_UNROLL
      for (int i = 0; i < N / 2; ++i) {
        sum[i] += d[i] * scale[i / 2 % 2];
      }
      at.advance();
    }
  } else {
    int before = 0;
    R1_NO_UNROLL
    for (int kb = 0; kb < k_blocks; ++kb) {
      barrier_wait(&s->full[at.slot], at.phase);
      const std::uint64_t x = k_major_descriptor(shared_address(s->a[at.slot]) + half * 8192U);
      const std::uint64_t w = k_major_descriptor(shared_address(s->b[at.slot]));
      wgmma_fence();
      R1_UNROLL
      for (unsigned step = 0; step < 4; ++step) {
        wgmma_bf16<N, Major::kK>(sum, x + 2 * step, w + 2 * step, kb > 0 || step > 0);
      }
      wgmma_commit();
      // One block stays in flight; the one before it is through and its slot free.
      wgmma_wait<1>();
      if (kb > 0 && lane_index() == 0) {
        barrier_arrive(&s->empty[before]);
      }
      before = at.slot;
      at.advance();
    }
    wgmma_wait<0>();
    if (lane_index() == 0) {
      barrier_arrive(&s->empty[before]);
    }
  }
  R1_UNROLL
  for (int r = 0; r < 2; ++r) {
    const int row = row0 + low + 8 * r;
    if (row >= group.rows) {
      continue;
    }
    Bf16* out = a.out + std::int64_t{group.first + row} * a.n;
    R1_UNROLL
    for (int j = 0; j < N / 8; ++j) {
      const int column = column0 + j * 8 + lane_index() % 4 * 2;
      if (column < a.n) {  // n is even
        *reinterpret_cast<std::uint32_t*>(out + column) =
            pack_bf16(sum[4 * j + 2 * r], sum[4 * j + 2 * r + 1]);
      }
    }
  }
}

template <bool kE4m3>
R1_KERNEL void R1_BOUNDS(kLargeThreads, 1) large_gemm_kernel(const __grid_constant__ LargeGemm p) {
  using Shape = LargeShape<kE4m3>;
  auto* s = shared<typename Shape::Shared>();
  const device::GroupedGemm& a = p.a;
  if (thread_index() == 0) {
    for (int i = 0; i < Shape::kStages; ++i) {
      barrier_init(&s->full[i], 1);
      barrier_init(&s->empty[i], kLargeConsumers / 32);
    }
    barrier_init_fence();
  }
  __syncthreads();
  const auto rows_of = [&](int g) { return group_rows(a, g).rows; };
  GroupedTiles tiles(rows_of, a.groups, kLargeRows,
                     static_cast<int>(ceil_div<std::int64_t>(a.n, Shape::kColumns)), kBand);
  const auto k_blocks = static_cast<int>(ceil_div<std::int64_t>(a.k, Shape::kDepth));
  typename Shape::Ring at;
  if (thread_index() < kLargeConsumers) {
    registers_more<224>();
    for (std::int64_t linear = block_index();; linear += grid_blocks()) {
      const Tile tile = tiles.at(linear);
      if (!tile.valid) {
        break;
      }
      large_consume<kE4m3>(p, s, tile, group_rows(a, tile.group), k_blocks, at);
    }
  } else {
    registers_fewer<56>();
    if (thread_index() == kLargeConsumers) {
      for (std::int64_t linear = block_index();; linear += grid_blocks()) {
        const Tile tile = tiles.at(linear);
        if (!tile.valid) {
          break;
        }
        const int first = group_rows(a, tile.group).first + tile.row_tile * kLargeRows;
        large_produce<kE4m3>(p, s, tile, first, k_blocks, at);
      }
    }
  }
}

bool large_gemm_takes(const device::GroupedGemm& a) {
  return a.k * (a.is_e4m3 ? 1 : 2) % 16 == 0 && a.n > 0 && a.n % 2 == 0 && a.groups > 0;
}

Status large_gemm(const device::GroupedGemm& a, void* stream) {
  const bool is_masked = a.offsets == nullptr && a.counts != nullptr;
  const std::int64_t rows = is_masked ? a.groups * a.rows_per_group : a.total_rows;
  if (rows == 0) {
    return ok_status();
  }
  const std::int64_t bytes = a.is_e4m3 ? 1 : 2;
  LargeGemm p;
  p.a = a;
  TensorMapParams x;
  x.base = a.a;
  x.value_bytes = static_cast<std::int32_t>(bytes);
  x.with(a.k, 0, static_cast<std::int32_t>(128 / bytes)).with(rows, a.k * bytes, kLargeRows);
  TensorMapParams w;
  w.base = a.weights;
  w.value_bytes = static_cast<std::int32_t>(bytes);
  w.with(a.k, 0, static_cast<std::int32_t>(128 / bytes))
      .with(a.n, a.k * bytes, a.is_e4m3 ? 128 : 256)
      .with(a.groups, a.n * a.k * bytes, 1);
  R1_TRY(p.rows, make_tensor_map(x));
  R1_TRY(p.weights, make_tensor_map(w));
  const std::size_t shared_bytes =
      a.is_e4m3 ? sizeof(LargeShape<true>::Shared) : sizeof(LargeShape<false>::Shared);
  return launch(
      "moe.grouped_gemm",
      {.blocks = multiprocessors(), .threads = kLargeThreads, .shared_bytes = shared_bytes}, stream,
      a.is_e4m3 ? large_gemm_kernel<true> : large_gemm_kernel<false>, p);
}

}  // namespace r1eval::kernels::R1_DEVICE
