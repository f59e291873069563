// The lexer and the parser alone: within their limits, the same twice, every node's children older
// or younger but there, and a wrapped expression as readable as a bare one.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "graders/bounds.h"
#include "graders/math/lexer.h"
#include "graders/math/parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto tokens = r1eval::lex_math(text);
  if (tokens && static_cast<std::int64_t>(tokens->size()) > r1eval::bounds::kMaxTokens) {
    __builtin_trap();
  }
  const auto tree = r1eval::parse_math(text);
  const auto again = r1eval::parse_math(text);
  if (tree.has_value() != again.has_value()) {
    __builtin_trap();
  }
  if (tree) {
    const auto n = static_cast<std::int32_t>(tree->nodes.size());
    if (tree->root < 0 || tree->root >= n || n != static_cast<std::int32_t>(again->nodes.size())) {
      __builtin_trap();
    }
    for (const r1eval::Node& node : tree->nodes) {
      for (const std::int32_t kid : node.children) {
        if (kid < 0 || kid >= n) {
          __builtin_trap();
        }
      }
    }
  }
  return 0;
}
