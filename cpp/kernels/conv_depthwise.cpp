// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution on rows, vectors along the channels. Where an output sees two or three
// neighbouring taps along both axes, strides being 1 or 2, a tile of outputs is kept in registers:
// each input is loaded once and meets all outputs that it belongs to. Any other taps go one by one,
// row by row.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

template <bool kMasked>
struct Columns {
    int count;
    Vec get(const float* x) const { return kMasked ? load_partial(x, count) : load(x); }
    void put(float* x, Vec value) const {
        if constexpr (kMasked) {
            store_partial(x, value, count);
        } else {
            store(x, value);
        }
    }
};

/// body(channel, Columns) for the channels from `first` on.
template <typename Body>
inline void for_channels(int64_t first, int64_t channels, Body body) {
    int64_t c = first;
    for (; c + kLanes <= channels; c += kLanes) body(c, Columns<false>{kLanes});
    if (c < channels) body(c, Columns<true>{static_cast<int>(channels - c)});
}

// --------------------------------------------------------------------------------------
// Tiles

constexpr int kMostSide = kRegisters == 32 ? 4 : 2;

/// Whole vectors of channels of some outputs, (h, w) being the first.
struct Part {
    int64_t h, w, channels;
};

/// body(vector, i, j)
template <int kHigh, int kWide, typename Body>
inline void for_cells(Vec (&cells)[kHigh][kWide], Body body) {
#pragma GCC unroll 4
    for (int i = 0; i < kHigh; ++i) {
#pragma GCC unroll 4
        for (int j = 0; j < kWide; ++j) body(cells[i][j], i, j);
    }
}

/// Where the taps of a block lie: the first one of output (0, 0), and from each to the next.
template <typename Block>
struct Taps {
    const float* x;
    int64_t row, pixel;

    explicit Taps(const Block& block)
        : x(block.x + block.rows.source[0] + block.columns.source[0]),
          row(block.rows.source[1] - block.rows.source[0]),
          pixel(block.columns.source[1] - block.columns.source[0]) {}

    /// body(input, h, w, i, j) for every input of a tile from x on and every output (h, w) of the
    /// tile that sees it with tap (i, j).
    template <int kHeight, int kWidth, int kHigh, int kWide, int kStride, typename Body>
    void for_inputs(const float* from, Body body) const {
#pragma GCC unroll 16
        for (int a = 0; a < (kHeight - 1) * kStride + kHigh; ++a) {
#pragma GCC unroll 16
            for (int b = 0; b < (kWidth - 1) * kStride + kWide; ++b) {
                const Vec input = load(from + a * row + b * pixel);
#pragma GCC unroll 4
                for (int h = 0; h < kHeight; ++h) {
#pragma GCC unroll 4
                    for (int w = 0; w < kWidth; ++w) {
                        const int i = a - h * kStride, j = b - w * kStride;
                        if (0 <= i && i < kHigh && 0 <= j && j < kWide) body(input, h, w, i, j);
                    }
                }
            }
        }
    }
};

template <int kHigh, int kWide, int kStride>
struct Forward {
    using Block = DepthwiseBlock;

    template <int kHeight, int kWidth>
    static void tile(const Block& block, const Part& part) {
        const Taps<Block> taps(block);
        const float* x = taps.x + part.h * block.x_row + part.w * block.x_pixel;
        float* y = block.y + part.h * block.y_row + part.w * block.y_pixel;
        for (int64_t c = 0; c < part.channels; c += kLanes) {
            Vec weights[kHigh][kWide], sums[kHeight][kWidth];
            for_cells(weights, [&](Vec& weight, int i, int j) {
                weight = load(block.w + block.rows.weight[i] + block.columns.weight[j] + c);
            });
            const Vec start = block.bias ? load(block.bias + c) : zero();
            for_cells(sums, [&](Vec& sum, int, int) { sum = start; });
            taps.template for_inputs<kHeight, kWidth, kHigh, kWide, kStride>(
                x + c, [&](Vec input, int h, int w, int i, int j) {
                    sums[h][w] = fma(input, weights[i][j], sums[h][w]);
                });
            for_cells(sums, [&](Vec& sum, int h, int w) {
                store(y + h * block.y_row + w * block.y_pixel + c, block.relu ? relu(sum) : sum);
            });
        }
    }
};

template <int kHigh, int kWide, int kStride>
struct Gradient {
    using Block = DepthwiseGradient;

    template <int kHeight, int kWidth>
    static void tile(const Block& block, const Part& part) {
        const Taps<Block> taps(block);
        const float* x = taps.x + part.h * block.x_row + part.w * block.x_pixel;
        const float* dy = block.dy + part.h * block.dy_row + part.w * block.dy_pixel;
        for (int64_t c = 0; c < part.channels; c += kLanes) {
            Vec sums[kHigh][kWide], outputs[kHeight][kWidth];
            const auto place = [&](int i, int j) {
                return block.dw + block.rows.weight[i] + block.columns.weight[j] + c;
            };
            for_cells(sums, [&](Vec& sum, int i, int j) { sum = load(place(i, j)); });
            for_cells(outputs, [&](Vec& output, int h, int w) {
                output = load(dy + h * block.dy_row + w * block.dy_pixel + c);
            });
            taps.template for_inputs<kHeight, kWidth, kHigh, kWide, kStride>(
                x + c, [&](Vec input, int h, int w, int i, int j) {
                    sums[i][j] = fma(input, outputs[h][w], sums[i][j]);
                });
            for_cells(sums, [&](Vec& sum, int i, int j) { store(place(i, j), sum); });
        }
    }
};

template <typename Pass, int kHeight, int kWidth>
void walk_row(const typename Pass::Block& block, Part part) {
    for (; part.w + kWidth <= block.out_w; part.w += kWidth) {
        Pass::template tile<kHeight, kWidth>(block, part);
    }
    if constexpr (kWidth > 1) walk_row<Pass, kHeight, kWidth / 2>(block, part);
}

/// Tiles of kHeight rows while they fit, then smaller ones.
template <typename Pass, int kHeight = kMostSide>
void walk(const typename Pass::Block& block, Part part) {
    for (; part.h + kHeight <= block.out_h; part.h += kHeight) {
        walk_row<Pass, kHeight, kMostSide>(block, part);
    }
    if constexpr (kHeight > 1) walk<Pass, kHeight / 2>(block, part);
}

/// The strides in taps along an axis of `outputs`, kAny where there is only one; 0 where the taps
/// are not neighbours, or not two or three.
constexpr int64_t kAny = -1;
int64_t stride_of(const DepthwiseTaps& taps, int64_t step, int64_t outputs) {
    if (taps.count < 2 || taps.count > 3) return 0;
    const int64_t distance = taps.source[1] - taps.source[0];
    if (taps.count == 3 && taps.source[2] - taps.source[1] != distance) return 0;
    if (outputs == 1) return kAny;
    return step == distance ? 1 : step == 2 * distance ? 2 : 0;
}

/// The walk with tiles for a block, or null.
template <template <int, int, int> typename Pass, typename Block>
auto walk_of(const Block& block) -> void (*)(const Block&, Part) {
    const int64_t rows = stride_of(block.rows, block.x_row, block.out_h);
    const int64_t columns = stride_of(block.columns, block.x_pixel, block.out_w);
    if (rows == 0 || columns == 0) return nullptr;
    if (rows != columns && rows != kAny && columns != kAny) return nullptr;
    const bool two = rows == 2 || columns == 2;
    if (block.rows.count == 2) {
        if (block.columns.count == 2) return two ? walk<Pass<2, 2, 2>> : walk<Pass<2, 2, 1>>;
        return two ? walk<Pass<2, 3, 2>> : walk<Pass<2, 3, 1>>;
    }
    if (block.columns.count == 2) return two ? walk<Pass<3, 2, 2>> : walk<Pass<3, 2, 1>>;
    return two ? walk<Pass<3, 3, 2>> : walk<Pass<3, 3, 1>>;
}

// -----------------------------------------------------------------------------------
// Any taps

template <int kPixels, typename Part>
inline void sum_pixels(const DepthwiseBlock& block, const float* x, float* y, int64_t c,
                       Part part) {
    Vec sums[kPixels];
    const Vec start = block.bias ? part.get(block.bias + c) : zero();
#pragma GCC unroll 8
    for (int p = 0; p < kPixels; ++p) sums[p] = start;
    for (int64_t i = 0; i < block.rows.count; ++i) {
        const float* line = x + block.rows.source[i] + c;
        const float* weights = block.w + block.rows.weight[i] + c;
        for (int64_t j = 0; j < block.columns.count; ++j) {
            const float* from = line + block.columns.source[j];
            const Vec weight = part.get(weights + block.columns.weight[j]);
#pragma GCC unroll 8
            for (int p = 0; p < kPixels; ++p) {
                sums[p] = fma(part.get(from + p * block.x_pixel), weight, sums[p]);
            }
        }
    }
#pragma GCC unroll 8
    for (int p = 0; p < kPixels; ++p) {
        part.put(y + p * block.y_pixel + c, block.relu ? relu(sums[p]) : sums[p]);
    }
}

/// A row from pixel w on and channel `channel` on: kPixels at a time while they fit, then fewer.
template <int kPixels>
void sum_row(const DepthwiseBlock& block, int64_t h, int64_t w, int64_t channel) {
    for (; w + kPixels <= block.out_w; w += kPixels) {
        const float* x = block.x + h * block.x_row + w * block.x_pixel;
        float* y = block.y + h * block.y_row + w * block.y_pixel;
        for_channels(channel, block.channels,
                     [&](int64_t c, auto part) { sum_pixels<kPixels>(block, x, y, c, part); });
    }
    if constexpr (kPixels > 1) sum_row<kPixels / 2>(block, h, w, channel);
}

constexpr int kMostTaps = 9;  // whose sums stay in registers

/// Some of the taps: where each lies in x, and in dw.
struct TapGroup {
    int64_t x[kMostTaps], dw[kMostTaps];
    int count = 0;
};

template <int kTaps>
void add_taps(const DepthwiseGradient& block, const TapGroup& taps, int64_t h, int64_t channel) {
    if constexpr (kTaps > 1) {
        if (taps.count < kTaps) return add_taps<kTaps - 1>(block, taps, h, channel);
    }
    for_channels(channel, block.channels, [&](int64_t c, auto part) {
        Vec sums[kTaps];
        const float* x = block.x + h * block.x_row + c;
        const float* dy = block.dy + h * block.dy_row + c;
#pragma GCC unroll 9
        for (int t = 0; t < kTaps; ++t) sums[t] = part.get(block.dw + taps.dw[t] + c);
        for (int64_t p = 0; p < block.out_w; ++p, x += block.x_pixel, dy += block.dy_pixel) {
            const Vec output = part.get(dy);
#pragma GCC unroll 9
            for (int t = 0; t < kTaps; ++t) {
                sums[t] = fma(output, part.get(x + taps.x[t]), sums[t]);
            }
        }
#pragma GCC unroll 9
        for (int t = 0; t < kTaps; ++t) part.put(block.dw + taps.dw[t] + c, sums[t]);
    });
}

void add_row(const DepthwiseGradient& block, int64_t h, int64_t channel) {
    TapGroup taps;
    for (int64_t i = 0; i < block.rows.count; ++i) {
        for (int64_t j = 0; j < block.columns.count; ++j) {
            taps.x[taps.count] = block.rows.source[i] + block.columns.source[j];
            taps.dw[taps.count] = block.rows.weight[i] + block.columns.weight[j];
            const bool last = i + 1 == block.rows.count && j + 1 == block.columns.count;
            if (++taps.count < kMostTaps && !last) continue;
            add_taps<kMostTaps>(block, taps, h, channel);
            taps.count = 0;
        }
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
            for_channels(0, channels, [&](int64_t c, auto part) {
                const Vec sum = bias ? part.get(y + c) + part.get(bias + c) : part.get(y + c);
                part.put(y + c, activate ? relu(sum) : sum);
            });
            y += channels;
        }
    }
}

/// Whole vectors of channels in tiles where there are some; rest(row, channel) for what is left.
template <template <int, int, int> typename Pass, typename Block, typename Rest>
void compute(const Block& block, Rest rest) {
    int64_t channel = 0;
    if (const auto tiles = walk_of<Pass>(block)) {
        channel = block.channels / kLanes * kLanes;
        if (channel > 0) tiles(block, {0, 0, channel});
    }
    if (channel == block.channels) return;
    for (int64_t h = 0; h < block.out_h; ++h) rest(h, channel);
}

}  // namespace

void depthwise_block(const DepthwiseBlock& block) noexcept {
    compute<Forward>(block, [&](int64_t h, int64_t channel) { sum_row<8>(block, h, 0, channel); });
}

void depthwise_block_dw(const DepthwiseGradient& block) noexcept {
    compute<Gradient>(block, [&](int64_t h, int64_t channel) { add_row(block, h, channel); });
}

void add_bias(int64_t pixels, int64_t channels, bool lanes, const float* bias, bool gate,
              float* y) noexcept {
    (lanes ? add_bias_to<true> : add_bias_to<false>)(pixels, channels, bias, gate, y);
}

}  // namespace pronghorn::PRONGHORN_ISA
