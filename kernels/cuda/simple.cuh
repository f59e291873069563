// Host functions of the kernels, as the tables of operators.h collect them. Inside kernels/cuda
// only.
#pragma once

#include <string>

#include "kernels/cuda/dialect.cuh"
#include "kernels/cuda/operators.h"

namespace r1eval::kernels::R1_DEVICE {

inline Error invalid(const char* op, const char* what, std::int64_t value, const char* allowed) {
  return fail(ErrorCode::kInvalidArgument, std::string(op) + ": " + what + " = " +
                                               std::to_string(value) + ", allowed: " + allowed);
}

// First row and number of rows of a group, for all three ways to say it. Rows are numbered in 31
// bits, as in the coordinates of a tensor map.
struct GroupRows {
  int first;
  int rows;
};

R1_DEV GroupRows group_rows(const device::GroupedGemm& a, int g) {
  if (a.offsets != nullptr) {
    return {a.offsets[g], a.offsets[g + 1] - a.offsets[g]};
  }
  if (a.counts != nullptr) {
    return {static_cast<int>(g * a.rows_per_group), a.counts[g]};
  }
  return {0, static_cast<int>(a.total_rows)};
}

// rows.cu: used by both tables.
Status rms_norm(const device::RmsNorm& a, void* stream);
Status quantize_rows(const device::QuantizeRows& a, void* stream);
Status swiglu(const device::SwiGlu& a, void* stream);
Status combine(const device::Combine& a, void* stream);
Status rope(const device::Rope& a, void* stream);
Status append(const device::Append& a, void* stream);
// simple_gemm.cu
Status simple_router_gemm(const device::RouterGemm& a, void* stream);
Status simple_grouped_gemm(const device::GroupedGemm& a, void* stream);
Status simple_per_head(const device::PerHead& a, void* stream);
// simple_route.cu
Status simple_router_topk(const device::RouterTopK& a, void* stream);
Status simple_permute(const device::Permute& a, void* stream);
Status check_topk(const device::RouterTopK& a);
Status simple_route(const device::RouterTopK& choice, const device::Permute& map, void* stream);
Status permute_rows(const device::Permute& a, void* stream);
// simple_attention.cu
Status simple_mla_decode(const device::MlaDecode& a, void* stream);
Status simple_prefill(const device::Prefill& a, void* stream);
Status simple_gqa_decode(const device::GqaDecode& a, void* stream);
// sample.cu: used by both tables.
Status sample(const device::Sample& a, void* stream);
// moe_compose.cu
Status composed_moe_layer(const device::MoeLayer& a, void* stream);
std::size_t composed_moe_workspace_bytes(const device::MoeLayer& a);

}  // namespace r1eval::kernels::R1_DEVICE
