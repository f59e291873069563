// The operators of mixtures of experts and of latent attention, as functions on device memory.
//
// Tables   simple_operators() is one plain kernel an operator: the second reference on the device;
//          fast_operators() has a faster kernel where there is one, and the simple one elsewhere.
//          The same tables exist twice: r1eval::kernels::cuda on the device (only in builds with
//          CUDA) and r1eval::kernels::emulated on the CPU (tests; pointers are to host memory).
// Calls    queue work on `stream` (a cudaStream_t; null: the default one) and return. Pointers are
// to
//          device memory that the caller owns, aligned to 16 bytes, row-major and dense unless a
//          stride is given. Workspace is the caller's too: workspace_bytes(arguments) of any
//          content.
// Errors   kInvalidArgument: a shape outside the contract that stands beside the structure;
//          kInternal: what CUDA said. Zero tokens, zero-length sequences and experts without rows
//          are within every contract.
// Bits     the same inputs give the same bits: no sums by atomics anywhere.
// Sums     in float32 or, where stated, promoted to it; results round to nearest even.
// Threads  pure functions of their arguments.
// Status   compiled for sm_90a and emulated against the references in double precision; not yet run
//          on a device.
// Tested   tests/kernels/cuda/.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"
#include "kernels/shared/numbers.h"

namespace r1eval::kernels::device {

// out = x / sqrt(mean(x^2) + eps) * gain. With a residual: residual += x first (rounded to bf16),
// and out is of that sum.
struct RmsNorm {
  const Bf16* x = nullptr;      // (tokens, width)
  Bf16* residual = nullptr;     // (tokens, width) or null
  const float* gain = nullptr;  // (width)
  Bf16* out = nullptr;          // (tokens, width)
  std::int64_t tokens = 0;
  std::int64_t width = 0;
  float eps = 1e-6F;
};

// Rows to e4m3 with a scale for 128 columns: value = e4m3 * scale, scale = largest / 448.
struct QuantizeRows {
  const Bf16* x = nullptr;  // (rows, width)
  E4m3* values = nullptr;   // (rows, width)
  float* scales = nullptr;  // (rows, ceil(width / 128))
  std::int64_t rows = 0;
  std::int64_t width = 0;
};

// logits[t][e] = x[t] . weights[e].
struct RouterGemm {
  const Bf16* x = nullptr;        // (tokens, hidden)
  const Bf16* weights = nullptr;  // (experts, hidden)
  float* logits = nullptr;        // (tokens, experts)
  std::int64_t tokens = 0;
  std::int64_t hidden = 0;
  std::int64_t experts = 0;
};

// s = sigmoid or softmax of the logits, t = s + bias. A group's score is the sum of its two largest
// t (with a bias; the largest s without); the `groups_kept` best groups remain, of their experts
// the k with the largest t are chosen, best first, equals by the lower index. weights = s of the
// chosen, divided by their sum where is_renormalized, times scale.
struct RouterTopK {
  const float* logits = nullptr;  // (tokens, experts)
  const float* bias = nullptr;    // (experts) or null
  std::int32_t* ids = nullptr;    // (tokens, k)
  float* weights = nullptr;       // (tokens, k)
  std::int64_t tokens = 0;
  int experts = 0;  // at most 256, a multiple of groups
  int k = 0;        // at most 32
  int groups = 1;   // at most 32
  int groups_kept = 1;
  bool is_sigmoid = true;
  bool is_renormalized = true;
  float scale = 1.0F;
};

// Where every (token, choice) pair goes when rows are sorted by expert (shared/permute_map.h), and
// the rows themselves.
struct Permute {
  const std::int32_t* ids = nullptr;    // (tokens, k); outside [0, experts): the pair goes nowhere
  const void* rows = nullptr;           // (tokens, row_bytes) or null: the map only
  const float* scales = nullptr;        // (tokens, scales_per_row) or null
  std::int32_t* offsets = nullptr;      // (experts + 1)
  std::int32_t* row_of_pair = nullptr;  // (tokens, k)
  std::int32_t* pair_of_row = nullptr;  // (sorted rows); -1 for padding
  void* sorted = nullptr;               // (sorted rows, row_bytes); padding zero
  float* sorted_scales = nullptr;       // (sorted rows, scales_per_row)
  std::int64_t tokens = 0;
  std::int64_t row_bytes = 0;  // a multiple of 4
  int scales_per_row = 0;
  int experts = 0;  // at most 1024
  int k = 0;
  int align = 1;  // an expert's first row is a multiple of it
};

// out[r] = a[r] . weights[g]^T for the rows of each group g. Weights (groups, n, k).
// bf16 or e4m3 (then with scales: a by 1 x 128, weights by 128 x 128).
struct GroupedGemm {
  bool is_e4m3 = false;
  const void* a = nullptr;
  const float* a_scales = nullptr;
  const void* weights = nullptr;
  const float* weight_scales = nullptr;
  Bf16* out = nullptr;
  // Contiguous: rows [offsets[g], offsets[g + 1]) of a (total_rows, k) are group g's.
  const std::int32_t* offsets = nullptr;
  // Masked (offsets null): a is (groups, rows_per_group, k), of which counts[g] rows are used; the
  // others are neither read for a result nor written. Both null: one group of total_rows.
  const std::int32_t* counts = nullptr;
  std::int64_t rows_per_group = 0;
  std::int64_t total_rows = 0;
  int groups = 1;
  std::int64_t n = 0;
  std::int64_t k = 0;
};

// out = silu(gate) * up; gate is the first half of a row. To bf16, or to e4m3 with scales by 128.
struct SwiGlu {
  const Bf16* gate_up = nullptr;  // (rows, 2 width)
  Bf16* out = nullptr;            // (rows, width), or null:
  E4m3* values = nullptr;         // (rows, width)
  float* scales = nullptr;        // (rows, ceil(width / 128))
  std::int64_t rows = 0;
  std::int64_t width = 0;
};

// out[t] = sum over j of weights[t][j] * rows[row_of_pair[t][j]] (+ shared[t]). A negative row
// contributes nothing.
struct Combine {
  const Bf16* rows = nullptr;                 // (sorted rows, width)
  const std::int32_t* row_of_pair = nullptr;  // (tokens, k)
  const float* weights = nullptr;             // (tokens, k)
  const Bf16* shared = nullptr;               // (tokens, width) or null
  Bf16* out = nullptr;                        // (tokens, width)
  std::int64_t tokens = 0;
  std::int64_t width = 0;
  int k = 0;
};

// out[t][h] = w[h] a[t][h] for each head: the query into the latent, or an output out of it.
struct PerHead {
  const Bf16* a = nullptr;        // (tokens, heads, in)
  const Bf16* weights = nullptr;  // (heads, out_width, in)
  Bf16* out = nullptr;            // (tokens, heads, out_width)
  std::int64_t tokens = 0;
  int heads = 0;
  std::int64_t in = 0;
  std::int64_t out_width = 0;
};

// Rotates the pairs (2i, 2i + 1) of each query head and of the key, in place.
struct Rope {
  Bf16* q = nullptr;                        // (tokens, heads, width), strides below
  Bf16* k = nullptr;                        // (tokens, width), or null
  const std::int32_t* positions = nullptr;  // (tokens)
  const float* cosines = nullptr;           // (positions, width / 2)
  const float* sines = nullptr;             // (positions, width / 2)
  std::int64_t tokens = 0;
  int heads = 0;
  int width = 64;
  std::int64_t q_token_stride = 0;  // in values; 0: dense
  std::int64_t q_head_stride = 0;   // 0: width
  std::int64_t k_token_stride = 0;  // 0: width
};

// Row of the paged latent cache: bf16 latent then bf16 rotated key; or, in 8 bits, the latent in
// e4m3, a float scale for each 128 of it, the rotated key in bf16 (656 bytes for 512 + 64).
R1_HD constexpr std::int64_t cache_row_bytes(std::int64_t latent, std::int64_t rope, bool is_e4m3) {
  return is_e4m3 ? latent + scale_blocks(latent) * 4 + 2 * rope : 2 * (latent + rope);
}

// Writes new tokens into the cache. A negative slot is skipped.
struct Append {
  const Bf16* latent = nullptr;         // (tokens, latent_width)
  const Bf16* rope = nullptr;           // (tokens, rope_width)
  const std::int64_t* slots = nullptr;  // (tokens): block * 64 + place in the block
  void* cache = nullptr;                // (blocks, 64, cache_row_bytes)
  bool is_e4m3 = false;
  std::int64_t tokens = 0;
  std::int64_t latent_width = 512;  // a multiple of 8; of 128 in 8 bits
  std::int64_t rope_width = 64;     // a multiple of 8
};

// Absorbed attention over the latents: every head of a query attends to the same rows, whose first
// `latent` values are also the values. Query i of a sequence sees the first length - queries + i +
// 1 tokens (all of them with one query).
struct MlaDecode {
  const Bf16* q = nullptr;                // (batch, queries, heads, latent + rope)
  const void* cache = nullptr;            // (blocks, 64, cache_row_bytes)
  const std::int32_t* table = nullptr;    // (batch, table_width): blocks of a sequence in order
  const std::int32_t* lengths = nullptr;  // (batch), including the queries; 0: no output but zeros
  Bf16* out = nullptr;                    // (batch, queries, heads, latent)
  float* lse = nullptr;  // (batch, queries, heads): log sum exp of the scaled scores; +inf: none
  bool cache_is_e4m3 = false;
  std::int64_t batch = 0;
  int queries = 1;
  int heads = 0;
  int latent = 512;
  int rope = 64;
  std::int64_t table_width = 0;
  std::int64_t cache_rows = 0;  // of the whole cache: blocks * 64
  float scale = 1.0F;
  void* workspace = nullptr;  // decode_workspace_bytes
};

// Causal attention over a ragged batch; head h uses key/value head h / (heads / kv_heads). The last
// query of a sequence sees all keys of it.
struct Prefill {
  const Bf16* q = nullptr;                 // (total queries, heads, width)
  const Bf16* k = nullptr;                 // (total keys, kv_heads, width)
  const Bf16* v = nullptr;                 // (total keys, kv_heads, value_width)
  const std::int32_t* q_starts = nullptr;  // (batch + 1)
  const std::int32_t* k_starts = nullptr;  // (batch + 1)
  Bf16* out = nullptr;                     // (total queries, heads, value_width)
  float* lse = nullptr;                    // (total queries, heads) or null
  std::int64_t batch = 0;
  std::int64_t total_queries = 0;
  int heads = 0;
  int kv_heads = 0;
  int width = 192;        // at most 512
  int value_width = 128;  // at most 512
  float scale = 1.0F;
};

// Attention over a paged cache of keys and values.
struct GqaDecode {
  const Bf16* q = nullptr;                // (batch, queries, heads, width)
  const Bf16* keys = nullptr;             // (blocks, 64, kv_heads, width)
  const Bf16* values = nullptr;           // (blocks, 64, kv_heads, width)
  const std::int32_t* table = nullptr;    // (batch, table_width)
  const std::int32_t* lengths = nullptr;  // (batch)
  Bf16* out = nullptr;                    // (batch, queries, heads, width)
  std::int64_t batch = 0;
  int queries = 1;
  int heads = 0;
  int kv_heads = 0;
  int width = 128;  // at most 512
  std::int64_t table_width = 0;
  float scale = 1.0F;
};

// A draw from softmax(logits / temperature), restricted to the k likeliest (equals by the lower
// index) and to the smallest set of likeliest with probability at least p. The kept tokens in order
// of their index share [0, 1); the one that holds the row's uniform is drawn. temperature 0: the
// largest.
struct Sample {
  const void* logits = nullptr;     // (batch, vocabulary), float or bf16
  const float* uniforms = nullptr;  // (batch), in [0, 1); not read at temperature 0
  std::int32_t* tokens = nullptr;   // (batch)
  bool is_bf16 = false;
  std::int64_t batch = 0;
  std::int64_t vocabulary = 0;
  std::int64_t k = 0;  // 0: all
  float p = 1.0F;
  float temperature = 1.0F;
};

// A whole layer: router, experts, shared expert, combine. Weights e4m3 with scales by 128 x 128 or
// bf16. Roundings on the way: gate and up to bf16, their product to bf16; with e4m3 weights x and
// that product then by 1 x 128 to e4m3.
struct MoeLayer {
  bool is_e4m3 = false;
  const Bf16* x = nullptr;                // (tokens, hidden)
  const Bf16* router = nullptr;           // (experts, hidden)
  const float* bias = nullptr;            // (experts) or null
  const void* gate_up = nullptr;          // (experts, 2 inter, hidden): gate rows, then up rows
  const void* down = nullptr;             // (experts, hidden, inter)
  const float* gate_up_scales = nullptr;  // (experts, 2 inter / 128, hidden / 128)
  const float* down_scales = nullptr;     // (experts, hidden / 128, inter / 128)
  const void* shared_gate_up = nullptr;   // (2 shared_inter, hidden)
  const void* shared_down = nullptr;      // (hidden, shared_inter)
  const float* shared_gate_up_scales = nullptr;
  const float* shared_down_scales = nullptr;
  Bf16* out = nullptr;  // (tokens, hidden)
  std::int64_t tokens = 0;
  std::int64_t hidden = 0;          // a multiple of 128
  std::int64_t inter = 0;           // a multiple of 128
  std::int64_t shared_inter = 0;    // a multiple of 128, or 0
  RouterTopK routing;               // experts, k, groups, …; its pointers are not read
  void* workspace = nullptr;        // moe_workspace_bytes
  std::int32_t* ids_out = nullptr;  // (tokens, k) or null: what the router chose
};

struct Table {
  const char* name;
  Status (*rms_norm)(const RmsNorm&, void* stream);
  Status (*quantize_rows)(const QuantizeRows&, void* stream);
  Status (*router_gemm)(const RouterGemm&, void* stream);
  Status (*router_topk)(const RouterTopK&, void* stream);
  Status (*permute)(const Permute&, void* stream);
  // The choice, then the map of it (rows are not moved); map.ids == choice.ids.
  Status (*route)(const RouterTopK& choice, const Permute& map, void* stream);
  Status (*grouped_gemm)(const GroupedGemm&, void* stream);
  Status (*swiglu)(const SwiGlu&, void* stream);
  Status (*combine)(const Combine&, void* stream);
  Status (*per_head)(const PerHead&, void* stream);
  Status (*rope)(const Rope&, void* stream);
  Status (*append)(const Append&, void* stream);
  Status (*mla_decode)(const MlaDecode&, void* stream);
  Status (*prefill)(const Prefill&, void* stream);
  Status (*gqa_decode)(const GqaDecode&, void* stream);
  Status (*sample)(const Sample&, void* stream);
  Status (*moe_layer)(const MoeLayer&, void* stream);
  std::size_t (*decode_workspace_bytes)(const MlaDecode&);
  std::size_t (*moe_workspace_bytes)(const MoeLayer&);
};

}  // namespace r1eval::kernels::device

namespace r1eval::kernels::cuda {

const device::Table& simple_operators();
const device::Table& fast_operators();

}  // namespace r1eval::kernels::cuda

namespace r1eval::kernels::emulated {

const device::Table& simple_operators();
const device::Table& fast_operators();

}  // namespace r1eval::kernels::emulated
