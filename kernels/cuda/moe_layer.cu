// The whole layer in one launch, for small batches and e4m3 weights: router, choice, permutation,
// experts, shared expert, combine.
//
// Problem  At 1 to 128 tokens the layer is the reading of weights: 3 H I bytes for each expert hit,
// 11 GB
//          at V3's dimensions with all 256 of them. Separate launches leave the memory idle at
//          every border: ten launches and their tails cost as much as half of the reading at T = 8.
// Idea     One persistent block a multiprocessor, all resident. Four short phases that end at a
// barrier
//          of all blocks:
//            A  x to e4m3; router's scores (a block an expert, a warp four tokens).
//            B  choice, a warp a token.
//            C  every block makes the permutation map for itself, in shared memory: cheaper than
//            waiting
//               for one that does; then rows are moved to their experts' places.
//            D  the experts. All tiles of gate and up, then all tiles of down, stand in one line;
//            block b
//               takes every n-th. The ring of stream.cuh runs on through all of them.
//            E  combine.
//          Between gate/up and down there is no barrier: a tile adds itself to a counter of its 128
//          columns; who completes them turns them into e4m3; a product of an expert's down waits
//          until all of the expert's columns are there. Tiles of gate and up come first in every
//          block's line and wait for nothing, so this cannot block, and by the time the first down
//          begins its columns have long been ready.
// Tiles    gate and up: 32 units = 64 rows of weights, eight of gate, eight of up, eight of gate …
// (the
//          five-dimensional map does that), so that a thread has gate and up of the same unit and
//          token in neighbouring registers. down: 64 rows.
// Reads    every weight once (an expert with more than 64 rows: once from memory, again from the
// cache). Bits     no sums by atomics; counters only. Status   compiled and emulated, not yet run
// on a device.
#include "kernels/cuda/fast.cuh"
#include "kernels/cuda/moe_compose.cuh"
#include "kernels/cuda/route.cuh"
#include "kernels/cuda/stream.cuh"
#include "kernels/cuda/vectors.cuh"

namespace r1eval::kernels::R1_DEVICE {

constexpr int kFusedTokens = 128;
constexpr int kFusedPairs = 2048;
constexpr int kFusedWarps = kStreamThreads / 32;
constexpr int kUnits = 32;    // of gate and up, a tile
constexpr int kRowAlign = 8;  // an expert's rows begin at a multiple of it

struct FusedMoe {
  TensorMap up;
  TensorMap down;
  TensorMap shared_up;
  TensorMap shared_down;
  TokenMaps sorted;
  TokenMaps x8;
  TokenMaps hidden8;
  TokenMaps shared_hidden8;
  device::MoeLayer a;
  // Workspace.
  float* logits;
  std::int32_t* ids;
  float* weights;
  E4m3* x8_values;
  float* x8_scales;
  E4m3* sorted_values;
  float* sorted_scales;
  Bf16* hidden;  // (sorted rows, inter), then of the shared expert (tokens, shared_inter)
  E4m3* hidden8_values;
  float* hidden8_scales;
  Bf16* shared_hidden;
  E4m3* shared_hidden8_values;
  float* shared_hidden8_scales;
  Bf16* rows;           // (sorted rows, hidden)
  Bf16* shared_rows;    // (tokens, hidden)
  std::int32_t* done;   // (experts + 1, groups of 128 columns): tiles that are stored
  std::int32_t* ready;  // (experts + 1): groups that are in e4m3
  std::int64_t sorted_rows;
  std::size_t bytes;
};

// An expert that has rows; expert == a.routing.experts is the shared one.
struct Entry {
  std::int16_t expert;
  std::int16_t rows;
  std::int32_t first_row;
  std::int32_t up_begin;    // its tiles of gate and up in their line
  std::int32_t down_begin;  // and of down
};

struct FusedShared {
  StreamShared stream;
  // Before the stream begins its memory holds the scratch of phases B and C; these stay.
  Entry entries[kMostRouted + 2];  // the last one ends the lines
  std::int32_t starts[kMostRouted + 1];
  std::int32_t counts[kMostRouted];
  std::int32_t n_entries;
  std::int32_t completes;  // whether this block's last tile completed a group of columns
};

struct FusedScratch {
  RouterScratch router[kFusedWarps];
  std::int32_t table[kFusedWarps * kMostRouted];
  std::int32_t row_of_pair[kFusedPairs];
};

static_assert(sizeof(FusedScratch) <= sizeof(StreamShared::a) + sizeof(StreamShared::b));

// ---- A ----

R1_DEV void quantize_input(const FusedMoe& p) {
  const std::int64_t groups = p.a.tokens * (p.a.hidden / kScaleBlock);
  // A half warp a group; both halves of a warp go round together.
  for (std::int64_t g0 = (block_index() * kFusedWarps + warp_index()) * 2; g0 < groups;
       g0 += grid_blocks() * kFusedWarps * 2) {
    const std::int64_t g = g0 + lane_index() / 16;
    const std::int64_t at = g * kScaleBlock + lane_index() % 16 * 8;
    float x[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    if (g < groups) {
      load8<true>(p.a.x, at, 0, x);
    }
    const float scale = scale_for(half_warp_largest(x));
    if (g < groups) {
      R1_UNROLL
      for (int j = 0; j < 8; ++j) {
        x[j] = x[j] / scale;
      }
      store8<true>(p.x8_values, at, 0, x);
      if (lane_index() % 16 == 0) {
        p.x8_scales[g] = scale;
      }
    }
  }
}

R1_DEV void score_experts(const FusedMoe& p) {
  constexpr int kTogether = 4;  // tokens that share the reading of a router's row
  const std::int64_t hidden = p.a.hidden;
  for (std::int64_t e = block_index(); e < p.a.routing.experts; e += grid_blocks()) {
    for (std::int64_t t0 = warp_index() * kTogether; t0 < p.a.tokens;
         t0 += kFusedWarps * kTogether) {
      float sum[kTogether] = {};
      for (std::int64_t i = lane_index() * 8; i < hidden; i += 256) {
        float w[8];
        load8<true>(p.a.router + e * hidden, i, 0, w);
        R1_UNROLL
        for (int j = 0; j < kTogether; ++j) {
          float x[8];
          load8<true>(p.a.x + smaller(t0 + j, p.a.tokens - 1) * hidden, i, 0, x);
          R1_UNROLL
          for (int d = 0; d < 8; ++d) {
            sum[j] += w[d] * x[d];
          }
        }
      }
      R1_UNROLL
      for (int j = 0; j < kTogether; ++j) {
        const float total = warp_sum(sum[j]);
        if (lane_index() == 0 && t0 + j < p.a.tokens) {
          p.logits[(t0 + j) * p.a.routing.experts + e] = total;
        }
      }
    }
  }
}

R1_DEV int column_groups(const device::MoeLayer& a) {
  return static_cast<int>(larger(a.inter, a.shared_inter) / kScaleBlock);
}

R1_DEV void clear_counters(const FusedMoe& p) {
  const std::int64_t n = (p.a.routing.experts + 1) * std::int64_t{column_groups(p.a) + 1};
  for (std::int64_t i = block_index() * kStreamThreads + thread_index(); i < n;
       i += grid_blocks() * kStreamThreads) {
    p.done[i] = 0;  // `ready` stands behind it
  }
}

// ---- C ----

// The lines of tiles, by one warp.
R1_DEV void list_entries(const FusedMoe& p, FusedShared* s) {
  const device::MoeLayer& a = p.a;
  const int lane = lane_index();
  const auto down_tiles = static_cast<int>(a.hidden / kStreamRows);
  int n = 0;
  int up = 0;
  int down = 0;
  if (a.shared_inter > 0) {
    const int chunks = ceil_div(static_cast<int>(a.tokens), kStreamColumns);
    if (lane == 0) {
      s->entries[0] = {static_cast<std::int16_t>(a.routing.experts),
                       static_cast<std::int16_t>(a.tokens), 0, 0, 0};
    }
    n = 1;
    up = chunks * static_cast<int>(a.shared_inter / kUnits);
    down = chunks * down_tiles;
  }
  for (int e0 = 0; e0 < a.routing.experts; e0 += 32) {
    const int e = e0 + lane;
    const int rows = e < a.routing.experts ? s->counts[e] : 0;
    const int chunks = ceil_div(rows, kStreamColumns);
    int sum = chunks;
    R1_UNROLL
    for (int by = 1; by < 32; by *= 2) {
      const int other = __shfl_up_sync(kWholeWarp, sum, by);
      sum += lane >= by ? other : 0;
    }
    const unsigned hit = __ballot_sync(kWholeWarp, rows > 0);
    const auto up_tiles = static_cast<int>(a.inter / kUnits);
    if (rows > 0) {
      s->entries[n + __popc(hit & ((1U << lane) - 1U))] = {
          static_cast<std::int16_t>(e), static_cast<std::int16_t>(rows), s->starts[e],
          up + (sum - chunks) * up_tiles, down + (sum - chunks) * down_tiles};
    }
    const int all = __shfl_sync(kWholeWarp, sum, 31);
    n += __popc(hit);
    up += all * up_tiles;
    down += all * down_tiles;
  }
  if (lane == 0) {
    s->entries[n] = {0, 0, 0, up, down};
    s->n_entries = n;
  }
}

R1_DEV void move_rows(const FusedMoe& p, const FusedScratch* scratch) {
  const device::MoeLayer& a = p.a;
  const auto pairs = static_cast<int>(a.tokens * a.routing.k);
  const std::int64_t scales = a.hidden / kScaleBlock;
  for (int pair = static_cast<int>(block_index()) * kFusedWarps + warp_index(); pair < pairs;
       pair += static_cast<int>(grid_blocks()) * kFusedWarps) {
    const std::int64_t row = scratch->row_of_pair[pair];
    const std::int64_t token = pair / a.routing.k;
    const auto* from = reinterpret_cast<const Bits128*>(p.x8_values + token * a.hidden);
    auto* to = reinterpret_cast<Bits128*>(p.sorted_values + row * a.hidden);
    for (std::int64_t i = lane_index(); i < a.hidden / 16; i += 32) {
      to[i] = from[i];
    }
    for (std::int64_t i = lane_index(); i < scales; i += 32) {
      p.sorted_scales[row * scales + i] = p.x8_scales[token * scales + i];
    }
  }
}

// ---- D ----

// Walks a line of tiles forward.
struct TileCursor {
  int entry = 0;

  // The entry that tile `i` belongs to; begins(e) is where entry e's tiles begin.
  template <class Begins>
  R1_DEV const Entry& at(const FusedShared* s, int i, Begins begins) {
    while (i >= begins(s->entries[entry + 1])) {
      ++entry;
    }
    return s->entries[entry];
  }
};

R1_DEV bool is_shared_entry(const FusedMoe& p, const Entry& e) {
  return e.expert == p.a.routing.experts;
}

R1_DEV void produce_experts(const FusedMoe& p, FusedShared* s) {
  const device::MoeLayer& a = p.a;
  const Entry end = s->entries[s->n_entries];
  const auto grid = static_cast<int>(grid_blocks());
  RingPlace ring;
  TileCursor cursor;
  for (int i = static_cast<int>(block_index()); i < end.up_begin; i += grid) {
    const Entry& e = cursor.at(s, i, [](const Entry& x) { return x.up_begin; });
    const bool is_shared = is_shared_entry(p, e);
    const int chunks = ceil_div(int{e.rows}, kStreamColumns);
    const int tile = (i - e.up_begin) / chunks;
    const int row = (i - e.up_begin) % chunks * kStreamColumns;
    const TensorMap& map = is_shared ? p.shared_up : p.up;
    const int expert = is_shared ? 0 : e.expert;
    stream_produce<true>(&s->stream, ring, static_cast<int>(a.hidden / kLineBytes),
                         stream_width(e.rows - row), is_shared ? p.x8 : p.sorted, e.first_row + row,
                         [&](unsigned char* to, Barrier* full, int kb) {
                           tma_load<Keep::kFirstOut>(to, map, full, kb * kLineBytes, 0, 0,
                                                     tile * (kUnits / 8), expert);
                         });
  }
  cursor = TileCursor();
  int waited_for = -1;
  for (int i = static_cast<int>(block_index()); i < end.down_begin; i += grid) {
    const Entry& e = cursor.at(s, i, [](const Entry& x) { return x.down_begin; });
    const bool is_shared = is_shared_entry(p, e);
    const std::int64_t width = is_shared ? a.shared_inter : a.inter;
    const int chunks = ceil_div(int{e.rows}, kStreamColumns);
    const int tile = (i - e.down_begin) / chunks;
    const int row = (i - e.down_begin) % chunks * kStreamColumns;
    if (waited_for != cursor.entry) {
      while (load_acquire(p.ready + e.expert) < static_cast<int>(width / kScaleBlock)) {
        spin_pause();
      }
      async_proxy_fence();
      waited_for = cursor.entry;
    }
    const TensorMap& map = is_shared ? p.shared_down : p.down;
    const int expert = is_shared ? 0 : e.expert;
    stream_produce<true>(&s->stream, ring, static_cast<int>(width / kLineBytes),
                         stream_width(e.rows - row), is_shared ? p.shared_hidden8 : p.hidden8,
                         e.first_row + row, [&](unsigned char* to, Barrier* full, int kb) {
                           tma_load<Keep::kFirstOut>(to, map, full, kb * kLineBytes,
                                                     tile * kStreamRows, expert);
                         });
  }
}

constexpr int kConsumerBarrier = 1;

// Columns [128 group, …) of an expert's product, complete in bf16, become e4m3.
R1_DEV void quantize_columns(const Bf16* hidden, E4m3* values, float* scales, int first_row,
                             int rows, std::int64_t width, int group) {
  for (int r = warp_index(); r < rows; r += kStreamConsumers / 32) {
    const std::int64_t row = first_row + r;
    const std::int64_t at = row * width + group * kScaleBlock + lane_index() * 4;
    const auto pair = load_fresh(reinterpret_cast<const unsigned long long*>(hidden + at));
    float x[4] = {low_bf16(static_cast<std::uint32_t>(pair)),
                  high_bf16(static_cast<std::uint32_t>(pair)),
                  low_bf16(static_cast<std::uint32_t>(pair >> 32U)),
                  high_bf16(static_cast<std::uint32_t>(pair >> 32U))};
    float largest = 0.0F;
    R1_UNROLL
    for (int j = 0; j < 4; ++j) {
      const float magnitude = x[j] < 0.0F ? -x[j] : x[j];
      largest = magnitude > largest ? magnitude : largest;
    }
    const float scale = scale_for(warp_max(largest));
    std::uint32_t packed = 0;
    R1_UNROLL
    for (int j = 0; j < 4; ++j) {
      packed |= static_cast<std::uint32_t>(round_e4m3(x[j] / scale).bits) << (8 * j);
    }
    *reinterpret_cast<std::uint32_t*>(values + at) = packed;
    if (lane_index() == 0) {
      scales[row * (width / kScaleBlock) + group] = scale;
    }
  }
}

R1_DEV void consume_up(const FusedMoe& p, FusedShared* s, RingPlace& ring, const Entry& e, int tile,
                       int row) {
  const device::MoeLayer& a = p.a;
  const bool is_shared = is_shared_entry(p, e);
  const std::int64_t width = is_shared ? a.shared_inter : a.inter;
  const int rows = smaller(e.rows - row, kStreamColumns);
  const auto k_blocks = static_cast<int>(a.hidden / kLineBytes);
  const float* weight_scales = is_shared ? a.shared_gate_up_scales : a.gate_up_scales;
  const std::int64_t expert = is_shared ? 0 : e.expert;
  StreamScales scales;
  scales.even = weight_scales + weight_scale_index(expert, tile * kUnits, 0, 2 * width, a.hidden);
  scales.odd =
      weight_scales + weight_scale_index(expert, width + tile * kUnits, 0, 2 * width, a.hidden);
  scales.tokens =
      (is_shared ? p.x8_scales : p.sorted_scales) + std::int64_t{e.first_row + row} * k_blocks;
  scales.rows = rows;
  Bf16* hidden = is_shared ? p.shared_hidden : p.hidden;
  const std::int64_t unit = tile * kUnits + warp_index() * 8 + lane_index() / 4;
  with_stream_width(stream_width(rows), [&](auto constant) {
    constexpr int N = decltype(constant)::value;
    float sum[N / 2];
    stream_consume<true, N>(&s->stream, ring, k_blocks, scales, sum);
    R1_UNROLL
    for (int j = 0; j < N / 8; ++j) {
      R1_UNROLL
      for (int c = 0; c < 2; ++c) {
        const int column = j * 8 + lane_index() % 4 * 2 + c;
        if (column < rows) {
          const float gate = to_float(round_bf16(sum[4 * j + c]));
          const float up = to_float(round_bf16(sum[4 * j + 2 + c]));
          hidden[std::int64_t{e.first_row + row + column} * width + unit] =
              round_bf16(silu(gate) * up);
        }
      }
    }
  });
  // The tile is stored: is it the last of its 128 columns?
  const int group = tile * kUnits / static_cast<int>(kScaleBlock);
  const int chunks = ceil_div(int{e.rows}, kStreamColumns);
  __threadfence();
  named_barrier_sync(kConsumerBarrier, kStreamConsumers);
  if (thread_index() == 0) {
    const std::int32_t before =
        atomicAdd(p.done + std::int64_t{e.expert} * column_groups(a) + group, 1);
    s->completes = before + 1 == chunks * static_cast<int>(kScaleBlock / kUnits) ? 1 : 0;
  }
  named_barrier_sync(kConsumerBarrier, kStreamConsumers);
  if (s->completes != 0) {
    __threadfence();
    quantize_columns(hidden, is_shared ? p.shared_hidden8_values : p.hidden8_values,
                     is_shared ? p.shared_hidden8_scales : p.hidden8_scales, e.first_row, e.rows,
                     width, group);
    async_proxy_fence();  // these values will be read by TMA
    __threadfence();
    named_barrier_sync(kConsumerBarrier, kStreamConsumers);
    if (thread_index() == 0) {
      atomicAdd(p.ready + e.expert, 1);
    }
  }
}

R1_DEV void consume_down(const FusedMoe& p, FusedShared* s, RingPlace& ring, const Entry& e,
                         int tile, int row) {
  const device::MoeLayer& a = p.a;
  const bool is_shared = is_shared_entry(p, e);
  const std::int64_t width = is_shared ? a.shared_inter : a.inter;
  const int rows = smaller(e.rows - row, kStreamColumns);
  const auto k_blocks = static_cast<int>(width / kLineBytes);
  const float* weight_scales = is_shared ? a.shared_down_scales : a.down_scales;
  StreamScales scales;
  scales.even = weight_scales + weight_scale_index(is_shared ? 0 : e.expert, tile * kStreamRows, 0,
                                                   a.hidden, width);
  scales.odd = scales.even;
  scales.tokens = (is_shared ? p.shared_hidden8_scales : p.hidden8_scales) +
                  std::int64_t{e.first_row + row} * k_blocks;
  scales.rows = rows;
  Bf16* out = is_shared ? p.shared_rows : p.rows;
  with_stream_width(stream_width(rows), [&](auto constant) {
    constexpr int N = decltype(constant)::value;
    float sum[N / 2];
    stream_consume<true, N>(&s->stream, ring, k_blocks, scales, sum);
    R1_UNROLL
    for (int i = 0; i < N / 2; ++i) {
      const Place place = accumulator_place(thread_index(), i);
      if (place.column < rows) {
        out[std::int64_t{e.first_row + row + place.column} * a.hidden + tile * kStreamRows +
            place.row] = round_bf16(sum[i]);
      }
    }
  });
}

R1_DEV void consume_experts(const FusedMoe& p, FusedShared* s) {
  const Entry end = s->entries[s->n_entries];
  const auto grid = static_cast<int>(grid_blocks());
  RingPlace ring;
  TileCursor cursor;
  for (int i = static_cast<int>(block_index()); i < end.up_begin; i += grid) {
    const Entry& e = cursor.at(s, i, [](const Entry& x) { return x.up_begin; });
    const int chunks = ceil_div(int{e.rows}, kStreamColumns);
    consume_up(p, s, ring, e, (i - e.up_begin) / chunks,
               (i - e.up_begin) % chunks * kStreamColumns);
  }
  cursor = TileCursor();
  for (int i = static_cast<int>(block_index()); i < end.down_begin; i += grid) {
    const Entry& e = cursor.at(s, i, [](const Entry& x) { return x.down_begin; });
    const int chunks = ceil_div(int{e.rows}, kStreamColumns);
    consume_down(p, s, ring, e, (i - e.down_begin) / chunks,
                 (i - e.down_begin) % chunks * kStreamColumns);
  }
}

// ---- E ----

R1_DEV void combine_rows(const FusedMoe& p, const FusedScratch* scratch) {
  const device::MoeLayer& a = p.a;
  const std::int64_t per_token = a.hidden / 8;
  for (std::int64_t i = block_index() * kStreamThreads + thread_index(); i < a.tokens * per_token;
       i += grid_blocks() * kStreamThreads) {
    const std::int64_t token = i / per_token;
    const std::int64_t column = i % per_token * 8;
    float sum[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (int j = 0; j < a.routing.k; ++j) {
      const std::int64_t pair = token * a.routing.k + j;
      const float weight = load_fresh(p.weights + pair);
      float x[8];
      load8<true>(p.rows + std::int64_t{scratch->row_of_pair[pair]} * a.hidden, column, 0, x);
      R1_UNROLL
      for (int d = 0; d < 8; ++d) {
        sum[d] += weight * x[d];
      }
    }
    if (a.shared_inter > 0) {
      float x[8];
      load8<true>(p.shared_rows + token * a.hidden, column, 0, x);
      R1_UNROLL
      for (int d = 0; d < 8; ++d) {
        sum[d] += x[d];
      }
    }
    store8<true>(a.out + token * a.hidden, column, 0, sum);
  }
}

R1_KERNEL void R1_BOUNDS(kStreamThreads, 1) fused_moe_kernel(const __grid_constant__ FusedMoe p) {
  auto* s = shared<FusedShared>();
  auto* scratch = reinterpret_cast<FusedScratch*>(&s->stream);
  const device::MoeLayer& a = p.a;
  clear_counters(p);
  quantize_input(p);
  score_experts(p);
  grid_barrier();
  for (std::int64_t t = block_index() * kFusedWarps + warp_index(); t < a.tokens;
       t += grid_blocks() * kFusedWarps) {
    warp_router_topk(a.routing, p.logits + t * a.routing.experts, a.bias,
                     &scratch->router[warp_index()], p.ids + t * a.routing.k,
                     p.weights + t * a.routing.k);
  }
  grid_barrier();
  const auto make_map = [&] {
    block_permute_map(
        {kFusedWarps, scratch->table, s->starts, s->counts},
        static_cast<int>(a.tokens * a.routing.k), a.routing.experts, kRowAlign,
        [&](int pair) { return load_fresh(p.ids + pair); },
        [&](int pair, std::int32_t row) { scratch->row_of_pair[pair] = row; });
  };
  make_map();
  move_rows(p, scratch);
  if (warp_index() == 0) {
    list_entries(p, s);
  }
  async_proxy_fence();  // rows that TMA will read; scratch that it will overwrite
  grid_barrier();
  stream_begin(&s->stream);
  if (is_stream_consumer()) {
    consume_experts(p, s);
  } else {
    if (is_stream_producer()) {
      async_proxy_fence();
      produce_experts(p, s);
    }
    __syncwarp();
  }
  grid_barrier();
  make_map();  // again: its memory was the stream's
  combine_rows(p, scratch);
}

static FusedMoe fused_buffers(const device::MoeLayer& a, void* workspace) {
  Carver carve(workspace);
  FusedMoe p{};
  p.a = a;
  const std::int64_t pairs = a.tokens * a.routing.k;
  const std::int64_t rows = most_sorted_rows(pairs, a.routing.experts, kRowAlign);
  const std::int64_t tokens = round_up<std::int64_t>(a.tokens, kRowAlign);
  p.sorted_rows = rows;
  p.logits = carve.take<float>(a.tokens * a.routing.experts);
  p.ids = carve.take<std::int32_t>(pairs);
  p.weights = carve.take<float>(pairs);
  p.x8_values = carve.take<E4m3>(tokens * a.hidden);
  p.x8_scales = carve.take<float>(tokens * scale_blocks(a.hidden));
  p.sorted_values = carve.take<E4m3>(rows * a.hidden);
  p.sorted_scales = carve.take<float>(rows * scale_blocks(a.hidden));
  p.hidden = carve.take<Bf16>(rows * a.inter);
  p.hidden8_values = carve.take<E4m3>(rows * a.inter);
  p.hidden8_scales = carve.take<float>(rows * scale_blocks(a.inter));
  p.shared_hidden = carve.take<Bf16>(tokens * a.shared_inter);
  p.shared_hidden8_values = carve.take<E4m3>(tokens * a.shared_inter);
  p.shared_hidden8_scales = carve.take<float>(tokens * scale_blocks(a.shared_inter));
  p.rows = carve.take<Bf16>(rows * a.hidden);
  p.shared_rows = carve.take<Bf16>(tokens * a.hidden);
  const std::int64_t groups = larger(a.inter, a.shared_inter) / kScaleBlock;
  p.done = carve.take<std::int32_t>((a.routing.experts + 1) * (groups + 1));
  p.ready = p.done == nullptr ? nullptr : p.done + (a.routing.experts + 1) * groups;
  p.bytes = carve.bytes();
  return p;
}

bool fused_moe_takes(const device::MoeLayer& a) {
  return a.is_e4m3 && a.tokens <= kFusedTokens && a.routing.experts <= kMostRouted &&
         a.routing.groups <= 32 && a.tokens * a.routing.k <= kFusedPairs;
}

std::size_t fused_moe_workspace_bytes(const device::MoeLayer& a) {
  return fused_buffers(a, nullptr).bytes;
}

// Gate and up of (experts, 2 width, k) in boxes of 4 x (8 rows of gate, the same 8 of up).
static Result<TensorMap> gate_up_map(const void* base, std::int64_t experts, std::int64_t width,
                                     std::int64_t k) {
  TensorMapParams params;
  params.base = base;
  params.value_bytes = 1;
  params.with(k, 0, kLineBytes)
      .with(8, k, 8)
      .with(2, width * k, 2)
      .with(width / 8, 8 * k, kUnits / 8)
      .with(experts, 2 * width * k, 1);
  return make_tensor_map(params);
}

Status fused_moe(const device::MoeLayer& a, void* stream) {
  R1_RETURN_IF_ERROR(check_moe_layer(a));
  if (a.tokens == 0) {
    return ok_status();
  }
  FusedMoe p = fused_buffers(a, a.workspace);
  if (a.ids_out != nullptr) {
    p.ids = a.ids_out;
  }
  const std::int64_t experts = a.routing.experts;
  R1_TRY(p.up, gate_up_map(a.gate_up, experts, a.inter, a.hidden));
  R1_TRY(p.down, make_weight_map(a.down, true, experts, a.hidden, a.inter));
  R1_TRY(p.sorted, make_token_maps(p.sorted_values, true, p.sorted_rows, a.hidden));
  R1_TRY(p.hidden8, make_token_maps(p.hidden8_values, true, p.sorted_rows, a.inter));
  if (a.shared_inter > 0) {
    const std::int64_t tokens = round_up<std::int64_t>(a.tokens, kRowAlign);
    R1_TRY(p.shared_up, gate_up_map(a.shared_gate_up, 1, a.shared_inter, a.hidden));
    R1_TRY(p.shared_down, make_weight_map(a.shared_down, true, 1, a.hidden, a.shared_inter));
    R1_TRY(p.x8, make_token_maps(p.x8_values, true, tokens, a.hidden));
    R1_TRY(p.shared_hidden8,
           make_token_maps(p.shared_hidden8_values, true, tokens, a.shared_inter));
  }
  return launch("moe.layer",
                {.blocks = multiprocessors(),
                 .threads = kStreamThreads,
                 .shared_bytes = sizeof(FusedShared),
                 .all_resident = true},
                stream, fused_moe_kernel, p);
}

}  // namespace r1eval::kernels::R1_DEVICE
