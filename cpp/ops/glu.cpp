// SPDX-License-Identifier: Apache-2.0
// glu: the gated linear unit. x is two halves a and b along an axis: y = a * sigmoid(b).
#include "ops/op.h"

namespace pronghorn {

namespace {

class Glu final : public Op {
   public:
    explicit Glu(Attributes& attributes) : axis_(attributes.integer("axis", -1)) {}

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 1 && inputs[0].dtype == DType::kFloat32, "glu",
              "expected one float32 input");
        Shape y = inputs[0].shape;
        const int64_t rank = y.rank();
        check(axis_ > -rank && axis_ < rank && axis_ != 0, "glu",
              "expected an axis behind the batch of ", y, ", got ", axis_);
        const int axis = static_cast<int>(axis_ < 0 ? axis_ + rank : axis_);
        check(y[axis] % 2 == 0, "glu", "expected axis ", axis_, " of ", y, " to be even");
        y[axis] /= 2;
        half_ = y.elements(axis);
        image_ = y.elements(1);
        return {y};
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        Signature signature;
        signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
        if (context.training) signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
        signature.backward_reads[0] = true;
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        for (int64_t at = 0; at < args.images * image_; at += half_) {
            const float* a = args.in[0] + 2 * at;
            if (stage == 0) {
                kernels_->glu(half_, a, a + half_, args.out + at);
            } else {
                float* da = args.d_in[0] + 2 * at;
                kernels_->glu_backward(half_, a, a + half_, args.d_out + at, da, da + half_);
            }
        }
    }

   private:
    int64_t axis_;
    int64_t half_ = 1, image_ = 1;  // floats of y from the axis on, and of its images
    const Kernels* kernels_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_glu(Attributes& attributes) { return std::make_unique<Glu>(attributes); }

}  // namespace pronghorn
