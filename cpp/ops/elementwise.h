// SPDX-License-Identifier: Apache-2.0
// What ops of one element on one tensor share: shapes, layout, and going over a slice.
#pragma once

#include "ops/pieces.h"

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
    std::optional<Extent> crop(Extent output) override {
        return counts_ ? std::nullopt : std::optional(output);
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        Signature signature;
        signature.in_layout = signature.out_layout = context.layouts[0];
        lanes_ = context.layouts[0] == Layout::kLanes ? kernels_->lanes : 1;
        cut_ = !context.output.parameter && !counts_ && cuts_traffic(context.batch(), size_);
        const Stage stage{Phase::kForward, !cut_, cut_ ? kPieces : 1, 0, 0};
        signature.stages.push_back(stage);
        if (!context.training) return signature;
        signature.stages.push_back(stage);
        signature.stages.back().phase = Phase::kBackward;
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        const int64_t images = (args.images + lanes_ - 1) / lanes_ * lanes_;
        if (!cut_) return pass(stage, images * size_, args);
        const Range part = share_of(images * size_, task, kPieces);
        const auto moved = [&part](auto* x) { return x == nullptr ? x : x + part.begin; };
        Args own = args;
        own.in[0] = moved(args.in[0]);
        own.d_in[0] = moved(args.d_in[0]);
        own.out = moved(args.out);
        own.d_out = moved(args.d_out);
        pass(stage, part.count, own);
    }

   protected:
    explicit Elementwise(bool counts = false) : counts_(counts) {}

    void pass(int stage, int64_t size, const Args& args) const noexcept {
        stage == 0 ? forward(size, args) : backward(size, args);
    }

    virtual void forward(int64_t size, const Args& args) const noexcept = 0;
    virtual void backward(int64_t size, const Args& args) const noexcept = 0;

    int64_t size_ = 0, lanes_ = 1;  // of an image; images side by side
    const Kernels* kernels_ = nullptr;

   private:
    bool counts_;       // what it does depends on an element's number
    bool cut_ = false;  // into pieces
};

}  // namespace pronghorn
