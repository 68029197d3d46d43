// SPDX-License-Identifier: Apache-2.0
// Convolutions to a few channels. Forward, the sums of some pixels and all columns are vectors,
// whose lanes are added at the end; for dw a vector of a run's inputs is multiplied by dy,
// broadcast.
#include "kernels/conv_few.h"

#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

/// Inputs [begin, end) of the runs [run, run_end), part of the sums.
struct Part {
    int64_t run, run_end, begin, end;
    bool opens, closes;    // the first, the last one
    const float* weights;  // vector by vector of inputs, each with all columns
};

/// Pixels of a tile: as many sums as hide the latency of a multiply-add, with a vector of weights
/// for each column and one of x they fit the registers.
template <int kColumns>
constexpr int kPixels = (kLanes == 16    ? 16
                         : kColumns == 1 ? 8
                                         : 9) /
                        kColumns;

template <int kColumns>
struct Tile {
    static constexpr int kCount = kPixels<kColumns>;
    static constexpr int kSquares = (kCount * kColumns + kLanes - 1) / kLanes;

    /// sums[p * kColumns + c]
    static void sum(const Conv& conv, const Part& part, const float* const (&x)[kCount],
                    float (&sums)[kSquares * kLanes]) {
        Vec rows[kSquares * kLanes] = {};
        const float* weights = part.weights;
        const int64_t size = part.end - part.begin, whole = size / kLanes * kLanes;
        const Mask mask = first_lanes(static_cast<int>(size - whole));
        const auto add = [&](int64_t i, auto load_inputs) {
            Vec columns[kColumns];
#pragma GCC unroll 4
            for (int c = 0; c < kColumns; ++c) columns[c] = load(weights + c * kLanes);
#pragma GCC unroll 16
            for (int p = 0; p < kCount; ++p) {
                const Vec inputs = load_inputs(x[p] + i);
#pragma GCC unroll 4
                for (int c = 0; c < kColumns; ++c) {
                    Vec& row = rows[p * kColumns + c];
                    row = fma(inputs, columns[c], row);
                }
            }
            weights += kColumns * kLanes;
        };
        for (int64_t r = part.run; r < part.run_end; ++r) {
            const int64_t begin = conv.run_offset[r] + part.begin;
            for (int64_t i = begin; i < begin + whole; i += kLanes) add(i, load);
            if (whole == size) continue;
            add(begin + whole, [mask](const float* from) { return load_masked(from, mask); });
        }
        store_row_sums(rows, sums);
    }

    static void finish(const Conv& conv, const Part& part, const float* sums, float* y) {
        const float* gate = conv.gate ? conv.gate + (y - conv.y) : nullptr;
        for (int c = 0; c < kColumns; ++c) {
            float value = sums[c];
            if (conv.accumulate || !part.opens) {
                value += y[c];
            } else if (conv.bias) {
                value += conv.bias[c];
            }
            if (part.closes && conv.relu) {  // NaN stays NaN
                value = value < 0 ? 0 : value;
                value = value > conv.ceiling ? conv.ceiling : value;
            }
            if (part.closes && gate && !(gate[c] > 0)) value = 0;
            y[c] = value;
        }
    }

    /// All pixels of the image; those that the last tile lacks are the last one again.
    static void run(const Conv& conv, const Part& part) {
        const int64_t pixels = conv.out_h * conv.out_w;
        int64_t h = 0, w = 0;
        for (int64_t first = 0; first < pixels; first += kCount) {
            const int64_t count = min_of(kCount, pixels - first);
            const float* x[kCount];
            float* y[kCount];
            for (int p = 0; p < kCount; ++p) {
                x[p] = conv.x + h * conv.x_row + w * conv.x_pixel;
                y[p] = conv.y + h * conv.y_row + w * conv.y_pixel;
                if (first + p + 1 < pixels && ++w == conv.out_w) w = 0, ++h;
            }
            alignas(64) float sums[kSquares * kLanes];
            sum(conv, part, x, sums);
            for (int64_t p = 0; p < count; ++p) finish(conv, part, sums + p * kColumns, y[p]);
        }
    }
};

/// The part's weights, filled up with zeros to whole vectors.
void copy_weights(const Conv& conv, const Part& part, float* to) {
    for (int64_t r = part.run; r < part.run_end; ++r) {
        const float* from = conv.weights + (r * conv.run_length + part.begin) * conv.w_row;
        for_vectors(part.end - part.begin, [&](int64_t k, int count) {
            for (int64_t c = 0; c < conv.out_c; ++c, to += kLanes) {
                for (int i = 0; i < kLanes; ++i) {
                    to[i] = i < count ? from[(k + i) * conv.w_row + c] : 0.0f;
                }
            }
        });
    }
}

/// Rows of dw of one run, whole vectors but for the last one, from a block of pixels.
struct Rows {
    const float* x;
    const float* dy;
    int64_t h, w;  // pixels
    int64_t row;   // of dw
    int last;      // rows of the last vector
    bool add;
};
using RowsFunction = void (*)(const ConvGradient& gradient, const Rows& rows);

template <int kVectors, int kColumns>
void add_rows(const ConvGradient& gradient, const Rows& rows) {
    const Mask mask = first_lanes(rows.last);
    Vec sums[kVectors][kColumns] = {};
    for (int64_t h = 0; h < rows.h; ++h) {
        const float* x = rows.x + h * gradient.x_row;
        const float* dy = rows.dy + h * gradient.dy_row;
        for (int64_t w = 0; w < rows.w; ++w, x += gradient.x_pixel, dy += gradient.dy_pixel) {
            Vec columns[kColumns];
#pragma GCC unroll 4
            for (int c = 0; c < kColumns; ++c) columns[c] = set1(dy[c]);
#pragma GCC unroll 12
            for (int v = 0; v < kVectors; ++v) {
                const float* from = x + v * kLanes;
                const Vec inputs = v + 1 < kVectors ? load(from) : load_masked(from, mask);
#pragma GCC unroll 4
                for (int c = 0; c < kColumns; ++c) {
                    sums[v][c] = fma(inputs, columns[c], sums[v][c]);
                }
            }
        }
    }
    float* dw = gradient.dw + rows.row * gradient.dw_row;
    if (gradient.dw_row == 1) {
#pragma GCC unroll 12
        for (int v = 0; v < kVectors; ++v, dw += kLanes) {
            const int count = v + 1 < kVectors ? kLanes : rows.last;
            store_upto(dw, rows.add ? load_upto(dw, count) + sums[v][0] : sums[v][0], count);
        }
        return;
    }
    float lanes[kColumns][kVectors * kLanes];
#pragma GCC unroll 12
    for (int v = 0; v < kVectors; ++v) {
#pragma GCC unroll 4
        for (int c = 0; c < kColumns; ++c) store(lanes[c] + v * kLanes, sums[v][c]);
    }
    const int count = (kVectors - 1) * kLanes + rows.last;
    for (int i = 0; i < count; ++i, dw += gradient.dw_row) {
        for (int c = 0; c < kColumns; ++c) dw[c] = rows.add ? dw[c] + lanes[c][i] : lanes[c][i];
    }
}

template <int kColumns>
constexpr int kMostVectors = static_cast<int>(min_of(12, (kRegisters - 2 - kColumns) / kColumns));

template <int kVectors, int kColumns>
RowsFunction rows_of(int64_t vectors) {
    if constexpr (kVectors > 1) {
        if (vectors < kVectors) return rows_of<kVectors - 1, kColumns>(vectors);
    }
    return &add_rows<kVectors, kColumns>;
}

/// All runs, from the block's pixels, in tiles that differ by one vector at most.
template <int kColumns>
void add_runs(const ConvGradient& gradient, Rows rows) {
    const int64_t vectors = ceil_div(gradient.run_length, kLanes);
    const int64_t tiles = ceil_div(vectors, kMostVectors<kColumns>);
    const float* x = rows.x;
    for (int64_t r = 0; r < gradient.runs; ++r) {
        for (int64_t tile = 0; tile < tiles; ++tile) {
            const int64_t first = vectors * tile / tiles, end = vectors * (tile + 1) / tiles;
            rows.x = x + gradient.run_offset[r] + first * kLanes;
            rows.row = r * gradient.run_length + first * kLanes;
            const int64_t last = gradient.run_length - (end - 1) * kLanes;
            rows.last = static_cast<int>(min_of(kLanes, last));
            rows_of<kMostVectors<kColumns>, kColumns>(end - first)(gradient, rows);
        }
    }
}

// By the number of columns, from 1 on.
constexpr void (*kTiles[])(const Conv&, const Part&) = {Tile<1>::run, Tile<2>::run, Tile<3>::run,
                                                        Tile<4>::run};
constexpr void (*kRuns[])(const ConvGradient&, Rows) = {add_runs<1>, add_runs<2>, add_runs<3>,
                                                        add_runs<4>};
constexpr int kMostColumns = sizeof(kTiles) / sizeof(kTiles[0]);

}  // namespace

bool is_few(const Conv& conv) {
    constexpr int64_t kEnds = 6;  // adding lanes, in multiplications
    const int64_t vectors = conv.runs * ceil_div(conv.run_length, kLanes) + kEnds;
    return conv.out_c <= kMostColumns && conv.run_length >= kLanes &&
           conv.out_c * vectors < conv.runs * conv.run_length;
}

void conv_few(const Conv& conv) {
    constexpr int64_t kFloats = 2 * kConvTerms;  // with vectors filled up, for each column
    alignas(64) float weights[kFloats * kMostColumns];
    Part part{};
    part.weights = weights;
    part.opens = true;
    const int64_t parts = ceil_div(conv.run_length, kConvTerms);
    const int64_t group = parts > 1 ? 1 : kConvTerms / conv.run_length;
    for (; part.run < conv.runs; part.run = part.run_end) {
        part.run_end = min_of(conv.runs, part.run + group);
        for (int64_t i = 0; i < parts; ++i) {
            part.begin = conv.run_length * i / parts;
            part.end = conv.run_length * (i + 1) / parts;
            part.closes = part.run_end == conv.runs && i + 1 == parts;
            copy_weights(conv, part, weights);
            kTiles[conv.out_c - 1](conv, part);
            part.opens = false;
        }
    }
}

bool is_few(const ConvGradient& gradient) {
    return gradient.out_c <= kMostColumns && gradient.run_length >= 2 * kLanes &&
           gradient.out_c * ceil_div(gradient.run_length, kLanes) * 5 <= gradient.run_length * 4;
}

void conv_few_dw(const ConvGradient& gradient) {
    constexpr int64_t kPixelsOfBlock = 128;  // whose inputs stay in L1 from tile to tile
    const int64_t parts = ceil_div(gradient.out_w, kPixelsOfBlock);
    const int64_t step = parts > 1 ? 1 : kPixelsOfBlock / gradient.out_w;
    Rows rows{};
    rows.add = gradient.accumulate;
    for (int64_t h = 0; h < gradient.out_h; h += rows.h) {
        rows.h = min_of(step, gradient.out_h - h);
        for (int64_t part = 0; part < parts; ++part) {
            const int64_t w = gradient.out_w * part / parts;
            rows.w = gradient.out_w * (part + 1) / parts - w;
            rows.x = gradient.x + h * gradient.x_row + w * gradient.x_pixel;
            rows.dy = gradient.dy + h * gradient.dy_row + w * gradient.dy_pixel;
            kRuns[gradient.out_c - 1](gradient, rows);
            rows.add = true;
        }
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
