// SPDX-License-Identifier: Apache-2.0
// circle_loss: log(1 + sum over negatives of exp(gamma (1 + m - d)+ (1 - m - d)) times sum over
// positives of exp(-gamma (m + d)+ (m - d))), for the cosine distances d of an embedding to those
// of the batch with the same label and with others (Sun et al. 2020), in Keras's formulas: unlike
// in the paper the slope goes through the weights in front, too. An embedding that has no positive
// or no negative has loss 0; with `rescale` the others count for it.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/op.h"

namespace pronghorn {

namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

/// log of a sum of exponentials, one term after the other.
struct LogSum {
    double top = kMinusInfinity, sum = 0;

    void add(double x) {
        if (x > top) {
            sum *= std::exp(top - x);
            top = x;
        }
        sum += std::exp(x - top);
    }
    double value() const { return sum == 0 ? kMinusInfinity : top + std::log(sum); }
};

/// What an embedding's loss is made of.
struct State {
    double positives, negatives;  // logarithms of the sums
    double loss;
    double factor;  // of rescaling
};
constexpr int64_t kStateFloats = sizeof(State) / sizeof(float);

class CircleLoss final : public Op {
   public:
    explicit CircleLoss(Attributes& attributes)
        : gamma_(attributes.number("gamma", 80.0)),
          margin_(attributes.number("margin", 0.4)),
          remove_diagonal_(attributes.flag("remove_diagonal", true)),
          rescale_(attributes.flag("rescale", true)) {}

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 2, "circle_loss", "expected y_pred and labels, got ", inputs.size(),
              " inputs");
        const Shape& y_pred = inputs[0].shape;
        check(y_pred.rank() == 2 && inputs[0].dtype == DType::kFloat32, "circle_loss",
              "expected y_pred (batch, size), got ", y_pred);
        check(inputs[1].dtype == DType::kInt32 && inputs[1].shape == Shape{y_pred[0]},
              "circle_loss", "expected one int32 label per image, got ", name_of(inputs[1].dtype),
              " ", inputs[1].shape);
        size_ = y_pred[1];
        return {Shape{y_pred[0]}};
    }

    Signature plan(const PlanContext& context) override {
        const int64_t batch = context.batch();
        const double flops = static_cast<double>(batch) * static_cast<double>(batch * (size_ + 40));
        const int64_t sums = size_ * static_cast<int64_t>(sizeof(double) / sizeof(float));
        Signature signature;
        signature.saved = kStateFloats;
        signature.stages.push_back({Phase::kForward, false, batch, 0, flops});
        signature.stages.push_back({Phase::kForward, false, 1, 0, 0});
        if (context.training) {
            signature.stages.push_back({Phase::kBackward, false, batch, sums, 2 * flops});
        }
        signature.backward_reads = {true, true};
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        if (stage == 0) return look_at(args, task);
        if (stage == 1) return rescale(args);
        backward(args, task);
    }

   private:
    static State* states(const Args& args) { return reinterpret_cast<State*>(args.saved); }
    static bool alike(const Args& args, int64_t i, int64_t j) {
        const auto* labels = reinterpret_cast<const int32_t*>(args.in[1]);
        return labels[i] == labels[j];
    }
    bool is_pair(int64_t i, int64_t j) const { return i != j || !remove_diagonal_; }

    /// 1 - cosine, before it is kept from being negative.
    double distance(const Args& args, int64_t i, int64_t j) const noexcept {
        const float *a = args.in[0] + i * size_, *b = args.in[0] + j * size_;
        double cosine = 0;
        for (int64_t k = 0; k < size_; ++k) cosine += static_cast<double>(a[k]) * b[k];
        return 1 - cosine;
    }
    double positive(double d) const { return -gamma_ * std::max(margin_ + d, 0.0) * (margin_ - d); }
    double negative(double d) const {
        return gamma_ * std::max(1 + margin_ - d, 0.0) * (1 - margin_ - d);
    }

    void look_at(const Args& args, int64_t i) const noexcept {
        LogSum positives, negatives;
        for (int64_t j = 0; j < args.images; ++j) {
            const double raw = distance(args, i, j), d = raw < 0 ? 0 : raw;  // NaN stays
            if (!alike(args, i, j)) {
                negatives.add(negative(d));
            } else if (is_pair(i, j)) {
                positives.add(positive(d));
            }
        }
        State& state = states(args)[i];
        state.positives = positives.value();
        state.negatives = negatives.value();
        const double x = state.positives + state.negatives;
        const double above = x > 0 ? x : 0;
        state.loss = std::isnan(x) ? x : above + std::log1p(std::exp(x - 2 * above));
    }

    void rescale(const Args& args) const noexcept {
        int64_t counting = 0;
        for (int64_t i = 0; i < args.images; ++i) counting += states(args)[i].loss != 0;
        const auto all = static_cast<double>(args.images);
        const double factor = counting == 0 ? 0 : all / static_cast<double>(counting);
        for (int64_t i = 0; i < args.images; ++i) {
            State& state = states(args)[i];
            state.factor = rescale_ ? factor : 1;
            args.out[i] = static_cast<float>(state.factor * state.loss);
        }
    }

    /// The derivative of the total by the cosine of i and j through the loss of i.
    double slope(const Args& args, int64_t i, int64_t j, double raw) const noexcept {
        const State& state = states(args)[i];
        const double x = state.positives + state.negatives, d = raw < 0 ? 0 : raw;
        if (state.loss == 0 || raw <= 0) return 0;
        const double scale = args.d_out[i] * state.factor / (1 + std::exp(-x));
        if (!alike(args, i, j)) {
            const double by_distance = 1 + margin_ - d > 0 ? gamma_ * (2 * d - 2) : 0;
            return -scale * std::exp(negative(d) - state.negatives) * by_distance;
        }
        if (!is_pair(i, j)) return 0;
        const double by_distance = margin_ + d > 0 ? gamma_ * 2 * d : 0;
        return -scale * std::exp(positive(d) - state.positives) * by_distance;
    }

    void backward(const Args& args, int64_t i) const noexcept {
        auto* sums = reinterpret_cast<double*>(args.scratch);
        std::fill(sums, sums + size_, 0.0);
        for (int64_t j = 0; j < args.images; ++j) {
            const double raw = distance(args, i, j);
            const double both = slope(args, i, j, raw) + slope(args, j, i, raw);
            const float* other = args.in[0] + j * size_;
            for (int64_t k = 0; k < size_; ++k) sums[k] += both * other[k];
        }
        float* d_x = args.d_in[0] + i * size_;
        for (int64_t k = 0; k < size_; ++k) d_x[k] = static_cast<float>(sums[k]);
    }

    double gamma_, margin_;
    bool remove_diagonal_, rescale_;
    int64_t size_ = 1;
};

}  // namespace

std::unique_ptr<Op> make_circle_loss(Attributes& attributes) {
    return std::make_unique<CircleLoss>(attributes);
}

}  // namespace pronghorn
