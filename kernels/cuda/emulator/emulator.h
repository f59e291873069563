// Runs the source of our CUDA kernels on the CPU, one fiber a thread, for tests: the same functions
// that nvcc compiles, with the same block shapes, shared memory and synchronisation.
//
// Why      The kernels must be shown right where there is no GPU. Arithmetic on indices is easy to
//          test; what goes wrong is the interplay: a barrier left out, a tile read before it came,
//          a buffer overwritten too early, a swizzle applied twice. So the emulator keeps the weak
//          promises of the hardware and no stronger ones:
//          - threads run in a random order between synchronisations, other in every launch;
//          - loads by TMA happen at any later moment until their barrier is waited for;
//          - a wgmma reads its operands and writes its registers as late as its wait allows, from
//            shared memory, through the descriptor and the swizzle, by the layouts of the PTX ISA;
//          - e4m3 products are summed with 14 significant bits, as the tensor cores are known to
//          do;
//          - shared memory begins as NaN; a byte written past its end is an error.
// Not      emulated: warps are not in lock step (a missing __syncwarp shows); memory is
// sequentially
//          consistent, so missing fences, and proxy fences, do not show; bank conflicts, timing,
//          registers. wgmma.fence does nothing.
// Demands  warp collectives are called by all 32 lanes; __syncthreads by all threads of the block.
// Errors   deadlock, misuse and overruns end the launch with kInternal and say which threads waited
//          for what. A bug that reads outside of global memory is AddressSanitizer's to find.
// Threads  each thread of the process has its own emulator; a launch runs wholly on its caller.
// Tested   tests/kernels/emulator_test.cc (planted faults of each kind are found).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <type_traits>

#include "base/result.h"

namespace r1eval::kernels::emulator {

struct Dim3 {
  unsigned x = 1;
  unsigned y = 1;
  unsigned z = 1;
};

struct LaunchShape {
  Dim3 grid;
  Dim3 block;
  std::size_t shared_bytes = 0;
  bool all_resident = false;  // every block runs at once, as kernels that wait for others need
};

struct Options {
  enum class Order : std::uint8_t { kForward, kReverse, kRandom };

  Order order = Order::kRandom;
  std::uint64_t seed = 1;  // each launch draws from the next one
  int n_multiprocessors = 3;
  int resident_blocks = 2;  // that run interleaved where not all must
  bool late_loads = true;   // TMA loads come at random moments, else at once
  bool short_sums = true;   // e4m3 products are summed with 14 significant bits, else exactly
};

// Of the calling thread.
Options& options();

// Runs `kernel` once for every thread of every block.
Status run(const LaunchShape& shape, const std::function<void()>& kernel);

// ---- For kernel code, on a fiber. ----

struct ThreadIdentity {
  Dim3 thread;
  Dim3 block;
};

const ThreadIdentity& identity();
const LaunchShape& launch_shape();

// Dynamic shared memory of this block, aligned to 1024 bytes, and the address of a pointer in it.
unsigned char* shared_memory();
std::uint32_t shared_address(const void* pointer);

// Stops the launch with this text.
[[noreturn]] void fault(std::string text);

// Lets others run, until `ready()`; `what` is for the report of a deadlock.
void wait_until(const char* what, const std::function<bool()>& ready);
// Lets others run once: the body of a loop that waits for global memory.
void pause();
// Says that something happened for which others may wait.
void note_progress();

// Waits for n_threads of the block at barrier `id` (0-15; 0 is __syncthreads).
void block_barrier(int id, int n_threads);
void block_barrier_arrive(int id, int n_threads);

// Waits for all threads of all blocks of the launch, which must be resident.
void grid_barrier();

// Every lane of the warp gives `value` (up to 8 bytes) and gets all 32 of them.
const std::uint64_t* warp_exchange(const char* what, std::uint64_t value);

int thread_in_block();
int threads_in_block();

template <class T>
std::uint64_t to_bits(T value) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}

template <class T>
T from_bits(std::uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

}  // namespace r1eval::kernels::emulator
