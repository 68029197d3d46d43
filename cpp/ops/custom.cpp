// SPDX-License-Identifier: Apache-2.0
// custom: a function of the caller, with its gradient. It sees the whole batch at once, in one
// task, as it may be anything; at least one input is an activation.
#include <memory>
#include <utility>

#include "ops/host_function.h"
#include "ops/op.h"

namespace pronghorn {

namespace {

class Custom final : public Op {
   public:
    Custom(std::shared_ptr<HostFunction> function, const Shape& image)
        : function_(std::move(function)), image_(image) {}

    Takes takes(int /*input*/) const override { return Takes::kEither; }
    HostFunction* host_function() const override { return function_.get(); }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        inputs_ = inputs;
        const Tensor* activation = nullptr;
        for (const Tensor& input : inputs) {
            check(input.dtype == DType::kFloat32, "custom", "expected float32 inputs");
            if (!input.parameter) activation = &input;
        }
        check(activation != nullptr, "custom", "expected an input with a batch, got weights only");
        Tensor y;
        y.shape.push_back(activation->shape[0]);
        for (int64_t extent : image_) y.shape.push_back(extent);
        y.shape.elements();
        y_ = y;
        return y;
    }

    Signature plan(const PlanContext& context) override {
        Signature signature;
        Stage stage{Phase::kForward, false, 1, 0, 0};
        signature.stages.push_back(stage);
        if (!context.training) return signature;
        stage.phase = Phase::kBackward;
        signature.stages.push_back(stage);
        for (size_t i = 0; i < inputs_.size(); ++i) {
            signature.backward_reads[i] = true;
            if (inputs_[i].parameter) signature.gradient[i] = GradientBy::kParts;
        }
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        std::vector<HostFunction::Array<const float>> x;
        for (size_t i = 0; i < inputs_.size(); ++i) x.push_back({args.in[i], inputs_[i].shape});
        if (stage == 0) return function_->forward(x, {args.out, y_.shape});
        std::vector<HostFunction::Array<float>> dx;
        for (size_t i = 0; i < inputs_.size(); ++i) dx.push_back({args.d_in[i], inputs_[i].shape});
        function_->backward(x, {args.d_out, y_.shape}, dx);
    }

   private:
    std::shared_ptr<HostFunction> function_;
    Shape image_;
    std::vector<Tensor> inputs_;
    Tensor y_;
};

}  // namespace

std::unique_ptr<Op> make_custom(Attributes& attributes) {
    auto function = attributes.host_function("function");
    check(function != nullptr, "custom", "expected a function");
    return std::make_unique<Custom>(std::move(function),
                                    Shape(attributes.integers("shape", {}, 0, 1)));
}

}  // namespace pronghorn
