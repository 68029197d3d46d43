// SPDX-License-Identifier: Apache-2.0
// prelu: x where x > 0, else alpha * x. x (batch, ...), alpha (...) with extent 1 along the axes
// that share a slope. He et al., "Delving deep into rectifiers" (2015).
#include <cstring>

#include "ops/op.h"
#include "ops/shared_axes.h"

namespace pronghorn {

namespace {

class Prelu final : public Op {
   public:
    explicit Prelu(Attributes& /*attributes*/) {}

    Takes takes(int input) const override {
        return input == 0 ? Takes::kActivation : Takes::kParameter;
    }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 2 && inputs[0].dtype == DType::kFloat32, "prelu",
              "expected a float32 input and alpha, got ", inputs.size(), " inputs");
        const Shape image = inputs[0].image_shape();
        const Shape& alpha = inputs[1].shape;
        bool fits = alpha.rank() == image.rank();
        std::vector<bool> shared;
        for (int i = 0; fits && i < image.rank(); ++i) {
            fits = alpha[i] == image[i] || alpha[i] == 1;
            shared.push_back(alpha[i] == 1);
        }
        check(fits, "prelu", "expected alpha of shape ", image, " or 1 along some axes, got ",
              alpha);
        axes_ = SharedAxes(image, shared);
        size_ = image.elements();
        return inputs[0];
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        Signature signature;
        signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
        if (context.training) signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
        signature.backward_reads[0] = true;
        signature.gradient[1] = GradientBy::kParts;
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        stage == 0 ? forward(args) : backward(args);
    }

   private:
    void forward(const Args& args) const noexcept {
        for (int64_t image = 0; image < args.images; ++image) {
            const float* x = args.in[0] + image * size_;
            float* y = args.out + image * size_;
            axes_.for_each([&](const Grid& grid, int64_t element, int64_t value) {
                kernels_->prelu(grid, x + element, args.in[1] + value, y + element);
            });
        }
    }

    void backward(const Args& args) const noexcept {
        float *dx = args.d_in[0], *da = args.d_in[1];
        if (da != nullptr && !args.accumulate) {
            std::memset(da, 0, static_cast<size_t>(axes_.values()) * sizeof(float));
        }
        for (int64_t image = 0; image < args.images; ++image) {
            const float* x = args.in[0] + image * size_;
            const float* dy = args.d_out + image * size_;
            axes_.for_each([&](const Grid& grid, int64_t element, int64_t value) {
                kernels_->prelu_backward(grid, x + element, args.in[1] + value, dy + element,
                                         dx == nullptr ? nullptr : dx + image * size_ + element,
                                         da == nullptr ? nullptr : da + value);
            });
        }
    }

    SharedAxes axes_;
    int64_t size_ = 0;
    const Kernels* kernels_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_prelu(Attributes& attributes) {
    return std::make_unique<Prelu>(attributes);
}

}  // namespace pronghorn
