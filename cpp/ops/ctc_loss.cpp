// SPDX-License-Identifier: Apache-2.0
// ctc_loss: -log of the probability that frames of logits (batch, frames, classes) spell the labels
// (batch, length), class 0 being the blank and, behind the labels, the padding (Graves et al.
// 2006). The states of a path are the labels with a blank before, between and behind them; alpha
// sums the paths up to a frame, beta those from it on, in logarithms. Where no path is long enough
// the loss is near 1e5, as in Keras on JAX: what is impossible costs that much.
#include <algorithm>
#include <cmath>

#include "ops/op.h"

namespace pronghorn {

namespace {

constexpr double kImpossible = -1e5;
constexpr double kNever = -1e30;
constexpr int64_t kDouble = sizeof(double) / sizeof(float);

double log_add(double a, double b) {
    const double top = a > b ? a : b, gap = a > b ? b - a : a - b;
    return gap < -40 ? top : top + std::log1p(std::exp(gap));  // 40: less than a double shows
}

class CtcLoss final : public Op {
   public:
    explicit CtcLoss(Attributes& /*attributes*/) {}

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 2, "ctc_loss", "expected y_pred and labels, got ", inputs.size(),
              " inputs");
        const Shape &y_pred = inputs[0].shape, &labels = inputs[1].shape;
        check(y_pred.rank() == 3 && inputs[0].dtype == DType::kFloat32, "ctc_loss",
              "expected y_pred (batch, frames, classes), got ", y_pred);
        check(labels.rank() == 2 && inputs[1].dtype == DType::kInt32, "ctc_loss",
              "expected int32 labels (batch, length), got ", name_of(inputs[1].dtype), " ", labels);
        frames_ = y_pred[1];
        classes_ = y_pred[2];
        length_ = labels[1];
        return {Shape{y_pred[0]}};
    }

    // Saved: the slopes, found along with the loss. Scratch: the normaliser of every frame, alpha
    // of every frame and state, two rows of beta.
    Signature plan(const PlanContext& context) override {
        training_ = context.training;
        const int64_t states = 2 * length_ + 1;
        const int64_t scratch = kDouble * (frames_ + (frames_ + 2) * states);
        const auto cells = static_cast<double>(context.batch() * frames_);
        const double flops = cells * static_cast<double>(60 * states + 30 * classes_);
        Signature signature;
        signature.saved = training_ ? frames_ * classes_ : 0;
        signature.stages.push_back({Phase::kForward, true, 1, scratch, flops});
        if (training_) signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        const int64_t size = frames_ * classes_;
        for (int64_t i = 0; i < args.images; ++i) {
            if (stage == 0) {
                args.out[i] = static_cast<float>(forward(args, i));
                continue;
            }
            for (int64_t k = i * size; k < (i + 1) * size; ++k) {
                args.d_in[0][k] = args.d_out[i] * args.saved[k];
            }
        }
    }

   private:
    /// One image: its logits, its labels, and the states of its paths.
    struct Spelling {
        const float* x;
        const int32_t* labels;
        double* log_sums;  // by frame
        int64_t classes;
        int64_t states;

        int64_t class_of(int64_t state) const { return state % 2 == 0 ? 0 : labels[state / 2]; }
        double emits(int64_t frame, int64_t state) const {
            return x[frame * classes + class_of(state)] - log_sums[frame];
        }
        /// Of a step from two states before, over a blank: not between equal labels.
        double skip(int64_t state) const {
            return class_of(state) == class_of(state - 2) ? kImpossible : 0;
        }
    };

    double forward(const Args& args, int64_t image) const noexcept {
        const auto* labels = reinterpret_cast<const int32_t*>(args.in[1]) + image * length_;
        int64_t count = 0;
        while (count < length_ && labels[count] > 0 && labels[count] < classes_) ++count;
        auto* memory = reinterpret_cast<double*>(args.scratch);
        const Spelling at{args.in[0] + image * frames_ * classes_, labels, memory, classes_,
                          2 * count + 1};
        for (int64_t frame = 0; frame < frames_; ++frame) {
            const float* x = at.x + frame * classes_;
            const double top = *std::max_element(x, x + classes_);
            double sum = 0;
            for (int64_t c = 0; c < classes_; ++c) sum += std::exp(x[c] - top);
            at.log_sums[frame] = top + std::log(sum);
        }
        double* alpha = memory + frames_;
        for (int64_t frame = 0; frame < frames_; ++frame) {
            double* row = alpha + frame * at.states;
            step_forward(at, frame, frame == 0 ? nullptr : row - at.states, row);
        }
        const double* last = alpha + (frames_ - 1) * at.states + at.states - 1;
        const double likelihood = at.states == 1 ? last[0] : log_add(last[0], last[-1]);
        if (training_) {
            float* slopes = args.saved + image * frames_ * classes_;
            find_slopes(at, alpha, alpha + frames_ * at.states, likelihood, slopes);
        }
        return -likelihood;
    }

    /// alpha of a frame from that of the frame before; before the first only the first blank is.
    static void step_forward(const Spelling& at, int64_t frame, const double* before, double* row) {
        const auto alpha = [before](int64_t state) {
            if (before != nullptr) return before[state];
            return state == 0 ? 0.0 : kImpossible;
        };
        for (int64_t state = 0; state < at.states; ++state) {
            double sum = alpha(state);
            if (state > 0) sum = log_add(sum, alpha(state - 1));
            if (state % 2 == 1 && state > 1) sum = log_add(sum, alpha(state - 2) + at.skip(state));
            row[state] = sum + at.emits(frame, state);
        }
    }

    /// softmax(x) minus the share of the paths that are at a class in a frame.
    void find_slopes(const Spelling& at, const double* alpha, double* beta, double likelihood,
                     float* slopes) const noexcept {
        double* next = beta + at.states;  // of the frame behind, with what it emits
        for (int64_t frame = frames_ - 1; frame >= 0; --frame) {
            const float* x = at.x + frame * classes_;
            float* slope = slopes + frame * classes_;
            for (int64_t c = 0; c < classes_; ++c) {
                slope[c] = static_cast<float>(std::exp(x[c] - at.log_sums[frame]));
            }
            for (int64_t state = 0; state < at.states; ++state) {
                if (frame == frames_ - 1) {
                    beta[state] = state >= at.states - 2 ? 0.0 : kNever;
                } else {
                    beta[state] = next[state];
                    if (state + 1 < at.states) beta[state] = log_add(beta[state], next[state + 1]);
                    if (state % 2 == 1 && state + 2 < at.states) {
                        beta[state] = log_add(beta[state], next[state + 2] + at.skip(state + 2));
                    }
                }
                const double share = alpha[frame * at.states + state] + beta[state] - likelihood;
                slope[at.class_of(state)] -= static_cast<float>(std::exp(share));
            }
            for (int64_t state = 0; state < at.states; ++state) {
                next[state] = beta[state] + at.emits(frame, state);
            }
        }
    }

    bool training_ = false;
    int64_t frames_ = 1, classes_ = 1, length_ = 1;
};

}  // namespace

std::unique_ptr<Op> make_ctc_loss(Attributes& attributes) {
    return std::make_unique<CtcLoss>(attributes);
}

}  // namespace pronghorn
