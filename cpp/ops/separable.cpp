// SPDX-License-Identifier: Apache-2.0
// Running linear maps along several axes, one after the other, image by image.
#include "ops/separable.h"

#include <algorithm>
#include <cstring>

namespace pronghorn {

void check_cells(const char* op, const Shape& shape) {
    for (int axis = 1; axis + 1 < shape.rank(); ++axis) {
        check(shape[axis] >= 1 && shape[axis] <= kMostCells, op, "expected 1 to ", kMostCells,
              " cells along every axis, got ", shape);
    }
}

Tensor SeparableOp::infer(const std::vector<Tensor>& inputs) {
    check(inputs.size() == 1, name_.c_str(), "expected 1 input, got ", inputs.size());
    x_ = inputs[0].shape;
    y_ = Shape{x_[0]};
    for (int64_t size : sizes(x_)) y_.push_back(size);
    y_.push_back(x_[-1]);
    check_cells(name_.c_str(), x_);
    check_cells(name_.c_str(), y_);
    y_.elements();  // throws where the product overflows
    x_size_ = x_.elements(1);
    y_size_ = y_.elements(1);
    return {y_};
}

Signature SeparableOp::plan(const PlanContext& context) {
    kernels_ = context.kernels;
    lanes_ = context.layouts[0] == Layout::kLanes ? kernels_->lanes : 1;
    std::vector<int> order;
    for (int axis = 1; axis + 1 < x_.rank(); ++axis) order.push_back(axis);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return y_[a] * x_[b] < y_[b] * x_[a]; });
    forward_.clear();
    backward_.clear();
    between_ = 0;
    Shape shape = x_;
    for (int axis : order) {
        AxisTaps map = taps(axis - 1, x_[axis], y_[axis]);
        shape[axis] = y_[axis];
        if (map.identity()) continue;
        int64_t outer = 1;
        for (int before = 1; before < axis; ++before) outer *= shape[before];
        const int64_t inner = shape.elements(axis + 1);
        if (!forward_.empty()) between_ = std::max(between_, forward_.back().out_size() * lanes_);
        if (context.training) backward_.push_back({map.transposed(), outer, inner});
        forward_.push_back({std::move(map), outer, inner});
    }
    std::reverse(backward_.begin(), backward_.end());

    Signature signature;
    signature.in_layout = signature.out_layout = context.layouts[0];
    const int64_t scratch = 2 * between_;
    signature.stages.push_back({Phase::kForward, true, 1, scratch, 0});
    if (context.training) signature.stages.push_back({Phase::kBackward, true, 1, scratch, 0});
    return signature;
}

void SeparableOp::run(int stage, const Args& args, int64_t /*task*/) const noexcept {
    for (int64_t i = 0; i < args.images; i += lanes_) {
        if (stage == 0) {
            run_passes(forward_, args.in[0] + i * x_size_, args.out + i * y_size_, args.scratch);
        } else {
            run_passes(backward_, args.d_out + i * y_size_, args.d_in[0] + i * x_size_,
                       args.scratch);
        }
    }
}

void SeparableOp::run_passes(const std::vector<Pass>& passes, const float* x, float* y,
                             float* scratch) const noexcept {
    if (passes.empty()) {
        std::memcpy(y, x, static_cast<size_t>(x_size_ * lanes_) * sizeof(float));
        return;
    }
    for (size_t i = 0; i < passes.size(); ++i) {
        const Pass& pass = passes[i];
        float* to = i + 1 == passes.size() ? y : scratch + (i % 2 == 0 ? 0 : between_);
        kernels_->axis_map(pass.taps.over(pass.outer, pass.inner * lanes_), x, to);
        x = to;
    }
}

}  // namespace pronghorn
