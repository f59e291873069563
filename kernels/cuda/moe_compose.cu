// A whole layer out of single operators: the second reference for the fused one.
#include "kernels/cuda/moe_compose.cuh"

namespace r1eval::kernels::R1_DEVICE {

Status composed_moe_layer(const device::MoeLayer& a, void* stream) {
  return moe_layer_of(simple_operators(), a, stream);
}

std::size_t composed_moe_workspace_bytes(const device::MoeLayer& a) {
  return moe_buffers(a, nullptr).bytes;
}

}  // namespace r1eval::kernels::R1_DEVICE
