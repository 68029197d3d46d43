// SPDX-License-Identifier: Apache-2.0
#include "ops/fold.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace pronghorn {

namespace {

/// What the two share: one forward stage, and r.
class Fold : public Op {
   public:
    explicit Fold(const ChannelAffine& affine) : affine_(affine) {}

    Takes takes(int /*input*/) const override { return Takes::kParameter; }
    Signature plan(const PlanContext& /*context*/) override {
        Signature signature;
        signature.stages.push_back({Phase::kForward, false, 1, channels_, 0});
        return signature;
    }

   protected:
    double ratio(const float* gamma, const float* variance, int64_t channel) const {
        const double root = std::sqrt(variance[channel] + affine_.epsilon);
        return (gamma == nullptr ? 1.0 : static_cast<double>(gamma[channel])) / root;
    }

    ChannelAffine affine_;
    int64_t channels_ = 0;
};

class FoldKernel final : public Fold {
   public:
    using Fold::Fold;

    Tensor infer(const std::vector<Tensor>& inputs) override {
        size_ = inputs[0].shape.elements();
        channels_ = inputs.back().shape[0];
        return inputs[0];
    }
    void run(int /*stage*/, const Args& args, int64_t /*task*/) const noexcept override {
        const float* gamma = affine_.gamma ? args.in[1] : nullptr;
        const float* variance = args.in[affine_.gamma ? 2 : 1];
        for (int64_t c = 0; c < channels_; ++c) {
            args.scratch[c] = static_cast<float>(ratio(gamma, variance, c));
        }
        for (int64_t i = 0; i < size_; i += channels_) {
            for (int64_t c = 0; c < channels_; ++c) {
                args.out[i + c] = args.in[0][i + c] * args.scratch[c];
            }
        }
    }

   private:
    int64_t size_ = 0;
};

class FoldBias final : public Fold {
   public:
    FoldBias(const ChannelAffine& affine, bool has_bias) : Fold(affine), has_bias_(has_bias) {}

    Tensor infer(const std::vector<Tensor>& inputs) override {
        channels_ = inputs.back().shape[0];
        return inputs.back();
    }
    void run(int /*stage*/, const Args& args, int64_t /*task*/) const noexcept override {
        const auto* next = args.in.data();
        const float* bias = has_bias_ ? *next++ : nullptr;
        const float* gamma = affine_.gamma ? *next++ : nullptr;
        const float* beta = affine_.beta ? *next++ : nullptr;
        const float *mean = next[0], *variance = next[1];
        for (int64_t c = 0; c < channels_; ++c) {
            const double from = (bias == nullptr ? 0.0 : static_cast<double>(bias[c])) - mean[c];
            const double start = beta == nullptr ? 0.0 : static_cast<double>(beta[c]);
            args.out[c] = static_cast<float>(from * ratio(gamma, variance, c) + start);
        }
    }

   private:
    bool has_bias_;
};

class FoldRepeats final : public Op {
   public:
    explicit FoldRepeats(std::vector<int64_t> repeats) : repeats_(std::move(repeats)) {}

    Takes takes(int /*input*/) const override { return Takes::kParameter; }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const Shape& kernel = inputs[0].shape;
        in_c_ = kernel[-2];
        out_c_ = kernel[-1];
        Tensor folded = inputs[0];
        summands_ = {{0}};
        int64_t cells = 1, sums = 1;
        for (size_t axis = 0; axis < repeats_.size(); ++axis) {
            const int64_t size = kernel[static_cast<int>(axis)], more = size + repeats_[axis] - 1;
            folded.shape[static_cast<int>(axis)] = more;
            std::vector<std::vector<int64_t>> wider;
            for (const auto& before : summands_) {
                for (int64_t j = 0; j < more; ++j) {
                    std::vector<int64_t> list;
                    for (int64_t cell : before) {
                        for (int64_t r = 0; r < repeats_[axis]; ++r) {
                            const int64_t tap = size - 1 - j + r;
                            if (0 <= tap && tap < size) list.push_back(cell * size + tap);
                        }
                    }
                    wider.push_back(std::move(list));
                }
            }
            summands_ = std::move(wider);
            cells *= size;
            sums *= more;
        }
        terms_.assign(static_cast<size_t>(cells), {});
        for (int64_t sum = 0; sum < sums; ++sum) {
            for (int64_t cell : summands_[static_cast<size_t>(sum)]) {
                terms_[static_cast<size_t>(cell)].push_back(sum);
            }
        }
        folded.shape[-2] = out_c_;
        folded.shape[-1] = in_c_;
        return folded;
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        Signature signature;
        const auto stage = [this](Phase phase, const auto& lists, int64_t columns) {
            return Stage{phase, false, static_cast<int64_t>(lists.size()), kRows * columns, 0};
        };
        signature.stages.push_back(stage(Phase::kForward, summands_, out_c_));
        if (context.training) signature.stages.push_back(stage(Phase::kBackward, terms_, in_c_));
        signature.gradient[0] = GradientBy::kParts;
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        const int64_t at = task * in_c_ * out_c_;
        const auto cell = static_cast<size_t>(task);
        if (stage == 0) {
            sum(summands_[cell], in_c_, out_c_, args.in[0], args.scratch, args.out + at);
        } else {
            sum(terms_[cell], out_c_, in_c_, args.d_out, args.scratch, args.d_in[0] + at);
        }
    }

   private:
    static constexpr int64_t kRows = 32;  // summed before they are transposed

    /// y (columns, rows) = the sum of some of the matrices (rows, columns) in x.
    void sum(const std::vector<int64_t>& which, int64_t rows, int64_t columns, const float* x,
             float* scratch, float* y) const noexcept {
        for (int64_t row = 0; row < rows; row += kRows) {
            const int64_t high = std::min(kRows, rows - row);
            const float* total = nullptr;
            for (int64_t matrix : which) {
                const float* term = x + (matrix * rows + row) * columns;
                if (total != nullptr) kernels_->add(high * columns, total, term, scratch);
                total = total == nullptr ? term : scratch;
            }
            kernels_->transpose_plane(high, columns, total, columns, y + row, rows);
        }
    }

    std::vector<int64_t> repeats_;
    int64_t in_c_ = 0, out_c_ = 0;
    // Which cells of the kernel each cell of the result sums, and the other way round.
    std::vector<std::vector<int64_t>> summands_, terms_;
    const Kernels* kernels_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_fold_kernel(const ChannelAffine& affine) {
    return std::make_unique<FoldKernel>(affine);
}
std::unique_ptr<Op> make_fold_bias(const ChannelAffine& affine, bool has_bias) {
    return std::make_unique<FoldBias>(affine, has_bias);
}
std::unique_ptr<Op> make_fold_repeats(std::vector<int64_t> repeats) {
    return std::make_unique<FoldRepeats>(std::move(repeats));
}

}  // namespace pronghorn
