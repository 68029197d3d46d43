// SPDX-License-Identifier: Apache-2.0
// Loss: what all losses share. y_pred (batch, ..., last) and a target give one number per image,
// the mean of its terms; a term is a row of y_pred (along the last axis). With weights of the rows
// as a third input every row is a piece of its own, times its weight. A loss may survey the targets
// of the whole batch first and see the answer beside every piece's state.
#pragma once

#include "ops/op.h"

namespace pronghorn {

class Loss : public Op {
   public:
    explicit Loss(Attributes& attributes) : name_(attributes.op()) {}

    Tensor infer(const std::vector<Tensor>& inputs) override;
    Signature plan(const PlanContext& context) override;
    void run(int stage, const Args& args, int64_t task) const noexcept override;
    int64_t terms() const override { return pieces_ * rows_; }

   protected:
    /// The loss of one piece; `state` is what backward() may read again.
    virtual float forward(const float* y_pred, const float* target,
                          float* state) const noexcept = 0;
    /// d_pred = scale * the derivative of the loss by y_pred.
    virtual void backward(const float* y_pred, const float* target, const float* state, float scale,
                          float* d_pred) const noexcept = 0;
    /// Labels are int32 class numbers, one per row, instead of a target like y_pred.
    virtual bool sparse() const { return false; }
    /// Floats of state per piece.
    virtual int64_t state_size() const { return 0; }
    /// Whether survey() is asked; forward() and backward() find its answer in state[state_size()].
    virtual bool surveys() const { return false; }
    /// A number that depends on the targets of all pieces.
    virtual float survey(const float* /*targets*/, int64_t /*pieces*/) const noexcept { return 0; }
    /// Elements of a piece's target.
    int64_t target_size() const { return sparse() ? rows_ : rows_ * last_; }

    const char* name() const { return name_.c_str(); }

    int64_t rows_ = 1, last_ = 1;  // of one piece
    const Kernels* kernels_ = nullptr;

   private:
    int64_t stride() const { return state_size() + (surveys() ? 1 : 0); }

    float weight(const Args& args, int64_t piece) const {
        return weighted_ ? args.in[2][piece] / static_cast<float>(pieces_) : 1.0f;
    }

    std::string name_;
    bool weighted_ = false;
    int64_t pieces_ = 1;  // of one image: itself, or its rows
};

}  // namespace pronghorn
