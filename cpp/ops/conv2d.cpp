// SPDX-License-Identifier: Apache-2.0
// conv1d, conv2d, conv3d and depthwise_conv1d, depthwise_conv2d: Keras's layers of these names.
// x (batch, ..., in_c), kernel (windows ..., in_c / groups, out_c) or, depthwise, (windows ...,
// in_c, multiplier), bias (out_c,) -> y (batch, ..., out_c), a ReLU fused where one follows.
//   y[n, h, w, o] = b[o] + sum_{i, j, c} x[n, h*stride + i*dilation - pad, ..., c] k[i, j, c, o]
// A depthwise convolution has a group for each input channel; its kernel lies in memory like that
// of any other. The algorithms are in files of their own.
#include "ops/conv2d.h"

#include <algorithm>

#include "ops/fold.h"
#include "ops/patches.h"

namespace pronghorn {

namespace {

class Convolution final : public Op {
   public:
    Convolution(Attributes& attributes, int axes, bool depthwise)
        : name_(attributes.op()),
          axes_(axes),
          depthwise_(depthwise),
          windows_(attributes, static_cast<size_t>(axes)) {
        if (depthwise_) return;
        problem_.groups = attributes.integer("groups", 1);
        check(problem_.groups >= 1, name_.c_str(), "expected at least 1 group, got ",
              problem_.groups);
    }

    Takes takes(int input) const override {
        return input == 0 ? Takes::kActivation : Takes::kParameter;
    }

    bool takes_planes() const override { return true; }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const char* name = name_.c_str();
        const Shape& x = inputs[0].shape;
        check(inputs.size() == 2 || inputs.size() == 3, name,
              "expected x, kernel and maybe bias, got ", inputs.size(), " inputs");
        check(x.rank() == axes_ + 2, name, "expected ", axes_ + 2, "-D input (batch, ",
              axes_ == 1   ? "steps"
              : axes_ == 2 ? "height, width"
                           : "depth, height, width",
              ", channels), got ", x);
        infer_channels(x[-1], inputs[1].shape);
        const Shape& kernel = inputs[1].shape;
        ConvProblem& p = problem_;
        p.batch = x[0];
        Shape y{p.batch};
        Window* const windows[] = {&p.depth, &p.height, &p.width};
        for (int axis = 0; axis < axes_; ++axis) {
            const auto i = static_cast<size_t>(axis);
            Window& window = *windows[3 - axes_ + axis];
            window = cropped_
                         ? window.ending(x[axis + 1])
                         : windows_.padding.over(x[axis + 1], axis, kernel[axis],
                                                 windows_.strides[i], windows_.dilation[i], name);
            y.push_back(window.out);
        }
        y.push_back(p.out_c);
        p.bias = inputs.size() == 3;
        check(!p.bias || inputs[2].shape == Shape{p.out_c}, name, "expected a bias of shape (",
              p.out_c, ",)");
        return {y};
    }

    bool fuse_activation(Activation activation) override {
        if (activation != Activation::kRelu || problem_.relu) return false;
        return problem_.relu = true;
    }
    bool fuse_clipped_relu(float ceiling, bool training) override {
        if (training || problem_.relu) return false;
        problem_.ceiling = ceiling;
        return problem_.relu = true;
    }

    bool gives_gate() const override { return problem_.relu; }
    void give_gate() override { problem_.gate_given = true; }
    /// Where the algorithm that will be chosen masks dx at next to no cost.
    bool take_gate() override {
        return problem_.gate_taken = !problem_.is_depthwise() && !problem_.pads_much();
    }

    std::optional<Extent> crop(Extent output) override {
        cropped_ = true;
        return Extent{problem_.height.crop(output.height), problem_.width.crop(output.width)};
    }

    bool takes_fold() const override { return !problem_.relu; }

    CellByCell cell_by_cell() const override {
        const bool strided = std::any_of(windows_.strides.begin(), windows_.strides.end(),
                                         [](int64_t stride) { return stride > 1; });
        if (problem_.taps() > 1 || strided || problem_.pads()) return CellByCell::kNever;
        return problem_.relu ? CellByCell::kAlways : CellByCell::kAffine;
    }

    /// Along an axis, cell i of x comes `times` times, so that the taps on its copies can be summed
    /// first: the transposed convolution by these sums, `times` being its strides. Two taps become
    /// three, a kernel so much larger that it takes more pixels to win.
    std::optional<Unrepeated> unrepeated(const std::vector<int64_t>& repeats,
                                         bool training) const override {
        const ConvProblem& p = problem_;
        const Window windows[] = {p.depth, p.height, p.width};
        if (p.groups > 1 || static_cast<int>(repeats.size()) != axes_) return std::nullopt;
        std::vector<int64_t> crop;
        bool pairs = false;           // of taps
        int64_t pixels = p.batch;     // of x
        double taps = 1, summed = 1;  // for `times` outputs along each axis
        for (int axis = 0; axis < axes_; ++axis) {
            const Window& window = windows[3 - axes_ + axis];
            const int64_t times = repeats[static_cast<size_t>(axis)], last = window.kernel - 1;
            const bool plain = window.stride == 1 && window.dilation == 1;
            if (!plain || window.before > last || window.after > last) return std::nullopt;
            crop.insert(crop.end(), {last - window.before, last - window.after});
            pairs |= window.kernel == 2;
            pixels *= window.in / times;
            taps *= static_cast<double>(times * window.kernel);
            summed *= static_cast<double>(times + last);
        }
        constexpr double kWorthIt = 1.5, kMostGrowth = 8;  // of the kernel
        if (taps < kWorthIt * summed || summed > kMostGrowth * static_cast<double>(p.taps()) ||
            pixels < (pairs      ? 1500
                      : training ? 600
                                 : 150)) {
            return std::nullopt;
        }
        const std::string name = text("conv", axes_, "d_transpose");
        return Unrepeated{make_op(name, {{"strides", repeats}, {"padding", crop}}),
                          make_fold_repeats(repeats)};
    }

    std::optional<Instead> instead(const Kernels& kernels, bool training) const override {
        ConvProblem p = problem_;
        p.kernels = &kernels;
        p.wants_dx = p.wants_dw = training;
        if (p.covers_image() ? !dense_wins(p) : !patches_win(p)) return std::nullopt;
        Instead instead{make_op("dense", {}), nullptr};
        if (!p.covers_image()) {
            instead.first = make_patches({p.depth, p.height, p.width, p.in_c, p.in_c}, axes_);
        }
        return instead;
    }

    Signature plan(const PlanContext& context) override {
        ConvProblem& p = problem_;
        p.kernels = context.kernels;
        p.predicts = context.predicts;
        p.halves = context.training && context.spreads;
        p.in_planes = context.layouts[0] == Layout::kPlanes;
        p.wants_dx = context.training && context.wants_gradient[0];
        p.wants_dw = context.training && context.wants_gradient[1];
        p.wants_db = context.training && p.bias && context.wants_gradient[2];
        algorithm_ = choose_conv(p, context.conv_algorithm);
        Signature signature = algorithm_->plan();
        signature.backward_reads[0] |= p.gate_taken && p.wants_dx;
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        const ConvProblem& p = problem_;
        algorithm_->run(stage, args, task);
        if (!p.gate_taken || algorithm_->masks_dx() || args.d_in[0] == nullptr) return;
        p.kernels->activate_backward(Activation::kRelu, args.images * p.in_size(), args.in[0],
                                     args.d_in[0], args.d_in[0]);
    }

    Range owned(int stage, int input, int64_t task) const override {
        return algorithm_->owned(stage, input, task);
    }

   private:
    void infer_channels(int64_t in_c, const Shape& kernel) {
        const char* name = name_.c_str();
        ConvProblem& p = problem_;
        p.in_c = in_c;
        check(kernel.rank() == axes_ + 2 && kernel.elements() > 0, name, "expected a kernel of ",
              axes_ + 2, " dimensions, the last two ",
              depthwise_ ? "in_channels, multiplier" : "in_channels / groups, out_channels",
              ", got ", kernel);
        if (depthwise_) {
            p.groups = in_c;
            p.out_c = checked_product(in_c, kernel[-1]);
            check(kernel[-2] == in_c, name, "expected a kernel for ", in_c, " input channels, got ",
                  kernel);
            return;
        }
        p.out_c = kernel[-1];
        check(in_c % p.groups == 0 && p.out_c % p.groups == 0, name, "expected ", in_c,
              " input and ", p.out_c, " output channels to be divisible by ", p.groups, " groups");
        check(kernel[-2] == in_c / p.groups, name, "expected a kernel for ", in_c / p.groups,
              " input channels (", in_c, " in ", p.groups, " groups), got ", kernel);
    }

    std::string name_;
    int axes_;
    bool depthwise_;
    ConvWindows windows_;
    bool cropped_ = false;  // windows are settled, but for where the input ends
    ConvProblem problem_;
    std::unique_ptr<ConvAlgorithm> algorithm_;
};

}  // namespace

std::unique_ptr<Op> make_conv1d(Attributes& attributes) {
    return std::make_unique<Convolution>(attributes, 1, false);
}
std::unique_ptr<Op> make_conv2d(Attributes& attributes) {
    return std::make_unique<Convolution>(attributes, 2, false);
}
std::unique_ptr<Op> make_conv3d(Attributes& attributes) {
    return std::make_unique<Convolution>(attributes, 3, false);
}
std::unique_ptr<Op> make_depthwise_conv1d(Attributes& attributes) {
    return std::make_unique<Convolution>(attributes, 1, true);
}
std::unique_ptr<Op> make_depthwise_conv2d(Attributes& attributes) {
    return std::make_unique<Convolution>(attributes, 2, true);
}

}  // namespace pronghorn
