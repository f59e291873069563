// The CUDA device: whether there is one, what it is, memory on it. No CUDA header is needed to use
// it.
//
// Ownership  a DeviceBuffer frees its memory.
// Errors     kNotFound "no CUDA device" where there is none or its driver is missing or too old;
//            kUnsupported for another generation than the kernels are compiled for;
//            kResourceExhausted for memory; kInternal with CUDA's own words for the rest.
// Threads    as CUDA's runtime: callable from any, on the current device.
// Status     compiled, not yet run on a device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "base/result.h"

namespace r1eval::kernels::cuda {

// Whether the kernels can run here.
Status device_available();

struct DeviceInfo {
  std::string name;
  int compute_major = 0;
  int compute_minor = 0;
  int multiprocessors = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t l2_bytes = 0;
  bool has_ecc = false;
  int driver_version = 0;  // as 12080 for 12.8
  int runtime_version = 0;
  std::string uuid;  // 16 bytes, not text; record only a hash of it
};

Result<DeviceInfo> device_info();

class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  static Result<DeviceBuffer> make(std::size_t bytes);

  DeviceBuffer(DeviceBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    if (this != &other) {
      release();
      data_ = std::exchange(other.data_, nullptr);
      bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
  }

  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  ~DeviceBuffer() { release(); }

  void* data() const { return data_; }

  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

  std::size_t bytes() const { return bytes_; }

 private:
  void release();

  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

Status copy_to_device(void* to, const void* from, std::size_t bytes);
Status copy_from_device(void* to, const void* from, std::size_t bytes);
// Waits for all work, and returns what went wrong in it.
Status synchronize();

}  // namespace r1eval::kernels::cuda
