// The tables of operators. See operators.h.
#include "kernels/cuda/fast.cuh"
#include "kernels/cuda/moe_compose.cuh"

namespace r1eval::kernels::R1_DEVICE {

namespace {

constexpr std::int64_t kMostRowsToStream = 256;

std::size_t no_workspace(const device::MlaDecode& /*arguments*/) {
  return 0;
}

Status fast_grouped_gemm(const device::GroupedGemm& a, void* stream) {
  // Below some rows a group the reading of weights decides, and tiles of 128 rows would be empty.
  // Where the groups' rows are known on the device only, by what there can be on average.
  const bool is_masked = a.offsets == nullptr && a.counts != nullptr;
  const std::int64_t rows = is_masked ? a.rows_per_group : a.total_rows / larger(a.groups, 1);
  if (rows > kMostRowsToStream && large_gemm_takes(a)) {
    return large_gemm(a, stream);
  }
  return masked_gemm_takes(a) ? masked_gemm(a, stream) : simple_grouped_gemm(a, stream);
}

Status fast_moe_layer(const device::MoeLayer& a, void* stream) {
  return fused_moe_takes(a) ? fused_moe(a, stream) : moe_layer_of(fast_operators(), a, stream);
}

std::size_t fast_moe_workspace_bytes(const device::MoeLayer& a) {
  return fused_moe_takes(a) ? fused_moe_workspace_bytes(a) : composed_moe_workspace_bytes(a);
}

Status fast_mla_decode(const device::MlaDecode& a, void* stream) {
  return mla_decode_takes(a) ? mla_decode(a, stream) : simple_mla_decode(a, stream);
}

std::size_t fast_decode_workspace_bytes(const device::MlaDecode& a) {
  return mla_decode_takes(a) ? mla_decode_workspace_bytes(a) : 0;
}

}  // namespace

const device::Table& simple_operators() {
  static const device::Table table = {
      .name = "simple",
      .rms_norm = rms_norm,
      .quantize_rows = quantize_rows,
      .router_gemm = simple_router_gemm,
      .router_topk = simple_router_topk,
      .permute = simple_permute,
      .route = simple_route,
      .grouped_gemm = simple_grouped_gemm,
      .swiglu = swiglu,
      .combine = combine,
      .per_head = simple_per_head,
      .rope = rope,
      .append = append,
      .mla_decode = simple_mla_decode,
      .prefill = simple_prefill,
      .gqa_decode = simple_gqa_decode,
      .sample = sample,
      .moe_layer = composed_moe_layer,
      .decode_workspace_bytes = no_workspace,
      .moe_workspace_bytes = composed_moe_workspace_bytes,
  };
  return table;
}

const device::Table& fast_operators() {
  static const device::Table table = [] {
    device::Table t = simple_operators();
    t.name = "fast";
    t.router_topk = router_topk;
    t.permute = permute;
    t.route = route;
    t.grouped_gemm = fast_grouped_gemm;
    t.mla_decode = fast_mla_decode;
    t.decode_workspace_bytes = fast_decode_workspace_bytes;
    t.moe_layer = fast_moe_layer;
    t.moe_workspace_bytes = fast_moe_workspace_bytes;
    return t;
  }();
  return table;
}

}  // namespace r1eval::kernels::R1_DEVICE
