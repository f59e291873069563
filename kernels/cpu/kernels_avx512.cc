// The kernels compiled for avx512. See kernels_impl.h; flags per file in kernels/CMakeLists.txt.
#include "kernels/cpu/simd_avx512.h"
//
#include "kernels/cpu/kernels_impl.h"

namespace r1eval::kernels {

const KernelTable& avx512_kernels() {
  return kTable;
}

}  // namespace r1eval::kernels
