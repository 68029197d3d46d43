// SPDX-License-Identifier: Apache-2.0
// triplet_loss: max(|a - p|^2 - |a - n|^2 + margin, 0) of an anchor, a positive and a negative
// embedding, the three thirds of an image of y_pred (Schroff et al. 2015, equation 3).
#include "ops/op.h"

namespace pronghorn {

namespace {

class TripletLoss final : public Op {
   public:
    explicit TripletLoss(Attributes& attributes)
        : margin_(static_cast<float>(attributes.number("margin", 0.2))) {}

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 1 && inputs[0].dtype == DType::kFloat32, "triplet_loss",
              "expected y_pred alone, as float32");
        const Shape& y_pred = inputs[0].shape;
        const bool stacked = y_pred.rank() == 3 && y_pred[1] == 3;
        check(stacked || (y_pred.rank() == 2 && y_pred[1] % 3 == 0), "triplet_loss",
              "expected y_pred (batch, 3, d) or (batch, 3 * d), got ", y_pred);
        size_ = y_pred.elements(1) / 3;
        return {Shape{y_pred[0]}};
    }

    Signature plan(const PlanContext& context) override {
        Signature signature;
        signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
        if (context.training) signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
        signature.backward_reads = {true};
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        for (int64_t i = 0; i < args.images; ++i) {
            const float* anchor = args.in[0] + i * 3 * size_;
            const float* positive = anchor + size_;
            const float* negative = positive + size_;
            double missing = margin_;
            for (int64_t k = 0; k < size_; ++k) {
                const double near = static_cast<double>(anchor[k]) - positive[k];
                const double far = static_cast<double>(anchor[k]) - negative[k];
                missing += near * near - far * far;
            }
            if (stage == 0) {
                args.out[i] = static_cast<float>(missing < 0 ? 0 : missing);  // NaN stays
                continue;
            }
            const float each = missing <= 0 ? 0.0f : 2.0f * args.d_out[i];
            float* d_anchor = args.d_in[0] + i * 3 * size_;
            for (int64_t k = 0; k < size_; ++k) {
                d_anchor[k] = each * (negative[k] - positive[k]);
                d_anchor[size_ + k] = each * (positive[k] - anchor[k]);
                d_anchor[2 * size_ + k] = each * (anchor[k] - negative[k]);
            }
        }
    }

   private:
    float margin_;
    int64_t size_ = 1;
};

}  // namespace

std::unique_ptr<Op> make_triplet_loss(Attributes& attributes) {
    return std::make_unique<TripletLoss>(attributes);
}

}  // namespace pronghorn
