// Which full pages of the key/value cache hold which tokens, so that a prompt that begins like an
// earlier one need not be computed again.
//
// Key      a page is known by the tokens of its sequence up to its end: a chain of hashes (model,
//          hash of the page before, the page's own tokens), and never believed without comparing
//          the tokens themselves and the page before.
// Life     a page that no sequence uses stays, idle, until its room is needed: the one that was
// used
//          longest ago goes first, and never before the pages that continue it. Pages in use are
//          never given up.
// Units    pages by number; all pages hold the same number of tokens.
// Threads  one thread.
// Tested   tests/engine/cpu/prefix_index_test.cc, against a plain model
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/model_runner.h"

namespace r1eval::cpu {

class PrefixIndex {
 public:
  PrefixIndex() = default;
  PrefixIndex(std::int64_t n_pages, std::int64_t page_tokens, std::string_view model_id);

  // The longest run of known pages that `tokens` begin with, at most `n_most` pages.
  std::vector<std::int32_t> find(std::span<const TokenId> tokens, std::int64_t n_most) const;

  // `page`, in use, now holds `tokens` (one page full) after page `before` (-1: it is the first).
  // Returns the page that is known to hold just this: `page`, or an older one.
  std::int32_t insert(std::int32_t before, std::span<const TokenId> tokens, std::int32_t page);

  bool holds(std::int32_t page) const;

  // A known page is no longer used by any sequence, or is used again.
  void release(std::int32_t page);
  void use(std::int32_t page);

  std::int64_t n_idle() const { return n_idle_; }

  // Forgets the idle page that nothing continues and that was released longest ago. There must be
  // an idle page.
  std::int32_t evict();

 private:
  struct Node {
    bool is_known = false;
    bool is_idle = false;
    std::uint64_t hash = 0;
    std::int32_t before = -1;
    std::int32_t n_after = 0;  // known pages that continue this one
    std::uint64_t released_at = 0;
  };

  Node& node(std::int32_t page) { return nodes_[static_cast<std::size_t>(page)]; }

  const Node& node(std::int32_t page) const { return nodes_[static_cast<std::size_t>(page)]; }

  std::uint64_t hash_after(std::int32_t before, std::span<const TokenId> tokens) const;
  // The known page with this content, or -1.
  std::int32_t lookup(std::uint64_t hash, std::int32_t before,
                      std::span<const TokenId> tokens) const;
  std::span<const TokenId> tokens_of(std::int32_t page) const;
  void list(std::int32_t page);  // among those that can be evicted, if it can
  void unlist(std::int32_t page);

  std::int64_t page_tokens_ = 0;
  std::uint64_t root_hash_ = 0;
  std::vector<Node> nodes_;
  std::vector<TokenId> tokens_;  // (pages, page_tokens)
  std::unordered_multimap<std::uint64_t, std::int32_t> by_hash_;
  std::set<std::pair<std::uint64_t, std::int32_t>> evictable_;  // (released at, page)
  std::uint64_t clock_ = 0;
  std::int64_t n_idle_ = 0;
};

}  // namespace r1eval::cpu
