// Inputs by counter: value number `index` of tensor `tensor` under `seed`, the same on a host and a
// device, in any order, to the bit.
//
// The problem  Eleven gigabytes of expert weights must not be carried to a device, and a reference
//   must be able to make one row of them alone.
// The idea  A value is a pure function of (seed, tensor, index): a 64-bit mix of the counter, whose
//   four 16-bit words are summed (a sum of four uniforms is bell-shaped: kurtosis 2.7, bounds
//   +-3.46 standard deviations), with 16 more bits below for full mantissas. Integers until one
//   multiplication by a constant, so no library and no rounding mode can differ. normal / 10.
// Named    "ih4-v1" in results (kGeneratorName); change the name when a value changes.
#pragma once

#include <cstdint>

#include "kernels/operators/host_device.h"

namespace r1eval::kernels {

inline constexpr const char* kGeneratorName = "ih4-v1";

R1_HOST_DEVICE constexpr std::uint64_t mix64(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// The stream of one tensor; make once, use for all its values.
R1_HOST_DEVICE constexpr std::uint64_t tensor_stream(std::uint64_t seed, std::uint64_t tensor) {
  return mix64(mix64(seed + 0x9e3779b97f4a7c15ULL) + tensor * 0xd1342543de82ef95ULL);
}

R1_HOST_DEVICE constexpr std::uint64_t random_word(std::uint64_t stream, std::uint64_t index) {
  return mix64(stream + (index + 1) * 0x9e3779b97f4a7c15ULL);
}

// Mean 0, standard deviation 1, within +-3.47.
R1_HOST_DEVICE constexpr float bell_value(std::uint64_t stream, std::uint64_t index) {
  const std::uint64_t word = random_word(stream, index);
  const std::uint64_t sum =
      (word & 0xffff) + ((word >> 16) & 0xffff) + ((word >> 32) & 0xffff) + (word >> 48);
  const std::uint64_t below = (word * 0x2545f4914f6cdd1dULL) >> 48;
  // Four 16-bit uniforms: mean 4 * 32767.5, variance 4 * 65536^2 / 12.
  const auto centred = static_cast<std::int64_t>((sum << 16) | below) -
                       static_cast<std::int64_t>(131070ULL << 16) - 32768;
  return static_cast<float>(centred) * (1.0F / (37837.227F * 65536.0F));
}

// Uniform in [0, 1), 24 bits.
R1_HOST_DEVICE constexpr float uniform_value(std::uint64_t stream, std::uint64_t index) {
  return static_cast<float>(random_word(stream, index) >> 40) * (1.0F / 16777216.0F);
}

// To bfloat16, to nearest, ties to even; NaN stays NaN.
R1_HOST_DEVICE constexpr std::uint16_t bf16_bits(float value) {
  const auto bits = __builtin_bit_cast(std::uint32_t, value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) {
    return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  }
  return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

R1_HOST_DEVICE constexpr float bf16_value(std::uint16_t bits) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
}

// To E4M3 (bias 7, largest 448, no infinities), to nearest even, saturating.
R1_HOST_DEVICE constexpr std::uint8_t f8_bits(float value) {
  const auto bits = __builtin_bit_cast(std::uint32_t, value);
  const auto sign = static_cast<std::uint8_t>((bits >> 24) & 0x80U);
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) {
    return static_cast<std::uint8_t>(sign | 0x7fU);
  }
  if (magnitude >= 0x43e80000U) {  // 464 and above would round past 448
    return static_cast<std::uint8_t>(sign | 0x7eU);
  }
  if (magnitude < 0x3c800000U) {  // below 2^-6: steps of 2^-9
    const float steps = __builtin_bit_cast(float, magnitude) * 512.0F;
    auto whole = static_cast<std::uint32_t>(steps);
    const float rest = steps - static_cast<float>(whole);
    whole += rest > 0.5F || (rest == 0.5F && (whole & 1U) != 0) ? 1 : 0;
    return static_cast<std::uint8_t>(sign | whole);
  }
  const std::uint32_t rounded = magnitude + 0x7ffffU + ((magnitude >> 20) & 1U);
  return static_cast<std::uint8_t>(sign | ((rounded >> 20) - ((127U - 7U) << 3)));
}

R1_HOST_DEVICE constexpr float f8_value(std::uint8_t bits) {
  const std::uint32_t exponent = (bits >> 3) & 15U;
  const std::uint32_t mantissa = bits & 7U;
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x80U) << 24;
  if (exponent == 15 && mantissa == 7) {
    return __builtin_bit_cast(float, sign | 0x7fc00000U);
  }
  if (exponent == 0) {
    const float value = static_cast<float>(mantissa) * (1.0F / 512.0F);
    return sign != 0 ? -value : value;
  }
  return __builtin_bit_cast(float, sign | ((exponent + 120U) << 23) | (mantissa << 20));
}

}  // namespace r1eval::kernels
