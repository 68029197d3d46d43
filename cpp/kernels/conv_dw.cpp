// SPDX-License-Identifier: Apache-2.0
// The gradient of a convolution's weights on rows: tiles of dw (rows x vectors of output channels)
// are outer products of x, broadcast, and dy, loaded as vectors, summed in registers over a block
// of pixels whose dy stays in cache. Rows of a tile lie side by side in one run, where runs are
// long enough to fill a tile; else they go through the runs.
#include "kernels/conv_few.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

/// Most rows of a tile with `vectors`: the sums, dy and one broadcast fill the registers. A single
/// vector of AVX-512 needs no register for the broadcast, a part of the multiply-add; it needs all
/// loads there are, so rows that are not side by side have no more offsets than fit in registers.
constexpr int most_rows(int vectors, bool side_by_side) {
    return vectors == 1 && kRegisters == 32 ? (side_by_side ? 28 : 14)
                                            : (kRegisters - 2 - vectors) / vectors;
}

/// A tile of dw and the pixels [h, h_end) x [w, w_end) that add to it.
struct Block {
    int64_t h, h_end, w, w_end;
    const float* dy;  // of pixel (h, w) and the tile's first column
    int64_t dy_row, dy_pixel;
    int64_t run, k;       // of the first row
    int64_t row, column;  // of the tile's corner
    int tail;             // columns of the last vector
    bool add;             // to what dw holds
};
using TileFunction = void (*)(const ConvGradient& gradient, const Block& block);

/// Rows of x side by side: one pointer, the rest are constants.
template <int kRows>
struct SideBySide {
    explicit SideBySide(const ConvGradient& gradient, const Block& block)
        : start(gradient.run_offset[block.run] + block.k) {}
    float at(const float* x, int row) const { return x[row]; }
    int64_t start;
};

/// Rows of x that go on in the next runs.
template <int kRows>
struct Scattered {
    explicit Scattered(const ConvGradient& gradient, const Block& block) {
        int64_t run = block.run, k = block.k;
        for (int m = 0; m < kRows; ++m) {
            offset[m] = gradient.run_offset[run] + k;
            if (++k == gradient.run_length) k = 0, ++run;
        }
    }
    float at(const float* x, int row) const { return x[offset[row]]; }
    static constexpr int64_t start = 0;  // NOLINT: a member of SideBySide
    int64_t offset[kRows];
};

template <int kRows, int kVectors, bool kMasked, template <int> typename Rows>
struct Tile {
    static constexpr bool masked(int v) { return kMasked && v == kVectors - 1; }

    static Vec load_columns(const float* x, int v, Mask mask) {
        return masked(v) ? load_masked(x, mask) : load(x);
    }

    static void run(const ConvGradient& gradient, const Block& block) {
        const Mask mask = first_lanes(block.tail);
        const Rows<kRows> rows(gradient, block);
        float* dw = gradient.dw + block.row * gradient.dw_row + block.column;
        if (block.add) {
            for (int m = 0; m < kRows; ++m) __builtin_prefetch(dw + m * gradient.dw_row, 1);
        }
        Vec sums[kRows][kVectors] = {};
        for (int64_t h = block.h; h < block.h_end; ++h) {
            const float* x =
                gradient.x + h * gradient.x_row + block.w * gradient.x_pixel + rows.start;
            const float* dy = block.dy + (h - block.h) * block.dy_row;
            for (int64_t w = block.w; w < block.w_end; ++w) {
                Vec columns[kVectors];
#pragma GCC unroll 4
                for (int v = 0; v < kVectors; ++v) {
                    columns[v] = load_columns(dy + v * kLanes, v, mask);
                }
#pragma GCC unroll 32
                for (int m = 0; m < kRows; ++m) {
                    const Vec value = set1(rows.at(x, m));
#pragma GCC unroll 4
                    for (int v = 0; v < kVectors; ++v) {
                        sums[m][v] = fma(value, columns[v], sums[m][v]);
                    }
                }
                x += gradient.x_pixel;
                dy += block.dy_pixel;
            }
        }
        // All loads before all stores: narrow rows share cache lines, and a masked load waits for a
        // store into its line (128 pixels, 500 x 10: 72 -> 88 % of what 10 of 16 lanes allow).
        if (block.add) {
            for_elements(dw, gradient.dw_row, [&](float* to, int m, int v) {
                sums[m][v] = load_columns(to, v, mask) + sums[m][v];
            });
        }
        for_elements(dw, gradient.dw_row, [&](float* to, int m, int v) {
            if (masked(v)) {
                store_partial(to, sums[m][v], block.tail);
            } else {
                store(to, sums[m][v]);
            }
        });
    }

    /// body(address, row, vector) for every vector of the tile.
    template <typename Body>
    static void for_elements(float* dw, int64_t dw_row, Body body) {
#pragma GCC unroll 32
        for (int m = 0; m < kRows; ++m, dw += dw_row) {
#pragma GCC unroll 4
            for (int v = 0; v < kVectors; ++v) body(dw + v * kLanes, m, v);
        }
    }
};

template <int kRows, int kVectors, bool kMasked, template <int> typename Rows>
TileFunction tile_of(int64_t rows) {
    if constexpr (kRows > 1) {
        if (rows < kRows) return tile_of<kRows - 1, kVectors, kMasked, Rows>(rows);
    }
    return &Tile<kRows, kVectors, kMasked, Rows>::run;
}

template <int kVectors, bool kMasked>
TileFunction tile_with(int64_t rows, bool side_by_side) {
    return side_by_side ? tile_of<most_rows(kVectors, true), kVectors, kMasked, SideBySide>(rows)
                        : tile_of<most_rows(kVectors, false), kVectors, kMasked, Scattered>(rows);
}

/// Tiles of `rows` rows each, `count` of them, from the block's row on.
void add_tiles(const ConvGradient& gradient, Block& block, int vectors, bool side_by_side,
               int64_t rows, int64_t count) {
    if (count == 0) return;
    const bool masked = block.tail != kLanes;
    const TileFunction tile =
        vectors == 1 ? (masked ? tile_with<1, true> : tile_with<1, false>)(rows, side_by_side)
                     : (masked ? tile_with<2, true> : tile_with<2, false>)(rows, side_by_side);
    for (; count > 0; --count) {
        tile(gradient, block);
        block.row += rows;
        for (block.k += rows; block.k >= gradient.run_length; block.k -= gradient.run_length) {
            ++block.run;
        }
    }
}

/// How rows are cut: into `tiles`, the first `larger` ones with a row more.
struct RowTiles {
    RowTiles(int64_t length, int64_t most)
        : tiles(ceil_div(length, most)), rows(length / tiles), larger(length % tiles) {}
    int64_t size(int64_t tile) const { return rows + (tile < larger ? 1 : 0); }
    int64_t begin(int64_t tile) const { return tile * rows + min_of(tile, larger); }
    int64_t tiles, rows, larger;
};

/// All rows of dw for the block's columns, in tiles that differ by one row at most.
void add_rows(const ConvGradient& gradient, Block block, int vectors) {
    // Fewer than 8 sums do not hide the latency of a multiply-add.
    const bool side_by_side = gradient.run_length >= (vectors == 1 ? 9 : 7);
    const int64_t groups = side_by_side ? gradient.runs : 1;
    const int64_t length = gradient.runs * gradient.run_length / groups;
    const RowTiles cut(length, most_rows(vectors, side_by_side));
    for (int64_t group = 0; group < groups; ++group) {
        add_tiles(gradient, block, vectors, side_by_side, cut.rows + 1, cut.larger);
        add_tiles(gradient, block, vectors, side_by_side, cut.rows, cut.tiles - cut.larger);
    }
}

// Of a block. Two vectors of dy, 8 KB for AVX2 and 32 KB for AVX-512, stay in L1; with AVX2 so does
// a line of each pixel of x.
constexpr int64_t kPixels = kRegisters == 32 ? 256 : 128;

void take_dy(const ConvGradient& gradient, Block& block) {
    block.dy = gradient.dy + block.h * gradient.dy_row + block.w * gradient.dy_pixel + block.column;
    block.dy_row = gradient.dy_row;
    block.dy_pixel = gradient.dy_pixel;
}

/// From a tile's copy of x to the next; not a multiple of pages.
constexpr int64_t kTileFloats = most_rows(2, true) * kPixels + 16;

/// The columns of dy that the block needs, side by side.
void copy_dy(Block& block, int vectors, float* copy) {
    const Mask mask = first_lanes(block.tail);
    const int64_t pixel = vectors * kLanes;
    float* to = copy;
    for (int64_t h = block.h; h < block.h_end; ++h) {
        const float* from = block.dy + (h - block.h) * block.dy_row;
        for (int64_t w = block.w; w < block.w_end; ++w, from += block.dy_pixel, to += pixel) {
            if (vectors == 2) store(to, load(from));
            store(to + pixel - kLanes, load_masked(from + pixel - kLanes, mask));
        }
    }
    block.dy = copy;
    block.dy_row = (block.w_end - block.w) * pixel;
    block.dy_pixel = pixel;
}

/// The block's tiles [first, end) of a run, from copies of their rows of x one behind the other,
/// and dy of two vectors of columns.
void add_copied_tiles(const ConvGradient& gradient, Block block, const RowTiles& cut, int64_t first,
                      int64_t end, const float* x_copy) {
    static constexpr int64_t kStart = 0;
    const bool masked = block.tail != kLanes;
    ConvGradient copied = gradient;
    copied.run_offset = &kStart;
    const int64_t pixels = (block.h_end - block.h) * (block.w_end - block.w);
    const int64_t row = block.run * gradient.run_length;
    block.h = block.w = block.run = block.k = 0;
    block.h_end = 1;
    block.w_end = pixels;
    for (int64_t tile = first; tile < end; ++tile) {
        const int64_t rows = cut.size(tile);
        block.row = row + cut.begin(tile);
        copied.x = x_copy + (tile - first) * kTileFloats;
        copied.x_pixel = rows;
        (masked ? tile_with<2, true> : tile_with<2, false>)(rows, true)(copied, block);
    }
}

/// The rows of x of tiles [first, end) of a run: a copy for each tile, pixel by pixel. Whole
/// vectors are copied for all pixels but the last ones: what they hold beyond a tile's rows is
/// written over by its next pixels.
void copy_x(const ConvGradient& gradient, const Block& block, const RowTiles& cut, int64_t first,
            int64_t end, float* to) {
    constexpr int kVectors = (most_rows(2, true) + kLanes - 1) / kLanes;
    const int64_t larger = min_of(end, cut.larger > first ? cut.larger : first);
    const float* x = gradient.x + gradient.run_offset[block.run] + cut.begin(first);
    const int64_t width = block.w_end - block.w;
    int64_t pixel = 0, rest = (block.h_end - block.h) * width;
    for (int64_t h = block.h; h < block.h_end; ++h) {
        const float* row = x + h * gradient.x_row + block.w * gradient.x_pixel;
        for (int64_t w = 0; w < width; ++w, row += gradient.x_pixel, ++pixel, --rest) {
            const float* from = row;
            float* tile = to;
            const auto copy = [&](int64_t count, int64_t rows) {
                float* place = tile + pixel * rows;
                tile += count * kTileFloats;
                if (rest * rows >= rows + kVectors * kLanes) {
                    for (; count > 0; --count, from += rows, place += kTileFloats) {
                        for (int v = 0; v < kVectors; ++v) {
                            store(place + v * kLanes, load(from + v * kLanes));
                        }
                    }
                }
                for (; count > 0; --count, from += rows, place += kTileFloats) {
                    for (int64_t i = 0; i < rows; ++i) place[i] = from[i];
                }
            };
            copy(larger - first, cut.rows + 1);
            copy(end - larger, cut.rows);
        }
    }
}

/// Where pixels of x lie so far apart that they share ways of the cache: some tiles' rows are
/// copied and serve all pairs of vectors of columns. Leaves a last single vector, where there is
/// one.
void add_pairs_copied(const ConvGradient& gradient, Block& block, float* dy_copy) {
    constexpr int kMost = most_rows(2, true), kTiles = 98 * 256 / kPixels / kMost;
    alignas(64) float x_copy[kTiles * kTileFloats];
    const RowTiles cut(gradient.run_length, kMost);
    Block part = block;
    for (part.run = 0; part.run < gradient.runs; ++part.run) {
        for (int64_t first = 0; first < cut.tiles; first += kTiles) {
            const int64_t end = min_of(first + kTiles, cut.tiles);
            copy_x(gradient, part, cut, first, end, x_copy);
            for (part.column = 0; gradient.out_c - part.column > kLanes;
                 part.column += 2 * kLanes) {
                const int64_t rest = gradient.out_c - part.column - kLanes;
                part.tail = static_cast<int>(min_of(kLanes, rest));
                take_dy(gradient, part);
                copy_dy(part, 2, dy_copy);
                add_copied_tiles(gradient, part, cut, first, end, x_copy);
            }
        }
    }
    block.column = part.column;
}

/// All of dw for the block's pixels.
void add_block(const ConvGradient& gradient, Block block) {
    alignas(64) float copy[kPixels * 2 * kLanes];
    // Many passes over wide pixels: a copy shares neither pages nor ways of the cache.
    constexpr int64_t kWide = 8 * kLanes;
    const bool copies_dy = gradient.runs * gradient.run_length >= 256 && gradient.dy_pixel >= kWide;
    constexpr int64_t kLeast = kRegisters == 32 ? 2 * kWide : kWide;
    const int64_t narrowest = min_of(gradient.x_pixel, gradient.run_length);
    if (narrowest >= kLeast && gradient.out_c >= 2 * kWide) add_pairs_copied(gradient, block, copy);
    while (block.column < gradient.out_c) {
        const int64_t rest = gradient.out_c - block.column;
        const int vectors = rest > kLanes ? 2 : 1;
        block.tail = static_cast<int>(min_of(kLanes, rest - (vectors - 1) * kLanes));
        take_dy(gradient, block);
        if (copies_dy) copy_dy(block, vectors, copy);
        add_rows(gradient, block, vectors);
        block.column += vectors * kLanes;
    }
}

}  // namespace

void conv_rows_dw(const ConvGradient& gradient) noexcept {
    if (is_few(gradient)) return conv_few_dw(gradient);
    const int64_t parts = ceil_div(gradient.out_w, kPixels);
    const int64_t step = parts > 1 ? 1 : kPixels / gradient.out_w;
    Block block{};
    block.add = gradient.accumulate;
    for (; block.h < gradient.out_h; block.h = block.h_end) {
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
