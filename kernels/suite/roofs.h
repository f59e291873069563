// What this machine can do at most, measured in the run: the rates that percentages refer to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/operators/operators.h"

namespace r1eval::kernels {

struct Roofs {
  int threads = 0;
  double read_gbs = 0;     // GB/s (1e9) from memory, reading only
  double copy_gbs = 0;     // read + written bytes, both counted
  double f32_gflops = 0;   // independent fused multiply-adds, the widest that is used
  double bf16_gflops = 0;  // bf16 dot products where the processor has them, else f32's
  double int8_gops = 0;    // byte dot products
  double clock_ghz = 0;
  std::string isa;  // with which it was measured

  // Operations a second that the operator's dtype can reach.
  double rate(Dtype dtype) const;

  // Bytes a second for a case that writes `written` of its `bytes`: between the two bandwidths.
  double bandwidth() const { return read_gbs * 1e9; }

  // Seconds below which the case cannot be.
  double floor_seconds(const Cost& cost, Dtype dtype) const;
  // "memory" or "compute": which of the two bounds it.
  const char* bound_by(const Cost& cost, Dtype dtype) const;
};

// About a second. The best of some tries: a roof is what can be reached, not what is usual.
Roofs measure_cpu_roofs(int threads);

}  // namespace r1eval::kernels
