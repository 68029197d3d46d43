// SPDX-License-Identifier: Apache-2.0
// Ops that are a linear map along each spatial axis: x (batch, spatial..., c) -> (batch, out...,
// c). An axis that shrinks most goes first, its gradient last, so that little lies in between. Any
// layout: lanes are more channels.
#pragma once

#include <string>
#include <vector>

#include "ops/axis_taps.h"
#include "ops/op.h"

namespace pronghorn {

/// More cells along an axis than this are refused; the tables of an axis stay below a GiB.
constexpr int64_t kMostCells = int64_t{1} << 24;

/// Checks an image's spatial shape (all but batch and channels): every axis of 1 to kMostCells.
void check_cells(const char* op, const Shape& shape);

class SeparableOp : public Op {
   public:
    explicit SeparableOp(std::string name) : name_(std::move(name)) {}

    Tensor infer(const std::vector<Tensor>& inputs) final;
    Signature plan(const PlanContext& context) final;
    void run(int stage, const Args& args, int64_t task) const noexcept final;

   protected:
    /// The spatial sizes that come out, for those of x. Throws where x does not suit.
    virtual std::vector<int64_t> sizes(const Shape& x) = 0;
    /// The map of spatial axis `axis` (0: the first behind the batch), `in` to `out` cells.
    virtual AxisTaps taps(int axis, int64_t in, int64_t out) const = 0;

    const std::string name_;

   private:
    /// Maps in order, each with the sizes around its axis when it runs.
    struct Pass {
        AxisTaps taps;
        int64_t outer, inner;  // inner without lanes
        int64_t out_size() const { return outer * taps.out() * inner; }
    };

    void run_passes(const std::vector<Pass>& passes, const float* x, float* y,
                    float* scratch) const noexcept;

    Shape x_, y_;
    int64_t x_size_ = 0, y_size_ = 0;  // of an image
    std::vector<Pass> forward_, backward_;
    int64_t lanes_ = 1, between_ = 0;  // floats between passes, with lanes
    const Kernels* kernels_ = nullptr;
};

}  // namespace pronghorn
