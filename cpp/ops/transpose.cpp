// SPDX-License-Identifier: Apache-2.0
// transpose: axis i of y is axis axes[i] of x; the batch stays where it is. The innermost axes of x
// and y make planes that are transposed in registers; where they are the same, runs are copied.
#include "ops/nest.h"

namespace pronghorn {

namespace {

class Transpose final : public Op {
   public:
    explicit Transpose(Attributes& attributes) : axes_(attributes.integers("axes", {}, 0, -8)) {}

    Takes takes(int /*input*/) const override { return Takes::kEither; }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const Tensor& x = inputs[0];
        const int rank = x.shape.rank();
        check(inputs.size() == 1 && x.dtype == DType::kFloat32, "transpose",
              "expected one float32 input");
        check(static_cast<int>(axes_.size()) == rank, "transpose", "expected ", rank,
              " axes for the input ", x.shape, ", got ", axes_.size());
        std::vector<bool> seen(axes_.size(), false);
        std::vector<int64_t> extents;
        for (int64_t& axis : axes_) {
            check(axis >= -rank && axis < rank, "transpose", "expected axes of ", x.shape, ", got ",
                  axis);
            axis = axis < 0 ? axis + rank : axis;
            check(!seen[static_cast<size_t>(axis)], "transpose", "axis ", axis, " comes twice");
            seen[static_cast<size_t>(axis)] = true;
            extents.push_back(x.shape[static_cast<int>(axis)]);
        }
        check(x.parameter || axes_[0] == 0, "transpose",
              "expected the batch to stay in front, got axis ", axes_[0], " there");
        Tensor y{Shape(extents)};
        y.parameter = x.parameter;
        // Steps of x along the axes of y, and of y along the axes of x, within an image.
        const int first = x.parameter ? 0 : 1;
        image_ = x.shape.elements(first);
        forward_ = {};
        backward_ = {};
        for (int i = first; i < rank; ++i) {
            forward_.push_back(
                {y.shape[i], x.shape.elements(static_cast<int>(axes_[static_cast<size_t>(i)]) + 1),
                 y.shape.elements(i + 1)});
            int at = 0;
            while (axes_[static_cast<size_t>(at)] != i) ++at;
            backward_.push_back({x.shape[i], y.shape.elements(at + 1), x.shape.elements(i + 1)});
        }
        return y;
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        Signature signature;
        signature.gradient[0] = GradientBy::kParts;
        signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
        if (context.training) signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        if (stage == 0) {
            permute(forward_, args.images, args.in[0], args.out);
        } else if (args.d_in[0] != nullptr) {
            permute(backward_, args.images, args.d_out, args.d_in[0]);
        }
    }

   private:
    struct Axis {
        int64_t extent, from, into;
    };

    void permute(const std::vector<Axis>& axes, int64_t images, const float* x,
                 float* y) const noexcept {
        Nest<2> nest;
        nest.add(images, {image_, image_});
        for (const Axis& axis : axes) nest.add(axis.extent, {axis.from, axis.into});
        if (!nest.bring_next_to_last(0)) return copy_planes(nest, x, y);
        nest.for_planes(
            [&](const auto& at, int64_t rows, int64_t size, const auto& row, const auto& step) {
                kernels_->transpose_plane(size, rows, x + at[0], step[0], y + at[1], row[1]);
            });
    }

    std::vector<int64_t> axes_;
    int64_t image_ = 0;
    std::vector<Axis> forward_, backward_;
    const Kernels* kernels_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_transpose(Attributes& attributes) {
    return std::make_unique<Transpose>(attributes);
}

}  // namespace pronghorn
