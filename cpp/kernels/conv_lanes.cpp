// SPDX-License-Identifier: Apache-2.0
// Convolution and its weight gradient with images as vector lanes: every element of x, y and dy is
// a vector, every weight a scalar. Nothing is wasted on small channel counts, which is what this
// layout is for. Both kernels keep a tile of sums in registers: pixels x channels forward, rows of
// dw x channels backward. Sizes of tiles are picked per call by counting cycles; all are templates.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

/// Most columns of a tile with `rows`: the sums, the operand that is kept and one that streams.
constexpr int most_columns(int rows) {
    int columns = 1;
    while ((columns + 1) * rows + min_of(columns + 1, rows) + 1 <= kRegisters) ++columns;
    return columns;
}

/// A balanced cut of `size` into blocks: sizes differ by one at most.
struct Cut {
    int64_t size, blocks;

    /// Into as few blocks of at most `most` as there are.
    static Cut at_most(int64_t size, int64_t most) { return {size, (size + most - 1) / most}; }
    int64_t begin(int64_t block) const { return block * size / blocks; }

    /// The sum of cost(size of a block) over the blocks.
    template <typename Cost>
    int64_t sum(Cost cost) const {
        const int64_t least = size / blocks, larger = size % blocks;
        const int64_t of_least = (blocks - larger) * cost(least);
        return larger == 0 ? of_least : of_least + larger * cost(least + 1);
    }
};

/// Estimate for a step of a tile, in eighths of a multiply-add, a load counting one. Eight sums are
/// needed to hide the latency of a multiply-add.
constexpr int64_t tile_cost(int64_t sums, int64_t loads) {
    return 8 * (sums > 8 ? sums : 8) + loads;
}

/// sums[i][j] += row(i) * column(j), the shorter side being kept in registers.
template <int kRows, int kColumns, typename Row, typename Column>
inline void multiply_add(Vec (&sums)[kRows][kColumns], const Row& row, const Column& column) {
    if constexpr (kRows <= kColumns) {
        Vec kept[kRows];
#pragma GCC unroll 32
        for (int i = 0; i < kRows; ++i) kept[i] = row(i);
#pragma GCC unroll 32
        for (int j = 0; j < kColumns; ++j) {
            const Vec streamed = kRows > 1 ? in_register(column(j)) : column(j);
#pragma GCC unroll 32
            for (int i = 0; i < kRows; ++i) sums[i][j] = fma(kept[i], streamed, sums[i][j]);
        }
    } else {
        Vec kept[kColumns];
#pragma GCC unroll 32
        for (int j = 0; j < kColumns; ++j) kept[j] = column(j);
#pragma GCC unroll 32
        for (int i = 0; i < kRows; ++i) {
            const Vec streamed = kColumns > 1 ? in_register(row(i)) : row(i);
#pragma GCC unroll 32
            for (int j = 0; j < kColumns; ++j) sums[i][j] = fma(streamed, kept[j], sums[i][j]);
        }
    }
}

// ----------------------------------------------------------------------------------------
// conv_lanes

/// Pixels [first, last) of the image (h * out_w + w) and channels from `channel`.
struct Strip {
    int64_t first, last, channel;
};
using ConvTile = void (*)(const Conv& conv, const Strip& strip) noexcept;

template <int kPixels, int kChannels>
inline void init_sums(Vec (&sums)[kPixels][kChannels], const Conv& conv, int64_t channel,
                      float* const (&y)[kPixels]) {
    if (conv.accumulate) {
#pragma GCC unroll 32
        for (int p = 0; p < kPixels; ++p) {
#pragma GCC unroll 32
            for (int c = 0; c < kChannels; ++c) sums[p][c] = load(y[p] + c * kLanes);
        }
        return;
    }
#pragma GCC unroll 32
    for (int c = 0; c < kChannels; ++c) {
        const Vec start = conv.bias ? set1(conv.bias[channel + c]) : zero();
#pragma GCC unroll 32
        for (int p = 0; p < kPixels; ++p) sums[p][c] = start;
    }
}

/// The sums become 0 where the gate is not above 0.
template <int kPixels, int kChannels>
inline void mask_sums(Vec (&sums)[kPixels][kChannels], const Conv& conv,
                      float* const (&y)[kPixels]) {
#pragma GCC unroll 32
    for (int p = 0; p < kPixels; ++p) {
        const float* gate = conv.gate + (y[p] - conv.y);
#pragma GCC unroll 32
        for (int c = 0; c < kChannels; ++c) {
            sums[p][c] = select(less(zero(), load(gate + c * kLanes)), sums[p][c], zero());
        }
    }
}

template <int kPixels, int kChannels>
inline void store_sums(Vec (&sums)[kPixels][kChannels], const Conv& conv,
                       float* const (&y)[kPixels]) {
    const bool rectify = conv.relu;  // of its own, as stores might change it
    const Vec ceiling = set1(conv.ceiling);
#pragma GCC unroll 32
    for (int p = 0; p < kPixels; ++p) {
#pragma GCC unroll 32
        for (int c = 0; c < kChannels; ++c) {
            // relu() with one instruction: a NaN in the second operand is what max_number returns.
            if (rectify) sums[p][c] = min_number(ceiling, max_number(zero(), sums[p][c]));
            store(y[p] + c * kLanes, sums[p][c]);
        }
    }
}

/// The same value, as far as the compiler knows a new one.
template <typename T>
inline T renewed(T value) {
    asm("" : "+r"(value));
    return value;
}

/// Row after row of kChannels weights, with few address registers: eight weights are a base and 1,
/// 3, 5 or 7 steps times the 1, 2 or 4 of x86's addressing. Left alone, GCC keeps an address for
/// each weight on the stack, which halves the speed of 24 channels.
template <int kChannels>
struct WeightRow {
    static constexpr int kBases = (kChannels + 7) / 8;
    static constexpr int64_t kFloat = sizeof(float);

    const char* base[kBases];
    int64_t row, step, step_3, step_5, step_7;  // bytes

    WeightRow(const Conv& conv, int64_t channel)
        : row(conv.w_row * kFloat),
          step(conv.w_panel * kFloat),
          step_3(3 * step),
          step_5(5 * step),
          step_7(7 * step) {
        const char* first = reinterpret_cast<const char*>(conv.weights + channel * conv.w_panel);
#pragma GCC unroll 32
        for (int i = 0; i < kBases; ++i) base[i] = first + 8 * i * step;
    }

    /// Called for every row, so that no address is computed ahead of the loop.
    void renew() {
#pragma GCC unroll 32
        for (int i = 0; i < kBases; ++i) base[i] = renewed(base[i]);
        step = renewed(step);
        step_3 = renewed(step_3);
        step_5 = renewed(step_5);
        step_7 = renewed(step_7);
    }
    void next() {
#pragma GCC unroll 32
        for (int i = 0; i < kBases; ++i) base[i] += row;
    }
    int64_t offset(int i) const {
        if (i == 3 || i == 6) return i / 3 * step_3;
        if (i == 5) return step_5;
        if (i == 7) return step_7;
        return i * step;
    }
    Vec operator()(int c) const {
        return set1(*reinterpret_cast<const float*>(base[c / 8] + offset(c % 8)));
    }
};

/// One channel block along a strip. The last tile repeats the last pixel where pixels are missing.
template <int kPixels, int kChannels>
void conv_strip(const Conv& conv, const Strip& strip) noexcept {
    int64_t h = strip.first / conv.out_w, w = strip.first - h * conv.out_w;
    const int64_t out_w = conv.out_w;
    const int64_t x_step = conv.x_pixel * kLanes, y_step = conv.y_pixel * kLanes;
    for (int64_t first = strip.first; first < strip.last; first += kPixels) {
        const float* x[kPixels];
        float* y[kPixels];
        const auto place = [&](int p) {
            x[p] = conv.x + (h * conv.x_row + w * conv.x_pixel) * kLanes;
            y[p] = conv.y + (h * conv.y_row + w * conv.y_pixel + strip.channel) * kLanes;
        };
        if (w + kPixels < out_w && first + kPixels < strip.last) {  // one address instead of all
            place(0);
#pragma GCC unroll 32
            for (int p = 1; p < kPixels; ++p) x[p] = x[p - 1] + x_step, y[p] = y[p - 1] + y_step;
            w += kPixels;
        } else {
#pragma GCC unroll 32
            for (int p = 0; p < kPixels; ++p) {
                place(p);
                if (first + p + 1 < strip.last && ++w == out_w) w = 0, ++h;
            }
        }
        Vec sums[kPixels][kChannels];
        init_sums(sums, conv, strip.channel, y);
        WeightRow<kChannels> weights(conv, strip.channel);
        for (int64_t r = 0; r < conv.runs; ++r) {
            const int64_t begin = conv.run_offset[r] * kLanes;
            const int64_t end = begin + conv.run_length * kLanes;
            for (int64_t i = begin; i < end; i += kLanes, weights.next()) {
                weights.renew();
                multiply_add(sums, [&](int p) { return load(x[p] + i); }, weights);
            }
        }
        if (conv.gate) mask_sums(sums, conv, y);
        store_sums(sums, conv, y);
    }
}

template <int kPixels, int kChannels>
ConvTile conv_tile(int64_t channels) noexcept {
    if constexpr (kChannels > 1) {
        if (channels < kChannels) return conv_tile<kPixels, kChannels - 1>(channels);
    }
    return &conv_strip<kPixels, kChannels>;
}

struct ConvTiling {
    int64_t pixels, cost;
    Cut channels;
    ConvTile (*tile)(int64_t channels) noexcept;
};

template <int kPixels>
void consider_conv(const Conv& conv, ConvTiling& best) noexcept {
    // One pixel: weights are operands in memory, and need three base registers at most.
    constexpr int kChannels = kPixels == 1 ? kRegisters * 3 / 4 : most_columns(kPixels);
    const int64_t pixels = conv.out_h * conv.out_w;
    if (pixels < kPixels) return;
    const Cut channels = Cut::at_most(conv.out_c, kChannels);
    const int64_t cost = (pixels + kPixels - 1) / kPixels * channels.sum([](int64_t c) {
        return tile_cost(c * kPixels, c + kPixels);
    });
    if (best.tile == nullptr || cost < best.cost) {
        best = {kPixels, cost, channels, &conv_tile<kPixels, kChannels>};
    }
}

// -------------------------------------------------------------------------------------
// conv_lanes_dw

/// The rows of dw in the order they are cut into tiles.
struct GradientRows {
    int64_t in_c, taps_w, taps;

    /// Rows that read the same channel of neighbouring pixels follow each other: a tile then finds
    /// most of its x in the first cache (LeNet's second layer: 93 % of peak, in memory's order 60
    /// %).
    explicit GradientRows(const ConvGradient& g)
        : in_c(g.x_pixel > 0 && g.run_length % g.x_pixel == 0 ? g.x_pixel : g.run_length),
          taps_w(g.run_length / in_c),
          taps(g.runs * taps_w) {}
    int64_t count() const { return taps * in_c; }
    int64_t run(int64_t row) const { return row % taps / taps_w; }
    int64_t place(int64_t row) const { return row % taps % taps_w * in_c + row / taps; }
};

using GradientTile = void (*)(const ConvGradient& g, const GradientRows& rows, int64_t row,
                              int64_t channel) noexcept;

/// Sums of the lanes into dw, kLanes sums at a time.
template <int kRows, int kChannels>
inline void store_gradient(const Vec (&sums)[kRows][kChannels], float* const (&dw)[kRows],
                           bool accumulate) {
    constexpr int kCount = kRows * kChannels;
    float totals[(kCount + kLanes - 1) / kLanes * kLanes];
#pragma GCC unroll 32
    for (int first = 0; first < kCount; first += kLanes) {
        Vec group[kLanes];
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) {
            const auto sum = min_of(first + i, kCount - 1);
            group[i] = sums[sum / kChannels][sum % kChannels];
        }
        store(totals + first, sum_rows(group));
    }
#pragma GCC unroll 32
    for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 32
        for (int c = 0; c < kChannels; ++c) {
            const float total = totals[m * kChannels + c];
            dw[m][c] = accumulate ? dw[m][c] + total : total;
        }
    }
}

template <int kRows, int kChannels>
void gradient_tile(const ConvGradient& g, const GradientRows& rows, int64_t row,
                   int64_t channel) noexcept {
    const float* x[kRows];
    float* dw[kRows];
#pragma GCC unroll 32
    for (int m = 0; m < kRows; ++m) {
        const int64_t run = rows.run(row + m), place = rows.place(row + m);
        x[m] = g.x + (g.run_offset[run] + place) * kLanes;
        dw[m] = g.dw + (run * g.run_length + place) * g.dw_row + channel;
    }
    Vec sums[kRows][kChannels];
#pragma GCC unroll 32
    for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 32
        for (int c = 0; c < kChannels; ++c) sums[m][c] = zero();
    }
    for (int64_t h = 0; h < g.out_h; ++h) {
        const float* dy = g.dy + (h * g.dy_row + channel) * kLanes;
        int64_t i = h * g.x_row * kLanes;
        for (int64_t w = 0; w < g.out_w; ++w) {
            multiply_add(
                sums, [&](int m) { return load(x[m] + i); },
                [&](int c) { return load(dy + c * kLanes); });
            i += g.x_pixel * kLanes;
            dy += g.dy_pixel * kLanes;
        }
    }
    store_gradient(sums, dw, g.accumulate);
}

template <int kRows, int kChannels>
GradientTile find_gradient_tile(int64_t channels) noexcept {
    if constexpr (kChannels > 1) {
        if (channels < kChannels) return find_gradient_tile<kRows, kChannels - 1>(channels);
    }
    return &gradient_tile<kRows, kChannels>;
}

struct GradientTiling {
    int64_t cost;
    Cut rows, channels;
};

constexpr int kMostRows = 9;  // each needs an address register

constexpr int most_channels(int rows) {
    return static_cast<int>(min_of(kMostRows, most_columns(rows)));
}

/// The cheapest tiles: near squares. 5x5 beats 9x3, which reads less of dy, by 2 to 5 % on LeNet's.
GradientTiling gradient_tiling(int64_t rows, int64_t channels) noexcept {
    GradientTiling best{};
    for (int most_rows = 1; most_rows <= kMostRows; ++most_rows) {
        const Cut row_cut = Cut::at_most(rows, most_rows);
        const Cut channel_cut = Cut::at_most(channels, most_channels(most_rows));
        const int64_t cost = row_cut.sum([&](int64_t m) {
            return channel_cut.sum([&](int64_t c) { return tile_cost(m * c, m + c); });
        });
        if (most_rows == 1 || cost <= best.cost) best = {cost, row_cut, channel_cut};
    }
    return best;
}

using GradientTiles = GradientTile (*)(int64_t channels) noexcept;

template <int kRows>
GradientTiles gradient_tiles(int64_t rows) noexcept {
    if constexpr (kRows > 1) {
        if (rows < kRows) return gradient_tiles<kRows - 1>(rows);
    }
    return &find_gradient_tile<kRows, most_channels(kRows)>;
}

}  // namespace

void conv_lanes(const Conv& conv) noexcept {
    ConvTiling tiling{};
    consider_conv<1>(conv, tiling);
    consider_conv<2>(conv, tiling);
    consider_conv<3>(conv, tiling);
    consider_conv<4>(conv, tiling);
    consider_conv<5>(conv, tiling);
    consider_conv<6>(conv, tiling);
    const int64_t pixels = conv.out_h * conv.out_w;
    // Several tiles of a channel block in turn save calls, few keep their x in the first cache.
    const int64_t strip = tiling.pixels * 4;
    for (int64_t first = 0; first < pixels; first += strip) {
        const int64_t last = first + strip < pixels ? first + strip : pixels;
        for (int64_t block = 0; block < tiling.channels.blocks; ++block) {
            const int64_t channel = tiling.channels.begin(block);
            const int64_t channels = tiling.channels.begin(block + 1) - channel;
            tiling.tile(channels)(conv, {first, last, channel});
        }
    }
}

void conv_lanes_dw(const ConvGradient& gradient) noexcept {
    const GradientRows rows(gradient);
    const GradientTiling tiling = gradient_tiling(rows.count(), gradient.out_c);
    for (int64_t j = 0; j < tiling.channels.blocks; ++j) {
        const int64_t channel = tiling.channels.begin(j);
        const int64_t channels = tiling.channels.begin(j + 1) - channel;
        for (int64_t i = 0; i < tiling.rows.blocks; ++i) {
            const int64_t row = tiling.rows.begin(i);
            const int64_t height = tiling.rows.begin(i + 1) - row;
            gradient_tiles<kMostRows>(height)(channels)(gradient, rows, row, channel);
        }
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
