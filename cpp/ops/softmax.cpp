// SPDX-License-Identifier: Apache-2.0
// Along one axis: softmax, y = exp(x - max x) / sum exp(x - max x), its logarithm log_softmax, and
// sparsemax, the nearest point to x whose coordinates are at least 0 and sum to 1.
#include "ops/op.h"

namespace pronghorn {

namespace {

enum class SoftmaxKind : uint8_t { kSoftmax, kLogSoftmax, kSparsemax };

class Softmax final : public Op {
   public:
    Softmax(Attributes& attributes, SoftmaxKind kind)
        : name_(attributes.op()), kind_(kind), axis_(attributes.integer("axis", -1)) {}

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const Shape& x = inputs[0].shape;
        const int64_t rank = x.rank();
        check(rank >= 2 && axis_ >= -rank && axis_ < rank && axis_ != 0 && axis_ != -rank,
              name_.c_str(), "expected an axis behind the batch of ", x, ", got ", axis_);
        const int axis = static_cast<int>(axis_ < 0 ? axis_ + rank : axis_);
        classes_ = x[axis];
        inner_ = x.elements(axis + 1);
        image_ = x.elements(1);
        return inputs[0];
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        Signature signature;
        // Another axis than the last: one strided row at a time through scratch (x and y, or y, dy,
        // dx).
        const int64_t scratch = inner_ == 1 ? 0 : 3 * classes_;
        signature.stages.push_back({Phase::kForward, true, 1, scratch, 0});
        if (context.training) signature.stages.push_back({Phase::kBackward, true, 1, scratch, 0});
        signature.backward_reads_output = true;
        return signature;
    }

    bool is_softmax() const override { return kind_ == SoftmaxKind::kSoftmax && inner_ == 1; }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        const bool forward = stage == 0;
        const int64_t rows = args.images * image_ / classes_;
        if (inner_ == 1 && forward) {
            return forward_rows(rows, args.in[0], args.out);
        }
        if (inner_ == 1) {
            return backward_rows(rows, args.out, args.d_out, args.d_in[0]);
        }
        float *a = args.scratch, *b = a + classes_, *c = b + classes_;
        for (int64_t row = 0; row < rows; ++row) {
            const int64_t at = row / inner_ * inner_ * classes_ + row % inner_;
            for (int64_t k = 0; k < classes_; ++k) {
                a[k] = (forward ? args.in[0] : args.out)[at + k * inner_];
                if (!forward) b[k] = args.d_out[at + k * inner_];
            }
            if (forward) {
                forward_rows(1, a, c);
            } else {
                backward_rows(1, a, b, c);
            }
            float* into = forward ? args.out : args.d_in[0];
            for (int64_t k = 0; k < classes_; ++k) into[at + k * inner_] = c[k];
        }
    }

   private:
    void forward_rows(int64_t rows, const float* x, float* y) const noexcept {
        const auto kernel = kind_ == SoftmaxKind::kSoftmax      ? kernels_->softmax
                            : kind_ == SoftmaxKind::kLogSoftmax ? kernels_->log_softmax
                                                                : kernels_->sparsemax;
        kernel(rows, classes_, x, y);
    }
    void backward_rows(int64_t rows, const float* y, const float* dy, float* dx) const noexcept {
        const auto kernel = kind_ == SoftmaxKind::kSoftmax      ? kernels_->softmax_backward
                            : kind_ == SoftmaxKind::kLogSoftmax ? kernels_->log_softmax_backward
                                                                : kernels_->sparsemax_backward;
        kernel(rows, classes_, y, dy, dx);
    }

    std::string name_;
    SoftmaxKind kind_;
    int64_t axis_;
    int64_t classes_ = 1, inner_ = 1, image_ = 1;
    const Kernels* kernels_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_softmax(Attributes& attributes) {
    return std::make_unique<Softmax>(attributes, SoftmaxKind::kSoftmax);
}
std::unique_ptr<Op> make_log_softmax(Attributes& attributes) {
    return std::make_unique<Softmax>(attributes, SoftmaxKind::kLogSoftmax);
}
std::unique_ptr<Op> make_sparsemax(Attributes& attributes) {
    return std::make_unique<Softmax>(attributes, SoftmaxKind::kSparsemax);
}

}  // namespace pronghorn
