// One function an instruction: mbarrier, TMA, wgmma, register budgets. The emulator's twins have
// the same names, so that a kernel is written once.
//
// Barriers    phases alternate parity, beginning with 0; wait(parity) returns when the phase of
// that
//             parity has ended. A fresh barrier lets wait(1) through: that is how a producer
//             starts.
// wgmma       64 x N x 32 bytes of K; D is N / 2 floats a thread (shared/swizzle.h says which).
// Operands
//             are descriptors of swizzled shared memory. Between issue and wait the registers of D
//             must not be touched; fence before the first of a batch, commit after the last.
// Source      PTX ISA 8.x: mbarrier, cp.async.bulk, wgmma.mma_async, setmaxnreg, bar.
// Status      compiled and emulated, not yet run on a device.
#pragma once

#include <cstdint>

#include "kernels/cuda/dialect.cuh"
#include "kernels/shared/swizzle.h"
#include "kernels/shared/tensor_map.h"

#if R1_EMULATED
#include "kernels/cuda/emulator/async.h"
#endif

namespace r1eval::kernels::R1_DEVICE {

using Barrier = std::uint64_t;

// What the hardware needs to know of a TensorMapParams; passed to kernels as __grid_constant__.
struct alignas(64) TensorMap {
  unsigned char bytes[128];
};

// Which lines the second-level cache gives up first.
enum class Keep : std::uint8_t { kNormal, kFirstOut, kLastOut };

#if R1_EMULATED

// The emulator's map is the parameters themselves.
static_assert(sizeof(TensorMapParams) <= sizeof(TensorMap));

inline Result<TensorMap> make_tensor_map(const TensorMapParams& params) {
  const char* problem = tensor_map_problem(params);
  if (problem != nullptr) {
    return fail(ErrorCode::kInvalidArgument, problem);
  }
  if (reinterpret_cast<std::uintptr_t>(params.base) % 16 != 0) {
    return fail(ErrorCode::kInvalidArgument,
                "a tensor map's array begins at a multiple of 16 bytes");
  }
  TensorMap map;
  std::memcpy(map.bytes, &params, sizeof(params));
  return map;
}

R1_DEV TensorMapParams params_of(const TensorMap& map) {
  TensorMapParams params;
  std::memcpy(&params, map.bytes, sizeof(params));
  return params;
}

R1_DEV std::uint32_t shared_address(const void* pointer) {
  return emu::shared_address(pointer);
}

R1_DEV void barrier_init(Barrier* barrier, int count) {
  emu::barrier_init(barrier, count);
}

R1_DEV void barrier_init_fence() {}

R1_DEV void async_proxy_fence() {}

R1_DEV void barrier_arrive(Barrier* barrier) {
  emu::barrier_arrive(barrier);
}

R1_DEV void barrier_arrive_expect(Barrier* barrier, std::uint32_t bytes) {
  emu::barrier_expect(barrier, bytes);
  emu::barrier_arrive(barrier);
}

R1_DEV void barrier_wait(Barrier* barrier, std::uint32_t parity) {
  emu::barrier_wait(barrier, parity);
}

R1_DEV void tensor_map_prefetch(const TensorMap&) {}

template <Keep keep = Keep::kNormal, class... Coordinates>
R1_DEV void tma_load(void* destination, const TensorMap& map, Barrier* barrier,
                     Coordinates... coordinates) {
  const std::int32_t at[] = {static_cast<std::int32_t>(coordinates)...};
  if (params_of(map).rank != static_cast<int>(sizeof...(coordinates))) {
    emu::fault("a TMA load has as many coordinates as its map has dimensions");
  }
  emu::tma_load(destination, params_of(map), barrier, at);
}

R1_DEV void bulk_load(void* destination, const void* source, std::uint32_t bytes,
                      Barrier* barrier) {
  emu::bulk_load(destination, source, bytes, barrier);
}

R1_DEV void named_barrier_sync(int id, int threads) {
  emu::block_barrier(id, threads);
}

R1_DEV void named_barrier_arrive(int id, int threads) {
  emu::block_barrier_arrive(id, threads);
}

template <int kRegisters>
R1_DEV void registers_more() {}

template <int kRegisters>
R1_DEV void registers_fewer() {}

template <int N>
R1_DEV void hold_registers(float (&)[N]) {}

R1_DEV void wgmma_fence() {}

R1_DEV void wgmma_commit() {
  emu::wgmma_commit();
}

template <int kPending>
R1_DEV void wgmma_wait() {
  emu::wgmma_wait(kPending);
}

template <int N>
R1_DEV void wgmma_e4m3(float (&d)[N / 2], std::uint64_t a, std::uint64_t b, bool accumulate) {
  emu::wgmma({emu::Values::kE4m3, N, Major::kK}, d, nullptr, a, b, accumulate);
}

template <int N, Major kMajorB>
R1_DEV void wgmma_bf16(float (&d)[N / 2], std::uint64_t a, std::uint64_t b, bool accumulate) {
  emu::wgmma({emu::Values::kBf16, N, kMajorB}, d, nullptr, a, b, accumulate);
}

template <int N, Major kMajorB>
R1_DEV void wgmma_bf16(float (&d)[N / 2], const std::uint32_t (&a)[4], std::uint64_t b,
                       bool accumulate) {
  emu::wgmma({emu::Values::kBf16, N, kMajorB}, d, a, 0, b, accumulate);
}

#else

// Encoded through the driver's entry point, which the runtime finds when it is there: the driver
// library is never linked.
Result<TensorMap> make_tensor_map(const TensorMapParams& params);

R1_DEV std::uint32_t shared_address(const void* pointer) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
}

R1_DEV void barrier_init(Barrier* barrier, int count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(count)
               : "memory");
}

// Makes fresh barriers visible to the hardware that completes loads.
R1_DEV void barrier_init_fence() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async;" ::: "memory");
}

// What this thread has stored becomes visible to TMA and wgmma.
R1_DEV void async_proxy_fence() {
  asm volatile("fence.proxy.async;" ::: "memory");
}

R1_DEV void barrier_arrive(Barrier* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier))
               : "memory");
}

R1_DEV void barrier_arrive_expect(Barrier* barrier, std::uint32_t bytes) {
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
      "r"(bytes)
      : "memory");
}

R1_DEV void barrier_wait(Barrier* barrier, std::uint32_t parity) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "again:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@done bra over;\n"
      "bra again;\n"
      "over:\n"
      "}\n" ::"r"(shared_address(barrier)),
      "r"(parity)
      : "memory");
}

R1_DEV void tensor_map_prefetch(const TensorMap& map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

// The createpolicy words for a whole access, as the PTX ISA's cache hints take them.
template <Keep keep>
R1_DEV std::uint64_t cache_policy() {
  std::uint64_t policy;
  if constexpr (keep == Keep::kFirstOut) {
    asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
  } else {
    asm volatile("createpolicy.fractional.L2::evict_last.b64 %0, 1.0;" : "=l"(policy));
  }
  return policy;
}

template <Keep keep = Keep::kNormal>
R1_DEV void tma_load(void* destination, const TensorMap& map, Barrier* barrier, int c0) {
  if constexpr (keep == Keep::kNormal) {
    asm volatile(
        "cp.async.bulk.tensor.1d.shared::cluster.global.mbarrier::complete_tx::bytes"
        " [%0], [%1, {%3}], [%2];" ::"r"(shared_address(destination)),
        "l"(&map), "r"(shared_address(barrier)), "r"(c0)
        : "memory");
  } else {
    asm volatile(
        "cp.async.bulk.tensor.1d.shared::cluster.global.mbarrier::complete_tx::bytes"
        ".L2::cache_hint [%0], [%1, {%3}], [%2], %4;" ::"r"(shared_address(destination)),
        "l"(&map), "r"(shared_address(barrier)), "r"(c0), "l"(cache_policy<keep>())
        : "memory");
  }
}

template <Keep keep = Keep::kNormal>
R1_DEV void tma_load(void* destination, const TensorMap& map, Barrier* barrier, int c0, int c1) {
  if constexpr (keep == Keep::kNormal) {
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
        " [%0], [%1, {%3, %4}], [%2];" ::"r"(shared_address(destination)),
        "l"(&map), "r"(shared_address(barrier)), "r"(c0), "r"(c1)
        : "memory");
  } else {
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
        ".L2::cache_hint [%0], [%1, {%3, %4}], [%2], %5;" ::"r"(shared_address(destination)),
        "l"(&map), "r"(shared_address(barrier)), "r"(c0), "r"(c1), "l"(cache_policy<keep>())
        : "memory");
  }
}

template <Keep keep = Keep::kNormal>
R1_DEV void tma_load(void* destination, const TensorMap& map, Barrier* barrier, int c0, int c1,
                     int c2) {
  if constexpr (keep == Keep::kNormal) {
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes"
        " [%0], [%1, {%3, %4, %5}], [%2];" ::"r"(shared_address(destination)),
        "l"(&map), "r"(shared_address(barrier)), "r"(c0), "r"(c1), "r"(c2)
        : "memory");
  } else {
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes"
        ".L2::cache_hint [%0], [%1, {%3, %4, %5}], [%2], %6;" ::"r"(shared_address(destination)),
        "l"(&map), "r"(shared_address(barrier)), "r"(c0), "r"(c1), "r"(c2),
        "l"(cache_policy<keep>())
        : "memory");
  }
}

template <Keep keep = Keep::kNormal>
R1_DEV void tma_load(void* destination, const TensorMap& map, Barrier* barrier, int c0, int c1,
                     int c2, int c3) {
  if constexpr (keep == Keep::kNormal) {
    asm volatile(
        "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes"
        " [%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(shared_address(destination)),
        "l"(&map), "r"(shared_address(barrier)), "r"(c0), "r"(c1), "r"(c2), "r"(c3)
        : "memory");
  } else {
    asm volatile(
        "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes"
        ".L2::cache_hint [%0], [%1, {%3, %4, %5, %6}], [%2], %7;" ::"r"(
            shared_address(destination)),
        "l"(&map), "r"(shared_address(barrier)), "r"(c0), "r"(c1), "r"(c2), "r"(c3),
        "l"(cache_policy<keep>())
        : "memory");
  }
}

template <Keep keep = Keep::kNormal>
R1_DEV void tma_load(void* destination, const TensorMap& map, Barrier* barrier, int c0, int c1,
                     int c2, int c3, int c4) {
  if constexpr (keep == Keep::kNormal) {
    asm volatile(
        "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes"
        " [%0], [%1, {%3, %4, %5, %6, %7}], [%2];" ::"r"(shared_address(destination)),
        "l"(&map), "r"(shared_address(barrier)), "r"(c0), "r"(c1), "r"(c2), "r"(c3), "r"(c4)
        : "memory");
  } else {
    asm volatile(
        "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes"
        ".L2::cache_hint [%0], [%1, {%3, %4, %5, %6, %7}], [%2], %8;" ::"r"(
            shared_address(destination)),
        "l"(&map), "r"(shared_address(barrier)), "r"(c0), "r"(c1), "r"(c2), "r"(c3), "r"(c4),
        "l"(cache_policy<keep>())
        : "memory");
  }
}

R1_DEV void bulk_load(void* destination, const void* source, std::uint32_t bytes,
                      Barrier* barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
          "r"(shared_address(destination)),
      "l"(source), "r"(bytes), "r"(shared_address(barrier))
      : "memory");
}

R1_DEV void named_barrier_sync(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

R1_DEV void named_barrier_arrive(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

template <int kRegisters>
R1_DEV void registers_more() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

template <int kRegisters>
R1_DEV void registers_fewer() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

// Arithmetic on these registers may not be moved across: before a fence, so that what was computed
// into them is complete there.
template <int N>
R1_DEV void hold_registers(float (&d)[N]) {
  R1_UNROLL
  for (int i = 0; i < N; ++i) {
    asm volatile("" : "+f"(d[i])::"memory");
  }
}

R1_DEV void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

R1_DEV void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

template <int kPending>
R1_DEV void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}

#endif

}  // namespace r1eval::kernels::R1_DEVICE

#if !R1_EMULATED
#include "kernels/cuda/wgmma.cuh"
#endif
