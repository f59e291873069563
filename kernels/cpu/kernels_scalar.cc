// The kernels compiled for scalar. See kernels_impl.h; flags per file in kernels/CMakeLists.txt.
#include "kernels/cpu/simd_scalar.h"
//
#include "kernels/cpu/kernels_impl.h"

namespace r1eval::kernels {

const KernelTable& scalar_kernels() {
  return kTable;
}

}  // namespace r1eval::kernels
