// SPDX-License-Identifier: Apache-2.0
// layer_norm [x, gamma?, beta?] (Ba, Kiros and Hinton, 2016), rms_norm [x, gamma?] (Zhang and
// Sennrich, 2019) and unit_norm [x] (length 1): each divides the values along the last axes by
// their spread. Attributes: axes, which must be the last ones, as whose shape gamma and beta have;
// epsilon; scale and center: whether gamma and beta are there.
#include "ops/op.h"

namespace pronghorn {

namespace {

class RowNormOp final : public Op {
   public:
    enum class Kind : uint8_t { kLayer, kRms, kUnit };

    RowNormOp(Kind kind, Attributes& attributes)
        : name_(attributes.op()),
          kind_(kind),
          axes_(attributes.integers("axes", {-1}, 0, -Shape::kMaxRank)) {
        if (kind_ == Kind::kUnit) return;
        scale_ = attributes.flag("scale", true);
        if (kind_ == Kind::kLayer) center_ = attributes.flag("center", true);
        epsilon_ = attributes.number("epsilon", kind_ == Kind::kLayer ? 1e-3 : 1e-6);
    }

    Takes takes(int input) const override {
        return input == 0 ? Takes::kActivation : Takes::kParameter;
    }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const char* name = name_.c_str();
        const size_t expected = 1 + (scale_ ? 1 : 0) + (center_ ? 1 : 0);
        check(inputs.size() == expected, name, "expected ", expected, " inputs, got ",
              inputs.size());
        const Tensor& x = inputs[0];
        check(x.dtype == DType::kFloat32, name, "expected a float32 input");
        const Shape normalised = last_axes(x.shape);
        size_ = normalised.elements();
        rows_ = x.shape.elements(1) / size_;
        for (size_t i = 1; i < inputs.size(); ++i) {
            check(inputs[i].shape == normalised, name, "expected weights of shape ", normalised,
                  ", got ", inputs[i].shape);
        }
        return x;
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        const auto values = static_cast<double>(context.batch() * rows_ * size_);
        Signature signature;
        signature.stages.push_back({Phase::kForward, true, 1, 0, 8 * values});
        if (!context.training) return signature;
        signature.stages.push_back({Phase::kBackward, true, 1, 0, 16 * values});
        signature.backward_reads[0] = true;
        signature.gradient[1] = signature.gradient[2] = GradientBy::kParts;
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        const auto size = static_cast<float>(size_);
        RowNorm norm{};
        norm.rows = args.images * rows_;
        norm.size = size_;
        norm.centered = kind_ == Kind::kLayer;
        norm.divisor = kind_ == Kind::kUnit ? 1.0f : size;
        norm.epsilon = static_cast<float>(epsilon_);
        norm.limit = kind_ == Kind::kUnit ? 1e12f : __builtin_inff();
        norm.gamma = scale_ ? args.in[1] : nullptr;
        norm.beta = center_ ? args.in[beta()] : nullptr;
        norm.x = args.in[0];
        if (stage == 0) {
            kernels_->row_norm(norm, args.out);
        } else {
            kernels_->row_norm_backward(norm, args.d_out, args.d_in[0],
                                        scale_ ? args.d_in[1] : nullptr,
                                        center_ ? args.d_in[beta()] : nullptr, args.accumulate);
        }
    }

   private:
    size_t beta() const { return scale_ ? 2 : 1; }

    Shape last_axes(const Shape& x) const {
        const char* name = name_.c_str();
        const auto count = static_cast<int>(axes_.size());
        check(count >= 1 && count < x.rank(), name, "expected 1 to ", x.rank() - 1, " axes of ", x,
              ", got ", count);
        Shape shape;
        for (int i = 0; i < count; ++i) {
            const int axis = x.rank() - count + i;
            const int64_t given = axes_[static_cast<size_t>(i)];
            check((given < 0 ? given + x.rank() : given) == axis, name,
                  "expected the last axes in order, got axis ", given, " for ", x);
            shape.push_back(x[axis]);
        }
        return shape;
    }

    std::string name_;
    Kind kind_;
    std::vector<int64_t> axes_;
    bool scale_ = false, center_ = false;
    double epsilon_ = 0;
    int64_t rows_ = 0, size_ = 0;
    const Kernels* kernels_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_layer_norm(Attributes& attributes) {
    return std::make_unique<RowNormOp>(RowNormOp::Kind::kLayer, attributes);
}
std::unique_ptr<Op> make_rms_norm(Attributes& attributes) {
    return std::make_unique<RowNormOp>(RowNormOp::Kind::kRms, attributes);
}
std::unique_ptr<Op> make_unit_norm(Attributes& attributes) {
    return std::make_unique<RowNormOp>(RowNormOp::Kind::kUnit, attributes);
}

}  // namespace pronghorn
