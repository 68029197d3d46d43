// SPDX-License-Identifier: Apache-2.0
// reduce: sum, mean, product, extremes, any and all of the numbers along axes of an image, and the
// place of the first extreme. Gradients as in JAX: equal extremes share it, a product's is that of
// the other factors, whatever is zero.
#include <algorithm>
#include <cmath>

#include "ops/nest.h"

namespace pronghorn {

namespace {

/// Which axes go, and the nests over what remains.
class Reduced {
   public:
    Reduced() = default;
    Reduced(const Tensor& x, const std::vector<int64_t>& axes, bool keepdims) {
        check(x.dtype == DType::kFloat32, "reduce", "expected a float32 input");
        const int rank = x.shape.rank(), first = x.parameter ? 0 : 1;
        std::array<bool, Shape::kMaxRank> goes{};
        for (int64_t axis : axes) {
            const int found = checked_axis("reduce", x, axis);
            check(!goes[static_cast<size_t>(found)], "reduce", "axis ", found, " comes twice");
            goes[static_cast<size_t>(found)] = true;
        }
        if (axes.empty()) std::fill(goes.begin() + first, goes.begin() + rank, true);
        y_.parameter = x.parameter;
        size_ = x.shape.elements(first);
        count_ = 1;
        for (int axis = 0; axis < rank; ++axis) {
            const bool gone = goes[static_cast<size_t>(axis)];
            if (!gone || keepdims) y_.shape.push_back(gone ? 1 : x.shape[axis]);
            if (axis < first) continue;
            axes_.push_back({x.shape[axis], x.shape.elements(axis + 1), 0});
            extents_.push_back(x.shape[axis]);
            gone_.push_back(gone);
            count_ *= gone ? x.shape[axis] : 1;
        }
        check(size_ > 0, "reduce", "expected a shape without zeros, got ", x.shape);
        int64_t step = 1;
        for (size_t axis = axes_.size(); axis-- > 0;) {
            if (gone_[axis]) continue;
            axes_[axis].into = step;
            step *= axes_[axis].extent;
        }
    }

    const Tensor& y() const { return y_; }
    int64_t size() const { return size_; }           // of an image of x
    int64_t count() const { return count_; }         // numbers that become one
    int64_t left() const { return size_ / count_; }  // of an image of y

    /// (x, y) over whole images.
    Nest<2> nest(int64_t images) const noexcept {
        Nest<2> nest;
        nest.add(images, {size_, left()});
        for (const Axis& axis : axes_) nest.add(axis.extent, {axis.from, axis.into});
        return nest;
    }

    /// The reduced axes as one between others, where they are neighbours.
    bool neighbours(int64_t* outer, int64_t* inner) const {
        *outer = *inner = 1;
        bool seen = false, over = false;
        for (size_t axis = 0; axis < axes_.size(); ++axis) {
            if (gone_[axis]) {
                if (over) return false;
                seen = true;
            } else {
                over = seen;
                *(seen ? inner : outer) *= extents_[axis];
            }
        }
        return true;
    }

   private:
    struct Axis {
        int64_t extent, from, into;
    };
    Tensor y_;
    int64_t size_ = 1, count_ = 1;
    std::vector<Axis> axes_;
    std::vector<int64_t> extents_;
    std::vector<bool> gone_;
};

enum class ReduceKind : uint8_t { kSum, kMean, kProduct, kMaximum, kMinimum, kAny, kAll };

constexpr const char* kReduceKinds[] = {"sum", "mean", "prod", "max", "min", "any", "all"};
constexpr Reduction kReductions[] = {Reduction::kSum,     Reduction::kSum,     Reduction::kProduct,
                                     Reduction::kMaximum, Reduction::kMinimum, Reduction::kAny,
                                     Reduction::kAll};
constexpr float kStarts[] = {0, 0, 1, -INFINITY, INFINITY, 0, 1};

class Reduce final : public Op {
   public:
    Reduce(ReduceKind kind, std::vector<int64_t> axes, bool keepdims)
        : kind_(kind), axes_(std::move(axes)), keepdims_(keepdims) {}

    Takes takes(int /*input*/) const override { return Takes::kEither; }
    bool differentiable() const override { return kind_ < ReduceKind::kAny; }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 1, "reduce", "expected one input, got ", inputs.size());
        axes_of_ = Reduced(inputs[0], axes_, keepdims_);
        return axes_of_.y();
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        Signature signature;
        signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
        if (!context.training) return signature;
        const bool linear = kind_ == ReduceKind::kSum || kind_ == ReduceKind::kMean;
        signature.gradient[0] = GradientBy::kParts;
        signature.backward_reads[0] = !linear;
        signature.backward_reads_output = extreme();
        const int64_t arrays = linear ? 0 : extreme() ? 1 : 3;
        signature.stages.push_back({Phase::kBackward, true, 1, arrays * axes_of_.left(), 0});
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        if (stage == 0) return forward(args);
        if (args.d_in[0] == nullptr) return;
        if (!extreme() && kind_ != ReduceKind::kProduct) {
            const float share =
                kind_ == ReduceKind::kMean ? 1.0f / static_cast<float>(axes_of_.count()) : 1;
            return combine(Binary::kMultiply, args.images, nullptr, &share, args.d_out,
                           args.d_in[0]);
        }
        for (int64_t i = 0; i < args.images; ++i) {
            const float* x = args.in[0] + i * axes_of_.size();
            float* dx = args.d_in[0] + i * axes_of_.size();
            const float* dy = args.d_out + i * axes_of_.left();
            if (extreme()) {
                backward_extreme(x, args.out + i * axes_of_.left(), dy, args.scratch, dx);
            } else {
                backward_product(x, dy, args.scratch, dx);
            }
        }
    }

   private:
    bool extreme() const { return kind_ == ReduceKind::kMaximum || kind_ == ReduceKind::kMinimum; }

    void reduce(Reduction kind, int64_t images, const float* x, float* y) const noexcept {
        const auto nest = axes_of_.nest(images);
        if (kind == Reduction::kSum) return sum_planes(*kernels_, nest, x, y);
        nest.for_planes(
            [&](const auto& at, int64_t rows, int64_t size, const auto& row, const auto& step) {
                kernels_->reduce(kind, {rows, size, x + at[0], row[0], y + at[1], row[1], step[1]});
            });
    }

    void forward(const Args& args) const noexcept {
        const int64_t left = args.images * axes_of_.left();
        const auto kind = static_cast<size_t>(kind_);
        std::fill_n(args.out, left, kStarts[kind]);
        reduce(kReductions[kind], args.images, args.in[0], args.out);
        if (kind_ != ReduceKind::kMean) return;
        const auto count = static_cast<float>(axes_of_.count());
        kernels_->binary(Binary::kDivide,
                         {1, left, {{args.out, 0, 1}, {&count, 0, 0}, {}}, args.out});
    }

    /// into = kind(x or y repeated, one number or y repeated): `x` and `number` may be null.
    void combine(Binary kind, int64_t images, const float* x, const float* number, const float* y,
                 float* into) const noexcept {
        axes_of_.nest(images).for_planes(
            [&](const auto& at, int64_t rows, int64_t size, const auto& row, const auto& step) {
                const Plane::Operand left{x + at[0], row[0], step[0]};
                const Plane::Operand right{y + at[1], row[1], step[1]};
                const Plane::Operand single{number, 0, 0};
                kernels_->binary(
                    kind, {rows,
                           size,
                           {x == nullptr ? right : left, number == nullptr ? right : single, {}},
                           into + at[0]});
            });
    }

    /// The factors of dy that reach those equal to y, shared.
    void backward_extreme(const float* x, const float* y, const float* dy, float* share,
                          float* dx) const noexcept {
        const int64_t left = axes_of_.left();
        combine(Binary::kEqual, 1, x, nullptr, y, dx);
        fill_zero(share, left);
        reduce(Reduction::kSum, 1, dx, share);
        kernels_->binary(Binary::kDivide, {1, left, {{dy, 0, 1}, {share, 0, 1}, {}}, share});
        combine(Binary::kMultiply, 1, dx, nullptr, share, dx);
    }

    /// dx = dy times the other factors: where none is zero dy P / x, where one is it alone gets dy
    /// P, P being the product of what is not zero.
    void backward_product(const float* x, const float* dy, float* scratch,
                          float* dx) const noexcept {
        const int64_t left = axes_of_.left(), size = axes_of_.size();
        float *zeros = scratch, *for_others = scratch + left, *for_zero = scratch + 2 * left;
        const float zero = 0;
        kernels_->binary(Binary::kEqual, {1, size, {{x, 0, 1}, {&zero, 0, 0}, {}}, dx});
        fill_zero(zeros, left);
        reduce(Reduction::kSum, 1, dx, zeros);
        kernels_->add(size, x, dx, dx);  // ones for zeros
        std::fill_n(for_others, left, 1.0f);
        reduce(Reduction::kProduct, 1, dx, for_others);
        for (int64_t i = 0; i < left; ++i) {
            const float product = dy[i] * for_others[i];
            for_zero[i] = zeros[i] == 1 ? product : 0;
            for_others[i] = zeros[i] == 0 ? product : 0;
        }
        axes_of_.nest(1).for_planes(
            [&](const auto& at, int64_t rows, int64_t plane, const auto& row, const auto& step) {
                const Plane::Operand from{x + at[0], row[0], step[0]},
                    into{dx + at[0], row[0], step[0]};
                const Plane::Operand others{for_others + at[1], row[1], step[1]};
                const Plane::Operand alone{for_zero + at[1], row[1], step[1]};
                kernels_->binary(Binary::kDivide, {rows, plane, {others, into, {}}, dx + at[0]});
                kernels_->choose({rows, plane, {from, into, alone}, dx + at[0]});
            });
    }

    ReduceKind kind_;
    std::vector<int64_t> axes_;
    bool keepdims_;
    Reduced axes_of_;
    const Kernels* kernels_ = nullptr;
};

/// The place of the first largest (or smallest) number along neighbouring axes; NaN beats all.
class ArgExtreme final : public Op {
   public:
    ArgExtreme(bool largest, std::vector<int64_t> axes, bool keepdims)
        : largest_(largest), axes_(std::move(axes)), keepdims_(keepdims) {}

    Takes takes(int /*input*/) const override { return Takes::kEither; }
    bool differentiable() const override { return false; }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 1, "reduce", "expected one input, got ", inputs.size());
        axes_of_ = Reduced(inputs[0], axes_, keepdims_);
        check(axes_of_.neighbours(&outer_, &inner_), "reduce",
              "expected neighbouring axes for argmax and argmin of ", inputs[0].shape);
        return axes_of_.y();
    }

    Signature plan(const PlanContext& /*context*/) override {
        Signature signature;
        signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
        return signature;
    }

    void run(int /*stage*/, const Args& args, int64_t /*task*/) const noexcept override {
        const int64_t count = axes_of_.count();
        for (int64_t o = 0; o < args.images * outer_; ++o) {
            for (int64_t i = 0; i < inner_; ++i) {
                const float* x = args.in[0] + o * count * inner_ + i;
                int64_t best = 0;
                for (int64_t k = 1; k < count; ++k) {
                    const float v = x[k * inner_], so_far = x[best * inner_];
                    const bool wins = largest_ ? !(v <= so_far) : !(v >= so_far);
                    if (wins && so_far == so_far) best = k;
                }
                args.out[o * inner_ + i] = static_cast<float>(best);
            }
        }
    }

   private:
    bool largest_;
    std::vector<int64_t> axes_;
    bool keepdims_;
    Reduced axes_of_;
    int64_t outer_ = 1, inner_ = 1;
};

}  // namespace

std::unique_ptr<Op> make_reduce(Attributes& attributes) {
    const std::string kind = attributes.word("kind", "");
    auto axes = attributes.integers("axes", {}, 0, -Shape::kMaxRank);
    const bool keepdims = attributes.flag("keepdims", false);
    if (kind == "argmax" || kind == "argmin") {
        return std::make_unique<ArgExtreme>(kind == "argmax", std::move(axes), keepdims);
    }
    const auto* found = std::find(std::begin(kReduceKinds), std::end(kReduceKinds), kind);
    check(found != std::end(kReduceKinds), "reduce", "expected a kind as sum or argmax, got '",
          kind, "'");
    return std::make_unique<Reduce>(static_cast<ReduceKind>(found - std::begin(kReduceKinds)),
                                    std::move(axes), keepdims);
}

}  // namespace pronghorn
