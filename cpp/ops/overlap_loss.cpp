// SPDX-License-Identifier: Apache-2.0
// overlap_loss: 1 - intersection over size, of sums over `axes` (none: all, the batch too), the
// mean over what remains. dice: 2 I / (T + P); tversky: I / (I + alpha (T - I) + beta (P - I)),
// with I, T, P the sums of t p, t and p (Milletari et al. 2016; Salehi et al. 2017), in Keras's
// formulas. Where the batch is summed over, every image has the same value.
#include <algorithm>

#include "ops/loss.h"

namespace pronghorn {

namespace {

struct Sums {
    double both = 0, target = 0, predicted = 0;
};

class OverlapLoss final : public Op {
   public:
    explicit OverlapLoss(Attributes& attributes)
        : dice_(attributes.word("kind", "dice") == "dice"),
          axes_(attributes.integers("axes", {}, 0, -8)) {
        const std::string kind = attributes.word("kind", "dice");
        check(dice_ || kind == "tversky", "overlap_loss", "expected kind dice or tversky, got '",
              kind, "'");
        const double alpha = attributes.number("alpha", 0.5), beta = attributes.number("beta", 0.5);
        weight_both_ = dice_ ? 0 : 1 - alpha - beta;
        weight_target_ = dice_ ? 1 : alpha;
        weight_predicted_ = dice_ ? 1 : beta;
    }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 2 && inputs[0].shape == inputs[1].shape &&
                  inputs[0].dtype == DType::kFloat32 && inputs[1].dtype == DType::kFloat32,
              "overlap_loss", "expected float32 y_pred and a target of its shape");
        const Shape& shape = inputs[0].shape;
        std::vector<bool> summed(static_cast<size_t>(shape.rank()), axes_.empty());
        for (int64_t axis : axes_) {
            const int64_t at = axis < 0 ? axis + shape.rank() : axis;
            check(at >= 0 && at < shape.rank(), "overlap_loss", "expected axes of ", shape,
                  ", got ", axis);
            summed[static_cast<size_t>(at)] = true;
        }
        joined_ = summed[0];
        groups_ = 1;
        for (int axis = 1; axis < shape.rank(); ++axis) {
            if (!summed[static_cast<size_t>(axis)]) groups_ *= shape[axis];
        }
        group_of_.assign(static_cast<size_t>(shape.elements(1)), 0);
        for (size_t i = 0; i < group_of_.size(); ++i) {
            auto rest = static_cast<int64_t>(i);
            int64_t group = 0, stride = 1;
            for (int axis = shape.rank() - 1; axis >= 1; --axis) {
                const int64_t index = rest % shape[axis];
                rest /= shape[axis];
                if (summed[static_cast<size_t>(axis)]) continue;
                group += index * stride;
                stride *= shape[axis];
            }
            group_of_[i] = static_cast<int32_t>(group);
        }
        return {Shape{shape[0]}};
    }

    // Saved: the sums of an image, then the sums that count for it.
    Signature plan(const PlanContext& context) override {
        batch_ = context.batch();
        Signature signature;
        signature.saved = 2 * groups_ * static_cast<int64_t>(sizeof(Sums) / sizeof(float));
        signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
        signature.stages.push_back({Phase::kForward, false, 1, 0, 0});
        if (context.training) signature.stages.push_back({Phase::kBackward, false, batch_, 0, 0});
        signature.backward_reads = {true, true};
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        if (stage == 0) return sum_images(args);
        if (stage == 1) return combine(args);
        backward(args, task);
    }

   private:
    Sums* sums_of(const Args& args, int64_t image) const noexcept {
        return reinterpret_cast<Sums*>(args.saved) + image * 2 * groups_;
    }
    double size_of(const Sums& sums) const noexcept {
        return weight_both_ * sums.both + weight_target_ * sums.target +
               weight_predicted_ * sums.predicted + kEpsilon;
    }
    int64_t image_size() const noexcept { return static_cast<int64_t>(group_of_.size()); }

    void sum_images(const Args& args) const noexcept {
        for (int64_t i = 0; i < args.images; ++i) {
            const float* p = args.in[0] + i * image_size();
            const float* t = args.in[1] + i * image_size();
            Sums* sums = sums_of(args, i);
            std::fill(sums, sums + groups_, Sums{});
            for (int64_t k = 0; k < image_size(); ++k) {
                Sums& at = sums[group_of_[static_cast<size_t>(k)]];
                at.both += static_cast<double>(t[k]) * p[k];
                at.target += t[k];
                at.predicted += p[k];
            }
        }
    }

    void combine(const Args& args) const noexcept {
        for (int64_t i = 0; i < args.images; ++i) {
            Sums* own = sums_of(args, i);
            Sums* counting = own + groups_;
            double total = 0;
            for (int64_t group = 0; group < groups_; ++group) {
                counting[group] = own[group];
                if (joined_) counting[group] = i == 0 ? sum_of(args, group) : first(args, group);
                const Sums& sums = counting[group];
                total += 1 - (dice_ ? 2 : 1) * sums.both / size_of(sums);
            }
            args.out[i] = static_cast<float>(total / static_cast<double>(groups_));
        }
    }
    Sums first(const Args& args, int64_t group) const noexcept {
        return sums_of(args, 0)[groups_ + group];
    }
    Sums sum_of(const Args& args, int64_t group) const noexcept {
        Sums total;
        for (int64_t i = 0; i < args.images; ++i) {
            const Sums& sums = sums_of(args, i)[group];
            total.both += sums.both;
            total.target += sums.target;
            total.predicted += sums.predicted;
        }
        return total;
    }

    void backward(const Args& args, int64_t image) const noexcept {
        double scale = args.d_out[image];
        if (joined_) {
            scale = 0;
            for (int64_t i = 0; i < args.images; ++i) scale += args.d_out[i];
        }
        scale /= static_cast<double>(groups_);
        const float* t = args.in[1] + image * image_size();
        float* d_p = args.d_in[0] + image * image_size();
        const Sums* counting = sums_of(args, image) + groups_;
        for (int64_t k = 0; k < image_size(); ++k) {
            const Sums& sums = counting[group_of_[static_cast<size_t>(k)]];
            const double size = size_of(sums), shared = (dice_ ? 2 : 1) / size;
            const double grows = weight_both_ * t[k] + weight_predicted_;
            d_p[k] = static_cast<float>(-scale * shared * (t[k] - sums.both * grows / size));
        }
    }

    bool dice_;
    std::vector<int64_t> axes_;
    double weight_both_ = 0, weight_target_ = 1, weight_predicted_ = 1;
    bool joined_ = false;  // over the batch
    int64_t groups_ = 1, batch_ = 1;
    std::vector<int32_t> group_of_;  // of each element of an image
};

}  // namespace

std::unique_ptr<Op> make_overlap_loss(Attributes& attributes) {
    return std::make_unique<OverlapLoss>(attributes);
}

}  // namespace pronghorn
