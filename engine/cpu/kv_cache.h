// Paged key/value cache: pages of 32 tokens from one pool, page tables per sequence.
//
// Layout   one page number stands for a page in every layer. Per layer, keys are
//          [page][kv head][dim][token] and values [page][kv head][token][value_dim]: the forms that
//          the attention kernel reads with whole vectors. value_dim is the value's width rounded up
//          to 16. Latent attention keeps one row a token instead: KvShape.
// Sharing  pages are reference counted. fork() shares full pages and copies the last partial one,
// so
//          that the page a sequence writes to is always its own. Full pages are indexed by their
//          tokens (prefix_index.h) and outlive their sequence until their room is needed;
//          open_prefix() begins a sequence with them.
// Units    capacity in tokens, rounded up to pages.    Types  F32 (reference) or F16.
// Threads  tables are changed by the one scheduler thread between steps; workers of a step write
//          disjoint slots and read what an earlier phase wrote.
// Tested   tests/engine/cpu/determinism_test.cc, prefix_index_test.cc
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/result.h"
#include "engine/cpu/prefix_index.h"
#include "engine/model_runner.h"
#include "kernels/cpu/memory.h"

namespace r1eval::cpu {

struct KvShape {
  std::int64_t n_layers = 0;
  std::int64_t n_kv_heads = 0;
  std::int64_t head_dim = 0;
  bool is_f16 = false;
  // Not 0: latent attention. The cache holds one row a token, [page][token][row_stride], of one
  // head, whose first latent_width values are the value; there are no others.
  std::int64_t latent_width = 0;

  std::int64_t value_dim() const {
    return ((latent_width == 0 ? head_dim : latent_width) + 15) / 16 * 16;
  }

  std::int64_t row_stride() const { return latent_width == 0 ? 0 : (head_dim + 15) / 16 * 16; }

  std::int64_t value_bytes() const { return is_f16 ? 2 : 4; }

  // Values from page to page within a layer.
  std::int64_t key_page_stride() const;
  std::int64_t value_page_stride() const;
  std::int64_t bytes_per_page() const;  // all layers, keys and values
};

class KvCache {
 public:
  // `model_id` enters the index's keys. Without `keeps_prefixes` nothing is indexed.
  static Result<KvCache> make(const KvShape& shape, std::int64_t cache_tokens,
                              std::string_view model_id = {}, bool keeps_prefixes = true);

  CacheStats stats() const;

  std::int64_t bytes() const { return n_pages_ * shape_.bytes_per_page(); }

  const KvShape& shape() const { return shape_; }

  SequenceId open();
  // A sequence that begins with the pages known to hold what `tokens` begin with, at least one
  // token short of all.
  SequenceId open_prefix(std::span<const TokenId> tokens);
  std::int64_t prefix_tokens(std::span<const TokenId> tokens) const;  // that it would begin with
  Result<SequenceId> fork(SequenceId parent, std::int64_t n_tokens);
  void close(SequenceId sequence);

  bool is_open(SequenceId sequence) const { return sequences_.count(sequence) > 0; }

  std::int64_t n_tokens(SequenceId sequence) const;

  // Pages that appending `n` tokens would take from the pool.
  std::int64_t pages_needed(SequenceId sequence, std::int64_t n) const;

  // Pages that can be had: unused ones, and those that only the index holds.
  std::int64_t n_free() const { return static_cast<std::int64_t>(free_.size()) + index_.n_idle(); }

  // Reserves room for these tokens; the caller has checked pages_needed against n_free.
  void append(SequenceId sequence, std::span<const TokenId> tokens);
  // The appended tokens' keys and values are written: full pages become known. Where another page
  // holds the same already, the sequence takes that one.
  void commit(SequenceId sequence);

  // Page numbers of the sequence, in order; valid until it is next appended to, forked or closed.
  const std::int32_t* pages(SequenceId sequence) const;

  // Of a layer and a kv head, page 0; add page * stride. The caller knows the element type.
  std::byte* keys(std::int64_t layer, std::int64_t kv_head) const;
  std::byte* values(std::int64_t layer, std::int64_t kv_head) const;

 private:
  struct Sequence {
    std::int64_t n_tokens = 0;
    std::int64_t n_known = 0;  // pages in the index
    std::vector<std::int32_t> pages;
    std::vector<TokenId> tokens;  // for the index
  };

  std::int32_t take_page();
  void share_page(std::int32_t page);
  void drop_page(std::int32_t page);
  void copy_page(std::int32_t from, std::int32_t to);

  KvShape shape_;
  std::int64_t n_pages_ = 0;
  bool keeps_prefixes_ = true;
  PrefixIndex index_;
  Block storage_;
  std::vector<std::int32_t> free_;
  std::vector<std::int32_t> references_;
  std::map<SequenceId, Sequence> sequences_;
  SequenceId next_id_ = 0;
};

}  // namespace r1eval::cpu
