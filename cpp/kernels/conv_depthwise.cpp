// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution on rows, vectors along the channels. Forward, a tile of pixels shares the
// loads of the weights. Backward, weights and their gradients stay in registers for a row, and a
// pixel of x meets every dy that it has added to: dx and dw share all loads.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

template <bool kMasked>
struct Columns {
    Mask mask;
    Vec get(const float* x) const { return kMasked ? load_masked(x, mask) : load(x); }
    void put(float* x, Vec value) const {
        if constexpr (kMasked) {
            store_masked(x, value, mask);
        } else {
            store(x, value);
        }
    }
};

/// body(first channel, Columns) for all channels.
template <typename Body>
inline void for_channels(int64_t channels, Body body) {
    int64_t c = 0;
    for (; c + kLanes <= channels; c += kLanes) body(c, Columns<false>{});
    if (c < channels) body(c, Columns<true>{first_lanes(static_cast<int>(channels - c))});
}

template <int kPixels, typename Part>
inline void sum_tile(const DepthwiseRow& row, const float* x, float* y, int64_t c, Part part) {
    Vec sums[kPixels];
    const Vec start = row.bias ? part.get(row.bias + c) : zero();
#pragma GCC unroll 8
    for (int p = 0; p < kPixels; ++p) sums[p] = start;
    for (int64_t i = 0; i < row.rows.count; ++i) {
        const float* line = x + row.rows.source[i] + c;
        const float* weights = row.w + row.rows.weight[i] + c;
        for (int64_t j = 0; j < row.columns.count; ++j) {
            const float* from = line + row.columns.source[j];
            const Vec weight = part.get(weights + row.columns.weight[j]);
#pragma GCC unroll 8
            for (int p = 0; p < kPixels; ++p) {
                sums[p] = fma(part.get(from + p * row.x_pixel), weight, sums[p]);
            }
        }
    }
#pragma GCC unroll 8
    for (int p = 0; p < kPixels; ++p) {
        part.put(y + p * row.y_pixel + c, row.relu ? relu(sums[p]) : sums[p]);
    }
}

/// Tiles of kPixels pixels from `first` on, while they fit; then smaller ones.
template <int kPixels>
void sum_pixels(const DepthwiseRow& row, int64_t first) {
    for (; first + kPixels <= row.pixels; first += kPixels) {
        const float* x = row.x + first * row.x_pixel;
        float* y = row.y + first * row.y_pixel;
        for_channels(row.channels,
                     [&](int64_t c, auto part) { sum_tile<kPixels>(row, x, y, c, part); });
    }
    if constexpr (kPixels > 1) sum_pixels<kPixels / 2>(row, first);
}

constexpr int kMostTaps = 9;  // with their gradients 18 registers

/// Some of the taps, row by row.
struct TapGroup {
    int64_t dy[kMostTaps], w[kMostTaps];
    int count;
    bool first;  // dx is written, not added to
};

template <int kTaps, bool kDx, bool kDw, typename Part>
inline void sweep_row(const DepthwiseRowGradient& row, const TapGroup& taps, int64_t c, Part part) {
    Vec weights[kTaps], sums[kTaps];
    const float* from[kTaps];
#pragma GCC unroll 9
    for (int t = 0; t < kTaps; ++t) {
        if (kDx) weights[t] = part.get(row.w + taps.w[t] + c);
        sums[t] = zero();
        from[t] = row.dy + taps.dy[t] + c;
    }
    int64_t at = c, moved = 0;
    for (int64_t p = 0; p < row.pixels; ++p, at += row.x_pixel, moved += row.dy_pixel) {
        const Vec value = kDw ? part.get(row.x + at) : zero();
        Vec dx = kDx && !taps.first ? part.get(row.dx + at) : zero();
#pragma GCC unroll 9
        for (int t = 0; t < kTaps; ++t) {
            const Vec dy = part.get(from[t] + moved);
            if (kDx) dx = fma(dy, weights[t], dx);
            if (kDw) sums[t] = fma(value, dy, sums[t]);
        }
        if (kDx) part.put(row.dx + at, dx);
    }
#pragma GCC unroll 9
    for (int t = 0; t < kTaps; ++t) {
        float* dw = row.dw + taps.w[t] + c;
        if (kDw) part.put(dw, part.get(dw) + sums[t]);
    }
}

template <int kTaps, bool kDx, bool kDw>
void sweep_taps(const DepthwiseRowGradient& row, const TapGroup& taps) {
    if constexpr (kTaps > 1) {
        if (taps.count < kTaps) return sweep_taps<kTaps - 1, kDx, kDw>(row, taps);
    }
    for_channels(row.channels,
                 [&](int64_t c, auto part) { sweep_row<kTaps, kDx, kDw>(row, taps, c, part); });
}

void fill_zero(const DepthwiseRowGradient& row) {
    for (int64_t p = 0; row.dx != nullptr && p < row.pixels; ++p) {
        float* dx = row.dx + p * row.x_pixel;
        for_channels(row.channels, [&](int64_t c, auto part) { part.put(dx + c, zero()); });
    }
}

template <bool kLanesLayout>
void add_bias_to(int64_t pixels, int64_t channels, const float* bias, bool activate, float* y) {
    for (int64_t p = 0; p < pixels; ++p) {
        if constexpr (kLanesLayout) {
            for (int64_t c = 0; c < channels; ++c, y += kLanes) {
                const Vec sum = bias ? load(y) + set1(bias[c]) : load(y);
                store(y, activate ? relu(sum) : sum);
            }
        } else {
            for_channels(channels, [&](int64_t c, auto part) {
                const Vec sum = bias ? part.get(y + c) + part.get(bias + c) : part.get(y + c);
                part.put(y + c, activate ? relu(sum) : sum);
            });
            y += channels;
        }
    }
}

}  // namespace

void depthwise_row(const DepthwiseRow& row) noexcept { sum_pixels<8>(row, 0); }

void depthwise_row_backward(const DepthwiseRowGradient& row) noexcept {
    TapGroup taps{};
    taps.first = true;
    for (int64_t i = 0; i < row.rows.count; ++i) {
        for (int64_t j = 0; j < row.columns.count; ++j) {
            taps.dy[taps.count] = row.rows.source[i] + row.columns.source[j];
            taps.w[taps.count] = row.rows.weight[i] + row.columns.weight[j];
            const bool last = i + 1 == row.rows.count && j + 1 == row.columns.count;
            if (++taps.count < kMostTaps && !last) continue;
            if (row.dx != nullptr && row.dw != nullptr) {
                sweep_taps<kMostTaps, true, true>(row, taps);
            } else if (row.dx != nullptr) {
                sweep_taps<kMostTaps, true, false>(row, taps);
            } else {
                sweep_taps<kMostTaps, false, true>(row, taps);
            }
            taps.count = 0;
            taps.first = false;
        }
    }
    if (taps.first) fill_zero(row);  // no window covers these pixels
}

void add_bias(int64_t pixels, int64_t channels, bool lanes, const float* bias, bool gate,
              float* y) noexcept {
    (lanes ? add_bias_to<true> : add_bias_to<false>)(pixels, channels, bias, gate, y);
}

}  // namespace pronghorn::PRONGHORN_ISA
