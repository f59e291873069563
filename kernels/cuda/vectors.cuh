// Sixteen bytes at a time: eight bf16, with the scalar path for widths that are no multiple of
// eight.
#pragma once

#include "kernels/cuda/dialect.cuh"

namespace r1eval::kernels::R1_DEVICE {

struct alignas(16) Bits128 {
  std::uint32_t word[4];
};

struct alignas(8) Bits64 {
  std::uint32_t word[2];
};

R1_DEV float low_bf16(std::uint32_t pair) {
  return to_float(Bf16{static_cast<std::uint16_t>(pair & 0xffffU)});
}

R1_DEV float high_bf16(std::uint32_t pair) {
  return to_float(Bf16{static_cast<std::uint16_t>(pair >> 16U)});
}

// Values [i, i + 8) of a row of `width`; zeros past its end.
template <bool kWhole>
R1_DEV void load8(const Bf16* row, std::int64_t i, std::int64_t width, float (&out)[8]) {
  if constexpr (kWhole) {
    const Bits128 bits = *reinterpret_cast<const Bits128*>(row + i);
    R1_UNROLL
    for (int j = 0; j < 4; ++j) {
      out[2 * j] = low_bf16(bits.word[j]);
      out[2 * j + 1] = high_bf16(bits.word[j]);
    }
  } else {
    for (int j = 0; j < 8; ++j) {
      out[j] = i + j < width ? to_float(row[i + j]) : 0.0F;
    }
  }
}

template <bool kWhole>
R1_DEV void store8(Bf16* row, std::int64_t i, std::int64_t width, const float (&x)[8]) {
  if constexpr (kWhole) {
    Bits128 bits;
    R1_UNROLL
    for (int j = 0; j < 4; ++j) {
      bits.word[j] = pack_bf16(x[2 * j], x[2 * j + 1]);
    }
    *reinterpret_cast<Bits128*>(row + i) = bits;
  } else {
    for (int j = 0; j < 8 && i + j < width; ++j) {
      row[i + j] = round_bf16(x[j]);
    }
  }
}

template <bool kWhole>
R1_DEV void store8(E4m3* row, std::int64_t i, std::int64_t width, const float (&x)[8]) {
  if constexpr (kWhole) {
    Bits64 bits{{0, 0}};
    R1_UNROLL
    for (int j = 0; j < 8; ++j) {
      bits.word[j / 4] |= static_cast<std::uint32_t>(round_e4m3(x[j]).bits) << (j % 4 * 8);
    }
    *reinterpret_cast<Bits64*>(row + i) = bits;
  } else {
    for (int j = 0; j < 8 && i + j < width; ++j) {
      row[i + j] = round_e4m3(x[j]);
    }
  }
}

// Largest magnitude of 16 lanes with eight values each (128 columns): a half warp owns a scale.
R1_DEV float half_warp_largest(const float (&x)[8]) {
  float most = 0.0F;
  R1_UNROLL
  for (int j = 0; j < 8; ++j) {
    const float magnitude = x[j] < 0.0F ? -x[j] : x[j];
    most = magnitude > most ? magnitude : most;
  }
  R1_UNROLL
  for (int mask = 8; mask > 0; mask /= 2) {
    const float other = __shfl_xor_sync(kWholeWarp, most, mask);
    most = other > most ? other : most;
  }
  return most;
}

R1_DEV float silu(float x) {
  return x / (1.0F + __expf(-x));
}

}  // namespace r1eval::kernels::R1_DEVICE
