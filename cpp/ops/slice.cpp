// SPDX-License-Identifier: Apache-2.0
// slice: along every axis of an image what range(start, stop, step) counts, backwards where the
// step is negative (stop -1 is before the first). pad: a border of one value. Each is the other's
// gradient.
#include <algorithm>

#include "ops/nest.h"

namespace pronghorn {

namespace {

/// One stage each way, of any layout-free op that moves numbers of one input.
Signature moving(const PlanContext& context) {
    Signature signature;
    signature.gradient[0] = GradientBy::kParts;
    signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
    if (context.training) signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
    return signature;
}

/// The axes of an image, after the number of attributes for them has been checked.
std::vector<int64_t> image_axes(const char* op, const std::vector<Tensor>& inputs, size_t given) {
    check(inputs.size() == 1 && inputs[0].dtype == DType::kFloat32, op,
          "expected one float32 input");
    const Shape image = inputs[0].image_shape();
    check(static_cast<size_t>(image.rank()) == given, op, "expected numbers for ", image.rank(),
          " axes of ", inputs[0].shape, ", got ", given);
    return std::vector<int64_t>(image.begin(), image.end());
}

Tensor like(const Tensor& x, std::vector<int64_t> image) {
    if (!x.parameter) image.insert(image.begin(), x.shape[0]);
    Tensor y{Shape(image)};
    y.parameter = x.parameter;
    return y;
}

class Slice final : public Op {
   public:
    explicit Slice(Attributes& attributes)
        : starts_(attributes.integers("starts", {}, 0, 0)),
          stops_(attributes.integers("stops", {}, 0, -1)),
          steps_(
              attributes.integers("steps", std::vector<int64_t>(starts_.size(), 1), 0, INT64_MIN)) {
        check(starts_.size() == stops_.size() && starts_.size() == steps_.size(), "slice",
              "expected equally many starts, stops and steps, got ", starts_.size(), ", ",
              stops_.size(), " and ", steps_.size());
    }

    Takes takes(int /*input*/) const override { return Takes::kEither; }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const auto x = image_axes("slice", inputs, starts_.size());
        std::vector<int64_t> y(x.size());
        for (size_t i = 0; i < x.size(); ++i) {
            const int64_t start = starts_[i], stop = stops_[i], step = steps_[i];
            check(step != 0 && start < x[i] && stop <= x[i], "slice",
                  "expected starts and stops inside ", inputs[0].shape, " and steps, got range(",
                  start, ", ", stop, ", ", step, ") for axis ", i, " of an image");
            // The steps that end before `stop`; widths stay far from overflow.
            const int64_t width = step > 0 ? stop - start : start - stop;
            const int64_t stride = step > 0 ? step : step == INT64_MIN ? INT64_MAX : -step;
            check(width > 0, "slice", "expected a slice that is not empty, got range(", start, ", ",
                  stop, ", ", step, ") for axis ", i, " of an image");
            y[i] = (width - 1) / stride + 1;
        }
        axes_.clear();
        first_ = 0;
        x_size_ = y_size_ = 1;
        for (size_t i = x.size(); i-- > 0;) {
            axes_.insert(axes_.begin(), {y[i], y[i] > 1 ? steps_[i] * x_size_ : 0, y_size_});
            first_ += starts_[i] * x_size_;
            x_size_ *= x[i];
            y_size_ *= y[i];
        }
        return like(inputs[0], y);
    }

    Signature plan(const PlanContext& context) override { return moving(context); }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        const bool forward = stage == 0;
        if (!forward && args.d_in[0] == nullptr) return;
        Nest<2> nest;
        const auto add = [&](int64_t extent, int64_t x, int64_t y) {
            nest.add(extent, {forward ? x : y, forward ? y : x});
        };
        add(args.images, x_size_, y_size_);
        for (const Axis& axis : axes_) add(axis.extent, axis.x, axis.y);
        if (forward) return copy_planes(nest, args.in[0] + first_, args.out);
        fill_zero(args.d_in[0], args.images * x_size_);
        copy_planes(nest, args.d_out, args.d_in[0] + first_);
    }

   private:
    struct Axis {
        int64_t extent, x, y;
    };
    std::vector<int64_t> starts_, stops_, steps_;
    std::vector<Axis> axes_;
    int64_t first_ = 0, x_size_ = 1, y_size_ = 1;
};

class Pad final : public Op {
   public:
    explicit Pad(Attributes& attributes)
        : before_(attributes.integers("before", {}, 0, 0)),
          after_(attributes.integers("after", {}, 0, 0)),
          value_(static_cast<float>(attributes.number("value", 0.0))) {
        check(before_.size() == after_.size(), "pad",
              "expected equally many numbers before and after, got ", before_.size(), " and ",
              after_.size());
    }

    Takes takes(int /*input*/) const override { return Takes::kEither; }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const auto x = image_axes("pad", inputs, before_.size());
        std::vector<int64_t> y(x.size());
        for (size_t i = 0; i < x.size(); ++i) {
            check(before_[i] < INT32_MAX && after_[i] < INT32_MAX, "pad",
                  "expected borders that are not absurd, got ", before_[i], " and ", after_[i]);
            y[i] = x[i] + before_[i] + after_[i];
        }
        const Tensor out = like(inputs[0], y);
        axes_.clear();
        x_size_ = y_size_ = 1;
        for (size_t i = x.size(); i-- > 0;) {
            // The innermost axes without a border are one run.
            const bool joins = !axes_.empty() && axes_.front().x == 1 && axes_.front().y == 1 &&
                               axes_.front().before + axes_.front().after == 0;
            const Axis axis{x[i], before_[i], after_[i], x_size_, y_size_};
            if (joins) {
                axes_.front() = {axis.extent * axis.x, axis.before * axis.x, axis.after * axis.x, 1,
                                 1};
            } else {
                axes_.insert(axes_.begin(), axis);
            }
            x_size_ *= x[i];
            y_size_ *= y[i];
        }
        return out;
    }

    Signature plan(const PlanContext& context) override { return moving(context); }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        for (int64_t i = 0; i < args.images; ++i) {
            if (stage == 0) {
                surround(0, args.in[0] + i * x_size_, args.out + i * y_size_);
            } else if (args.d_in[0] != nullptr) {
                cut(0, args.d_out + i * y_size_, args.d_in[0] + i * x_size_);
            }
        }
    }

   private:
    struct Axis {
        int64_t extent, before, after, x, y;
    };

    void surround(size_t depth, const float* x, float* y) const noexcept {
        if (depth == axes_.size()) return copy_floats(x, y, 1);
        const Axis& axis = axes_[depth];
        std::fill_n(y, axis.before * axis.y, value_);
        y += axis.before * axis.y;
        if (axis.x == 1 && axis.y == 1) {
            copy_floats(x, y, axis.extent);
        } else {
            for (int64_t i = 0; i < axis.extent; ++i) {
                surround(depth + 1, x + i * axis.x, y + i * axis.y);
            }
        }
        std::fill_n(y + axis.extent * axis.y, axis.after * axis.y, value_);
    }

    void cut(size_t depth, const float* y, float* x) const noexcept {
        if (depth == axes_.size()) return copy_floats(y, x, 1);
        const Axis& axis = axes_[depth];
        y += axis.before * axis.y;
        if (axis.x == 1 && axis.y == 1) return copy_floats(y, x, axis.extent);
        for (int64_t i = 0; i < axis.extent; ++i) cut(depth + 1, y + i * axis.y, x + i * axis.x);
    }

    std::vector<int64_t> before_, after_;
    float value_;
    std::vector<Axis> axes_;
    int64_t x_size_ = 1, y_size_ = 1;
};

}  // namespace

std::unique_ptr<Op> make_slice(Attributes& attributes) {
    return std::make_unique<Slice>(attributes);
}
std::unique_ptr<Op> make_pad(Attributes& attributes) { return std::make_unique<Pad>(attributes); }

}  // namespace pronghorn
