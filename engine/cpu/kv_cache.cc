// See kv_cache.h.
#include "engine/cpu/kv_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "kernels/kernels.h"

namespace r1eval::cpu {

using kernels::kPageTokens;

std::int64_t KvShape::key_page_stride() const {
  return latent_width == 0 ? n_kv_heads * head_dim * kPageTokens : row_stride() * kPageTokens;
}

std::int64_t KvShape::value_page_stride() const {
  return latent_width == 0 ? n_kv_heads * value_dim() * kPageTokens : 0;
}

std::int64_t KvShape::bytes_per_page() const {
  return n_layers * (key_page_stride() + value_page_stride()) * value_bytes();
}

Result<KvCache> KvCache::make(const KvShape& shape, std::int64_t cache_tokens,
                              std::string_view model_id, bool keeps_prefixes) {
  KvCache cache;
  cache.shape_ = shape;
  cache.n_pages_ = (cache_tokens + kPageTokens - 1) / kPageTokens;
  cache.keeps_prefixes_ = keeps_prefixes;
  cache.index_ = PrefixIndex(cache.n_pages_, kPageTokens, model_id);
  R1_TRY(cache.storage_, Block::make(cache.bytes(), "memory for the key/value cache"));
  cache.references_.assign(static_cast<std::size_t>(cache.n_pages_), 0);
  for (std::int64_t page = cache.n_pages_ - 1; page >= 0; --page) {
    cache.free_.push_back(static_cast<std::int32_t>(page));  // page 0 is taken first
  }
  return cache;
}

CacheStats KvCache::stats() const {
  return {kPageTokens, n_pages_, n_free()};
}

SequenceId KvCache::open() {
  const SequenceId id = next_id_++;
  sequences_.emplace(id, Sequence());
  return id;
}

SequenceId KvCache::open_prefix(std::span<const TokenId> tokens) {
  Sequence sequence;
  if (!tokens.empty()) {
    sequence.pages =
        index_.find(tokens, static_cast<std::int64_t>(tokens.size() - 1) / kPageTokens);
  }
  for (const std::int32_t page : sequence.pages) {
    share_page(page);
  }
  sequence.n_known = static_cast<std::int64_t>(sequence.pages.size());
  sequence.n_tokens = sequence.n_known * kPageTokens;
  const auto held = tokens.first(static_cast<std::size_t>(sequence.n_tokens));
  sequence.tokens.assign(held.begin(), held.end());
  const SequenceId id = next_id_++;
  sequences_.emplace(id, std::move(sequence));
  return id;
}

std::int64_t KvCache::prefix_tokens(std::span<const TokenId> tokens) const {
  if (tokens.empty()) {
    return 0;
  }
  const auto n_most = static_cast<std::int64_t>(tokens.size() - 1) / kPageTokens;
  return static_cast<std::int64_t>(index_.find(tokens, n_most).size()) * kPageTokens;
}

Result<SequenceId> KvCache::fork(SequenceId parent, std::int64_t n_tokens) {
  const auto at = sequences_.find(parent);
  if (at == sequences_.end()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("fork: no sequence {}", parent));
  }
  const Sequence& source = at->second;
  if (n_tokens < 0 || n_tokens > source.n_tokens) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("fork: sequence {} has {} tokens, not {}",
                                                         parent, source.n_tokens, n_tokens));
  }
  const bool has_partial = n_tokens % kPageTokens != 0;
  if (has_partial && n_free() == 0) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("key/value cache: all {} pages of {} tokens are in use", n_pages_,
                            kPageTokens));
  }
  Sequence child;
  child.n_tokens = n_tokens;
  for (std::int64_t i = 0; i < n_tokens / kPageTokens; ++i) {
    const std::int32_t page = source.pages[static_cast<std::size_t>(i)];
    share_page(page);
    child.pages.push_back(page);
  }
  child.n_known = std::min(source.n_known, n_tokens / kPageTokens);
  if (keeps_prefixes_) {
    child.tokens.assign(source.tokens.begin(), source.tokens.begin() + n_tokens);
  }
  if (has_partial) {
    const std::int32_t page = take_page();
    copy_page(source.pages[static_cast<std::size_t>(n_tokens / kPageTokens)], page);
    child.pages.push_back(page);
  }
  const SequenceId id = next_id_++;
  sequences_.emplace(id, std::move(child));
  return id;
}

void KvCache::close(SequenceId sequence) {
  const auto at = sequences_.find(sequence);
  if (at == sequences_.end()) {
    return;
  }
  // Backwards, so that the pages come out of the pool again in their order, and what continues a
  // page is released before it.
  for (auto page = at->second.pages.rbegin(); page != at->second.pages.rend(); ++page) {
    drop_page(*page);
  }
  sequences_.erase(at);
}

std::int64_t KvCache::n_tokens(SequenceId sequence) const {
  const auto at = sequences_.find(sequence);
  return at == sequences_.end() ? 0 : at->second.n_tokens;
}

std::int64_t KvCache::pages_needed(SequenceId sequence, std::int64_t n) const {
  const auto at = sequences_.find(sequence);
  R1_CHECK(at != sequences_.end(), "pages_needed of a closed sequence");
  return (at->second.n_tokens + n + kPageTokens - 1) / kPageTokens -
         static_cast<std::int64_t>(at->second.pages.size());
}

void KvCache::append(SequenceId sequence, std::span<const TokenId> tokens) {
  const auto n = static_cast<std::int64_t>(tokens.size());
  const std::int64_t n_pages = pages_needed(sequence, n);
  R1_CHECK(n_pages <= n_free(), "append beyond the pool");
  Sequence& target = sequences_.find(sequence)->second;
  for (std::int64_t i = 0; i < n_pages; ++i) {
    target.pages.push_back(take_page());
  }
  target.n_tokens += n;
  if (keeps_prefixes_) {
    target.tokens.insert(target.tokens.end(), tokens.begin(), tokens.end());
  }
}

void KvCache::commit(SequenceId sequence) {
  Sequence& target = sequences_.find(sequence)->second;
  while (keeps_prefixes_ && (target.n_known + 1) * kPageTokens <= target.n_tokens) {
    const auto at = static_cast<std::size_t>(target.n_known);
    const std::int32_t before = at == 0 ? -1 : target.pages[at - 1];
    const std::int32_t own = target.pages[at];
    const std::int32_t known =
        index_.insert(before, std::span(target.tokens).subspan(at * kPageTokens, kPageTokens), own);
    if (known != own) {
      share_page(known);
      drop_page(own);
      target.pages[at] = known;
    }
    ++target.n_known;
  }
}

const std::int32_t* KvCache::pages(SequenceId sequence) const {
  const auto at = sequences_.find(sequence);
  return at == sequences_.end() ? nullptr : at->second.pages.data();
}

std::byte* KvCache::keys(std::int64_t layer, std::int64_t kv_head) const {
  const std::int64_t layer_values =
      n_pages_ * (shape_.key_page_stride() + shape_.value_page_stride());
  return storage_.data() +
         (layer * layer_values + kv_head * shape_.head_dim * kPageTokens) * shape_.value_bytes();
}

std::byte* KvCache::values(std::int64_t layer, std::int64_t kv_head) const {
  const std::int64_t layer_values =
      n_pages_ * (shape_.key_page_stride() + shape_.value_page_stride());
  return storage_.data() + (layer * layer_values + n_pages_ * shape_.key_page_stride() +
                            kv_head * shape_.value_dim() * kPageTokens) *
                               shape_.value_bytes();
}

std::int32_t KvCache::take_page() {
  std::int32_t page = 0;
  if (free_.empty()) {
    page = index_.evict();
  } else {
    page = free_.back();
    free_.pop_back();
  }
  references_[static_cast<std::size_t>(page)] = 1;
  return page;
}

void KvCache::share_page(std::int32_t page) {
  if (++references_[static_cast<std::size_t>(page)] == 1) {
    index_.use(page);
  }
}

void KvCache::drop_page(std::int32_t page) {
  if (--references_[static_cast<std::size_t>(page)] > 0) {
    return;
  }
  if (index_.holds(page)) {
    index_.release(page);
  } else {
    free_.push_back(page);
  }
}

void KvCache::copy_page(std::int32_t from, std::int32_t to) {
  const std::int64_t key_bytes = shape_.key_page_stride() * shape_.value_bytes();
  const std::int64_t value_bytes = shape_.value_page_stride() * shape_.value_bytes();
  for (std::int64_t layer = 0; layer < shape_.n_layers; ++layer) {
    std::byte* k = keys(layer, 0);
    std::memcpy(k + to * key_bytes, k + from * key_bytes, static_cast<std::size_t>(key_bytes));
    std::byte* v = values(layer, 0);
    std::memcpy(v + to * value_bytes, v + from * value_bytes,
                static_cast<std::size_t>(value_bytes));
  }
}

}  // namespace r1eval::cpu
