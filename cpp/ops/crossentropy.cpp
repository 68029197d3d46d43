// SPDX-License-Identifier: Apache-2.0
// sparse_categorical_crossentropy, categorical_crossentropy and binary_crossentropy, from logits or
// from probabilities, in Keras's formulas: probabilities are clipped to [1e-7, 1 - 1e-7].
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/loss.h"

namespace pronghorn {

namespace {

constexpr float kEpsilon = 1e-7f;

float clipped(float p) { return std::min(std::max(p, kEpsilon), 1.0f - kEpsilon); }
bool is_clipped(float p) { return p < kEpsilon || p > 1.0f - kEpsilon; }

/// -sum t log q over classes, q = softmax(x) from logits, p / sum p from probabilities.
class Categorical : public Loss {
   public:
    explicit Categorical(Attributes& attributes)
        : Loss(attributes), from_logits_(attributes.flag("from_logits", false)) {}

    bool accept_logits() override {
        const bool accepts = !from_logits_;
        from_logits_ = true;
        return accepts;
    }

   protected:
    int64_t state_size() const override { return from_logits_ ? rows_ * last_ : 0; }

    /// Of class `c` of row `row`.
    virtual float target_of(const float* target, int64_t row, int64_t c) const noexcept = 0;

    float forward(const float* y_pred, const float* target, float* state) const noexcept override {
        if (from_logits_) kernels_->softmax(rows_, last_, y_pred, state);
        double loss = 0;
        for (int64_t row = 0; row < rows_; ++row) {
            const float* x = y_pred + row * last_;
            double sum = 0, peak = x[0];
            for (int64_t c = 0; c < last_; ++c) peak = std::max<double>(peak, x[c]);
            for (int64_t c = 0; c < last_; ++c) sum += from_logits_ ? std::exp(x[c] - peak) : x[c];
            const double log_sum = from_logits_ ? std::log(sum) + peak : 0;
            for (int64_t c = 0; c < last_; ++c) {
                const float t = target_of(target, row, c);
                if (t == 0) continue;
                loss -= t * (from_logits_ ? x[c] - log_sum
                                          : std::log(clipped(x[c] / static_cast<float>(sum))));
            }
        }
        return static_cast<float>(loss / static_cast<double>(rows_));
    }

    void backward(const float* y_pred, const float* target, const float* state, float scale,
                  float* d_pred) const noexcept override {
        const float each = scale / static_cast<float>(rows_);
        for (int64_t row = 0; row < rows_; ++row) {
            const float* x = y_pred + row * last_;
            float* dx = d_pred + row * last_;
            float targets = 0, sum = 0;  // targets: of the terms that are not clipped
            for (int64_t c = 0; !from_logits_ && c < last_; ++c) sum += x[c];
            for (int64_t c = 0; c < last_; ++c) {
                const bool counts = from_logits_ || !is_clipped(x[c] / sum);
                if (counts) targets += target_of(target, row, c);
            }
            for (int64_t c = 0; c < last_; ++c) {
                const float t = target_of(target, row, c);
                if (from_logits_) {
                    dx[c] = each * (targets * state[row * last_ + c] - t);
                } else {
                    dx[c] = each * (targets / sum - (is_clipped(x[c] / sum) ? 0 : t / x[c]));
                }
            }
        }
    }

    bool from_logits_;
};

class CategoricalCrossentropy final : public Categorical {
   public:
    explicit CategoricalCrossentropy(Attributes& attributes)
        : Categorical(attributes),
          smoothing_(static_cast<float>(attributes.number("label_smoothing", 0.0))) {}

   protected:
    float target_of(const float* target, int64_t row, int64_t c) const noexcept override {
        const float t = target[row * last_ + c];
        return t * (1.0f - smoothing_) + smoothing_ / static_cast<float>(last_);
    }

   private:
    float smoothing_;
};

/// Rows whose label is `ignore_class` do not count; with `rescale` the others count for them.
class SparseCategoricalCrossentropy final : public Categorical {
   public:
    explicit SparseCategoricalCrossentropy(Attributes& attributes)
        : Categorical(attributes),
          ignore_(attributes.integer("ignore_class", kNone)),
          rescale_(attributes.flag("rescale", true)) {}

   protected:
    bool sparse() const override { return true; }

    bool surveys() const override { return ignore_ != kNone && rescale_; }
    float survey(const float* targets, int64_t images) const noexcept override {
        const int64_t total = images * rows_;
        int64_t valid = 0;
        for (int64_t i = 0; i < total; ++i) valid += !ignored(targets, i);
        return valid == 0 ? 0.0f : static_cast<float>(total) / static_cast<float>(valid);
    }
    float factor(const float* state) const { return surveys() ? state[state_size()] : 1.0f; }
    bool ignored(const float* target, int64_t row) const {
        return ignore_ != kNone && reinterpret_cast<const int32_t*>(target)[row] == ignore_;
    }

    float target_of(const float* target, int64_t row, int64_t c) const noexcept override {
        if (ignored(target, row)) return 0.0f;
        return reinterpret_cast<const int32_t*>(target)[row] == c ? 1.0f : 0.0f;
    }

    // The common case in vectors: rows of logits with a class number each.
    float forward(const float* y_pred, const float* target, float* state) const noexcept override {
        if (!from_logits_ || rows_ != 1 || ignore_ != kNone) {
            return Categorical::forward(y_pred, target, state) * factor(state);
        }
        float loss = 0;
        kernels_->softmax_crossentropy(1, last_, y_pred, reinterpret_cast<const int32_t*>(target),
                                       state, &loss);
        return loss;
    }
    void backward(const float* y_pred, const float* target, const float* state, float scale,
                  float* d_pred) const noexcept override {
        if (!from_logits_ || ignore_ != kNone) {
            scale *= factor(state);
            return Categorical::backward(y_pred, target, state, scale, d_pred);
        }
        const float each = scale / static_cast<float>(rows_);
        for (int64_t i = 0; i < rows_ * last_; ++i) d_pred[i] = each * state[i];
        for (int64_t row = 0; row < rows_; ++row) {
            const int32_t label = reinterpret_cast<const int32_t*>(target)[row];
            if (label >= 0 && label < last_) d_pred[row * last_ + label] -= each;
        }
    }

   private:
    static constexpr int64_t kNone = std::numeric_limits<int64_t>::min();

    int64_t ignore_;
    bool rescale_;
};

/// mean over the last axis of -(t log p + (1 - t) log(1 - p)); from logits
/// max(x, 0) - x t + log(1 + exp(-|x|)).
class BinaryCrossentropy final : public Loss {
   public:
    explicit BinaryCrossentropy(Attributes& attributes)
        : Loss(attributes),
          from_logits_(attributes.flag("from_logits", false)),
          smoothing_(static_cast<float>(attributes.number("label_smoothing", 0.0))) {}

   protected:
    float smooth(float t) const noexcept { return t * (1.0f - smoothing_) + 0.5f * smoothing_; }

    float forward(const float* y_pred, const float* target,
                  float* /*state*/) const noexcept override {
        double loss = 0;
        for (int64_t i = 0; i < rows_ * last_; ++i) {
            const float t = smooth(target[i]), x = y_pred[i];
            if (from_logits_) {
                loss += std::max(x, 0.0f) - x * t + std::log1p(std::exp(-std::fabs(x)));
            } else {
                const float p = clipped(x);
                loss -= t * std::log(p) + (1.0f - t) * std::log(1.0f - p);
            }
        }
        return static_cast<float>(loss / static_cast<double>(rows_ * last_));
    }

    void backward(const float* y_pred, const float* target, const float* /*state*/, float scale,
                  float* d_pred) const noexcept override {
        const float each = scale / static_cast<float>(rows_ * last_);
        for (int64_t i = 0; i < rows_ * last_; ++i) {
            const float t = smooth(target[i]), x = y_pred[i];
            if (from_logits_) {
                d_pred[i] = each * (1.0f / (1.0f + std::exp(-x)) - t);
            } else {
                d_pred[i] = is_clipped(x) ? 0.0f : each * (x - t) / (x * (1.0f - x));
            }
        }
    }

   private:
    bool from_logits_;
    float smoothing_;
};

}  // namespace

std::unique_ptr<Op> make_categorical_crossentropy(Attributes& attributes) {
    return std::make_unique<CategoricalCrossentropy>(attributes);
}
std::unique_ptr<Op> make_sparse_categorical_crossentropy(Attributes& attributes) {
    return std::make_unique<SparseCategoricalCrossentropy>(attributes);
}
std::unique_ptr<Op> make_binary_crossentropy(Attributes& attributes) {
    return std::make_unique<BinaryCrossentropy>(attributes);
}

}  // namespace pronghorn
