// SPDX-License-Identifier: Apache-2.0
// row_loss: losses of whole rows of y_pred (along the last axis), with a target row, or with a
// class number per row (multiclass_hinge, categorical_generalized_cross_entropy).
#include <algorithm>
#include <cmath>

#include "ops/loss.h"

namespace pronghorn {

namespace {

/// Base: one row at a time.
class RowLoss : public Loss {
   public:
    using Loss::Loss;

   protected:
    virtual double row_value(const float* y_pred, const float* target) const noexcept = 0;
    /// d_pred = scale * the derivative of row_value.
    virtual void row_slope(const float* y_pred, const float* target, float scale,
                           float* d_pred) const noexcept = 0;

    double forward(const Image& image, float* /*state*/) const noexcept override {
        double total = 0;
        for (int64_t row = 0; row < rows_; ++row) {
            total += image.weight(row) * row_value(image.y_pred + row * last_, target(image, row));
        }
        return total;
    }
    void backward(const Image& image, const float* /*state*/, float scale,
                  float* d_pred) const noexcept override {
        for (int64_t row = 0; row < rows_; ++row) {
            row_slope(image.y_pred + row * last_, target(image, row), scale * image.weight(row),
                      d_pred + row * last_);
        }
    }

   private:
    const float* target(const Image& image, int64_t row) const {
        return image.target + row * (target_size() / rows_);
    }
};

/// max(neg - pos + 1, 0): pos = sum t p, neg = max (1 - t) p.
class CategoricalHinge final : public RowLoss {
   public:
    using RowLoss::RowLoss;

   protected:
    struct Sides {
        double pos = 0;
        float neg = 0;
        int64_t worst = 0;
    };
    Sides sides(const float* p, const float* t) const {
        Sides at;
        at.neg = (1.0f - t[0]) * p[0];
        for (int64_t c = 0; c < last_; ++c) {
            at.pos += static_cast<double>(t[c]) * p[c];
            const float other = (1.0f - t[c]) * p[c];
            if (other > at.neg) at.neg = other, at.worst = c;
        }
        return at;
    }
    double row_value(const float* p, const float* t) const noexcept override {
        const Sides at = sides(p, t);
        const double missing = at.neg - at.pos + 1;
        return missing < 0 ? 0 : missing;
    }
    void row_slope(const float* p, const float* t, float scale,
                   float* d_pred) const noexcept override {
        const Sides at = sides(p, t);
        const float each = at.neg - at.pos + 1 <= 0 ? 0.0f : scale;
        for (int64_t c = 0; c < last_; ++c) d_pred[c] = -each * t[c];
        d_pred[at.worst] += each * (1.0f - t[at.worst]);
    }
};

/// -(t / |t|) . (p / |p|), norms at least epsilon.
class CosineSimilarity final : public RowLoss {
   public:
    using RowLoss::RowLoss;

   protected:
    struct Norms {
        double p = 0, t = 0, dot = 0;
        bool floored = false;
    };
    Norms norms(const float* p, const float* t) const {
        Norms at;
        for (int64_t c = 0; c < last_; ++c) {
            at.p += static_cast<double>(p[c]) * p[c];
            at.t += static_cast<double>(t[c]) * t[c];
            at.dot += static_cast<double>(p[c]) * t[c];
        }
        at.floored = std::sqrt(at.p) < kEpsilon;
        at.p = std::max(std::sqrt(at.p), kEpsilon);
        at.t = std::max(std::sqrt(at.t), kEpsilon);
        return at;
    }
    double row_value(const float* p, const float* t) const noexcept override {
        const Norms at = norms(p, t);
        return -at.dot / (at.p * at.t);
    }
    void row_slope(const float* p, const float* t, float scale,
                   float* d_pred) const noexcept override {
        const Norms at = norms(p, t);
        const double along = at.floored ? 0 : at.dot / (at.p * at.p);
        for (int64_t c = 0; c < last_; ++c) {
            d_pred[c] = static_cast<float>(-scale * (t[c] - along * p[c]) / (at.p * at.t));
        }
    }
};

/// Base: the target is a class number.
class LabelLoss : public RowLoss {
   public:
    using RowLoss::RowLoss;

   protected:
    bool sparse() const override { return true; }
    /// The label, or -1 where it is no class.
    int64_t label_of(const float* target) const {
        const int32_t label = *reinterpret_cast<const int32_t*>(target);
        return label < last_ ? label : -1;
    }
};

/// sum over the wrong classes of max(0, s_j - s_y + margin) (Weston and Watkins 1999).
class MulticlassHinge final : public LabelLoss {
   public:
    explicit MulticlassHinge(Attributes& attributes)
        : LabelLoss(attributes), margin_(static_cast<float>(attributes.number("margin", 1.0))) {}

   protected:
    double row_value(const float* s, const float* target) const noexcept override {
        const int64_t y = label_of(target);
        double total = 0;
        for (int64_t j = 0; y >= 0 && j < last_; ++j) {
            const float over = s[j] - s[y] + margin_;
            if (j != y && !(over <= 0)) total += over;
        }
        return total;
    }
    void row_slope(const float* s, const float* target, float scale,
                   float* d_s) const noexcept override {
        const int64_t y = label_of(target);
        int64_t over = 0;
        for (int64_t j = 0; j < last_; ++j) {
            const bool counts = y >= 0 && j != y && s[j] - s[y] + margin_ > 0;
            d_s[j] = counts ? scale : 0.0f;
            over += counts;
        }
        if (y >= 0) d_s[y] = -scale * static_cast<float>(over);
    }

   private:
    float margin_;
};

/// (1 - p_y^q) / q (Zhang and Sabuncu 2018, equation 6).
class GeneralizedCrossEntropy final : public LabelLoss {
   public:
    explicit GeneralizedCrossEntropy(Attributes& attributes)
        : LabelLoss(attributes), q_(static_cast<float>(attributes.number("q", 0.5))) {
        check(q_ > 0 && q_ < 1, "row_loss", "expected q between 0 and 1, got ", q_);
    }

   protected:
    double row_value(const float* p, const float* target) const noexcept override {
        const int64_t y = label_of(target);
        return (1.0 - std::pow(y < 0 ? 0.0 : static_cast<double>(p[y]), q_)) / q_;
    }
    void row_slope(const float* p, const float* target, float scale,
                   float* d_p) const noexcept override {
        const int64_t y = label_of(target);
        std::fill(d_p, d_p + last_, 0.0f);
        if (y >= 0) d_p[y] = -scale * std::pow(p[y], q_ - 1.0f);
    }

   private:
    float q_;
};

}  // namespace

std::unique_ptr<Op> make_row_loss(Attributes& attributes) {
    const std::string kind = attributes.word("kind", "");
    if (kind == "categorical_hinge") return std::make_unique<CategoricalHinge>(attributes);
    if (kind == "cosine_similarity") return std::make_unique<CosineSimilarity>(attributes);
    if (kind == "categorical_focal_crossentropy") return make_categorical_focal(attributes);
    if (kind == "multiclass_hinge") return std::make_unique<MulticlassHinge>(attributes);
    check(kind == "categorical_generalized_cross_entropy", "row_loss",
          "expected kind categorical_hinge, cosine_similarity, categorical_focal_crossentropy, "
          "multiclass_hinge or categorical_generalized_cross_entropy, got '",
          kind, "'");
    return std::make_unique<GeneralizedCrossEntropy>(attributes);
}

}  // namespace pronghorn
