// SPDX-License-Identifier: Apache-2.0
// Constraints in Keras's formulas; norms are divided by with 1e-7 added.
#include "ops/constraint.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace pronghorn {

namespace {

constexpr int64_t kBlock = 4096;   // elements of a task
constexpr int64_t kColumns = 256;  // norms that a task finishes side by side
constexpr double kEpsilon = 1e-7;

class NonNegative final : public Constraint {
   public:
    explicit NonNegative(const Shape& shape) : size_(shape.elements()) {}

    int64_t tasks() const override { return (size_ + kBlock - 1) / kBlock; }
    void run(float* w, int64_t task) const noexcept override {
        const int64_t end = std::min(size_, (task + 1) * kBlock);
        for (int64_t i = task * kBlock; i < end; ++i) w[i] = w[i] < 0 ? 0.0f : w[i];
    }

   private:
    int64_t size_;
};

/// Offsets of the last axis's runs: those that one norm sums over, and those that have norms of
/// their own. Where the last axis is summed over, a run has one norm, else one per column.
class Norm final : public Constraint {
   public:
    Norm(Attributes& attributes, const Shape& shape)
        : least_(attributes.number("least", 0.0)),
          most_(attributes.number("most", 1.0)),
          rate_(attributes.number("rate", 1.0)) {
        std::vector<bool> summed(static_cast<size_t>(shape.rank()), false);
        for (int64_t axis : attributes.integers("axes", {0}, 0, -8)) {
            const int64_t at = axis < 0 ? axis + shape.rank() : axis;
            check(at >= 0 && at < shape.rank(), "constraint", "expected an axis of ", shape,
                  ", got ", axis);
            summed[static_cast<size_t>(at)] = true;
        }
        run_ = shape.rank() > 0 ? shape[-1] : 1;
        by_column_ = shape.rank() > 0 && !summed.back();
        kept_ = shared_ = {0};
        int64_t stride = run_;
        for (int axis = shape.rank() - 2; axis >= 0; --axis) {
            std::vector<int64_t>& offsets = summed[static_cast<size_t>(axis)] ? shared_ : kept_;
            std::vector<int64_t> grown;
            for (int64_t i = 0; i < shape[axis]; ++i) {
                for (int64_t offset : offsets) grown.push_back(offset + i * stride);
            }
            offsets = std::move(grown);
            stride *= shape[axis];
        }
    }

    int64_t tasks() const override { return static_cast<int64_t>(kept_.size()) * pieces(); }

    void run(float* w, int64_t task) const noexcept override {
        float* first = w + kept_[static_cast<size_t>(task / pieces())];
        const int64_t begin = by_column_ ? task % pieces() * kColumns : 0;
        const int64_t count = by_column_ ? std::min(kColumns, run_ - begin) : run_;
        double squares[kColumns] = {};
        for (int64_t offset : shared_) {
            const float* x = first + offset + begin;
            for (int64_t i = 0; i < count; ++i) {
                squares[by_column_ ? i : 0] += static_cast<double>(x[i]) * x[i];
            }
        }
        float factors[kColumns];
        for (int64_t i = 0; i < (by_column_ ? count : 1); ++i) factors[i] = factor(squares[i]);
        for (int64_t offset : shared_) {
            float* x = first + offset + begin;
            for (int64_t i = 0; i < count; ++i) x[i] *= factors[by_column_ ? i : 0];
        }
    }

   private:
    int64_t pieces() const { return by_column_ ? (run_ + kColumns - 1) / kColumns : 1; }

    float factor(double squares) const {
        const double norm = std::sqrt(squares);
        const double wanted = norm < least_ ? least_ : norm > most_ ? most_ : norm;
        return static_cast<float>((rate_ * wanted + (1 - rate_) * norm) / (kEpsilon + norm));
    }

    double least_, most_, rate_;
    int64_t run_ = 1;
    bool by_column_ = false;
    std::vector<int64_t> kept_, shared_;
};

}  // namespace

std::shared_ptr<const Constraint> make_constraint(const std::string& kind, Attributes& attributes,
                                                  const Shape& shape) {
    if (kind == "non_negative") return std::make_shared<NonNegative>(shape);
    check(kind == "norm", "constraint", "expected non_negative or norm, got '", kind, "'");
    return std::make_shared<Norm>(attributes, shape);
}

}  // namespace pronghorn
