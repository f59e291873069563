// Host functions of the fast kernels, and which arguments each takes. Inside kernels/cuda only.
#pragma once

#include "kernels/cuda/simple.cuh"

namespace r1eval::kernels::R1_DEVICE {

// large_gemm.cu: many rows a group.
bool large_gemm_takes(const device::GroupedGemm& a);
Status large_gemm(const device::GroupedGemm& a, void* stream);
// masked_gemm.cu: few rows a group.
bool masked_gemm_takes(const device::GroupedGemm& a);
Status masked_gemm(const device::GroupedGemm& a, void* stream);
// moe_layer.cu
bool fused_moe_takes(const device::MoeLayer& a);
Status fused_moe(const device::MoeLayer& a, void* stream);
std::size_t fused_moe_workspace_bytes(const device::MoeLayer& a);
// mla_decode.cu
bool mla_decode_takes(const device::MlaDecode& a);
Status mla_decode(const device::MlaDecode& a, void* stream);
std::size_t mla_decode_workspace_bytes(const device::MlaDecode& a);
// route.cu
Status router_topk(const device::RouterTopK& a, void* stream);
Status permute(const device::Permute& a, void* stream);
Status route(const device::RouterTopK& choice, const device::Permute& map, void* stream);

}  // namespace r1eval::kernels::R1_DEVICE
