// SPDX-License-Identifier: Apache-2.0
// The taps of a linear map along one axis, as tables that kernels read: what resizing, upsampling
// and adaptive averages are made of.
#pragma once

#include <string>
#include <vector>

#include "core/shape.h"
#include "kernels/kernels.h"

namespace pronghorn {

/// Output j is offset[j] plus the weighted sum of consecutive inputs from begin[j] on.
class AxisTaps {
   public:
    AxisTaps() = default;

    /// A map of `in` cells whose outputs add() appends.
    explicit AxisTaps(int64_t in) : in_(in) {}

    /// The next output: weights of the inputs from `begin` on, which must not leave [0, in).
    void add(int64_t begin, const std::vector<double>& weights, double offset = 0.0);

    /// The map of gradients: no offsets, every input sums over the outputs that read it.
    AxisTaps transposed() const;

    bool identity() const;
    int64_t in() const { return in_; }
    int64_t out() const { return static_cast<int64_t>(begin_.size()); }

    /// The pointers are valid as long as this object.
    AxisMap over(int64_t outer, int64_t inner) const;

   private:
    int64_t in_ = 0;
    std::vector<int64_t> begin_, first_{0};
    std::vector<float> weights_, offset_;
    bool has_offset_ = false;
};

/// Each of `size` cells `times` times.
AxisTaps repeat_taps(int64_t size, int64_t times);

/// Means over the windows [floor(j * in / out), ceil((j + 1) * in / out)).
AxisTaps adaptive_taps(int64_t in, int64_t out);

/// Where the source of a resize lies on the axis: cells [begin, begin + size), with `padding`
/// constant cells before and as many behind.
struct ResizeSource {
    int64_t begin = 0, size = 0, padding = 0;
    double fill = 0.0;
};

/// Resizes `source` of an axis of `in` cells to `out` with half-pixel centres, as jax.image.resize:
/// weights outside the source are left out and the others scaled to a sum of 1. `interpolation` is
/// one of nearest, bilinear, bicubic (Keys, a = -0.5), lanczos3, lanczos5; `antialias` widens the
/// kernel where the axis shrinks.
AxisTaps resize_taps(int64_t in, int64_t out, const ResizeSource& source,
                     const std::string& interpolation, bool antialias);

}  // namespace pronghorn
