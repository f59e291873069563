// Choice of the instruction set, once per process. See kernels.h.
#include <cstdlib>
#include <string>

#include "kernels/kernels.h"

namespace r1eval::kernels {

namespace {

// __builtin_cpu_supports also asks whether the operating system saves the wide registers.
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c");
}

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
}

struct Choice {
  const KernelTable* table;
  std::string problem;
};

Choice choose() {
  __builtin_cpu_init();
  const KernelTable* widest = has_avx512() ? &avx512_kernels()
                              : has_avx2() ? &avx2_kernels()
                                           : &scalar_kernels();
  const char* wish = std::getenv("R1EVAL_ISA");
  if (wish == nullptr || *wish == '\0') {
    return {widest, ""};
  }
  const KernelTable* wished = kernels_for(wish);
  if (wished != nullptr) {
    return {wished, ""};
  }
  return {widest, std::string("R1EVAL_ISA=") + wish +
                      " is not one of scalar, avx2, avx512, or this processor lacks it; using " +
                      widest->isa};
}

const Choice& choice() {
  static const Choice chosen = choose();
  return chosen;
}

}  // namespace

const KernelTable* kernels_for(const std::string& isa) {
  if (isa == "scalar") {
    return &scalar_kernels();
  }
  if (isa == "avx2" && has_avx2()) {
    return &avx2_kernels();
  }
  if (isa == "avx512" && has_avx512()) {
    return &avx512_kernels();
  }
  return nullptr;
}

const KernelTable& active_kernels() {
  return *choice().table;
}

std::string isa_problem() {
  return choice().problem;
}

}  // namespace r1eval::kernels
