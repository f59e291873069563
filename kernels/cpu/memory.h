// Large blocks of memory and how much of it the machine still has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace r1eval::cpu {

// Zeroed, page-aligned memory from the system, in 2 MiB pages where it grants them. Pages cost
// nothing until touched.
class Block {
 public:
  Block() = default;
  static Result<Block> make(std::int64_t bytes, const std::string& what);
  ~Block();
  Block(Block&& other) noexcept;
  Block& operator=(Block&& other) noexcept;

  std::byte* data() const { return data_; }

  std::int64_t bytes() const { return bytes_; }

  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  std::byte* data_ = nullptr;
  std::int64_t bytes_ = 0;
};

// Bytes that can be had without swapping: the kernel's MemAvailable, or what the control group's
// limit leaves where that is less. -1 where the system does not say.
std::int64_t available_memory_bytes();

}  // namespace r1eval::cpu
