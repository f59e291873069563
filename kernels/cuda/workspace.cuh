// Cutting one workspace into aligned arrays.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/dialect.cuh"

namespace r1eval::kernels::R1_DEVICE {

class Carver {
 public:
  explicit Carver(void* base) : base_(static_cast<unsigned char*>(base)) {}

  template <class T>
  T* take(std::int64_t n) {
    const std::size_t at = used_;
    used_ += round_up<std::size_t>(static_cast<std::size_t>(n) * sizeof(T), 256);
    return base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + at);
  }

  std::size_t bytes() const { return used_; }

 private:
  unsigned char* base_;
  std::size_t used_ = 0;
};

}  // namespace r1eval::kernels::R1_DEVICE
