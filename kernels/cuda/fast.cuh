// Host functions of the fast kernels, and which arguments each takes. Inside kernels/cuda only.
#pragma once

#include "kernels/cuda/simple.cuh"

namespace r1eval::kernels::R1_DEVICE {

// masked_gemm.cu
bool masked_gemm_takes(const device::GroupedGemm& a);
Status masked_gemm(const device::GroupedGemm& a, void* stream);

}  // namespace r1eval::kernels::R1_DEVICE
