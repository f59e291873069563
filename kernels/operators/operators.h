// The operators of the suite: their ids, the dimensions they take, what they cost at least, and how
// far a result may lie from the reference.
//
// Ids      kernels are named by what they compute, "moe.grouped_gemm1"; in results the CPU's carry
//          the suffix ".cpu" (suite/record.h).
// Cost     FLOP count a multiply-add as 2. Bytes are a floor: each input read once, each output
//          written once. The floor time of a case is max(FLOP / rate, bytes / bandwidth).
// Shapes   T tokens, H hidden, E routed experts, k experts a token, I width of an expert, S width
// of
//          the shared expert, g groups and n groups kept, R rows, N x K a weight matrix, b batch,
//          h heads, q query tokens of a sequence, s cached tokens of a sequence, c latent,
//          r rotated dims, d head dim, v value dim, V vocabulary, i and o widths of an absorbed
//          projection, p a head's key/value heads.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernels/operators/shape.h"

namespace r1eval::kernels {

// Of an operator's inputs as stored; sums are always float32 or better.
enum class Dtype : std::uint8_t {
  kF32,
  kBF16,
  kInt8,  // weights as Q8_0 (blocks of 32 with an F16 scale), activations as QuantizedColumns
  kF8,    // E4M3: weights with a float32 scale per 128 x 128, activations per 1 x 128
};

std::string_view dtype_name(Dtype dtype);  // "f32", "bf16", "int8", "fp8"
Result<Dtype> parse_dtype(std::string_view text);

// How a result is compared; each measure that is not 0 must hold for every output.
struct Tolerance {
  double relative_norm = 0;        // |out - ref| / |ref|, Frobenius
  double row_cosine_distance = 0;  // of the worst row: 1 - cos
  // The worst element: |out - ref| <= absolute, or <= of_row_rms * rms(ref row), or
  // <= relative * |ref|.
  double absolute = 0;
  double of_row_rms = 0;
  double relative = 0;
  bool is_exact = false;  // the same bytes, nothing else is looked at
};

// What a case's data add to its shape: drawn by the suite, stored with the result.
struct Work {
  std::int64_t rows = 0;         // R: routed rows
  std::int64_t distinct = 0;     // D: experts with at least one row
  std::int64_t most_rows = 0;    // of one expert
  std::int64_t sum_cached = 0;   // sum of s over the sequences
  std::int64_t sum_queries = 0;  // sum of q
  std::int64_t sum_pairs = 0;    // (query, key) pairs that are not masked
};

struct Cost {
  double flop = 0;
  double bytes = 0;
};

enum class LoadKind : std::uint8_t { kNone, kExperts, kLengths };

struct OperatorSpec {
  std::string_view id;
  std::string_view what;    // one line
  std::string_view dims;    // names of the shape's dimensions, separated by spaces
  std::string_view dtypes;  // names, separated by spaces; the first is the usual one
  LoadKind load = LoadKind::kNone;
};

std::span<const OperatorSpec> operators();
const OperatorSpec* find_operator(std::string_view id);  // null where there is none

// Whether a shape is within an operator's contract. Errors: kInvalidArgument naming the dimension,
// its value and what is allowed. Zero tokens, sequences of no length and experts without rows are
// within it.
Status check_shape(const OperatorSpec& op, Dtype dtype, const Shape& shape);

Cost operator_cost(const OperatorSpec& op, Dtype dtype, const Shape& shape, const Work& work);

Tolerance operator_tolerance(const OperatorSpec& op, Dtype dtype);

// A point of the grid: operator, type, shape, load.
struct GridPoint {
  std::string_view op;
  Dtype dtype = Dtype::kBF16;
  Shape shape;
  std::string load;     // "-" where the operator has none
  bool is_hot = false;  // measured with its inputs in the cache
};

enum class Grid : std::uint8_t {
  kCheck,  // small and awkward shapes, for correctness: odd, empty, ragged
  kQuick,  // the bold points, and V2-Lite's
  kFull,
};

// What is measured on a device (`on_cpu` false: V3's dimensions) or a processor (V2-Lite's, and
// V3's where they fit).
std::vector<GridPoint> grid(Grid which, bool on_cpu);

}  // namespace r1eval::kernels
