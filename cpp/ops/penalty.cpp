// SPDX-License-Identifier: Apache-2.0
// penalty: l1 * sum |x| + l2 * sum x^2 of every image (activity regularization). orthogonality:
// the mean magnitude of the cosines between the rows, or columns, of a weight matrix, times a
// factor: one value, computed from the weight alone.
#include <algorithm>
#include <cmath>

#include "ops/op.h"

namespace pronghorn {

namespace {

class Penalty final : public Op {
   public:
    explicit Penalty(Attributes& attributes)
        : l1_(static_cast<float>(attributes.number("l1", 0.0))),
          l2_(static_cast<float>(attributes.number("l2", 0.0))) {}

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 1 && inputs[0].dtype == DType::kFloat32, "penalty",
              "expected one float32 input");
        size_ = inputs[0].shape.elements(1);
        return {Shape{inputs[0].shape[0]}};
    }

    Signature plan(const PlanContext& context) override {
        Signature signature;
        signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
        if (context.training) signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
        signature.backward_reads = {true};
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        for (int64_t i = 0; i < args.images; ++i) {
            const float* x = args.in[0] + i * size_;
            if (stage == 0) {
                double magnitudes = 0, squares = 0;
                for (int64_t k = 0; k < size_; ++k) {
                    magnitudes += std::fabs(x[k]);
                    squares += static_cast<double>(x[k]) * x[k];
                }
                args.out[i] = static_cast<float>(l1_ * magnitudes + l2_ * squares);
                continue;
            }
            float* d_x = args.d_in[0] + i * size_;
            for (int64_t k = 0; k < size_; ++k) {
                const float side = x[k] > 0 ? 1.0f : x[k] < 0 ? -1.0f : x[k];  // NaN stays
                d_x[k] = args.d_out[i] * (l1_ * side + 2.0f * l2_ * x[k]);
            }
        }
    }

   private:
    float l1_, l2_;
    int64_t size_ = 1;
};

/// Saved: the rows divided by their norms, then the norms.
class Orthogonality final : public Op {
   public:
    explicit Orthogonality(Attributes& attributes)
        : factor_(attributes.number("factor", 0.01)), columns_(attributes.flag("columns", false)) {}

    Takes takes(int /*input*/) const override { return Takes::kParameter; }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 1 && inputs[0].shape.rank() == 2, "orthogonality",
              "expected a matrix of weights, got ", inputs.empty() ? Shape{} : inputs[0].shape);
        const Shape& shape = inputs[0].shape;
        rows_ = shape[columns_ ? 1 : 0];
        size_ = shape[columns_ ? 0 : 1];
        row_stride_ = columns_ ? 1 : size_;
        stride_ = columns_ ? rows_ : 1;
        return {Shape{1}, DType::kFloat32, true};
    }

    Signature plan(const PlanContext& context) override {
        Signature signature;
        signature.saved = rows_ * (size_ + 1);
        const double flops = static_cast<double>(rows_ * rows_) * static_cast<double>(size_);
        signature.stages.push_back({Phase::kForward, true, 1, 0, flops});
        if (context.training) {
            signature.stages.push_back({Phase::kBackward, true, 1, size_, 2 * flops});
        }
        signature.backward_reads = {true};
        signature.gradient = {GradientBy::kParts};
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        if (stage == 0) return forward(args);
        for (int64_t i = 0; i < rows_; ++i) backward_row(args, i);
    }

   private:
    double scale() const {
        return factor_ * 2 / (static_cast<double>(rows_) * static_cast<double>(rows_ - 1));
    }
    double cosine(const float* units, int64_t i, int64_t j) const {
        double sum = 0;
        for (int64_t k = 0; k < size_; ++k) {
            sum += static_cast<double>(units[i * size_ + k]) * units[j * size_ + k];
        }
        return sum;
    }

    void forward(const Args& args) const noexcept {
        float* units = args.saved;
        float* norms = units + rows_ * size_;
        double total = 0;
        for (int64_t i = 0; i < rows_; ++i) {
            const float* row = args.in[0] + i * row_stride_;
            double squares = 0;
            for (int64_t k = 0; k < size_; ++k) {
                squares += static_cast<double>(row[k * stride_]) * row[k * stride_];
            }
            norms[i] = static_cast<float>(std::max(std::sqrt(squares), 1e-7));
            for (int64_t k = 0; k < size_; ++k) {
                units[i * size_ + k] = row[k * stride_] / norms[i];
            }
            for (int64_t j = 0; j < i; ++j) total += std::fabs(cosine(units, i, j));
        }
        args.out[0] = static_cast<float>(scale() * total);
    }

    void backward_row(const Args& args, int64_t i) const noexcept {
        const float* units = args.saved;
        const float* unit = units + i * size_;
        float* slope = args.scratch;  // by the unit vector
        std::fill(slope, slope + size_, 0.0f);
        for (int64_t j = 0; j < rows_; ++j) {
            if (j == i) continue;
            const double along = cosine(units, i, j);
            const float side = along > 0 ? 1.0f : along < 0 ? -1.0f : 0.0f;
            for (int64_t k = 0; k < size_; ++k) slope[k] += side * units[j * size_ + k];
        }
        double along = 0;
        for (int64_t k = 0; k < size_; ++k) along += static_cast<double>(slope[k]) * unit[k];
        const double each = scale() * args.d_out[0] / units[rows_ * size_ + i];
        float* d_row = args.d_in[0] + i * row_stride_;
        for (int64_t k = 0; k < size_; ++k) {
            const auto value = static_cast<float>(each * (slope[k] - along * unit[k]));
            d_row[k * stride_] = args.accumulate ? d_row[k * stride_] + value : value;
        }
    }

    double factor_;
    bool columns_;
    int64_t rows_ = 1, size_ = 1, row_stride_ = 1, stride_ = 1;
};

}  // namespace

std::unique_ptr<Op> make_penalty(Attributes& attributes) {
    return std::make_unique<Penalty>(attributes);
}
std::unique_ptr<Op> make_orthogonality(Attributes& attributes) {
    return std::make_unique<Orthogonality>(attributes);
}

}  // namespace pronghorn
