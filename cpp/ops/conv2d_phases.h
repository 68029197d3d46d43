// SPDX-License-Identifier: Apache-2.0
// The gradient of x as convolutions of dy with the transposed kernel: with strides it falls into
// phases, cells of x that are reached by the same taps. The rows ih = a + stride * t see just the
// taps i with (a + before - i * dilation) divisible by the stride, from row t + q of dy, q = (a +
// before - i * dilation) / stride. No zeros are inserted.
#pragma once

#include <utility>
#include <vector>

#include "ops/conv2d.h"

namespace pronghorn {

/// Zeros that dy needs in front and behind for every phase.
struct Border {
    int64_t before = 0, after = 0;
};

/// Rows of a phase and the runs that reach them.
struct DxBand {
    Range rows, runs;
};

/// One phase of dx as a Conv of padded dy.
struct DxPhase {
    int64_t slice, row, column;  // of dx, where it begins
    int64_t slices, columns;
    std::vector<DxBand> bands;  // rows
    std::vector<int64_t> run_offset;
    int64_t run_length = 0;
    int64_t reach = 0;    // rows of dy, or slices, that the last tap is behind the first
    int64_t depth = 0;    // rows of its weights
    int64_t weights = 0;  // where they begin in the packed block, group by group
    int64_t group = 0;    // floats of a group's
};

/// Sizes are in elements: floats, or vectors in lanes.
struct DxPlan {
    DxPlan(const ConvProblem& problem, Layout layout);

    bool frames_dy() const {
        return front.before + front.after + top.before + top.after + left.before + left.after > 0;
    }

    Border front, top, left;            // of dy
    int64_t dy_row, dy_plane, dy_size;  // of dy with its border
    std::vector<DxPhase> phases;        // none where dx is not wanted
    bool has_gaps = false;              // some of x is never read: its gradient is zero
    std::vector<std::pair<int64_t, int64_t>> tap_place;  // phase (or -1) and position in it, by tap
    int64_t weights = 0;  // floats of the packed weights of all phases

   private:
    void add_phase(const ConvProblem& p, Layout layout, int64_t slice, int64_t row, int64_t column);
};

/// Floats of a (rows, columns) matrix in panels.
int64_t panels_size(const Kernels& kernels, int64_t rows, int64_t columns);

}  // namespace pronghorn
