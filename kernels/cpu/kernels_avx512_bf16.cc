// The kernels compiled for avx512 with bfloat16 dot products. See kernels_impl.h; flags per file in
// kernels/CMakeLists.txt.
#define R1_BF16_DOTS 1
#include "kernels/cpu/simd_avx512.h"
//
#include "kernels/cpu/kernels_impl.h"

namespace r1eval::kernels {

const KernelTable& avx512_bf16_kernels() {
  return kTable;
}

}  // namespace r1eval::kernels
