// What a TMA load does, as data: a box cut out of a strided array of up to five dimensions, written
// into shared memory densely, innermost dimension first, optionally with the 128-byte swizzle.
//
// Units    dims and box in values, strides in bytes (of dimension 1 and up; dimension 0 is dense),
//          coordinates in values. What lies outside the array arrives as zeros and still counts
//          towards the bytes of the box.
// Source   CUDA driver API, cuTensorMapEncodeTiled; PTX ISA, cp.async.bulk.tensor.
// Tested   tests/kernels/shared_test.cc (against brute force); the emulator loads through
// load_box().
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/shared/host_device.h"
#include "kernels/shared/swizzle.h"

namespace r1eval::kernels {

struct TensorMapParams {
  const void* base = nullptr;
  std::int32_t value_bytes = 2;  // 1: e4m3, 2: bf16
  std::int32_t rank = 0;         // 1 to 5
  std::int64_t dims[5] = {1, 1, 1, 1, 1};
  std::int64_t strides[5] = {0, 0, 0, 0, 0};  // strides[0] is not read
  std::int32_t box[5] = {1, 1, 1, 1, 1};
  bool swizzled = true;  // 128-byte swizzle; then box[0] * value_bytes must be 128

  constexpr std::int64_t box_bytes() const {
    std::int64_t bytes = value_bytes;
    for (int d = 0; d < rank; ++d) {
      bytes *= box[d];
    }
    return bytes;
  }

  // Appends a dimension.
  constexpr TensorMapParams& with(std::int64_t size, std::int64_t stride_bytes,
                                  std::int32_t box_size) {
    dims[rank] = size;
    strides[rank] = stride_bytes;
    box[rank] = box_size;
    ++rank;
    return *this;
  }
};

// Why the hardware would refuse such a map, or null.
constexpr const char* tensor_map_problem(const TensorMapParams& map) {
  if (map.rank < 1 || map.rank > 5) {
    return "a tensor map has 1 to 5 dimensions";
  }
  if (map.value_bytes != 1 && map.value_bytes != 2) {
    return "a tensor map holds values of 1 or 2 bytes";
  }
  for (int d = 0; d < map.rank; ++d) {
    if (map.dims[d] < 1 || map.dims[d] > (std::int64_t{1} << 32)) {
      return "a tensor map's dimensions are 1 to 2^32 long";
    }
    if (map.box[d] < 1 || map.box[d] > 256) {
      return "a tensor map's box is 1 to 256 values long in each dimension";
    }
    if (d > 0 && (map.strides[d] % 16 != 0 || map.strides[d] <= 0 ||
                  map.strides[d] >= (std::int64_t{1} << 40))) {
      return "a tensor map's strides are multiples of 16 bytes below 2^40";
    }
  }
  if (map.box[0] * map.value_bytes % 16 != 0) {
    return "a box's innermost dimension is a multiple of 16 bytes";
  }
  if (map.swizzled && map.box[0] * map.value_bytes != 128) {
    return "a swizzled box is 128 bytes wide";
  }
  return nullptr;
}

// Copies the box at `at` (in values; may lie outside) to `shared`, whose address in shared memory
// is `shared_address` (the swizzle depends on it). What the hardware does, slowly.
inline void load_box(const TensorMapParams& map, const std::int32_t* at, unsigned char* shared,
                     std::uint32_t shared_address) {
  const std::int64_t lines = map.box_bytes() / (map.box[0] * map.value_bytes);
  const std::int64_t line_bytes = std::int64_t{map.box[0]} * map.value_bytes;
  for (std::int64_t line = 0; line < lines; ++line) {
    std::int64_t rest = line;
    std::int64_t offset = 0;
    bool inside = true;
    for (int d = 1; d < map.rank; ++d) {
      const std::int64_t index = at[d] + rest % map.box[d];
      rest /= map.box[d];
      inside = inside && index >= 0 && index < map.dims[d];
      offset += index * map.strides[d];
    }
    const auto* source = static_cast<const unsigned char*>(map.base);
    for (std::int64_t byte = 0; byte < line_bytes; ++byte) {
      const std::int64_t column = at[0] + byte / map.value_bytes;
      const bool there = inside && column >= 0 && column < map.dims[0];
      const auto plain = static_cast<std::uint32_t>(line * line_bytes + byte);
      const std::uint32_t place =
          map.swizzled ? swizzle_128b(shared_address + plain) - shared_address : plain;
      shared[place] =
          there ? source[offset + std::int64_t{at[0]} * map.value_bytes + byte] : std::uint8_t{0};
    }
  }
}

}  // namespace r1eval::kernels
