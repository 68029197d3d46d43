// SPDX-License-Identifier: Apache-2.0
// mean_squared_error and mean_absolute_error: the mean of (y_pred - y_true)^2, or of its magnitude.
#include <cmath>

#include "ops/loss.h"

namespace pronghorn {

namespace {

class MeanError final : public Loss {
   public:
    MeanError(Attributes& attributes, bool squared) : Loss(attributes), squared_(squared) {}

   protected:
    float forward(const float* y_pred, const float* target,
                  float* /*state*/) const noexcept override {
        double sum = 0;
        for (int64_t i = 0; i < rows_ * last_; ++i) {
            const double error = static_cast<double>(y_pred[i]) - target[i];
            sum += squared_ ? error * error : std::fabs(error);
        }
        return static_cast<float>(sum / static_cast<double>(rows_ * last_));
    }

    void backward(const float* y_pred, const float* target, const float* /*state*/, float scale,
                  float* d_pred) const noexcept override {
        const float each = scale / static_cast<float>(rows_ * last_);
        for (int64_t i = 0; i < rows_ * last_; ++i) {
            const float error = y_pred[i] - target[i];
            const float sign = error > 0 ? 1.0f : error < 0 ? -1.0f : error;  // NaN stays
            d_pred[i] = each * (squared_ ? 2.0f * error : sign);
        }
    }

   private:
    bool squared_;
};

}  // namespace

std::unique_ptr<Op> make_mean_squared_error(Attributes& attributes) {
    return std::make_unique<MeanError>(attributes, true);
}
std::unique_ptr<Op> make_mean_absolute_error(Attributes& attributes) {
    return std::make_unique<MeanError>(attributes, false);
}

}  // namespace pronghorn
