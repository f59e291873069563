// A runner of the tiny random model, and tokens for it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/cpu/cpu_runner.h"
#include "tests/engine/cpu/gguf_builder.h"

namespace r1eval {

inline std::unique_ptr<CpuRunner> make_tiny(const CpuRunnerOptions& options) {
  static const std::string bytes = tiny_model().build();
  const auto file = GgufFile::parse(std::as_bytes(std::span(bytes)), "tiny");
  EXPECT_TRUE(file) << file.error().message;
  auto made = make_cpu_runner(file.value(), options);
  EXPECT_TRUE(made) << made.error().message;
  return std::move(made).value();
}

inline std::vector<TokenId> some_tokens(std::size_t n, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<TokenId> tokens;
  for (std::size_t i = 0; i < n; ++i) {
    tokens.push_back(static_cast<TokenId>(random() % 97U));
  }
  return tokens;
}

}  // namespace r1eval
