// SPDX-License-Identifier: Apache-2.0
#include "ops/conv2d_bare_gradient.h"

#include <cstring>

#include "ops/conv2d_pointwise.h"
#include "ops/pieces.h"

namespace pronghorn {

ConvBareGradient::ConvBareGradient(const ConvProblem& problem)
    : p_(problem), joined_(problem.joins_taps() ? problem.width.kernel : 1) {}

bool ConvBareGradient::wins(bool cut) const {
    constexpr int64_t kLarge = 16 << 10, kEdges = 8;  // floats; edges go tap by tap
    const Range inner = overlap(p_.width.inside(0), p_.width.inside(p_.width.kernel - 1));
    const bool narrow = joined_ > 1 && kEdges * (p_.width.out - inner.count) > inner.count;
    return p_.pads() && !p_.gates_x && !p_.is_volume() && !narrow &&
           (cut || p_.in_size() >= kLarge);
}

/// Some rows of y at a time: their part of x stays in cache.
void ConvBareGradient::add(ConvGradient gradient, Range rows) const noexcept {
    constexpr int64_t kFloats = 64 << 10;
    const int64_t floats = p_.width.in * p_.in_c * p_.height.stride;
    const int64_t step = std::clamp<int64_t>(kFloats / floats, 1, rows.count);
    const int64_t length = joined_ * p_.group_in(), runs = p_.taps() / joined_;
    float* const dw = gradient.dw;
    for (int64_t row = 0; row < rows.count; row += step, gradient.accumulate = true) {
        for (int64_t run = 0; run < runs; ++run) {
            gradient.dw = dw + run * length * p_.out_c;
            add_run(gradient, run, {0, length},
                    {rows.begin + row, std::min(step, rows.count - row)});
        }
    }
}

/// First from the columns of y whose taps all lie inside of x, then tap by tap from those at the
/// edges.
void ConvBareGradient::add_run(ConvGradient gradient, int64_t run, Range inputs,
                               Range rows) const noexcept {
    const int64_t i = run * joined_ / p_.width.kernel, j = run * joined_ % p_.width.kernel;
    const Range h = overlap(p_.height.inside(i), rows);
    const Range w = overlap(p_.width.inside(j), p_.width.inside(j + joined_ - 1));
    if (h.count <= 0 || w.count <= 0) {  // only ever padding
        const auto bytes = static_cast<size_t>(inputs.count * p_.out_c) * sizeof(float);
        if (!gradient.accumulate) std::memset(gradient.dw, 0, bytes);
        return;
    }
    gradient.x_row = p_.height.stride * p_.width.in * p_.in_c;
    gradient.x += p_.height.cell(h.begin, i) * p_.width.in * p_.in_c;
    gradient.dy += h.begin * gradient.dy_row;
    gradient.out_h = h.count;
    gradient.run_offset = &kPixelRun;
    gradient.runs = 1;
    add_columns(gradient, j, inputs, w);
    gradient.accumulate = true;
    const int64_t channels = p_.group_in(), end = w.begin + w.count;
    for (int64_t tap = 0; tap < joined_; ++tap) {
        Range own = overlap(inputs, {tap * channels, channels});
        if (own.count <= 0) continue;
        ConvGradient part = gradient;
        part.dw += (own.begin - inputs.begin) * p_.out_c;
        own.begin -= tap * channels;
        const Range all = p_.width.inside(j + tap);
        add_columns(part, j + tap, own, {all.begin, w.begin - all.begin});
        add_columns(part, j + tap, own, {end, all.begin + all.count - end});
    }
}

/// From columns of y the inputs from a tap of the row on.
void ConvBareGradient::add_columns(ConvGradient gradient, int64_t tap, Range inputs,
                                   Range columns) const noexcept {
    if (columns.count <= 0) return;
    gradient.x += p_.width.cell(columns.begin, tap) * p_.in_c + inputs.begin;
    gradient.run_length = inputs.count;
    gradient.dy += columns.begin * gradient.dy_pixel;
    gradient.out_w = columns.count;
    for (int64_t group = 0; group < p_.groups; ++group) {
        p_.kernels->conv_rows_dw(gradient);
        gradient.x += p_.group_in();
        gradient.dy += p_.group_out();
        gradient.dw += p_.group_out();
    }
}

}  // namespace pronghorn
