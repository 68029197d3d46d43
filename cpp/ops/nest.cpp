// SPDX-License-Identifier: Apache-2.0
#include "ops/nest.h"

#include <algorithm>

namespace pronghorn {

namespace {

/// Of an operand against activations of `rank` axes (0: there are none), the shape of one image.
Shape image_of(const char* op, const Tensor& operand, int rank) {
    if (!operand.parameter || rank == 0) return operand.image_shape();
    const Shape& shape = operand.shape;
    check(shape.rank() < rank || (shape.rank() == rank && shape[0] == 1), op,
          "expected a parameter that broadcasts within images, of at most ", rank - 1,
          " axes (or 1 in place of the batch), got ", shape);
    return shape.rank() < rank ? shape
                               : Shape(std::vector<int64_t>(shape.begin() + 1, shape.end()));
}

std::string listed(const std::vector<Tensor>& inputs) {
    std::string out;
    for (const Tensor& input : inputs) out += (out.empty() ? "" : ", ") + input.shape.str();
    return out;
}

}  // namespace

Broadcasting::Broadcasting(const char* op, const std::vector<Tensor>& inputs) {
    int rank = 0;
    int64_t batch = 0;
    for (const Tensor& input : inputs) {
        check(input.dtype == DType::kFloat32, op, "expected float32 inputs, got ",
              name_of(input.dtype));
        if (input.parameter) continue;
        check(rank == 0 || rank == input.shape.rank(), op,
              "expected inputs of equally many axes, got ", listed(inputs));
        rank = input.shape.rank();
        batch = input.shape[0];
    }
    std::vector<Shape> operands;  // of an image
    operands.reserve(inputs.size());
    int image_rank = 0;
    for (const Tensor& input : inputs) {
        operands.push_back(image_of(op, input, rank));
        image_rank = std::max(image_rank, operands.back().rank());
    }
    std::vector<int64_t> extents(static_cast<size_t>(image_rank), 1);
    for (const Shape& operand : operands) {
        for (int axis = 0; axis < operand.rank(); ++axis) {
            int64_t& extent = extents[static_cast<size_t>(axis + image_rank - operand.rank())];
            check(extent == 1 || operand[axis] == 1 || operand[axis] == extent, op,
                  "expected shapes that broadcast, got ", listed(inputs));
            if (operand[axis] != 1) extent = operand[axis];
        }
    }
    image_ = Shape(extents);
    size_ = image_.elements();
    check(size_ > 0, op, "expected shapes without zeros, got ", listed(inputs));
    output_.parameter = rank == 0;
    if (rank > 0) extents.insert(extents.begin(), batch);
    output_.shape = Shape(extents);
    for (size_t p = 0; p < inputs.size(); ++p) {
        fixed_[p] = inputs[p].parameter;
        const Shape& operand = operands[p];
        sizes_[p] = operand.elements();
        repeats_[p] = inputs[p].parameter != output_.parameter || sizes_[p] != size_;
        int64_t step = 1;
        for (int axis = operand.rank() - 1; axis >= 0; --axis) {
            steps_[p][static_cast<size_t>(axis + image_rank - operand.rank())] =
                operand[axis] == 1 ? 0 : step;
            step *= operand[axis];
        }
    }
}

void copy_planes(const Nest<2>& nest, const float* x, float* y) noexcept {
    nest.for_planes(
        [&](const auto& at, int64_t rows, int64_t size, const auto& row, const auto& step) {
            for (int64_t r = 0; r < rows; ++r) {
                const float* from = x + at[0] + r * row[0];
                float* into = y + at[1] + r * row[1];
                if (step[0] == 1 && step[1] == 1) {
                    copy_floats(from, into, size);
                } else if (step[0] == 0 && step[1] == 1) {
                    std::fill_n(into, size, *from);
                } else {
                    for (int64_t i = 0; i < size; ++i) into[i * step[1]] = from[i * step[0]];
                }
            }
        });
}

void sum_planes(const Kernels& kernels, const Nest<2>& nest, const float* x, float* y) noexcept {
    nest.for_planes(
        [&](const auto& at, int64_t rows, int64_t size, const auto& row, const auto& step) {
            const bool columns = row[1] == 0 && step[1] == 1;
            if (columns && step[0] == 1) {
                // It fills vectors where there are few columns.
                kernels.channel_sums(x + at[0], 1, rows, size, 0, row[0], y + at[1], true);
            } else {
                kernels.reduce(Reduction::kSum,
                               {rows, size, x + at[0], row[0], y + at[1], row[1], step[1]});
            }
        });
}

void sum_repeats(const Kernels& kernels, const Broadcasting& broadcasting, size_t p, int64_t images,
                 int64_t lanes, const float* g, float* d, bool accumulate) noexcept {
    const int64_t groups = (images + lanes - 1) / lanes * lanes;
    const int64_t size = broadcasting.operand_size(p) * (broadcasting.fixed(p) ? 1 : groups);
    if (!accumulate) fill_zero(d, size);
    const auto nest = nest_of<2>(broadcasting, {-1, static_cast<int>(p)}, images, lanes);
    sum_planes(kernels, nest, g, d);
}

int64_t broadcast_lanes(const PlanContext& context, size_t count) {
    bool in_lanes = !context.output.parameter;
    for (size_t p = 0; p < count; ++p) {
        in_lanes &= context.inputs[p].parameter ? !context.wants_gradient[p]
                                                : context.layouts[p] == Layout::kLanes;
    }
    return in_lanes ? context.kernels->lanes : 1;
}

int checked_axis(const char* op, const Tensor& x, int64_t axis) {
    const int rank = x.shape.rank();
    check(axis >= -rank && axis < rank, op, "expected an axis of ", x.shape, ", got ", axis);
    const int found = static_cast<int>(axis < 0 ? axis + rank : axis);
    check(x.parameter || found != 0, op, "expected an axis of one image, got the batch (axis 0)");
    return found;
}

}  // namespace pronghorn
