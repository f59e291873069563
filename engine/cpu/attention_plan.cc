// See attention_plan.h.
#include "engine/cpu/attention_plan.h"

#include <algorithm>

#include "kernels/kernels.h"

namespace r1eval::cpu {

void AttentionPlan::make(std::span<const StepToken> tokens, std::int64_t heads_per_kv,
                         std::int64_t n_kv_heads, std::int64_t n_threads, bool shares) {
  members_.clear();
  columns_.clear();
  blocks_.clear();
  const auto n_tokens = static_cast<std::int64_t>(tokens.size());
  for (std::int64_t begin = 0; begin < n_tokens;) {
    const StepToken& first = tokens[static_cast<std::size_t>(begin)];
    std::int64_t end = begin + 1;
    while (end < n_tokens && tokens[static_cast<std::size_t>(end)].pages == first.pages) {
      ++end;
    }
    const std::int64_t last = tokens[static_cast<std::size_t>(end - 1)].position;
    members_.push_back({begin, end, first.pages, last / kernels::kPageTokens + 1});
    begin = end;
  }
  if (shares) {
    std::sort(members_.begin(), members_.end(), [](const Member& a, const Member& b) {
      return std::lexicographical_compare(a.pages, a.pages + a.n_pages, b.pages,
                                          b.pages + b.n_pages);
    });
  }
  // Blocks of half the size where whole ones would not keep every thread busy to the end.
  std::int64_t widest = kernels::kMaxAttentionColumns;
  if (n_tokens * heads_per_kv * n_kv_heads < 8 * n_threads * widest) {
    widest /= 2;
  }
  for (std::size_t m = 0; m < members_.size();) {
    const auto begin = static_cast<std::int64_t>(columns_.size());
    const std::int32_t first_page = members_[m].pages[0];
    std::int64_t positions = 0;
    do {
      for (std::int64_t token = members_[m].begin; token < members_[m].end; ++token) {
        for (std::int64_t head = 0; head < heads_per_kv; ++head) {
          columns_.push_back({static_cast<std::int32_t>(token), static_cast<std::int32_t>(head)});
        }
      }
      positions = std::max(positions, members_[m].n_pages);
      ++m;
    } while (shares && m < members_.size() && members_[m].pages[0] == first_page);
    const std::int64_t n = static_cast<std::int64_t>(columns_.size()) - begin;
    const std::int64_t n_pieces = (n + widest - 1) / widest;
    std::int64_t size = (n + n_pieces - 1) / n_pieces;
    // Heads of a token stay together where they can.
    const std::int64_t whole = (size + heads_per_kv - 1) / heads_per_kv * heads_per_kv;
    size = whole <= kernels::kMaxAttentionColumns ? whole : size;
    for (std::int64_t at = 0; at < n; at += size) {
      const std::int64_t end = std::min(at + size, n);
      blocks_.push_back({begin + at, begin + end, (end - at) * positions});
    }
  }
  std::stable_sort(blocks_.begin(), blocks_.end(),
                   [](const Block& a, const Block& b) { return a.cost > b.cost; });
}

std::span<const AttentionPlan::Column> AttentionPlan::block(std::int64_t index) const {
  const Block& block = blocks_[static_cast<std::size_t>(index)];
  return std::span<const Column>(columns_).subspan(
      static_cast<std::size_t>(block.begin), static_cast<std::size_t>(block.end - block.begin));
}

}  // namespace r1eval::cpu
