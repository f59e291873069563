#include "base/rng.h"

#include <numeric>
#include <utility>

namespace r1eval {

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53;
  constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
  constexpr std::uint32_t kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = kMultiplier0 * counter[0];
    const std::uint64_t product1 = kMultiplier1 * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<std::uint32_t>(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

std::uint64_t random_at(std::uint64_t key, std::uint64_t counter) {
  const auto block = philox4x32(
      {static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32), 0, 0},
      {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)});
  return (static_cast<std::uint64_t>(block[1]) << 32) | block[0];
}

double uniform_at(std::uint64_t key, std::uint64_t counter) {
  return static_cast<double>(random_at(key, counter) >> 11) * 0x1.0p-53;
}

std::vector<std::int64_t> permutation(std::int64_t n, std::uint64_t key) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::uint64_t counter = 0;
  for (std::int64_t i = n - 1; i > 0; --i) {
    const auto bound = static_cast<std::uint64_t>(i) + 1;
    const std::uint64_t limit = ~std::uint64_t{0} - ~std::uint64_t{0} % bound;
    std::uint64_t word = random_at(key, counter++);
    while (word >= limit) {
      word = random_at(key, counter++);
    }
    std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(word % bound)]);
  }
  return order;
}

}  // namespace r1eval
