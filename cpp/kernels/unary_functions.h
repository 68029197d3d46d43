// SPDX-License-Identifier: Apache-2.0
// The functions of unary_list.inc: value(x) and gradient(source, dy), where source is x or y as the
// list says. At corners and for NaN and infinities the values and slopes are Keras's on JAX.
#pragma once

#include "kernels/simd_trig.h"

namespace pronghorn::PRONGHORN_ISA {

struct Numbers {
    Vec alpha, beta;
};

inline Vec half() { return set1(0.5f); }
inline Vec as_number(Mask mask) { return select(mask, one(), zero()); }

// ---- arithmetic

struct Abs {
    static Vec value(Vec x, Numbers) { return abs(x); }
    static Vec gradient(Vec x, Vec dy, Numbers) { return select(less(x, zero()), zero() - dy, dy); }
};

struct Negative {
    static Vec value(Vec x, Numbers) { return set1(-0.0f) - x; }
    static Vec gradient(Vec, Vec dy, Numbers) { return zero() - dy; }
};

struct Square {
    static Vec value(Vec x, Numbers) { return x * x; }
    static Vec gradient(Vec x, Vec dy, Numbers) { return dy * (x + x); }
};

struct Sqrt {
    static Vec value(Vec x, Numbers) { return sqrt(x); }
    static Vec gradient(Vec y, Vec dy, Numbers) { return dy * half() / y; }
};

struct Rsqrt {
    static Vec value(Vec x, Numbers) { return one() / sqrt(x); }
    static Vec gradient(Vec y, Vec dy, Numbers) { return dy * (set1(-0.5f) * y * y * y); }
};

struct Reciprocal {
    static Vec value(Vec x, Numbers) { return one() / x; }
    static Vec gradient(Vec y, Vec dy, Numbers) { return zero() - dy * y * y; }
};

// ---- steps: no slope anywhere

struct Step {
    static Vec gradient(Vec, Vec, Numbers) { return zero(); }
};

struct Sign : Step {
    static Vec value(Vec x, Numbers) { return sign_of(x); }
};
struct Floor : Step {
    static Vec value(Vec x, Numbers) { return floor(x); }
};
struct Ceil : Step {
    static Vec value(Vec x, Numbers) { return ceil(x); }
};
struct Round : Step {
    static Vec value(Vec x, Numbers) { return round_to_even(x); }
};
struct IsNan : Step {
    static Vec value(Vec x, Numbers) { return as_number(is_nan(x)); }
};
struct IsInf : Step {
    static Vec value(Vec x, Numbers) { return as_number(equal(abs(x), set1(__builtin_inff()))); }
};
struct IsFinite : Step {
    static Vec value(Vec x, Numbers) { return as_number(less(abs(x), set1(__builtin_inff()))); }
};
struct LogicalNot : Step {
    static Vec value(Vec x, Numbers) { return as_number(equal(x, zero())); }
};

// ---- elementary functions

struct Exp {
    static Vec value(Vec x, Numbers) { return exp(x); }
    static Vec gradient(Vec y, Vec dy, Numbers) { return dy * y; }
};

struct Expm1 {
    static Vec value(Vec x, Numbers) { return expm1(x); }
    static Vec gradient(Vec y, Vec dy, Numbers) { return dy * (y + one()); }
};

struct Log {
    static Vec value(Vec x, Numbers) { return log(x); }
    static Vec gradient(Vec x, Vec dy, Numbers) { return dy / x; }
};

struct Log1p {
    static Vec value(Vec x, Numbers) { return log1p(x); }
    static Vec gradient(Vec x, Vec dy, Numbers) { return dy / (x + one()); }
};

struct Sin {
    static Vec value(Vec x, Numbers) { return sin_cos(x).sin; }
    static Vec gradient(Vec x, Vec dy, Numbers) { return dy * sin_cos(x).cos; }
};

struct Cos {
    static Vec value(Vec x, Numbers) { return sin_cos(x).cos; }
    static Vec gradient(Vec x, Vec dy, Numbers) { return zero() - dy * sin_cos(x).sin; }
};

struct Tan {
    static Vec value(Vec x, Numbers) {
        const SinCos both = sin_cos(x);
        return both.sin / both.cos;
    }
    static Vec gradient(Vec y, Vec dy, Numbers) { return dy * fma(y, y, one()); }
};

struct Tanh {
    static Vec value(Vec x, Numbers) { return tanh(x); }
    static Vec gradient(Vec y, Vec dy, Numbers) { return dy * ((one() - y) * (one() + y)); }
};

struct Sigmoid {
    static Vec value(Vec x, Numbers) { return sigmoid(x); }
    static Vec gradient(Vec y, Vec dy, Numbers) { return dy * (y * (one() - y)); }
};

struct Erf {
    static Vec value(Vec x, Numbers) { return erf(x); }
    static Vec gradient(Vec x, Vec dy, Numbers) {
        return dy * (set1(1.12837917f) * exp_below(zero() - x * x));  // 2 / sqrt(pi)
    }
};

// ---- smooth activations

struct Softplus {
    static Vec value(Vec x, Numbers) { return softplus(x); }
    static Vec gradient(Vec x, Vec dy, Numbers) { return dy * sigmoid(x); }
};

struct LogSigmoid {
    static Vec value(Vec x, Numbers) { return zero() - softplus(zero() - x); }
    static Vec gradient(Vec x, Vec dy, Numbers) { return dy * sigmoid(zero() - x); }
};

struct Softsign {
    static Vec value(Vec x, Numbers) { return x / (one() + abs(x)); }
    static Vec gradient(Vec x, Vec dy, Numbers) {
        const Vec slope = one() / (one() + abs(x));
        return dy * (slope * slope);
    }
};

/// With s = sqrt(x^2 + b): (x + s) / 2, which is b / (2 (s - x)) where x < 0; slope y / s.
struct Squareplus {
    static Vec value(Vec x, Numbers n) { return of(x, root(x, n), n); }
    static Vec gradient(Vec x, Vec dy, Numbers n) {
        const Vec s = root(x, n);
        return dy * (of(x, s, n) / s);
    }
    static Vec root(Vec x, Numbers n) {
        // Far out, where the square would overflow, b does not count.
        return select(less(set1(1e18f), abs(x)), abs(x), sqrt(fma(x, x, n.alpha)));
    }
    static Vec of(Vec x, Vec s, Numbers n) {
        return half() * select(less(x, zero()), n.alpha / (s - x), s + x);
    }
};

struct Elu {
    static Vec value(Vec x, Numbers n) {
        return select(less(zero(), x), x, n.alpha * expm1(min_number(zero(), x)));
    }
    static Vec gradient(Vec x, Vec dy, Numbers n) {
        return select(less(zero(), x), dy, dy * (n.alpha * exp(x)));
    }
};

struct Selu {
    static constexpr float kScale = 1.05070098735548049f, kAlpha = 1.67326324235437728f;
    static Vec value(Vec x, Numbers) {
        const Vec below = set1(kScale * kAlpha) * expm1(min_number(zero(), x));
        return select(less(zero(), x), set1(kScale) * x, below);
    }
    static Vec gradient(Vec x, Vec dy, Numbers) {
        return dy * select(less(zero(), x), set1(kScale), set1(kScale * kAlpha) * exp(x));
    }
};

struct Celu {
    static Vec value(Vec x, Numbers n) {
        const Vec below = n.alpha * expm1(min_number(zero(), x) / n.alpha);
        return select(less(zero(), x), x, below);
    }
    static Vec gradient(Vec x, Vec dy, Numbers n) {
        return dy * exp(min_number(zero(), x) / n.alpha);
    }
};

struct Gelu {
    static Vec value(Vec x, Numbers) { return x * normal_at(x).share; }
    static Vec gradient(Vec x, Vec dy, Numbers) {
        const Normal at = normal_at(x);
        return dy * fma(x, at.density, at.share);
    }
};

struct GeluTanh {
    static constexpr float kScale = 0.797884561f, kCubic = 0.044715f;  // sqrt(2 / pi)
    static Vec value(Vec x, Numbers) { return half() * x * (one() + bend(x)); }
    static Vec gradient(Vec x, Vec dy, Numbers) {
        const Vec t = bend(x);
        const Vec inner = set1(kScale) * fma(set1(3.0f * kCubic), x * x, one());
        const Vec curve = x * ((one() - t) * (one() + t)) * inner;
        return dy * (half() * (one() + t + curve));
    }
    static Vec bend(Vec x) { return tanh(set1(kScale) * x * fma(set1(kCubic), x * x, one())); }
};

struct Silu {
    static Vec value(Vec x, Numbers) { return x * sigmoid(x); }
    static Vec gradient(Vec x, Vec dy, Numbers) {
        const Vec s = sigmoid(x);
        return dy * (s * fma(x, one() - s, one()));
    }
};

/// x tanh(softplus(x)): with e = exp(x) and n = e (e + 2), the tanh is n / (n + 2).
struct Mish {
    static Vec capped(Vec x) { return exp(min_number(set1(20.0f), x)); }  // 1 from there on
    static Vec value(Vec x, Numbers) {
        const Vec e = capped(x);
        const Vec n = e * (e + set1(2.0f));
        return x * (n / (n + set1(2.0f)));
    }
    static Vec gradient(Vec x, Vec dy, Numbers) {
        const Vec e = capped(x);
        const Vec n = e * (e + set1(2.0f));
        const Vec d = n + set1(2.0f);
        const Vec curve = x * (set1(4.0f) * e * (one() + e)) / (d * d);
        return dy * (n / d + curve);
    }
};

struct TanhShrink {
    static Vec value(Vec x, Numbers) {
        const Mask small = less(abs(x), set1(kTanhSmall));
        return select(small, zero() - x * tanh_excess(x), x - tanh(x));
    }
    static Vec gradient(Vec x, Vec dy, Numbers) {
        const Vec t = tanh(x);
        return dy * (t * t);
    }
};

// ---- pieces

struct LeakyRelu {
    static Vec value(Vec x, Numbers n) { return select(at_least(x), x, n.alpha * x); }
    static Vec gradient(Vec x, Vec dy, Numbers n) { return select(at_least(x), dy, n.alpha * dy); }
    static Mask at_least(Vec x) { return mask_or(less(zero(), x), equal(x, zero())); }
};

struct Relu6 {
    static Vec value(Vec x, Numbers) { return min_number(set1(6.0f), relu(x)); }
    static Vec gradient(Vec x, Vec dy, Numbers) { return where(inside(x), dy); }
    static Mask inside(Vec x) { return mask_and(less(zero(), x), less(x, set1(6.0f))); }
};

struct HardSigmoid {
    static Vec value(Vec x, Numbers n) {
        return Relu6::value(x + set1(3.0f), n) * set1(1.0f / 6.0f);
    }
    static Vec gradient(Vec x, Vec dy, Numbers) {
        return where(Relu6::inside(x + set1(3.0f)), dy * set1(1.0f / 6.0f));
    }
};

struct HardSilu {
    static Vec value(Vec x, Numbers n) { return x * HardSigmoid::value(x, n); }
    static Vec gradient(Vec x, Vec dy, Numbers n) {
        return fma(dy, HardSigmoid::value(x, n), x * HardSigmoid::gradient(x, dy, n));
    }
};

struct HardTanh {
    static Vec value(Vec x, Numbers) { return select(less(one(), abs(x)), copy_sign(one(), x), x); }
    static Vec gradient(Vec x, Vec dy, Numbers) { return select(less(one(), abs(x)), zero(), dy); }
};

struct HardShrink {
    static Vec value(Vec x, Numbers n) { return where(less(n.alpha, abs(x)), x); }
    static Vec gradient(Vec x, Vec dy, Numbers n) { return where(less(n.alpha, abs(x)), dy); }
};

struct SoftShrink {
    static Vec value(Vec x, Numbers n) {
        const Vec low = where(less(x, zero() - n.alpha), x + n.alpha);
        return select(less(n.alpha, x), x - n.alpha, low);
    }
    static Vec gradient(Vec x, Vec dy, Numbers n) {
        return where(mask_or(less(n.alpha, x), less(x, zero() - n.alpha)), dy);
    }
};

struct Threshold {
    static Vec value(Vec x, Numbers n) { return select(less(n.alpha, x), x, n.beta); }
    static Vec gradient(Vec x, Vec dy, Numbers n) { return where(less(n.alpha, x), dy); }
};

struct SparsePlus {
    static Vec value(Vec x, Numbers) {
        const Vec u = x + one();
        const Vec middle = select(less(x, one()), u * u * set1(0.25f), x);
        return select(less(zero() - one(), x), middle, where(is_nan(x), x));
    }
    static Vec gradient(Vec x, Vec dy, Numbers) {
        const Vec slope = half() * (x + one());
        return dy * max_number(zero(), min_number(one(), slope));
    }
};

struct SparseSigmoid {
    static Vec value(Vec x, Numbers) { return half() * min_number(set1(2.0f), relu(x + one())); }
    /// Half of the slope at the corners: the mean of both sides.
    static Vec gradient(Vec x, Vec dy, Numbers) {
        const Vec slope = where(equal(abs(x), one()), set1(0.25f));
        const Mask flat = mask_not(mask_or(less(abs(x), one()), equal(abs(x), one())));
        return select(flat, zero(), dy * select(less(abs(x), one()), half(), slope));
    }
};

}  // namespace pronghorn::PRONGHORN_ISA
