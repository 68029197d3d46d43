// SPDX-License-Identifier: Apache-2.0
// mean_squared_error and mean_absolute_error: the mean of (y_pred - y_true)^2, or of its magnitude.
#include "ops/loss.h"

namespace pronghorn {

namespace {

class MeanError final : public Loss {
   public:
    MeanError(Attributes& attributes, PointwiseLoss kind) : Loss(attributes), kind_(kind) {}

   protected:
    float forward(const float* y_pred, const float* target,
                  float* /*state*/) const noexcept override {
        double sum = 0;
        kernels_->pointwise_loss(kind_, rows_ * last_, y_pred, target, &sum);
        return static_cast<float>(sum / static_cast<double>(rows_ * last_));
    }

    void backward(const float* y_pred, const float* target, const float* /*state*/, float scale,
                  float* d_pred) const noexcept override {
        const float each = scale / static_cast<float>(rows_ * last_);
        kernels_->pointwise_loss_backward(kind_, rows_ * last_, y_pred, target, each, d_pred);
    }

   private:
    PointwiseLoss kind_;
};

}  // namespace

std::unique_ptr<Op> make_mean_squared_error(Attributes& attributes) {
    return std::make_unique<MeanError>(attributes, PointwiseLoss::kSquaredError);
}
std::unique_ptr<Op> make_mean_absolute_error(Attributes& attributes) {
    return std::make_unique<MeanError>(attributes, PointwiseLoss::kAbsoluteError);
}

}  // namespace pronghorn
