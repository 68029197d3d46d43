// SPDX-License-Identifier: Apache-2.0
// concatenate: one to eight inputs side by side along an axis of the image; the gradient is cut up
// again. A parameter comes beside every image. In lanes layout an element is a vector.
#include <algorithm>

#include "ops/nest.h"
#include "ops/pieces.h"

namespace pronghorn {

namespace {

class Concatenate final : public Op {
   public:
    explicit Concatenate(Attributes& attributes) : axis_(attributes.integer("axis", -1)) {}

    Takes takes(int /*input*/) const override { return Takes::kEither; }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        Tensor y = inputs[0];
        for (const Tensor& x : inputs) {
            check(x.dtype == DType::kFloat32, "concatenate", "expected float32 inputs");
            if (!x.parameter) y = x;
        }
        const int axis = checked_axis("concatenate", y, axis_);
        const int first = y.parameter ? 0 : 1;
        outer_ = 1;
        for (int i = first; i < axis; ++i) outer_ *= y.shape[i];
        const Tensor like = y;
        y.shape[axis] = 0;
        runs_.clear();
        fixed_.clear();
        for (const Tensor& x : inputs) {
            Shape shape = x.shape;
            if (x.parameter && !like.parameter) {  // without the batch, or with 1 for it
                std::vector<int64_t> extents(shape.begin(), shape.end());
                if (shape.rank() < like.shape.rank()) extents.insert(extents.begin(), 1);
                check(!extents.empty() && extents[0] == 1, "concatenate",
                      "expected a parameter of one image's shape, got ", x.shape);
                extents[0] = like.shape[0];
                shape = Shape(extents);
            }
            bool fits = shape.rank() == like.shape.rank();
            for (int i = 0; fits && i < shape.rank(); ++i) {
                fits = i == axis || shape[i] == like.shape[i];
            }
            check(fits, "concatenate", "expected inputs that differ along axis ", axis,
                  " only, got ", like.shape, " and ", x.shape);
            y.shape[axis] += shape[axis];
            runs_.push_back(shape.elements(axis));
            fixed_.push_back(x.parameter && !like.parameter);
        }
        run_ = y.shape.elements(axis);
        return y;
    }

    Signature plan(const PlanContext& context) override {
        Signature signature;
        bool in_lanes = true;
        for (size_t i = 0; i < runs_.size(); ++i) {
            in_lanes &= !context.inputs[i].parameter && context.layouts[i] == Layout::kLanes;
            signature.gradient[i] = GradientBy::kParts;
        }
        kernels_ = context.kernels;
        lanes_ = in_lanes ? kernels_->lanes : 1;
        signature.in_layout = signature.out_layout = in_lanes ? Layout::kLanes : Layout::kRows;
        const bool any_fixed = std::find(fixed_.begin(), fixed_.end(), true) != fixed_.end();
        cut_ = !in_lanes && !any_fixed && !context.output.parameter &&
               cuts_traffic(context.batch(), outer_ * run_);
        const Stage stage{Phase::kForward, !cut_, cut_ ? kPieces : 1, 0, 0};
        signature.stages.push_back(stage);
        if (!context.training) return signature;
        signature.stages.push_back(stage);
        signature.stages.back().phase = Phase::kBackward;
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        const int64_t all = (args.images + lanes_ - 1) / lanes_ * outer_;
        const Range part = cut_ ? share_of(all, task, kPieces) : Range{0, all};
        const int64_t end = part.begin + part.count;
        int64_t begin = 0;
        for (size_t i = 0; i < runs_.size(); begin += runs_[i++] * lanes_) {
            const int64_t run = runs_[i] * lanes_, whole = run_ * lanes_;
            if (stage == 0) {
                for (int64_t r = part.begin; r < end; ++r) {
                    const int64_t from = fixed_[i] ? r % outer_ : r;
                    copy_floats(args.in[i] + from * run, args.out + r * whole + begin, run);
                }
            } else if (args.d_in[i] != nullptr && !fixed_[i]) {
                for (int64_t r = part.begin; r < end; ++r) {
                    copy_floats(args.d_out + r * whole + begin, args.d_in[i] + r * run, run);
                }
            } else if (args.d_in[i] != nullptr) {
                if (!args.accumulate) fill_zero(args.d_in[i], outer_ * run);
                for (int64_t r = part.begin; r < end; ++r) {
                    float* d = args.d_in[i] + r % outer_ * run;
                    kernels_->add(run, d, args.d_out + r * whole + begin, d);
                }
            }
        }
    }

   private:
    int64_t axis_;
    int64_t outer_ = 1, run_ = 0, lanes_ = 1;
    bool cut_ = false;           // into pieces
    std::vector<int64_t> runs_;  // floats of each input beside each other
    std::vector<bool> fixed_;    // parameters
    const Kernels* kernels_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_concatenate(Attributes& attributes) {
    return std::make_unique<Concatenate>(attributes);
}

}  // namespace pronghorn
