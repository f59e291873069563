#include "tasks/python_random.h"

#include <bit>
#include <numeric>

namespace r1eval {

PythonRandom::PythonRandom(std::uint32_t seed) {
  constexpr std::uint32_t kN = 624;
  state_[0] = 19650218;
  for (std::uint32_t i = 1; i < kN; ++i) {
    state_[i] = 1812433253U * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
  }
  // init_by_array with the one-word key {seed}.
  std::uint32_t i = 1;
  for (std::uint32_t k = kN; k > 0; --k) {
    state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1664525U)) + seed;
    if (++i >= kN) {
      state_[0] = state_[kN - 1];
      i = 1;
    }
  }
  for (std::uint32_t k = kN - 1; k > 0; --k) {
    state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1566083941U)) - i;
    if (++i >= kN) {
      state_[0] = state_[kN - 1];
      i = 1;
    }
  }
  state_[0] = 0x80000000U;
}

std::uint32_t PythonRandom::next() {
  constexpr std::size_t kN = 624;
  constexpr std::size_t kM = 397;
  if (index_ >= kN) {
    for (std::size_t k = 0; k < kN; ++k) {
      const std::uint32_t y = (state_[k] & 0x80000000U) | (state_[(k + 1) % kN] & 0x7fffffffU);
      state_[k] = state_[(k + kM) % kN] ^ (y >> 1) ^ ((y & 1U) != 0 ? 0x9908b0dfU : 0U);
    }
    index_ = 0;
  }
  std::uint32_t y = state_[index_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680U;
  y ^= (y << 15) & 0xefc60000U;
  return y ^ (y >> 18);
}

std::uint32_t PythonRandom::below(std::uint32_t n) {
  const auto bits = static_cast<std::uint32_t>(std::bit_width(n));
  std::uint32_t r = next() >> (32 - bits);
  while (r >= n) {
    r = next() >> (32 - bits);
  }
  return r;
}

std::vector<std::int64_t> PythonRandom::permutation(std::uint32_t n) {
  std::vector<std::int64_t> pool(n);
  std::iota(pool.begin(), pool.end(), std::int64_t{0});
  std::vector<std::int64_t> result(n);
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::uint32_t j = below(n - i);
    result[i] = pool[j];
    pool[j] = pool[n - i - 1];
  }
  return result;
}

}  // namespace r1eval
