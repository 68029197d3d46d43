// SPDX-License-Identifier: Apache-2.0
// Convolution of planes: neighbouring columns of an output row are a vector, weights are broadcast.
// Fills the vectors where channels are few and there are not enough images for lanes. A tile is
// some output channels times kVectors vectors of them, all sums in registers: loops over them are
// unrolled whole.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

constexpr int kVectors = kRegisters == 32 ? 3 : 2;
constexpr int kMostOut = kRegisters == 32 ? 8 : 6;        // channels of a tile
constexpr int kMostGradients = kRegisters == 32 ? 8 : 4;  // the same of the gradient, at
constexpr int kMostTaps = 3;                              // neighbouring taps

/// Vector number `index` of an output plane that has `blocks` in a row, from column `first` on.
struct Position {
    int64_t row, column;
    Position(int64_t index, int64_t blocks, int64_t first)
        : row(index / blocks), column(first + index % blocks * kLanes) {}
};

/// `most` or fewer of each of `total`, evenly: the size of the piece that begins at `begin`.
int64_t even_piece(int64_t begin, int64_t total, int64_t most) {
    const int64_t pieces = (total - begin + most - 1) / most;
    return (total - begin + pieces - 1) / pieces;
}

/// Output channels from `out` on, at vectors from `index` on, of `lanes` columns each.
template <int kOut, int kCount, bool kWhole>
void tile(const ConvPlanes& conv, int64_t out, int64_t index, int64_t blocks, int64_t first,
          int lanes) noexcept {
    const PlanesSource& from = conv.source;
    const Mask mask = first_lanes(lanes);
    const float* x[kCount];
    float* y[kCount];
    Vec sums[kOut][kCount];
#pragma GCC unroll 8
    for (int v = 0; v < kCount; ++v) {
        const Position at(index + v, blocks, first);
        x[v] = from.x + at.row * from.row + at.column;
        y[v] = conv.y + (out * conv.out_h + at.row) * conv.out_w + at.column;
#pragma GCC unroll 8
        for (int o = 0; o < kOut; ++o) sums[o][v] = conv.bias ? set1(conv.bias[out + o]) : zero();
    }
    const float* plane_weights = conv.weights + out * conv.w_out;
    for (int64_t c = 0; c < from.channels; ++c, plane_weights += conv.w_in) {
        const float* weights = plane_weights;
        for (int64_t i = 0; i < from.kernel_h; ++i) {
            int64_t offset = c * from.plane + i * from.tap_row;
            for (int64_t j = 0; j < from.kernel_w; ++j, offset += from.tap, weights += conv.w_tap) {
                Vec columns[kCount];
#pragma GCC unroll 8
                for (int v = 0; v < kCount; ++v) {
                    columns[v] = kWhole ? load(x[v] + offset) : load_masked(x[v] + offset, mask);
                }
#pragma GCC unroll 8
                for (int o = 0; o < kOut; ++o) {
                    const Vec weight = set1(weights[o * conv.w_out]);
#pragma GCC unroll 8
                    for (int v = 0; v < kCount; ++v) {
                        sums[o][v] = fma(weight, columns[v], sums[o][v]);
                    }
                }
            }
        }
    }
    // Of their own, as stores might change what `conv` refers to.
    const bool rectify = conv.relu;
    const Vec ceiling = set1(conv.ceiling);
    const float *gate = conv.gate, *all_y = conv.y;
    const int64_t plane = conv.out_h * conv.out_w;
#pragma GCC unroll 8
    for (int o = 0; o < kOut; ++o) {
#pragma GCC unroll 8
        for (int v = 0; v < kCount; ++v) {
            // relu() with one instruction: a NaN in the second operand is what max_number returns.
            Vec sum = rectify ? min_number(ceiling, max_number(zero(), sums[o][v])) : sums[o][v];
            float* into = y[v] + o * plane;
            if (gate != nullptr) {
                const float* at = gate + (into - all_y);
                const Vec open = kWhole ? load(at) : load_masked(at, mask);
                sum = select(less(zero(), open), sum, zero());
            }
            kWhole ? store(into, sum) : store_partial(into, sum, lanes);
        }
    }
}

/// `count` vectors, `blocks` in a row.
template <int kOut, bool kWhole>
void tiles(const ConvPlanes& conv, int64_t out, int64_t count, int64_t blocks, int64_t first,
           int lanes) noexcept {
    int64_t i = 0;
    for (; i + kVectors <= count; i += kVectors) {
        tile<kOut, kVectors, kWhole>(conv, out, i, blocks, first, lanes);
    }
    for (; i < count; ++i) tile<kOut, 1, kWhole>(conv, out, i, blocks, first, lanes);
}

template <int kOut>
void channels(const ConvPlanes& conv, int64_t out, int64_t size) noexcept {
    if constexpr (kOut > 1) {
        if (size < kOut) return channels<kOut - 1>(conv, out, size);
    }
    const int64_t blocks = conv.out_w / kLanes, whole = blocks * kLanes;
    const auto rest = static_cast<int>(conv.out_w - whole);
    if (blocks > 0) tiles<kOut, true>(conv, out, conv.out_h * blocks, blocks, 0, kLanes);
    if (rest == 0) return;
    if (blocks > 0) {  // some columns once more, instead of masks
        tiles<kOut, true>(conv, out, conv.out_h, 1, conv.out_w - kLanes, kLanes);
    } else {
        tiles<kOut, false>(conv, out, conv.out_h, 1, 0, rest);
    }
}

/// The gradients of kTaps neighbouring taps, from (i, j) on, of input channel c and output channels
/// from `out` on.
template <int kOut, int kTaps>
void gradient_tile(const ConvPlanesGradient& g, int64_t c, int64_t i, int64_t j,
                   int64_t out) noexcept {
    constexpr int kGroups = (kOut * kTaps + kLanes - 1) / kLanes;
    const PlanesSource& from = g.source;
    const float* x = from.x + c * from.plane + i * from.tap_row + j * from.tap;
    const float* dy = g.dy + out * g.dy_plane;
    Vec sums[kGroups * kLanes];
#pragma GCC unroll 32
    for (Vec& sum : sums) sum = zero();
    const auto add = [&](const float* at, const float* dy_at, auto&& read, auto&& read_dy) {
        Vec columns[kTaps];
#pragma GCC unroll 8
        for (int t = 0; t < kTaps; ++t) columns[t] = read(at + t * from.tap);
#pragma GCC unroll 8
        for (int o = 0; o < kOut; ++o) {
            const Vec d = read_dy(dy_at + o * g.dy_plane);
#pragma GCC unroll 8
            for (int t = 0; t < kTaps; ++t) {
                sums[t * kOut + o] = fma(columns[t], d, sums[t * kOut + o]);
            }
        }
    };
    const auto all = [](const float* at) { return load(at); };
    const int64_t whole = g.out_w / kLanes * kLanes;
    const auto rest = static_cast<int>(g.out_w - whole);
    const Mask inside = first_lanes(rest), known = first_lanes(kLanes - rest);
    for (int64_t h = 0; h < g.out_h; ++h, x += from.row, dy += g.dy_row) {
        for (int64_t w = 0; w < whole; w += kLanes) add(x + w, dy + w, all, all);
        if (rest > 0 && whole > 0) {  // some columns once more, times zero
            const int64_t w = g.out_w - kLanes;
            add(x + w, dy + w, all,
                [=](const float* at) { return select(known, zero(), load(at)); });
        } else if (rest > 0) {
            const auto part = [=](const float* at) { return load_masked(at, inside); };
            add(x, dy, part, part);
        }
    }
    float totals[kGroups * kLanes];
    store_row_sums(sums, totals);
#pragma GCC unroll 8
    for (int t = 0; t < kTaps; ++t) {
        float* dw = g.dw + ((i * from.kernel_w + j + t) * from.channels + c) * g.out_c + out;
#pragma GCC unroll 8
        for (int o = 0; o < kOut; ++o) {
            dw[o] = totals[t * kOut + o] + (g.accumulate ? dw[o] : 0.0f);
        }
    }
}

template <int kOut>
void gradient_channels(const ConvPlanesGradient& g, int64_t out, int64_t size) noexcept {
    if constexpr (kOut > 1) {
        if (size < kOut) return gradient_channels<kOut - 1>(g, out, size);
    }
    const PlanesSource& from = g.source;
    for (int64_t c = 0; c < from.channels; ++c) {
        for (int64_t i = 0; i < from.kernel_h; ++i) {
            for (int64_t j = 0; j < from.kernel_w;) {
                const int64_t taps = even_piece(j, from.kernel_w, kMostTaps);
                if (taps == 3) gradient_tile<kOut, 3>(g, c, i, j, out);
                if (taps == 2) gradient_tile<kOut, 2>(g, c, i, j, out);
                if (taps == 1) gradient_tile<kOut, 1>(g, c, i, j, out);
                j += taps;
            }
        }
    }
}

Vec sum_of_plane(const ConvPlanesGradient& g, const float* dy) noexcept {
    Vec sum = zero();
    for (int64_t h = 0; h < g.out_h; ++h, dy += g.dy_row) {
        for_vectors(g.out_w, [&](int64_t w, int count) { sum = sum + load_upto(dy + w, count); });
    }
    return sum;
}

void bias_gradient(const ConvPlanesGradient& g) noexcept {
    for_vectors(g.out_c, [&](int64_t out, int count) {
        Vec rows[kLanes];
        for (int k = 0; k < kLanes; ++k) {
            rows[k] = k < count ? sum_of_plane(g, g.dy + (out + k) * g.dy_plane) : zero();
        }
        const Vec sums = sum_rows(rows);
        const Vec before = g.accumulate ? load_upto(g.db + out, count) : zero();
        store_upto(g.db + out, before + sums, count);
    });
}

}  // namespace

void conv_planes(const ConvPlanes& conv) noexcept {
    for (int64_t out = 0; out < conv.out_c;) {
        const int64_t size = even_piece(out, conv.out_c, kMostOut);
        channels<kMostOut>(conv, out, size);
        out += size;
    }
}

void conv_planes_dw(const ConvPlanesGradient& gradient) noexcept {
    if (gradient.db != nullptr) bias_gradient(gradient);
    if (gradient.dw == nullptr) return;
    for (int64_t out = 0; out < gradient.out_c;) {
        const int64_t size = even_piece(out, gradient.out_c, kMostGradients);
        gradient_channels<kMostGradients>(gradient, out, size);
        out += size;
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
