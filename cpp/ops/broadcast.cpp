// SPDX-License-Identifier: Apache-2.0
// broadcast: an image repeated to another shape, as NumPy does. repeat: every slice along an axis
// several times in a row. Gradients are sums over the repetitions.
#include "ops/nest.h"

namespace pronghorn {

namespace {

class Repeating : public Op {
   public:
    Takes takes(int /*input*/) const override { return Takes::kEither; }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        Signature signature;
        signature.gradient[0] = GradientBy::kParts;
        signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
        if (context.training) signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        const bool forward = stage == 0;
        if (!forward && args.d_in[0] == nullptr) return;
        Nest<2> nest;
        const auto add = [&](int64_t extent, int64_t x, int64_t y) {
            nest.add(extent, {forward ? x : y, forward ? y : x});
        };
        add(args.images, x_size_, y_size_);
        for (const Axis& axis : axes_) add(axis.extent, axis.x, axis.y);
        if (forward) return copy_planes(nest, args.in[0], args.out);
        fill_zero(args.d_in[0], args.images * x_size_);
        sum_planes(*kernels_, nest, args.d_out, args.d_in[0]);
    }

   protected:
    struct Axis {
        int64_t extent, x, y;
    };

    /// From the innermost axis outwards: an axis of y that is one of x, or repeats it.
    void begin() {
        axes_.clear();
        x_size_ = y_size_ = 1;
    }
    void axis_of_x(int64_t extent) {
        axes_.insert(axes_.begin(), {extent, x_size_, y_size_});
        x_size_ *= extent;
        y_size_ = checked_product(y_size_, extent);
    }
    void repetition(int64_t times) {
        axes_.insert(axes_.begin(), {times, 0, y_size_});
        y_size_ = checked_product(y_size_, times);
    }

   private:
    std::vector<Axis> axes_;
    int64_t x_size_ = 1, y_size_ = 1;
    const Kernels* kernels_ = nullptr;
};

class Broadcast final : public Repeating {
   public:
    explicit Broadcast(Attributes& attributes) : shape_(attributes.integers("shape", {}, 0, 1)) {}

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 1 && inputs[0].dtype == DType::kFloat32, "broadcast",
              "expected one float32 input");
        const Shape x = inputs[0].image_shape(), y = Shape(shape_);
        bool fits = x.rank() <= y.rank();
        begin();
        for (int i = 1; fits && i <= y.rank(); ++i) {
            const int64_t extent = i <= x.rank() ? x[-i] : 1;
            fits = extent == y[-i] || extent == 1;
            extent == y[-i] ? axis_of_x(extent) : repetition(y[-i]);
        }
        check(fits, "broadcast", "expected a shape to which ", x, " broadcasts, got ", y);
        if (inputs[0].parameter) return {y, DType::kFloat32, true};
        std::vector<int64_t> extents = shape_;
        extents.insert(extents.begin(), inputs[0].shape[0]);
        return {Shape(extents)};
    }

   private:
    std::vector<int64_t> shape_;
};

class Repeat final : public Repeating {
   public:
    explicit Repeat(Attributes& attributes)
        : axis_(attributes.integer("axis", -1)), repeats_(attributes.integer("repeats", 1)) {
        check(repeats_ >= 1, "repeat", "expected at least one repetition, got ", repeats_);
    }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 1 && inputs[0].dtype == DType::kFloat32, "repeat",
              "expected one float32 input");
        const Tensor& x = inputs[0];
        const int repeated = checked_axis("repeat", x, axis_);
        begin();
        for (int axis = x.shape.rank() - 1; axis >= (x.parameter ? 0 : 1); --axis) {
            if (axis == repeated) repetition(repeats_);
            axis_of_x(x.shape[axis]);
        }
        Tensor y = x;
        y.shape[repeated] = checked_product(x.shape[repeated], repeats_);
        y.shape.elements();
        return y;
    }

   private:
    int64_t axis_, repeats_;
};

}  // namespace

std::unique_ptr<Op> make_broadcast(Attributes& attributes) {
    return std::make_unique<Broadcast>(attributes);
}
std::unique_ptr<Op> make_repeat(Attributes& attributes) {
    return std::make_unique<Repeat>(attributes);
}

}  // namespace pronghorn
