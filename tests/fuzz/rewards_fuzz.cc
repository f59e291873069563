// Reward functions of arbitrary text and numbers: finite, within their ranges, the same twice.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "graders/rewards.h"

namespace {

void expect_between(double value, double low, double high) {
  if (!(value >= low && value <= high)) {
    __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  expect_between(r1eval::reward_format_think_answer(text), 0, 1);
  expect_between(r1eval::reward_format_think(text), 0, 1);
  expect_between(r1eval::reward_tag_count(text), 0, 1);
  expect_between(r1eval::reward_reasoning_steps(text), 0, 1);
  std::vector<std::int64_t> ids(data, data + size);
  for (const std::int64_t n : {1, 2, 3, 40}) {
    expect_between(r1eval::reward_repetition_words(text, n, -1), -1, 0);
    expect_between(r1eval::reward_repetition_ids(ids, n, -1), -1, 0);
  }
  std::vector<double> lengths(data, data + size);
  std::vector<bool> correct;
  for (std::size_t k = 0; k < size; ++k) {
    correct.push_back((data[k] & 1U) != 0);
  }
  for (const double reward : r1eval::reward_length_batch(lengths, correct)) {
    expect_between(reward, -0.5, 0.5);
  }
  if (size >= 2) {
    const double length = data[0] * 8.0;
    expect_between(r1eval::reward_cosine(length, (data[1] & 1U) != 0, r1eval::CosineReward()), -1,
                   1);
    expect_between(r1eval::reward_soft_overlong(length, 1000, 1 + data[1]), -1, 0);
  }
  return 0;
}
