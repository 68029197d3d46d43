// SPDX-License-Identifier: Apache-2.0
// activation: relu, tanh or sigmoid, which other ops may take in; relu with Keras's slope,
// threshold and ceiling.
#include "ops/elementwise.h"

namespace pronghorn {

namespace {

class ActivationOp final : public Elementwise {
   public:
    explicit ActivationOp(Attributes& attributes) {
        const std::string kind = attributes.word("kind", "relu");
        check(kind == "relu" || kind == "tanh" || kind == "sigmoid", "activation",
              "expected relu, tanh or sigmoid, got '", kind, "'");
        kind_ = kind == "relu"   ? Activation::kRelu
                : kind == "tanh" ? Activation::kTanh
                                 : Activation::kSigmoid;
    }
    std::optional<Activation> as_activation() const override { return kind_; }

    Signature plan(const PlanContext& context) override {
        Signature signature = Elementwise::plan(context);
        signature.backward_reads_output = true;
        return signature;
    }

   protected:
    void forward(int64_t size, const Args& args) const noexcept override {
        kernels_->activate(kind_, size, args.in[0], args.out);
    }
    void backward(int64_t size, const Args& args) const noexcept override {
        kernels_->activate_backward(kind_, size, args.out, args.d_out, args.d_in[0]);
    }

   private:
    Activation kind_;
};

class ClippedReluOp final : public Elementwise {
   public:
    explicit ClippedReluOp(Attributes& attributes)
        : relu_{static_cast<float>(attributes.number("negative_slope", 0.0)),
                static_cast<float>(attributes.number("threshold", 0.0)),
                static_cast<float>(attributes.number("max_value", __builtin_inf()))} {}

    Signature plan(const PlanContext& context) override {
        Signature signature = Elementwise::plan(context);
        signature.backward_reads[0] = true;
        return signature;
    }
    std::optional<float> as_clipped_relu() const override {
        if (relu_.slope != 0 || relu_.threshold != 0 || relu_.max_value <= 0) return std::nullopt;
        return relu_.max_value;
    }

   protected:
    void forward(int64_t size, const Args& args) const noexcept override {
        kernels_->clipped_relu(relu_, size, args.in[0], args.out);
    }
    void backward(int64_t size, const Args& args) const noexcept override {
        kernels_->clipped_relu_backward(relu_, size, args.in[0], args.d_out, args.d_in[0]);
    }

   private:
    ClippedRelu relu_;
};

}  // namespace

std::unique_ptr<Op> make_activation(Attributes& attributes) {
    return std::make_unique<ActivationOp>(attributes);
}
std::unique_ptr<Op> make_relu(Attributes& attributes) {
    return std::make_unique<ClippedReluOp>(attributes);
}

}  // namespace pronghorn
