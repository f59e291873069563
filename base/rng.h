// Random numbers by identity: the same (key, counter) gives the same number on any thread, in any
// order, on any machine.
//
// Source   Philox4x32-10: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
// Use      key = stable_hash64 of (run seed, task, item, sample); counter = token index, draw, …
// Threads  pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace r1eval {

// One block of four 32-bit words.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

// Uniform in [0, 1) with 53 random bits.
double uniform_at(std::uint64_t key, std::uint64_t counter);

// Uniform 64-bit word.
std::uint64_t random_at(std::uint64_t key, std::uint64_t counter);

// A permutation of 0 … n-1 (Fisher-Yates on random_at(key, 0 …), unbiased by rejection).
std::vector<std::int64_t> permutation(std::int64_t n, std::uint64_t key);

}  // namespace r1eval
