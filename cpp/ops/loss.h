// SPDX-License-Identifier: Apache-2.0
// Loss: what all losses share. y_pred (batch, ..., last) and a target give one number per image,
// the mean over its rows (along the last axis), each times its weight where there are weights of
// the rows as a third input. A loss may survey the targets of the whole batch first and see the
// answer beside every image's state.
#pragma once

#include "ops/op.h"

namespace pronghorn {

constexpr double kEpsilon = 1e-7;  // Keras's, below denominators

class Loss : public Op {
   public:
    explicit Loss(Attributes& attributes) : name_(attributes.op()) {}

    Tensor infer(const std::vector<Tensor>& inputs) override;
    Signature plan(const PlanContext& context) override;
    void run(int stage, const Args& args, int64_t task) const noexcept override;
    int64_t terms() const override { return rows_; }

   protected:
    struct Image {
        const float *y_pred, *target;
        const float* weights;  // of the rows, or null

        const int32_t* labels() const { return reinterpret_cast<const int32_t*>(target); }
        float weight(int64_t row) const { return weights == nullptr ? 1.0f : weights[row]; }
    };

    /// The sum of the rows' losses times their weights; `state` is what backward() may read again.
    virtual double forward(const Image& image, float* state) const noexcept = 0;
    /// d_pred = scale * weight of the row * the derivative of the row's loss by y_pred.
    virtual void backward(const Image& image, const float* state, float scale,
                          float* d_pred) const noexcept = 0;
    /// Labels are int32 class numbers, one per row, instead of a target like y_pred.
    virtual bool sparse() const { return false; }
    /// Floats of state per image.
    virtual int64_t state_size() const { return 0; }
    /// Whether survey() is asked; forward() and backward() find its answer in state[state_size()].
    virtual bool surveys() const { return false; }
    /// A number that depends on the targets of all images.
    virtual float survey(const float* /*targets*/, int64_t /*images*/) const noexcept { return 0; }
    /// Elements of an image's target.
    int64_t target_size() const { return sparse() ? rows_ : rows_ * last_; }

    const char* name() const { return name_.c_str(); }

    int64_t rows_ = 1, last_ = 1;  // of an image
    const Kernels* kernels_ = nullptr;

   private:
    int64_t stride() const { return state_size() + (surveys() ? 1 : 0); }

    std::string name_;
    bool weighted_ = false;
};

/// The kind of row_loss that is a form of cross-entropy: crossentropy.cpp.
std::unique_ptr<Op> make_categorical_focal(Attributes& attributes);

}  // namespace pronghorn
