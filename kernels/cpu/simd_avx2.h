// Sixteen lanes in two AVX2 registers: the vocabulary in which kernels_impl.h is written.
//
// Without VNNI the product of unsigned and signed bytes is built from 16-bit products. vpmaddubsw
// adds two of them with saturation at 32767, which weights of 8 bits can exceed (255 * 127 * 2), so
// those are split into even and odd bytes and multiplied as 16-bit numbers, exactly. Nibbles cannot
// exceed it (15 * 127 * 2) and take the shorter way.
// Only included by kernels_avx2.cc; everything is local to that file.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace r1eval::kernels {
namespace {

struct Vec {
  __m256 a;
  __m256 b;
};

struct Sums {
  __m256i a;
  __m256i b;
};

struct Bytes {
  __m256i a;
  __m256i b;
};

using Four = __m256i;

constexpr const char* kIsaName = "avx2";
constexpr int kMaxColumns = 3;       // of a register tile, quantised products
constexpr int kMaxFloatColumns = 3;  // float products
// Attention's register tiles: columns against a page's keys; columns by 16-value vectors of values.
constexpr int kScoreColumns = 2;
constexpr int kValueColumns = 2;
constexpr int kValueVectors = 2;
// Rows of a page, and vectors of columns, whose scores are summed at once.
constexpr int kRowTokens = 4;
constexpr int kRowVectors = 1;

constexpr int kMaxPairColumns = 2;  // bfloat16 products

constexpr int pair_row_tiles(int) {
  return 2;
}

constexpr int row_tiles(int columns) {
  return columns == 1 ? 2 : 1;
}

inline Vec v_load(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}

inline void v_store(float* p, Vec x) {
  _mm256_storeu_ps(p, x.a);
  _mm256_storeu_ps(p + 8, x.b);
}

inline Vec v_set(float x) {
  return {_mm256_set1_ps(x), _mm256_set1_ps(x)};
}

inline Vec v_add(Vec x, Vec y) {
  return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
}

inline Vec v_sub(Vec x, Vec y) {
  return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)};
}

inline Vec v_mul(Vec x, Vec y) {
  return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}

inline Vec v_div(Vec x, Vec y) {
  return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)};
}

inline Vec v_max(Vec x, Vec y) {
  return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)};
}

inline Vec v_min(Vec x, Vec y) {
  return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)};
}

inline Vec v_abs(Vec x) {
  const __m256 mask = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  return {_mm256_and_ps(x.a, mask), _mm256_and_ps(x.b, mask)};
}

// x * y + z, rounded once.
inline Vec v_fma(Vec x, Vec y, Vec z) {
  return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}

inline Vec v_round(Vec x) {
  return {_mm256_round_ps(x.a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
          _mm256_round_ps(x.b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}

inline __m256 scale_half(__m256 x, __m256 n) {
  const __m256i power =
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_mul_ps(x, _mm256_castsi256_ps(power));
}

// x * 2^n for whole n in [-126, 127].
inline Vec v_scale(Vec x, Vec n) {
  return {scale_half(x.a, n.a), scale_half(x.b, n.b)};
}

// The lanes' sum and maximum, halving: lane i with lane i + 8, then + 4, + 2, + 1.
inline float v_sum(Vec v) {
  const __m256 x = _mm256_add_ps(v.a, v.b);
  const __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 z = _mm_add_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_add_ss(z, _mm_movehdup_ps(z)));
}

inline float v_largest(Vec v) {
  const __m256 x = _mm256_max_ps(v.a, v.b);
  const __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 z = _mm_max_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_max_ss(z, _mm_movehdup_ps(z)));
}

inline Vec v_load_half(const std::uint16_t* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
          _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
}

inline void v_store_half(std::uint16_t* p, Vec x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x.a, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8),
                   _mm256_cvtps_ph(x.b, _MM_FROUND_TO_NEAREST_INT));
}

inline __m256 load_bfloat_half(const std::uint16_t* p) {
  const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

inline Vec v_load_bfloat(const std::uint16_t* p) {
  return {load_bfloat_half(p), load_bfloat_half(p + 8)};
}

inline __m256i round_to_bfloat(__m256 x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  return _mm256_srli_epi32(_mm256_blendv_epi8(rounded, _mm256_set1_epi32(0x7fc00000), is_nan), 16);
}

// The low halves of the 32-bit lanes, in order.
inline __m128i low_halves(__m256i x) {
  return _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
}

inline void v_store_bfloat(std::uint16_t* p, Vec x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), low_halves(round_to_bfloat(x.a)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), low_halves(round_to_bfloat(x.b)));
}

// Pairs of bfloat16 in 32-bit lanes.
struct Pairs {
  __m256i a;
  __m256i b;
};

struct Pair {
  __m256 low;
  __m256 high;
};

inline __m256 low_part(__m256i x) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(x, 16));
}

inline __m256 high_part(__m256i x) {
  return _mm256_castsi256_ps(_mm256_and_si256(x, _mm256_set1_epi32(-65536)));
}

inline Pairs p_load(const void* p) {
  const __m256i* from = static_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(from), _mm256_loadu_si256(from + 1)};
}

inline Vec p_low(Pairs x) {
  return {low_part(x.a), low_part(x.b)};
}

inline Vec p_high(Pairs x) {
  return {high_part(x.a), high_part(x.b)};
}

inline Pair p_set(std::uint32_t both) {
  const __m256i all = _mm256_set1_epi32(static_cast<int>(both));
  return {low_part(all), high_part(all)};
}

inline Vec p_dot(Vec sum, Pairs weights, const Pair& x) {
  return {_mm256_fmadd_ps(high_part(weights.a), x.high,
                          _mm256_fmadd_ps(low_part(weights.a), x.low, sum.a)),
          _mm256_fmadd_ps(high_part(weights.b), x.high,
                          _mm256_fmadd_ps(low_part(weights.b), x.low, sum.b))};
}

inline __m256i to_f8(__m256 x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i sign = _mm256_and_si256(_mm256_srli_epi32(bits, 24), _mm256_set1_epi32(0x80));
  const __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(magnitude, 20), _mm256_set1_epi32(1));
  const __m256i rounded =
      _mm256_add_epi32(magnitude, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7ffff)));
  const __m256i normal =
      _mm256_sub_epi32(_mm256_srli_epi32(rounded, 20), _mm256_set1_epi32(120 << 3));
  const __m256i tiny =
      _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_castsi256_ps(magnitude), _mm256_set1_ps(512.0F)));
  const __m256i is_tiny = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x3c800000), magnitude);
  return _mm256_or_si256(sign, _mm256_blendv_epi8(normal, tiny, is_tiny));
}

// 16 floats to E4M3 within [-448, 448], to nearest even.
inline void v_store_f8(std::uint8_t* p, Vec x) {
  const __m128i a = low_halves(to_f8(x.a));
  const __m128i b = low_halves(to_f8(x.b));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(a, b));
}

// Neighbours: lanes 2 i and 2 i + 1 exchanged; the lanes of x at even places, of y at odd ones.
inline Vec v_swap_neighbours(Vec x) {
  return {_mm256_permute_ps(x.a, 0xb1), _mm256_permute_ps(x.b, 0xb1)};
}

inline Vec v_even_odd(Vec x, Vec y) {
  return {_mm256_blend_ps(x.a, y.a, 0xaa), _mm256_blend_ps(x.b, y.b, 0xaa)};
}

// 16 lanes from 8 floats, each twice.
inline Vec v_load_twice(const float* p) {
  const __m256 all = _mm256_loadu_ps(p);
  return {_mm256_permutevar8x32_ps(all, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)),
          _mm256_permutevar8x32_ps(all, _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7))};
}

// 16 numbers of F8 E4M3, each 2^8 too small: read as halves with the same exponent bits.
inline Vec v_load_f8(const std::uint8_t* p) {
  const __m256i wide = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  const __m256i sign = _mm256_slli_epi16(_mm256_and_si256(wide, _mm256_set1_epi16(0x80)), 8);
  const __m256i rest = _mm256_slli_epi16(_mm256_and_si256(wide, _mm256_set1_epi16(0x7f)), 7);
  const __m256i half = _mm256_or_si256(sign, rest);
  return {_mm256_cvtph_ps(_mm256_castsi256_si128(half)),
          _mm256_cvtph_ps(_mm256_extracti128_si256(half, 1))};
}

// 16 whole numbers within [-127, 127].
inline void v_store_bytes(std::int8_t* p, Vec x) {
  const __m256i a = _mm256_cvtps_epi32(x.a);
  const __m256i b = _mm256_cvtps_epi32(x.b);
  const __m128i a16 = _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  const __m128i b16 = _mm_packs_epi32(_mm256_castsi256_si128(b), _mm256_extracti128_si256(b, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(a16, b16));
}

inline Sums s_zero() {
  return {_mm256_setzero_si256(), _mm256_setzero_si256()};
}

inline Sums s_set(std::int32_t x) {
  return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
}

inline Sums s_add(Sums x, Sums y) {
  return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)};
}

inline Sums s_sub(Sums x, Sums y) {
  return {_mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b)};
}

template <int kBits>
inline Sums s_shift_left(Sums x) {
  return {_mm256_slli_epi32(x.a, kBits), _mm256_slli_epi32(x.b, kBits)};
}

// Pairs of 16 bits: x >> kShift in the low half of each lane, y >> kShift in the high half.
template <int kShift>
inline Sums s_pack(Sums x, Sums y) {
  return {
      _mm256_blend_epi16(_mm256_srli_epi32(x.a, kShift), _mm256_slli_epi32(y.a, 16 - kShift), 0xaa),
      _mm256_blend_epi16(_mm256_srli_epi32(x.b, kShift), _mm256_slli_epi32(y.b, 16 - kShift),
                         0xaa)};
}

// sum + low half * low half + high half * high half.
inline Sums s_multiply_pairs(Sums sum, Sums x, Sums y) {
  return {_mm256_add_epi32(sum.a, _mm256_madd_epi16(x.a, y.a)),
          _mm256_add_epi32(sum.b, _mm256_madd_epi16(x.b, y.b))};
}

inline Vec s_to_float(Sums x) {
  return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)};
}

inline Bytes b_load(const void* p) {
  const __m256i* from = static_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(from), _mm256_loadu_si256(from + 1)};
}

inline Bytes b_low_nibbles(Bytes x) {
  const __m256i mask = _mm256_set1_epi8(15);
  return {_mm256_and_si256(x.a, mask), _mm256_and_si256(x.b, mask)};
}

inline Bytes b_high_nibbles(Bytes x) {
  const __m256i mask = _mm256_set1_epi8(15);
  return {_mm256_and_si256(_mm256_srli_epi16(x.a, 4), mask),
          _mm256_and_si256(_mm256_srli_epi16(x.b, 4), mask)};
}

inline Four f_load(const std::int8_t* p) {
  return _mm256_set1_epi32(*reinterpret_cast<const std::int32_t*>(p));
}

inline __m256i dot_half(__m256i sum, __m256i weights, __m256i activations) {
  const __m256i even = _mm256_madd_epi16(_mm256_and_si256(weights, _mm256_set1_epi16(255)),
                                         _mm256_srai_epi16(_mm256_slli_epi16(activations, 8), 8));
  const __m256i odd =
      _mm256_madd_epi16(_mm256_srli_epi16(weights, 8), _mm256_srai_epi16(activations, 8));
  return _mm256_add_epi32(sum, _mm256_add_epi32(even, odd));
}

inline Sums s_dot(Sums sum, Bytes weights, Four activations) {
  return {dot_half(sum.a, weights.a, activations), dot_half(sum.b, weights.b, activations)};
}

// The same where the weights are at most 15.
inline Sums s_dot_nibbles(Sums sum, Bytes weights, Four activations) {
  const __m256i ones = _mm256_set1_epi16(1);
  return {_mm256_add_epi32(sum.a,
                           _mm256_madd_epi16(_mm256_maddubs_epi16(weights.a, activations), ones)),
          _mm256_add_epi32(sum.b,
                           _mm256_madd_epi16(_mm256_maddubs_epi16(weights.b, activations), ones))};
}

}  // namespace
}  // namespace r1eval::kernels
