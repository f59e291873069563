// Sixteen lanes in one AVX-512 register: the vocabulary in which kernels_impl.h is written.
//
// Only included by kernels_avx512.cc; everything is local to that file, so that no function
// compiled for this instruction set can be linked into code that runs without it.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace r1eval::kernels {
namespace {

using Vec = __m512;     // 16 floats
using Sums = __m512i;   // 16 32-bit integers
using Bytes = __m512i;  // 4 unsigned weights of each of 16 rows
using Four = __m512i;   // the 4 signed activations that meet them, in every lane

#ifdef R1_BF16_DOTS
constexpr const char* kIsaName = "avx512_bf16";
#else
constexpr const char* kIsaName = "avx512";
#endif
constexpr int kMaxPairColumns = 6;  // bfloat16 products

constexpr int pair_row_tiles(int) {
  return 4;
}

constexpr int kMaxColumns = 4;       // of a register tile, quantised products
constexpr int kMaxFloatColumns = 8;  // float products
// Attention's register tiles: columns against a page's keys; columns by 16-value vectors of values.
constexpr int kScoreColumns = 8;
constexpr int kValueColumns = 4;
constexpr int kValueVectors = 4;
// Rows of a page, and vectors of columns, whose scores are summed at once.
constexpr int kRowTokens = 8;
constexpr int kRowVectors = 2;

// Rows tiles worked on together with `columns` columns: enough independent sums to hide the latency
// of the dot product when there are few columns, few enough to stay in 32 registers when many.
constexpr int row_tiles(int columns) {
  return columns <= 2 ? 4 : 2;
}

inline Vec v_load(const float* p) {
  return _mm512_loadu_ps(p);
}

inline void v_store(float* p, Vec a) {
  _mm512_storeu_ps(p, a);
}

inline Vec v_set(float a) {
  return _mm512_set1_ps(a);
}

inline Vec v_add(Vec a, Vec b) {
  return _mm512_add_ps(a, b);
}

inline Vec v_sub(Vec a, Vec b) {
  return _mm512_sub_ps(a, b);
}

inline Vec v_mul(Vec a, Vec b) {
  return _mm512_mul_ps(a, b);
}

inline Vec v_div(Vec a, Vec b) {
  return _mm512_div_ps(a, b);
}

inline Vec v_max(Vec a, Vec b) {
  return _mm512_max_ps(a, b);
}

inline Vec v_min(Vec a, Vec b) {
  return _mm512_min_ps(a, b);
}

inline Vec v_abs(Vec a) {
  return _mm512_abs_ps(a);
}

// a * b + c, rounded once.
inline Vec v_fma(Vec a, Vec b, Vec c) {
  return _mm512_fmadd_ps(a, b, c);
}

inline Vec v_round(Vec a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

// a * 2^n for whole n.
inline Vec v_scale(Vec a, Vec n) {
  return _mm512_scalef_ps(a, n);
}

// The lanes' sum and maximum, halving: lane i with lane i + 8, then + 4, + 2, + 1.
inline float v_sum(Vec a) {
  const __m256 x = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  const __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 z = _mm_add_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_add_ss(z, _mm_movehdup_ps(z)));
}

inline float v_largest(Vec a) {
  const __m256 x = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  const __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 z = _mm_max_ps(y, _mm_movehl_ps(y, y));
  return _mm_cvtss_f32(_mm_max_ss(z, _mm_movehdup_ps(z)));
}

inline Vec v_load_half(const std::uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

inline void v_store_half(std::uint16_t* p, Vec a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

inline Vec v_load_bfloat(const std::uint16_t* p) {
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

inline __m512i round_to_bfloat(__m512 a) {
  const __m512i bits = _mm512_castps_si512(a);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 is_nan = _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
  return _mm512_srli_epi32(_mm512_mask_mov_epi32(rounded, is_nan, _mm512_set1_epi32(0x7fc00000)),
                           16);
}

inline void v_store_bfloat(std::uint16_t* p, Vec a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(round_to_bfloat(a)));
}

// Pairs of bfloat16 in 32-bit lanes: the 16 rows' two columns, or one column's two values in every
// lane.
using Pairs = __m512i;
#ifdef R1_BF16_DOTS
using Pair = __m512i;
#else
struct Pair {
  Vec low;
  Vec high;
};
#endif

inline Pairs p_load(const void* p) {
  return _mm512_loadu_si512(p);
}

inline Vec p_low(Pairs a) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(a, 16));
}

inline Vec p_high(Pairs a) {
  return _mm512_castsi512_ps(_mm512_and_si512(a, _mm512_set1_epi32(-65536)));
}

inline Pairs p_join(Vec low, Vec high) {
  return _mm512_or_si512(round_to_bfloat(low), _mm512_slli_epi32(round_to_bfloat(high), 16));
}

inline void p_store(void* p, Pairs a) {
  _mm512_storeu_si512(p, a);
}

inline Pair p_set(std::uint32_t both) {
#ifdef R1_BF16_DOTS
  return _mm512_set1_epi32(static_cast<int>(both));
#else
  const __m512i all = _mm512_set1_epi32(static_cast<int>(both));
  return {p_low(all), p_high(all)};
#endif
}

// sum + low * low + high * high.
inline Vec p_dot(Vec sum, Pairs weights, const Pair& x) {
#ifdef R1_BF16_DOTS
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(weights), reinterpret_cast<__m512bh>(x));
#else
  return _mm512_fmadd_ps(p_high(weights), x.high, _mm512_fmadd_ps(p_low(weights), x.low, sum));
#endif
}

// 16 floats to E4M3 within [-448, 448], to nearest even. Adding 2^20 + 2^17 … is not exact for
// subnormals, so the two ranges are rounded apart.
inline void v_store_f8(std::uint8_t* p, Vec a) {
  const __m512i bits = _mm512_castps_si512(a);
  const __m512i sign = _mm512_and_si512(_mm512_srli_epi32(bits, 24), _mm512_set1_epi32(0x80));
  const __m512i magnitude = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff));
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(magnitude, 20), _mm512_set1_epi32(1));
  const __m512i rounded =
      _mm512_add_epi32(magnitude, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7ffff)));
  const __m512i normal =
      _mm512_sub_epi32(_mm512_srli_epi32(rounded, 20), _mm512_set1_epi32(120 << 3));
  const __m512i tiny =
      _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_castsi512_ps(magnitude), _mm512_set1_ps(512.0F)));
  const __mmask16 is_tiny = _mm512_cmplt_epi32_mask(magnitude, _mm512_set1_epi32(0x3c800000));
  const __m512i value = _mm512_or_si512(sign, _mm512_mask_mov_epi32(normal, is_tiny, tiny));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(value));
}

// Neighbours: lanes 2 i and 2 i + 1 exchanged; the lanes of a at even places, of b at odd ones.
inline Vec v_swap_neighbours(Vec a) {
  return _mm512_permute_ps(a, 0xb1);
}

inline Vec v_even_odd(Vec a, Vec b) {
  return _mm512_mask_blend_ps(0xaaaa, a, b);
}

// 16 lanes from 8 floats, each twice.
inline Vec v_load_twice(const float* p) {
  const __m512 wide = _mm512_castps256_ps512(_mm256_loadu_ps(p));
  return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7),
                               wide);
}

// 16 numbers of F8 E4M3, each 2^8 too small: read as halves with the same exponent bits.
inline Vec v_load_f8(const std::uint8_t* p) {
  const __m256i wide = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  const __m256i sign = _mm256_slli_epi16(_mm256_and_si256(wide, _mm256_set1_epi16(0x80)), 8);
  const __m256i rest = _mm256_slli_epi16(_mm256_and_si256(wide, _mm256_set1_epi16(0x7f)), 7);
  return _mm512_cvtph_ps(_mm256_or_si256(sign, rest));
}

// 16 whole numbers within [-127, 127].
inline void v_store_bytes(std::int8_t* p, Vec a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a)));
}

inline Sums s_zero() {
  return _mm512_setzero_si512();
}

inline Sums s_set(std::int32_t a) {
  return _mm512_set1_epi32(a);
}

inline Sums s_add(Sums a, Sums b) {
  return _mm512_add_epi32(a, b);
}

inline Sums s_sub(Sums a, Sums b) {
  return _mm512_sub_epi32(a, b);
}

template <int kBits>
inline Sums s_shift_left(Sums a) {
  return _mm512_slli_epi32(a, kBits);
}

// Pairs of 16 bits: a >> kShift in the low half of each lane, b >> kShift in the high half.
template <int kShift>
inline Sums s_pack(Sums a, Sums b) {
  return _mm512_mask_blend_epi16(0xaaaaaaaaU, _mm512_srli_epi32(a, kShift),
                                 _mm512_slli_epi32(b, 16 - kShift));
}

// sum + low half * low half + high half * high half.
inline Sums s_multiply_pairs(Sums sum, Sums a, Sums b) {
  return _mm512_dpwssd_epi32(sum, a, b);
}

inline Vec s_to_float(Sums a) {
  return _mm512_cvtepi32_ps(a);
}

inline Bytes b_load(const void* p) {
  return _mm512_loadu_si512(p);
}

inline Bytes b_low_nibbles(Bytes a) {
  return _mm512_and_si512(a, _mm512_set1_epi8(15));
}

inline Bytes b_high_nibbles(Bytes a) {
  return _mm512_and_si512(_mm512_srli_epi16(a, 4), _mm512_set1_epi8(15));
}

inline Four f_load(const std::int8_t* p) {
  return _mm512_set1_epi32(*reinterpret_cast<const std::int32_t*>(p));
}

inline Sums s_dot(Sums sum, Bytes weights, Four activations) {
  return _mm512_dpbusd_epi32(sum, weights, activations);
}

// The same where the weights are at most 15.
inline Sums s_dot_nibbles(Sums sum, Bytes weights, Four activations) {
  return s_dot(sum, weights, activations);
}

}  // namespace
}  // namespace r1eval::kernels
