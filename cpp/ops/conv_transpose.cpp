// SPDX-License-Identifier: Apache-2.0
// conv1d_transpose, conv2d_transpose, conv3d_transpose: the gradient of a convolution as a layer.
// x (batch, ..., in_c), kernel (windows ..., out_c, in_c), bias (out_c,) -> y (batch, ..., out_c),
//   y[n, o] = b + sum of x[n, i] k[t] over all i, t with i*stride + t*dilation - crop = o.
// For the convolution C with that kernel, from y's grid to x's: y is C's dx, where dy = x; dx is
// C's forward pass on dy; dw is C's dw with x and dy in each other's place. So C's algorithms do
// all of it: Winograd as a whole, the others image by image or, a few large images, in pieces.
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
        const bool trains = wants_dx || c.wants_dw || wants_db;
        const bool masks_dy = trains && relu_ && !gate_given_;
        // A few large images are cut into pieces.
        const bool cuts = context.conv_algorithm == "auto" &&
                          cuts_images(c.batch, c.flops() / static_cast<double>(c.batch));
        c.all_by_image = !cuts;
        c.gates_x = cuts && masks_dy;
        algorithm_ = choose_conv(c, cuts ? "direct" : context.conv_algorithm);
        const Signature inner = algorithm_->plan();
        Signature signature;
        signature.in_layout = inner.out_layout;
        signature.out_layout = inner.in_layout;
        signature.packed = inner.packed;
        lanes_ = inner.in_layout == Layout::kLanes ? c.kernels->lanes : 1;
        gated_ = masks_dy ? c.in_size() * lanes_ : 0;
        jobs_.clear();
        const auto add = [&](Work work, const Stage& stage, int own = 0) {
            jobs_.push_back({work, own});
            signature.stages.push_back(stage);
        };
        gather_ = 0;
        while (stage_of(inner, gather_).phase == Phase::kPrepare) {
            add(Work::kPrepare, stage_of(inner, gather_), gather_);
            ++gather_;
        }
        scatter_ = static_cast<int>(inner.stages.size()) - 1;
        const Stage &gather = stage_of(inner, gather_), &scatter = stage_of(inner, scatter_);
        cut_ = !scatter.by_image;
        Stage forward{Phase::kForward, !cut_, scatter.tasks, scatter.scratch, c.flops()};
        forward.packed = scatter.packed;
        forward.reads_kernel = scatter.reads_kernel;
        add(Work::kForward, forward);
        Stage finish{Phase::kForward, false, kPieces, 0, 0};
        finish.packed = kNoBlock;
        if (cut_ && (bias_ || relu_)) add(Work::kFinish, finish);
        if (!trains) return signature;
        signature.backward_reads[0] = c.wants_dw || (gate_taken_ && wants_dx);
        signature.backward_reads_output = masks_dy;
        signature.gradient[1] = signature.gradient[2] =
            cut_ ? GradientBy::kOwner : GradientBy::kParts;
        if (!cut_) {
            Stage backward{Phase::kBackward, true, 1,
                           gated_ + std::max(gather.scratch, scatter.scratch),
                           c.flops() * (wants_dx + c.wants_dw)};
            backward.packed = wants_dx ? gather.packed : kNoBlock;
            add(Work::kBackward, backward);
            return signature;
        }
        if (wants_dx) {  // before the kernel moves
            Stage dx{Phase::kBackward, false, gather.tasks, gather.scratch, c.flops()};
            dx.packed = gather.packed;
            dx.reads_kernel = gather.reads_kernel;
            dx.reads_in = false;
            add(Work::kDx, dx);
            finish.phase = Phase::kBackward;
            finish.reads_d_out = finish.reads_out = finish.reads_kernel = false;
            if (gate_taken_) add(Work::kMask, finish);
        }
        for (int own = gather_ + 1; own < scatter_; ++own) {
            Stage gradient = stage_of(inner, own);
            if (wants_db && own + 1 == scatter_) {  // adds db, as long as dy is there
                gradient.phase = Phase::kBackward;
                gradient.reads_d_out = gradient.reads_out = true;
                gradient.scratch = std::max(gradient.scratch, gated_);
            }
            add(Work::kGradient, gradient, own);
        }
        if (wants_db && !c.wants_dw) {
            Stage gradient{Phase::kBackward, false, 1, gated_, 0};
            gradient.writes_d_in = gradient.reads_in = gradient.reads_kernel = false;
            gradient.packed = kNoBlock;
            add(Work::kGradient, gradient);
        }
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        if (whole_ != nullptr) return whole_->run(stage, args, task);
        const ConvProblem& c = convolution_;
        Args inner = inner_args(args, args.images, args.scratch);
        const Job& job = jobs_[static_cast<size_t>(stage)];
        switch (job.work) {
            case Work::kPrepare:
                return algorithm_->run(job.own, args, task);
            case Work::kForward:
                if (!cut_) return forward(args);
                inner.d_out = args.in[0];
                inner.d_in[0] = args.out;
                return algorithm_->run(scatter_, inner, task);
            case Work::kFinish:
                return finish(args, task);
            case Work::kBackward:
                for (int64_t i = 0; i < args.images; i += lanes_) backward(args, i);
                return;
            case Work::kDx:
                inner.in[0] = args.d_out;
                inner.in[2] = args.out;
                inner.out = args.d_in[0];
                return algorithm_->run(gather_, inner, task);
            case Work::kMask:
                return mask_dx(args, share_of(c.batch * c.out_size(), task, kPieces));
            case Work::kGradient:
                if (args.d_in[2] != nullptr && owned(stage, 2, task).count > 0) {
                    for (int64_t i = 0; i < args.images; ++i) {
                        add_db(args, masked_dy(args, i), i > 0);
                    }
                }
                if (!c.wants_dw) return;
                inner.in[0] = args.d_out;
                inner.in[2] = args.out;
                inner.d_out = args.in[0];
                inner.d_in[1] = args.d_in[1];
                return algorithm_->run(job.own, inner, task);
        }
    }

    Range owned(int stage, int input, int64_t task) const override {
        if (whole_ != nullptr) return whole_->owned(stage, input, task);
        const Job& job = jobs_[static_cast<size_t>(stage)];
        if (job.work != Work::kGradient) return {};
        const bool last = stage + 1 == static_cast<int>(jobs_.size());
        if (input == 2) return last && task == 0 ? Range{0, convolution_.in_c} : Range{};
        return convolution_.wants_dw ? algorithm_->owned(job.own, input, task) : Range{};
    }

   private:
    /// What a stage does: one of the algorithm's, or what comes behind it. kBackward is by image,
    /// of pieces kDx, kMask and kGradient are.
    enum class Work : uint8_t { kPrepare, kForward, kFinish, kBackward, kDx, kMask, kGradient };
    struct Job {
        Work work;
        int own;  // which of the algorithm's stages, of kPrepare and kGradient
    };

    static const Stage& stage_of(const Signature& inner, int stage) {
        return inner.stages[static_cast<size_t>(stage)];
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

    void forward(const Args& args) const noexcept {
        const ConvProblem& c = convolution_;
        for (int64_t i = 0; i < args.images; i += lanes_) {
            float* y = args.out + i * c.in_size();
            Args inner = inner_args(args, lanes_, args.scratch);
            inner.d_out = args.in[0] + i * c.out_size();
            inner.d_in[0] = y;
            algorithm_->run(scatter_, inner, 0);
            if (bias_ || relu_) add_bias(args, c.in_size() / c.in_c, y);
        }
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

    /// The gradient of x is 0 where x is not above 0.
    void mask_dx(const Args& args, Range floats) const noexcept {
        float* dx = args.d_in[0] + floats.begin;
        convolution_.kernels->activate_backward(Activation::kRelu, floats.count,
                                                args.in[0] + floats.begin, dx, dx);
    }

    /// dy of an image, or a group of them; where nobody else masks it by the ReLU, a masked copy.
    const float* masked_dy(const Args& args, int64_t image) const noexcept {
        const int64_t from = image * convolution_.in_size();
        if (gated_ == 0) return args.d_out + from;
        convolution_.kernels->activate_backward(Activation::kRelu, gated_, args.out + from,
                                                args.d_out + from, args.scratch);
        return args.scratch;
    }

    void add_db(const Args& args, const float* dy, bool accumulate) const noexcept {
        const ConvProblem& c = convolution_;
        if (args.d_in[2] == nullptr) return;
        (lanes_ > 1 ? c.kernels->channel_sums_lanes : c.kernels->channel_sums)(
            dy, 1, c.in_size() / c.in_c, c.in_c, c.in_size(), c.in_c, args.d_in[2], accumulate);
    }

    /// Of one image, or one group of them.
    void backward(const Args& args, int64_t image) const noexcept {
        const ConvProblem& c = convolution_;
        const float* dy = masked_dy(args, image);
        Args inner = inner_args(args, lanes_, args.scratch + gated_);
        inner.in[0] = dy;
        if (args.d_in[0] != nullptr) {
            inner.out = args.d_in[0] + image * c.out_size();
            algorithm_->run(gather_, inner, 0);
            if (gate_taken_) mask_dx(args, {image * c.out_size(), c.out_size() * lanes_});
        }
        inner.accumulate = args.accumulate || image > 0;
        if (args.d_in[1] != nullptr) {
            inner.d_out = args.in[0] + image * c.out_size();
            inner.d_in[1] = args.d_in[1];
            algorithm_->run(scatter_, inner, 0);
        }
        add_db(args, dy, inner.accumulate);
    }

    /// The algorithm's, of so many images.
    static Args inner_args(const Args& args, int64_t images, float* scratch) noexcept {
        Args inner;
        inner.in[1] = args.in[1];
        inner.packed = args.packed;
        inner.scratch = scratch;
        inner.images = images;
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
    int64_t gated_ = 0;                                 // floats of dy that are masked by the ReLU
    std::vector<Job> jobs_;                             // of our stages
    int gather_ = 0, scatter_ = 0;                      // the algorithm's forward pass and its dx
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
