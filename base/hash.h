// Content hashes: SHA-256 for files, prompts and configurations, a 64-bit one for keys of random
// numbers. Both are stable over machines and releases: they stand in records.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace r1eval {

// Lower-case hexadecimal SHA-256 of bytes.
std::string sha256_hex(std::string_view bytes);

// SHA-256 of a file, read in pieces. Errors: kNotFound, kIo with the path.
Result<std::string> sha256_file(const std::string& path);

// SHA-256 of a stream of pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(std::string_view bytes);
  // Ends the stream; call once.
  std::string finish_hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// 64 bits of the SHA-256 over the length-prefixed parts, so that ("ab","c") differs from
// ("a","bc").
std::uint64_t stable_hash64(std::initializer_list<std::string_view> parts);

}  // namespace r1eval
