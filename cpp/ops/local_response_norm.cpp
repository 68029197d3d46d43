// SPDX-License-Identifier: Apache-2.0
// local_response_norm [x (batch, ..., channels)]: y = x / (bias + alpha * sum of the squares of the
// channels up to depth_radius away)^beta (Krizhevsky, Sutskever and Hinton, 2012, section 3.3).
#include "ops/op.h"

namespace pronghorn {

namespace {

class LocalResponseNorm final : public Op {
   public:
    explicit LocalResponseNorm(Attributes& attributes) {
        norm_.radius = attributes.integer("depth_radius", 5);
        norm_.bias = static_cast<float>(attributes.number("bias", 1.0));
        norm_.alpha = static_cast<float>(attributes.number("alpha", 1.0));
        norm_.beta = static_cast<float>(attributes.number("beta", 0.5));
        check(norm_.radius >= 0, "local_response_norm",
              "expected a depth_radius of at least 0, "
              "got ",
              norm_.radius);
    }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const Shape& x = inputs[0].shape;
        check(inputs.size() == 1 && inputs[0].dtype == DType::kFloat32 && x.rank() >= 2,
              "local_response_norm", "expected one float32 input (batch, ..., channels), got ", x);
        norm_.channels = x[-1];
        positions_ = x.elements(1) / x[-1];
        norm_.radius = std::min(norm_.radius, norm_.channels);  // all of them, then
        return inputs[0];
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        const auto values = static_cast<double>(context.batch() * positions_ * norm_.channels);
        const double flops = values * static_cast<double>(2 * norm_.radius + 8);
        const int64_t scratch = 2 * (norm_.channels + 2 * norm_.radius);
        Signature signature;
        signature.stages.push_back({Phase::kForward, true, 1, scratch, flops});
        if (!context.training) return signature;
        signature.stages.push_back({Phase::kBackward, true, 1, scratch, 2 * flops});
        signature.backward_reads[0] = true;
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        LocalResponse norm = norm_;
        norm.rows = args.images * positions_;
        norm.x = args.in[0];
        if (stage == 0) {
            kernels_->local_response_norm(norm, args.out, args.scratch);
        } else {
            kernels_->local_response_norm_backward(norm, args.d_out, args.d_in[0], args.scratch);
        }
    }

   private:
    LocalResponse norm_{};
    int64_t positions_ = 0;
    const Kernels* kernels_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_local_response_norm(Attributes& attributes) {
    return std::make_unique<LocalResponseNorm>(attributes);
}

}  // namespace pronghorn
