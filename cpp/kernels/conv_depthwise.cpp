// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution on rows, vectors along the channels: a strip of up to eight outputs of a
// row at a time. A row of the kernel stays in registers; each input of the strip is loaded once,
// meets all outputs that it belongs to, and is left out where it lies outside the image. Gradients
// are the same with outputs in registers and sums for the row of the kernel.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

constexpr int kMostPixels = 8;  // of a strip

/// A distance that is added from pointer to pointer: GCC would keep all its multiples, more than
/// there are registers, which costs 15 %.
inline int64_t walked(int64_t distance) {
    asm("" : "+r"(distance));
    return distance;
}

/// The taps [begin, end) of an output whose cells exist.
struct Span {
    int64_t begin, end;

    Span(const DepthwiseAxis& axis, int64_t output) {
        const int64_t first = axis.first + output * axis.stride;
        begin = first < 0 ? (axis.step - 1 - first) / axis.step : 0;
        end = first < axis.size ? (axis.size - 1 - first) / axis.step + 1 : 0;
        if (end > axis.taps) end = axis.taps;
    }
};

/// A vector of channels, the last `fresh` of which are in no vector before it: where vectors do not
/// divide the channels, the last one overlaps the one before.
struct Whole {
    int fresh;

    Vec get(const float* x) const { return load(x); }
    void put(float* x, Vec value) const { store(x, value); }
    void add(float* x, Vec value) const {
        store(x, load(x) + select(first_lanes(kLanes - fresh), zero(), value));
    }
    /// body(channel, lanes)
    template <typename Body>
    static void for_each(int64_t channels, Body body) {
        for (int64_t c = 0; c < channels; c += kLanes) {
            const int64_t left = channels - c;
            const int fresh = left < kLanes ? static_cast<int>(left) : kLanes;
            body(c + fresh - kLanes, Whole{fresh});
        }
    }
};

/// Fewer channels than a vector has lanes.
struct Partial {
    int count;

    Vec get(const float* x) const { return load_partial(x, count); }
    void put(float* x, Vec value) const { store_partial(x, value, count); }
    void add(float* x, Vec value) const { put(x, get(x) + value); }
    template <typename Body>
    static void for_each(int64_t channels, Body body) {
        body(0, Partial{static_cast<int>(channels)});
    }
};

/// Where a strip finds its inputs in a row of x, in floats: the first tap of its first output at
/// `at`, and from tap to tap and from output to output; those in [0, size) exist.
struct Inputs {
    int64_t at, tap, pixel, size;

    Inputs(const DepthwiseAxis& columns, int64_t x_pixel, int64_t output)
        : at((columns.first + output * columns.stride) * x_pixel),
          tap(columns.step * x_pixel),
          pixel(columns.stride * x_pixel),
          size(columns.size * x_pixel) {}

    /// The same from a later tap on.
    Inputs behind(int64_t taps) const {
        Inputs inputs = *this;
        inputs.at += taps * tap;
        return inputs;
    }

    /// body(input, p, j) for every input that exists and every output p of the strip that sees it
    /// with tap j < kTaps. Outputs are kStride taps apart, with a single tap at any distance.
    template <int kTaps, int kStride, int kPixels, typename Lanes, typename Body>
    void for_each(Lanes lanes, const float* row, Body body) const {
        const int64_t step = walked(kTaps == 1 ? pixel : tap);
        int64_t from = at;
#pragma GCC unroll 32
        for (int a = 0; a < (kPixels - 1) * kStride + kTaps; ++a, from += step) {
            if (static_cast<uint64_t>(from) >= static_cast<uint64_t>(size)) continue;
            const Vec input = in_register(lanes.get(row + from));
#pragma GCC unroll 8
            for (int j = 0; j < kTaps; ++j) {
                const int p = (a - j) / kStride;
                if (a >= j && (a - j) % kStride == 0 && p < kPixels) body(input, p, j);
            }
        }
    }
};

struct Forward {
    using Block = DepthwiseBlock;

    /// Whether a row of the kernel is computed by so many taps `together`: the whole of it only, as
    /// a loop over groups of taps costs 10 %.
    static bool takes(int64_t taps, int64_t together) { return taps == together; }

    /// kPixels outputs of row h from output `first` on.
    template <int kTaps, int kStride, int kPixels, typename Lanes>
    static void strip(const Block& block, const Inputs& inputs, int64_t first, int64_t h) {
        const Span rows(block.rows, h);
        const int64_t groups = kTaps == 1 ? block.columns.taps : 1;
        const int64_t w_row = block.w_row, w_column = block.w_column;
        const int64_t x_row = block.rows.step * block.x_row;
        const float* x_first = block.x + (block.rows.first + h * block.rows.stride) * block.x_row;
        float* y_first = block.y + h * block.y_row + first * block.y_pixel;
        const float *w_first = block.w, *bias = block.bias;
        const Vec least = block.relu ? zero() : set1(-__builtin_inff());
        const Vec most = set1(block.relu ? block.ceiling : __builtin_inff());
        const int64_t y_pixel = block.y_pixel;
        Lanes::for_each(block.channels, [=](int64_t c, Lanes lanes) {
            Vec sums[kPixels];
            const Vec start = bias ? lanes.get(bias + c) : zero();
#pragma GCC unroll 8
            for (int p = 0; p < kPixels; ++p) sums[p] = start;
            for (int64_t i = rows.begin; i < rows.end; ++i) {
                const float* w = w_first + i * w_row + c;
                for (int64_t g = 0; g < groups; ++g, w += w_column) {
                    Vec weights[kTaps];
#pragma GCC unroll 8
                    for (int j = 0; j < kTaps; ++j) weights[j] = lanes.get(w + j * w_column);
                    inputs.behind(g).for_each<kTaps, kStride, kPixels>(
                        lanes, x_first + i * x_row + c, [&](Vec input, int p, int j) {
                            sums[p] = fma(input, weights[j], sums[p]);
                        });
                }
            }
            float* y = y_first + c;
            const int64_t step = walked(y_pixel);
#pragma GCC unroll 8
            for (int p = 0; p < kPixels; ++p, y += step) {
                lanes.put(y, min_number(most, max_number(least, sums[p])));
            }
        });
    }
};

struct Gradient {
    using Block = DepthwiseGradient;

    /// Groups of taps are summed one after the other.
    static bool takes(int64_t taps, int64_t together) { return taps % together == 0; }

    /// What kPixels outputs of row h add, from output `first` on.
    template <int kTaps, int kStride, int kPixels, typename Lanes>
    static void strip(const Block& block, const Inputs& inputs, int64_t first, int64_t h) {
        const Span rows(block.rows, h);
        const int64_t taps = block.columns.taps, w_row = block.w_row, w_column = block.w_column;
        const int64_t dy_pixel = block.dy_pixel, x_row = block.rows.step * block.x_row;
        const float* x_first = block.x + (block.rows.first + h * block.rows.stride) * block.x_row;
        const float* dy_first = block.dy + h * block.dy_row + first * dy_pixel;
        for (int64_t i = rows.begin; i < rows.end; ++i) {
            for (int64_t tap = 0; tap < taps; tap += kTaps) {
                const float* x = x_first + i * x_row;
                float* dw = block.dw + i * w_row + tap * w_column;
                Lanes::for_each(block.channels, [=](int64_t c, Lanes lanes) {
                    Vec outputs[kPixels], sums[kTaps];
                    const float* dy = dy_first + c;
                    const int64_t step = walked(dy_pixel);
#pragma GCC unroll 8
                    for (int p = 0; p < kPixels; ++p, dy += step) outputs[p] = lanes.get(dy);
#pragma GCC unroll 8
                    for (int j = 0; j < kTaps; ++j) sums[j] = zero();
                    inputs.behind(tap).for_each<kTaps, kStride, kPixels>(
                        lanes, x + c, [&](Vec input, int p, int j) {
                            sums[j] = fma(input, outputs[p], sums[j]);
                        });
#pragma GCC unroll 8
                    for (int j = 0; j < kTaps; ++j) lanes.add(dw + j * w_column + c, sums[j]);
                });
            }
        }
    }
};

/// Strips of kPixels outputs from output `first` to `last`, row by row: maps that come from memory
/// are read in its order.
template <typename Pass, int kTaps, int kStride, typename Lanes, int kPixels>
void walk_strips(const typename Pass::Block& block, int64_t first, int64_t last) {
    for (int64_t h = 0; h < block.out_h; ++h) {
        for (int64_t p = first; p < last; p += kPixels) {
            const Inputs inputs(block.columns, block.x_pixel, p);
            Pass::template strip<kTaps, kStride, kPixels, Lanes>(block, inputs, p, h);
        }
    }
}

/// Rows in the fewest strips, alike within one output.
template <typename Pass, int kTaps, int kStride, typename Lanes = Whole, int kPixels = kMostPixels>
void walk_rows(const typename Pass::Block& block) {
    const int64_t strips = (block.out_w + kMostPixels - 1) / kMostPixels;
    const int64_t pixels = block.out_w / strips, longer = block.out_w % strips * (pixels + 1);
    if constexpr (kPixels > 1) {
        walk_rows<Pass, kTaps, kStride, Lanes, kPixels - 1>(block);
    }
    if (kPixels == pixels + 1) {
        walk_strips<Pass, kTaps, kStride, Lanes, kPixels>(block, 0, longer);
    }
    if (kPixels == pixels) {
        walk_strips<Pass, kTaps, kStride, Lanes, kPixels>(block, longer, block.out_w);
    }
}

/// By the taps of a row of the kernel: usual ones together, others one by one.
template <typename Pass>
void walk(const typename Pass::Block& block) {
    const DepthwiseAxis& columns = block.columns;
    if (block.channels < kLanes) return walk_rows<Pass, 1, 1, Partial>(block);
    const auto takes = [&](int stride, int taps) {
        return columns.stride == stride * columns.step && Pass::takes(columns.taps, taps);
    };
    if (takes(1, 7)) return walk_rows<Pass, 7, 1>(block);
    if (takes(1, 5)) return walk_rows<Pass, 5, 1>(block);
    if (takes(1, 3)) return walk_rows<Pass, 3, 1>(block);
    if (takes(1, 2)) return walk_rows<Pass, 2, 1>(block);
    if (takes(2, 7)) return walk_rows<Pass, 7, 2>(block);
    if (takes(2, 5)) return walk_rows<Pass, 5, 2>(block);
    if (takes(2, 3)) return walk_rows<Pass, 3, 2>(block);
    walk_rows<Pass, 1, 1>(block);
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
            for_vectors(channels, [&](int64_t c, int count) {
                const Vec x = load_upto(y + c, count);
                const Vec sum = bias ? x + load_upto(bias + c, count) : x;
                store_upto(y + c, activate ? relu(sum) : sum, count);
            });
            y += channels;
        }
    }
}

}  // namespace

void depthwise_block(const DepthwiseBlock& block) noexcept { walk<Forward>(block); }

void depthwise_block_dw(const DepthwiseGradient& block) noexcept { walk<Gradient>(block); }

void add_bias(int64_t pixels, int64_t channels, bool lanes, const float* bias, bool gate,
              float* y) noexcept {
    (lanes ? add_bias_to<true> : add_bias_to<false>)(pixels, channels, bias, gate, y);
}

}  // namespace pronghorn::PRONGHORN_ISA
