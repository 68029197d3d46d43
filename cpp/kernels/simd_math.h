// SPDX-License-Identifier: Apache-2.0
// exp, log, tanh and sigmoid of vectors, within 2 ulp (tests/cpp/test_kernels_elementwise.cpp
// measures it): range reduction by powers of two, then polynomials in the form of Cephes
// (S. Moshier), whose coefficients these are. NaN in gives NaN out; no intermediate overflows.
#pragma once

#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {

/// The polynomial whose coefficients begin with that of the highest power.
template <int kTerms>
inline Vec polynomial(Vec x, const float (&coefficients)[kTerms]) {
    Vec sum = set1(coefficients[0]);
    for (int i = 1; i < kTerms; ++i) sum = fma(sum, x, set1(coefficients[i]));
    return sum;
}

// log(2) in two parts; the upper has 9 bits, so its product with an exponent is exact.
constexpr float kLog2Upper = 0.693359375f;
constexpr float kLog2Lower = -2.12194440e-4f;

/// 0 at -inf, inf above 88.73; exp(0) is exactly 1.
inline Vec exp(Vec x) {
    constexpr float kCoefficients[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                                       4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
    // Beyond these bounds the result is 0 or inf anyway; in this order NaN stays NaN.
    x = min_number(set1(89.0f), max_number(set1(-105.0f), x));
    const Vec n = round_nearest(x * set1(1.44269504088896341f));
    const Vec r = fma(n, set1(-kLog2Lower), fma(n, set1(-kLog2Upper), x));
    const Vec tail = fma(polynomial(r, kCoefficients), r * r, r);
    return scale_by_power(tail + set1(1.0f), n);
}

/// -inf at 0, NaN below.
inline Vec log(Vec x) {
    constexpr float kCoefficients[] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,
                                       -1.2420140846e-1f, 1.4249322787e-1f,  -1.6668057665e-1f,
                                       2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
    const Mask subnormal = less(x, set1(0x1p-126f));
    const Vec normal = select(subnormal, x * set1(0x1p24f), x);
    Vec exponent = exponent_of(normal) - select(subnormal, set1(24.0f), zero());
    Vec mantissa = mantissa_of(normal);
    const Mask upper = less(set1(1.41421356f), mantissa);
    exponent = exponent + select(upper, set1(1.0f), zero());
    mantissa = select(upper, mantissa * set1(0.5f), mantissa);

    const Vec f = mantissa - set1(1.0f);
    const Vec square = f * f;
    Vec tail = polynomial(f, kCoefficients) * f * square;
    tail = fma(exponent, set1(kLog2Lower), tail);
    tail = fma(square, set1(-0.5f), tail);
    Vec y = fma(exponent, set1(kLog2Upper), f + tail);

    y = select(less(x, set1(__builtin_inff())), y, x);
    y = select(less(x, zero()), set1(__builtin_nanf("")), y);
    return select(equal(x, zero()), set1(-__builtin_inff()), y);
}

inline Vec tanh(Vec x) {
    constexpr float kCoefficients[] = {-5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f,
                                       1.33314422036e-1f, -3.33332819422e-1f};
    const Vec size = abs(x);
    const Vec square = x * x;
    const Vec small = fma(polynomial(square, kCoefficients) * square, x, x);
    const Vec large = set1(1.0f) - set1(2.0f) / (exp(size + size) + set1(1.0f));
    return select(less(size, set1(0.625f)), small, copy_sign(large, x));
}

inline Vec sigmoid(Vec x) {
    const Vec e = exp(zero() - abs(x));  // at most 1
    return select(less(x, zero()), e, set1(1.0f)) / (set1(1.0f) + e);
}

}  // namespace pronghorn::PRONGHORN_ISA
