// SPDX-License-Identifier: Apache-2.0
// adaptive_average_pool, adaptive_max_pool: x (batch, 1 to 3 spatial axes, c) to a given size of
// those axes. Window j of an axis covers [floor(j * in / out), ceil((j + 1) * in / out)); along
// each axis on its own, both the mean and the maximum of the means and maxima are the whole's.
#include <algorithm>

#include "ops/separable.h"

namespace pronghorn {

namespace {

std::vector<int64_t> output_size(Attributes& attributes) {
    std::vector<int64_t> size = attributes.integers("output_size", {}, 0, 1);
    check(!size.empty() && size.size() <= 3, attributes.op(),
          "expected 1 to 3 numbers for output_size, got ", size.size());
    return size;
}

void check_rank(const char* op, const Shape& x, size_t axes) {
    check(x.rank() == static_cast<int>(axes) + 2, op, "expected ", axes + 2, "-D input (batch, ",
          axes, " axes, channels), got ", x);
}

class AdaptiveAveragePool final : public SeparableOp {
   public:
    explicit AdaptiveAveragePool(Attributes& attributes)
        : SeparableOp("adaptive_average_pool"), size_(output_size(attributes)) {}

    Resampling resampling() const override { return Resampling::kMeans; }

   protected:
    std::vector<int64_t> sizes(const Shape& x) override {
        check_rank(name_.c_str(), x, size_.size());
        return size_;
    }
    AxisTaps taps(int /*axis*/, int64_t in, int64_t out) const override {
        return adaptive_taps(in, out);
    }

   private:
    std::vector<int64_t> size_;
};

/// The innermost axis first: of equal values the first in the image's order wins.
class AdaptiveMaxPool final : public Op {
   public:
    explicit AdaptiveMaxPool(Attributes& attributes) : size_(output_size(attributes)) {}

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 1, kName, "expected 1 input, got ", inputs.size());
        x_ = inputs[0].shape;
        check_rank(kName, x_, size_.size());
        Shape y = x_;
        for (int axis = 1; axis + 1 < y.rank(); ++axis)
            y[axis] = size_[static_cast<size_t>(axis) - 1];
        check_cells(kName, x_);
        check_cells(kName, y);
        x_size_ = x_.elements(1);
        y_size_ = y.elements(1);
        return {y};
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        lanes_ = context.layouts[0] == Layout::kLanes ? kernels_->lanes : 1;
        passes_.clear();
        between_ = 0;
        int64_t saved = 0;
        Shape shape = x_;
        for (int axis = x_.rank() - 2; axis >= 1; --axis) {
            const int64_t in = x_[axis], out = size_[static_cast<size_t>(axis) - 1];
            shape[axis] = out;
            Pass pass{{}, {}, 1, in, shape.elements(axis + 1), saved};
            for (int before = 1; before < axis; ++before) pass.outer *= shape[before];
            for (int64_t j = 0; j < out; ++j) {
                pass.begin.push_back(j * in / out);
                pass.end.push_back(((j + 1) * in + out - 1) / out);
            }
            saved += pass.out_size();
            between_ = std::max(between_, pass.out_size() * lanes_);
            passes_.push_back(std::move(pass));
        }
        Signature signature;
        signature.in_layout = signature.out_layout = context.layouts[0];
        signature.stages.push_back({Phase::kForward, true, 1, 2 * between_, 0});
        if (context.training) {
            signature.stages.push_back({Phase::kBackward, true, 1, 2 * between_, 0});
            signature.saved = saved_ = saved;
        }
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        for (int64_t i = 0; i < args.images; i += lanes_) {
            float* saved = args.saved == nullptr ? nullptr : args.saved + i * saved_;
            if (stage == 0) {
                forward(args.in[0] + i * x_size_, args.out + i * y_size_, saved, args.scratch);
            } else {
                backward(args.d_out + i * y_size_, args.d_in[0] + i * x_size_, saved, args.scratch);
            }
        }
    }

   private:
    static constexpr const char* kName = "adaptive_max_pool";

    struct Pass {
        std::vector<int64_t> begin, end;
        int64_t outer, in, inner;
        int64_t saved;  // floats of the passes before
        int64_t out_size() const { return outer * static_cast<int64_t>(begin.size()) * inner; }
    };

    AxisWindows windows(const Pass& pass) const {
        return {pass.outer,          pass.in,           static_cast<int64_t>(pass.begin.size()),
                pass.inner * lanes_, pass.begin.data(), pass.end.data()};
    }
    float* between(size_t pass, float* scratch) const {
        return scratch + (pass % 2 == 0 ? 0 : between_);
    }

    void forward(const float* x, float* y, float* saved, float* scratch) const noexcept {
        for (size_t i = 0; i < passes_.size(); ++i) {
            float* to = i + 1 == passes_.size() ? y : between(i, scratch);
            float* winners = saved == nullptr ? nullptr : saved + passes_[i].saved * lanes_;
            kernels_->axis_max(windows(passes_[i]), x, to, winners);
            x = to;
        }
    }

    void backward(const float* dy, float* dx, const float* saved, float* scratch) const noexcept {
        for (size_t i = passes_.size(); i-- > 0;) {
            float* to = i == 0 ? dx : between(i, scratch);
            kernels_->axis_max_backward(windows(passes_[i]), dy, saved + passes_[i].saved * lanes_,
                                        to);
            dy = to;
        }
    }

    std::vector<int64_t> size_;
    Shape x_;
    std::vector<Pass> passes_;
    int64_t x_size_ = 0, y_size_ = 0, lanes_ = 1, between_ = 0, saved_ = 0;
    const Kernels* kernels_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_adaptive_average_pool(Attributes& attributes) {
    return std::make_unique<AdaptiveAveragePool>(attributes);
}
std::unique_ptr<Op> make_adaptive_max_pool(Attributes& attributes) {
    return std::make_unique<AdaptiveMaxPool>(attributes);
}

}  // namespace pronghorn
