// SPDX-License-Identifier: Apache-2.0
// Plain x86-64 (SSE2): 4 floats; fma is a product and a sum, two roundings.
#pragma once

#include <emmintrin.h>

#include <cstdint>

namespace pronghorn::PRONGHORN_ISA {

constexpr int kLanes = 4;
constexpr int kRegisters = 16;
using Vec = __m128;
using Mask = __m128;

inline Vec zero() { return _mm_setzero_ps(); }
inline Vec set1(float x) { return _mm_set1_ps(x); }
inline Vec load(const float* x) { return _mm_loadu_ps(x); }
inline void store(float* x, Vec value) { _mm_storeu_ps(x, value); }

/// The first `count` lanes (0 to kLanes); nothing behind them is touched.
inline Mask first_lanes(int count) {
    return _mm_castsi128_ps(_mm_cmpgt_epi32(_mm_set1_epi32(count), _mm_setr_epi32(0, 1, 2, 3)));
}
inline Vec load_partial(const float* x, int count) {
    return _mm_setr_ps(count > 0 ? x[0] : 0.0f, count > 1 ? x[1] : 0.0f, count > 2 ? x[2] : 0.0f,
                       count > 3 ? x[3] : 0.0f);
}
inline void store_partial(float* x, Vec value, int count) {
    float lane[kLanes];
    store(lane, value);
    for (int i = 0; i < count; ++i) x[i] = lane[i];
}
inline int lane_count(Mask mask) { return __builtin_popcount(_mm_movemask_ps(mask)); }
inline Vec load_masked(const float* x, Mask mask) { return load_partial(x, lane_count(mask)); }

/// a * b + c, two roundings here.
inline Vec fma(Vec a, Vec b, Vec c) { return _mm_add_ps(_mm_mul_ps(a, b), c); }
inline Vec sqrt(Vec x) { return _mm_sqrt_ps(x); }
inline Vec min_number(Vec a, Vec b) { return _mm_min_ps(a, b); }  // b where either is NaN
inline Vec max_number(Vec a, Vec b) { return _mm_max_ps(a, b); }  // b where either is NaN

inline Mask less(Vec a, Vec b) { return _mm_cmplt_ps(a, b); }
inline Mask equal(Vec a, Vec b) { return _mm_cmpeq_ps(a, b); }
inline Mask is_nan(Vec x) { return _mm_cmpunord_ps(x, x); }
inline Vec select(Mask mask, Vec yes, Vec no) {
    return _mm_or_ps(_mm_and_ps(mask, yes), _mm_andnot_ps(mask, no));
}
inline Mask mask_or(Mask a, Mask b) { return _mm_or_ps(a, b); }
inline Mask mask_and(Mask a, Mask b) { return _mm_and_ps(a, b); }
inline Mask mask_not(Mask a) { return _mm_xor_ps(a, _mm_castsi128_ps(_mm_set1_epi32(-1))); }

inline Vec max_keep_nan(Vec a, Vec b) { return select(is_nan(a), a, max_number(a, b)); }
inline Vec min_keep_nan(Vec a, Vec b) { return select(is_nan(a), a, min_number(a, b)); }

inline float reduce_add(Vec x) {
    const Vec half = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
}
inline float reduce_max(Vec x) {  // undefined with NaN
    const Vec half = _mm_max_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_shuffle_ps(half, half, 1)));
}

/// Nearest integer, for |x| below 2^31 (SSE2 has no rounding of its own).
inline Vec round_nearest(Vec x) { return _mm_cvtepi32_ps(_mm_cvtps_epi32(x)); }
/// 2^n for integral n in [-126, 127]; 0 for -127.
inline Vec power_of_two(Vec n) {
    const __m128i bits = _mm_add_epi32(_mm_cvtps_epi32(n), _mm_set1_epi32(127));
    return _mm_castsi128_ps(_mm_slli_epi32(bits, 23));
}

/// Row i becomes column i.
inline void transpose(Vec (&rows)[kLanes]) {
    _MM_TRANSPOSE4_PS(rows[0], rows[1], rows[2], rows[3]);
}

/// Lane i of the result is the sum of row i: half the shuffles of a transposition.
inline Vec sum_rows(const Vec (&rows)[kLanes]) {
    const Vec pair = _mm_unpacklo_ps(rows[0], rows[1]) + _mm_unpackhi_ps(rows[0], rows[1]);
    const Vec next = _mm_unpacklo_ps(rows[2], rows[3]) + _mm_unpackhi_ps(rows[2], rows[3]);
    return _mm_movelh_ps(pair, next) + _mm_movehl_ps(next, pair);
}

inline Vec abs(Vec x) { return _mm_andnot_ps(_mm_set1_ps(-0.0f), x); }
inline Vec copy_sign(Vec magnitude, Vec sign) {
    return _mm_or_ps(abs(magnitude), _mm_and_ps(_mm_set1_ps(-0.0f), sign));
}
/// x * 2^n, rounded once, for integral n in [-160, 160].
inline Vec scale_by_power(Vec x, Vec n) {
    const Vec half = round_nearest(_mm_mul_ps(n, _mm_set1_ps(0.5f)));
    return x * power_of_two(half) * power_of_two(n - half);
}
/// x = mantissa_of(x) * 2^exponent_of(x) with the mantissa in [1, 2), for normal x > 0.
inline Vec exponent_of(Vec x) {
    const __m128i bits = _mm_srli_epi32(_mm_castps_si128(x), 23);
    return _mm_cvtepi32_ps(_mm_sub_epi32(bits, _mm_set1_epi32(127)));
}
inline Vec mantissa_of(Vec x) {
    const __m128i bits = _mm_and_si128(_mm_castps_si128(x), _mm_set1_epi32(0x7fffff));
    return _mm_castsi128_ps(_mm_or_si128(bits, _mm_set1_epi32(0x3f800000)));
}
/// v > best, or v is NaN and best is not: the order in which the first of equals wins.
inline Mask beats(Vec v, Vec best) {
    return _mm_and_ps(_mm_cmpord_ps(best, best), _mm_cmpnle_ps(v, best));
}

/// Integers of their type's range as floats (count up to kLanes).
template <typename Integer>
inline Vec load_integers(const Integer* x, int count) {
    float lane[kLanes] = {};
    for (int i = 0; i < count; ++i) lane[i] = static_cast<float>(x[i]);
    return load(lane);
}
template <typename Integer>
inline void store_integers(Integer* x, Vec value, int count) {
    int32_t lane[kLanes];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(lane), _mm_cvtps_epi32(value));
    for (int i = 0; i < count; ++i) x[i] = static_cast<Integer>(lane[i]);
}

/// sums[i] = the sum of the lanes of the i-th argument.
inline void reduce_add4(Vec a, Vec b, Vec c, Vec d, float* sums) {
    const Vec ab = _mm_add_ps(_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
    const Vec cd = _mm_add_ps(_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
    store(sums, _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab)));
}

/// The even (odd) lanes of a, then those of b; and back: the lanes of a and b in turn, lower and
/// upper half.
inline Vec even_lanes(Vec a, Vec b) { return _mm_shuffle_ps(a, b, 0x88); }
inline Vec odd_lanes(Vec a, Vec b) { return _mm_shuffle_ps(a, b, 0xdd); }
inline Vec zip_low(Vec a, Vec b) { return _mm_unpacklo_ps(a, b); }
inline Vec zip_high(Vec a, Vec b) { return _mm_unpackhi_ps(a, b); }

/// Words of 64 bits, kLanes / 2 of them, for counter-based random numbers.
using Words = __m128i;
inline Words set1_words(uint64_t x) { return _mm_set1_epi64x(static_cast<int64_t>(x)); }
/// 0 to kLanes / 2 - 1, so ordered that interleave_low and interleave_high put them in sequence.
inline Words count_words() { return _mm_set_epi64x(1, 0); }
inline Words add_words(Words a, Words b) { return _mm_add_epi64(a, b); }
inline Words xor_words(Words a, Words b) { return _mm_xor_si128(a, b); }
/// The 64-bit products of the low halves.
inline Words multiply_low_halves(Words a, Words b) { return _mm_mul_epu32(a, b); }
inline Words high_halves(Words a) { return _mm_srli_epi64(a, 32); }
/// Words of the low halves of both, a's below.
inline Words join_low_halves(Words a, Words b) {
    return _mm_or_si128(_mm_srli_epi64(_mm_slli_epi64(a, 32), 32), _mm_slli_epi64(b, 32));
}
inline Words interleave_low(Words a, Words b) { return _mm_unpacklo_epi64(a, b); }
inline Words interleave_high(Words a, Words b) { return _mm_unpackhi_epi64(a, b); }
/// The upper 24 bits of every 32 as a number in [0, 1).
inline Vec unit_floats(Words a) {
    return _mm_mul_ps(_mm_cvtepi32_ps(_mm_srli_epi32(a, 8)), _mm_set1_ps(0x1p-24f));
}

/// x in a register: without this GCC repeats a load as the memory operand of each use.
inline Vec in_register(Vec x) {
    asm("" : "+x"(x));
    return x;
}

}  // namespace pronghorn::PRONGHORN_ISA
