// SPDX-License-Identifier: Apache-2.0
// sin and cos of vectors, within 2 ulp for every float. Up to 8192, multiples of pi / 2 are taken
// off in four parts, exact but for the last (Cody and Waite); above, in 96-bit fixed point (Payne
// and Hanek), one lane after the other. Polynomials: Cephes (S. Moshier).
#pragma once

#include "kernels/simd_math.h"

namespace pronghorn::PRONGHORN_ISA {

/// x = quadrant * pi / 2 + rest, modulo 2 pi; quadrant is 0, 1, 2 or 3, |rest| <= pi / 4.
struct Angle {
    Vec quadrant, rest;
};

/// One lane: x * 2 / pi from the 96 bits of 2 / pi that matter for its exponent.
inline void reduce_large_angle(float x, float* quadrant, float* rest) {
    constexpr uint32_t kTwoOverPi[] = {0x28be60dbu, 0x9391054au, 0x7f09d5f4u,
                                       0x7d4d3770u, 0x36d8a566u, 0x4f10e410u};  // 2.30 and on
    const uint32_t bits = __builtin_bit_cast(uint32_t, x);
    const uint32_t mantissa = (bits << 8) | 0x80000000u;
    const uint32_t exponent = ((bits >> 23) & 0xff) - 126;
    const uint32_t word = exponent >> 5, shift = exponent & 31;
    uint32_t high = word > 0 ? kTwoOverPi[word - 1] : 0;
    uint32_t middle = kTwoOverPi[word], low = kTwoOverPi[word + 1];
    if (shift > 0) {
        high = high << shift | middle >> (32 - shift);
        middle = middle << shift | low >> (32 - shift);
        low = low << shift | kTwoOverPi[word + 2] >> (32 - shift);
    }
    uint64_t product = uint64_t{mantissa} * low;
    product = uint64_t{mantissa} * middle + (product >> 32);
    product += uint64_t{mantissa * high} << 32;  // in 2.62 fixed point
    const uint64_t turns = (product + (uint64_t{1} << 61)) >> 62;
    const auto fraction = static_cast<int64_t>(product - (turns << 62));
    const auto angle =
        static_cast<float>(static_cast<double>(fraction) * (0x1.921fb54442d18p0 * 0x1p-62));
    const bool negative = bits >> 31 != 0;
    *rest = negative ? -angle : angle;
    *quadrant = static_cast<float>((negative ? 4 - turns : turns) & 3);
}

inline Angle reduce_angle(Vec x) {
    const Vec n = round_nearest(x * set1(0.636619772f));
    Vec rest = fma(n, set1(-1.5703125f), x);
    rest = fma(n, set1(-0x1.fbp-12f), rest);
    rest = fma(n, set1(-0x1.51p-22f), rest);
    rest = fma(n, set1(-0x1.0b4612p-34f), rest);
    const Vec quarter = n * set1(0.25f);
    Angle angle{n - set1(4.0f) * round_nearest(quarter - set1(0.375f)), rest};
    const Mask large = less(set1(8192.0f), abs(x));
    if (reduce_max(select(large, set1(1.0f), zero())) == 0.0f) return angle;
    float lane[kLanes], quadrant[kLanes], remainder[kLanes];
    store(lane, x);
    for (int i = 0; i < kLanes; ++i) {
        quadrant[i] = 0.0f;
        remainder[i] = lane[i] - lane[i];  // NaN for inf
        if (__builtin_fabsf(lane[i]) <= 0x1.fffffep127f) {
            if (__builtin_fabsf(lane[i]) > 8192.0f) {
                reduce_large_angle(lane[i], quadrant + i, remainder + i);
            }
        }
    }
    return {select(large, load(quadrant), angle.quadrant),
            select(large, load(remainder), angle.rest)};
}

struct SinCos {
    Vec sin, cos;
};

inline SinCos sin_cos(Vec x) {
    constexpr float kSin[] = {-1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f};
    constexpr float kCos[] = {2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f};
    const Vec one = set1(1.0f);
    const Angle angle = reduce_angle(x);
    const Vec square = angle.rest * angle.rest;
    const Vec s = fma(polynomial(square, kSin) * square, angle.rest, angle.rest);
    const Vec c = fma(polynomial(square, kCos), square * square, fma(square, set1(-0.5f), one));
    const Mask odd = less(abs(abs(angle.quadrant - set1(2.0f)) - one), set1(0.5f));
    const Vec sin_sign = select(less(set1(1.5f), angle.quadrant), zero() - one, one);
    const Vec cos_sign = select(less(abs(angle.quadrant - set1(1.5f)), one), zero() - one, one);
    return {select(odd, c, s) * sin_sign, select(odd, s, c) * cos_sign};
}

}  // namespace pronghorn::PRONGHORN_ISA
