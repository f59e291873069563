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

bool has_avx512_bf16() {
  return has_avx512() && __builtin_cpu_supports("avx512bf16");
}

struct Choice {
  const KernelTable* table;
  std::string problem;
};

Choice choose() {
  __builtin_cpu_init();
  const KernelTable* widest = has_avx512_bf16() ? &avx512_bf16_kernels()
                              : has_avx512()    ? &avx512_kernels()
                              : has_avx2()      ? &avx2_kernels()
                                                : &scalar_kernels();
  const char* wish = std::getenv("R1EVAL_ISA");
  if (wish == nullptr || *wish == '\0') {
    return {widest, ""};
  }
  const KernelTable* wished = kernels_for(wish);
  if (wished != nullptr) {
    return {wished, ""};
  }
  return {
      widest,
      std::string("R1EVAL_ISA=") + wish +
          " is not one of scalar, avx2, avx512, avx512_bf16, or this processor lacks it; using " +
          widest->isa};
}

const Choice& choice() {
  static const Choice chosen = choose();
  return chosen;
}

}  // namespace

std::int64_t QuantizedColumns::storage_bytes(std::int64_t n, std::int64_t columns) {
  const std::int64_t per_block = 32 + 4 + 2 * 4 + 4;
  return n * (columns / 32 * per_block + 4) + 5 * 64;
}

QuantizedColumns QuantizedColumns::in_storage(std::byte* storage, std::int64_t n,
                                              std::int64_t columns) {
  const auto take = [&storage](std::int64_t bytes) {
    std::byte* at = storage;
    storage += (bytes + 63) / 64 * 64;
    return at;
  };
  QuantizedColumns q;
  q.columns = columns;
  q.values = reinterpret_cast<std::int8_t*>(take(n * columns));
  q.multipliers = reinterpret_cast<std::int32_t*>(take(n * columns / 32 * 4));
  q.negated_sums = reinterpret_cast<std::int32_t*>(take(n * columns / 16 * 4));
  q.block_sums = reinterpret_cast<std::int32_t*>(take(n * columns / 32 * 4));
  q.scales = reinterpret_cast<float*>(take(n * 4));
  return q;
}

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
  if (isa == "avx512_bf16" && has_avx512_bf16()) {
    return &avx512_bf16_kernels();
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
