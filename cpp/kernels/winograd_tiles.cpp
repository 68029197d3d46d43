// SPDX-License-Identifier: Apache-2.0
// Winograd's transforms of maps: inputs and gradients of outputs to 36 planes, and planes to
// outputs. Each goes tile by tile and vector by vector, in two passes with a temporary in memory:
// 119 cycles for a vector of AVX-512 where one unrolled pass takes 170. What the tile after the
// next will read is fetched ahead, which makes whole convolutions of large maps 1.3 to 1.5 times as
// fast.
#include "kernels/winograd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

constexpr int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }

/// A tile of kSize x kSize cells, of which [row, row_end) x [column, column_end) lie in the map.
template <int kSize>
struct Cells {
    Cells(const WinogradTiles& tiles, const WinogradCursor& cursor)
        : row(max_of(0, -cursor.top(tiles))),
          row_end(min_of(kSize, tiles.height - cursor.top(tiles))),
          column(max_of(0, -cursor.left(tiles))),
          column_end(min_of(kSize, tiles.width - cursor.left(tiles))) {}

    bool whole() const {
        return row == 0 && column == 0 && row_end == kSize && column_end == kSize;
    }
    bool has(int i, int j) const {
        return row <= i && i < row_end && column <= j && j < column_end;
    }

    int64_t row, row_end, column, column_end;
};

/// Reads cells of one vector of channels.
template <int kSize, bool kWhole, bool kGated, bool kMasked>
struct Reader {
    const Cells<kSize>& cells;
    const float *x, *gate;
    int64_t offset, row, pixel;  // offset of the tile's corner, maybe outside
    Mask mask;

    Vec cell(const float* from, int64_t at) const {
        return kMasked ? load_masked(from + at, mask) : load(from + at);
    }
    Vec at(int i, int j) const {
        if (!kWhole && !cells.has(i, j)) return zero();
        const int64_t place = offset + i * row + j * pixel;
        const Vec value = cell(x, place);
        if (!kGated) return value;
        return select(less(zero(), cell(gate, place)), value, zero());
    }
    void fetch(int i, int j, int64_t distance) const {
        const int64_t place = offset + i * row + j * pixel + distance;
        prefetch(x + place);
        if (kGated) prefetch(gate + place);
    }
};

template <int kStep>
struct InputTransform {
    static constexpr int kSize = 6;
    static constexpr int kShared = kSize - kStep;  // columns with the tile before

    template <typename Read>
    static void run(const Read& read, int64_t ahead, float* to, int64_t plane, float* /*sum*/) {
        alignas(64) float half[36 * kLanes];
#pragma GCC unroll 1
        for (int j = 0; j < 6; ++j) {
            Vec x[6], v[6];
#pragma GCC unroll 6
            for (int i = 0; i < 6; ++i) x[i] = read.at(i, j);
#pragma GCC unroll 6
            for (int i = 0; j >= kShared && i < 6; ++i) read.fetch(i, j, ahead);
            winograd_bt(x, v);
#pragma GCC unroll 6
            for (int i = 0; i < 6; ++i) store(half + (6 * i + j) * kLanes, v[i]);
        }
#pragma GCC unroll 1
        for (int i = 0; i < 6; ++i, to += 6 * plane) {
            Vec x[6], v[6];
#pragma GCC unroll 6
            for (int j = 0; j < 6; ++j) x[j] = load(half + (6 * i + j) * kLanes);
            winograd_bt(x, v);
#pragma GCC unroll 6
            for (int j = 0; j < 6; ++j) store(to + j * plane, v[j]);
        }
    }
};

template <int kStep>
struct GradientTransform {
    static constexpr int kSize = kStep;

    /// Adds the cells to sum, a vector, unless it is null.
    template <typename Read>
    static void run(const Read& read, int64_t ahead, float* to, int64_t plane, float* sum) {
        alignas(64) float half[6 * kStep * kLanes];
        Vec total = zero();
#pragma GCC unroll 1
        for (int j = 0; j < kStep; ++j) {
            Vec y[kStep], d[6];
#pragma GCC unroll 4
            for (int i = 0; i < kStep; ++i) y[i] = read.at(i, j);
#pragma GCC unroll 4
            for (int i = 0; i < kStep; ++i) read.fetch(i, j, ahead);
            Vec column = y[0] + y[1];
            if constexpr (kStep == 4) column = column + (y[2] + y[3]);
            total = total + column;
            winograd_a(y, d);
#pragma GCC unroll 6
            for (int i = 0; i < 6; ++i) store(half + (kStep * i + j) * kLanes, d[i]);
        }
        if (sum != nullptr) store(sum, load(sum) + total);
#pragma GCC unroll 1
        for (int i = 0; i < 6; ++i, to += 6 * plane) {
            Vec y[kStep], d[6];
#pragma GCC unroll 4
            for (int j = 0; j < kStep; ++j) y[j] = load(half + (kStep * i + j) * kLanes);
            winograd_a(y, d);
#pragma GCC unroll 6
            for (int j = 0; j < 6; ++j) store(to + j * plane, d[j]);
        }
    }
};

/// All channels of one tile; the last vector of them masked.
template <typename Transform, bool kWhole, bool kGated>
void transform_tile(const WinogradTiles& tiles, const Cells<Transform::kSize>& cells,
                    const float* x, const float* gate, int64_t offset, int64_t ahead, float* to,
                    float* sums) {
    constexpr int kSize = Transform::kSize;
    const int64_t row = tiles.width * tiles.pixel;
    for_vectors(tiles.channels, [&](int64_t c, int count) {
        float* const planes = to + winograd_place(tiles, c);
        float* const sum = sums == nullptr ? nullptr : sums + c;
        if (count == kLanes) {
            const Reader<kSize, kWhole, kGated, false> read{cells, x,           gate, offset + c,
                                                            row,   tiles.pixel, {}};
            Transform::run(read, ahead, planes, tiles.plane, sum);
        } else {
            const Reader<kSize, kWhole, kGated, true> read{
                cells, x, gate, offset + c, row, tiles.pixel, first_lanes(count)};
            Transform::run(read, ahead, planes, tiles.plane, sum);
        }
    });
}

template <typename Transform, bool kGated>
void transform_tiles(const WinogradTiles& tiles, const float* x, const float* gate, float* sums) {
    WinogradCursor cursor(tiles, tiles.first), next(tiles, tiles.first + 2);
    float* to = tiles.planes;
    for (int64_t t = 0; t < tiles.count; ++t, to += tiles.row) {
        const Cells<Transform::kSize> cells(tiles, cursor);
        const int64_t offset = cursor.offset(tiles), ahead = next.offset(tiles) - offset;
        (cells.whole() ? transform_tile<Transform, true, kGated>
                       : transform_tile<Transform, false, kGated>)(tiles, cells, x, gate, offset,
                                                                   ahead, to, sums);
        cursor.next(tiles);
        next.next(tiles);
    }
}

/// What becomes of the sums of a vector of channels: y = act(sum + bias), or 0 where the gate is
/// not above 0.
struct Finish {
    Vec bias;
    bool activate;
    const float* gate;  // of the tile's corner, or null
};

/// One vector of one tile of y; cells outside the map and lanes behind `count` stay untouched.
template <int kStep, bool kMasked>
void output_vector(const WinogradTiles& tiles, const Cells<kStep>& cells, const float* from,
                   const Finish& finish, int count, float* y, int64_t ahead) {
    const int64_t plane = tiles.plane, row = tiles.width * tiles.pixel;
    alignas(64) float half[6 * kStep * kLanes];
#pragma GCC unroll 1
    for (int j = 0; j < 6; ++j, from += plane) {
        Vec m[6], v[kStep];
#pragma GCC unroll 6
        for (int i = 0; i < 6; ++i) m[i] = load(from + 6 * i * plane);
        winograd_at(m, v);
#pragma GCC unroll 4
        for (int i = 0; i < kStep; ++i) store(half + (6 * i + j) * kLanes, v[i]);
    }
#pragma GCC unroll 1
    for (int i = 0; i < cells.row_end; ++i, y += row) {
        Vec m[6], v[kStep];
#pragma GCC unroll 6
        for (int j = 0; j < 6; ++j) m[j] = load(half + (6 * i + j) * kLanes);
        winograd_at(m, v);
#pragma GCC unroll 4
        for (int j = 0; j < kStep; ++j) {
            __builtin_prefetch(y + j * tiles.pixel + ahead, 1);
            if (j >= cells.column_end) continue;
            Vec value = v[j] + finish.bias;
            if (finish.activate) value = relu(value);
            if (finish.gate != nullptr) {
                const float* at = finish.gate + i * row + j * tiles.pixel;
                prefetch(at + ahead);
                const Vec gate = kMasked ? load_partial(at, count) : load(at);
                value = select(less(zero(), gate), value, zero());
            }
            if (kMasked) {
                store_partial(y + j * tiles.pixel, value, count);
            } else {
                store(y + j * tiles.pixel, value);
            }
        }
    }
}

template <int kStep>
void output_tiles(const WinogradTiles& tiles, const float* bias, bool activate, const float* gate,
                  float* y) {
    WinogradCursor cursor(tiles, tiles.first), next(tiles, tiles.first + 2);
    const float* from = tiles.planes;
    for (int64_t t = 0; t < tiles.count; ++t, from += tiles.row) {
        const Cells<kStep> cells(tiles, cursor);
        const int64_t offset = cursor.offset(tiles), ahead = next.offset(tiles) - offset;
        for_vectors(tiles.channels, [&](int64_t c, int count) {
            const Finish finish{bias == nullptr ? zero() : load_upto(bias + c, count), activate,
                                gate == nullptr ? nullptr : gate + offset + c};
            (count == kLanes ? output_vector<kStep, false>
                             : output_vector<kStep, true>)(tiles, cells,
                                                           from + winograd_place(tiles, c), finish,
                                                           count, y + offset + c, ahead);
        });
        cursor.next(tiles);
        next.next(tiles);
    }
}

template <template <int> typename Transform>
void transform(const WinogradTiles& tiles, const float* x, const float* gate, float* sums) {
    const bool gated = gate != nullptr;
    (tiles.step == 4
         ? (gated ? transform_tiles<Transform<4>, true> : transform_tiles<Transform<4>, false>)
         : (gated ? transform_tiles<Transform<2>, true> : transform_tiles<Transform<2>, false>))(
        tiles, x, gate, sums);
}

}  // namespace

void winograd_input(const WinogradTiles& tiles, const float* x, const float* gate) noexcept {
    transform<InputTransform>(tiles, x, gate, nullptr);
}

void winograd_gradient(const WinogradTiles& tiles, const float* dy, const float* gate,
                       float* db) noexcept {
    transform<GradientTransform>(tiles, dy, gate, db);
}

void winograd_output(const WinogradTiles& tiles, const float* bias, bool activate,
                     const float* gate, float* y) noexcept {
    (tiles.step == 4 ? output_tiles<4> : output_tiles<2>)(tiles, bias, activate, gate, y);
}

}  // namespace pronghorn::PRONGHORN_ISA
