// SPDX-License-Identifier: Apache-2.0
// Going over an image together with an array of the same rank that has extent 1 along some axes,
// where one of its values serves all positions: PReLU's slopes, a dropout mask with noise_axes.
#pragma once

#include <utility>
#include <vector>

#include "core/shape.h"
#include "kernels/kernels.h"

namespace pronghorn {

class SharedAxes {
   public:
    SharedAxes() = default;

    /// shared[i] says whether axis i of the image is one where values are shared.
    SharedAxes(const Shape& image, const std::vector<bool>& shared) {
        for (int axis = 0; axis < image.rank(); ++axis) {
            const int64_t extent = image[axis];
            if (extent == 1) continue;
            const bool is_shared = shared[static_cast<size_t>(axis)];
            if (!groups_.empty() && groups_.back().shared == is_shared) {
                groups_.back().extent *= extent;
            } else {
                groups_.push_back({extent, is_shared});
            }
        }
        if (groups_.empty()) groups_.push_back({1, false});
        // The innermost two groups are a matrix; one of them shares.
        const Group inner = groups_.back();
        groups_.pop_back();
        grid_ = {1, inner.extent, inner.shared};
        if (!groups_.empty()) {
            grid_.rows = groups_.back().extent;
            groups_.pop_back();
        }
        values_ = image.rank() == 0 ? 1 : grid_values();
        for (const Group& group : groups_) values_ *= group.shared ? 1 : group.extent;
    }

    /// Elements of the smaller array.
    int64_t values() const { return values_; }

    /// Calls body(grid, offset into the image, offset into the values) for every matrix of the
    /// image, in order.
    template <typename Body>
    void for_each(Body body) const {
        walk(0, 0, 0, body);
    }

   private:
    struct Group {
        int64_t extent;
        bool shared;
    };

    int64_t grid_values() const { return grid_.by_row ? grid_.rows : grid_.columns; }

    template <typename Body>
    void walk(size_t depth, int64_t element, int64_t value, const Body& body) const {
        if (depth == groups_.size()) return body(grid_, element, value);
        int64_t elements = grid_.rows * grid_.columns, values = grid_values();
        for (size_t i = depth + 1; i < groups_.size(); ++i) {
            elements *= groups_[i].extent;
            values *= groups_[i].shared ? 1 : groups_[i].extent;
        }
        for (int64_t i = 0; i < groups_[depth].extent; ++i) {
            walk(depth + 1, element + i * elements,
                 value + (groups_[depth].shared ? 0 : i * values), body);
        }
    }

    std::vector<Group> groups_;  // outside the grid; neighbours differ in `shared`
    Grid grid_{1, 1, false};
    int64_t values_ = 1;
};

}  // namespace pronghorn
