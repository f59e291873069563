// Attention over bfloat16 latents with the bfloat16 dot product: included by attention_impl.h where
// the processor has it.
//
// The problem  A latent row (key and value at once, 576 values) meets 16 to 128 query heads: 30 to
//   240 operations a byte, so on a processor the arithmetic decides, and converting rows to float32
//   halves it.
// The idea  Scores: heads are the lanes, because a row's values come in pairs in memory already;
// each
//   pair is broadcast against the queries of 32 heads, which are packed once per task. Values:
//   lanes are the latent's values. Two rows are interleaved in registers, one unpack a line, and
//   meet the weights of eight heads, stored as pairs of positions; sums stay in registers over a
//   whole span. The interleaving leaves the lanes in an order of their own, undone once at the end.
// Softmax  goes down the positions with a head per lane: no reduction across lanes at all.
// Bits  As in attention_impl.h: spans of 256, merged in order. Weights are rounded to bfloat16, the
//   denominator sums them unrounded. Positions past a column's end weigh exactly nothing; rows that
//   no column of the task sees are never read (they may hold NaN).
#pragma once

namespace r1eval::kernels {
namespace {

constexpr std::int64_t kLanes = kMaxAttentionColumns;  // heads side by side in every table
constexpr int kDotRows = 8;                            // rows scored at once
constexpr int kDotColumns = 8;                         // heads that share interleaved values

inline bool takes_latent_dots(const AttentionTask& task) {
  return task.cache_is_bf16 && task.row_stride != 0 && task.head_dim % 2 == 0 &&
         task.value_dim % 32 == 0;
}

struct LatentScratch {
  explicit LatentScratch(const AttentionTask& task) {
    float* at = task.scratch;
    const auto take = [&](std::int64_t n) {
      float* const taken = at;
      at += (n + 15) / 16 * 16;
      return taken;
    };
    scores = take(kSpanTokens * kLanes);
    queries = reinterpret_cast<std::uint32_t*>(take(task.head_dim / 2 * kLanes + 16));
    weights = reinterpret_cast<std::uint32_t*>(take(kSpanTokens / 2 * kLanes));
    span_out = take(kLanes * task.value_dim);
    out = take(kLanes * task.value_dim);
  }

  float* scores;           // (positions of the span, kLanes)
  std::uint32_t* queries;  // (head_dim / 2, kLanes): pairs
  std::uint32_t* weights;  // (positions / 2, kLanes): pairs
  float* span_out;         // (columns, value_dim), lanes as the interleaving leaves them
  float* out;
};

inline std::uint32_t bfloat_bits(float value) {
  return static_cast<std::uint32_t>(
      _mm_cvtsi128_si32(_mm512_castsi512_si128(round_to_bfloat(v_set(value)))));
}

inline const std::uint16_t* latent_page(const AttentionTask& task, std::int64_t page) {
  return static_cast<const std::uint16_t*>(task.keys) + page * task.key_page_stride;
}

template <int V>
inline void latent_page_scores(const AttentionTask& task, const std::uint16_t* rows,
                               const std::uint32_t* queries, std::int64_t n_columns,
                               std::int64_t n_rows, float* scores) {
  const std::int64_t n_pairs = task.head_dim / 2;
  const Vec scale = v_set(task.scale);
  for (std::int64_t t = 0; t < n_rows; t += kDotRows) {
    Vec sum[V][kDotRows];
    R1_UNROLL
    for (int v = 0; v < V; ++v) {
      R1_UNROLL
      for (int i = 0; i < kDotRows; ++i) {
        sum[v][i] = v_set(0.0F);
      }
    }
    const std::uint16_t* row = rows + t * task.row_stride;
    for (std::int64_t p = 0; p < n_pairs; ++p) {
      Pairs query[V];
      R1_UNROLL
      for (int v = 0; v < V; ++v) {
        query[v] = p_load(queries + p * kLanes + v * 16);
      }
      R1_UNROLL
      for (int i = 0; i < kDotRows; ++i) {
        const Pair key = p_set(pair_at(row + i * task.row_stride + 2 * p));
        R1_UNROLL
        for (int v = 0; v < V; ++v) {
          sum[v][i] = p_dot(sum[v][i], query[v], key);
        }
      }
    }
    R1_UNROLL
    for (int v = 0; v < V; ++v) {
      const std::int64_t left = n_columns - v * 16;
      const auto lanes = static_cast<__mmask16>(left >= 16 ? 0xffff : (1 << left) - 1);
      R1_UNROLL
      for (int i = 0; i < kDotRows; ++i) {
        _mm512_mask_storeu_ps(scores + (t + i) * kLanes + v * 16, lanes, v_mul(sum[v][i], scale));
      }
    }
  }
}

inline void latent_span_scores(const AttentionTask& task, const LatentScratch& s,
                               std::int64_t first_page, std::int64_t last_page) {
  for (std::int64_t index = first_page; index < last_page; ++index) {
    float* const scores = s.scores + (index - first_page) * kPageTokens * kLanes;
    over_page(task, index, [&](std::int64_t begin, std::int64_t end, std::int64_t page) {
      const std::uint16_t* rows = latent_page(task, page);
      for (std::int64_t c = begin; c < end;) {
        if (end - c > 16) {
          latent_page_scores<2>(task, rows, s.queries + c, end - c, kPageTokens, scores + c);
          c += 32;
        } else {
          latent_page_scores<1>(task, rows, s.queries + c, end - c, kPageTokens, scores + c);
          c += 16;
        }
      }
    });
  }
}

// Scores of the columns become weights. `n` (kLanes): positions of each column in this span.
inline void latent_softmax(const LatentScratch& s, const std::int32_t* n, std::int64_t n_vectors,
                           std::int64_t most, float* maximum, float* denominator) {
  const Vec nothing = v_set(0.0F);
  for (std::int64_t v = 0; v < n_vectors; ++v) {
    const float* scores = s.scores + v * 16;
    const __m512i limit = _mm512_loadu_si512(n + v * 16);
    Vec largest = v_set(-3.0e38F);
    for (std::int64_t t = 0; t < most; ++t) {
      const __mmask16 sees = _mm512_cmpgt_epi32_mask(limit, _mm512_set1_epi32(static_cast<int>(t)));
      largest = _mm512_mask_max_ps(largest, sees, largest, v_load(scores + t * kLanes));
    }
    Vec sum = nothing;
    const auto weight = [&](std::int64_t t) {
      const __mmask16 sees = _mm512_cmpgt_epi32_mask(limit, _mm512_set1_epi32(static_cast<int>(t)));
      // Masked before the exponential: an unread place may hold anything.
      const Vec score = _mm512_mask_mov_ps(largest, sees, v_load(scores + t * kLanes));
      const Vec p = _mm512_maskz_mov_ps(sees, v_exp(v_sub(score, largest)));
      sum = v_add(sum, p);
      return p;
    };
    for (std::int64_t t = 0; t < most; t += 2) {
      const Vec first = weight(t);
      const Vec second = t + 1 < most ? weight(t + 1) : nothing;
      p_store(s.weights + t / 2 * kLanes + v * 16, p_join(first, second));
    }
    v_store(maximum + v * 16, largest);
    v_store(denominator + v * 16, sum);
  }
}

// Adds the weighted values of `n_pages` pages, of which `n` positions are read, to 32 values of C
// columns.
template <int C>
inline void latent_values(const AttentionTask& task, const std::int32_t* pages,
                          std::int64_t n_pages, std::int64_t n, const std::uint32_t* weights,
                          std::int64_t dim, float* out) {
  Vec low[C];
  Vec high[C];
  R1_UNROLL
  for (int c = 0; c < C; ++c) {
    low[c] = v_load(out + c * task.value_dim + dim);
    high[c] = v_load(out + c * task.value_dim + dim + 16);
  }
  for (std::int64_t page = 0; page < n_pages; ++page) {
    const std::uint16_t* rows = latent_page(task, pages[page]) + dim;
    const std::int64_t left = n - page * kPageTokens;
    const std::int64_t here = left < kPageTokens ? left : kPageTokens;
    const std::uint32_t* pairs = weights + page * (kPageTokens / 2) * kLanes;
    for (std::int64_t t = 0; t < here; t += 2) {
      const __m512i first = _mm512_loadu_si512(rows + t * task.row_stride);
      const __m512i second = t + 1 < here ? _mm512_loadu_si512(rows + (t + 1) * task.row_stride)
                                          : _mm512_setzero_si512();
      const Pairs a = _mm512_unpacklo_epi16(first, second);
      const Pairs b = _mm512_unpackhi_epi16(first, second);
      R1_UNROLL
      for (int c = 0; c < C; ++c) {
        const Pair p = p_set(pairs[t / 2 * kLanes + c]);
        low[c] = p_dot(low[c], a, p);
        high[c] = p_dot(high[c], b, p);
      }
    }
  }
  R1_UNROLL
  for (int c = 0; c < C; ++c) {
    v_store(out + c * task.value_dim + dim, low[c]);
    v_store(out + c * task.value_dim + dim + 16, high[c]);
  }
}

inline void latent_columns_values(const AttentionTask& task, const LatentScratch& s,
                                  const std::int32_t* pages, std::int64_t n_pages, std::int64_t n,
                                  const std::uint32_t* weights, std::int64_t begin,
                                  std::int64_t end) {
  in_groups<kDotColumns>(begin, end, [&](std::int64_t c, auto count) {
    for (std::int64_t dim = 0; dim < task.value_dim; dim += 32) {
      latent_values<count.kValue>(task, pages, n_pages, n, weights + c, dim,
                                  s.span_out + c * task.value_dim);
    }
  });
}

inline void latent_span_values(const AttentionTask& task, const LatentScratch& s,
                               std::int64_t first_page, std::int64_t last_page) {
  const AttentionColumn* columns = task.columns;
  const auto most_positions = [&](std::int64_t begin, std::int64_t end) {
    std::int64_t most = 0;
    for (std::int64_t c = begin; c < end; ++c) {
      most = columns[c].n_positions > most ? columns[c].n_positions : most;
    }
    return most;
  };
  // Usually all columns are heads of one sequence: then a span is one run.
  bool is_one_run = true;
  for (std::int64_t index = first_page; index < last_page && is_one_run; ++index) {
    for (std::int64_t c = 0; c < task.n_columns && is_one_run; ++c) {
      is_one_run = columns[c].n_positions > index * kPageTokens &&
                   columns[c].pages[index] == columns[0].pages[index];
    }
  }
  if (is_one_run) {
    const std::int64_t left = most_positions(0, task.n_columns) - first_page * kPageTokens;
    latent_columns_values(task, s, columns[0].pages + first_page, last_page - first_page,
                          left < kSpanTokens ? left : kSpanTokens, s.weights, 0, task.n_columns);
    return;
  }
  for (std::int64_t index = first_page; index < last_page; ++index) {
    over_page(task, index, [&](std::int64_t begin, std::int64_t end, std::int64_t) {
      const std::int64_t left = most_positions(begin, end) - index * kPageTokens;
      latent_columns_values(
          task, s, columns[begin].pages + index, 1, left < kPageTokens ? left : kPageTokens,
          s.weights + (index - first_page) * (kPageTokens / 2) * kLanes, begin, end);
    });
  }
}

// Undoes the interleaving's order of lanes and divides.
inline void store_latent(const AttentionTask& task, const float* out, float denominator,
                         float* to) {
  const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const __m512i second =
      _mm512_setr_epi32(8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  const Vec inverse = v_set(1.0F / denominator);
  alignas(64) float row[32];
  for (std::int64_t d = 0; d < task.out_dim; d += 32) {
    const Vec low = v_mul(v_load(out + d), inverse);
    const Vec high = v_mul(v_load(out + d + 16), inverse);
    v_store(row, _mm512_permutex2var_ps(low, first, high));
    v_store(row + 16, _mm512_permutex2var_ps(low, second, high));
    const std::int64_t left = task.out_dim - d < 32 ? task.out_dim - d : 32;
    for (std::int64_t i = 0; i < left; ++i) {
      to[d + i] = row[i];
    }
  }
}

void attend_latent_dots(const AttentionTask& task) {
  const LatentScratch s(task);
  const std::int64_t value_dim = task.value_dim;
  const std::int64_t n_vectors = (task.n_columns + 15) / 16;
  alignas(64) float maximum[kLanes];
  alignas(64) float denominator[kLanes] = {};
  std::int64_t most_positions = 0;
  for (std::int64_t c = 0; c < kLanes; ++c) {
    const bool is_there = c < task.n_columns;
    const float* query = is_there ? task.columns[c].query : nullptr;
    for (std::int64_t p = 0; p < task.head_dim / 2; ++p) {
      std::uint32_t both = 0;
      if (is_there) {
        both = bfloat_bits(query[2 * p]) | (bfloat_bits(query[2 * p + 1]) << 16);
      }
      s.queries[p * kLanes + c] = both;
    }
    if (is_there && task.columns[c].n_positions > most_positions) {
      most_positions = task.columns[c].n_positions;
    }
  }
  for (std::int64_t begin = 0; begin < most_positions; begin += kSpanTokens) {
    const std::int64_t left = most_positions - begin;
    const std::int64_t most = left < kSpanTokens ? left : kSpanTokens;
    const std::int64_t first_page = begin / kPageTokens;
    const std::int64_t last_page = first_page + (most + kPageTokens - 1) / kPageTokens;
    alignas(64) std::int32_t n[kLanes] = {};
    for (std::int64_t c = 0; c < task.n_columns; ++c) {
      const std::int64_t here = task.columns[c].n_positions - begin;
      n[c] = static_cast<std::int32_t>(here < 0 ? 0 : here < kSpanTokens ? here : kSpanTokens);
    }
    alignas(64) float span_maximum[kLanes];
    alignas(64) float span_denominator[kLanes];
    latent_span_scores(task, s, first_page, last_page);
    latent_softmax(s, n, n_vectors, most, span_maximum, span_denominator);
    for (std::int64_t i = 0; i < task.n_columns * value_dim; i += 16) {
      v_store(s.span_out + i, v_set(0.0F));
    }
    latent_span_values(task, s, first_page, last_page);
    for (std::int64_t c = 0; c < task.n_columns; ++c) {
      if (n[c] == 0) {
        continue;
      }
      float* const out = s.out + c * value_dim;
      const float* const here = s.span_out + c * value_dim;
      if (begin == 0) {
        maximum[c] = span_maximum[c];
        denominator[c] = span_denominator[c];
        for (std::int64_t d = 0; d < value_dim; d += 16) {
          v_store(out + d, v_load(here + d));
        }
        continue;
      }
      const float merged = maximum[c] > span_maximum[c] ? maximum[c] : span_maximum[c];
      const float before = exp_one(maximum[c] - merged);
      const float now = exp_one(span_maximum[c] - merged);
      denominator[c] = denominator[c] * before + span_denominator[c] * now;
      for (std::int64_t d = 0; d < value_dim; d += 16) {
        v_store(out + d,
                v_fma(v_load(here + d), v_set(now), v_mul(v_load(out + d), v_set(before))));
      }
      maximum[c] = merged;
    }
  }
  for (std::int64_t c = 0; c < task.n_columns; ++c) {
    if (task.columns[c].n_positions <= 0) {
      clear_output(task, task.columns[c].out);
    } else {
      store_latent(task, s.out + c * value_dim, denominator[c], task.columns[c].out);
    }
  }
}

}  // namespace
}  // namespace r1eval::kernels
