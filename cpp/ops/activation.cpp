// SPDX-License-Identifier: Apache-2.0
// Elementwise ops on one tensor of any shape and layout: activation (relu, tanh, sigmoid), relu
// with Keras's slope, threshold and ceiling, and dropout (inverted: what is kept is scaled by 1 /
// (1 - rate)).
#include "ops/op.h"

namespace pronghorn {

namespace {

/// What the three share: shapes, layout, and going over a slice.
class Elementwise : public Op {
   public:
    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 1 && inputs[0].dtype == DType::kFloat32, "elementwise",
              "expected one float32 input");
        size_ = inputs[0].image_shape().elements();
        return inputs[0];
    }
    Takes takes(int /*input*/) const override { return Takes::kEither; }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        Signature signature;
        signature.in_layout = signature.out_layout = context.layouts[0];
        lanes_ = context.layouts[0] == Layout::kLanes ? kernels_->lanes : 1;
        signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
        if (context.training) signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        const int64_t images = (args.images + lanes_ - 1) / lanes_ * lanes_;
        stage == 0 ? forward(images * size_, args) : backward(images * size_, args);
    }

   protected:
    virtual void forward(int64_t size, const Args& args) const noexcept = 0;
    virtual void backward(int64_t size, const Args& args) const noexcept = 0;

    int64_t size_ = 0, lanes_ = 1;
    const Kernels* kernels_ = nullptr;
};

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

/// The mask is drawn again in the backward pass: a function of seed, step and element alone.
class DropoutOp final : public Elementwise {
   public:
    explicit DropoutOp(Attributes& attributes)
        : rate_(attributes.number("rate", 0.5)),
          seed_(static_cast<uint64_t>(attributes.integer("seed", 0))) {
        check(rate_ >= 0 && rate_ <= 1, "dropout", "expected a rate in [0, 1], got ", rate_);
    }

    Signature plan(const PlanContext& context) override {
        Signature signature = Elementwise::plan(context);
        signature.in_layout = signature.out_layout = Layout::kRows;  // one order of elements
        lanes_ = 1;
        return signature;
    }

   protected:
    void forward(int64_t size, const Args& args) const noexcept override {
        drop(size, args, args.in[0], args.out);
    }
    void backward(int64_t size, const Args& args) const noexcept override {
        drop(size, args, args.d_out, args.d_in[0]);
    }

   private:
    void drop(int64_t size, const Args& args, const float* x, float* y) const noexcept {
        // Steps a golden-ratio stride apart (Weyl sequence) never share a key with a nearby seed.
        const uint64_t key = seed_ + args.step * 0x9E3779B97F4A7C15u;
        kernels_->dropout(size, args.first_image * size_, key, static_cast<float>(rate_), x, y);
    }

    double rate_;
    uint64_t seed_;
};

}  // namespace

std::unique_ptr<Op> make_activation(Attributes& attributes) {
    return std::make_unique<ActivationOp>(attributes);
}
std::unique_ptr<Op> make_relu(Attributes& attributes) {
    return std::make_unique<ClippedReluOp>(attributes);
}
std::unique_ptr<Op> make_dropout(Attributes& attributes) {
    return std::make_unique<DropoutOp>(attributes);
}

}  // namespace pronghorn
