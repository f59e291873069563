// From "token t goes to experts ids[t][0 … k)" to rows sorted by expert.
//
// Pairs    pair p = t * k + j. Expert e owns rows [offsets[e], offsets[e + 1]) of the sorted order;
//          inside an expert pairs keep their order, so the map is a function of ids alone.
//          With `align` above 1 every expert's first row is a multiple of it and the rows up to the
//          next expert are padding (pair_of_row = -1).
// Ids      outside [0, n_experts) mark a pair that goes nowhere (row_of_pair = -1).
// Tested   tests/kernels/shared_test.cc; the device's parallel forms are compared with this one.
#pragma once

#include <cstdint>

#include "kernels/shared/host_device.h"

namespace r1eval::kernels {

// counts: (n_experts).
constexpr void count_pairs(const std::int32_t* ids, std::int64_t n_pairs, int n_experts,
                           std::int32_t* counts) {
  for (int e = 0; e < n_experts; ++e) {
    counts[e] = 0;
  }
  for (std::int64_t p = 0; p < n_pairs; ++p) {
    if (ids[p] >= 0 && ids[p] < n_experts) {
      ++counts[ids[p]];
    }
  }
}

// offsets: (n_experts + 1).
constexpr void scan_counts(const std::int32_t* counts, int n_experts, int align,
                           std::int32_t* offsets) {
  offsets[0] = 0;
  for (int e = 0; e < n_experts; ++e) {
    offsets[e + 1] = offsets[e] + round_up(counts[e], align);
  }
}

// row_of_pair: (n_pairs). pair_of_row: (offsets[n_experts]). `next`: (n_experts) of scratch.
constexpr void scatter_pairs(const std::int32_t* ids, std::int64_t n_pairs, int n_experts,
                             const std::int32_t* offsets, std::int32_t* next,
                             std::int32_t* row_of_pair, std::int32_t* pair_of_row) {
  for (int e = 0; e < n_experts; ++e) {
    next[e] = offsets[e];
  }
  for (std::int32_t r = 0; r < offsets[n_experts]; ++r) {
    pair_of_row[r] = -1;
  }
  for (std::int64_t p = 0; p < n_pairs; ++p) {
    row_of_pair[p] = -1;
    if (ids[p] >= 0 && ids[p] < n_experts) {
      row_of_pair[p] = next[ids[p]]++;
      pair_of_row[row_of_pair[p]] = static_cast<std::int32_t>(p);
    }
  }
}

// Rows that the sorted order can have at most: with every expert padded, and never more experts hit
// than there are pairs.
R1_HD constexpr std::int64_t most_sorted_rows(std::int64_t n_pairs, std::int64_t n_experts,
                                              std::int64_t align) {
  return n_pairs + smaller(n_pairs, n_experts) * (align - 1);
}

}  // namespace r1eval::kernels
