// Products with few rows, bound by the reading of weights: the engine of the fused layer and of the
// masked grouped product.
//
// Problem  A decode batch gives each expert a handful of rows, so every weight is read for a few
//          multiplications: time is bytes over bandwidth, if enough reads are always in flight. A
//          tile of 128 rows would be empty for nine tenths.
// Idea     Operands swapped: weights are the 64 rows of a wgmma and the tokens its N columns, of 8,
// 16,
//          32 or 64 as there are rows. One warp does nothing but ask for tiles (TMA, 64
//          weights rows x 128 bytes, with the tokens' 128 bytes beside them) into a ring of eight
//          slots, 64 KiB of weights in flight a multiprocessor (20 to 30 would cover the latency of
//          memory); a warpgroup multiplies. The ring goes on over the borders of tiles and of
//          experts: it never runs empty.
// e4m3     Each 128 of K is summed apart and added in float32 times both scales (the tensor cores'
// own
//          sum has 14 bits). A block of K is one slot.
// Needs    rows of both operands at multiples of 16 bytes. Rows that a tile reads beyond those
// asked for
//          are columns of the result that nobody stores.
#pragma once

#include "kernels/cuda/ptx.cuh"

namespace r1eval::kernels::R1_DEVICE {

constexpr int kStreamStages = 12;
constexpr int kStreamRows = 64;     // of weights, a tile
constexpr int kStreamColumns = 64;  // of tokens at most
constexpr int kLineBytes = 128;     // of K, a slot
constexpr int kStreamConsumers = 128;
constexpr int kStreamThreads = kStreamConsumers + 32;  // the last warp asks for tiles

struct StreamShared {
  unsigned char a[kStreamStages][kStreamRows * kLineBytes];
  unsigned char b[kStreamStages][kStreamColumns * kLineBytes];
  Barrier full[kStreamStages];
  Barrier empty[kStreamStages];
};

struct RingPlace {
  int slot = 0;
  std::uint32_t phase = 0;

  R1_DEV void advance() {
    if (++slot == kStreamStages) {
      slot = 0;
      phase ^= 1U;
    }
  }
};

// By all threads of the block, before the first use.
R1_DEV void stream_begin(StreamShared* s) {
  if (thread_index() == 0) {
    for (int i = 0; i < kStreamStages; ++i) {
      barrier_init(&s->full[i], 1);
      barrier_init(&s->empty[i], kStreamConsumers / 32);
    }
    barrier_init_fence();
  }
  __syncthreads();
}

R1_DEV bool is_stream_producer() {
  return thread_index() == kStreamConsumers;
}

R1_DEV bool is_stream_consumer() {
  return thread_index() < kStreamConsumers;
}

// Columns of the wgmma for so many rows of tokens.
R1_HD constexpr int stream_width(int rows) {
  return rows <= 8 ? 8 : rows <= 16 ? 16 : rows <= 32 ? 32 : 64;
}

// Calls f(integral constant) with the width as a constant.
template <class F>
R1_DEV void with_stream_width(int width, F f) {
  switch (width) {
    case 8:
      f(std::integral_constant<int, 8>());
      break;
    case 16:
      f(std::integral_constant<int, 16>());
      break;
    case 32:
      f(std::integral_constant<int, 32>());
      break;
    default:
      f(std::integral_constant<int, 64>());
      break;
  }
}

// Tokens by boxes of 8 and of 64 rows.
struct TokenMaps {
  TensorMap by8;
  TensorMap by64;
};

// One thread: asks for all slots of a product. load_a(destination, barrier, block of K).
template <bool kE4m3, class LoadA>
R1_DEV void stream_produce(StreamShared* s, RingPlace& at, int k_blocks, int width,
                           const TokenMaps& tokens, int first_row, LoadA load_a) {
  constexpr int kValues = kE4m3 ? kLineBytes : kLineBytes / 2;
  for (int kb = 0; kb < k_blocks; ++kb) {
    Barrier* full = &s->full[at.slot];
    unsigned char* b = s->b[at.slot];
    barrier_wait(&s->empty[at.slot], at.phase ^ 1U);
    barrier_arrive_expect(full, static_cast<std::uint32_t>((kStreamRows + width) * kLineBytes));
    load_a(s->a[at.slot], full, kb);
    if (width < 64) {
      for (int c = 0; c < width; c += 8) {
        tma_load(b + c * kLineBytes, tokens.by8, full, kb * kValues, first_row + c);
      }
    } else {
      tma_load(b, tokens.by64, full, kb * kValues, first_row);
    }
    at.advance();
  }
}

// Scales of the two halves of a result (shared/swizzle.h: registers with i / 2 even and odd) along
// K, and of the tokens: (rows, k_blocks), of which `rows` are there.
struct StreamScales {
  const float* even = nullptr;
  const float* odd = nullptr;
  const float* tokens = nullptr;
  int rows = 0;
};

// The consumers: sum = tile x tokens over all blocks of K.
template <bool kE4m3, int N>
R1_DEV void stream_consume(StreamShared* s, RingPlace& at, int k_blocks, const StreamScales& scales,
                           float (&sum)[N / 2]) {
  const int column = lane_index() % 4 * 2;
  R1_UNROLL
  for (int i = 0; i < N / 2; ++i) {
    sum[i] = 0.0F;
  }
  // Asked for one block ahead: their latency passes behind the products.
  float even = 0.0F;
  float odd = 0.0F;
  float token_scale[N / 4];
  const auto load_token_scales = [&](int kb) {
    R1_UNROLL
    for (int j = 0; j < N / 4; ++j) {
      const int c = smaller(j / 2 * 8 + column + j % 2, scales.rows - 1);
      token_scale[j] = load_fresh(scales.tokens + (c * k_blocks + kb));
    }
  };
  if constexpr (kE4m3) {
    even = __ldg(scales.even);
    odd = __ldg(scales.odd);
  }
  R1_NO_UNROLL
  for (int kb = 0; kb < k_blocks; ++kb) {
    barrier_wait(&s->full[at.slot], at.phase);
    const std::uint64_t a = k_major_descriptor(shared_address(s->a[at.slot]));
    const std::uint64_t b = k_major_descriptor(shared_address(s->b[at.slot]));
    if constexpr (kE4m3) {
      float d[N / 2];
      wgmma_fence();
      R1_UNROLL
      for (unsigned step = 0; step < 4; ++step) {  // 32 bytes of K: 2 in a descriptor's units
        wgmma_e4m3<N>(d, a + 2 * step, b + 2 * step, step > 0);
      }
      wgmma_commit();
      // Only now: the tokens' scales may have been written in this launch, before this slot's
      // values.
      load_token_scales(kb);
      const int next = smaller(kb + 1, k_blocks - 1);
      const float next_even = __ldg(scales.even + next);
      const float next_odd = __ldg(scales.odd + next);
      wgmma_wait<0>();
      if (lane_index() == 0) {
        barrier_arrive(&s->empty[at.slot]);
      }
      R1_UNROLL
      for (int i = 0; i < N / 2; ++i) {
        sum[i] += d[i] * ((i / 2 % 2 == 0 ? even : odd) * token_scale[i / 4 * 2 + i % 2]);
      }
      even = next_even;
      odd = next_odd;
    } else {
      wgmma_fence();
      R1_UNROLL
      for (unsigned step = 0; step < 4; ++step) {
        wgmma_bf16<N, Major::kK>(sum, a + 2 * step, b + 2 * step, kb > 0 || step > 0);
      }
      wgmma_commit();
      wgmma_wait<0>();
      if (lane_index() == 0) {
        barrier_arrive(&s->empty[at.slot]);
      }
    }
    at.advance();
  }
}

// Bytes to a tensor map of rows of tokens.
inline Result<TokenMaps> make_token_maps(const void* base, bool is_e4m3, std::int64_t rows,
                                         std::int64_t k) {
  const std::int64_t bytes = is_e4m3 ? 1 : 2;
  const auto map = [&](std::int32_t box_rows) {
    TensorMapParams params;
    params.base = base;
    params.value_bytes = static_cast<std::int32_t>(bytes);
    params.with(k, 0, static_cast<std::int32_t>(kLineBytes / bytes))
        .with(rows, k * bytes, box_rows);
    return make_tensor_map(params);
  };
  R1_TRY(const TensorMap by8, map(8));
  R1_TRY(const TensorMap by64, map(64));
  return TokenMaps{by8, by64};
}

// Weights (groups, n, k) by boxes of 64 rows of a group.
inline Result<TensorMap> make_weight_map(const void* base, bool is_e4m3, std::int64_t groups,
                                         std::int64_t n, std::int64_t k) {
  const std::int64_t bytes = is_e4m3 ? 1 : 2;
  TensorMapParams params;
  params.base = base;
  params.value_bytes = static_cast<std::int32_t>(bytes);
  params.with(k, 0, static_cast<std::int32_t>(kLineBytes / bytes))
      .with(n, k * bytes, kStreamRows)
      .with(groups, n * k * bytes, 1);
  return make_tensor_map(params);
}

}  // namespace r1eval::kernels::R1_DEVICE
