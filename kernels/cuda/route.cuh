// The router's choice by one warp a token, and the permutation map by one block: parts of route.cu
// and of the fused layer.
#pragma once

#include "kernels/cuda/simple.cuh"

namespace r1eval::kernels::R1_DEVICE {

// The best of `n` values (lowest index among equals; never -1 while n > 0), by one warp.
R1_DEV int warp_argmax(const float* values, int n) {
  float best = -kInfinity;
  int at = 1 << 30;
  for (int i = lane_index(); i < n; i += 32) {
    if (values[i] > best) {
      best = values[i];
      at = i;
    }
  }
  R1_UNROLL
  for (int mask = 16; mask > 0; mask /= 2) {
    const float other = __shfl_xor_sync(kWholeWarp, best, mask);
    const int other_at = __shfl_xor_sync(kWholeWarp, at, mask);
    if (other > best || (other == best && other_at < at)) {
      best = other;
      at = other_at;
    }
  }
  return at < n ? at : -1;
}

constexpr int kMostRouted = 256;  // experts that the warp's form takes

struct RouterScratch {
  float score[kMostRouted];   // s
  float choice[kMostRouted];  // t; -inf once chosen or ruled out
  float group[32];
  float picked[32];
};

// One token: ids and weights, k each. `logits` may have been written by another block in this
// launch.
R1_DEV void warp_router_topk(const device::RouterTopK& a, const float* logits, const float* bias,
                             RouterScratch* s, std::int32_t* ids, float* weights) {
  const int lane = lane_index();
  float most = -kInfinity;
  for (int e = lane; e < a.experts; e += 32) {
    const float x = load_fresh(logits + e);
    s->score[e] = x;
    most = x > most ? x : most;
  }
  most = warp_max(most);
  float sum = 0.0F;
  for (int e = lane; e < a.experts; e += 32) {
    const float x = s->score[e];
    s->score[e] = a.is_sigmoid ? 1.0F / (1.0F + expf(-x)) : expf(x - most);
    sum += s->score[e];
  }
  sum = warp_sum(sum);
  for (int e = lane; e < a.experts; e += 32) {
    if (!a.is_sigmoid) {
      s->score[e] /= sum;
    }
    s->choice[e] = s->score[e] + (bias != nullptr ? __ldg(bias + e) : 0.0F);
  }
  __syncwarp();
  if (a.groups > 1) {
    const int per_group = a.experts / a.groups;
    if (lane < a.groups) {
      float first = -kInfinity;
      float second = -kInfinity;
      for (int e = lane * per_group; e < (lane + 1) * per_group; ++e) {
        const float t = s->choice[e];
        second = t > first ? first : t > second ? t : second;
        first = t > first ? t : first;
      }
      s->group[lane] = bias != nullptr && per_group > 1 ? first + second : first;
    }
    __syncwarp();
    for (int i = 0; i < a.groups_kept; ++i) {
      const int g = warp_argmax(s->group, a.groups);
      __syncwarp();
      if (lane == 0 && g >= 0) {
        s->group[g] = -kInfinity;
      }
      __syncwarp();
    }
    // What is still above -inf was not kept.
    for (int e = lane; e < a.experts; e += 32) {
      if (s->group[e / per_group] != -kInfinity) {
        s->choice[e] = -kInfinity;
      }
    }
    __syncwarp();
  }
  float total = 0.0F;
  for (int j = 0; j < a.k; ++j) {
    int e = warp_argmax(s->choice, a.experts);
    e = e < 0 ? j : e;  // only where logits are NaN
    __syncwarp();
    if (lane == 0) {
      ids[j] = e;
      s->picked[j] = s->score[e];
      s->choice[e] = -kInfinity;
    }
    __syncwarp();
    total += s->picked[j];
  }
  const float factor = a.is_renormalized ? a.scale / total : a.scale;
  if (lane < a.k) {
    weights[lane] = s->picked[lane] * factor;
  }
  __syncwarp();
}

// Counts, scan and places of all pairs by the whole block, stably.
//
// Each warp takes a run of pairs, 32 at a time in order: lanes with the same expert find their rank
// among themselves by their mask, and the warp's own counter of that expert gives the rest. One
// pass counts, a scan over warps and experts turns counts into first places, a second pass places.
struct MapScratch {
  int n_warps;
  std::int32_t* table;   // (n_warps, experts) of shared memory
  std::int32_t* starts;  // (experts + 1): offsets, aligned; stays valid
  std::int32_t* counts;  // (experts): rows of each; stays valid
};

// place(pair, row) is called once for each pair; row -1: goes nowhere.
template <class Ids, class Place>
R1_DEV void block_permute_map(const MapScratch& s, int n_pairs, int experts, int align, Ids ids,
                              Place place) {
  const int t = thread_index();
  const int warp = warp_index();
  const unsigned lane_bit = 1U << lane_index();
  for (int i = t; i < s.n_warps * experts; i += block_threads()) {
    s.table[i] = 0;
  }
  __syncthreads();
  const int per_warp = round_up(ceil_div(n_pairs, s.n_warps), 32);
  const int begin = smaller(warp * per_warp, n_pairs);
  const int end = smaller(begin + per_warp, n_pairs);
  std::int32_t* mine = s.table + warp * experts;
  for (int p0 = begin; p0 < end; p0 += 32) {
    const int p = p0 + lane_index();
    int id = p < end ? ids(p) : -1;
    id = id >= 0 && id < experts ? id : -1;
    const unsigned same = __match_any_sync(kWholeWarp, id);
    if (id >= 0 && (same & (lane_bit - 1U)) == 0) {
      mine[id] += __popc(same);
    }
    __syncwarp();
  }
  __syncthreads();
  // Over the warps for each expert; then over the experts, by one warp.
  for (int e = t; e < experts; e += block_threads()) {
    std::int32_t sum = 0;
    for (int w = 0; w < s.n_warps; ++w) {
      const std::int32_t count = s.table[w * experts + e];
      s.table[w * experts + e] = sum;
      sum += count;
    }
    s.counts[e] = sum;
  }
  __syncthreads();
  if (warp == 0) {
    std::int32_t base = 0;
    for (int e0 = 0; e0 < experts; e0 += 32) {
      const int e = e0 + lane_index();
      const std::int32_t rows = e < experts ? round_up(s.counts[e], align) : 0;
      std::int32_t sum = rows;
      R1_UNROLL
      for (int by = 1; by < 32; by *= 2) {
        const std::int32_t other = __shfl_up_sync(kWholeWarp, sum, by);
        sum += lane_index() >= by ? other : 0;
      }
      if (e < experts) {
        s.starts[e] = base + sum - rows;
      }
      base += __shfl_sync(kWholeWarp, sum, 31);
    }
    if (lane_index() == 0) {
      s.starts[experts] = base;
    }
  }
  __syncthreads();
  for (int p0 = begin; p0 < end; p0 += 32) {
    const int p = p0 + lane_index();
    int id = p < end ? ids(p) : -1;
    id = id >= 0 && id < experts ? id : -1;
    const unsigned same = __match_any_sync(kWholeWarp, id);
    const std::int32_t first = id >= 0 ? mine[id] : 0;
    __syncwarp();
    if (id >= 0 && (same & (lane_bit - 1U)) == 0) {
      mine[id] = first + __popc(same);
    }
    if (p < end) {
      place(p, id >= 0 ? s.starts[id] + first + __popc(same & (lane_bit - 1U)) : -1);
    }
    __syncwarp();
  }
  __syncthreads();
}

}  // namespace r1eval::kernels::R1_DEVICE
