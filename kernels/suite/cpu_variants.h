// The CPU's implementations as variants: ref (double precision), scalar, avx2, avx512, avx512_bf16.
#pragma once

#include <memory>
#include <vector>

#include "kernels/suite/execution.h"

namespace r1eval::kernels {

// All of them; available() says which of them this processor runs.
std::vector<std::unique_ptr<Variant>> make_cpu_variants();

}  // namespace r1eval::kernels
