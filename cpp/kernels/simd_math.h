// SPDX-License-Identifier: Apache-2.0
// exp, log, tanh, sigmoid and their kin, within 2 ulp, the others within 4 (tests/cpp/
// test_kernels_elementwise.cpp and test_kernels_unary.cpp measure it): range reduction by powers of
// two, then polynomials in the form of Cephes (S. Moshier), whose coefficients these are unless a
// function names others. NaN in gives NaN out; no intermediate overflows.
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

/// exp(x) = 2^n * (1 + tail), for x neither far above 89 nor far below -105.
struct ExpParts {
    Vec n, tail;
};
inline ExpParts exp_parts(Vec x) {
    constexpr float kCoefficients[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                                       4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
    const Vec n = round_nearest(x * set1(1.44269504088896341f));
    const Vec r = fma(n, set1(-kLog2Lower), fma(n, set1(-kLog2Upper), x));
    return {n, fma(polynomial(r, kCoefficients), r * r, r)};
}

/// Beyond these bounds the result is 0 or inf anyway; in this order NaN stays NaN.
inline Vec exp_argument(Vec x) { return min_number(set1(89.0f), max_number(set1(-105.0f), x)); }

/// 0 at -inf, inf above 88.73; exp(0) is exactly 1.
inline Vec exp(Vec x) {
    const ExpParts parts = exp_parts(exp_argument(x));
    return scale_by_power(parts.tail + set1(1.0f), parts.n);
}

/// The same for x not above 0; 0 where the result is no normal number. A third cheaper.
inline Vec exp_below(Vec x) {
    const ExpParts parts = exp_parts(max_number(set1(-88.0f), x));
    return (parts.tail + set1(1.0f)) * power_of_two(parts.n);  // n is at least -127, which gives 0
}

inline Vec expm1(Vec x) {
    const Vec one = set1(1.0f);
    const ExpParts parts = exp_parts(exp_argument(x));
    const Vec large = scale_by_power(parts.tail + one, parts.n);  // the 1 is lost to rounding
    const Vec power = power_of_two(min_number(set1(30.0f), max_number(set1(-30.0f), parts.n)));
    const Vec small = fma(power, parts.tail, power - one);
    return select(less(set1(20.0f), x), large, small);
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

/// log(1 + x): the rounding error of the sum is put back.
inline Vec log1p(Vec x) {
    const Vec u = set1(1.0f) + x;
    const Vec y = log(u) + (x - (u - set1(1.0f))) / u;
    const Mask ordinary = mask_and(less(abs(x), set1(__builtin_inff())), less(zero(), u));
    return select(ordinary, y, log(u));
}

/// (tanh(x) - x) / x for |x| below kTanhSmall.
constexpr float kTanhSmall = 0.625f;
inline Vec tanh_excess(Vec x) {
    constexpr float kCoefficients[] = {-5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f,
                                       1.33314422036e-1f, -3.33332819422e-1f};
    const Vec square = x * x;
    return polynomial(square, kCoefficients) * square;
}

inline Vec tanh(Vec x) {
    const Vec size = abs(x);
    const Vec small = fma(tanh_excess(x), x, x);
    const Vec e = exp_below(set1(-2.0f) * size);
    const Vec large = set1(1.0f) - (e + e) / (set1(1.0f) + e);
    return select(less(size, set1(kTanhSmall)), small, copy_sign(large, x));
}

inline Vec sigmoid(Vec x) {
    const Vec e = exp_below(zero() - abs(x));
    return select(less(x, zero()), e, set1(1.0f)) / (set1(1.0f) + e);
}

/// log(1 + exp(x)).
inline Vec softplus(Vec x) { return relu(x) + log1p(exp_below(zero() - abs(x))); }

/// Coefficients by N. Juffa ("njuffa", 2016): below 1 ulp.
inline Vec erf(Vec x) {
    constexpr float kSmall[] = {-5.96761703e-4f, 4.99119423e-3f,  -2.67681349e-2f,
                                1.12819925e-1f,  -3.76125336e-1f, 1.28379166e-1f};
    constexpr float kLarge[] = {-1.72853470e-5f, 3.83197126e-4f,  -3.88396438e-3f, 2.42546219e-2f,
                                -1.06777877e-1f, -6.34846687e-1f, -1.28717512e-1f};
    const Vec size = min_number(set1(10.0f), abs(x));
    const Vec small = fma(polynomial(x * x, kSmall), x, x);
    const Vec power = fma(polynomial(size, kLarge), size, zero() - size);
    const Vec large = copy_sign(set1(1.0f) - exp_below(power), x);
    return select(less(size, set1(0.927734375f)), small, large);
}

/// The standard normal distribution at x: how much of it is below, and its density.
struct Normal {
    Vec share, density;
};
/// The share below -|x| is exp(-x^2/2) times a smooth function, here a polynomial of 1 / (1 + 0.37
/// |x|) without a constant, fitted to 1.2e-8 for |x| < 13.3. Where the slope of that is larger,
/// rounding is, and where it is smaller, the polynomial needs more terms.
inline Normal normal_at(Vec x) {
    constexpr float kShare[] = {1.864143226e-02f,  -1.242415837e-01f, 3.325234077e-01f,
                                -4.277361060e-01f, 2.329764008e-01f,  -6.310823539e-02f,
                                1.119497592e-01f,  1.234355883e-01f,  1.479644162e-01f,
                                1.475949148e-01f};
    const Vec e = exp_below(set1(-0.5f) * x * x);
    const Vec q = set1(1.0f) / fma(set1(0.37f), abs(x), set1(1.0f));
    const Vec tail = e * (q * polynomial(q, kShare));
    return {select(less(zero(), x), set1(1.0f) - tail, tail), set1(0.398942280f) * e};
}

/// For |x| < 1, after M. Giles, "Approximating the erfinv function" (2010).
inline Vec erfinv(Vec x) {
    constexpr float kCentre[] = {2.81022636e-08f,  3.43273939e-07f, -3.5233877e-06f,
                                 -4.39150654e-06f, 0.00021858087f,  -0.00125372503f,
                                 -0.00417768164f,  0.246640727f,    1.50140941f};
    constexpr float kTail[] = {-0.000200214257f, 0.000100950558f, 0.00134934322f,
                               -0.00367342844f,  0.00573950773f,  -0.0076224613f,
                               0.00943887047f,   1.00167406f,     2.83297682f};
    const Vec w = zero() - log((set1(1.0f) - x) * (set1(1.0f) + x));
    const Vec centre = polynomial(w - set1(2.5f), kCentre);
    const Vec tail = polynomial(sqrt(w) - set1(3.0f), kTail);
    return select(less(w, set1(5.0f)), centre, tail) * x;
}

// Whole numbers: from 2^23 on, every float is one.

inline Vec round_to_even(Vec x) {
    return select(less(abs(x), set1(0x1p23f)), copy_sign(round_nearest(x), x), x);
}
inline Vec floor(Vec x) {
    const Vec near = round_to_even(x);
    return copy_sign(near - select(less(x, near), set1(1.0f), zero()), x);
}
inline Vec ceil(Vec x) { return zero() - floor(zero() - x); }

/// -1, 0 or 1.
inline Vec sign_of(Vec x) { return select(less(zero(), abs(x)), copy_sign(one(), x), x); }

/// x^n, its relative error growing with |n log x|; below 0 NaN unless n is whole.
inline Vec power(Vec x, Vec n) {
    const Vec half = set1(0.5f) * n;
    const Mask whole = equal(round_to_even(n), n), even = equal(round_to_even(half), half);
    const Vec size = exp(n * log(abs(x)));
    const Vec odd = select(mask_and(whole, mask_not(even)), copy_sign(size, x), size);
    const Vec y = select(mask_and(less(x, zero()), mask_not(whole)), set1(__builtin_nanf("")), odd);
    return select(equal(n, zero()), one(), y);
}

}  // namespace pronghorn::PRONGHORN_ISA
