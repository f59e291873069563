// bf16 and e4m3 as bits, with conversions that round to nearest even, as the device's own do.
//
// Bf16     1 sign, 8 exponent, 7 fraction bits. A NaN becomes 0x7fff.
// E4m3     1 sign, 4 exponent (bias 7), 3 fraction bits, no infinity; 0x7f and 0xff are NaN, the
//          largest value is 448, the smallest 2^-9. Conversion saturates: beyond 448, and from an
//          infinity, comes 448; from a NaN comes NaN (as cvt.rn.satfinite.e4m3x2.f32).
// Source   OCP 8-bit floating point specification 1.0, 5.2; PTX ISA, cvt.
// Tested   tests/kernels/shared_test.cc: every e4m3 value, every neighbour of every rounding
// border.
#pragma once

#include <cstdint>

#include "kernels/shared/host_device.h"

namespace r1eval::kernels {

struct Bf16 {
  std::uint16_t bits;
};

struct E4m3 {
  std::uint8_t bits;
};

constexpr float kLargestE4m3 = 448.0F;

R1_HD constexpr std::uint32_t float_bits(float x) {
  return __builtin_bit_cast(std::uint32_t, x);
}

R1_HD constexpr float float_of_bits(std::uint32_t bits) {
  return __builtin_bit_cast(float, bits);
}

R1_HD constexpr float to_float(float x) {
  return x;
}

R1_HD constexpr float to_float(Bf16 x) {
  return float_of_bits(static_cast<std::uint32_t>(x.bits) << 16U);
}

R1_HD constexpr Bf16 to_bf16(float x) {
  const std::uint32_t bits = float_bits(x);
  if ((bits & 0x7fffffffU) > 0x7f800000U) {
    return {0x7fff};
  }
  return {static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U)};
}

R1_HD constexpr float to_float(E4m3 x) {
  const std::uint32_t sign = (x.bits & 0x80U) << 24U;
  const std::uint32_t exponent = (x.bits >> 3U) & 15U;
  const std::uint32_t fraction = x.bits & 7U;
  if (exponent == 15U && fraction == 7U) {
    return float_of_bits(sign | 0x7fc00000U);
  }
  if (exponent == 0U) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-9F;
    return float_of_bits(float_bits(magnitude) | sign);
  }
  return float_of_bits(sign | ((exponent + 120U) << 23U) | (fraction << 20U));
}

R1_HD constexpr E4m3 to_e4m3(float x) {
  const std::uint32_t bits = float_bits(x);
  const auto sign = static_cast<std::uint8_t>((bits >> 24U) & 0x80U);
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) {
    return {static_cast<std::uint8_t>(sign | 0x7fU)};
  }
  if (magnitude >= float_bits(464.0F)) {  // halfway from 448 to what would be 480 and beyond
    return {static_cast<std::uint8_t>(sign | 0x7eU)};
  }
  if (magnitude < float_bits(0x1p-6F)) {
    // Below the smallest normal value: multiples of 2^-9. Adding 2^14 puts that unit at the last
    // bit of a float (2^14 * 2^-23 = 2^-9), and the addition itself rounds to nearest even.
    const float shifted = float_of_bits(magnitude) + 0x1p14F;
    return {static_cast<std::uint8_t>(sign | (float_bits(shifted) - float_bits(0x1p14F)))};
  }
  const std::uint32_t rounded = magnitude + 0x7ffffU + ((magnitude >> 20U) & 1U);
  const std::uint32_t code = (rounded >> 20U) - (120U << 3U);
  return {static_cast<std::uint8_t>(sign | (code > 0x7eU ? 0x7eU : code))};
}

// Scales of quantised values. Activations have one a row and 128 columns, weights one for a square
// of 128 x 128; the last block of either may be partial.
constexpr std::int64_t kScaleBlock = 128;

R1_HD constexpr std::int64_t scale_blocks(std::int64_t n) {
  return ceil_div(n, kScaleBlock);
}

// Where the scale of activation (row, column) stands: (rows, blocks), row-major.
R1_HD constexpr std::int64_t activation_scale_index(std::int64_t row, std::int64_t column,
                                                    std::int64_t columns) {
  return row * scale_blocks(columns) + column / kScaleBlock;
}

// Where the scale of weight (row, column) of an expert stands: (experts, row blocks, column
// blocks).
R1_HD constexpr std::int64_t weight_scale_index(std::int64_t expert, std::int64_t row,
                                                std::int64_t column, std::int64_t rows,
                                                std::int64_t columns) {
  return (expert * scale_blocks(rows) + row / kScaleBlock) * scale_blocks(columns) +
         column / kScaleBlock;
}

// The scale of a block whose largest magnitude is given; a block of zeros has scale 1.
R1_HD constexpr float scale_for(float largest) {
  return largest > 0.0F ? largest / kLargestE4m3 : 1.0F;
}

}  // namespace r1eval::kernels
