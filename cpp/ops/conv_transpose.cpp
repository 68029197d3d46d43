// SPDX-License-Identifier: Apache-2.0
// conv1d_transpose, conv2d_transpose, conv3d_transpose: the gradient of a convolution as a layer.
// x (batch, ..., in_c), kernel (windows ..., out_c, in_c), bias (out_c,) -> y (batch, ..., out_c),
//   y[n, o] = b + sum of x[n, i] k[t] over all i, t with i*stride + t*dilation - crop = o.
// For the convolution C with that kernel, from y's grid to x's: y is C's dx, where dy = x; dx is
// C's forward pass on dy; dw is C's dw with x and dy in each other's place. So C's algorithms do
// all of it: Winograd as a whole, the others image by image.
#include "ops/conv2d.h"
#include "ops/pieces.h"

namespace pronghorn {

namespace {

class ConvTranspose final : public Op {
   public:
    ConvTranspose(Attributes& attributes, int axes)
        : name_(attributes.op()),
          axes_(axes),
          windows_(attributes, static_cast<size_t>(axes)),
          output_padding_(attributes.integers("output_padding", {}, static_cast<size_t>(axes), 0)) {
    }

    Takes takes(int input) const override {
        return input == 0 ? Takes::kActivation : Takes::kParameter;
    }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const char* name = name_.c_str();
        check(inputs.size() == 2 || inputs.size() == 3, name,
              "expected x, kernel and maybe bias, got ", inputs.size(), " inputs");
        const Shape &x = inputs[0].shape, &kernel = inputs[1].shape;
        check(x.rank() == axes_ + 2, name, "expected ", axes_ + 2,
              "-D input, the batch first and the channels last, got ", x);
        check(kernel.rank() == axes_ + 2 && kernel.elements() > 0 && kernel[-1] == x[-1], name,
              "expected a kernel of ", axes_ + 2, " dimensions, the last two out_channels, ", x[-1],
              ", got ", kernel);
        ConvProblem& c = convolution_;
        c.batch = x[0];
        c.in_c = kernel[-2];
        c.out_c = kernel[-1];
        Shape y{c.batch};
        Window* const windows[] = {&c.depth, &c.height, &c.width};
        for (int axis = 0; axis < axes_; ++axis) {
            Window& window = *windows[3 - axes_ + axis];
            window = window_along(axis, x[axis + 1], kernel[axis]);
            y.push_back(window.in);
        }
        y.push_back(c.in_c);
        bias_ = inputs.size() == 3;
        check(!bias_ || inputs[2].shape == Shape{c.in_c}, name, "expected a bias of shape (",
              c.in_c, ",)");
        return {y};
    }

    bool fuse_activation(Activation activation) override {
        if (activation != Activation::kRelu || relu_) return false;
        return relu_ = true;
    }

    bool gives_gate() const override { return relu_; }
    void give_gate() override { gate_given_ = true; }
    bool take_gate() override { return gate_taken_ = true; }

    Signature plan(const PlanContext& context) override {
        ConvProblem& c = convolution_;
        c.kernels = context.kernels;
        const bool wants_dx = context.training && context.wants_gradient[0];
        const bool wants_db = context.training && bias_ && context.wants_gradient[2];
        c.wants_dw = context.training && context.wants_gradient[1];
        if (context.conv_algorithm == "auto" || context.conv_algorithm == "winograd") {
            ConvProblem whole = c;
            whole.transposed = true;
            whole.bias = bias_;
            whole.relu = relu_;
            whole.gate_given = gate_given_;
            whole.gate_taken = gate_taken_;
            whole.wants_dx = wants_dx;
            whole.wants_db = wants_db;
            whole.predicts = context.predicts;
            const bool welcome = context.conv_algorithm == "winograd" || winograd_wins(whole);
            whole_ = welcome ? make_conv_winograd(whole) : nullptr;
            if (whole_ != nullptr) return whole_->plan();
        }
        c.wants_dx = true;  // the forward pass
        c.wants_y = wants_dx;
        // Predictions of a few large images are cut into pieces; bias and ReLU are another stage.
        const bool cuts = !context.training && context.conv_algorithm == "auto" &&
                          cuts_images(c.batch, c.flops() / static_cast<double>(c.batch));
        c.all_by_image = !cuts;
        algorithm_ = choose_conv(c, cuts ? "direct" : context.conv_algorithm);
        const Signature inner = algorithm_->plan();
        Signature signature;
        signature.in_layout = inner.out_layout;
        signature.out_layout = inner.in_layout;
        signature.packed = inner.packed;
        lanes_ = inner.in_layout == Layout::kLanes ? c.kernels->lanes : 1;
        inner_forward_ = 0;
        while (inner.stages[inner_forward_].phase == Phase::kPrepare) {
            signature.stages.push_back(inner.stages[inner_forward_++]);
        }
        const Stage& gather = inner.stages[inner_forward_];
        const Stage& scatter = inner.stages[inner_forward_ + 1];
        cut_ = !scatter.by_image;
        signature.stages.push_back(
            {Phase::kForward, !cut_, scatter.tasks, scatter.scratch, c.flops()});
        signature.stages.back().packed = scatter.packed;
        signature.stages.back().reads_kernel = scatter.reads_kernel;
        if (cut_ && (bias_ || relu_)) {
            signature.stages.push_back({Phase::kForward, false, kPieces, 0, 0});
            signature.stages.back().packed = kNoBlock;
        }
        if (wants_dx || c.wants_dw || wants_db) {
            gated_ = relu_ && !gate_given_ ? c.in_size() * lanes_ : 0;
            signature.stages.push_back({Phase::kBackward, true, 1,
                                        gated_ + std::max(gather.scratch, scatter.scratch),
                                        c.flops() * (wants_dx + c.wants_dw)});
            signature.stages.back().packed = wants_dx ? gather.packed : kNoBlock;
            signature.backward_reads[0] = c.wants_dw || (gate_taken_ && wants_dx);
            signature.backward_reads_output = gated_ > 0;
            signature.gradient[1] = signature.gradient[2] = GradientBy::kParts;
        }
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        if (whole_ != nullptr) return whole_->run(stage, args, task);
        if (stage < inner_stage(0)) return algorithm_->run(stage, args, task);
        if (cut_) return stage == inner_stage(0) ? piece(args, task) : finish(args, task);
        for (int64_t i = 0; i < args.images; i += lanes_) {
            if (stage == inner_stage(0)) {
                forward(args, i);
            } else {
                backward(args, i);
            }
        }
    }

    Range owned(int stage, int input, int64_t task) const override {
        return whole_ == nullptr ? Range{} : whole_->owned(stage, input, task);
    }

   private:
    int inner_stage(int behind_prepare) const {
        return static_cast<int>(inner_forward_) + behind_prepare;
    }

    /// The window of the convolution along an axis, `in` being the size of y, by Keras's rules.
    /// Numbers for padding are cells to crop, as in PyTorch.
    Window window_along(int axis, int64_t in, int64_t kernel) const {
        const auto i = static_cast<size_t>(axis);
        Window window{0, in, kernel, windows_.strides[i], windows_.dilation[i]};
        checked_product(kernel, window.dilation);
        checked_product(in, window.stride);
        const int64_t reach = window.reach(), last = (in - 1) * window.stride;
        const bool given = !output_padding_.empty();
        const int64_t more = given ? output_padding_[i] : 0;
        if (windows_.padding.same) {
            const int64_t padding =
                given ? reach + reach % 2 - 2 + more : window.stride + reach - 2;
            window.in = last + padding - reach + 2;
            window.before = std::max<int64_t>(0, reach - 1 - padding / 2 - padding % 2);
        } else if (windows_.padding.cells.empty()) {
            window.in = last + (given ? reach + more : std::max(reach, window.stride));
        } else {
            window.before = windows_.padding.cells[2 * i];
            window.in = last + reach + more - window.before - windows_.padding.cells[2 * i + 1];
        }
        check(window.in >= 1, name_.c_str(), "expected an output of at least one cell along axis ",
              axis + 1, ", got ", window.in);
        return window.ending(window.in);
    }

    void forward(const Args& args, int64_t image) const noexcept {
        const ConvProblem& c = convolution_;
        float* y = args.out + image * c.in_size();
        Args inner = inner_args(args, args.scratch);
        inner.d_out = args.in[0] + image * c.out_size();
        inner.d_in[0] = y;
        algorithm_->run(inner_stage(1), inner, 0);
        if (bias_ || relu_) add_bias(args, c.in_size() / c.in_c, y);
    }

    void piece(const Args& args, int64_t task) const noexcept {
        Args inner = inner_args(args, args.scratch);
        inner.images = args.images;
        inner.d_out = args.in[0];
        inner.d_in[0] = args.out;
        algorithm_->run(inner_stage(1), inner, task);
    }
    void finish(const Args& args, int64_t task) const noexcept {
        const ConvProblem& c = convolution_;
        const Range pixels = share_of(c.batch * c.in_size() / c.in_c, task, kPieces);
        add_bias(args, pixels.count, args.out + pixels.begin * c.in_c);
    }

    void add_bias(const Args& args, int64_t pixels, float* y) const noexcept {
        const ConvProblem& c = convolution_;
        c.kernels->add_bias(pixels, c.in_c, lanes_ > 1, bias_ ? args.in[2] : nullptr, relu_, y);
    }

    void backward(const Args& args, int64_t image) const noexcept {
        const ConvProblem& c = convolution_;
        const float* dy = args.d_out + image * c.in_size();
        if (gated_ > 0) {
            c.kernels->activate_backward(Activation::kRelu, gated_, args.out + image * c.in_size(),
                                         dy, args.scratch);
            dy = args.scratch;
        }
        Args inner = inner_args(args, args.scratch + gated_);
        inner.in[0] = dy;
        const float* x = args.in[0] + image * c.out_size();
        if (args.d_in[0] != nullptr) {
            inner.out = args.d_in[0] + image * c.out_size();
            algorithm_->run(inner_stage(0), inner, 0);
            if (gate_taken_) {
                c.kernels->activate_backward(Activation::kRelu, c.out_size() * lanes_, x, inner.out,
                                             inner.out);
            }
        }
        inner.accumulate = args.accumulate || image > 0;
        if (args.d_in[1] != nullptr) {
            inner.d_out = x;
            inner.d_in[1] = args.d_in[1];
            algorithm_->run(inner_stage(1), inner, 0);
        }
        if (args.d_in[2] != nullptr) {
            const int64_t pixels = c.in_size() / c.in_c;
            (lanes_ > 1 ? c.kernels->channel_sums_lanes : c.kernels->channel_sums)(
                dy, 1, pixels, c.in_c, c.in_size(), c.in_c, args.d_in[2], inner.accumulate);
        }
    }

    /// For one image, or one group of images, of the convolution.
    Args inner_args(const Args& args, float* scratch) const noexcept {
        Args inner;
        inner.in[1] = args.in[1];
        inner.packed = args.packed;
        inner.scratch = scratch;
        inner.images = lanes_;
        return inner;
    }

    std::string name_;
    int axes_;
    ConvWindows windows_;
    std::vector<int64_t> output_padding_;  // empty: Keras's default
    ConvProblem convolution_;
    bool bias_ = false, relu_ = false;
    bool gate_given_ = false, gate_taken_ = false;  // as in ConvProblem
    bool cut_ = false;                              // into pieces
    int64_t lanes_ = 1;
    int64_t gated_ = 0;         // floats of dy that are masked by the ReLU
    size_t inner_forward_ = 0;  // of the algorithm's stages, packing comes before it
    std::unique_ptr<ConvAlgorithm> whole_, algorithm_;  // one of them
};

}  // namespace

std::unique_ptr<Op> make_conv1d_transpose(Attributes& attributes) {
    return std::make_unique<ConvTranspose>(attributes, 1);
}
std::unique_ptr<Op> make_conv2d_transpose(Attributes& attributes) {
    return std::make_unique<ConvTranspose>(attributes, 2);
}
std::unique_ptr<Op> make_conv3d_transpose(Attributes& attributes) {
    return std::make_unique<ConvTranspose>(attributes, 3);
}

}  // namespace pronghorn
