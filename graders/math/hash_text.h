// A fixed mixing of 64-bit words and texts (SplitMix64: Steele, Lea, Flood, OOPSLA 2014), for
// sample points that are the same in every run.
#pragma once

#include <cstdint>
#include <string_view>

namespace r1eval {

inline std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

inline std::uint64_t hash_text(std::string_view text, std::uint64_t seed) {
  std::uint64_t h = mix(seed);
  for (const char c : text) {
    h = mix(h ^ static_cast<unsigned char>(c));
  }
  return h;
}

}  // namespace r1eval
