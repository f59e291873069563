// Sixteen lanes as plain arrays: the vocabulary in which kernels_impl.h is written, for any
// processor.
//
// Only included by kernels_scalar.cc; everything is local to that file.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/operators/generator.h"
#include "kernels/weights.h"

namespace r1eval::kernels {
namespace {

struct Vec {
  float v[16];
};

struct Sums {
  std::int32_t v[16];
};

struct Bytes {
  std::uint8_t v[64];
};

struct Four {
  std::int8_t v[4];
};

constexpr const char* kIsaName = "scalar";
constexpr int kMaxColumns = 2;       // of a register tile, quantised products
constexpr int kMaxFloatColumns = 2;  // float products
// Attention's register tiles: columns against a page's keys; columns by 16-value vectors of values.
constexpr int kScoreColumns = 1;
constexpr int kValueColumns = 1;
constexpr int kValueVectors = 1;
// Rows of a page, and vectors of columns, whose scores are summed at once.
constexpr int kRowTokens = 4;
constexpr int kRowVectors = 1;

constexpr int kMaxPairColumns = 2;  // bfloat16 products

constexpr int pair_row_tiles(int) {
  return 1;
}

constexpr int row_tiles(int) {
  return 1;
}

template <typename F>
inline Vec v_each(F f) {
  Vec out;
  for (int i = 0; i < 16; ++i) {
    out.v[i] = f(i);
  }
  return out;
}

inline Vec v_load(const float* p) {
  return v_each([&](int i) { return p[i]; });
}

inline void v_store(float* p, const Vec& a) {
  std::memcpy(p, a.v, sizeof a.v);
}

inline Vec v_set(float a) {
  return v_each([&](int) { return a; });
}

inline Vec v_add(const Vec& a, const Vec& b) {
  return v_each([&](int i) { return a.v[i] + b.v[i]; });
}

inline Vec v_sub(const Vec& a, const Vec& b) {
  return v_each([&](int i) { return a.v[i] - b.v[i]; });
}

inline Vec v_mul(const Vec& a, const Vec& b) {
  return v_each([&](int i) { return a.v[i] * b.v[i]; });
}

inline Vec v_div(const Vec& a, const Vec& b) {
  return v_each([&](int i) { return a.v[i] / b.v[i]; });
}

inline Vec v_max(const Vec& a, const Vec& b) {
  return v_each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}

inline Vec v_min(const Vec& a, const Vec& b) {
  return v_each([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}

inline Vec v_abs(const Vec& a) {
  return v_each([&](int i) { return std::fabs(a.v[i]); });
}

// a * b + c, rounded twice: a single rounding would be a library call per lane here.
inline Vec v_fma(const Vec& a, const Vec& b, const Vec& c) {
  return v_each([&](int i) { return a.v[i] * b.v[i] + c.v[i]; });
}

inline Vec v_round(const Vec& a) {
  return v_each([&](int i) { return std::nearbyint(a.v[i]); });
}

// a * 2^n for whole n in [-126, 127].
inline Vec v_scale(const Vec& a, const Vec& n) {
  return v_each([&](int i) {
    const std::uint32_t bits = static_cast<std::uint32_t>(static_cast<std::int32_t>(n.v[i]) + 127)
                               << 23;
    float power;
    std::memcpy(&power, &bits, sizeof power);
    return a.v[i] * power;
  });
}

// The lanes' sum and maximum, halving: lane i with lane i + 8, then + 4, + 2, + 1.
inline float v_sum(Vec a) {
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) {
      a.v[i] += a.v[i + width];
    }
  }
  return a.v[0];
}

inline float v_largest(const Vec& a) {
  float most = a.v[0];
  for (int i = 1; i < 16; ++i) {
    most = a.v[i] > most ? a.v[i] : most;
  }
  return most;
}

inline Vec v_load_half(const std::uint16_t* p) {
  return v_each([&](int i) { return half_to_float(p[i]); });
}

inline void v_store_half(std::uint16_t* p, const Vec& a) {
  for (int i = 0; i < 16; ++i) {
    p[i] = float_to_half(a.v[i]);
  }
}

inline Vec v_load_bfloat(const std::uint16_t* p) {
  return v_each([&](int i) { return bfloat_to_float(p[i]); });
}

inline void v_store_bfloat(std::uint16_t* p, const Vec& a) {
  for (int i = 0; i < 16; ++i) {
    p[i] = bf16_bits(a.v[i]);
  }
}

// Pairs of bfloat16 in 32-bit lanes.
struct Pairs {
  std::uint32_t v[16];
};

struct Pair {
  float low;
  float high;
};

inline float low_part(std::uint32_t both) {
  return bf16_value(static_cast<std::uint16_t>(both & 0xffffU));
}

inline float high_part(std::uint32_t both) {
  return bf16_value(static_cast<std::uint16_t>(both >> 16));
}

inline Pairs p_load(const void* p) {
  Pairs out;
  std::memcpy(out.v, p, sizeof out.v);
  return out;
}

inline Vec p_low(const Pairs& a) {
  return v_each([&](int i) { return low_part(a.v[i]); });
}

inline Vec p_high(const Pairs& a) {
  return v_each([&](int i) { return high_part(a.v[i]); });
}

inline Pair p_set(std::uint32_t both) {
  return {low_part(both), high_part(both)};
}

inline Vec p_dot(const Vec& sum, const Pairs& weights, const Pair& x) {
  return v_each([&](int i) {
    return (sum.v[i] + low_part(weights.v[i]) * x.low) + high_part(weights.v[i]) * x.high;
  });
}

// 16 floats to E4M3 within [-448, 448], to nearest even.
inline void v_store_f8(std::uint8_t* p, const Vec& a) {
  for (int i = 0; i < 16; ++i) {
    p[i] = f8_bits(a.v[i]);
  }
}

// Neighbours: lanes 2 i and 2 i + 1 exchanged; the lanes of a at even places, of b at odd ones.
inline Vec v_swap_neighbours(const Vec& a) {
  return v_each([&](int i) { return a.v[i ^ 1]; });
}

inline Vec v_even_odd(const Vec& a, const Vec& b) {
  return v_each([&](int i) { return i % 2 == 0 ? a.v[i] : b.v[i]; });
}

// 16 lanes from 8 floats, each twice.
inline Vec v_load_twice(const float* p) {
  return v_each([&](int i) { return p[i / 2]; });
}

// 16 numbers of F8 E4M3, each 2^8 too small: read as halves with the same exponent bits.
inline Vec v_load_f8(const std::uint8_t* p) {
  return v_each([&](int i) {
    return half_to_float(static_cast<std::uint16_t>(((p[i] & 0x80U) << 8) | ((p[i] & 0x7fU) << 7)));
  });
}

// 16 whole numbers within [-127, 127].
inline void v_store_bytes(std::int8_t* p, const Vec& a) {
  for (int i = 0; i < 16; ++i) {
    p[i] = static_cast<std::int8_t>(a.v[i]);
  }
}

inline Sums s_zero() {
  return {};
}

template <typename F>
inline Sums s_each(F f) {
  Sums out;
  for (int i = 0; i < 16; ++i) {
    out.v[i] = f(i);
  }
  return out;
}

inline Sums s_set(std::int32_t a) {
  return s_each([&](int) { return a; });
}

inline Sums s_add(const Sums& a, const Sums& b) {
  return s_each([&](int i) { return a.v[i] + b.v[i]; });
}

// The numbers may wrap, as they do in vectors; a block's true sum does not.
inline std::int32_t wrapped(std::uint32_t a) {
  return static_cast<std::int32_t>(a);
}

inline Sums s_sub(const Sums& a, const Sums& b) {
  return s_each([&](int i) {
    return wrapped(static_cast<std::uint32_t>(a.v[i]) - static_cast<std::uint32_t>(b.v[i]));
  });
}

template <int kBits>
inline Sums s_shift_left(const Sums& a) {
  return s_each([&](int i) { return wrapped(static_cast<std::uint32_t>(a.v[i]) << kBits); });
}

// Pairs of 16 bits: a >> kShift in the low half of each lane, b >> kShift in the high half.
template <int kShift>
inline Sums s_pack(const Sums& a, const Sums& b) {
  return s_each([&](int i) {
    const std::uint32_t low = (static_cast<std::uint32_t>(a.v[i]) >> kShift) & 0xffffU;
    const std::uint32_t high = (static_cast<std::uint32_t>(b.v[i]) >> kShift) << 16;
    return wrapped(low | high);
  });
}

// sum + low half * low half + high half * high half.
inline Sums s_multiply_pairs(const Sums& sum, const Sums& a, const Sums& b) {
  const auto low = [](std::int32_t x) { return static_cast<std::int16_t>(x & 0xffff); };
  const auto high = [](std::int32_t x) { return static_cast<std::int16_t>(x >> 16); };
  return s_each([&](int i) {
    const std::int32_t first = low(a.v[i]) * low(b.v[i]);
    const std::int32_t second = high(a.v[i]) * high(b.v[i]);
    return wrapped(static_cast<std::uint32_t>(sum.v[i]) + static_cast<std::uint32_t>(first) +
                   static_cast<std::uint32_t>(second));
  });
}

inline Vec s_to_float(const Sums& a) {
  return v_each([&](int i) { return static_cast<float>(a.v[i]); });
}

inline Bytes b_load(const void* p) {
  Bytes out;
  std::memcpy(out.v, p, sizeof out.v);
  return out;
}

inline Bytes b_low_nibbles(Bytes a) {
  for (std::uint8_t& x : a.v) {
    x = static_cast<std::uint8_t>(x & 15);
  }
  return a;
}

inline Bytes b_high_nibbles(Bytes a) {
  for (std::uint8_t& x : a.v) {
    x = static_cast<std::uint8_t>(x >> 4);
  }
  return a;
}

inline Four f_load(const std::int8_t* p) {
  return {{p[0], p[1], p[2], p[3]}};
}

inline Sums s_dot(Sums sum, const Bytes& weights, const Four& activations) {
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 4; ++j) {
      sum.v[i] += static_cast<std::int32_t>(weights.v[4 * i + j]) * activations.v[j];
    }
  }
  return sum;
}

inline Sums s_dot_nibbles(const Sums& sum, const Bytes& weights, const Four& activations) {
  return s_dot(sum, weights, activations);
}

}  // namespace
}  // namespace r1eval::kernels
