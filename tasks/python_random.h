// CPython's random.Random(seed), as far as published protocols depend on it: the order of GPQA's
// options in openai/simple-evals is drawn by it.
//
// Source  MT19937: Matsumoto & Nishimura 1998; CPython 3, Modules/_randommodule.c (init_by_array,
//         getrandbits) and Lib/random.py (_randbelow, sample's branch for small populations).
// Tested  tests/tasks/prompt_test.cc against published draws.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace r1eval {

class PythonRandom {
 public:
  explicit PythonRandom(std::uint32_t seed);

  // Uniform in [0, n), n >= 1, as random.Random._randbelow.
  std::uint32_t below(std::uint32_t n);

  // random.sample(range(n), n) for n <= 21: a permutation.
  std::vector<std::int64_t> permutation(std::uint32_t n);

 private:
  std::uint32_t next();

  std::array<std::uint32_t, 624> state_{};
  std::size_t index_ = 624;
};

}  // namespace r1eval
