// SPDX-License-Identifier: Apache-2.0
#include "ops/fold.h"

#include <cmath>

namespace pronghorn {

namespace {

/// What the two share: one forward stage, and r.
class Fold : public Op {
   public:
    explicit Fold(const ChannelAffine& affine) : affine_(affine) {}

    Takes takes(int /*input*/) const override { return Takes::kParameter; }
    Signature plan(const PlanContext& /*context*/) override {
        Signature signature;
        signature.stages.push_back({Phase::kForward, false, 1, channels_, 0});
        return signature;
    }

   protected:
    double ratio(const float* gamma, const float* variance, int64_t channel) const {
        const double root = std::sqrt(variance[channel] + affine_.epsilon);
        return (gamma == nullptr ? 1.0 : static_cast<double>(gamma[channel])) / root;
    }

    ChannelAffine affine_;
    int64_t channels_ = 0;
};

class FoldKernel final : public Fold {
   public:
    using Fold::Fold;

    Tensor infer(const std::vector<Tensor>& inputs) override {
        size_ = inputs[0].shape.elements();
        channels_ = inputs.back().shape[0];
        return inputs[0];
    }
    void run(int /*stage*/, const Args& args, int64_t /*task*/) const noexcept override {
        const float* gamma = affine_.gamma ? args.in[1] : nullptr;
        const float* variance = args.in[affine_.gamma ? 2 : 1];
        for (int64_t c = 0; c < channels_; ++c) {
            args.scratch[c] = static_cast<float>(ratio(gamma, variance, c));
        }
        for (int64_t i = 0; i < size_; i += channels_) {
            for (int64_t c = 0; c < channels_; ++c) {
                args.out[i + c] = args.in[0][i + c] * args.scratch[c];
            }
        }
    }

   private:
    int64_t size_ = 0;
};

class FoldBias final : public Fold {
   public:
    FoldBias(const ChannelAffine& affine, bool has_bias) : Fold(affine), has_bias_(has_bias) {}

    Tensor infer(const std::vector<Tensor>& inputs) override {
        channels_ = inputs.back().shape[0];
        return inputs.back();
    }
    void run(int /*stage*/, const Args& args, int64_t /*task*/) const noexcept override {
        const auto* next = args.in.data();
        const float* bias = has_bias_ ? *next++ : nullptr;
        const float* gamma = affine_.gamma ? *next++ : nullptr;
        const float* beta = affine_.beta ? *next++ : nullptr;
        const float *mean = next[0], *variance = next[1];
        for (int64_t c = 0; c < channels_; ++c) {
            const double from = (bias == nullptr ? 0.0 : static_cast<double>(bias[c])) - mean[c];
            const double start = beta == nullptr ? 0.0 : static_cast<double>(beta[c]);
            args.out[c] = static_cast<float>(from * ratio(gamma, variance, c) + start);
        }
    }

   private:
    bool has_bias_;
};

}  // namespace

std::unique_ptr<Op> make_fold_kernel(const ChannelAffine& affine) {
    return std::make_unique<FoldKernel>(affine);
}
std::unique_ptr<Op> make_fold_bias(const ChannelAffine& affine, bool has_bias) {
    return std::make_unique<FoldBias>(affine, has_bias);
}

}  // namespace pronghorn
