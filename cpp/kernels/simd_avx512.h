// SPDX-License-Identifier: Apache-2.0
// AVX-512 (f bw dq vl): 16 floats, masks in mask registers.
#pragma once

// GCC 12 warns of the deliberately undefined operands inside its own intrinsics (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <cstdint>

namespace pronghorn::PRONGHORN_ISA {

constexpr int kLanes = 16;
constexpr int kRegisters = 32;
using Vec = __m512;
using Mask = __mmask16;

inline Vec zero() { return _mm512_setzero_ps(); }
inline Vec set1(float x) { return _mm512_set1_ps(x); }
inline Vec load(const float* x) { return _mm512_loadu_ps(x); }
inline void store(float* x, Vec value) { _mm512_storeu_ps(x, value); }

/// The first `count` lanes (0 to kLanes); nothing behind them is touched.
inline Mask first_lanes(int count) { return static_cast<Mask>((1u << count) - 1u); }
inline Vec load_masked(const float* x, Mask mask) { return _mm512_maskz_loadu_ps(mask, x); }
inline Vec load_partial(const float* x, int count) { return load_masked(x, first_lanes(count)); }
inline void store_partial(float* x, Vec value, int count) {
    _mm512_mask_storeu_ps(x, first_lanes(count), value);
}

/// a * b + c, one rounding.
inline Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
inline Vec sqrt(Vec x) { return _mm512_sqrt_ps(x); }
inline Vec min_number(Vec a, Vec b) { return _mm512_min_ps(a, b); }  // b where either is NaN
inline Vec max_number(Vec a, Vec b) { return _mm512_max_ps(a, b); }  // b where either is NaN

inline Mask less(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
inline Mask equal(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
inline Mask is_nan(Vec x) { return _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q); }
inline Vec select(Mask mask, Vec yes, Vec no) { return _mm512_mask_blend_ps(mask, no, yes); }
inline Mask mask_or(Mask a, Mask b) { return static_cast<Mask>(a | b); }
inline Mask mask_and(Mask a, Mask b) { return static_cast<Mask>(a & b); }
inline Mask mask_not(Mask a) { return static_cast<Mask>(~a); }

inline Vec max_keep_nan(Vec a, Vec b) { return select(is_nan(a), a, max_number(a, b)); }
inline Vec min_keep_nan(Vec a, Vec b) { return select(is_nan(a), a, min_number(a, b)); }

inline float reduce_add(Vec x) { return _mm512_reduce_add_ps(x); }
inline float reduce_max(Vec x) { return _mm512_reduce_max_ps(x); }  // undefined with NaN

inline Vec round_nearest(Vec x) {
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/// 2^n for integral n in [-126, 127]; 0 for -127.
inline Vec power_of_two(Vec n) {
    const __m512i bits = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
    return _mm512_castsi512_ps(_mm512_slli_epi32(bits, 23));
}

/// Row i becomes column i.
inline void transpose(Vec (&rows)[kLanes]) {
    Vec pairs[kLanes];
    for (int i = 0; i < kLanes; i += 4) {
        const __m512d low = _mm512_castps_pd(_mm512_unpacklo_ps(rows[i], rows[i + 1]));
        const __m512d high = _mm512_castps_pd(_mm512_unpackhi_ps(rows[i], rows[i + 1]));
        const __m512d next_low = _mm512_castps_pd(_mm512_unpacklo_ps(rows[i + 2], rows[i + 3]));
        const __m512d next_high = _mm512_castps_pd(_mm512_unpackhi_ps(rows[i + 2], rows[i + 3]));
        pairs[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, next_low));
        pairs[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, next_low));
        pairs[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high, next_high));
        pairs[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high, next_high));
    }
    for (int i = 0; i < 4; ++i) {
        const Vec even_01 = _mm512_shuffle_f32x4(pairs[i], pairs[i + 4], 0x88);
        const Vec odd_01 = _mm512_shuffle_f32x4(pairs[i], pairs[i + 4], 0xdd);
        const Vec even_23 = _mm512_shuffle_f32x4(pairs[i + 8], pairs[i + 12], 0x88);
        const Vec odd_23 = _mm512_shuffle_f32x4(pairs[i + 8], pairs[i + 12], 0xdd);
        rows[i] = _mm512_shuffle_f32x4(even_01, even_23, 0x88);
        rows[i + 4] = _mm512_shuffle_f32x4(odd_01, odd_23, 0x88);
        rows[i + 8] = _mm512_shuffle_f32x4(even_01, even_23, 0xdd);
        rows[i + 12] = _mm512_shuffle_f32x4(odd_01, odd_23, 0xdd);
    }
}

/// Lane i of the result is the sum of row i: half the shuffles of a transposition.
inline Vec sum_rows(const Vec (&rows)[kLanes]) {
    Vec quarter[4];
    for (int i = 0; i < 4; ++i) {
        const Vec* row = rows + 4 * i;
        const Vec pair = _mm512_unpacklo_ps(row[0], row[1]) + _mm512_unpackhi_ps(row[0], row[1]);
        const Vec next = _mm512_unpacklo_ps(row[2], row[3]) + _mm512_unpackhi_ps(row[2], row[3]);
        quarter[i] = _mm512_shuffle_ps(pair, next, 0x44) + _mm512_shuffle_ps(pair, next, 0xee);
    }
    const Vec low = _mm512_shuffle_f32x4(quarter[0], quarter[1], 0x88) +
                    _mm512_shuffle_f32x4(quarter[0], quarter[1], 0xdd);
    const Vec high = _mm512_shuffle_f32x4(quarter[2], quarter[3], 0x88) +
                     _mm512_shuffle_f32x4(quarter[2], quarter[3], 0xdd);
    return _mm512_shuffle_f32x4(low, high, 0x88) + _mm512_shuffle_f32x4(low, high, 0xdd);
}

inline Vec abs(Vec x) { return _mm512_abs_ps(x); }
inline Vec copy_sign(Vec magnitude, Vec sign) {
    const Vec bit = _mm512_set1_ps(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(bit, magnitude), _mm512_and_ps(bit, sign));
}
/// x * 2^n, rounded once, for integral n in [-160, 160].
inline Vec scale_by_power(Vec x, Vec n) { return _mm512_scalef_ps(x, n); }
/// x = mantissa_of(x) * 2^exponent_of(x) with the mantissa in [1, 2), for normal x > 0.
inline Vec exponent_of(Vec x) { return _mm512_getexp_ps(x); }
inline Vec mantissa_of(Vec x) {
    return _mm512_getmant_ps(x, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_zero);
}
/// v > best, or v is NaN and best is not: the order in which the first of equals wins.
inline Mask beats(Vec v, Vec best) {
    const Mask number = _mm512_cmp_ps_mask(best, best, _CMP_ORD_Q);
    return _mm512_mask_cmp_ps_mask(number, v, best, _CMP_NLE_UQ);
}

/// Integers of their type's range as floats (count up to kLanes).
inline Vec load_integers(const uint8_t* x, int count) {
    const __m128i bytes = _mm_maskz_loadu_epi8(first_lanes(count), x);
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
}
inline Vec load_integers(const uint16_t* x, int count) {
    const __m256i words = _mm256_maskz_loadu_epi16(first_lanes(count), x);
    return _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(words));
}
inline void store_integers(uint8_t* x, Vec value, int count) {
    const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(value));
    _mm_mask_storeu_epi8(x, first_lanes(count), bytes);
}
inline void store_integers(uint16_t* x, Vec value, int count) {
    const __m256i words = _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(value));
    _mm256_mask_storeu_epi16(x, first_lanes(count), words);
}

/// sums[i] = the sum of the lanes of the i-th argument.
inline void reduce_add4(Vec a, Vec b, Vec c, Vec d, float* sums) {
    const Vec ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    const Vec cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    const Vec all = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
    _mm_storeu_ps(sums, _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)));
}

/// The even (odd) lanes of a, then those of b; and back: the lanes of a and b in turn, lower and
/// upper half.
inline Vec even_lanes(Vec a, Vec b) {
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    return _mm512_permutex2var_ps(a, even, b);
}
inline Vec odd_lanes(Vec a, Vec b) {
    const __m512i odd =
        _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    return _mm512_permutex2var_ps(a, odd, b);
}
inline Vec zip_low(Vec a, Vec b) {
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    return _mm512_permutex2var_ps(a, low, b);
}
inline Vec zip_high(Vec a, Vec b) {
    const __m512i high =
        _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    return _mm512_permutex2var_ps(a, high, b);
}

/// Words of 64 bits, kLanes / 2 of them, for counter-based random numbers.
using Words = __m512i;
inline Words set1_words(uint64_t x) { return _mm512_set1_epi64(static_cast<int64_t>(x)); }
/// 0 to kLanes / 2 - 1, so ordered that interleave_low and interleave_high put them in sequence.
inline Words count_words() { return _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7); }
inline Words add_words(Words a, Words b) { return _mm512_add_epi64(a, b); }
inline Words xor_words(Words a, Words b) { return _mm512_xor_si512(a, b); }
/// The 64-bit products of the low halves.
inline Words multiply_low_halves(Words a, Words b) { return _mm512_mul_epu32(a, b); }
inline Words high_halves(Words a) { return _mm512_srli_epi64(a, 32); }
/// Words of the low halves of both, a's below.
inline Words join_low_halves(Words a, Words b) {
    return _mm512_mask_blend_epi32(0xaaaa, a, _mm512_slli_epi64(b, 32));
}
inline Words interleave_low(Words a, Words b) { return _mm512_unpacklo_epi64(a, b); }
inline Words interleave_high(Words a, Words b) { return _mm512_unpackhi_epi64(a, b); }
/// The upper 24 bits of every 32 as a number in [0, 1).
inline Vec unit_floats(Words a) {
    return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_srli_epi32(a, 8)), _mm512_set1_ps(0x1p-24f));
}

/// x in a register: without this GCC repeats a load as the memory operand of each use.
inline Vec in_register(Vec x) {
    asm("" : "+v"(x));
    return x;
}

}  // namespace pronghorn::PRONGHORN_ISA
