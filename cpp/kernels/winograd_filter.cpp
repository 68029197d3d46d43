// SPDX-License-Identifier: Apache-2.0
// Winograd's transforms of kernels: 3 x 3 or 5 x 5 taps to 36 points, packed for the product, and
// the gradient's sums at 36 points back to taps.
#include "kernels/winograd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

/// The taps of a vector of channels to 36 points.
template <int kTaps>
void transform_taps(const Vec (&taps)[kTaps * kTaps], float* u, int64_t plane) {
    Vec half[6][kTaps];
    for (int j = 0; j < kTaps; ++j) {
        Vec g[kTaps], points[6];
        for (int i = 0; i < kTaps; ++i) g[i] = taps[kTaps * i + j];
        winograd_g(g, points);
        for (int i = 0; i < 6; ++i) half[i][j] = points[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i, u += 6 * plane) {
        Vec points[6];
        winograd_g(half[i], points);
        for (int j = 0; j < 6; ++j) store(u + j * plane, points[j]);
    }
}

template <int kTaps>
void filter_forward(const WinogradFilter& filter) {
    constexpr int kAll = kTaps * kTaps;
    const int64_t tap = filter.in_c * filter.out_c;
    for (int64_t c = filter.begin; c < filter.end; ++c) {
        const float* w = filter.w + c * filter.out_c + filter.column;
        for_vectors(filter.column_end - filter.column, [&](int64_t k, int count) {
            Vec taps[kAll];
            for (int t = 0; t < kAll; ++t) taps[t] = load_upto(w + t * tap + k, count);
            float* to = filter.u + (k / kWinogradPanel * filter.in_c + c) * kWinogradPanel;
            transform_taps<kTaps>(taps, to + k % kWinogradPanel, filter.plane);
        });
    }
}

/// Output channels [k, k + rows) of up to kLanes input channels, column c of u and the next ones.
template <int kTaps>
void transpose_square(const WinogradFilter& filter, int64_t k, int rows, int64_t c, int count) {
    constexpr int kAll = kTaps * kTaps;
    const int64_t tap = filter.in_c * filter.out_c;
    alignas(64) float turned[kAll][kLanes][kLanes];  // tap, output channel, input channel
    for (int t = 0; t < kAll; ++t) {
        const float* w = filter.w + (kAll - 1 - t) * tap + (filter.column + c) * filter.out_c + k;
        Vec square[kLanes];
        for (int i = 0; i < kLanes; ++i) {
            square[i] = i < count ? load_upto(w + i * filter.out_c, rows) : zero();
        }
        transpose(square);
        for (int i = 0; i < kLanes; ++i) store(turned[t][i], square[i]);
    }
    float* to = filter.u + (c / kWinogradPanel * filter.out_c + k) * kWinogradPanel;
    for (int i = 0; i < rows; ++i) {
        Vec taps[kAll];
        for (int t = 0; t < kAll; ++t) taps[t] = load(turned[t][i]);
        transform_taps<kTaps>(taps, to + i * kWinogradPanel + c % kWinogradPanel, filter.plane);
    }
}

template <int kTaps>
void filter_transposed(const WinogradFilter& filter) {
    for_vectors(filter.end - filter.begin, [&](int64_t k, int rows) {
        for_vectors(filter.column_end - filter.column, [&](int64_t c, int count) {
            transpose_square<kTaps>(filter, filter.begin + k, rows, c, count);
        });
    });
}

template <int kTaps>
void filter_gradient(const WinogradFilterGradient& gradient) {
    for (int64_t row = 0; row < gradient.rows; ++row) {
        for_vectors(gradient.columns, [&](int64_t column, int count) {
            const float* s = gradient.s + row * gradient.row + column;
            float* dw = gradient.dw + row * gradient.dw_row + column;
            Vec half[kTaps][6];
#pragma GCC unroll 6
            for (int j = 0; j < 6; ++j) {
                Vec points[6], g[kTaps];
                for (int i = 0; i < 6; ++i) points[i] = load(s + (6 * i + j) * gradient.plane);
                winograd_gt(points, g);
                for (int i = 0; i < kTaps; ++i) half[i][j] = g[i];
            }
            for (int i = 0; i < kTaps; ++i) {
                Vec g[kTaps];
                winograd_gt(half[i], g);
                for (int j = 0; j < kTaps; ++j) {
                    float* const to = dw + (kTaps * i + j) * gradient.dw_tap;
                    const Vec before = gradient.accumulate ? load_upto(to, count) : zero();
                    store_upto(to, before + g[j], count);
                }
            }
        });
    }
}

}  // namespace

void winograd_filter(const WinogradFilter& filter) noexcept {
    if (filter.taps == 3) {
        (filter.transposed ? filter_transposed<3> : filter_forward<3>)(filter);
    } else {
        (filter.transposed ? filter_transposed<5> : filter_forward<5>)(filter);
    }
}

void winograd_filter_gradient(const WinogradFilterGradient& gradient) noexcept {
    (gradient.taps == 3 ? filter_gradient<3> : filter_gradient<5>)(gradient);
}

}  // namespace pronghorn::PRONGHORN_ISA
