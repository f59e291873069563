// One case of the suite: what is computed, on which data, by which implementation, how it is timed.
//
// Name    OPERATOR/DTYPE/SHAPE/LOAD/CACHE/VARIANT, as in
//           moe.layer.cpu/bf16/T8.H2048.E64.k6.I1408.S2816.g1.n1/uniform/cold/avx512
//         Six parts, none of which contains '/'. CPU variants add ".cpu" to the operator's id. LOAD
//         is "-" where the operator has none. The name identifies a case over time: two results
//         with the same name, machine class and generator may be compared.
// Loads   experts: balanced, uniform, zipf:S, hot:N,F, jitter:F (k = 1: rows of each around the
// mean);
//         lengths: fixed, varlen (normal, sd = mean / 2, clamped to [0, 2 mean]; the last sequence
//         has none).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernels/operators/operators.h"

namespace r1eval::kernels {

enum class CacheState : std::uint8_t { kCold, kHot };

struct OperatorCase {
  std::string op;  // without ".cpu"
  Dtype dtype = Dtype::kBF16;
  Shape shape;
  std::string load = "-";
  CacheState cache = CacheState::kCold;
  std::string variant;     // ref, scalar, avx2, avx512, avx512_bf16, cuda, cuda_simple, …
  std::uint64_t seed = 1;  // not part of the name: it is the run's

  bool is_on_cpu() const { return !variant.starts_with("cuda"); }

  const OperatorSpec& spec() const;  // of op, which exists
  std::string name() const;
  // Errors: kInvalidArgument naming the part that cannot be read.
  static Result<OperatorCase> parse(std::string_view name);
  // op exists, shape, type and load are within its contract.
  Status check() const;
};

// The number that a tensor of the case draws from (kernels/operators/generator.h).
enum class TensorId : std::uint64_t {
  kInput = 1,    // activations: x, q, gate_up, logits, …
  kWeight = 2,   // experts' gate and up; a projection's; the norm's gain
  kWeight2 = 3,  // experts' down
  kShared = 4,   // shared expert's gate and up
  kShared2 = 5,  // shared expert's down
  kRouter = 6,   // router's weights
  kBias = 7,     // router's bias
  kResidual = 8,
  kCache = 9,     // cached keys, or latents with their rotated keys
  kValues = 10,   // cached values
  kLoad = 11,     // which experts
  kLengths = 12,  // of sequences
  kBlocks = 13,   // order of cache blocks
  kWeights = 14,  // weights of chosen experts
};

// Which experts each token goes to, best first, with the weights that combine needs.
struct RoutedTokens {
  std::int64_t tokens = 0;
  std::int64_t top_k = 0;
  std::int64_t experts = 0;
  std::vector<std::int32_t> chosen;  // (T, k): distinct within a token
  std::vector<float> weights;        // (T, k): positive, sum 1
  std::vector<std::int32_t> begin;   // (E + 1): first row of an expert, rows sorted by expert, then
                                     // by token
  std::vector<std::int32_t> row_of;  // (T, k): the pair's row
  std::vector<std::int32_t> token_of;  // (R)

  Work work() const;
};

// Sequences over a paged cache of kCacheBlockTokens-token blocks.
struct PagedBatch {
  std::vector<std::int32_t> cached;   // (b): tokens in the cache, those of the queries included
  std::vector<std::int32_t> queries;  // (b): query tokens, the last ones of the sequence
  std::int64_t blocks_per_sequence = 0;
  std::vector<std::int32_t> table;  // (b, blocks_per_sequence): block numbers; unused entries -1
  std::int64_t n_blocks = 0;        // of the pool; some belong to nobody

  Work work() const;
};

// Errors: kInvalidArgument for a load that does not exist or does not fit the shape.
Result<RoutedTokens> make_routing(const OperatorCase& c);
Result<PagedBatch> make_batch(const OperatorCase& c);
// What the case's data add to its shape, for costs.
Result<Work> make_work(const OperatorCase& c);

// Value `index` (row-major) of a tensor before it is rounded to its type: bell_value times 0.1 for
// activations and weights, 4 for queries of attention, 2 for swiglu's input, 2.5 for logits to
// sample from, 1 for moe.topk's, 0.01 for the router's bias; gains are 1 + bell_value / 10.
float input_value(const OperatorCase& c, TensorId tensor, std::uint64_t index);
// The last step of it, from bell_value: a factor and an addend by operator and tensor.
float scaled_value(std::string_view op, TensorId tensor, float bell);

}  // namespace r1eval::kernels
