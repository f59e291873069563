// Log-probabilities from the output head without ever holding a row of logits for each token.
//
// The idea  The vocabulary is cut into blocks of 1,024 rows at fixed places. A block's logits of
// some
//   tokens are computed into a thread's scratch, reduced to (maximum, sum of exponentials, best
//   token) while they are in the cache, and the wanted tokens' logits are picked out; then the
//   blocks of a token are folded in ascending order, in double.
// Bits   neither the number of threads nor of tokens enters a chain: a score is the same bits alone
// or
//        in a batch.
// Tested tests/engine/cpu/scores_test.cc, against whole rows of logits
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/model_runner.h"
#include "kernels/cpu/thread_team.h"
#include "kernels/kernels.h"

namespace r1eval::cpu {

// A wanted log-probability: of `token` after the scored row `row`.
struct RowTarget {
  std::int64_t row = 0;
  TokenId token = 0;
};

class HeadScores {
 public:
  static constexpr std::int64_t kBlockRows = 1024;  // of the vocabulary
  static constexpr std::int64_t kGroupRows = 32;    // tokens scored at once

  // Writes the head's outputs [first, first + n) for the columns of the group to rows of
  // kBlockRows.
  using BlockProduct =
      std::function<void(std::int64_t first, std::int64_t n, std::int64_t n_columns, float* out)>;

  // Before a step, by one thread. `n_real` tokens of the vocabulary count. Rows of `targets`
  // ascend.
  void begin(const kernels::KernelTable& kernels, std::int64_t n_real,
             std::span<const RowTarget> targets, std::span<TokenScore> scores);

  // Scores rows [row, row + n), whose columns are 0 to n - 1.
  void run(ThreadTeam& team, std::int64_t row, std::int64_t n, const BlockProduct& product);

  // The logarithm of the sum of exp over the real tokens of a whole row of logits.
  double log_sum(const float* logits) const;

 private:
  double fold(std::span<const kernels::RowSummary> blocks, TokenId& best) const;

  const kernels::KernelTable* kernels_ = nullptr;
  std::int64_t n_real_ = 0;
  std::int64_t n_blocks_ = 0;
  std::span<const RowTarget> targets_;
  std::span<TokenScore> scores_;
  std::vector<kernels::RowSummary> blocks_;  // (kGroupRows, n_blocks)
  std::vector<float> target_logits_;
};

}  // namespace r1eval::cpu
