// SPDX-License-Identifier: Apache-2.0
// What ops of one element on one tensor share: shapes, layout, and going over a slice.
#pragma once

#include "ops/op.h"

namespace pronghorn {

class Elementwise : public Op {
   public:
    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 1 && inputs[0].dtype == DType::kFloat32, "elementwise",
              "expected one float32 input");
        size_ = inputs[0].image_shape().elements();
        return inputs[0];
    }
    Takes takes(int /*input*/) const override { return Takes::kEither; }
    bool takes_planes() const override { return true; }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        Signature signature;
        signature.in_layout = signature.out_layout = context.layouts[0];
        lanes_ = context.layouts[0] == Layout::kLanes ? kernels_->lanes : 1;
        signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
        if (context.training) signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        const int64_t images = (args.images + lanes_ - 1) / lanes_ * lanes_;
        stage == 0 ? forward(images * size_, args) : backward(images * size_, args);
    }

   protected:
    virtual void forward(int64_t size, const Args& args) const noexcept = 0;
    virtual void backward(int64_t size, const Args& args) const noexcept = 0;

    int64_t size_ = 0, lanes_ = 1;  // of an image; images side by side
    const Kernels* kernels_ = nullptr;
};

}  // namespace pronghorn
