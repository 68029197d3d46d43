// SPDX-License-Identifier: Apache-2.0
// locally_connected1d, locally_connected2d: a convolution without shared weights, padding valid.
// x (batch, in_h, in_w, in_c), kernel (out_h * out_w, kernel_h * kernel_w * in_c, filters), bias
// (out_h, out_w, filters) -> y (batch, out_h, out_w, filters).
// Kernels are large and each of their values meets an image once, so work is cut over the kernel:
// forward and dw by output positions, a matrix product of the batch's patches each; dx by rows of
// x. So the kernel is read once for the whole batch.
#include <cstring>

#include "ops/gemm.h"
#include "ops/op.h"
#include "ops/window.h"

namespace pronghorn {

namespace {

class LocallyConnected final : public Op {
   public:
    LocallyConnected(Attributes& attributes, int axes)
        : name_(attributes.op()),
          axes_(axes),
          size_(attributes.integers("kernel_size", std::vector<int64_t>(rank(), 1), rank(), 1)),
          strides_(attributes.integers("strides", std::vector<int64_t>(rank(), 1), rank(), 1)) {}

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
        batch_ = x[0];
        in_c_ = x[-1];
        Shape y{batch_};
        for (int axis = 0; axis < axes_; ++axis) {
            const auto i = static_cast<size_t>(axis);
            Window& window = axis + 1 == axes_ ? width_ : height_;
            window = Padding{}.over(x[axis + 1], axis, size_[i], strides_[i], 1, name);
            y.push_back(window.out);
        }
        positions_ = height_.out * width_.out;
        line_ = width_.kernel * in_c_;
        depth_ = height_.kernel * line_;
        check(kernel.rank() == 3 && kernel[0] == positions_ && kernel[1] == depth_ &&
                  kernel.elements() > 0,
              name, "expected a kernel of shape (", positions_, ", ", depth_, ", filters), got ",
              kernel);
        filters_ = kernel[2];
        y.push_back(filters_);
        bias_ = inputs.size() == 3;
        const Shape image(std::vector<int64_t>(y.begin() + 1, y.end()));
        check(!bias_ || inputs[2].shape == image, name, "expected a bias of shape ", image);
        block_ =
            std::clamp<int64_t>(kBlockFloats / checked_product(depth_, filters_), 1, positions_);
        return {y};
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        const int64_t blocks = (positions_ + block_ - 1) / block_;
        const int64_t patches = checked_product(batch_, depth_);
        const double flops = 2.0 * static_cast<double>(patches) *
                             static_cast<double>(checked_product(positions_, filters_));
        Signature signature;
        jobs_ = {Job::kForward};
        signature.stages.push_back({Phase::kForward, false, blocks, patches, flops});
        if (!context.training) return signature;
        if (context.wants_gradient[0]) {
            jobs_.push_back(Job::kBackwardX);
            signature.stages.push_back(
                {Phase::kBackward, false, height_.in, batch_ * line_, flops});
        }
        if (context.wants_gradient[1] || (bias_ && context.wants_gradient[2])) {
            jobs_.push_back(Job::kBackwardW);
            signature.stages.push_back({Phase::kGradient, false, blocks, patches, flops});
        }
        signature.backward_reads[0] = context.wants_gradient[1];
        signature.gradient[1] = signature.gradient[2] = GradientBy::kOwner;
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        switch (jobs_[static_cast<size_t>(stage)]) {
            case Job::kForward:
                return forward(args, positions(task));
            case Job::kBackwardX:
                return backward_x(args, task);
            case Job::kBackwardW:
                return backward_w(args, positions(task));
        }
    }

    Range owned(int stage, int input, int64_t task) const override {
        if (jobs_[static_cast<size_t>(stage)] != Job::kBackwardW) return {};
        const int64_t size = input == 1 ? depth_ * filters_ : input == 2 ? filters_ : 0;
        const Range range = positions(task);
        return {range.begin * size, range.count * size};
    }

   private:
    enum class Job : uint8_t { kForward, kBackwardX, kBackwardW };

    size_t rank() const { return static_cast<size_t>(axes_); }
    int64_t in_size() const { return height_.in * width_.in * in_c_; }
    int64_t out_size() const { return positions_ * filters_; }
    Range positions(int64_t task) const {
        const int64_t begin = task * block_;
        return {begin, std::min(block_, positions_ - begin)};
    }

    /// The inputs of that output position, a row for each image.
    void gather(const float* x, int64_t position, float* patches) const noexcept {
        const int64_t row = position / width_.out * height_.stride;
        const int64_t column = position % width_.out * width_.stride;
        for (int64_t n = 0; n < batch_; ++n) {
            const float* from = x + n * in_size() + (row * width_.in + column) * in_c_;
            for (int64_t i = 0; i < height_.kernel; ++i, patches += line_) {
                std::memcpy(patches, from + i * width_.in * in_c_,
                            static_cast<size_t>(line_) * sizeof(float));
            }
        }
    }

    void forward(const Args& args, Range range) const noexcept {
        for (int64_t p = range.begin; p < range.begin + range.count; ++p) {
            gather(args.in[0], p, args.scratch);
            float* y = args.out + p * filters_;
            for (int64_t n = 0; bias_ && n < batch_; ++n) {
                std::memcpy(y + n * out_size(), args.in[2] + p * filters_,
                            static_cast<size_t>(filters_) * sizeof(float));
            }
            gemm(batch_, filters_, depth_, {args.scratch, depth_},
                 {args.in[1] + p * depth_ * filters_, filters_}, bias_ ? 1.0f : 0.0f, y,
                 out_size());
        }
    }

    /// Row `row` of dx: every output whose window has a line there adds that line's part.
    void backward_x(const Args& args, int64_t row) const noexcept {
        const int64_t width = width_.in * in_c_;
        for (int64_t n = 0; n < batch_; ++n) {
            std::memset(args.d_in[0] + n * in_size() + row * width, 0,
                        static_cast<size_t>(width) * sizeof(float));
        }
        for (int64_t h = 0; h < height_.out; ++h) {
            const int64_t line = row - h * height_.stride;
            if (line < 0 || line >= height_.kernel) continue;
            for (int64_t w = 0; w < width_.out; ++w) {
                const int64_t p = h * width_.out + w;
                const float* kernel = args.in[1] + (p * depth_ + line * line_) * filters_;
                gemm(batch_, line_, filters_, {args.d_out + p * filters_, out_size()},
                     {kernel, filters_, true}, 0.0f, args.scratch, line_);
                float* dx = args.d_in[0] + row * width + w * width_.stride * in_c_;
                for (int64_t n = 0; n < batch_; ++n) {
                    kernels_->add(line_, dx + n * in_size(), args.scratch + n * line_,
                                  dx + n * in_size());
                }
            }
        }
    }

    void backward_w(const Args& args, Range range) const noexcept {
        for (int64_t i = 0; i < range.count; ++i) {
            const int64_t p = range.begin + i;
            const float* dy = args.d_out + p * filters_;
            if (args.d_in[1] != nullptr) {
                gather(args.in[0], p, args.scratch);
                gemm(depth_, filters_, batch_, {args.scratch, depth_, true}, {dy, out_size()}, 0.0f,
                     args.d_in[1] + i * depth_ * filters_, filters_);
            }
            if (args.d_in[2] != nullptr) {
                kernels_->channel_sums(dy, 1, batch_, filters_, 0, out_size(),
                                       args.d_in[2] + i * filters_, false);
            }
        }
    }

    std::string name_;
    int axes_;
    std::vector<int64_t> size_, strides_;
    Window height_{1, 1}, width_;
    int64_t batch_ = 0, in_c_ = 0, filters_ = 0;
    int64_t positions_ = 0;  // of the output
    int64_t line_ = 0;       // floats of a window's row
    int64_t depth_ = 0;      // of a window
    int64_t block_ = 1;      // positions of a task
    bool bias_ = false;
    std::vector<Job> jobs_;  // by stage
    const Kernels* kernels_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_locally_connected1d(Attributes& attributes) {
    return std::make_unique<LocallyConnected>(attributes, 1);
}
std::unique_ptr<Op> make_locally_connected2d(Attributes& attributes) {
    return std::make_unique<LocallyConnected>(attributes, 2);
}

}  // namespace pronghorn
