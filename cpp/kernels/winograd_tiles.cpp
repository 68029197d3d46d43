// SPDX-License-Identifier: Apache-2.0
// Winograd's transforms of maps: inputs and gradients of outputs to a plane for each point, and
// planes to outputs. Each goes tile by tile and vector by vector, in two passes with a temporary in
// memory: 119 cycles for a vector of AVX-512 where one unrolled pass takes 170. What the tile after
// the next will read is fetched ahead, which makes whole convolutions of large maps 1.3 to 1.5
// times as fast.
#include "kernels/winograd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

/// A tile of kRows x kColumns cells, of which [row, row_end) x [column, column_end) lie in the map.
template <int kRows, int kColumns>
struct Cells {
    template <typename Cursor>
    Cells(const WinogradTiles& tiles, const Cursor& at)
        : row(behind(-at.top(), tiles.height)),
          row_end(min_of(kRows, behind(tiles.height.cells - at.top(), tiles.height))),
          column(behind(-at.left(), tiles.width)),
          column_end(min_of(kColumns, behind(tiles.width.cells - at.left(), tiles.width))) {
        if (at.front() < 0 || at.front() >= tiles.depth.cells) row_end = 0;
    }

    /// The first of the axis' cells that lies `distance` or more behind the corner.
    static int64_t behind(int64_t distance, const WinogradTiles::Axis& axis) {
        const int64_t cells = max_of(0, distance + axis.spacing - 1);
        return axis.spacing == 1 ? cells : cells / axis.spacing;
    }
    bool whole() const {
        return row == 0 && column == 0 && row_end == kRows && column_end == kColumns;
    }
    bool has(int i, int j) const {
        return row <= i && i < row_end && column <= j && j < column_end;
    }

    int64_t row, row_end, column, column_end;
};

/// Reads cells of one vector of channels.
template <typename Cells, bool kWhole, bool kGated, bool kMasked>
struct Reader {
    const Cells& cells;
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

template <typename Form>
struct InputTransform {
    static constexpr int kRows = Form::Rows::kPoints, kColumns = Form::Columns::kPoints;
    static constexpr int kShared = Form::Columns::kTaps - 1;  // columns with the tile before

    template <typename Read>
    static void run(const Read& read, int64_t ahead, float* to, int64_t plane, float* /*sum*/) {
        alignas(64) float half[kRows * kColumns * kLanes];
        if constexpr (kRows > 1) {
#pragma GCC unroll 1
            for (int j = 0; j < kColumns; ++j) {
                Vec x[kRows], v[kRows];
#pragma GCC unroll 6
                for (int i = 0; i < kRows; ++i) x[i] = read.at(i, j);
#pragma GCC unroll 6
                for (int i = 0; j >= kShared && i < kRows; ++i) read.fetch(i, j, ahead);
                winograd_bt(x, v);
#pragma GCC unroll 6
                for (int i = 0; i < kRows; ++i) store(half + (kColumns * i + j) * kLanes, v[i]);
            }
        }
#pragma GCC unroll 1
        for (int i = 0; i < kRows; ++i, to += kColumns * plane) {
            Vec x[kColumns], v[kColumns];
#pragma GCC unroll 6
            for (int j = 0; j < kColumns; ++j) {
                x[j] = kRows > 1 ? load(half + (kColumns * i + j) * kLanes) : read.at(0, j);
                if (kRows == 1 && j >= kShared) read.fetch(0, j, ahead);
            }
            winograd_bt(x, v);
#pragma GCC unroll 6
            for (int j = 0; j < kColumns; ++j) store(to + j * plane, v[j]);
        }
    }
};

template <typename Form>
struct GradientTransform {
    static constexpr int kRows = Form::Rows::kStep, kColumns = Form::Columns::kStep;
    static constexpr int kPointsH = Form::Rows::kPoints, kPointsW = Form::Columns::kPoints;

    /// Adds the cells to sum, a vector, unless it is null.
    template <typename Read>
    static void run(const Read& read, int64_t ahead, float* to, int64_t plane, float* sum) {
        alignas(64) float half[kPointsH * kColumns * kLanes];
        Vec total = zero();
        if constexpr (kRows > 1) {
#pragma GCC unroll 1
            for (int j = 0; j < kColumns; ++j) {
                Vec y[kRows], d[kPointsH];
#pragma GCC unroll 4
                for (int i = 0; i < kRows; ++i) y[i] = read.at(i, j);
#pragma GCC unroll 4
                for (int i = 0; i < kRows; ++i) read.fetch(i, j, ahead);
                total = total + sum_of(y);
                winograd_a(y, d);
#pragma GCC unroll 6
                for (int i = 0; i < kPointsH; ++i) store(half + (kColumns * i + j) * kLanes, d[i]);
            }
        }
#pragma GCC unroll 1
        for (int i = 0; i < kPointsH; ++i, to += kPointsW * plane) {
            Vec y[kColumns], d[kPointsW];
#pragma GCC unroll 4
            for (int j = 0; j < kColumns; ++j) {
                y[j] = kRows > 1 ? load(half + (kColumns * i + j) * kLanes) : read.at(0, j);
                if (kRows == 1) read.fetch(0, j, ahead);
            }
            if (kRows == 1) total = sum_of(y);
            winograd_a(y, d);
#pragma GCC unroll 6
            for (int j = 0; j < kPointsW; ++j) store(to + j * plane, d[j]);
        }
        if (sum != nullptr) store(sum, load(sum) + total);
    }

    template <int kCells>
    static Vec sum_of(const Vec (&y)[kCells]) {
        Vec sum = y[0] + y[1];
        if constexpr (kCells == 3) sum = sum + y[2];
        if constexpr (kCells == 4) sum = sum + (y[2] + y[3]);
        return sum;
    }
};

/// All channels of one tile; the last vector of them masked.
template <typename Transform, bool kWhole, bool kGated, typename Cells>
void transform_tile(const WinogradTiles& tiles, const Cells& cells, const float* x,
                    const float* gate, int64_t offset, int64_t ahead, float* to, float* sums) {
    const int64_t pixel = tiles.width.spacing * tiles.pixel;
    const int64_t row = tiles.height.spacing * tiles.width.cells * tiles.pixel;
    for_vectors(tiles.channels, [&](int64_t c, int count) {
        float* const planes = to + winograd_place(tiles, c);
        float* const sum = sums == nullptr ? nullptr : sums + c;
        if (count == kLanes) {
            const Reader<Cells, kWhole, kGated, false> read{cells, x,     gate, offset + c,
                                                            row,   pixel, {}};
            Transform::run(read, ahead, planes, tiles.plane, sum);
        } else {
            const Reader<Cells, kWhole, kGated, true> read{
                cells, x, gate, offset + c, row, pixel, first_lanes(count)};
            Transform::run(read, ahead, planes, tiles.plane, sum);
        }
    });
}

template <typename Form, template <typename> typename TransformOf, bool kGated>
void transform_tiles(const WinogradTiles& tiles, const float* x, const float* gate, float* sums) {
    using Transform = TransformOf<Form>;
    WinogradCursor<Form> cursor(tiles, tiles.first), next(tiles, tiles.first + 2);
    float* to = tiles.planes;
    for (int64_t t = 0; t < tiles.count; ++t, to += tiles.row) {
        const Cells<Transform::kRows, Transform::kColumns> cells(tiles, cursor);
        const int64_t offset = cursor.offset(), ahead = next.offset() - offset;
        (cells.whole()
             ? transform_tile<Transform, true, kGated, decltype(cells)>
             : transform_tile<Transform, false, kGated, decltype(cells)>)(tiles, cells, x, gate,
                                                                          offset, ahead, to, sums);
        cursor.next();
        next.next();
    }
}

/// What becomes of the sums of a vector of channels: y = act(sum + bias), or 0 where the gate is
/// not above 0.
struct Finish {
    Vec bias;
    bool activate;
    Vec ceiling;
    const float* gate;  // of the tile's corner, or null
};

/// One vector of one tile of y; cells outside the map and lanes behind `count` stay untouched.
template <typename Form, bool kMasked, typename Cells>
void output_vector(const WinogradTiles& tiles, const Cells& cells, const float* from,
                   const Finish& finish, int count, float* y, int64_t ahead) {
    constexpr int kPointsH = Form::Rows::kPoints, kPointsW = Form::Columns::kPoints;
    constexpr int kRows = Form::Rows::kStep, kColumns = Form::Columns::kStep;
    const int64_t plane = tiles.plane, pixel = tiles.width.spacing * tiles.pixel;
    const int64_t row = tiles.height.spacing * tiles.width.cells * tiles.pixel;
    alignas(64) float half[kRows * kPointsW * kLanes];
    if constexpr (kRows > 1) {
        const float* column = from;
#pragma GCC unroll 1
        for (int j = 0; j < kPointsW; ++j, column += plane) {
            Vec m[kPointsH], v[kRows];
#pragma GCC unroll 6
            for (int i = 0; i < kPointsH; ++i) m[i] = load(column + kPointsW * i * plane);
            winograd_at(m, v);
#pragma GCC unroll 4
            for (int i = 0; i < kRows; ++i) store(half + (kPointsW * i + j) * kLanes, v[i]);
        }
    }
#pragma GCC unroll 1
    for (int i = 0; i < cells.row_end; ++i, y += row) {
        Vec m[kPointsW], v[kColumns];
#pragma GCC unroll 6
        for (int j = 0; j < kPointsW; ++j) {
            m[j] = load(kRows > 1 ? half + (kPointsW * i + j) * kLanes : from + j * plane);
        }
        winograd_at(m, v);
#pragma GCC unroll 4
        for (int j = 0; j < kColumns; ++j) {
            __builtin_prefetch(y + j * pixel + ahead, 1);
            if (j >= cells.column_end) continue;
            Vec value = v[j] + finish.bias;
            if (finish.activate) value = min_number(finish.ceiling, relu(value));
            if (finish.gate != nullptr) {
                const float* at = finish.gate + i * row + j * pixel;
                prefetch(at + ahead);
                const Vec gate = kMasked ? load_partial(at, count) : load(at);
                value = select(less(zero(), gate), value, zero());
            }
            if (kMasked) {
                store_partial(y + j * pixel, value, count);
            } else {
                store(y + j * pixel, value);
            }
        }
    }
}

template <typename Form>
void output_tiles(const WinogradTiles& tiles, const float* bias, bool activate, float ceiling,
                  const float* gate, float* y) {
    using Outputs = Cells<Form::Rows::kStep, Form::Columns::kStep>;
    WinogradCursor<Form> cursor(tiles, tiles.first), next(tiles, tiles.first + 2);
    const float* from = tiles.planes;
    for (int64_t t = 0; t < tiles.count; ++t, from += tiles.row) {
        const Outputs cells(tiles, cursor);
        const int64_t offset = cursor.offset(), ahead = next.offset() - offset;
        for_vectors(tiles.channels, [&](int64_t c, int count) {
            const Finish finish{bias == nullptr ? zero() : load_upto(bias + c, count), activate,
                                set1(ceiling), gate == nullptr ? nullptr : gate + offset + c};
            (count == kLanes ? output_vector<Form, false, Outputs>
                             : output_vector<Form, true, Outputs>)(tiles, cells,
                                                                   from + winograd_place(tiles, c),
                                                                   finish, count, y + offset + c,
                                                                   ahead);
        });
        cursor.next();
        next.next();
    }
}

template <template <typename> typename TransformOf>
void transform(const WinogradTiles& tiles, const float* x, const float* gate, float* sums) {
    with_winograd_form(tiles.taps_h, tiles.taps_w, [&](auto form) {
        using Form = decltype(form);
        (gate != nullptr ? transform_tiles<Form, TransformOf, true>
                         : transform_tiles<Form, TransformOf, false>)(tiles, x, gate, sums);
    });
}

}  // namespace

void winograd_input(const WinogradTiles& tiles, const float* x, const float* gate) noexcept {
    transform<InputTransform>(tiles, x, gate, nullptr);
}

void winograd_gradient(const WinogradTiles& tiles, const float* dy, const float* gate,
                       float* db) noexcept {
    transform<GradientTransform>(tiles, dy, gate, db);
}

void winograd_output(const WinogradTiles& tiles, const float* bias, bool activate, float ceiling,
                     const float* gate, float* y) noexcept {
    with_winograd_form(tiles.taps_h, tiles.taps_w, [&](auto form) {
        output_tiles<decltype(form)>(tiles, bias, activate, ceiling, gate, y);
    });
}

}  // namespace pronghorn::PRONGHORN_ISA
