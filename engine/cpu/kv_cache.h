// Paged key/value cache: pages of 32 tokens from one pool, page tables per sequence.
//
// Layout   one page number stands for a page in every layer. Per layer, keys are
//          [page][kv head][dim][token] and values [page][kv head][token][value_dim]: the forms that
//          the attention kernel reads with whole vectors. value_dim is head_dim rounded up to 16.
// Sharing  pages are reference counted. fork() shares full pages and copies the last partial one,
// so
//          that the page a sequence writes to is always its own.
// Units    capacity in tokens, rounded up to pages.    Types  F32 (reference) or F16.
// Threads  tables are changed by the one scheduler thread between steps; workers of a step write
//          disjoint slots and read what an earlier phase wrote.
// Tested   tests/engine/cpu/determinism_test.cc
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/result.h"
#include "engine/cpu/memory.h"
#include "engine/model_runner.h"

namespace r1eval::cpu {

struct KvShape {
  std::int64_t n_layers = 0;
  std::int64_t n_kv_heads = 0;
  std::int64_t head_dim = 0;
  bool is_f16 = false;

  std::int64_t value_dim() const { return (head_dim + 15) / 16 * 16; }

  std::int64_t value_bytes() const { return is_f16 ? 2 : 4; }

  // Values from page to page within a layer.
  std::int64_t key_page_stride() const;
  std::int64_t value_page_stride() const;
  std::int64_t bytes_per_page() const;  // all layers, keys and values
};

class KvCache {
 public:
  static Result<KvCache> make(const KvShape& shape, std::int64_t cache_tokens);

  CacheStats stats() const;

  std::int64_t bytes() const { return n_pages_ * shape_.bytes_per_page(); }

  const KvShape& shape() const { return shape_; }

  SequenceId open();
  Result<SequenceId> fork(SequenceId parent, std::int64_t n_tokens);
  void close(SequenceId sequence);

  bool is_open(SequenceId sequence) const { return sequences_.count(sequence) > 0; }

  std::int64_t n_tokens(SequenceId sequence) const;

  // Pages that appending `n` tokens would take from the pool.
  std::int64_t pages_needed(SequenceId sequence, std::int64_t n) const;

  std::int64_t n_free() const { return static_cast<std::int64_t>(free_.size()); }

  // Reserves room for `n` more tokens; the caller has checked pages_needed against n_free.
  void append(SequenceId sequence, std::int64_t n);

  // Page numbers of the sequence, in order; valid until it is next appended to, forked or closed.
  const std::int32_t* pages(SequenceId sequence) const;

  // Of a layer and a kv head, page 0; add page * stride. The caller knows the element type.
  std::byte* keys(std::int64_t layer, std::int64_t kv_head) const;
  std::byte* values(std::int64_t layer, std::int64_t kv_head) const;

 private:
  struct Sequence {
    std::int64_t n_tokens = 0;
    std::vector<std::int32_t> pages;
  };

  std::int32_t take_page();
  void drop_page(std::int32_t page);
  void copy_page(std::int32_t from, std::int32_t to);

  KvShape shape_;
  std::int64_t n_pages_ = 0;
  Block storage_;
  std::vector<std::int32_t> free_;
  std::vector<std::int32_t> references_;
  std::map<SequenceId, Sequence> sequences_;
  SequenceId next_id_ = 0;
};

}  // namespace r1eval::cpu
