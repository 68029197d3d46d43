// SPDX-License-Identifier: Apache-2.0
// AVX2 with FMA: 8 floats, masks as vectors.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace pronghorn::PRONGHORN_ISA {

constexpr int kLanes = 8;
constexpr int kRegisters = 16;
using Vec = __m256;
using Mask = __m256;

inline Vec zero() { return _mm256_setzero_ps(); }
inline Vec set1(float x) { return _mm256_set1_ps(x); }
inline Vec load(const float* x) { return _mm256_loadu_ps(x); }
inline void store(float* x, Vec value) { _mm256_storeu_ps(x, value); }

/// The first `count` lanes (0 to kLanes); nothing behind them is touched.
inline Mask first_lanes(int count) {
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(count), index));
}
inline Vec load_masked(const float* x, Mask mask) {
    return _mm256_maskload_ps(x, _mm256_castps_si256(mask));
}
inline Vec load_partial(const float* x, int count) { return load_masked(x, first_lanes(count)); }
/// In pieces: a masked store is 42 instructions within Zen 3.
inline void store_partial(float* x, Vec value, int count) {
    __m128 rest = _mm256_castps256_ps128(value);
    if (count & 4) {
        _mm_storeu_ps(x, rest);
        rest = _mm256_extractf128_ps(value, 1);
        x += 4;
    }
    if (count & 2) {
        _mm_storel_pi(reinterpret_cast<__m64*>(x), rest);
        rest = _mm_movehl_ps(rest, rest);
        x += 2;
    }
    if (count & 1) _mm_store_ss(x, rest);
}

/// a * b + c, one rounding.
inline Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
inline Vec sqrt(Vec x) { return _mm256_sqrt_ps(x); }
inline Vec min_number(Vec a, Vec b) { return _mm256_min_ps(a, b); }  // b where either is NaN
inline Vec max_number(Vec a, Vec b) { return _mm256_max_ps(a, b); }  // b where either is NaN

inline Mask less(Vec a, Vec b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
inline Mask equal(Vec a, Vec b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
inline Mask is_nan(Vec x) { return _mm256_cmp_ps(x, x, _CMP_UNORD_Q); }
inline Vec select(Mask mask, Vec yes, Vec no) { return _mm256_blendv_ps(no, yes, mask); }
inline Mask mask_or(Mask a, Mask b) { return _mm256_or_ps(a, b); }
inline Mask mask_and(Mask a, Mask b) { return _mm256_and_ps(a, b); }
inline Mask mask_not(Mask a) {
    return _mm256_xor_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(-1)));
}

inline Vec max_keep_nan(Vec a, Vec b) { return select(is_nan(a), a, max_number(a, b)); }
inline Vec min_keep_nan(Vec a, Vec b) { return select(is_nan(a), a, min_number(a, b)); }

inline float reduce_add(Vec x) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
}
inline float reduce_max(Vec x) {  // undefined with NaN
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_shuffle_ps(half, half, 1)));
}

inline Vec round_nearest(Vec x) {
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/// 2^n for integral n in [-126, 127]; 0 for -127.
inline Vec power_of_two(Vec n) {
    const __m256i bits = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 23));
}

/// Row i becomes column i.
inline void transpose(Vec (&rows)[kLanes]) {
    Vec pairs[kLanes];
    for (int i = 0; i < kLanes; i += 4) {
        const Vec low = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
        const Vec high = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
        const Vec next_low = _mm256_unpacklo_ps(rows[i + 2], rows[i + 3]);
        const Vec next_high = _mm256_unpackhi_ps(rows[i + 2], rows[i + 3]);
        pairs[i] = _mm256_shuffle_ps(low, next_low, 0x44);
        pairs[i + 1] = _mm256_shuffle_ps(low, next_low, 0xee);
        pairs[i + 2] = _mm256_shuffle_ps(high, next_high, 0x44);
        pairs[i + 3] = _mm256_shuffle_ps(high, next_high, 0xee);
    }
    for (int i = 0; i < 4; ++i) {
        rows[i] = _mm256_permute2f128_ps(pairs[i], pairs[i + 4], 0x20);
        rows[i + 4] = _mm256_permute2f128_ps(pairs[i], pairs[i + 4], 0x31);
    }
}

/// Lane i of the result is the sum of row i: half the shuffles of a transposition.
inline Vec sum_rows(const Vec (&rows)[kLanes]) {
    Vec half[2];
    for (int i = 0; i < 2; ++i) {
        const Vec* row = rows + 4 * i;
        const Vec pair = _mm256_unpacklo_ps(row[0], row[1]) + _mm256_unpackhi_ps(row[0], row[1]);
        const Vec next = _mm256_unpacklo_ps(row[2], row[3]) + _mm256_unpackhi_ps(row[2], row[3]);
        half[i] = _mm256_shuffle_ps(pair, next, 0x44) + _mm256_shuffle_ps(pair, next, 0xee);
    }
    return _mm256_permute2f128_ps(half[0], half[1], 0x20) +
           _mm256_permute2f128_ps(half[0], half[1], 0x31);
}

inline Vec abs(Vec x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
inline Vec copy_sign(Vec magnitude, Vec sign) {
    return _mm256_or_ps(abs(magnitude), _mm256_and_ps(_mm256_set1_ps(-0.0f), sign));
}
/// x * 2^n, rounded once, for integral n in [-160, 160].
inline Vec scale_by_power(Vec x, Vec n) {
    const Vec half = round_nearest(_mm256_mul_ps(n, _mm256_set1_ps(0.5f)));
    return x * power_of_two(half) * power_of_two(n - half);
}
/// x = mantissa_of(x) * 2^exponent_of(x) with the mantissa in [1, 2), for normal x > 0.
inline Vec exponent_of(Vec x) {
    const __m256i bits = _mm256_srli_epi32(_mm256_castps_si256(x), 23);
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(bits, _mm256_set1_epi32(127)));
}
inline Vec mantissa_of(Vec x) {
    const __m256i bits = _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fffff));
    return _mm256_castsi256_ps(_mm256_or_si256(bits, _mm256_set1_epi32(0x3f800000)));
}
/// v > best, or v is NaN and best is not: the order in which the first of equals wins.
inline Mask beats(Vec v, Vec best) {
    return _mm256_and_ps(_mm256_cmp_ps(best, best, _CMP_ORD_Q),
                         _mm256_cmp_ps(v, best, _CMP_NLE_UQ));
}

/// kLanes integers of their type's range as floats.
inline Vec load_all_integers(const uint8_t* x) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(x));
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
}
inline Vec load_all_integers(const uint16_t* x) {
    const __m128i words = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
    return _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(words));
}
inline __m128i words_of(Vec value) {
    const __m256i integers = _mm256_cvtps_epi32(value);
    return _mm_packus_epi32(_mm256_castsi256_si128(integers),
                            _mm256_extracti128_si256(integers, 1));
}
inline void store_all_integers(uint8_t* x, Vec value) {
    const __m128i words = words_of(value);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(x), _mm_packus_epi16(words, words));
}
inline void store_all_integers(uint16_t* x, Vec value) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(x), words_of(value));
}
/// The first `count` of them; nothing behind them is touched.
template <typename Integer>
inline Vec load_integers(const Integer* x, int count) {
    Integer lane[kLanes] = {};
    if (count != kLanes) {
        for (int i = 0; i < count; ++i) lane[i] = x[i];
        x = lane;
    }
    return load_all_integers(x);
}
template <typename Integer>
inline void store_integers(Integer* x, Vec value, int count) {
    if (count == kLanes) return store_all_integers(x, value);
    Integer lane[kLanes];
    store_all_integers(lane, value);
    for (int i = 0; i < count; ++i) x[i] = lane[i];
}

/// sums[i] = the sum of the lanes of the i-th argument.
inline void reduce_add4(Vec a, Vec b, Vec c, Vec d, float* sums) {
    const Vec all = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    _mm_storeu_ps(sums, _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1)));
}

/// The even (odd) lanes of a, then those of b; and back: the lanes of a and b in turn, lower and
/// upper half.
inline Vec even_lanes(Vec a, Vec b) {
    const __m256d pairs = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0x88));
    return _mm256_castpd_ps(_mm256_permute4x64_pd(pairs, 0xd8));
}
inline Vec odd_lanes(Vec a, Vec b) {
    const __m256d pairs = _mm256_castps_pd(_mm256_shuffle_ps(a, b, 0xdd));
    return _mm256_castpd_ps(_mm256_permute4x64_pd(pairs, 0xd8));
}
inline Vec zip_low(Vec a, Vec b) {
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x20);
}
inline Vec zip_high(Vec a, Vec b) {
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x31);
}

/// Words of 64 bits, kLanes / 2 of them, for counter-based random numbers.
using Words = __m256i;
inline Words set1_words(uint64_t x) { return _mm256_set1_epi64x(static_cast<int64_t>(x)); }
/// 0 to kLanes / 2 - 1, so ordered that interleave_low and interleave_high put them in sequence.
inline Words count_words() { return _mm256_setr_epi64x(0, 2, 1, 3); }
inline Words add_words(Words a, Words b) { return _mm256_add_epi64(a, b); }
inline Words xor_words(Words a, Words b) { return _mm256_xor_si256(a, b); }
/// The 64-bit products of the low halves.
inline Words multiply_low_halves(Words a, Words b) { return _mm256_mul_epu32(a, b); }
inline Words high_halves(Words a) { return _mm256_srli_epi64(a, 32); }
/// Words of the low halves of both, a's below.
inline Words join_low_halves(Words a, Words b) {
    return _mm256_blend_epi32(a, _mm256_slli_epi64(b, 32), 0xaa);
}
inline Words interleave_low(Words a, Words b) { return _mm256_unpacklo_epi64(a, b); }
inline Words interleave_high(Words a, Words b) { return _mm256_unpackhi_epi64(a, b); }
/// The upper 24 bits of every 32 as a number in [0, 1).
inline Vec unit_floats(Words a) {
    return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_srli_epi32(a, 8)), _mm256_set1_ps(0x1p-24f));
}

/// x in a register: without this GCC repeats a load as the memory operand of each use.
inline Vec in_register(Vec x) {
    asm("" : "+x"(x));
    return x;
}

}  // namespace pronghorn::PRONGHORN_ISA
