// The language our kernels are written in: CUDA under nvcc, and the same words over the emulator
// under the host compiler, so that tests run the very source that the device runs.
//
// Kernels    R1_KERNEL functions; shared memory only through shared<T>() (dynamic), so that the
//            emulator can poison and fence it; warp collectives by whole warps only.
// Host part  of a kernel's file: checks, the launch shape, launch(). Compiled twice as well, into
//            namespace cuda (device) and namespace emulated (CPU): R1_DEVICE is the one in force.
// Status     compiled and emulated, not yet run on a device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <utility>

#include "base/result.h"
#include "kernels/shared/numbers.h"

#if defined(__CUDACC__)

#include <cooperative_groups.h>
#include <cuda_bf16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>

#define R1_EMULATED 0
#define R1_DEVICE cuda
#define R1_KERNEL __global__
#define R1_DEV __device__ __forceinline__
#define R1_BOUNDS(threads, blocks) __launch_bounds__(threads, blocks)
#define R1_UNROLL _Pragma("unroll")
#define R1_NO_UNROLL _Pragma("unroll 1")

#else

#include <algorithm>
#include <cmath>

#include "kernels/cuda/emulator/emulator.h"

#define R1_EMULATED 1
#define R1_DEVICE emulated
#define R1_KERNEL
#define R1_DEV inline
#define R1_BOUNDS(threads, blocks)
#define R1_UNROLL
#define R1_NO_UNROLL
#define __grid_constant__

#define threadIdx (::r1eval::kernels::emulator::identity().thread)
#define blockIdx (::r1eval::kernels::emulator::identity().block)
#define blockDim (::r1eval::kernels::emulator::launch_shape().block)
#define gridDim (::r1eval::kernels::emulator::launch_shape().grid)

#endif

namespace r1eval::kernels::R1_DEVICE {

// Threads of a block are numbered in one dimension everywhere; ints, since they index small arrays.
R1_DEV int thread_index() {
  return static_cast<int>(threadIdx.x);
}

R1_DEV int block_threads() {
  return static_cast<int>(blockDim.x);
}

R1_DEV std::int64_t block_index() {
  return static_cast<std::int64_t>(blockIdx.x);
}

R1_DEV std::int64_t grid_blocks() {
  return static_cast<std::int64_t>(gridDim.x);
}

R1_DEV int lane_index() {
  return thread_index() % 32;
}

R1_DEV int warp_index() {
  return thread_index() / 32;
}

constexpr unsigned kWholeWarp = 0xffffffffU;

#if R1_EMULATED

namespace emu = ::r1eval::kernels::emulator;

template <class T>
R1_DEV T* shared() {
  return reinterpret_cast<T*>(emu::shared_memory());
}

inline void __syncthreads() {
  emu::block_barrier(0, emu::threads_in_block());
}

inline void __syncwarp() {
  emu::warp_exchange("__syncwarp", 0);
}

template <class T>
T __shfl_sync(unsigned, T value, int lane) {
  return emu::from_bits<T>(emu::warp_exchange("__shfl_sync", emu::to_bits(value))[lane & 31]);
}

template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  const int lane = lane_index();
  return emu::from_bits<T>(emu::warp_exchange("__shfl_xor_sync", emu::to_bits(value))[lane ^ mask]);
}

template <class T>
T __shfl_up_sync(unsigned, T value, int by) {
  const int lane = lane_index();
  const std::uint64_t* all = emu::warp_exchange("__shfl_up_sync", emu::to_bits(value));
  return lane >= by ? emu::from_bits<T>(all[lane - by]) : value;
}

inline unsigned __ballot_sync(unsigned, bool value) {
  const std::uint64_t* all = emu::warp_exchange("__ballot_sync", value ? 1 : 0);
  unsigned bits = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    bits |= static_cast<unsigned>(all[lane]) << lane;
  }
  return bits;
}

// The lanes whose value equals this lane's.
inline unsigned __match_any_sync(unsigned, int value) {
  const std::uint64_t* all = emu::warp_exchange("__match_any_sync", emu::to_bits(value));
  unsigned bits = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    bits |= (emu::from_bits<int>(all[lane]) == value ? 1U : 0U) << lane;
  }
  return bits;
}

inline int __popc(unsigned x) {
  return __builtin_popcount(x);
}

template <class T>
T __ldg(const T* at) {
  return *at;
}

inline void __threadfence() {}

template <class T>
T atomicAdd(T* at, T value) {
  const T before = *at;
  *at = static_cast<T>(before + value);
  emu::note_progress();
  return before;
}

inline float __expf(float x) {
  return std::exp(x);
}

inline float exp2_fast(float x) {
  return std::exp2(x);
}

inline float log2_fast(float x) {
  return std::log2(x);
}

// A word that another block writes: never cached, never moved.
R1_DEV std::int32_t load_acquire(const std::int32_t* at) {
  return *at;
}

R1_DEV void store_release(std::int32_t* at, std::int32_t value) {
  *at = value;
  emu::note_progress();
}

R1_DEV void spin_pause() {
  emu::pause();
}

// What another block wrote in this launch: from the second-level cache, which all blocks share.
template <class T>
R1_DEV T load_fresh(const T* at) {
  return *at;
}

// All threads of all blocks; the launch must keep all blocks resident.
R1_DEV void grid_barrier() {
  emu::grid_barrier();
}

R1_DEV std::uint32_t pack_bf16(float low, float high) {
  return static_cast<std::uint32_t>(to_bf16(low).bits) |
         static_cast<std::uint32_t>(to_bf16(high).bits) << 16U;
}

R1_DEV Bf16 round_bf16(float x) {
  return to_bf16(x);
}

R1_DEV E4m3 round_e4m3(float x) {
  return to_e4m3(x);
}

constexpr float kInfinity = __builtin_inff();

#else

// One name for all types: every kernel's shared memory is the same untyped array.
extern __shared__ __align__(1024) unsigned char r1_shared_memory[];

template <class T>
R1_DEV T* shared() {
  return reinterpret_cast<T*>(r1_shared_memory);
}

R1_DEV float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

R1_DEV float log2_fast(float x) {
  return __log2f(x);
}

R1_DEV std::int32_t load_acquire(const std::int32_t* at) {
  std::int32_t value;
  asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(value) : "l"(at) : "memory");
  return value;
}

R1_DEV void store_release(std::int32_t* at, std::int32_t value) {
  asm volatile("st.release.gpu.global.s32 [%0], %1;" ::"l"(at), "r"(value) : "memory");
}

R1_DEV void spin_pause() {
  __nanosleep(32);
}

template <class T>
R1_DEV T load_fresh(const T* at) {
  return __ldcg(at);
}

R1_DEV void grid_barrier() {
  cooperative_groups::this_grid().sync();
}

R1_DEV std::uint32_t pack_bf16(float low, float high) {
  const __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const std::uint32_t*>(&both);
}

R1_DEV Bf16 round_bf16(float x) {
  return {__bfloat16_as_ushort(__float2bfloat16_rn(x))};
}

R1_DEV E4m3 round_e4m3(float x) {
  return {static_cast<std::uint8_t>(__nv_cvt_float_to_fp8(x, __NV_SATFINITE, __NV_E4M3))};
}

constexpr float kInfinity = __builtin_huge_valf();

#endif

// Sum and maximum over a warp; every lane gets the same bits.
R1_DEV float warp_sum(float x) {
  R1_UNROLL
  for (int mask = 16; mask > 0; mask /= 2) {
    x += __shfl_xor_sync(kWholeWarp, x, mask);
  }
  return x;
}

R1_DEV float warp_max(float x) {
  R1_UNROLL
  for (int mask = 16; mask > 0; mask /= 2) {
    const float other = __shfl_xor_sync(kWholeWarp, x, mask);
    x = other > x ? other : x;
  }
  return x;
}

// Over a block, in a fixed order; `scratch` has a place for each warp. Two barriers.
R1_DEV float block_sum(float x, float* scratch) {
  x = warp_sum(x);
  if (lane_index() == 0) {
    scratch[warp_index()] = x;
  }
  __syncthreads();
  float total = 0.0F;
  for (int w = 0; w < (block_threads() + 31) / 32; ++w) {
    total += scratch[w];
  }
  __syncthreads();
  return total;
}

R1_DEV float block_max(float x, float* scratch) {
  x = warp_max(x);
  if (lane_index() == 0) {
    scratch[warp_index()] = x;
  }
  __syncthreads();
  float most = scratch[0];
  for (int w = 1; w < (block_threads() + 31) / 32; ++w) {
    most = scratch[w] > most ? scratch[w] : most;
  }
  __syncthreads();
  return most;
}

// ---- Host side ----

struct LaunchShape {
  std::int64_t blocks = 1;
  int threads = 128;
  std::size_t shared_bytes = 0;
  // All blocks run at once, or the launch fails: for kernels whose blocks wait for one another.
  bool all_resident = false;
};

#if R1_EMULATED

inline int multiprocessors() {
  return emu::options().n_multiprocessors;
}

template <class... P, class... A>
Status launch(const char* name, const LaunchShape& shape, void* /*stream*/, void (*kernel)(P...),
              A&&... arguments) {
  if (shape.blocks == 0) {
    return ok_status();
  }
  const std::tuple<P...> held(std::forward<A>(arguments)...);
  emu::LaunchShape machine_shape;
  machine_shape.grid.x = static_cast<unsigned>(shape.blocks);
  machine_shape.block.x = static_cast<unsigned>(shape.threads);
  machine_shape.shared_bytes = shape.shared_bytes;
  machine_shape.all_resident = shape.all_resident;
  const Status status = emu::run(machine_shape, [&] { std::apply(kernel, held); });
  return status.has_value() ? status : Status(status.error().with_context(name));
}

inline Status fill_bytes(void* at, int value, std::size_t bytes, void* /*stream*/) {
  std::memset(at, value, bytes);
  return ok_status();
}

#else

// Of the current device, asked once a process. 0 where there is none.
int multiprocessors();
// An Error that names the call and CUDA's reason.
Status cuda_status(cudaError_t code, const char* doing);
Status launch_raw(const char* name, const LaunchShape& shape, void* stream, const void* kernel,
                  void** arguments);
Status fill_bytes(void* at, int value, std::size_t bytes, void* stream);

template <class... P, class... A>
Status launch(const char* name, const LaunchShape& shape, void* stream, void (*kernel)(P...),
              A&&... arguments) {
  std::tuple<P...> held(std::forward<A>(arguments)...);
  return std::apply(
      [&](auto&... each) {
        void* pointers[] = {const_cast<void*>(static_cast<const void*>(&each))...};
        return launch_raw(name, shape, stream, reinterpret_cast<const void*>(kernel), pointers);
      },
      held);
}

#endif

}  // namespace r1eval::kernels::R1_DEVICE
