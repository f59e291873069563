// The 128-byte swizzle of shared memory and the descriptor of a wgmma operand.
//
// Swizzle     Tiles have rows of 128 bytes, eight chunks of 16. In row r the chunk c stands at
// place
//             c ^ (r mod 8), so that eight rows of one column touch all banks. It is a function of
//             the address: bits 4-6 are xored with bits 7-9; the tile must begin at a multiple of
//             1024 bytes. TMA writes it, wgmma reads it, threads that store by hand compute it
//             here.
// Descriptor  64 bits: start address (bits 0-13), leading offset (16-29), stride offset (32-45),
// all
//             in units of 16 bytes, and the layout (62-63; 1 = 128-byte swizzle).
//             K-major operand (a row's consecutive K values are consecutive bytes): an atom is 8
//             rows of 128 bytes; the next 8 rows stand `stride` bytes on; `leading` is not used. A
//             step of 32 bytes along K inside the 128 is a step of the start address by 32.
//             MN-major operand (consecutive rows M or N are consecutive bytes; 16-bit types only):
//             an atom is 8 values of K, each a line of 128 bytes = 64 values of MN; the next 8 of K
//             stand `stride` bytes on, the next 64 of MN `leading` bytes on.
// Source      PTX ISA, asynchronous warpgroup matrix instructions: shared memory matrix layout and
//             matrix descriptor.
// Tested      tests/kernels/shared_test.cc; every kernel under the emulator reads its operands
// through
//             operand_offset(), the definition below.
#pragma once

#include <cstdint>

#include "kernels/shared/host_device.h"

namespace r1eval::kernels {

// Byte offset inside a swizzled tile of the byte that an unswizzled one has at `offset`.
R1_HD constexpr std::uint32_t swizzle_128b(std::uint32_t offset) {
  return offset ^ ((offset >> 3U) & 0x70U);
}

// The same by row (of 128 bytes) and byte in the row.
R1_HD constexpr std::uint32_t swizzled_offset(std::uint32_t row, std::uint32_t byte) {
  return row * 128U + (byte ^ ((row & 7U) << 4U));
}

enum class Major : std::uint8_t { kK, kMN };

constexpr std::uint64_t kSwizzle128Bits = 1ULL << 62U;

// `address` in shared memory, offsets in bytes, all multiples of 16.
R1_HD constexpr std::uint64_t operand_descriptor(std::uint32_t address, std::uint32_t leading,
                                                 std::uint32_t stride) {
  return static_cast<std::uint64_t>((address & 0x3ffffU) >> 4U) |
         (static_cast<std::uint64_t>((leading & 0x3ffffU) >> 4U) << 16U) |
         (static_cast<std::uint64_t>((stride & 0x3ffffU) >> 4U) << 32U) | kSwizzle128Bits;
}

// K-major tile of rows of 128 bytes, packed.
R1_HD constexpr std::uint64_t k_major_descriptor(std::uint32_t address) {
  return operand_descriptor(address, 16, 1024);
}

// MN-major tile: slabs of 64 values of MN, each (k rows, 128 bytes); `slab_bytes` from one slab to
// the next.
R1_HD constexpr std::uint64_t mn_major_descriptor(std::uint32_t address, std::uint32_t slab_bytes) {
  return operand_descriptor(address, slab_bytes, 1024);
}

R1_HD constexpr std::uint32_t descriptor_address(std::uint64_t descriptor) {
  return static_cast<std::uint32_t>(descriptor & 0x3fffU) << 4U;
}

R1_HD constexpr std::uint32_t descriptor_leading(std::uint64_t descriptor) {
  return static_cast<std::uint32_t>((descriptor >> 16U) & 0x3fffU) << 4U;
}

R1_HD constexpr std::uint32_t descriptor_stride(std::uint64_t descriptor) {
  return static_cast<std::uint32_t>((descriptor >> 32U) & 0x3fffU) << 4U;
}

// Shared-memory address of value (mn, k) of the operand that a descriptor names; `value_bytes` 1
// or 2.
R1_HD constexpr std::uint32_t operand_offset(std::uint64_t descriptor, Major major,
                                             std::uint32_t mn, std::uint32_t k,
                                             std::uint32_t value_bytes) {
  const std::uint32_t start = descriptor_address(descriptor);
  if (major == Major::kK) {
    return swizzle_128b(start + (mn / 8U) * descriptor_stride(descriptor) + (mn % 8U) * 128U +
                        k * value_bytes);
  }
  const std::uint32_t per_line = 128U / value_bytes;
  return swizzle_128b(start + (mn / per_line) * descriptor_leading(descriptor) +
                      (k / 8U) * descriptor_stride(descriptor) + (k % 8U) * 128U +
                      (mn % per_line) * value_bytes);
}

// Which value of the 64 x N result of a wgmma a thread of the warpgroup (0-127) has in register i.
struct Place {
  int row;
  int column;
};

R1_HD constexpr Place accumulator_place(int thread, int i) {
  const int lane = thread % 32;
  return {thread / 32 * 16 + lane / 4 + (i / 2 % 2) * 8, i / 4 * 8 + lane % 4 * 2 + i % 2};
}

// Which values (row, k), (row, k + 1) of a 64 x 16 A operand of 16-bit values a thread's register r
// (0-3) holds, in its low and high half. It is the layout of 16 columns of a result, so that a
// result rounded to bf16 is at once the next product's operand.
R1_HD constexpr Place a_fragment_place(int thread, int r) {
  return accumulator_place(thread, 2 * r);
}

}  // namespace r1eval::kernels
