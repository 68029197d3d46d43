// SPDX-License-Identifier: Apache-2.0
// conv2d: Keras's Conv2D. x (batch, in_h, in_w, in_c), kernel (kernel_h, kernel_w, in_c / groups,
// out_c), bias (out_c,) -> y (batch, out_h, out_w, out_c), a ReLU fused where one follows.
//   y[n, h, w, o] = b[o] + sum_{i, j, c} x[n, h*stride + i*dilation - pad, ..., c] k[i, j, c, o]
// The algorithms are in files of their own; the first of the list that supports the problem wins.
#include "ops/conv2d.h"

namespace pronghorn {

namespace {

class Conv2d final : public Op {
   public:
    explicit Conv2d(Attributes& attributes)
        : strides_(attributes.integers("strides", {1, 1}, 2, 1)),
          dilation_(attributes.integers("dilation", {1, 1}, 2, 1)),
          padding_(Padding::from(attributes)) {
        problem_.groups = attributes.integer("groups", 1);
        check(problem_.groups >= 1, "conv2d", "expected at least 1 group, got ", problem_.groups);
    }

    Takes takes(int input) const override {
        return input == 0 ? Takes::kActivation : Takes::kParameter;
    }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const Shape& x = inputs[0].shape;
        check(inputs.size() == 2 || inputs.size() == 3, "conv2d",
              "expected x, kernel and maybe bias, got ", inputs.size(), " inputs");
        check(x.rank() == 4, "conv2d", "expected 4-D input (batch, height, width, channels), got ",
              x);
        const Shape& kernel = inputs[1].shape;
        check(kernel.rank() == 4 && kernel.elements() > 0, "conv2d",
              "expected a kernel (height, width, in_channels / groups, out_channels), got ",
              kernel);
        ConvProblem& p = problem_;
        p.batch = x[0];
        p.in_c = x[3];
        p.out_c = kernel[3];
        check(p.in_c % p.groups == 0 && p.out_c % p.groups == 0, "conv2d", "expected ", p.in_c,
              " input and ", p.out_c, " output channels to be divisible by ", p.groups, " groups");
        check(kernel[2] == p.in_c / p.groups, "conv2d", "expected a kernel for ", p.in_c / p.groups,
              " input channels (", p.in_c, " in ", p.groups, " groups), got ", kernel);
        p.height = padding_.over(x[1], 0, kernel[0], strides_[0], dilation_[0], "conv2d");
        p.width = padding_.over(x[2], 1, kernel[1], strides_[1], dilation_[1], "conv2d");
        p.bias = inputs.size() == 3;
        check(!p.bias || inputs[2].shape == Shape{p.out_c}, "conv2d", "expected a bias of shape (",
              p.out_c, ",)");
        return {Shape{p.batch, p.height.out, p.width.out, p.out_c}};
    }

    bool fuse_activation(Activation activation) override {
        if (activation != Activation::kRelu || problem_.relu) return false;
        return problem_.relu = true;
    }

    Signature plan(const PlanContext& context) override {
        ConvProblem& p = problem_;
        p.kernels = context.kernels;
        p.wants_dx = context.training && context.wants_gradient[0];
        p.wants_dw = context.training && context.wants_gradient[1];
        p.wants_db = context.training && p.bias && context.wants_gradient[2];
        algorithm_ = choose(context.conv_algorithm);
        return algorithm_->plan();
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        algorithm_->run(stage, args, task);
    }

    Range owned(int stage, int input, int64_t task) const override {
        return algorithm_->owned(stage, input, task);
    }

   private:
    std::unique_ptr<ConvAlgorithm> choose(const std::string& forced) const {
        struct Entry {
            const char* name;
            std::unique_ptr<ConvAlgorithm> (*make)(const ConvProblem&);
        };
        const Entry list[] = {{"winograd", make_conv_winograd},
                              {"lanes", make_conv_lanes},
                              {"direct", make_conv_direct},
                              {"im2col", make_conv_im2col}};
        for (const Entry& entry : list) {
            if (forced == "auto" && entry.make == make_conv_winograd && !winograd_wins(problem_)) {
                continue;
            }
            if (forced != "auto" && forced != entry.name && entry.make != make_conv_im2col)
                continue;
            if (auto algorithm = entry.make(problem_)) return algorithm;
        }
        throw ValueError("[conv2d] no algorithm supports this convolution");
    }

    std::vector<int64_t> strides_, dilation_;
    Padding padding_;
    ConvProblem problem_;
    std::unique_ptr<ConvAlgorithm> algorithm_;
};

}  // namespace

std::unique_ptr<Op> make_conv2d(Attributes& attributes) {
    return std::make_unique<Conv2d>(attributes);
}

}  // namespace pronghorn
