// SPDX-License-Identifier: Apache-2.0
// Winograd's transforms of kernels: taps to points, packed for the product, and the gradient's sums
// at points back to taps.
#include "kernels/winograd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

/// The taps of a vector of channels to points.
template <typename Form>
void transform_taps(const Vec (&taps)[Form::Rows::kTaps * Form::Columns::kTaps], float* u,
                    int64_t plane) {
    constexpr int kRows = Form::Rows::kTaps, kColumns = Form::Columns::kTaps;
    constexpr int kPointsH = Form::Rows::kPoints, kPointsW = Form::Columns::kPoints;
    Vec half[kPointsH][kColumns];
    for (int j = 0; j < kColumns; ++j) {
        Vec g[kRows], points[kPointsH];
        for (int i = 0; i < kRows; ++i) g[i] = taps[kColumns * i + j];
        winograd_g(g, points);
        for (int i = 0; i < kPointsH; ++i) half[i][j] = points[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < kPointsH; ++i, u += kPointsW * plane) {
        Vec points[kPointsW];
        winograd_g(half[i], points);
        for (int j = 0; j < kPointsW; ++j) store(u + j * plane, points[j]);
    }
}

/// Which matrix of the kernel tap (i, j) of the form is, or -1 where the kernel has ended.
int64_t tap_of(const WinogradTaps& taps, int64_t i, int64_t j) {
    const WinogradTaps::Axis &rows = taps.rows, &columns = taps.columns;
    if (i >= rows.existing || j >= columns.existing) return -1;
    const int64_t row = rows.first + rows.stride * i, column = columns.first + columns.stride * j;
    return (taps.slice * rows.size + row) * columns.size + column;
}

/// The same of the kernel turned by 180 degrees, whose taps begin with the last that exists.
int64_t turned_tap_of(const WinogradTaps& taps, int64_t i, int64_t j) {
    const int64_t row = taps.rows.existing - 1 - i, column = taps.columns.existing - 1 - j;
    return row < 0 || column < 0 ? -1 : tap_of(taps, row, column);
}

template <typename Form>
void filter_forward(const WinogradFilter& filter) {
    constexpr int kColumns = Form::Columns::kTaps, kAll = Form::Rows::kTaps * kColumns;
    const WinogradTaps& from = filter.from;
    const int64_t tap = from.in_c * from.out_c;
    for (int64_t c = filter.begin; c < filter.end; ++c) {
        const float* w = filter.w + c * from.out_c + filter.column;
        for_vectors(filter.column_end - filter.column, [&](int64_t k, int count) {
            Vec taps[kAll];
            for (int t = 0; t < kAll; ++t) {
                const int64_t at = c < from.in_c ? tap_of(from, t / kColumns, t % kColumns) : -1;
                taps[t] = at < 0 ? zero() : load_upto(w + at * tap + k, count);
            }
            float* to = filter.u + k / kWinogradPanel * filter.panel + c * kWinogradPanel;
            transform_taps<Form>(taps, to + k % kWinogradPanel, filter.plane);
        });
    }
}

/// Output channels [k, k + rows), zeros behind the last, of up to kLanes input channels, column c
/// of u and the next ones.
template <typename Form>
void transpose_square(const WinogradFilter& filter, int64_t k, int rows, int64_t c, int count) {
    constexpr int kColumns = Form::Columns::kTaps, kAll = Form::Rows::kTaps * kColumns;
    const WinogradTaps& from = filter.from;
    const int valid = from.out_c - k < rows ? static_cast<int>(from.out_c - k) : rows;
    alignas(64) float turned[kAll][kLanes][kLanes];  // tap, output channel, input channel
    for (int t = 0; t < kAll; ++t) {
        const int64_t tap = turned_tap_of(from, t / kColumns, t % kColumns);
        const int64_t at = (tap < 0 ? 0 : tap) * from.in_c + filter.column + c;
        const float* w = filter.w + at * from.out_c + k;
        Vec square[kLanes];
        for (int i = 0; i < kLanes; ++i) {
            square[i] = tap >= 0 && i < count ? load_upto(w + i * from.out_c, valid) : zero();
        }
        transpose(square);
        for (int i = 0; i < kLanes; ++i) store(turned[t][i], square[i]);
    }
    float* to = filter.u + c / kWinogradPanel * filter.panel + k * kWinogradPanel;
    for (int i = 0; i < rows; ++i) {
        Vec taps[kAll];
        for (int t = 0; t < kAll; ++t) taps[t] = load(turned[t][i]);
        transform_taps<Form>(taps, to + i * kWinogradPanel + c % kWinogradPanel, filter.plane);
    }
}

template <typename Form>
void filter_transposed(const WinogradFilter& filter) {
    for_vectors(filter.end - filter.begin, [&](int64_t k, int rows) {
        for_vectors(filter.column_end - filter.column, [&](int64_t c, int count) {
            transpose_square<Form>(filter, filter.begin + k, rows, c, count);
        });
    });
}

template <typename Form>
void filter_gradient(const WinogradFilterGradient& gradient) {
    constexpr int kRows = Form::Rows::kTaps, kColumns = Form::Columns::kTaps;
    constexpr int kPointsH = Form::Rows::kPoints, kPointsW = Form::Columns::kPoints;
    const WinogradTaps& taps = gradient.to;
    for (int64_t row = 0; row < gradient.rows; ++row) {
        for_vectors(gradient.columns, [&](int64_t column, int count) {
            const float* s = gradient.s + row * gradient.row + column;
            float* dw = gradient.dw + row * taps.out_c + column;
            Vec half[kRows][kPointsW];
#pragma GCC unroll 6
            for (int j = 0; j < kPointsW; ++j) {
                Vec points[kPointsH], g[kRows];
                for (int i = 0; i < kPointsH; ++i) {
                    points[i] = load(s + (kPointsW * i + j) * gradient.plane);
                }
                winograd_gt(points, g);
                for (int i = 0; i < kRows; ++i) half[i][j] = g[i];
            }
            for (int i = 0; i < kRows; ++i) {
                Vec g[kColumns];
                winograd_gt(half[i], g);
                for (int j = 0; j < kColumns; ++j) {
                    const int64_t tap = tap_of(taps, i, j);
                    if (tap < 0) continue;
                    float* const to = dw + tap * taps.in_c * taps.out_c;
                    const Vec before = gradient.accumulate ? load_upto(to, count) : zero();
                    store_upto(to, before + g[j], count);
                }
            }
        });
    }
}

}  // namespace

void winograd_filter(const WinogradFilter& filter) noexcept {
    with_winograd_form(filter.from.rows.taps, filter.from.columns.taps, [&](auto form) {
        using Form = decltype(form);
        (filter.transposed ? filter_transposed<Form> : filter_forward<Form>)(filter);
    });
}

void winograd_filter_gradient(const WinogradFilterGradient& gradient) noexcept {
    with_winograd_form(gradient.to.rows.taps, gradient.to.columns.taps,
                       [&](auto form) { filter_gradient<decltype(form)>(gradient); });
}

}  // namespace pronghorn::PRONGHORN_ISA
