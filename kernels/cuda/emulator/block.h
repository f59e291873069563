// Inner state of the emulator, shared by its sources only.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/emulator/emulator.h"
#include "kernels/cuda/emulator/fiber.h"

namespace r1eval::kernels::emulator {

struct Gate {
  int arrived = 0;
  int expected = 0;
  std::uint64_t generation = 0;
};

struct Warp {
  // Two, used in turn: who is through an exchange may enter the next while others still read.
  struct Exchange {
    std::array<std::uint64_t, 32> values{};
    int arrived = 0;
    const char* what = nullptr;
  };

  std::array<Exchange, 2> exchanges;
  std::uint64_t completed = 0;
};

// One wgmma of a warpgroup: what each of its 128 threads brought.
struct Product {
  int kind = 0;  // see async.cc
  int n = 0;
  bool b_is_mn_major = false;
  bool a_in_registers = false;
  bool accumulate = false;
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::array<float*, 128> registers{};
  std::array<std::array<std::uint32_t, 4>, 128> fragments{};
  int arrived = 0;
  std::uint64_t group = 0;  // number of the commit that closes it
};

struct Warpgroup {
  std::vector<Product> products;  // issued, not executed; in order
  std::uint64_t executed = 0;     // products that have left the vector
  std::array<std::uint64_t, 128> issued{};
  std::array<std::uint64_t, 128> committed{};
  Gate gate;
};

struct Block;

struct Thread {
  Fiber fiber;
  ThreadIdentity identity;
  Block* block = nullptr;
  int index = 0;  // in its block
  std::uint64_t exchanges = 0;
  const char* waits_for = nullptr;
  bool finished = false;
};

struct Block {
  std::vector<Thread*> threads;
  std::vector<unsigned char> storage;
  unsigned char* shared = nullptr;
  std::array<Gate, 16> barriers;
  std::vector<Warp> warps;
  std::vector<Warpgroup> warpgroups;
  int unfinished = 0;
};

struct PendingLoad {
  Block* block;
  std::function<void()> act;
};

struct Machine {
  LaunchShape shape;
  const std::function<void()>* kernel = nullptr;
  Thread* current = nullptr;
  std::uint64_t progress = 0;
  Gate grid;
  std::uint64_t random = 0;
  std::vector<PendingLoad> loads;
  std::string failure;
  bool failed = false;

  std::uint64_t next_random() {
    random ^= random << 13U;
    random ^= random >> 7U;
    random ^= random << 17U;
    return random;
  }
};

Machine& machine();
void yield();

}  // namespace r1eval::kernels::emulator
