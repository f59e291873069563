// Splitting the caches of some sequences over the blocks of one launch, and putting the parts
// together again.
//
// Plan     Blocks (of kBlockTokens) of all sequences stand in one line; part p of P takes a run of
//          `per_part` of them. A part may end one sequence, hold others entirely and begin another;
//          a sequence over several parts is split, and split i of it is the part first_part + i. So
//          a part writes at most two partial results: of its first and of its last segment. With
//          the prefix sums of the blocks everything follows in O(1) and no plan has to be stored,
//          sent or made by another launch. A sequence of length zero has no blocks and no part: its
//          result is written apart.
// Merge    Each split gives o_i (normalised) and lse_i = log(sum exp(score)). The whole is
//          sum w_i o_i, w_i = exp(lse_i - lse), lse = log(sum exp(lse_i)). A split that saw nothing
//          has lse -inf and weight 0. If none saw anything, o = 0 and lse = +inf.
// Source   the split and merge are those of Flash-Decoding (Dao et al. 2023); the empty result's
// +inf
//          is the convention of FlashMLA's and FlashAttention's interfaces.
// Tested   tests/kernels/shared_test.cc: every block once, splits numbered without gaps, zero
// lengths
//          anywhere, one block, more parts than blocks.
#pragma once

#include <cstdint>

#include "kernels/shared/host_device.h"

namespace r1eval::kernels {

constexpr int kBlockTokens = 64;

R1_HD constexpr int cache_blocks(int length) {
  return length > 0 ? ceil_div(length, kBlockTokens) : 0;
}

// Numbers of blocks fit 31 bits: registers are what the kernels that walk over it are short of.
struct SplitPlan {
  std::int32_t n_blocks = 0;  // of all sequences
  std::int32_t per_part = 1;

  // `shortest`: parts are not made smaller than so many blocks, since every split costs a partial
  // result to write and to read again.
  R1_HD static constexpr SplitPlan make(std::int32_t n_blocks, std::int32_t n_parts,
                                        std::int32_t shortest) {
    const std::int32_t even = n_blocks > 0 ? ceil_div(n_blocks, n_parts) : 1;
    return {n_blocks, larger(even, larger(shortest, 1))};
  }

  R1_HD constexpr std::int32_t begin(std::int32_t part) const {
    return static_cast<std::int32_t>(
        smaller<std::int64_t>(std::int64_t{part} * per_part, n_blocks));
  }

  R1_HD constexpr std::int32_t end(std::int32_t part) const { return begin(part + 1); }

  // Splits of the sequence whose blocks are [first, last) of the line.
  R1_HD constexpr std::int32_t splits(std::int32_t first, std::int32_t last) const {
    return first >= last ? 0 : (last - 1) / per_part - first / per_part + 1;
  }

  R1_HD constexpr std::int32_t first_part(std::int32_t first) const { return first / per_part; }
};

// One piece of work: blocks [begin, end) of a sequence.
struct Segment {
  int sequence = 0;
  int begin = 0;
  int end = 0;
  int split = 0;     // which of
  int n_splits = 0;  // so many; 1 = the result is final
};

// The sequence of a segment that begins at `block` of the line: the last with starts[s] <= block
// that is not empty. starts: (n + 1), prefix sums of blocks.
R1_HD constexpr int sequence_at(const std::int32_t* starts, int n, std::int32_t block) {
  int low = 0;
  int high = n;  // the first sequence that begins after `block` is in (low, high]
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (starts[middle] <= block) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

// The segment that begins at `block` of the line (which the part must contain).
R1_HD constexpr Segment segment_at(const SplitPlan& plan, const std::int32_t* starts, int n,
                                   std::int32_t part, std::int32_t block) {
  const int s = sequence_at(starts, n, block);
  const std::int32_t last = smaller(starts[s + 1], plan.end(part));
  return {s, block - starts[s], last - starts[s], part - plan.first_part(starts[s]),
          plan.splits(starts[s], starts[s + 1])};
}

}  // namespace r1eval::kernels
