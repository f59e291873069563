// The asynchronous parts of the machine, emulated: mbarrier, TMA, wgmma. See emulator.h.
//
// Source   PTX ISA: mbarrier, cp.async.bulk.tensor, wgmma.mma_async and its register layouts.
#pragma once

#include <cstdint>

#include "kernels/shared/swizzle.h"
#include "kernels/shared/tensor_map.h"

namespace r1eval::kernels::emulator {

void barrier_init(std::uint64_t* barrier, int count);
void barrier_arrive(std::uint64_t* barrier);
void barrier_expect(std::uint64_t* barrier, std::uint32_t bytes);
void barrier_wait(std::uint64_t* barrier, std::uint32_t parity);

// A box by tensor map, or plain bytes, into shared memory; completes its bytes on the barrier.
void tma_load(void* destination, const TensorMapParams& map, std::uint64_t* barrier,
              const std::int32_t* at);
void bulk_load(void* destination, const void* source, std::uint32_t bytes, std::uint64_t* barrier);

enum class Values : int { kBf16 = 0, kE4m3 = 1 };

struct ProductShape {
  Values values = Values::kBf16;
  int n = 0;  // columns; 64 rows; 16 values of K in bf16, 32 in e4m3
  Major b_major = Major::kK;
};

// d += A B^T (or d = …): `d` is this thread's n / 2 registers. A from shared memory by descriptor,
// or from four registers a thread.
void wgmma(const ProductShape& shape, float* d, const std::uint32_t* a_registers, std::uint64_t a,
           std::uint64_t b, bool accumulate);
void wgmma_commit();
void wgmma_wait(int most_pending);

}  // namespace r1eval::kernels::emulator
