// See prefix_index.h.
#include "engine/cpu/prefix_index.h"

#include <algorithm>

#include "base/check.h"
#include "base/rng.h"

namespace r1eval::cpu {

PrefixIndex::PrefixIndex(std::int64_t n_pages, std::int64_t page_tokens, std::string_view model_id)
    : page_tokens_(page_tokens),
      nodes_(static_cast<std::size_t>(n_pages)),
      tokens_(static_cast<std::size_t>(n_pages * page_tokens)) {
  for (const char c : model_id) {
    root_hash_ = random_at(root_hash_, static_cast<unsigned char>(c));
  }
}

std::uint64_t PrefixIndex::hash_after(std::int32_t before, std::span<const TokenId> tokens) const {
  std::uint64_t hash = before < 0 ? root_hash_ : node(before).hash;
  // A multiply and a shift a token: collisions cost a comparison, no more.
  for (const TokenId token : tokens) {
    hash = (hash ^ static_cast<std::uint32_t>(token)) * 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 29;
  }
  return hash;
}

std::span<const TokenId> PrefixIndex::tokens_of(std::int32_t page) const {
  return std::span<const TokenId>(tokens_).subspan(static_cast<std::size_t>(page * page_tokens_),
                                                   static_cast<std::size_t>(page_tokens_));
}

std::int32_t PrefixIndex::lookup(std::uint64_t hash, std::int32_t before,
                                 std::span<const TokenId> tokens) const {
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto at = first; at != last; ++at) {
    if (node(at->second).before == before && std::ranges::equal(tokens_of(at->second), tokens)) {
      return at->second;
    }
  }
  return -1;
}

std::vector<std::int32_t> PrefixIndex::find(std::span<const TokenId> tokens,
                                            std::int64_t n_most) const {
  std::vector<std::int32_t> pages;
  const auto n = static_cast<std::size_t>(page_tokens_);
  std::int32_t before = -1;
  while (static_cast<std::int64_t>(pages.size()) < n_most && tokens.size() >= n) {
    const auto here = tokens.first(n);
    before = lookup(hash_after(before, here), before, here);
    if (before < 0) {
      break;
    }
    pages.push_back(before);
    tokens = tokens.subspan(n);
  }
  return pages;
}

std::int32_t PrefixIndex::insert(std::int32_t before, std::span<const TokenId> tokens,
                                 std::int32_t page) {
  R1_CHECK(before < 0 || holds(before), "a page is indexed before the one it continues");
  if (holds(page)) {
    return page;
  }
  const std::uint64_t hash = hash_after(before, tokens);
  if (const std::int32_t known = lookup(hash, before, tokens); known >= 0) {
    return known;
  }
  std::ranges::copy(tokens, tokens_.begin() + page * page_tokens_);
  node(page) = Node{true, false, hash, before, 0, 0};
  by_hash_.emplace(hash, page);
  if (before >= 0) {
    unlist(before);
    ++node(before).n_after;
  }
  return page;
}

bool PrefixIndex::holds(std::int32_t page) const {
  return !nodes_.empty() && node(page).is_known;
}

void PrefixIndex::release(std::int32_t page) {
  Node& released = node(page);
  released.is_idle = true;
  released.released_at = ++clock_;
  ++n_idle_;
  list(page);
}

void PrefixIndex::use(std::int32_t page) {
  if (node(page).is_idle) {
    unlist(page);
    node(page).is_idle = false;
    --n_idle_;
  }
}

std::int32_t PrefixIndex::evict() {
  R1_CHECK(!evictable_.empty(), "no idle page to evict");
  const std::int32_t page = evictable_.begin()->second;
  evictable_.erase(evictable_.begin());
  Node& gone = node(page);
  const auto [first, last] = by_hash_.equal_range(gone.hash);
  for (auto at = first; at != last; ++at) {
    if (at->second == page) {
      by_hash_.erase(at);
      break;
    }
  }
  if (gone.before >= 0) {
    --node(gone.before).n_after;
    list(gone.before);
  }
  gone = Node();
  --n_idle_;
  return page;
}

void PrefixIndex::list(std::int32_t page) {
  const Node& listed = node(page);
  if (listed.is_idle && listed.n_after == 0) {
    evictable_.emplace(listed.released_at, page);
  }
}

void PrefixIndex::unlist(std::int32_t page) {
  evictable_.erase({node(page).released_at, page});
}

}  // namespace r1eval::cpu
