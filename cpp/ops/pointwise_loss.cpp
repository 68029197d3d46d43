// SPDX-License-Identifier: Apache-2.0
// pointwise_loss: losses that are a mean (kl_divergence: a sum) over the last axis of a function of
// one prediction p and its target t, in Keras's formulas with its epsilon of 1e-7. contrastive is
// Hadsell et al. 2006, equation 4, p being a distance and t = 1 a pair that differs.
#include <algorithm>
#include <cmath>

#include "ops/loss.h"

namespace pronghorn {

namespace {

constexpr float kEpsilon = 1e-7f;

float sign_of(float x) { return x > 0 ? 1.0f : x < 0 ? -1.0f : x; }  // NaN stays

// Every function gives its value and its slope by p.

struct Huber {
    explicit Huber(Attributes& attributes)
        : delta(static_cast<float>(attributes.number("delta", 1.0))) {}
    float value(float p, float t) const {
        const float error = std::fabs(p - t);
        return error <= delta ? 0.5f * error * error : delta * error - 0.5f * delta * delta;
    }
    float slope(float p, float t) const {
        const float error = p - t;
        return std::fabs(error) > delta ? delta * sign_of(error) : error;
    }
    float delta;
};

struct LogCosh {
    explicit LogCosh(Attributes& /*attributes*/) {}
    float value(float p, float t) const {
        const float error = std::fabs(p - t);
        return error + std::log1p(std::exp(-2 * error)) - std::log(2.0f);
    }
    float slope(float p, float t) const { return std::tanh(p - t); }
};

struct Poisson {
    explicit Poisson(Attributes& /*attributes*/) {}
    float value(float p, float t) const { return p - t * std::log(p + kEpsilon); }
    float slope(float p, float t) const { return 1.0f - t / (p + kEpsilon); }
};

struct KlDivergence {
    explicit KlDivergence(Attributes& /*attributes*/) {}
    static float clipped(float x) { return std::min(std::max(x, kEpsilon), 1.0f); }
    float value(float p, float t) const { return clipped(t) * std::log(clipped(t) / clipped(p)); }
    float slope(float p, float t) const {
        return p < kEpsilon || p > 1.0f ? 0.0f : -clipped(t) / p;
    }
};

struct SquaredLogarithmicError {
    explicit SquaredLogarithmicError(Attributes& /*attributes*/) {}
    static float difference(float p, float t) {
        return std::log1p(std::max(p, kEpsilon)) - std::log1p(std::max(t, kEpsilon));
    }
    float value(float p, float t) const { return difference(p, t) * difference(p, t); }
    float slope(float p, float t) const {
        return p < kEpsilon ? 0.0f : 2.0f * difference(p, t) / (p + 1.0f);
    }
};

struct AbsolutePercentageError {
    explicit AbsolutePercentageError(Attributes& /*attributes*/) {}
    static float scale(float t) { return 100.0f / std::max(std::fabs(t), kEpsilon); }
    float value(float p, float t) const { return std::fabs(t - p) * scale(t); }
    float slope(float p, float t) const { return sign_of(p - t) * scale(t); }
};

struct Contrastive {
    explicit Contrastive(Attributes& attributes)
        : margin(static_cast<float>(attributes.number("margin", 1.0))) {}
    float value(float p, float t) const {
        const float missing = std::max(margin - p, 0.0f);
        return 0.5f * ((1.0f - t) * p * p + t * missing * missing);
    }
    float slope(float p, float t) const { return (1.0f - t) * p - t * std::max(margin - p, 0.0f); }
    float margin;
};

/// Lin et al. 2017, equation 5; the target may be smoothed.
struct BinaryFocal {
    explicit BinaryFocal(Attributes& attributes)
        : from_logits(attributes.flag("from_logits", false)),
          balanced(attributes.flag("apply_class_balancing", false)),
          alpha(static_cast<float>(attributes.number("alpha", 0.25))),
          gamma(static_cast<float>(attributes.number("gamma", 2.0))),
          smoothing(static_cast<float>(attributes.number("label_smoothing", 0.0))) {}

    struct Parts {
        float t, q, clipped, miss, weight, crossentropy;  // miss: 1 - p_t
    };
    Parts parts(float p, float target) const {
        Parts at{};
        at.t = target * (1.0f - smoothing) + 0.5f * smoothing;
        at.q = from_logits ? 1.0f / (1.0f + std::exp(-p)) : p;
        at.clipped = std::min(std::max(at.q, kEpsilon), 1.0f - kEpsilon);
        at.miss = 1.0f - (at.t * at.q + (1.0f - at.t) * (1.0f - at.q));
        at.weight = balanced ? at.t * alpha + (1.0f - at.t) * (1.0f - alpha) : 1.0f;
        at.crossentropy =
            -(at.t * std::log(at.clipped) + (1.0f - at.t) * std::log(1.0f - at.clipped));
        return at;
    }
    float value(float p, float target) const {
        const Parts at = parts(p, target);
        return at.weight * std::pow(at.miss, gamma) * at.crossentropy;
    }
    float slope(float p, float target) const {
        const Parts at = parts(p, target);
        const float bend = gamma == 0 ? 0.0f : gamma * std::pow(at.miss, gamma - 1.0f);
        const float falls = at.clipped == at.q ? (at.q - at.t) / (at.q * (1.0f - at.q)) : 0.0f;
        const float by_q = at.weight * (bend * (1.0f - 2.0f * at.t) * at.crossentropy +
                                        std::pow(at.miss, gamma) * falls);
        return from_logits ? by_q * at.q * (1.0f - at.q) : by_q;
    }
    bool from_logits, balanced;
    float alpha, gamma, smoothing;
};

template <typename Function>
class PointwiseLoss final : public Loss {
   public:
    PointwiseLoss(Attributes& attributes, bool sum)
        : Loss(attributes), function_(attributes), sum_(sum) {}

   protected:
    double terms_averaged() const { return static_cast<double>(sum_ ? rows_ : rows_ * last_); }

    float forward(const float* y_pred, const float* target,
                  float* /*state*/) const noexcept override {
        double total = 0;
        for (int64_t i = 0; i < rows_ * last_; ++i) total += function_.value(y_pred[i], target[i]);
        return static_cast<float>(total / terms_averaged());
    }
    void backward(const float* y_pred, const float* target, const float* /*state*/, float scale,
                  float* d_pred) const noexcept override {
        const float each = scale / static_cast<float>(terms_averaged());
        for (int64_t i = 0; i < rows_ * last_; ++i) {
            d_pred[i] = each * function_.slope(y_pred[i], target[i]);
        }
    }

   private:
    Function function_;
    bool sum_;
};

/// max(1 - t p, 0), or its square. As in Keras targets of 0 and 1 mean -1 and 1 where a batch has
/// no others.
class Hinge final : public Loss {
   public:
    Hinge(Attributes& attributes, bool squared) : Loss(attributes), squared_(squared) {}

   protected:
    bool surveys() const override { return true; }
    float survey(const float* targets, int64_t images) const noexcept override {
        const int64_t size = images * target_size();
        return std::all_of(targets, targets + size, [](float t) { return t == 0 || t == 1; });
    }
    static float side(float target, const float* state) {
        return *state != 0 ? 2.0f * target - 1.0f : target;
    }

    float forward(const float* y_pred, const float* target, float* state) const noexcept override {
        double total = 0;
        for (int64_t i = 0; i < rows_ * last_; ++i) {
            const float missing = 1.0f - side(target[i], state) * y_pred[i];
            const float value = missing < 0 ? 0.0f : missing;  // NaN stays
            total += squared_ ? value * value : value;
        }
        return static_cast<float>(total / static_cast<double>(rows_ * last_));
    }
    void backward(const float* y_pred, const float* target, const float* state, float scale,
                  float* d_pred) const noexcept override {
        const float each = scale / static_cast<float>(rows_ * last_);
        for (int64_t i = 0; i < rows_ * last_; ++i) {
            const float t = side(target[i], state);
            const float missing = 1.0f - t * y_pred[i];
            d_pred[i] = missing <= 0 ? 0.0f : each * -t * (squared_ ? 2.0f * missing : 1.0f);
        }
    }

   private:
    bool squared_;
};

template <typename Function>
std::unique_ptr<Op> make(Attributes& attributes, bool sum = false) {
    return std::make_unique<PointwiseLoss<Function>>(attributes, sum);
}

}  // namespace

std::unique_ptr<Op> make_pointwise_loss(Attributes& attributes) {
    const std::string kind = attributes.word("kind", "");
    if (kind == "hinge") return std::make_unique<Hinge>(attributes, false);
    if (kind == "squared_hinge") return std::make_unique<Hinge>(attributes, true);
    if (kind == "huber") return make<Huber>(attributes);
    if (kind == "log_cosh") return make<LogCosh>(attributes);
    if (kind == "poisson") return make<Poisson>(attributes);
    if (kind == "kl_divergence") return make<KlDivergence>(attributes, true);
    if (kind == "mean_squared_logarithmic_error") return make<SquaredLogarithmicError>(attributes);
    if (kind == "mean_absolute_percentage_error") return make<AbsolutePercentageError>(attributes);
    if (kind == "contrastive") return make<Contrastive>(attributes);
    check(kind == "binary_focal_crossentropy", "pointwise_loss",
          "expected kind hinge, squared_hinge, huber, log_cosh, poisson, kl_divergence, "
          "mean_squared_logarithmic_error, mean_absolute_percentage_error, contrastive or "
          "binary_focal_crossentropy, got '",
          kind, "'");
    return make<BinaryFocal>(attributes);
}

}  // namespace pronghorn
