// SPDX-License-Identifier: Apache-2.0
// The gradient of a convolution's weights on rows: tiles of dw (rows x vectors of output channels) are
// outer products of x, broadcast, and dy, loaded as vectors, summed in registers over a block of
// pixels whose dy stays in cache.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

constexpr int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }
constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

constexpr int most_rows(int vectors) { return vectors == 1 ? 14 : (kRegisters - 4) / vectors; }

/// A block of pixels, and which part of dw it adds to.
struct Block {
    int64_t h, h_end, w, w_end;
    int64_t row, column;  // of dw: the first of the tile
    int tail;             // columns of the last vector
    bool add;             // to what dw holds
};
using TileFunction = void (*)(const ConvGradient& gradient, const Block& block);

template <int kRows, int kVectors, bool kMasked>
struct GradientTile {
    static constexpr bool masked(int v) { return kMasked && v == kVectors - 1; }

    static Vec load_columns(const float* x, int v, Mask mask) {
        return masked(v) ? load_masked(x, mask) : load(x);
    }

    static void run(const ConvGradient& gradient, const Block& block) {
        const Mask mask = first_lanes(block.tail);
        int64_t offset[kRows];
        for (int m = 0; m < kRows; ++m) {
            const int64_t row = block.row + m;
            offset[m] = gradient.run_offset[row / gradient.run_length] + row % gradient.run_length;
        }
        Vec sums[kRows][kVectors] = {};
        for (int64_t h = block.h; h < block.h_end; ++h) {
            const float* x = gradient.x + h * gradient.x_row + block.w * gradient.x_pixel;
            const float* dy = gradient.dy + h * gradient.dy_row + block.w * gradient.dy_pixel +
                              block.column;
            for (int64_t w = block.w; w < block.w_end; ++w) {
                Vec columns[kVectors];
#pragma GCC unroll 4
                for (int v = 0; v < kVectors; ++v) {
                    columns[v] = load_columns(dy + v * kLanes, v, mask);
                }
#pragma GCC unroll 32
                for (int m = 0; m < kRows; ++m) {
                    const Vec value = set1(x[offset[m]]);
#pragma GCC unroll 4
                    for (int v = 0; v < kVectors; ++v) {
                        sums[m][v] = fma(value, columns[v], sums[m][v]);
                    }
                }
                x += gradient.x_pixel;
                dy += gradient.dy_pixel;
            }
        }
        float* dw = gradient.dw + block.row * gradient.dw_row + block.column;
        for (int m = 0; m < kRows; ++m, dw += gradient.dw_row) {
            for (int v = 0; v < kVectors; ++v) {
                float* to = dw + v * kLanes;
                const Vec sum =
                    block.add ? load_columns(to, v, mask) + sums[m][v] : sums[m][v];
                if (masked(v)) {
                    store_masked(to, sum, mask);
                } else {
                    store(to, sum);
                }
            }
        }
    }
};

template <int kRows, int kVectors, bool kMasked>
TileFunction tile_of(int64_t rows) {
    if constexpr (kRows > 1) {
        if (rows < kRows) return tile_of<kRows - 1, kVectors, kMasked>(rows);
    }
    return &GradientTile<kRows, kVectors, kMasked>::run;
}

template <int kVectors>
TileFunction tile_with(int64_t rows, bool masked) {
    constexpr int kMost = most_rows(kVectors);
    return masked ? tile_of<kMost, kVectors, true>(rows) : tile_of<kMost, kVectors, false>(rows);
}

void add_block(const ConvGradient& gradient, Block block) {
    const int64_t depth = gradient.runs * gradient.run_length;
    for (block.column = 0; block.column < gradient.out_c;) {
        const int64_t rest = gradient.out_c - block.column;
        const int vectors = rest > kLanes ? 2 : 1;
        block.tail = static_cast<int>(min_of(kLanes, rest - (vectors - 1) * kLanes));
        const bool masked = block.tail != kLanes;
        const int64_t tiles = ceil_div(depth, most_rows(vectors));
        for (int64_t tile = 0; tile < tiles; ++tile) {
            block.row = depth * tile / tiles;
            const int64_t rows = depth * (tile + 1) / tiles - block.row;
            (vectors == 1 ? tile_with<1>(rows, masked) : tile_with<2>(rows, masked))(gradient,
                                                                                     block);
        }
        block.column += vectors * kLanes;
    }
}

}  // namespace

void conv_rows_dw(const ConvGradient& gradient) noexcept {
    constexpr int64_t kPixels = 192;
    const int64_t parts = ceil_div(gradient.out_w, kPixels);
    const int64_t step = parts > 1 ? 1 : max_of(1, kPixels / gradient.out_w);
    Block block{};
    block.add = gradient.accumulate;
    for (block.h = 0; block.h < gradient.out_h; block.h = block.h_end) {
        block.h_end = min_of(gradient.out_h, block.h + step);
        for (int64_t part = 0; part < parts; ++part) {
            block.w = gradient.out_w * part / parts;
            block.w_end = gradient.out_w * (part + 1) / parts;
            add_block(gradient, block);
            block.add = true;
        }
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
