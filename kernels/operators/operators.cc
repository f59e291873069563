// The table of operators: contracts, costs, tolerances. See operators.h.
#include "kernels/operators/operators.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace r1eval::kernels {

namespace {

constexpr std::array kOperators = {
    OperatorSpec{"moe.router_gemm", "router's scores: T x H by H x E, float32 out", "T H E",
                 "bf16 f32"},
    OperatorSpec{"moe.topk", "scores to experts and weights (g > 1: by groups, with bias)",
                 "T E k g n", "f32"},
    OperatorSpec{"moe.permute", "count, scan, gather rows by expert", "T H E k", "bf16 f32",
                 LoadKind::kExperts},
    OperatorSpec{"moe.grouped_gemm1", "gate and up: R x H by D experts 2I x H", "T H E k I",
                 "bf16 int8 fp8", LoadKind::kExperts},
    OperatorSpec{"moe.swiglu", "silu(gate) * up", "R I", "bf16 f32"},
    OperatorSpec{"moe.grouped_gemm2", "down: R x I by D experts H x I", "T H E k I",
                 "bf16 int8 fp8", LoadKind::kExperts},
    OperatorSpec{"moe.combine", "weighted sum of k rows a token", "T H E k", "bf16 f32",
                 LoadKind::kExperts},
    OperatorSpec{"moe.layer", "router to combine, shared expert included", "T H E k I S g n",
                 "bf16 int8 fp8", LoadKind::kExperts},
    OperatorSpec{"quant.act", "activations to 8 bits with a scale a block", "T H", "bf16 int8"},
    OperatorSpec{"mla.proj", "a dense projection: T x K by N x K", "T N K", "bf16 int8 fp8"},
    OperatorSpec{"mla.absorb", "per head i -> o: the query into the latent, or out of it",
                 "T h i o", "bf16"},
    OperatorSpec{"mla.rope", "rotate interleaved pairs of h query heads and one key", "T h r",
                 "bf16 f32"},
    OperatorSpec{"mla.append", "latent and rotated key into the paged cache", "T c r", "bf16 fp8"},
    OperatorSpec{"mla.decode", "absorbed attention over the paged latents", "b q h s c r", "bf16",
                 LoadKind::kLengths},
    OperatorSpec{"mla.prefill", "causal attention, key width d, value width v", "b q s h d v",
                 "bf16", LoadKind::kLengths},
    OperatorSpec{"gqa.decode", "attention of h heads over p key/value heads, paged", "b q h p s d",
                 "bf16 f32", LoadKind::kLengths},
    OperatorSpec{"gqa.prefill", "causal attention of h heads over p", "b q s h p d", "bf16",
                 LoadKind::kLengths},
    OperatorSpec{"norm.rms", "x / rms(x) * gain", "T H", "bf16 f32"},
    OperatorSpec{"norm.add_rms", "residual += x, then its norm", "T H", "bf16 f32"},
    OperatorSpec{"sample.argmax", "index of the largest logit, lowest of equals", "b V",
                 "f32 bf16"},
    OperatorSpec{"sample.topk", "a draw from the k most likely, tempered", "b V k", "f32 bf16"},
    OperatorSpec{"sample.topp", "a draw from the nucleus p = 0.95, tempered", "b V", "f32 bf16"},
};

double bytes_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::kF32:
      return 4;
    case Dtype::kBF16:
      return 2;
    default:
      return 1;
  }
}

// Bytes of a weight with its share of the scales, and of an activation.
double weight_bytes(Dtype dtype) {
  return dtype == Dtype::kInt8 ? 34.0 / 32.0
                               : bytes_of(dtype) + (dtype == Dtype::kF8 ? 4.0 / 16384 : 0);
}

double act_bytes(Dtype dtype) {
  // int8: a whole multiplier per 16 values; fp8: a float32 per 128.
  return dtype == Dtype::kInt8 ? 18.0 / 16.0
                               : bytes_of(dtype) + (dtype == Dtype::kF8 ? 4.0 / 128 : 0);
}

// Activations between kernels: float32 beside int8 weights and float32, else bf16.
double out_bytes(Dtype dtype) {
  return dtype == Dtype::kF32 || dtype == Dtype::kInt8 ? 4 : 2;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = text.find(' ');
    out.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return out;
}

Error bad_dim(const OperatorSpec& op, std::string_view name, std::int64_t value,
              const std::string& allowed) {
  return fail(ErrorCode::kInvalidArgument, std::string(op.id) + ": " + std::string(name) + " = " +
                                               std::to_string(value) + ", allowed: " + allowed);
}

}  // namespace

std::string_view dtype_name(Dtype dtype) {
  constexpr std::array<std::string_view, 4> kNames = {"f32", "bf16", "int8", "fp8"};
  return kNames[static_cast<std::size_t>(dtype)];
}

Result<Dtype> parse_dtype(std::string_view text) {
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBF16, Dtype::kInt8, Dtype::kF8}) {
    if (dtype_name(dtype) == text) {
      return dtype;
    }
  }
  return fail(ErrorCode::kInvalidArgument,
              "type '" + std::string(text) + "': expected f32, bf16, int8 or fp8");
}

std::span<const OperatorSpec> operators() {
  return kOperators;
}

const OperatorSpec* find_operator(std::string_view id) {
  const auto* const at = std::ranges::find(kOperators, id, &OperatorSpec::id);
  return at == kOperators.end() ? nullptr : at;
}

Status check_shape(const OperatorSpec& op, Dtype dtype, const Shape& shape) {
  const auto types = words(op.dtypes);
  if (std::ranges::find(types, dtype_name(dtype)) == types.end()) {
    return fail(ErrorCode::kUnsupported, std::string(op.id) + ": type " +
                                             std::string(dtype_name(dtype)) +
                                             " is not one of: " + std::string(op.dtypes));
  }
  const auto names = words(op.dims);
  for (const std::string_view name : names) {
    if (!shape.has(name)) {
      return fail(ErrorCode::kInvalidArgument, std::string(op.id) + ": dimension " +
                                                   std::string(name) + " is missing; it takes " +
                                                   std::string(op.dims));
    }
  }
  constexpr std::int64_t kLargest = std::int64_t{1} << 31;
  for (const auto& [name, value] : shape.dims()) {
    if (std::ranges::find(names, name) == names.end()) {
      return fail(ErrorCode::kInvalidArgument, std::string(op.id) + ": no dimension " + name +
                                                   "; it takes " + std::string(op.dims));
    }
    if (value >= kLargest) {
      return bad_dim(op, name, value, "below 2^31");
    }
  }
  // Counts may be zero, widths may not.
  for (const auto& [name, value] : shape.dims()) {
    const bool is_count =
        name == "T" || name == "R" || name == "b" || name == "s" || name == "S" || name == "q";
    if (value == 0 && !is_count) {
      return bad_dim(op, name, value, "1 or more");
    }
  }
  const auto multiple = [&](std::string_view name, std::int64_t of) -> Status {
    if (shape.has(name) && shape[name] % of != 0) {
      return bad_dim(op, name, shape[name], "multiples of " + std::to_string(of));
    }
    return {};
  };
  if (shape.has("k") && shape.has("E") && shape["k"] > shape["E"]) {
    return bad_dim(op, "k", shape["k"], "at most E = " + std::to_string(shape["E"]));
  }
  if (shape.has("g")) {
    if (shape["E"] % shape["g"] != 0) {
      return bad_dim(op, "g", shape["g"], "divisors of E = " + std::to_string(shape["E"]));
    }
    if (shape["n"] > shape["g"]) {
      return bad_dim(op, "n", shape["n"], "at most g = " + std::to_string(shape["g"]));
    }
    if (shape["k"] > shape["n"] * (shape["E"] / shape["g"])) {
      return bad_dim(op, "k", shape["k"], "at most the experts of n groups");
    }
  }
  if (op.id == "sample.topk" && shape["k"] > shape["V"]) {
    return bad_dim(op, "k", shape["k"], "at most V = " + std::to_string(shape["V"]));
  }
  if (shape.has("p") && shape["h"] % shape["p"] != 0) {
    return bad_dim(op, "p", shape["p"], "divisors of h = " + std::to_string(shape["h"]));
  }
  if (op.id == "mla.prefill" || op.id == "gqa.prefill") {
    if (shape["q"] > shape["s"]) {
      return bad_dim(op, "q", shape["q"], "at most s = " + std::to_string(shape["s"]));
    }
  }
  R1_RETURN_IF_ERROR(multiple("r", 2));
  if (dtype == Dtype::kInt8 || dtype == Dtype::kF8 || op.id == "quant.act") {
    const std::int64_t block = dtype == Dtype::kInt8 ? 32 : 128;
    for (const std::string_view name : {"H", "K", "I", "S", "c"}) {
      R1_RETURN_IF_ERROR(multiple(name, block));
    }
  }
  if (op.id == "mla.decode" || op.id == "gqa.decode" || op.id == "mla.prefill" ||
      op.id == "gqa.prefill") {
    for (const std::string_view name : {"c", "d", "v"}) {
      R1_RETURN_IF_ERROR(multiple(name, 16));
      if (shape.get_or(name, 0) > 512) {
        return bad_dim(op, name, shape[name], "at most 512");
      }
    }
  }
  return {};
}

Cost operator_cost(const OperatorSpec& op, Dtype dtype, const Shape& shape, const Work& work) {
  const auto dim = [&](std::string_view name) {
    return static_cast<double>(shape.get_or(name, 0));
  };
  const double s = bytes_of(dtype);
  const double w = weight_bytes(dtype);
  const double a = act_bytes(dtype);
  const double out = out_bytes(dtype);
  const double t = dim("T");
  const double h = dim("H");
  const double e = dim("E");
  const double i = dim("I");
  const double r = shape.has("k") && shape.has("T") ? t * dim("k") : dim("R");
  const auto distinct = static_cast<double>(work.distinct);
  const std::string_view id = op.id;
  if (id == "moe.router_gemm") {
    return {2 * t * h * e, s * (t * h + e * h) + 4 * t * e};
  }
  if (id == "moe.topk") {
    return {6 * t * e, 4 * t * e + 8 * r + 4 * e};
  }
  if (id == "moe.permute") {
    return {0, s * (t * h + r * h) + 8 * r};
  }
  if (id == "moe.grouped_gemm1") {
    return {4 * r * h * i, a * r * h + w * 2 * distinct * h * i + out * r * 2 * i};
  }
  if (id == "moe.swiglu") {
    return {5 * r * i, 3 * s * r * i};
  }
  if (id == "moe.grouped_gemm2") {
    return {2 * r * h * i, a * r * i + w * distinct * h * i + out * r * h};
  }
  if (id == "moe.combine") {
    return {2 * r * h, s * r * h + 8 * r + s * t * h};
  }
  if (id == "moe.layer") {
    return {6 * r * h * i + 6 * t * h * dim("S") + 2 * t * h * e,
            w * 3 * h * (i * distinct + dim("S")) + (dtype == Dtype::kInt8 ? 4 : 2) * h * e +
                2 * out * t * h};
  }
  if (id == "quant.act") {
    return {3 * t * h, dtype == Dtype::kInt8 ? (4 + 18.0 / 16.0) * t * h : (3 + 4.0 / 128) * t * h};
  }
  if (id == "mla.proj") {
    const double n = dim("N");
    const double k = dim("K");
    return {2 * t * n * k, a * t * k + w * n * k + out * t * n};
  }
  const double heads = dim("h");
  if (id == "mla.absorb") {
    const double in = dim("i");
    const double o = dim("o");
    return {2 * t * heads * in * o, s * (heads * in * o + t * heads * (in + o))};
  }
  if (id == "mla.rope") {
    return {6 * t * (heads + 1) * dim("r") / 2, 2 * s * t * (heads + 1) * dim("r")};
  }
  if (id == "mla.append") {
    const double width = dim("c") + dim("r");
    const double stored = dtype == Dtype::kF8 ? dim("c") + dim("c") / 32 + 2 * dim("r") : 2 * width;
    return {0, 2 * t * width + t * stored};
  }
  const auto pairs = static_cast<double>(work.sum_pairs);
  const auto cached = static_cast<double>(work.sum_cached);
  const auto queries = static_cast<double>(work.sum_queries);
  if (id == "mla.decode") {
    const double row = dim("c") + dim("r");
    return {2 * heads * pairs * (row + dim("c")),
            s * row * cached + s * queries * heads * (row + dim("c"))};
  }
  if (id == "mla.prefill") {
    const double both = dim("d") + dim("v");
    return {2 * heads * both * pairs, s * heads * both * (queries + cached)};
  }
  if (id == "gqa.decode" || id == "gqa.prefill") {
    return {4 * heads * dim("d") * pairs, s * dim("d") * 2 * (dim("p") * cached + heads * queries)};
  }
  if (id == "norm.rms") {
    return {4 * t * h, 2 * s * t * h + 4 * h};
  }
  if (id == "norm.add_rms") {
    return {5 * t * h, 4 * s * t * h + 4 * h};
  }
  const double b = dim("b");
  return {8 * b * dim("V"), s * b * dim("V") + 4 * b};
}

Tolerance operator_tolerance(const OperatorSpec& op, Dtype dtype) {
  const std::string_view id = op.id;
  const bool is_f32 = dtype == Dtype::kF32;
  Tolerance t;
  if (id == "moe.permute" || id == "mla.append" || id == "sample.argmax" || id == "sample.topk" ||
      id == "sample.topp") {
    t.is_exact = true;
  } else if (id == "moe.topk") {
    t.relative = 1e-5;
    t.absolute = 1e-7;
  } else if (id == "mla.decode" || id == "mla.prefill" || id == "gqa.decode" ||
             id == "gqa.prefill") {
    t = {4e-3, 5e-6, 8e-4, 0, 2.01 / 128};
  } else if (id == "norm.rms" || id == "norm.add_rms" || id == "mla.rope" || id == "moe.swiglu" ||
             id == "moe.combine") {
    // One unit in the last place of bf16 beyond the rounding itself: 1.5 units of 2^-8.
    t = {3e-3, 1e-5, 1e-6, 0, 1.5 / 128};
    if (is_f32) {
      t = {1e-5, 1e-9, 1e-6, 0, 2e-5};
    }
  } else if (id == "quant.act") {
    // Against the values before: half a step of the largest of a block.
    t = {dtype == Dtype::kInt8 ? 8e-3 : 4e-2, 1e-3, 0, 0.5, 1.0 / 15};
  } else if (dtype == Dtype::kInt8 && id == "moe.layer") {
    t = {2e-2, 2e-4, 0, 5e-2, 1.0 / 32};  // the hidden activations are rounded to 8 bits on the way
  } else {
    t = {3e-3, 1e-5, 0, 1e-2, 1.0 / 128};
    if (id == "moe.layer") {
      t = {6e-3, 3e-5, 0, 2e-2, 1.0 / 64};  // two products and a rounding between them
    }
    if (is_f32) {
      t = {1e-5, 1e-9, 0, 1e-4, 1e-5};
    }
  }
  return t;
}

}  // namespace r1eval::kernels
