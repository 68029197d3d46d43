// SPDX-License-Identifier: Apache-2.0
// The losses of pointwise_loss_list.inc, of a prediction p and its target t: value(p, t) and its
// slope by p, in Keras's formulas with its epsilon of 1e-7. A clipped prediction has no slope; NaN
// stays NaN.
#pragma once

#include "kernels/kernels.h"
#include "kernels/simd_math.h"

namespace pronghorn::PRONGHORN_ISA {

constexpr float kEpsilon = 1e-7f;

inline Vec at_least_epsilon(Vec x) { return max_number(set1(kEpsilon), x); }

/// Base: no numbers.
struct Plain {
    explicit Plain(const PointwiseLoss&) {}
};

// ---- of the error p - t

struct AbsoluteError : Plain {
    using Plain::Plain;
    Vec value(Vec p, Vec t) const { return abs(p - t); }
    Vec slope(Vec p, Vec t) const { return sign_of(p - t); }
};

struct SquaredError : Plain {
    using Plain::Plain;
    Vec value(Vec p, Vec t) const { return (p - t) * (p - t); }
    Vec slope(Vec p, Vec t) const { return set1(2.0f) * (p - t); }
};

struct AbsolutePercentageError : Plain {
    using Plain::Plain;
    static Vec scale(Vec t) { return set1(100.0f) / at_least_epsilon(abs(t)); }
    Vec value(Vec p, Vec t) const { return abs(p - t) * scale(t); }
    Vec slope(Vec p, Vec t) const { return sign_of(p - t) * scale(t); }
};

struct SquaredLogarithmicError : Plain {
    using Plain::Plain;
    static Vec difference(Vec p, Vec t) {
        return log1p(at_least_epsilon(p)) - log1p(at_least_epsilon(t));
    }
    Vec value(Vec p, Vec t) const { return difference(p, t) * difference(p, t); }
    Vec slope(Vec p, Vec t) const {
        const Vec slope = set1(2.0f) * difference(p, t) / (p + one());
        return select(less(p, set1(kEpsilon)), zero(), slope);
    }
};

/// alpha: where the parabola ends.
struct Huber {
    explicit Huber(const PointwiseLoss& loss) : delta(set1(loss.alpha)) {}
    Vec value(Vec p, Vec t) const {
        const Vec error = abs(p - t), half = set1(0.5f);
        return select(less(delta, error), delta * (error - half * delta), half * error * error);
    }
    Vec slope(Vec p, Vec t) const {
        const Vec error = p - t;
        return select(less(delta, abs(error)), delta * sign_of(error), error);
    }
    Vec delta;
};

struct LogCosh : Plain {
    using Plain::Plain;
    Vec value(Vec p, Vec t) const {
        const Vec error = abs(p - t);
        return error + log1p(exp(set1(-2.0f) * error)) - set1(0.693147181f);
    }
    Vec slope(Vec p, Vec t) const { return tanh(p - t); }
};

// ---- of sides: targets of -1 and 1

struct Hinge : Plain {
    using Plain::Plain;
    static Vec missing(Vec p, Vec t) { return relu(one() - t * p); }
    Vec value(Vec p, Vec t) const { return missing(p, t); }
    Vec slope(Vec p, Vec t) const {
        return select(equal(missing(p, t), zero()), zero(), zero() - t);
    }
};

struct SquaredHinge : Plain {
    using Plain::Plain;
    Vec value(Vec p, Vec t) const { return Hinge::missing(p, t) * Hinge::missing(p, t); }
    Vec slope(Vec p, Vec t) const { return set1(-2.0f) * t * Hinge::missing(p, t); }
};

/// Hadsell et al. 2006, equation 4: p is a distance, t = 1 a pair that differs. alpha: the margin.
struct Contrastive {
    explicit Contrastive(const PointwiseLoss& loss) : margin(set1(loss.alpha)) {}
    Vec value(Vec p, Vec t) const {
        const Vec missing = relu(margin - p);
        return set1(0.5f) * ((one() - t) * p * p + t * missing * missing);
    }
    Vec slope(Vec p, Vec t) const { return (one() - t) * p - t * relu(margin - p); }
    Vec margin;
};

// ---- of probabilities

struct Poisson : Plain {
    using Plain::Plain;
    Vec value(Vec p, Vec t) const { return p - t * log(p + set1(kEpsilon)); }
    Vec slope(Vec p, Vec t) const { return one() - t / (p + set1(kEpsilon)); }
};

struct KlDivergence : Plain {
    using Plain::Plain;
    static Vec clipped(Vec x) { return min_number(one(), at_least_epsilon(x)); }
    Vec value(Vec p, Vec t) const { return clipped(t) * log(clipped(t) / clipped(p)); }
    Vec slope(Vec p, Vec t) const {
        const Mask outside = mask_or(less(p, set1(kEpsilon)), less(one(), p));
        return select(outside, zero(), zero() - clipped(t) / p);
    }
};

struct BinaryCrossentropy : Plain {
    using Plain::Plain;
    static Vec clipped(Vec p) { return min_number(set1(1.0f - kEpsilon), at_least_epsilon(p)); }
    /// dp / (p (1 - p)), 0 where p is clipped.
    static Vec over_variance(Vec dp, Vec p) {
        const Mask outside = mask_or(less(p, set1(kEpsilon)), less(set1(1.0f - kEpsilon), p));
        return select(outside, zero(), dp / (p * (one() - p)));
    }
    static Vec value(Vec p, Vec t) {
        const Vec q = clipped(p);
        return zero() - (t * log(q) + (one() - t) * log(one() - q));
    }
    Vec slope(Vec p, Vec t) const { return over_variance(p - t, p); }
};

struct BinaryCrossentropyLogits : Plain {
    using Plain::Plain;
    Vec value(Vec x, Vec t) const { return relu(x) - x * t + log1p(exp_below(zero() - abs(x))); }
    Vec slope(Vec x, Vec t) const { return sigmoid(x) - t; }
};

/// Lin et al. 2017, equation 5: a term weighs alpha t + beta and bends with gamma.
struct BinaryFocal {
    explicit BinaryFocal(const PointwiseLoss& loss)
        : alpha(set1(loss.alpha)), beta(set1(loss.beta)), gamma(set1(loss.gamma)) {}
    static Vec miss(Vec p, Vec t) { return one() - (t * p + (one() - t) * (one() - p)); }
    Vec value(Vec p, Vec t) const {
        return fma(t, alpha, beta) * power(miss(p, t), gamma) * BinaryCrossentropy::value(p, t);
    }
    Vec slope(Vec p, Vec t) const {
        const Vec bend = gamma * power(miss(p, t), gamma - one());
        const Vec turn = bend * (one() - set1(2.0f) * t) * BinaryCrossentropy::value(p, t);
        const Vec fall = power(miss(p, t), gamma) * BinaryCrossentropy::over_variance(p - t, p);
        return fma(t, alpha, beta) * (select(equal(gamma, zero()), zero(), turn) + fall);
    }
    Vec alpha, beta, gamma;
};

struct BinaryFocalLogits {
    explicit BinaryFocalLogits(const PointwiseLoss& loss) : focal(loss) {}
    Vec value(Vec x, Vec t) const { return focal.value(sigmoid(x), t); }
    Vec slope(Vec x, Vec t) const {
        const Vec p = sigmoid(x);
        return focal.slope(p, t) * p * (one() - p);
    }
    BinaryFocal focal;
};

}  // namespace pronghorn::PRONGHORN_ISA
