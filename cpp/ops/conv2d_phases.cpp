// SPDX-License-Identifier: Apache-2.0
#include "ops/conv2d_phases.h"

#include <algorithm>

namespace pronghorn {

namespace {

/// Taps of one phase along one axis, as they meet dy: tap[k] reads dy at t + shift[k], ascending.
struct AxisPhase {
    std::vector<int64_t> tap, shift;
    int64_t count = 0;  // positions t of x
};

AxisPhase axis_phase(const Window& window, int64_t a) {
    AxisPhase phase;
    phase.count = a < window.in ? (window.in - a - 1) / window.stride + 1 : 0;
    for (int64_t i = window.kernel; i-- > 0;) {
        const int64_t distance = a + window.before - i * window.dilation;
        if (distance % window.stride != 0) continue;
        phase.tap.push_back(i);
        phase.shift.push_back(distance / window.stride);
    }
    return phase;
}

/// Whether a phase is one band, all runs meeting dy with zeros above and below. In lanes tiles are
/// small, and edges have bands of their own.
bool one_band(const ConvProblem& p, Layout layout) {
    return layout == Layout::kRows || p.is_volume();
}

/// All rows in one band, or in one for each choice of taps that meet dy; a tap has `runs`.
std::vector<DxBand> bands_of(const AxisPhase& rows, int64_t out, bool whole, int64_t runs) {
    const auto taps = static_cast<int64_t>(rows.tap.size());
    if (whole) return {{{0, rows.count}, {0, taps * runs}}};
    std::vector<DxBand> bands;
    for (int64_t row = 0; row < rows.count; ++row) {
        const auto reaching = [&](int64_t below) {
            return std::lower_bound(rows.shift.begin(), rows.shift.end(), below - row) -
                   rows.shift.begin();
        };
        const int64_t begin = reaching(0) * runs, count = reaching(out) * runs - begin;
        if (count == 0) continue;
        if (bands.empty() || bands.back().runs.begin != begin || bands.back().runs.count != count) {
            bands.push_back({{row, 0}, {begin, count}});
        }
        ++bands.back().rows.count;
    }
    return bands;
}

Border border_of(const Window& window) {
    Border border;
    for (int64_t a = 0; a < window.stride; ++a) {
        const AxisPhase phase = axis_phase(window, a);
        if (phase.tap.empty() || phase.count == 0) continue;
        border.before = std::max(border.before, -phase.shift.front());
        border.after = std::max(border.after, phase.count + phase.shift.back() - window.out);
    }
    return border;
}

}  // namespace

int64_t panels_size(const Kernels& kernels, int64_t rows, int64_t columns) {
    const int64_t panel = kernels.panel;
    return checked_product(rows, (columns + panel - 1) / panel * panel);
}

DxPlan::DxPlan(const ConvProblem& p, Layout layout) {
    if (p.wants_dx) {
        front = border_of(p.depth);
        if (one_band(p, layout)) top = border_of(p.height);
        left = border_of(p.width);
    }
    dy_row = (left.before + p.width.out + left.after) * p.out_c;
    dy_plane = (top.before + p.height.out + top.after) * dy_row;
    dy_size = (front.before + p.depth.out + front.after) * dy_plane;
    if (!p.wants_dx) return;
    tap_place.resize(static_cast<size_t>(p.taps()), {-1, 0});
    const int64_t strides = p.depth.stride * p.height.stride * p.width.stride;
    for (int64_t phase = 0; phase < strides; ++phase) {
        add_phase(p, layout, phase / (p.height.stride * p.width.stride),
                  phase / p.width.stride % p.height.stride, phase % p.width.stride);
    }
}

/// The cells (slice, row, column) + strides * (0, 1, ...) of x.
void DxPlan::add_phase(const ConvProblem& p, Layout layout, int64_t slice, int64_t row,
                       int64_t column) {
    const AxisPhase slices = axis_phase(p.depth, slice);
    const AxisPhase rows = axis_phase(p.height, row);
    const AxisPhase columns = axis_phase(p.width, column);
    if (slices.count == 0 || rows.count == 0 || columns.count == 0) return;
    if (slices.tap.empty() || rows.tap.empty() || columns.tap.empty()) {
        has_gaps = true;
        return;
    }
    DxPhase phase{slice, row, column, slices.count, columns.count, {}, {}};
    const size_t width = columns.tap.size();
    // Neighbouring columns' taps read neighbouring pixels: one run.
    const bool joined = width == 1 || (columns.shift[1] - columns.shift[0] == 1 && p.groups == 1);
    const auto number = static_cast<int64_t>(phases.size());
    int64_t position = 0;
    for (size_t k = 0; k < slices.tap.size(); ++k) {
        for (size_t i = 0; i < rows.tap.size(); ++i) {
            for (size_t j = 0; j < width; ++j, ++position) {
                const int64_t line = slices.tap[k] * p.height.kernel + rows.tap[i];
                const int64_t tap = line * p.width.kernel + columns.tap[j];
                tap_place[static_cast<size_t>(tap)] = {number, position};
                if (joined && j > 0) continue;
                phase.run_offset.push_back((slices.shift[k] + front.before) * dy_plane +
                                           (rows.shift[i] + top.before) * dy_row +
                                           (columns.shift[j] + left.before) * p.out_c);
            }
        }
    }
    phase.run_length = p.group_out() * (joined ? static_cast<int64_t>(width) : 1);
    phase.bands = bands_of(rows, p.height.out, one_band(p, layout),
                           static_cast<int64_t>(phase.run_offset.size() / rows.tap.size()));
    int64_t reached = 0;
    for (const DxBand& band : phase.bands) reached += band.rows.count;
    has_gaps |= reached < rows.count;
    phase.reach =
        p.is_volume() ? slices.shift.back() + front.before : rows.shift.back() + top.before;
    phase.depth = position * p.group_out();
    phase.weights = weights;
    phase.group = layout == Layout::kRows ? panels_size(*p.kernels, phase.depth, p.group_in())
                                          : checked_product(phase.depth, p.group_in());
    weights += checked_product(p.groups, phase.group);
    phases.push_back(std::move(phase));
}
}  // namespace pronghorn
