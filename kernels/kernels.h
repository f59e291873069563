// The public list of numeric inner loops: a table of functions per instruction set.
//
// Dispatch  active_kernels() picks once, at first use, the widest set that the processor and the
//           operating system support: avx512_bf16 (avx512 and BF16), avx512 (F, BW, DQ, VL, VNNI),
//           avx2 (AVX2, FMA, F16C), scalar. R1EVAL_ISA=scalar|avx2|avx512|avx512_bf16 asks for a
//           narrower one; an unsupported or unknown wish
//           is reported by isa_problem() and the widest is used.
// Bits      within one instruction set a column's result never depends on how many columns or rows
// a
//           call has, or on where it is cut into calls: every (row, column) is one fixed chain of
//           operations. Between instruction sets bits may differ.
// Threads   pure functions of their arguments.
// Tested    tests/kernels/: against reference/ over odd shapes, and bit equality over column
// counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/weights.h"

namespace r1eval::kernels {

// Activations of n columns in 8 bits, in blocks of 16 that each have a whole multiplier:
//   value[c][i] = scales[c] * multiplier[c][i / 16] * values[c][i].
// Blocks of 32, as the weights have, would double the error of the logits; multipliers that are
// whole numbers let the product stay in integers until a block of weights ends.
struct QuantizedColumns {
  std::int8_t* values = nullptr;         // (n, columns), within [-127, 127]
  std::int32_t* multipliers = nullptr;   // (n, columns / 32): of the first 16 in the low half, of
                                         // the next in the high one; in [0, kLargestMultiplier]
  std::int32_t* negated_sums = nullptr;  // (n, columns / 16): -(sum of values)
  std::int32_t* block_sums = nullptr;    // (n, columns / 32): sum of multiplier * value
  float* scales = nullptr;               // (n)
  std::int64_t columns = 0;              // K, a multiple of 32

  // Bytes that `n` columns of width `columns` take, and their arrays within such storage.
  static std::int64_t storage_bytes(std::int64_t n, std::int64_t columns);
  static QuantizedColumns in_storage(std::byte* storage, std::int64_t n, std::int64_t columns);
};

// 16 * 15 * 127 * 2 * 32767 is the largest sum of a block of nibbles: just within 32 bits.
constexpr std::int32_t kLargestMultiplier = 32767;

constexpr std::int64_t kPageTokens = 32;   // tokens of a page of the key/value cache
constexpr std::int64_t kSpanTokens = 256;  // attention is merged over spans of so many tokens

constexpr std::int64_t kMaxAttentionColumns = 32;

// One query head of one token.
struct AttentionColumn {
  const float* query = nullptr;         // (head_dim), rotated
  float* out = nullptr;                 // (out_dim)
  const std::int32_t* pages = nullptr;  // page numbers of the token's sequence, in order
  std::int64_t n_positions = 0;         // attends to positions [0, n_positions); none: zeros
};

// Attention of some columns over one head of the key/value cache. Neighbouring columns that have a
// page in common share the work on it; their order changes no bit.
struct AttentionTask {
  const AttentionColumn* columns = nullptr;
  std::int64_t n_columns = 0;  // 1 to kMaxAttentionColumns
  std::int64_t head_dim = 0;   // values of a query and of a key
  std::int64_t value_dim = 0;  // row stride of the value pages: a multiple of 16
  // Not 0: the cache holds one row a token, which is the key and whose first values are the value
  // (latent attention). Its stride, a multiple of 16, at least head_dim and value_dim; key pages
  // are (kPageTokens, row_stride), value pages there are none.
  std::int64_t row_stride = 0;
  std::int64_t out_dim = 0;  // values of an output, at most value_dim
  float scale = 1.0F;
  bool cache_is_f16 = false;
  bool cache_is_bf16 = false;  // neither: F32
  // Page p begins at keys + p * page_stride (in values of the cache's type).
  // Keys (head_dim, kPageTokens), values (kPageTokens, value_dim), padding zero.
  const void* keys = nullptr;
  const void* values = nullptr;
  std::int64_t key_page_stride = 0;
  std::int64_t value_page_stride = 0;
  float* scratch = nullptr;  // attention_scratch_floats, of this thread
};

// Floats of scratch that a task needs.
constexpr std::int64_t attention_scratch_floats(std::int64_t head_dim, std::int64_t value_dim,
                                                std::int64_t row_stride = 0) {
  const std::int64_t widest = head_dim > value_dim ? head_dim : value_dim;
  const std::int64_t wider = widest > row_stride ? widest : row_stride;
  return kMaxAttentionColumns * (head_dim + kSpanTokens + 16 + 2 * value_dim) +
         (row_stride == 0 ? 0 : kMaxAttentionColumns * kSpanTokens / 2) + kPageTokens * wider + 64;
}

constexpr std::int64_t kMaxHeadDim = 512;

// Of some values: the largest, the first place where it stands, and the sum of exp(x - maximum).
struct RowSummary {
  float maximum = 0;
  float sum = 0;
  std::int64_t best = 0;
};

struct KernelTable {
  const char* isa;

  // out[c * out_stride + row] = sum over k of W[row, k] * x[c, k], for the rows of tiles
  // [tile_begin, tile_end) and n columns. Quantised forms; tolerance against reference/, on the
  // quantised columns: of the sum of absolute products, 1e-5 for nibbles, 1e-4 for bytes (their
  // sums over 16 columns are rounded to 16 bits).
  void (*matmul_quantized)(const PackedMatrix& weights, std::int64_t tile_begin,
                           std::int64_t tile_end, const QuantizedColumns& x, std::int64_t n,
                           float* out, std::int64_t out_stride);
  // The same for float forms; x is (n, columns) with row stride x_stride.
  void (*matmul_float)(const PackedMatrix& weights, std::int64_t tile_begin, std::int64_t tile_end,
                       const float* x, std::int64_t x_stride, std::int64_t n, float* out,
                       std::int64_t out_stride);
  // The same for kBF16 and activations in bfloat16, summed in float32 pair by pair. The result goes
  // to `out`, or rounded to bfloat16 to `bf16_out` where that is not null; strides in values.
  void (*matmul_bf16)(const PackedMatrix& weights, std::int64_t tile_begin, std::int64_t tile_end,
                      const std::uint16_t* x, std::int64_t x_stride, std::int64_t n, float* out,
                      std::uint16_t* bf16_out, std::int64_t out_stride);
  // Column `column` of q from `columns` values: per block of 16, values rounded to nearest even in
  // steps of max |x| / 127, rounded up to a multiple of the column's scale. With rest_column >= 0,
  // what was lost becomes that column in the same way (the sum of both columns' products has some
  // 15 bits); `rest` is room for `columns` values, and may be x.
  void (*quantize)(const float* x, const QuantizedColumns& q, std::int64_t column,
                   std::int64_t rest_column, float* rest);
  // out = x / sqrt(mean(x^2) + eps) * gain.
  void (*rms_norm)(const float* x, const float* gain, float eps, std::int64_t n, float* out);
  // out = silu(gate) * up, silu(x) = x / (1 + exp(-x)).
  void (*silu_product)(const float* gate, const float* up, std::int64_t n, float* out);
  // The two in bfloat16, computed in float32 and rounded once.
  void (*rms_norm_bf16)(const std::uint16_t* x, const float* gain, float eps, std::int64_t n,
                        std::uint16_t* out);
  void (*silu_product_bf16)(const std::uint16_t* gate, const std::uint16_t* up, std::int64_t n,
                            std::uint16_t* out);
  // residual += x (rounded to the type it is stored in), then out = its norm.
  void (*add_rms_norm)(const float* x, float* residual, const float* gain, float eps,
                       std::int64_t n, float* out);
  void (*add_rms_norm_bf16)(const std::uint16_t* x, std::uint16_t* residual, const float* gain,
                            float eps, std::int64_t n, std::uint16_t* out);
  // out = sum over i < k, in order, of weights[i] * row rows[i] of `from` (rows of n values).
  void (*combine)(const float* from, const std::int32_t* rows, const float* weights, std::int64_t k,
                  std::int64_t n, float* out);
  void (*combine_bf16)(const std::uint16_t* from, const std::int32_t* rows, const float* weights,
                       std::int64_t k, std::int64_t n, std::uint16_t* out);
  // y += x.
  void (*add)(const float* x, std::int64_t n, float* y);
  // Rotates pairs (i, i + n/2) by the angles whose cosines and sines are given, in place; n even.
  void (*rotate_halves)(float* x, const float* cosines, const float* sines, std::int64_t n);
  // Rotates neighbours (2 i, 2 i + 1), in place; n even.
  void (*rotate_pairs)(float* x, const float* cosines, const float* sines, std::int64_t n);
  void (*rotate_pairs_bf16)(std::uint16_t* x, const float* cosines, const float* sines,
                            std::int64_t n);
  void (*attend)(const AttentionTask& task);
  // n floats to halves.
  void (*to_half)(const float* x, std::int64_t n, std::uint16_t* out);
  // n floats to bfloat16, to nearest even.
  void (*to_bfloat)(const float* x, std::int64_t n, std::uint16_t* out);
  // n values (a multiple of 128) to E4M3 with a factor per 128: value = scales[i / 128] * out[i].
  // A block of zeros has factor 1. Saturates at 448 by construction.
  void (*quantize_f8)(const std::uint16_t* x, std::int64_t n, std::uint8_t* out, float* scales);
  RowSummary (*summarize)(const float* x, std::int64_t n);  // n > 0
};

// The table that R1EVAL_ISA and the processor choose.
const KernelTable& active_kernels();

// A table by name, null where the processor cannot run it: "scalar", "avx2", "avx512",
// "avx512_bf16".
const KernelTable* kernels_for(const std::string& isa);

// Why R1EVAL_ISA was not followed, or empty.
std::string isa_problem();

// The tables, by file. Only dispatch.cc may call what the processor has not been asked about.
const KernelTable& scalar_kernels();
const KernelTable& avx2_kernels();
const KernelTable& avx512_kernels();
const KernelTable& avx512_bf16_kernels();

}  // namespace r1eval::kernels
