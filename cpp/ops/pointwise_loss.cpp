// SPDX-License-Identifier: Apache-2.0
// pointwise_loss: losses that are a mean (kl_divergence: a sum) over the last axis of a function of
// one prediction and its target, kernels/pointwise_loss_list.inc; mean_squared_error,
// mean_absolute_error and binary_crossentropy are ops of their own names.
#include <algorithm>
#include <string>

#include "ops/loss.h"

namespace pronghorn {

namespace {

struct NamedLoss {
    const char* name;
    Pointwise kind;
};
constexpr NamedLoss kPointwiseLosses[] = {
#define PRONGHORN_POINTWISE_LOSS(name, Type) {#name, Pointwise::k##Type},
#include "kernels/pointwise_loss_list.inc"
#undef PRONGHORN_POINTWISE_LOSS
};

Pointwise named_loss(const std::string& name) {
    std::string names;
    for (const NamedLoss& loss : kPointwiseLosses) {
        if (name == loss.name) return loss.kind;
        names += (names.empty() ? "" : ", ") + std::string(loss.name);
    }
    throw ValueError(text("[pointwise_loss] expected a kind of ", names, ", got '", name, "'"));
}

class PointwiseLossOp : public Loss {
   public:
    PointwiseLossOp(Attributes& attributes, const std::string& kind)
        : Loss(attributes), loss_{named_loss(kind)}, sum_(kind == "kl_divergence") {}

   protected:
    virtual PointwiseLoss loss(const float* /*state*/) const noexcept { return loss_; }

    float row_size() const { return sum_ ? 1.0f : static_cast<float>(last_); }
    LossRows rows_of(const Image& image) const {
        return {rows_, last_, image.y_pred, image.target, image.weights};
    }

    double forward(const Image& image, float* state) const noexcept override {
        double sum = 0;
        kernels_->pointwise_loss(loss(state), rows_of(image), &sum);
        return sum / static_cast<double>(row_size());
    }
    void backward(const Image& image, const float* state, float scale,
                  float* d_pred) const noexcept override {
        kernels_->pointwise_loss_backward(loss(state), rows_of(image), scale / row_size(), d_pred);
    }

    PointwiseLoss loss_;

   private:
    bool sum_;
};

/// As in Keras targets of 0 and 1 mean -1 and 1 where a batch has no others.
class Hinge final : public PointwiseLossOp {
   public:
    using PointwiseLossOp::PointwiseLossOp;

   protected:
    bool surveys() const override { return true; }
    float survey(const float* targets, int64_t images) const noexcept override {
        const int64_t size = images * target_size();
        return std::all_of(targets, targets + size, [](float t) { return t * (t - 1) == 0; });
    }
    PointwiseLoss loss(const float* state) const noexcept override {
        PointwiseLoss loss = loss_;
        if (*state != 0) loss.target_scale = 2.0f, loss.target_shift = -1.0f;
        return loss;
    }
};

/// A loss with a number of its own.
class Numbered final : public PointwiseLossOp {
   public:
    Numbered(Attributes& attributes, const std::string& kind, const char* number)
        : PointwiseLossOp(attributes, kind) {
        loss_.alpha = static_cast<float>(attributes.number(number, 1.0));
    }
};

/// A target of 0 or 1, which may be smoothed, for a probability or its logit.
class BinaryTarget final : public PointwiseLossOp {
   public:
    BinaryTarget(Attributes& attributes, const std::string& kind)
        : PointwiseLossOp(attributes,
                          kind + (attributes.flag("from_logits", false) ? "_logits" : "")) {
        const double smoothing = attributes.number("label_smoothing", 0.0);
        loss_.target_scale = static_cast<float>(1 - smoothing);
        loss_.target_shift = static_cast<float>(0.5 * smoothing);
        if (kind == "binary_crossentropy") return;
        const double alpha = attributes.number("alpha", 0.25);
        const bool balanced = attributes.flag("apply_class_balancing", false);
        loss_.alpha = balanced ? static_cast<float>(2 * alpha - 1) : 0.0f;
        loss_.beta = balanced ? static_cast<float>(1 - alpha) : 1.0f;
        loss_.gamma = static_cast<float>(attributes.number("gamma", 2.0));
    }
};

}  // namespace

std::unique_ptr<Op> make_mean_squared_error(Attributes& attributes) {
    return std::make_unique<PointwiseLossOp>(attributes, "mean_squared_error");
}
std::unique_ptr<Op> make_mean_absolute_error(Attributes& attributes) {
    return std::make_unique<PointwiseLossOp>(attributes, "mean_absolute_error");
}
std::unique_ptr<Op> make_binary_crossentropy(Attributes& attributes) {
    return std::make_unique<BinaryTarget>(attributes, "binary_crossentropy");
}
std::unique_ptr<Op> make_pointwise_loss(Attributes& attributes) {
    const std::string kind = attributes.word("kind", "");
    if (kind == "huber") return std::make_unique<Numbered>(attributes, kind, "delta");
    if (kind == "contrastive") return std::make_unique<Numbered>(attributes, kind, "margin");
    if (kind.ends_with("hinge")) return std::make_unique<Hinge>(attributes, kind);
    if (kind.starts_with("binary_")) return std::make_unique<BinaryTarget>(attributes, kind);
    return std::make_unique<PointwiseLossOp>(attributes, kind);
}

}  // namespace pronghorn
