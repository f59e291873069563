// The kernels compiled for avx2. See kernels_impl.h; flags per file in kernels/CMakeLists.txt.
#include "kernels/cpu/simd_avx2.h"
//
#include "kernels/cpu/kernels_impl.h"

namespace r1eval::kernels {

const KernelTable& avx2_kernels() {
  return kTable;
}

}  // namespace r1eval::kernels
