// SPDX-License-Identifier: Apache-2.0
// sparse_categorical_crossentropy, categorical_crossentropy and its focal form (a kind of
// row_loss), from logits or from probabilities, in Keras's formulas: kernels/crossentropy.cpp.
#include <algorithm>
#include <limits>
#include <utility>

#include "ops/loss.h"

namespace pronghorn {

namespace {

constexpr int64_t kNone = std::numeric_limits<int64_t>::min();

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
    int64_t state_size() const override {
        if (!from_logits_) return 0;
        const int64_t lanes = rows_ == 1 ? 1 : kernels_->lanes;
        return (rows_ + lanes - 1) / lanes * lanes * last_;
    }

    /// What every row's loss is multiplied by.
    virtual float factor(const float* /*state*/) const noexcept { return 1.0f; }
    /// The kernel's job but for its targets.
    virtual Crossentropy job(const Image& image) const noexcept {
        Crossentropy job{};
        job.rows = rows_;
        job.classes = last_;
        job.from_logits = from_logits_;
        job.x = image.y_pred;
        job.weights = image.weights;
        return job;
    }

    double forward(const Image& image, float* state) const noexcept override {
        double sum = 0;
        kernels_->crossentropy(job(image), state, &sum);
        return sum * static_cast<double>(factor(state));
    }
    void backward(const Image& image, const float* state, float scale,
                  float* d_pred) const noexcept override {
        kernels_->crossentropy_backward(job(image), state, scale * factor(state), d_pred);
    }

   private:
    bool from_logits_;
};

class CategoricalCrossentropy : public Categorical {
   public:
    explicit CategoricalCrossentropy(Attributes& attributes)
        : Categorical(attributes), smoothing_(attributes.number("label_smoothing", 0.0)) {}

   protected:
    Crossentropy job(const Image& image) const noexcept override {
        Crossentropy job = Categorical::job(image);
        job.target = image.target;
        job.target_scale = static_cast<float>(1 - smoothing_);
        job.target_shift = static_cast<float>(smoothing_ / static_cast<double>(last_));
        return job;
    }

   private:
    double smoothing_;
};

/// alpha: one for all classes, or one each.
class CategoricalFocal final : public CategoricalCrossentropy {
   public:
    explicit CategoricalFocal(Attributes& attributes)
        : CategoricalCrossentropy(attributes),
          alphas_(attributes.is_list("alpha") ? attributes.numbers("alpha", {})
                                              : std::vector{attributes.number("alpha", 0.25)}),
          gamma_(static_cast<float>(attributes.number("gamma", 2.0))) {}

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const Tensor output = CategoricalCrossentropy::infer(inputs);
        const auto classes = static_cast<size_t>(last_);
        check(alphas_.size() == 1 || alphas_.size() == classes, name(), "expected one alpha or ",
              last_, ", one for each class, got ", alphas_.size());
        alpha_.assign(alphas_.begin(), alphas_.end());
        alpha_.resize(classes, alpha_[0]);
        return output;
    }

   protected:
    Crossentropy job(const Image& image) const noexcept override {
        Crossentropy job = CategoricalCrossentropy::job(image);
        job.alpha = alpha_.data();
        job.gamma = gamma_;
        return job;
    }

   private:
    std::vector<double> alphas_;
    std::vector<float> alpha_;  // of each class
    float gamma_;
};

/// Rows whose label is `ignore_class` do not count; with `rescale` the others count for them.
class SparseCategoricalCrossentropy final : public Categorical {
   public:
    explicit SparseCategoricalCrossentropy(Attributes& attributes)
        : Categorical(attributes),
          ignored_(attributes.integer("ignore_class", kNone)),
          rescale_(attributes.flag("rescale", true)) {}

   protected:
    bool sparse() const override { return true; }

    bool surveys() const override { return ignored_ != kNone && rescale_; }
    float survey(const float* targets, int64_t images) const noexcept override {
        const int64_t total = images * rows_;
        const auto* labels = reinterpret_cast<const int32_t*>(targets);
        const int64_t valid = total - std::count(labels, labels + total, ignored_);
        return valid == 0 ? 0.0f : static_cast<float>(total) / static_cast<float>(valid);
    }
    float factor(const float* state) const noexcept override {
        return surveys() ? state[state_size()] : 1.0f;
    }

    Crossentropy job(const Image& image) const noexcept override {
        Crossentropy job = Categorical::job(image);
        job.label = image.labels();
        job.ignored = std::in_range<int32_t>(ignored_) ? static_cast<int32_t>(ignored_) : -1;
        return job;
    }

   private:
    int64_t ignored_;
    bool rescale_;
};

}  // namespace

std::unique_ptr<Op> make_categorical_focal(Attributes& attributes) {
    return std::make_unique<CategoricalFocal>(attributes);
}
std::unique_ptr<Op> make_categorical_crossentropy(Attributes& attributes) {
    return std::make_unique<CategoricalCrossentropy>(attributes);
}
std::unique_ptr<Op> make_sparse_categorical_crossentropy(Attributes& attributes) {
    return std::make_unique<SparseCategoricalCrossentropy>(attributes);
}

}  // namespace pronghorn
