// Latent attention over the paged cache, one launch from plan to merge.
//
// Problem  Every head of a token attends to the same 576 values a cached token (its first 512 are
// also the
//          value), so a cache row is read once for up to 64 heads and the kernel is bound by memory
//          (16 to 64 heads) or stands at the ridge (128). What costs: the 64 x 512 result fills the
//          registers of two warpgroups; 72 KiB a block of 64 tokens leave room for two of them;
//          sequences differ in length.
// Shape    A block of threads has 64 rows (heads, or query tokens times heads) in shared memory and
// walks
//          over blocks of the cache, nine TMA boxes of 64 columns each, so that the first product
//          can start with the first box. Warpgroup w multiplies the rows with tokens [32 w, 32 w +
//          32), both exchange row maxima and probabilities (bf16, in shared memory), then it
//          multiplies all 64 probabilities with value columns [256 w, 256 w + 256): no product is
//          done twice, and the same tile is key (K-major) and value (MN-major) operand.
// Order    The value product of block i and the score product of block i + 1 are in flight
// together; the
//          softmax of i + 1 follows. Loads of i + 2 go on behind both.
// Work     All cache blocks of all sequences stand in one line, cut into equal parts
// (shared/split_plan.h);
//          every block makes the plan for itself from the lengths. A sequence over several parts
//          leaves partial results in float32; then all blocks meet once, and the merges are shared
//          out by rows.
// Tail     Slots of a last block that hold no token may hold anything: their scores are masked, and
// their
//          values are set to zero before they are multiplied with the zero probabilities (0 NaN =
//          NaN).
// Source   softmax and merge: Dao et al. 2023 (Flash-Decoding); absorbed form: DeepSeek-V2, 2.1.2.
// Status   compiled and emulated, not yet run on a device.
#include "kernels/cuda/fast.cuh"
#include "kernels/cuda/ptx.cuh"
#include "kernels/cuda/workspace.cuh"
#include "kernels/shared/split_plan.h"

namespace r1eval::kernels::R1_DEVICE {

constexpr int kMlaLatent = 512;
constexpr int kMlaWidth = 576;
constexpr int kMlaRows = 64;
constexpr int kMlaBoxes = kMlaWidth / 64;
constexpr int kMlaStages = 2;
constexpr int kMlaConsumers = 256;
constexpr int kMlaThreads = kMlaConsumers + 128;  // registers are dealt out by warpgroups
constexpr int kBoxBytes = 64 * 128;
constexpr int kShortestPart = 2;  // blocks; to be tuned on a device
constexpr float kLog2E = 1.4426950408889634F;
constexpr float kLn2 = 0.6931471805599453F;

struct MlaShared {
  unsigned char q[kMlaBoxes][kBoxBytes];
  unsigned char k[kMlaStages][kMlaBoxes][kBoxBytes];
  unsigned char p[kBoxBytes];  // (64 rows, 64 tokens) bf16
  float row_max[2][kMlaRows];
  float row_sum[2][kMlaRows];
  Barrier q_full;
  Barrier q_empty;
  Barrier k_full[kMlaStages][kMlaBoxes];
  Barrier k_empty[kMlaStages];
};

static_assert(sizeof(MlaShared) <= 227U << 10U);

struct MlaParams {
  TensorMap q;
  TensorMap cache;
  device::MlaDecode a;
  int tiles;  // of 64 rows of a sequence
  int parts;
  float* partial;      // (parts, tiles, 2, 64, 512)
  float* partial_lse;  // (parts, tiles, 2, 64), base 2
};

// Prefix sums of the sequences' blocks, by one warp.
R1_DEV void sum_blocks(const device::MlaDecode& a, std::int32_t* starts) {
  std::int32_t base = 0;
  for (int s0 = 0; s0 < a.batch; s0 += 32) {
    const int s = s0 + lane_index();
    const int blocks = s < a.batch ? cache_blocks(__ldg(a.lengths + s)) : 0;
    int sum = blocks;
    R1_UNROLL
    for (int by = 1; by < 32; by *= 2) {
      const int other = __shfl_up_sync(kWholeWarp, sum, by);
      sum += lane_index() >= by ? other : 0;
    }
    if (s < a.batch) {
      starts[s] = base + sum - blocks;
    }
    base += __shfl_sync(kWholeWarp, sum, 31);
  }
  if (lane_index() == 0) {
    starts[a.batch] = base;
  }
}

// The segments of one part, one after the other; knows where its sequence begins, so that the
// prefix sums are needed only once.
struct SegmentWalk {
  SplitPlan plan;
  int part;
  int end;    // of the part, in the line
  int block;  // next in the line
  int start;  // of `sequence` in the line
  int sequence;
  int length;

  R1_DEV bool next(const std::int32_t* lengths, Segment& out) {
    if (block >= end) {
      return false;
    }
    while (block >= start + cache_blocks(length)) {
      start += cache_blocks(length);
      length = __ldg(lengths + ++sequence);
    }
    const int sequence_end = start + cache_blocks(length);
    const int last = smaller(sequence_end, end);
    out = {sequence, block - start, last - start, part - plan.first_part(start),
           plan.splits(start, sequence_end)};
    block = last;
    return true;
  }
};

R1_DEV void mla_produce(const MlaParams& p, MlaShared* s, SegmentWalk walk, int tile) {
  const device::MlaDecode& a = p.a;
  int stage = 0;
  std::uint32_t phase = 0;
  std::uint32_t q_phase = 0;
  Segment segment;
  while (walk.next(a.lengths, segment)) {
    barrier_wait(&s->q_empty, q_phase ^ 1U);
    q_phase ^= 1U;
    barrier_arrive_expect(&s->q_full, sizeof(s->q));
    const int first_row = segment.sequence * a.queries * a.heads + tile * kMlaRows;
    for (int j = 0; j < kMlaBoxes; ++j) {
      tma_load(s->q[j], p.q, &s->q_full, j * 64, first_row);
    }
    const std::int32_t* table = a.table + segment.sequence * a.table_width;
    for (int block = segment.begin; block < segment.end; ++block) {
      const int row = __ldg(table + block) * kBlockTokens;
      barrier_wait(&s->k_empty[stage], phase ^ 1U);
      for (int j = 0; j < kMlaBoxes; ++j) {
        barrier_arrive_expect(&s->k_full[stage][j], kBoxBytes);
        tma_load(s->k[stage][j], p.cache, &s->k_full[stage][j], j * 64, row);
      }
      if (++stage == kMlaStages) {
        stage = 0;
        phase ^= 1U;
      }
    }
  }
}

// Scores of this warpgroup's 32 tokens: issued, not waited for.
R1_DEV void issue_scores(MlaShared* s, int stage, std::uint32_t phase, int group,
                         float (&scores)[16]) {
  R1_UNROLL
  for (int j = 0; j < kMlaBoxes; ++j) {
    barrier_wait(&s->k_full[stage][j], phase);
    wgmma_fence();
    const std::uint64_t q = k_major_descriptor(shared_address(s->q[j]));
    const std::uint64_t k =
        k_major_descriptor(shared_address(s->k[stage][j]) + static_cast<unsigned>(group) * 4096U);
    R1_UNROLL
    for (unsigned step = 0; step < 4; ++step) {
      wgmma_bf16<32, Major::kK>(scores, q + 2 * step, k + 2 * step, j > 0 || step > 0);
    }
  }
  wgmma_commit();
}

constexpr int kMlaBarrier = 1;

R1_DEV float quad_max(float x) {
  R1_UNROLL
  for (int mask = 1; mask <= 2; mask *= 2) {
    const float other = __shfl_xor_sync(kWholeWarp, x, mask);
    x = other > x ? other : x;
  }
  return x;
}

R1_DEV float quad_sum(float x) {
  R1_UNROLL
  for (int mask = 1; mask <= 2; mask *= 2) {
    x += __shfl_xor_sync(kWholeWarp, x, mask);
  }
  return x;
}

R1_DEV void mla_consume(const MlaParams& p, MlaShared* s, SegmentWalk walk, int tile) {
  const device::MlaDecode& a = p.a;
  const int group = thread_index() / 128;  // warpgroup
  const int t = thread_index() % 128;
  const int low = t / 32 * 16 + lane_index() / 4;  // this thread's rows: low and low + 8
  const int rows = a.queries * a.heads - tile * kMlaRows;
  const float scale = a.scale * kLog2E;
  int stage = 0;
  std::uint32_t phase = 0;
  std::uint32_t q_phase = 0;
  const auto advance = [&] {
    if (++stage == kMlaStages) {
      stage = 0;
      phase ^= 1U;
    }
  };
  int n_segments = 0;
  Segment segment;
  while (walk.next(a.lengths, segment)) {
    // Tokens that each of the two rows sees.
    int visible[2];
    R1_UNROLL
    for (int r = 0; r < 2; ++r) {
      const int query = smaller((tile * kMlaRows + low + 8 * r) / a.heads, a.queries - 1);
      visible[r] = walk.length - a.queries + query + 1;
    }
    float o[128];
    R1_UNROLL
    for (int i = 0; i < 128; ++i) {
      o[i] = 0.0F;
    }
    float scores[16];
    float most[2] = {-kInfinity, -kInfinity};
    float sum[2] = {0.0F, 0.0F};
    barrier_wait(&s->q_full, q_phase);
    q_phase ^= 1U;
    issue_scores(s, stage, phase, group, scores);
    // Softmax of a block whose scores are there, and its value product: issued, not waited for.
    const auto weigh = [&](int block) {
      // Mask, and the maximum over this warpgroup's tokens.
      const int first = block * kBlockTokens + group * 32 + lane_index() % 4 * 2;
      float now[2] = {-kInfinity, -kInfinity};
      R1_UNROLL
      for (int i = 0; i < 16; ++i) {
        const int r = i / 2 % 2;
        scores[i] = first + i / 4 * 8 + i % 2 < visible[r] ? scores[i] * scale : -kInfinity;
        now[r] = scores[i] > now[r] ? scores[i] : now[r];
      }
      R1_UNROLL
      for (int r = 0; r < 2; ++r) {
        now[r] = quad_max(now[r]);
        if (lane_index() % 4 == 0) {
          s->row_max[group][low + 8 * r] = now[r];
        }
      }
      named_barrier_sync(kMlaBarrier, kMlaConsumers);
      float rescale[2];
      R1_UNROLL
      for (int r = 0; r < 2; ++r) {
        const float other = s->row_max[1 - group][low + 8 * r];
        now[r] = other > now[r] ? other : now[r];
        now[r] = most[r] > now[r] ? most[r] : now[r];
        // A row that has seen nothing yet must not subtract infinities.
        const float base = now[r] == -kInfinity ? 0.0F : now[r];
        rescale[r] = exp2_fast(most[r] - base);
        most[r] = now[r];
        now[r] = base;
        sum[r] *= rescale[r];
      }
      R1_UNROLL
      for (int i = 0; i < 16; i += 2) {
        const int r = i / 2 % 2;
        const float x = exp2_fast(scores[i] - now[r]);
        const float y = exp2_fast(scores[i + 1] - now[r]);
        sum[r] += x + y;
        const auto row = static_cast<unsigned>(low + 8 * r);
        const auto byte =
            static_cast<unsigned>((group * 32 + i / 4 * 8 + lane_index() % 4 * 2) * 2);
        *reinterpret_cast<std::uint32_t*>(s->p + swizzled_offset(row, byte)) = pack_bf16(x, y);
      }
      const int held = walk.length - block * kBlockTokens;
      if (held < kBlockTokens) {
        // Whole lines of 128 bytes: where the swizzle puts a line's bytes does not matter.
        for (int i = thread_index(); i < (kBlockTokens - held) * (kMlaLatent / 64) * 8;
             i += kMlaConsumers) {
          const int line = held + i / 8 % (kBlockTokens - held);
          const int box = i / 8 / (kBlockTokens - held);
          auto* at = reinterpret_cast<std::uint64_t*>(s->k[stage][box] + line * 128 + i % 8 * 16);
          at[0] = 0;
          at[1] = 0;
        }
      }
      R1_UNROLL
      for (int i = 0; i < 128; ++i) {
        o[i] *= rescale[i / 2 % 2];
      }
      async_proxy_fence();
      named_barrier_sync(kMlaBarrier, kMlaConsumers);
      hold_registers(o);
      wgmma_fence();
      R1_UNROLL
      for (unsigned step = 0; step < 4; ++step) {  // 16 tokens
        const std::uint64_t probability = k_major_descriptor(shared_address(s->p) + step * 32U);
        const std::uint64_t value =
            mn_major_descriptor(shared_address(s->k[stage][group * 4]) + step * 2048U, kBoxBytes);
        wgmma_bf16<256, Major::kMN>(o, probability, value, true);
      }
      wgmma_commit();
    };
    // The last block stands apart: behind it no scores are in flight, and a branch inside of the
    // loop would make the assembler wait for all.
    R1_NO_UNROLL
    for (int block = segment.begin; block + 1 < segment.end; ++block) {
      wgmma_wait<0>();
      weigh(block);
      const int old_stage = stage;
      advance();
      issue_scores(s, stage, phase, group, scores);
      wgmma_wait<1>();
      if (lane_index() == 0) {
        barrier_arrive(&s->k_empty[old_stage]);
      }
    }
    wgmma_wait<0>();
    if (lane_index() == 0) {
      barrier_arrive(&s->q_empty);
    }
    weigh(segment.end - 1);
    wgmma_wait<0>();
    if (lane_index() == 0) {
      barrier_arrive(&s->k_empty[stage]);
    }
    advance();
    // The sum over both warpgroups' tokens.
    R1_UNROLL
    for (int r = 0; r < 2; ++r) {
      sum[r] = quad_sum(sum[r]);
      if (lane_index() % 4 == 0) {
        s->row_sum[group][low + 8 * r] = sum[r];
      }
    }
    named_barrier_sync(kMlaBarrier, kMlaConsumers);
    float factor[2];
    float lse[2];
    R1_UNROLL
    for (int r = 0; r < 2; ++r) {
      sum[r] += s->row_sum[1 - group][low + 8 * r];
      factor[r] = sum[r] > 0.0F ? 1.0F / sum[r] : 0.0F;
      lse[r] = sum[r] > 0.0F ? most[r] + log2_fast(sum[r]) : -kInfinity;
    }
    const std::int64_t first_row =
        std::int64_t{segment.sequence} * a.queries * a.heads + tile * kMlaRows;
    const bool is_split = segment.n_splits > 1;
    const std::int64_t slot =
        (std::int64_t{walk.part} * p.tiles + tile) * 2 + (n_segments > 0 ? 1 : 0);
    R1_UNROLL
    for (int r = 0; r < 2; ++r) {
      const int row = low + 8 * r;
      if (row >= rows) {
        continue;
      }
      const int column = group * 256 + lane_index() % 4 * 2;
      if (is_split) {
        float* at = p.partial + (slot * kMlaRows + row) * kMlaLatent + column;
        R1_UNROLL
        for (int j = 0; j < 32; ++j) {
          at[j * 8] = o[4 * j + 2 * r] * factor[r];
          at[j * 8 + 1] = o[4 * j + 2 * r + 1] * factor[r];
        }
        if (group == 0 && lane_index() % 4 == 0) {
          p.partial_lse[slot * kMlaRows + row] = lse[r];
        }
      } else {
        auto* at =
            reinterpret_cast<std::uint32_t*>(a.out + (first_row + row) * kMlaLatent + column);
        R1_UNROLL
        for (int j = 0; j < 32; ++j) {
          at[j * 4] = pack_bf16(o[4 * j + 2 * r] * factor[r], o[4 * j + 2 * r + 1] * factor[r]);
        }
        if (a.lse != nullptr && group == 0 && lane_index() % 4 == 0) {
          a.lse[first_row + row] = sum[r] > 0.0F ? lse[r] * kLn2 : kInfinity;
        }
      }
    }
    ++n_segments;
    // row_sum may be written again only when all have read it; row_max is guarded by the loop's
    // barriers.
    named_barrier_sync(kMlaBarrier, kMlaConsumers);
  }
}

// Rows of sequences that were split, a warp each. Part `owner` holds split 0.
R1_DEV void mla_merge(const MlaParams& p, const SplitPlan& plan, const std::int32_t* starts,
                      int tile) {
  const device::MlaDecode& a = p.a;
  const int rows = smaller(a.queries * a.heads - tile * kMlaRows, kMlaRows);
  const std::int64_t blocks_of_tile = grid_blocks() / p.tiles;
  constexpr int kWarps = kMlaThreads / 32;
  const std::int64_t items = std::int64_t{p.parts} * rows;
  for (std::int64_t item = block_index() / p.tiles * kWarps + warp_index(); item < items;
       item += blocks_of_tile * kWarps) {
    const auto owner = static_cast<std::int32_t>(item / rows);
    const auto row = static_cast<int>(item % rows);
    const std::int32_t end = plan.end(owner);
    if (end >= plan.n_blocks || plan.begin(owner) >= end) {
      continue;
    }
    // The sequence that goes on behind this part, if it began inside of it.
    const int s = sequence_at(starts, static_cast<int>(a.batch), end);
    if (starts[s] >= end || starts[s] < plan.begin(owner)) {
      continue;
    }
    const int splits = plan.splits(starts[s], starts[s + 1]);
    const auto slot = [&](int split) {
      const bool is_second = split == 0 && starts[s] != plan.begin(owner);
      return (std::int64_t{owner + split} * p.tiles + tile) * 2 + (is_second ? 1 : 0);
    };
    float most = -kInfinity;
    for (int i = 0; i < splits; ++i) {
      const float lse = load_fresh(p.partial_lse + slot(i) * kMlaRows + row);
      most = lse > most ? lse : most;
    }
    float total = 0.0F;
    float o[kMlaLatent / 32] = {};
    for (int i = 0; i < splits && most != -kInfinity; ++i) {
      const float weight = exp2_fast(load_fresh(p.partial_lse + slot(i) * kMlaRows + row) - most);
      total += weight;
      const float* from = p.partial + (slot(i) * kMlaRows + row) * kMlaLatent + lane_index();
      R1_UNROLL
      for (int j = 0; j < kMlaLatent / 32; ++j) {
        o[j] += weight * load_fresh(from + 32 * j);
      }
    }
    const float factor = total > 0.0F ? 1.0F / total : 0.0F;
    const std::int64_t out_row = std::int64_t{s} * a.queries * a.heads + tile * kMlaRows + row;
    R1_UNROLL
    for (int j = 0; j < kMlaLatent / 32; ++j) {
      a.out[out_row * kMlaLatent + lane_index() + 32 * j] = round_bf16(o[j] * factor);
    }
    if (a.lse != nullptr && lane_index() == 0) {
      a.lse[out_row] = total > 0.0F ? (most + log2_fast(total)) * kLn2 : kInfinity;
    }
  }
}

// Sequences without tokens: zeros.
R1_DEV void mla_fill_empty(const device::MlaDecode& a) {
  const std::int64_t rows = std::int64_t{a.queries} * a.heads;
  for (std::int64_t s = block_index(); s < a.batch; s += grid_blocks()) {
    if (cache_blocks(__ldg(a.lengths + s)) > 0) {
      continue;
    }
    for (std::int64_t i = thread_index(); i < rows * kMlaLatent; i += kMlaThreads) {
      a.out[s * rows * kMlaLatent + i] = Bf16{0};
    }
    for (std::int64_t i = thread_index(); i < rows && a.lse != nullptr; i += kMlaThreads) {
      a.lse[s * rows + i] = kInfinity;
    }
  }
}

R1_KERNEL void R1_BOUNDS(kMlaThreads, 1) mla_decode_kernel(const __grid_constant__ MlaParams p) {
  auto* s = shared<MlaShared>();
  auto* starts = reinterpret_cast<std::int32_t*>(s->k);  // before the first load and after the last
  const device::MlaDecode& a = p.a;
  const auto tile = static_cast<int>(block_index() % p.tiles);
  const auto part = static_cast<int>(block_index() / p.tiles);
  if (thread_index() == 0) {
    barrier_init(&s->q_full, 1);
    barrier_init(&s->q_empty, kMlaConsumers / 32);
    for (int i = 0; i < kMlaStages; ++i) {
      for (int j = 0; j < kMlaBoxes; ++j) {
        barrier_init(&s->k_full[i][j], 1);
      }
      barrier_init(&s->k_empty[i], kMlaConsumers / 32);
    }
    barrier_init_fence();
  }
  if (warp_index() == 0) {
    sum_blocks(a, starts);
  }
  __syncthreads();
  const SplitPlan plan = SplitPlan::make(starts[a.batch], p.parts, kShortestPart);
  SegmentWalk walk{plan, part, plan.end(part), plan.begin(part), 0, 0, 0};
  if (walk.block < walk.end) {
    walk.sequence = sequence_at(starts, static_cast<int>(a.batch), walk.block);
    walk.start = starts[walk.sequence];
    walk.length = __ldg(a.lengths + walk.sequence);
  }
  mla_fill_empty(a);
  async_proxy_fence();  // `starts` gives way to loads
  __syncthreads();
  if (thread_index() < kMlaConsumers) {
    registers_more<224>();
    mla_consume(p, s, walk, tile);
  } else {
    registers_fewer<56>();
    if (thread_index() == kMlaConsumers) {
      mla_produce(p, s, walk, tile);
    }
    __syncwarp();
  }
  if (plan.per_part >= plan.n_blocks) {
    return;  // one part has everything: nothing is split
  }
  grid_barrier();
  if (warp_index() == 0) {
    sum_blocks(a, starts);
  }
  __syncthreads();
  mla_merge(p, plan, starts, tile);
}

static int mla_tiles(const device::MlaDecode& a) {
  return ceil_div(a.queries * a.heads, kMlaRows);
}

static MlaParams mla_buffers(const device::MlaDecode& a, void* workspace) {
  MlaParams p{};
  p.a = a;
  p.tiles = larger(mla_tiles(a), 1);
  p.parts = larger(multiprocessors() / p.tiles, 1);
  Carver carve(workspace);
  const std::int64_t slots = std::int64_t{p.parts} * p.tiles * 2;
  p.partial = carve.take<float>(slots * kMlaRows * kMlaLatent);
  p.partial_lse = carve.take<float>(slots * kMlaRows);
  return p;
}

bool mla_decode_takes(const device::MlaDecode& a) {
  return !a.cache_is_e4m3 && a.latent == kMlaLatent && a.rope == kMlaWidth - kMlaLatent &&
         mla_tiles(a) <= multiprocessors() && a.batch <= 16384 && a.cache_rows > 0 &&
         a.batch * a.queries * a.heads > 0;
}

std::size_t mla_decode_workspace_bytes(const device::MlaDecode& a) {
  const MlaParams p = mla_buffers(a, nullptr);
  const std::size_t slots =
      static_cast<std::size_t>(p.parts) * static_cast<std::size_t>(p.tiles) * 2;
  return slots * kMlaRows * (kMlaLatent + 1) * sizeof(float) + 512;
}

Status mla_decode(const device::MlaDecode& a, void* stream) {
  if (a.workspace == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "mla.decode: needs a workspace");
  }
  MlaParams p = mla_buffers(a, a.workspace);
  const auto map = [](const void* base, std::int64_t rows) {
    TensorMapParams params;
    params.base = base;
    params.with(kMlaWidth, 0, 64).with(rows, kMlaWidth * 2, 64);
    return make_tensor_map(params);
  };
  R1_TRY(p.q, map(a.q, a.batch * a.queries * a.heads));
  R1_TRY(p.cache, map(a.cache, a.cache_rows));
  return launch("mla.decode",
                {.blocks = std::int64_t{p.parts} * p.tiles,
                 .threads = kMlaThreads,
                 .shared_bytes = sizeof(MlaShared),
                 .all_resident = true},
                stream, mla_decode_kernel, p);
}

}  // namespace r1eval::kernels::R1_DEVICE
