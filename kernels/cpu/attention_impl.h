// Attention over the paged cache: included by kernels_impl.h, under its rules.
//
// The problem  Decoding attends with few queries to many positions: keys and values are read,
//   converted from F16 and used for the two or three query heads that share a head of the cache.
//   But an evaluation draws k samples of one prompt, whose prompt pages are the same memory.
// The idea  A task is up to 32 columns (query heads of tokens of any sequences). Page by page, the
//   columns that see the same page number there form one small matrix product: the page is
//   converted once and read from the first-level cache for all of them. Nothing else tells a shared
//   prompt from a private one, so prefixes of prefixes, samples of a group and the tokens of a
//   prefilled chunk are all the same case.
// Bits  For a column the positions are cut into spans of 256 at fixed places. In a span: scores,
// each
//   a chain over the head's values; their maximum, exponentials and their sum; the weighted sum of
//   the values in ascending order of position. Spans are merged in ascending order by the usual
//   rescaling. Which other columns are in the task enters none of these chains, so a token gets the
//   same bits prefilled or decoded, in whatever chunk, shared or alone.
#pragma once

namespace r1eval::kernels {
namespace {

constexpr float kMinusInfinity = -__builtin_inff();
// A row of scores: a span, and a line more so that rows do not fall on the same cache sets.
constexpr std::int64_t kScoreStride = kSpanTokens + 16;

struct Float32Cache {
  using Stored = float;
  static constexpr bool kConverts = false;

  static Vec load(const float* p) { return v_load(p); }
};

struct Float16Cache {
  using Stored = std::uint16_t;
  static constexpr bool kConverts = true;

  static Vec load(const std::uint16_t* p) { return v_load_half(p); }
};

struct BFloat16Cache {
  using Stored = std::uint16_t;
  static constexpr bool kConverts = true;

  static Vec load(const std::uint16_t* p) { return v_load_bfloat(p); }
};

template <int kCount>
struct Count {
  static constexpr int kValue = kCount;
};

// f(Count<n>()) for 1 <= n <= C.
template <int C, typename F>
inline void with_count(std::int64_t n, const F& f) {
  if (n == C) {
    f(Count<C>());
  } else if constexpr (C > 1) {
    with_count<C - 1>(n, f);
  }
}

// f(first, Count<n>()) for columns [begin, end) in groups of C and a smaller last one.
template <int C, typename F>
inline void in_groups(std::int64_t begin, std::int64_t end, const F& f) {
  for (; begin + C <= end; begin += C) {
    f(begin, Count<C>());
  }
  if (begin < end) {
    with_count<C>(end - begin, [&](auto count) { f(begin, count); });
  }
}

// Scores of C columns against one page. queries: (head_dim, kMaxAttentionColumns), out: rows of
// kScoreStride.
template <typename Cache, int C>
inline void page_scores(const typename Cache::Stored* keys, const float* queries,
                        std::int64_t head_dim, Vec scale, float* out) {
  Vec first[C];
  Vec second[C];
  R1_UNROLL
  for (int c = 0; c < C; ++c) {
    first[c] = second[c] = v_set(0.0F);
  }
  for (std::int64_t d = 0; d < head_dim; ++d) {
    const Vec a = Cache::load(keys + d * kPageTokens);
    const Vec b = Cache::load(keys + d * kPageTokens + 16);
    R1_UNROLL
    for (int c = 0; c < C; ++c) {
      const Vec q = v_set(queries[d * kMaxAttentionColumns + c]);
      first[c] = v_fma(a, q, first[c]);
      second[c] = v_fma(b, q, second[c]);
    }
  }
  R1_UNROLL
  for (int c = 0; c < C; ++c) {
    v_store(out + c * kScoreStride, v_mul(first[c], scale));
    v_store(out + c * kScoreStride + 16, v_mul(second[c], scale));
  }
}

// Adds to D vectors of C outputs the weighted values of positions [from, to) of one page.
template <typename Cache, int C, int D>
inline void page_values(const typename Cache::Stored* values, std::int64_t value_dim,
                        const float* weights, std::int64_t from, std::int64_t to, float* out,
                        std::int64_t out_stride) {
  Vec total[C][D];
  R1_UNROLL
  for (int c = 0; c < C; ++c) {
    R1_UNROLL
    for (int d = 0; d < D; ++d) {
      total[c][d] = v_load(out + c * out_stride + d * 16);
    }
  }
  for (std::int64_t t = from; t < to; ++t) {
    Vec value[D];
    R1_UNROLL
    for (int d = 0; d < D; ++d) {
      value[d] = Cache::load(values + t * value_dim + d * 16);
    }
    R1_UNROLL
    for (int c = 0; c < C; ++c) {
      const Vec p = v_set(weights[c * kScoreStride + t]);
      R1_UNROLL
      for (int d = 0; d < D; ++d) {
        total[c][d] = v_fma(value[d], p, total[c][d]);
      }
    }
  }
  R1_UNROLL
  for (int c = 0; c < C; ++c) {
    R1_UNROLL
    for (int d = 0; d < D; ++d) {
      v_store(out + c * out_stride + d * 16, total[c][d]);
    }
  }
}

// All value_dim values of C outputs; a position's values begin every `stride` values.
template <typename Cache, int C>
inline void all_page_values(const typename Cache::Stored* values, std::int64_t stride,
                            std::int64_t value_dim, const float* weights, std::int64_t from,
                            std::int64_t to, float* out) {
  constexpr int kD = kValueVectors;
  std::int64_t dim = 0;
  for (; dim + kD * 16 <= value_dim; dim += kD * 16) {
    page_values<Cache, C, kD>(values + dim, stride, weights, from, to, out + dim, value_dim);
  }
  for (; dim < value_dim; dim += 16) {
    page_values<Cache, C, 1>(values + dim, stride, weights, from, to, out + dim, value_dim);
  }
}

template <typename Cache>
inline void to_floats(const typename Cache::Stored* from, std::int64_t n, float* to) {
  for (std::int64_t i = 0; i < n; i += 16) {
    v_store(to + i, Cache::load(from + i));
  }
}

// The scratch of a task, carved. Its size: attention_scratch_floats.
struct AttentionScratch {
  explicit AttentionScratch(const AttentionTask& task) {
    float* at = task.scratch;
    const auto take = [&](std::int64_t n) {
      float* const taken = at;
      at += (n + 15) / 16 * 16;
      return taken;
    };
    // Vectors of columns are read from any column on: behind the last row lie the scores.
    queries = take(task.head_dim * kMaxAttentionColumns);
    scores = take(kMaxAttentionColumns * kScoreStride);
    span_out = take(kMaxAttentionColumns * task.value_dim);
    out = take(kMaxAttentionColumns * task.value_dim);
    page = take(0);
  }

  float* queries;   // (head_dim, kMaxAttentionColumns)
  float* scores;    // (columns, kScoreStride): of one span
  float* span_out;  // (columns, value_dim)
  float* out;       // (columns, value_dim): of all spans so far
  float* page;      // a page as float32
};

// f(first column, last + 1, page number) for the columns that see page `index` of their sequences,
// those with the same page number together. A column that ends before the page has no such entry.
template <typename F>
inline void over_page(const AttentionTask& task, std::int64_t index, const F& f) {
  const AttentionColumn* columns = task.columns;
  const auto sees = [&](std::int64_t c) { return columns[c].n_positions > index * kPageTokens; };
  for (std::int64_t begin = 0; begin < task.n_columns;) {
    if (!sees(begin)) {
      ++begin;
      continue;
    }
    const std::int32_t page = columns[begin].pages[index];
    std::int64_t end = begin + 1;
    while (end < task.n_columns && sees(end) && columns[end].pages[index] == page) {
      ++end;
    }
    f(begin, end, static_cast<std::int64_t>(page));
    begin = end;
  }
}

// Positions of page `index` that the column attends to; may be negative.
inline std::int64_t positions_on(const AttentionColumn& column, std::int64_t index) {
  const std::int64_t n = column.n_positions - index * kPageTokens;
  return n < kPageTokens ? n : kPageTokens;
}

// Scores of 16 V columns against T rows of a page: columns are the lanes here, because a row's
// values come one after the other. `columns` of them are wanted. The chain is that of page_scores.
template <int V, int T>
inline void row_scores(const float* rows, std::int64_t stride, const float* queries,
                       std::int64_t head_dim, Vec scale, std::int64_t columns, float* out) {
  Vec sum[V][T];
  R1_UNROLL
  for (int v = 0; v < V; ++v) {
    R1_UNROLL
    for (int t = 0; t < T; ++t) {
      sum[v][t] = v_set(0.0F);
    }
  }
  for (std::int64_t d = 0; d < head_dim; ++d) {
    Vec query[V];
    R1_UNROLL
    for (int v = 0; v < V; ++v) {
      query[v] = v_load(queries + d * kMaxAttentionColumns + v * 16);
    }
    R1_UNROLL
    for (int t = 0; t < T; ++t) {
      const Vec key = v_set(rows[t * stride + d]);
      R1_UNROLL
      for (int v = 0; v < V; ++v) {
        sum[v][t] = v_fma(key, query[v], sum[v][t]);
      }
    }
  }
  alignas(64) float lanes[16];
  for (int v = 0; v < V; ++v) {
    const std::int64_t left = columns - v * 16;
    for (int t = 0; t < T; ++t) {
      v_store(lanes, v_mul(sum[v][t], scale));
      for (std::int64_t c = 0; c < left && c < 16; ++c) {
        out[(v * 16 + c) * kScoreStride + t] = lanes[c];
      }
    }
  }
}

// A page of rows as float32: the cache's own memory where it is that already.
template <typename Cache>
inline const float* float_rows(const AttentionTask& task, const AttentionScratch& s,
                               std::int64_t page) {
  const auto* stored =
      static_cast<const typename Cache::Stored*>(task.keys) + page * task.key_page_stride;
  if constexpr (Cache::kConverts) {
    to_floats<Cache>(stored, kPageTokens * task.row_stride, s.page);
    return s.page;
  } else {
    return stored;
  }
}

template <typename Cache>
void span_row_scores(const AttentionTask& task, const AttentionScratch& s, std::int64_t first_page,
                     std::int64_t last_page) {
  const Vec scale = v_set(task.scale);
  for (std::int64_t index = first_page; index < last_page; ++index) {
    float* const scores = s.scores + (index - first_page) * kPageTokens;
    over_page(task, index, [&](std::int64_t begin, std::int64_t end, std::int64_t page) {
      const float* rows = float_rows<Cache>(task, s, page);
      const auto run = [&](std::int64_t c, auto vectors) {
        for (std::int64_t t = 0; t < kPageTokens; t += kRowTokens) {
          row_scores<vectors.kValue, kRowTokens>(rows + t * task.row_stride, task.row_stride,
                                                 s.queries + c, task.head_dim, scale, end - c,
                                                 scores + c * kScoreStride + t);
        }
      };
      std::int64_t c = begin;
      if constexpr (kRowVectors == 2) {
        for (; end - c > 16; c += 32) {
          run(c, Count<2>());
        }
      }
      for (; c < end; c += 16) {
        run(c, Count<1>());
      }
    });
  }
}

template <typename Cache>
void span_scores(const AttentionTask& task, const AttentionScratch& s, std::int64_t first_page,
                 std::int64_t last_page) {
  const auto* keys = static_cast<const typename Cache::Stored*>(task.keys);
  const Vec scale = v_set(task.scale);
  for (std::int64_t index = first_page; index < last_page; ++index) {
    float* const scores = s.scores + (index - first_page) * kPageTokens;
    over_page(task, index, [&](std::int64_t begin, std::int64_t end, std::int64_t page) {
      const auto* stored = keys + page * task.key_page_stride;
      if (Cache::kConverts && end - begin > kScoreColumns) {
        to_floats<Cache>(stored, task.head_dim * kPageTokens, s.page);
        in_groups<kScoreColumns>(begin, end, [&](std::int64_t c, auto count) {
          page_scores<Float32Cache, count.kValue>(s.page, s.queries + c, task.head_dim, scale,
                                                  scores + c * kScoreStride);
        });
      } else {
        in_groups<kScoreColumns>(begin, end, [&](std::int64_t c, auto count) {
          page_scores<Cache, count.kValue>(stored, s.queries + c, task.head_dim, scale,
                                           scores + c * kScoreStride);
        });
      }
    });
  }
}

template <typename Cache>
void run_values(const AttentionTask& task, const AttentionScratch& s, std::int64_t index,
                const typename Cache::Stored* values, const float* weights, std::int64_t begin,
                std::int64_t end) {
  const std::int64_t stride = task.row_stride == 0 ? task.value_dim : task.row_stride;
  in_groups<kValueColumns>(begin, end, [&](std::int64_t c, auto count) {
    // Columns of one sequence may end at different places of its last page: what they have in
    // common goes together, the rest one by one, and a column's order of positions is kept.
    std::int64_t common = kPageTokens;
    for (std::int64_t i = c; i < c + count.kValue; ++i) {
      const std::int64_t n = positions_on(task.columns[i], index);
      common = n < common ? n : common;
    }
    all_page_values<Cache, count.kValue>(values, stride, task.value_dim, weights + c * kScoreStride,
                                         0, common, s.span_out + c * task.value_dim);
    for (std::int64_t i = c; i < c + count.kValue; ++i) {
      const std::int64_t n = positions_on(task.columns[i], index);
      if (n > common) {
        all_page_values<Cache, 1>(values, stride, task.value_dim, weights + i * kScoreStride,
                                  common, n, s.span_out + i * task.value_dim);
      }
    }
  });
}

template <typename Cache>
void span_values(const AttentionTask& task, const AttentionScratch& s, std::int64_t first_page,
                 std::int64_t last_page) {
  const auto* values = static_cast<const typename Cache::Stored*>(task.values);
  for (std::int64_t index = first_page; index < last_page; ++index) {
    const float* const weights = s.scores + (index - first_page) * kPageTokens;
    over_page(task, index, [&](std::int64_t begin, std::int64_t end, std::int64_t page) {
      if (task.row_stride != 0) {
        run_values<Float32Cache>(task, s, index, float_rows<Cache>(task, s, page), weights, begin,
                                 end);
        return;
      }
      const auto* stored = values + page * task.value_page_stride;
      if (Cache::kConverts && end - begin > kValueColumns) {
        to_floats<Cache>(stored, task.value_dim * kPageTokens, s.page);
        run_values<Float32Cache>(task, s, index, s.page, weights, begin, end);
      } else {
        run_values<Cache>(task, s, index, stored, weights, begin, end);
      }
    });
  }
}

// Scores of one column's n positions become weights, in place.
inline void span_softmax(float* scores, std::int64_t n, float& maximum, float& denominator) {
  const std::int64_t n_padded = (n + kPageTokens - 1) / kPageTokens * kPageTokens;
  // Positions past the token hold whatever the page held: they become weights of about zero.
  for (std::int64_t t = n; t < n_padded; ++t) {
    scores[t] = kMinusInfinity;
  }
  Vec most = v_load(scores);
  for (std::int64_t t = 16; t < n_padded; t += 16) {
    most = v_max(v_load(scores + t), most);
  }
  maximum = v_largest(most);
  const Vec minus = v_set(maximum);
  Vec sum = v_set(0.0F);
  for (std::int64_t t = 0; t < n_padded; t += 16) {
    const Vec p = v_exp(v_sub(v_load(scores + t), minus));
    v_store(scores + t, p);
    sum = v_add(sum, p);
  }
  denominator = v_sum(sum);
}

inline void store_attention(const AttentionTask& task, const float* out, float denominator,
                            float* to) {
  const Vec inverse = v_set(1.0F / denominator);
  for (std::int64_t d = 0; d < task.value_dim; d += 16) {
    const Vec result = v_mul(v_load(out + d), inverse);
    if (d + 16 <= task.out_dim) {
      v_store(to + d, result);
    } else {
      alignas(64) float part[16];
      v_store(part, result);
      for (std::int64_t i = d; i < task.out_dim; ++i) {
        to[i] = part[i - d];
      }
    }
  }
}

inline void clear_output(const AttentionTask& task, float* to) {
  for (std::int64_t i = 0; i < task.out_dim; ++i) {
    to[i] = 0.0F;
  }
}

template <typename Cache>
void attend_columns(const AttentionTask& task) {
  const AttentionScratch s(task);
  const std::int64_t value_dim = task.value_dim;
  float maximum[kMaxAttentionColumns];
  float denominator[kMaxAttentionColumns];
  std::int64_t most_positions = 0;
  for (std::int64_t c = 0; c < task.n_columns; ++c) {
    const AttentionColumn& column = task.columns[c];
    most_positions = column.n_positions > most_positions ? column.n_positions : most_positions;
    for (std::int64_t d = 0; d < task.head_dim; ++d) {
      s.queries[d * kMaxAttentionColumns + c] = column.query[d];
    }
  }
  for (std::int64_t begin = 0; begin < most_positions; begin += kSpanTokens) {
    const std::int64_t left = most_positions - begin;
    const std::int64_t first_page = begin / kPageTokens;
    const std::int64_t last_page =
        first_page + ((left < kSpanTokens ? left : kSpanTokens) + kPageTokens - 1) / kPageTokens;
    float span_maximum[kMaxAttentionColumns];
    float span_denominator[kMaxAttentionColumns];
    const auto positions_in_span = [&](std::int64_t c) {
      const std::int64_t n = task.columns[c].n_positions - begin;
      return n < kSpanTokens ? n : kSpanTokens;
    };
    if (task.row_stride != 0) {
      span_row_scores<Cache>(task, s, first_page, last_page);
    } else {
      span_scores<Cache>(task, s, first_page, last_page);
    }
    for (std::int64_t c = 0; c < task.n_columns; ++c) {
      const std::int64_t n = positions_in_span(c);
      if (n <= 0) {
        continue;
      }
      span_softmax(s.scores + c * kScoreStride, n, span_maximum[c], span_denominator[c]);
      for (std::int64_t d = 0; d < value_dim; d += 16) {
        v_store(s.span_out + c * value_dim + d, v_set(0.0F));
      }
    }
    span_values<Cache>(task, s, first_page, last_page);
    for (std::int64_t c = 0; c < task.n_columns; ++c) {
      if (positions_in_span(c) <= 0) {
        continue;
      }
      float* const out = s.out + c * value_dim;
      const float* const here_out = s.span_out + c * value_dim;
      if (begin == 0) {
        maximum[c] = span_maximum[c];
        denominator[c] = span_denominator[c];
        for (std::int64_t d = 0; d < value_dim; d += 16) {
          v_store(out + d, v_load(here_out + d));
        }
        continue;
      }
      const float merged = maximum[c] > span_maximum[c] ? maximum[c] : span_maximum[c];
      const float before = exp_one(maximum[c] - merged);
      const float here = exp_one(span_maximum[c] - merged);
      denominator[c] = denominator[c] * before + span_denominator[c] * here;
      for (std::int64_t d = 0; d < value_dim; d += 16) {
        v_store(out + d,
                v_fma(v_load(here_out + d), v_set(here), v_mul(v_load(out + d), v_set(before))));
      }
      maximum[c] = merged;
    }
  }
  for (std::int64_t c = 0; c < task.n_columns; ++c) {
    if (task.columns[c].n_positions <= 0) {
      clear_output(task, task.columns[c].out);
    } else {
      store_attention(task, s.out + c * value_dim, denominator[c], task.columns[c].out);
    }
  }
}

}  // namespace
}  // namespace r1eval::kernels

#ifdef R1_BF16_DOTS
#include "kernels/cpu/latent_dots_avx512.h"
#endif

namespace r1eval::kernels {
namespace {

void attend(const AttentionTask& task) {
#ifdef R1_BF16_DOTS
  if (takes_latent_dots(task)) {
    attend_latent_dots(task);
    return;
  }
#endif
  if (task.cache_is_bf16) {
    attend_columns<BFloat16Cache>(task);
  } else if (task.cache_is_f16) {
    attend_columns<Float16Cache>(task);
  } else {
    attend_columns<Float32Cache>(task);
  }
}

}  // namespace
}  // namespace r1eval::kernels
