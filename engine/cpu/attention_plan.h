// Which query columns of a step are computed together.
//
// The problem  Samples of one prompt read the same pages of the key/value cache, and the kernel
// saves
//   what neighbouring columns have in common (kernels/cpu/attention_impl.h). It sees 32 columns at
//   a time, so the step's tokens must be put next to those they share most with.
// The idea  Page tables are compared as words are: in their lexicographic order, sequences with a
//   common prefix stand together, those with a longer one closer. Tokens of one sequence are
//   neighbours already. The list is cut into blocks where neighbours share nothing, and into pieces
//   of nearly equal size where they share for longer than a block.
// Bits  An order and a cut only: no output depends on it.
// Threads  make() by the scheduler thread before a step; read by all workers in it.
// Tested   tests/engine/cpu/sharing_test.cc
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/cpu/step_token.h"

namespace r1eval::cpu {

class AttentionPlan {
 public:
  struct Column {
    std::int32_t token = 0;  // of the step
    std::int32_t head = 0;   // of the query heads that share a key/value head
  };

  // `shares` false keeps sequences apart: for comparison.
  void make(std::span<const StepToken> tokens, std::int64_t heads_per_kv, std::int64_t n_kv_heads,
            std::int64_t n_threads, bool shares);

  std::int64_t n_blocks() const { return static_cast<std::int64_t>(blocks_.size()); }

  // At most kernels::kMaxAttentionColumns columns. Dear blocks come first.
  std::span<const Column> block(std::int64_t index) const;

 private:
  // Consecutive tokens of one sequence.
  struct Member {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    const std::int32_t* pages = nullptr;
    std::int64_t n_pages = 0;
  };

  struct Block {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::int64_t cost = 0;
  };

  std::vector<Member> members_;
  std::vector<Column> columns_;
  std::vector<Block> blocks_;
};

}  // namespace r1eval::cpu
