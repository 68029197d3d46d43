// SPDX-License-Identifier: Apache-2.0
// Winograd's transforms of kernels: 3 x 3 taps to 36 points, packed for the product, and the
// gradient's sums at 36 points back to taps.
#include "kernels/winograd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

/// 9 taps of a vector of channels to 36 points.
void transform_taps(const Vec (&taps)[9], float* u, int64_t plane) {
    Vec half[6][3];
    for (int j = 0; j < 3; ++j) {
        const Vec g[3] = {taps[j], taps[3 + j], taps[6 + j]};
        Vec points[6];
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

void filter_forward(const WinogradFilter& filter) {
    const int64_t tap = filter.in_c * filter.out_c;
    for (int64_t c = filter.begin; c < filter.end; ++c) {
        const float* w = filter.w + c * filter.out_c;
        for_vectors(filter.out_c, [&](int64_t k, int count) {
            Vec taps[9];
            for (int t = 0; t < 9; ++t) taps[t] = load_upto(w + t * tap + k, count);
            float* to = filter.u + (k / kWinogradPanel * filter.in_c + c) * kWinogradPanel;
            transform_taps(taps, to + k % kWinogradPanel, filter.plane);
        });
    }
}

/// Output channels [k, k + rows) of up to kLanes input channels from c on.
void filter_transposed(const WinogradFilter& filter, int64_t k, int rows, int64_t c, int count) {
    const int64_t tap = filter.in_c * filter.out_c;
    alignas(64) float turned[9][kLanes][kLanes];  // tap, output channel, input channel
    for (int t = 0; t < 9; ++t) {
        const float* w = filter.w + (8 - t) * tap + c * filter.out_c + k;
        Vec square[kLanes];
        for (int i = 0; i < kLanes; ++i) {
            square[i] = i < count ? load_upto(w + i * filter.out_c, rows) : zero();
        }
        transpose(square);
        for (int i = 0; i < kLanes; ++i) store(turned[t][i], square[i]);
    }
    float* to = filter.u + (c / kWinogradPanel * filter.out_c + k) * kWinogradPanel;
    for (int i = 0; i < rows; ++i) {
        Vec taps[9];
        for (int t = 0; t < 9; ++t) taps[t] = load(turned[t][i]);
        transform_taps(taps, to + i * kWinogradPanel + c % kWinogradPanel, filter.plane);
    }
}

}  // namespace

void winograd_filter(const WinogradFilter& filter) noexcept {
    if (!filter.transposed) return filter_forward(filter);
    for_vectors(filter.end - filter.begin, [&](int64_t k, int rows) {
        for_vectors(filter.in_c, [&](int64_t c, int count) {
            filter_transposed(filter, filter.begin + k, rows, c, count);
        });
    });
}

void winograd_filter_gradient(const WinogradFilterGradient& gradient) noexcept {
    for (int64_t row = 0; row < gradient.rows; ++row) {
        for_vectors(gradient.columns, [&](int64_t column, int count) {
            const float* s = gradient.s + row * gradient.row + column;
            float* dw = gradient.dw + row * gradient.dw_row + column;
            Vec half[3][6];
#pragma GCC unroll 6
            for (int j = 0; j < 6; ++j) {
                Vec points[6], g[3];
                for (int i = 0; i < 6; ++i) points[i] = load(s + (6 * i + j) * gradient.plane);
                winograd_gt(points, g);
                for (int i = 0; i < 3; ++i) half[i][j] = g[i];
            }
            for (int i = 0; i < 3; ++i) {
                Vec g[3];
                winograd_gt(half[i], g);
                for (int j = 0; j < 3; ++j) {
                    store_upto(dw + (3 * i + j) * gradient.dw_tap, g[j], count);
                }
            }
        });
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
