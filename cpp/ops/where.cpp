// SPDX-License-Identifier: Apache-2.0
// where: a where the condition is not 0, else b; all three broadcast. The condition has no
// gradient.
#include "ops/nest.h"

namespace pronghorn {

namespace {

class Where final : public Op {
   public:
    explicit Where(Attributes& /*attributes*/) {}

    Takes takes(int /*input*/) const override { return Takes::kEither; }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 3, "where", "expected condition, a and b, got ", inputs.size(),
              " inputs");
        shapes_ = Broadcasting("where", inputs);
        return shapes_.output();
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        Signature signature;
        lanes_ = broadcast_lanes(context, 3);
        signature.in_layout = signature.out_layout = lanes_ > 1 ? Layout::kLanes : Layout::kRows;
        signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
        if (!context.training) return signature;
        signature.backward_reads[0] = true;
        signature.gradient = {GradientBy::kParts, GradientBy::kParts, GradientBy::kParts};
        const int64_t floats = shapes_.repeats(1) || shapes_.repeats(2) ? shapes_.image_size() : 0;
        signature.stages.push_back({Phase::kBackward, true, 1, floats * lanes_, 0});
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        if (stage == 0) {
            return choose(args.in[0], {args.in[1], args.in[2]}, args.images, args.out);
        }
        if (args.d_in[0] != nullptr && !(shapes_.fixed(0) && args.accumulate)) {
            const int64_t groups = (args.images + lanes_ - 1) / lanes_ * lanes_;
            fill_zero(args.d_in[0], shapes_.operand_size(0) * (shapes_.fixed(0) ? 1 : groups));
        }
        for (size_t p = 1; p < 3; ++p) {
            if (args.d_in[p] == nullptr) continue;
            write_gradient(*kernels_, shapes_, p, args, lanes_,
                           [&](int64_t image, int64_t images, float* g) {
                               gate(args.in[0] + image * shapes_.image_step(0), p == 1,
                                    args.d_out + image * shapes_.image_size(), images, g);
                           });
        }
    }

   private:
    void choose(const float* condition, std::array<const float*, 2> from, int64_t images,
                float* y) const noexcept {
        const auto nest = nest_of<4>(shapes_, {0, 1, 2, -1}, images, lanes_);
        nest.for_planes(
            [&](const auto& at, int64_t rows, int64_t size, const auto& row, const auto& step) {
                kernels_->choose({rows,
                                  size,
                                  {{condition + at[0], row[0], step[0]},
                                   {from[0] + at[1], row[1], step[1]},
                                   {from[1] + at[2], row[2], step[2]}},
                                  y + at[3]});
            });
    }

    /// g = dy where the condition says `open`, else 0.
    void gate(const float* condition, bool open, const float* dy, int64_t images,
              float* g) const noexcept {
        const float zero = 0;
        const auto nest = nest_of<2>(shapes_, {0, -1}, images, lanes_);
        nest.for_planes(
            [&](const auto& at, int64_t rows, int64_t size, const auto& row, const auto& step) {
                const Plane::Operand from{dy + at[1], size, 1}, none{&zero, 0, 0};
                kernels_->choose(
                    {rows,
                     size,
                     {{condition + at[0], row[0], step[0]}, open ? from : none, open ? none : from},
                     g + at[1]});
            });
    }

    Broadcasting shapes_;
    int64_t lanes_ = 1;
    const Kernels* kernels_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_where(Attributes& attributes) {
    return std::make_unique<Where>(attributes);
}

}  // namespace pronghorn
