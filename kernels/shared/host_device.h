// R1_HD marks what both the processor and the device run. Headers of this folder are index logic
// and number formats only: constexpr, without CUDA includes, tested on the CPU against brute force.
#pragma once

#if defined(__CUDACC__)
#define R1_HD __host__ __device__
#else
#define R1_HD
#endif

namespace r1eval::kernels {

template <class T>
R1_HD constexpr T ceil_div(T a, T b) {
  return (a + b - 1) / b;
}

template <class T>
R1_HD constexpr T round_up(T a, T b) {
  return ceil_div(a, b) * b;
}

template <class T>
R1_HD constexpr T smaller(T a, T b) {
  return b < a ? b : a;
}

template <class T>
R1_HD constexpr T larger(T a, T b) {
  return a < b ? b : a;
}

}  // namespace r1eval::kernels
