// See head_scores.h.
#include "engine/cpu/head_scores.h"

#include <algorithm>
#include <cmath>

namespace r1eval::cpu {

void HeadScores::begin(const kernels::KernelTable& kernels, std::int64_t n_real,
                       std::span<const RowTarget> targets, std::span<TokenScore> scores) {
  kernels_ = &kernels;
  n_real_ = n_real;
  n_blocks_ = (n_real + kBlockRows - 1) / kBlockRows;
  targets_ = targets;
  scores_ = scores;
  blocks_.resize(static_cast<std::size_t>(targets.empty() ? 0 : kGroupRows * n_blocks_));
  target_logits_.assign(targets.size(), -INFINITY);  // padding has no probability
}

void HeadScores::run(ThreadTeam& team, std::int64_t row, std::int64_t n,
                     const BlockProduct& product) {
  // This group's targets.
  const auto by_row = [](const RowTarget& target, std::int64_t value) {
    return target.row < value;
  };
  const auto first = std::lower_bound(targets_.begin(), targets_.end(), row, by_row);
  const auto last = std::lower_bound(first, targets_.end(), row + n, by_row);
  team.phase(n_blocks_, 1, [&](std::int64_t begin, std::int64_t end) {
    thread_local std::vector<float> scratch;
    scratch.resize(static_cast<std::size_t>(kGroupRows * kBlockRows));
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t from = b * kBlockRows;
      const std::int64_t width = std::min(kBlockRows, n_real_ - from);
      product(from, width, n, scratch.data());
      for (std::int64_t r = 0; r < n; ++r) {
        kernels::RowSummary& block = blocks_[static_cast<std::size_t>(r * n_blocks_ + b)];
        block = kernels_->summarize(scratch.data() + r * kBlockRows, width);
        block.best += from;
      }
      for (auto target = first; target != last; ++target) {
        if (target->token >= from && target->token < from + width) {
          target_logits_[static_cast<std::size_t>(target - targets_.begin())] =
              scratch[static_cast<std::size_t>((target->row - row) * kBlockRows + target->token -
                                               from)];
        }
      }
    }
  });
  team.phase(last - first, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto at = static_cast<std::size_t>(first - targets_.begin() + i);
      const std::int64_t r = targets_[at].row - row;
      TokenScore& score = scores_[at];
      const double sum = fold(std::span(blocks_).subspan(static_cast<std::size_t>(r * n_blocks_),
                                                         static_cast<std::size_t>(n_blocks_)),
                              score.best);
      score.logprob = static_cast<double>(target_logits_[at]) - sum;
    }
  });
}

double HeadScores::fold(std::span<const kernels::RowSummary> blocks, TokenId& best) const {
  const auto most = std::max_element(
      blocks.begin(), blocks.end(), [](const kernels::RowSummary& a, const kernels::RowSummary& b) {
        return a.maximum < b.maximum;
      });
  best = static_cast<TokenId>(most->best);
  const double maximum = most->maximum;
  double sum = 0;
  for (const kernels::RowSummary& block : blocks) {
    sum += static_cast<double>(block.sum) * std::exp(static_cast<double>(block.maximum) - maximum);
  }
  return maximum + std::log(sum);
}

double HeadScores::log_sum(const float* logits) const {
  std::vector<kernels::RowSummary> blocks;
  for (std::int64_t from = 0; from < n_real_; from += kBlockRows) {
    blocks.push_back(kernels_->summarize(logits + from, std::min(kBlockRows, n_real_ - from)));
  }
  TokenId best = 0;
  return fold(blocks, best);
}

}  // namespace r1eval::cpu
