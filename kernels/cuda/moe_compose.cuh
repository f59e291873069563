// The layer as a sequence of operators of a table, and the workspace it needs.
#pragma once

#include "kernels/cuda/simple.cuh"
#include "kernels/cuda/workspace.cuh"
#include "kernels/shared/permute_map.h"

namespace r1eval::kernels::R1_DEVICE {

struct MoeBuffers {
  float* logits;
  std::int32_t* ids;
  float* weights;
  std::int32_t* offsets;
  std::int32_t* row_of_pair;
  std::int32_t* pair_of_row;
  E4m3* x8;
  float* x8_scales;
  void* sorted;
  float* sorted_scales;
  Bf16* gate_up;
  void* hidden;
  float* hidden_scales;
  Bf16* rows;
  Bf16* shared_out;
  std::size_t bytes;
};

// With a null workspace only the size means something.
inline MoeBuffers moe_buffers(const device::MoeLayer& a, void* workspace) {
  Carver carve(workspace);
  const std::int64_t pairs = a.tokens * a.routing.k;
  const std::int64_t rows = larger(pairs, a.tokens);  // the shared expert's rows too
  const std::int64_t width = larger(a.inter, a.shared_inter);
  const std::int64_t value_bytes = a.is_e4m3 ? 1 : 2;
  MoeBuffers b{};
  b.logits = carve.take<float>(a.tokens * a.routing.experts);
  b.ids = carve.take<std::int32_t>(pairs);
  b.weights = carve.take<float>(pairs);
  b.offsets = carve.take<std::int32_t>(a.routing.experts + 1);
  b.row_of_pair = carve.take<std::int32_t>(pairs);
  b.pair_of_row = carve.take<std::int32_t>(pairs);
  b.x8 = carve.take<E4m3>(a.is_e4m3 ? a.tokens * a.hidden : 0);
  b.x8_scales = carve.take<float>(a.is_e4m3 ? a.tokens * scale_blocks(a.hidden) : 0);
  b.sorted = carve.take<unsigned char>(pairs * a.hidden * value_bytes);
  b.sorted_scales = carve.take<float>(a.is_e4m3 ? pairs * scale_blocks(a.hidden) : 0);
  b.gate_up = carve.take<Bf16>(rows * 2 * width);
  b.hidden = carve.take<unsigned char>(rows * width * value_bytes);
  b.hidden_scales = carve.take<float>(a.is_e4m3 ? rows * scale_blocks(width) : 0);
  b.rows = carve.take<Bf16>(pairs * a.hidden);
  b.shared_out = carve.take<Bf16>(a.tokens * a.hidden);
  b.bytes = carve.bytes();
  return b;
}

inline Status check_moe_layer(const device::MoeLayer& a) {
  if (a.hidden < 128 || a.hidden % 128 != 0) {
    return invalid("moe.layer", "hidden", a.hidden, "multiples of 128");
  }
  if (a.inter < 128 || a.inter % 128 != 0) {
    return invalid("moe.layer", "inter", a.inter, "multiples of 128");
  }
  if (a.shared_inter < 0 || a.shared_inter % 128 != 0) {
    return invalid("moe.layer", "shared_inter", a.shared_inter, "multiples of 128, or 0");
  }
  if (a.tokens > 0 && a.workspace == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "moe.layer: needs a workspace");
  }
  return check_topk(a.routing);
}

// Gate and up, product, down for rows that lie together; `offsets` null: one expert.
inline Status expert_products(const device::Table& op, const device::MoeLayer& a,
                              const MoeBuffers& b, bool is_shared, const void* x,
                              const float* x_scales, std::int64_t rows, Bf16* out, void* stream) {
  const std::int64_t width = is_shared ? a.shared_inter : a.inter;
  device::GroupedGemm up;
  up.is_e4m3 = a.is_e4m3;
  up.a = x;
  up.a_scales = x_scales;
  up.weights = is_shared ? a.shared_gate_up : a.gate_up;
  up.weight_scales = is_shared ? a.shared_gate_up_scales : a.gate_up_scales;
  up.out = b.gate_up;
  up.offsets = is_shared ? nullptr : b.offsets;
  up.total_rows = rows;
  up.groups = is_shared ? 1 : a.routing.experts;
  up.n = 2 * width;
  up.k = a.hidden;
  R1_RETURN_IF_ERROR(op.grouped_gemm(up, stream));
  device::SwiGlu product;
  product.gate_up = b.gate_up;
  product.rows = rows;
  product.width = width;
  if (a.is_e4m3) {
    product.values = static_cast<E4m3*>(b.hidden);
    product.scales = b.hidden_scales;
  } else {
    product.out = static_cast<Bf16*>(b.hidden);
  }
  R1_RETURN_IF_ERROR(op.swiglu(product, stream));
  device::GroupedGemm down = up;
  down.a = b.hidden;
  down.a_scales = b.hidden_scales;
  down.weights = is_shared ? a.shared_down : a.down;
  down.weight_scales = is_shared ? a.shared_down_scales : a.down_scales;
  down.out = out;
  down.n = a.hidden;
  down.k = width;
  return op.grouped_gemm(down, stream);
}

inline Status moe_layer_of(const device::Table& op, const device::MoeLayer& a, void* stream) {
  R1_RETURN_IF_ERROR(check_moe_layer(a));
  if (a.tokens == 0) {
    return ok_status();
  }
  const MoeBuffers b = moe_buffers(a, a.workspace);
  R1_RETURN_IF_ERROR(
      op.router_gemm({a.x, a.router, b.logits, a.tokens, a.hidden, a.routing.experts}, stream));
  device::RouterTopK choice = a.routing;
  choice.logits = b.logits;
  choice.bias = a.bias;
  choice.ids = a.ids_out != nullptr ? a.ids_out : b.ids;
  choice.weights = b.weights;
  choice.tokens = a.tokens;
  R1_RETURN_IF_ERROR(op.router_topk(choice, stream));
  device::Permute move;
  move.ids = choice.ids;
  move.rows = a.x;
  move.offsets = b.offsets;
  move.row_of_pair = b.row_of_pair;
  move.pair_of_row = b.pair_of_row;
  move.sorted = b.sorted;
  move.tokens = a.tokens;
  move.row_bytes = a.hidden * 2;
  move.experts = a.routing.experts;
  move.k = a.routing.k;
  if (a.is_e4m3) {
    R1_RETURN_IF_ERROR(op.quantize_rows({a.x, b.x8, b.x8_scales, a.tokens, a.hidden}, stream));
    move.rows = b.x8;
    move.row_bytes = a.hidden;
    move.scales = b.x8_scales;
    move.sorted_scales = b.sorted_scales;
    move.scales_per_row = static_cast<int>(scale_blocks(a.hidden));
  }
  R1_RETURN_IF_ERROR(op.permute(move, stream));
  R1_RETURN_IF_ERROR(expert_products(op, a, b, false, b.sorted, b.sorted_scales,
                                     a.tokens * a.routing.k, b.rows, stream));
  if (a.shared_inter > 0) {
    const void* x = a.is_e4m3 ? static_cast<const void*>(b.x8) : static_cast<const void*>(a.x);
    R1_RETURN_IF_ERROR(
        expert_products(op, a, b, true, x, b.x8_scales, a.tokens, b.shared_out, stream));
  }
  return op.combine({b.rows, b.row_of_pair, b.weights, a.shared_inter > 0 ? b.shared_out : nullptr,
                     a.out, a.tokens, a.hidden, a.routing.k},
                    stream);
}

}  // namespace r1eval::kernels::R1_DEVICE
