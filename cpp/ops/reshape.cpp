// SPDX-License-Identifier: Apache-2.0
// flatten, reshape: the same numbers under another shape; nothing is copied. stop_gradient: the
// same numbers, through which no gradient goes.
#include "ops/op.h"

namespace pronghorn {

namespace {

class Reshape final : public Op {
   public:
    explicit Reshape(Attributes& attributes, bool flatten) : flatten_(flatten) {
        if (!flatten_) shape_ = attributes.integers("shape", {}, 0, 0);
    }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const Tensor& x = inputs[0];
        check(x.dtype == DType::kFloat32, "reshape", "expected a float32 tensor");
        if (flatten_) return {Shape{x.shape[0], x.shape.elements(1)}};
        Shape y;
        if (!x.parameter) y.push_back(x.shape[0]);
        for (int64_t extent : shape_) y.push_back(extent);
        check(y.elements() == x.shape.elements(), "reshape", "expected ",
              x.image_shape().elements(), " elements", x.parameter ? "" : " per image", " as in ",
              x.shape, ", got ", y);
        return {y, x.dtype, x.parameter};
    }
    Takes takes(int /*input*/) const override {
        return flatten_ ? Takes::kActivation : Takes::kEither;
    }

    Signature plan(const PlanContext& context) override {
        Signature signature;
        signature.view = true;
        signature.in_layout = signature.out_layout = context.layouts[0];
        return signature;
    }

    void run(int /*stage*/, const Args& /*args*/, int64_t /*task*/) const noexcept override {}

   private:
    bool flatten_;
    std::vector<int64_t> shape_;
};

class StopGradient final : public Op {
   public:
    explicit StopGradient(Attributes& /*attributes*/) {}

    Takes takes(int /*input*/) const override { return Takes::kEither; }
    bool differentiable() const override { return false; }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 1 && inputs[0].dtype == DType::kFloat32, "stop_gradient",
              "expected one float32 tensor");
        return inputs[0];
    }

    Signature plan(const PlanContext& context) override {
        Signature signature;
        signature.view = true;
        signature.in_layout = signature.out_layout = context.layouts[0];
        return signature;
    }

    void run(int /*stage*/, const Args& /*args*/, int64_t /*task*/) const noexcept override {}
};

}  // namespace

std::unique_ptr<Op> make_flatten(Attributes& attributes) {
    return std::make_unique<Reshape>(attributes, true);
}
std::unique_ptr<Op> make_reshape(Attributes& attributes) {
    return std::make_unique<Reshape>(attributes, false);
}
std::unique_ptr<Op> make_stop_gradient(Attributes& attributes) {
    return std::make_unique<StopGradient>(attributes);
}

}  // namespace pronghorn
