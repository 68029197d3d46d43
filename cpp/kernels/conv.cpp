// SPDX-License-Identifier: Apache-2.0
// Convolution and matrix products on rows, direct: a tile of pixels x vectors of output channels is
// summed in registers over all runs, weights loaded as vectors, inputs broadcast. Tiles count
// pixels through the whole image (row ends are no borders), so all tiles of a call differ by one
// pixel at most.
#include "kernels/conv_few.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

constexpr int kPanel = 2 * kLanes;
constexpr int64_t kBlock = 1 << 16;  // floats of inputs, or of weights, that stay in L2
constexpr int64_t kFewTiles = 16;    // of pixels: weights beyond L2 are fetched ahead

/// Most pixels of a tile with `vectors`: the sums, the weights and one broadcast fill the
/// registers. A single vector of AVX-512 needs no register for the broadcast, a part of the
/// multiply-add.
constexpr int most_pixels(int vectors) {
    return vectors == 1 && kRegisters == 32 ? 28 : (kRegisters - 2 - vectors) / vectors;
}

/// One pass over pixels [first, last), h * out_w + w, or with a single vector over columns [first,
/// last) of each image row: the channels from `column` on, summed over inputs [begin, end) of the
/// runs [run, run_end).
struct Sweep {
    const float* weights;  // of the first row and column
    int64_t column;
    int tail;  // columns of the last vector
    int64_t run, run_end, begin, end;
    bool opens, closes;  // the first, the last part of the sums
    int64_t ahead;       // floats to the weights of the next columns, 0 where they are in cache
    int64_t first, last;
};
using SweepFunction = void (*)(const Conv& conv, const Sweep& sweep);

/// Where the pixels of a tile lie in y, one after the other: at pointers, or evenly.
struct Listed {
    float* const* y;
    float* next() { return *y++; }
};
struct Even {
    float* y;
    int64_t pixel;
    float* next() {
        float* const at = y;
        y += pixel;
        return at;
    }
};

template <int kPixels, int kVectors, bool kMasked>
struct Tile {
    static constexpr bool masked(int v) { return kMasked && v == kVectors - 1; }

    static Vec load_columns(const float* x, int v, Mask mask) {
        return masked(v) ? load_masked(x, mask) : load(x);
    }

    template <typename Outputs>
    static void open(Vec (&sums)[kPixels][kVectors], const Conv& conv, const Sweep& sweep,
                     Outputs outputs, Mask mask) {
        if (conv.accumulate || !sweep.opens) {
#pragma GCC unroll 32
            for (int p = 0; p < kPixels; ++p) {
                const float* y = outputs.next() + sweep.column;
#pragma GCC unroll 4
                for (int v = 0; v < kVectors; ++v) {
                    sums[p][v] = load_columns(y + v * kLanes, v, mask);
                }
            }
            return;
        }
        const float* bias = conv.bias ? conv.bias + sweep.column : nullptr;
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
            const Vec start = bias ? load_columns(bias + v * kLanes, v, mask) : zero();
#pragma GCC unroll 32
            for (int p = 0; p < kPixels; ++p) sums[p][v] = start;
        }
    }

    template <typename Outputs>
    static void close(const Vec (&sums)[kPixels][kVectors], const Conv& conv, const Sweep& sweep,
                      Outputs outputs) {
        const bool activate = conv.relu && sweep.closes;
        const Vec ceiling = set1(conv.ceiling);
#pragma GCC unroll 32
        for (int p = 0; p < kPixels; ++p) {
            float* y = outputs.next() + sweep.column;
#pragma GCC unroll 4
            for (int v = 0; v < kVectors; ++v) {
                // relu() with one instruction: in this order NaN stays NaN.
                const Vec sum =
                    activate ? min_number(ceiling, max_number(zero(), sums[p][v])) : sums[p][v];
                if (masked(v)) {
                    store_partial(y + v * kLanes, sum, sweep.tail);
                } else {
                    store(y + v * kLanes, sum);
                }
            }
        }
    }

    /// The sums become 0 where the gate is not above 0.
    template <typename Outputs>
    static void mask_sums(Vec (&sums)[kPixels][kVectors], const Conv& conv, const Sweep& sweep,
                          Outputs outputs, Mask mask) {
#pragma GCC unroll 32
        for (int p = 0; p < kPixels; ++p) {
            const float* gate = conv.gate + (outputs.next() - conv.y) + sweep.column;
#pragma GCC unroll 4
            for (int v = 0; v < kVectors; ++v) {
                const Mask above = less(zero(), load_columns(gate + v * kLanes, v, mask));
                sums[p][v] = select(above, sums[p][v], zero());
            }
        }
    }

    /// Pixels anywhere: a pointer each, of which some are spilled. Weights at `ahead` come nearer,
    /// to L2, meanwhile.
    static void sum(Vec (&sums)[kPixels][kVectors], const Conv& conv, const Sweep& sweep,
                    const float* const (&x)[kPixels], int64_t ahead, Mask mask) {
        const float* weights = sweep.weights;
        for (int64_t r = sweep.run; r < sweep.run_end; ++r) {
            const int64_t end = conv.run_offset[r] + sweep.end;
            for (int64_t i = conv.run_offset[r] + sweep.begin; i < end; ++i) {
                Vec columns[kVectors];
#pragma GCC unroll 4
                for (int v = 0; v < kVectors; ++v) {
                    const float* from = weights + (v / 2) * conv.w_panel + (v % 2) * kLanes;
                    columns[v] = load_columns(from, v, mask);
                    if (ahead != 0) __builtin_prefetch(from + ahead, 0, 2);
                }
#pragma GCC unroll 32
                for (int p = 0; p < kPixels; ++p) {
                    const Vec value = set1(x[p][i]);
#pragma GCC unroll 4
                    for (int v = 0; v < kVectors; ++v) {
                        sums[p][v] = fma(value, columns[v], sums[p][v]);
                    }
                }
                weights += conv.w_row;
            }
        }
    }

    /// The pixels from (h, w) on, which may continue in the next rows.
    static void place(const Conv& conv, int64_t h, int64_t w, const float* (&x)[kPixels],
                      float* (&y)[kPixels]) {
        if (conv.out_w >= kPixels) {
            const int64_t rest = conv.out_w - w;
            const float* x_left = conv.x + h * conv.x_row + w * conv.x_pixel;
            const float* x_right = x_left + conv.x_row - conv.out_w * conv.x_pixel;
            float* y_left = conv.y + h * conv.y_row + w * conv.y_pixel;
            float* y_right = y_left + conv.y_row - conv.out_w * conv.y_pixel;
            for (int p = 0; p < kPixels; ++p) {
                x[p] = (p < rest ? x_left : x_right) + p * conv.x_pixel;
                y[p] = (p < rest ? y_left : y_right) + p * conv.y_pixel;
            }
            return;
        }
        for (int p = 0; p < kPixels; ++p) {
            x[p] = conv.x + h * conv.x_row + w * conv.x_pixel;
            y[p] = conv.y + h * conv.y_row + w * conv.y_pixel;
            if (++w == conv.out_w) w = 0, ++h;
        }
    }

    static void sweep_pixels(const Conv& conv, const Sweep& sweep) {
        const Mask mask = first_lanes(sweep.tail);
        int64_t h = sweep.first / conv.out_w, w = sweep.first % conv.out_w, ahead = sweep.ahead;
        for (int64_t first = sweep.first; first < sweep.last; first += kPixels) {
            const float* x[kPixels];
            float* y[kPixels];
            place(conv, h, w, x, y);
            for (w += kPixels; w >= conv.out_w; w -= conv.out_w) ++h;
            Vec sums[kPixels][kVectors];
            open(sums, conv, sweep, Listed{y}, mask);
            sum(sums, conv, sweep, x, ahead, mask);
            if (conv.gate && sweep.closes) mask_sums(sums, conv, sweep, Listed{y}, mask);
            close(sums, conv, sweep, Listed{y});
            ahead = 0;
        }
    }

    /// One vector and pixels at even distances: a vector of weights serves one multiply-add for
    /// each input loaded, so no loads can be spared for spilled pointers: 5 pixels share a pointer.
    static void sum_even(Vec (&sums)[kPixels][1], const Conv& conv, const Sweep& sweep,
                         const float* first, Mask mask) {
        constexpr int kGroup = 5, kGroups = (kPixels + kGroup - 1) / kGroup;
        const int64_t pixel = conv.x_pixel;
        const float* weights = sweep.weights;
        for (int64_t r = sweep.run; r < sweep.run_end; ++r) {
            const float* x[kGroups];
#pragma GCC unroll 8
            for (int g = 0; g < kGroups; ++g) {
                x[g] = first + conv.run_offset[r] + sweep.begin + g * kGroup * pixel;
            }
            for (const float* end = x[0] + sweep.end - sweep.begin; x[0] < end;) {
                const Vec column = load_columns(weights, 0, mask);
#pragma GCC unroll 32
                for (int p = 0; p < kPixels; ++p) {
                    const Vec value = set1(x[p / kGroup][p % kGroup * pixel]);
                    sums[p][0] = fma(value, column, sums[p][0]);
                }
#pragma GCC unroll 8
                for (int g = 0; g < kGroups; ++g) ++x[g];
                weights += conv.w_row;
            }
        }
    }

    static void sweep_columns(const Conv& conv, const Sweep& sweep) {
        const Mask mask = first_lanes(sweep.tail);
        for (int64_t h = 0; h < conv.out_h; ++h) {
            for (int64_t w = sweep.first; w < sweep.last; w += kPixels) {
                const float* x = conv.x + h * conv.x_row + w * conv.x_pixel;
                float* y = conv.y + h * conv.y_row + w * conv.y_pixel;
                Vec sums[kPixels][1];
                open(sums, conv, sweep, Even{y, conv.y_pixel}, mask);
                sum_even(sums, conv, sweep, x, mask);
                const Even outputs{y, conv.y_pixel};
                if (conv.gate && sweep.closes) mask_sums(sums, conv, sweep, outputs, mask);
                close(sums, conv, sweep, outputs);
            }
        }
    }
};

template <int kPixels, int kVectors, bool kMasked>
SweepFunction sweep_of(int64_t pixels) {
    if constexpr (kPixels > 1) {
        if (pixels < kPixels) return sweep_of<kPixels - 1, kVectors, kMasked>(pixels);
    }
    if constexpr (kVectors == 1) return &Tile<kPixels, 1, kMasked>::sweep_columns;
    return &Tile<kPixels, kVectors, kMasked>::sweep_pixels;
}

template <int kVectors>
SweepFunction sweep_with(int64_t pixels, bool masked) {
    constexpr int kMost = most_pixels(kVectors);
    return masked ? sweep_of<kMost, kVectors, true>(pixels)
                  : sweep_of<kMost, kVectors, false>(pixels);
}

/// The whole image in tiles that differ by one pixel at most.
void sweep_image(const Conv& conv, Sweep sweep, int vectors) {
    const int64_t pixels = vectors == 1 ? conv.out_w : conv.out_h * conv.out_w;
    const int64_t tiles = ceil_div(pixels, most_pixels(vectors));
    const int64_t size = pixels / tiles, larger = pixels % tiles;
    const bool masked = sweep.tail != kLanes;
    const auto run = [&](int64_t count, int64_t tile) {
        if (count == 0) return;
        sweep.last = sweep.first + count * tile;
        const SweepFunction function = vectors == 1   ? sweep_with<1>(tile, masked)
                                       : vectors == 2 ? sweep_with<2>(tile, masked)
                                                      : sweep_with<4>(tile, masked);
        function(conv, sweep);
        sweep.ahead = 0;
        sweep.first = sweep.last;
    };
    run(larger, size + 1);
    run(tiles - larger, size);
}

/// All columns of the output, panel by panel.
void sweep_panels(const Conv& conv, Sweep sweep) {
    const float* weights = sweep.weights;
    const int64_t pixels = conv.out_h * conv.out_w;
    const bool few = pixels <= most_pixels(4);
    const bool fetches =
        pixels <= kFewTiles * most_pixels(2) && conv.runs * conv.run_length * conv.out_c >= kBlock;
    const int64_t depth = (sweep.run_end - sweep.run) * (sweep.end - sweep.begin);
    while (sweep.column < conv.out_c) {
        const int64_t rest = conv.out_c - sweep.column;
        const int vectors = few && rest > 3 * kLanes ? 4 : rest > kLanes ? 2 : 1;
        sweep.weights = weights + sweep.column / kPanel * conv.w_panel;
        sweep.tail = static_cast<int>(min_of(kLanes, rest - (vectors - 1) * kLanes));
        const int64_t next = sweep.column + vectors * kLanes;
        if (fetches) {  // the next columns, or the first ones of the next part of the sums
            sweep.ahead = next < conv.out_c
                              ? (vectors + 1) / 2 * conv.w_panel
                              : depth * conv.w_row - sweep.column / kPanel * conv.w_panel;
        }
        sweep_image(conv, sweep, vectors);
        sweep.column = next;
    }
}

/// All runs: in parts of whole runs, or of one run's inputs where a run is long, so that the inputs
/// of a matrix product stay in L2 from panel to panel.
void sweep_runs(const Conv& conv) {
    // Of 512, 1024 and 2048 (AVX2, 128 pixels, 2304 x 512): 89, 95 and 90 % of peak.
    constexpr int64_t kDepth = kConvTerms;
    if (conv.runs * conv.run_length == 0) {  // dx of cells that the strides pass over
        Sweep nothing{};
        nothing.weights = conv.weights;
        nothing.opens = nothing.closes = true;
        return sweep_panels(conv, nothing);
    }
    const int64_t parts = ceil_div(conv.run_length, kDepth);
    const int64_t group = max_of(1, kDepth / conv.run_length);
    Sweep sweep{};
    sweep.opens = true;
    for (sweep.run = 0; sweep.run < conv.runs; sweep.run = sweep.run_end) {
        sweep.run_end = min_of(conv.runs, sweep.run + group);
        for (int64_t part = 0; part < parts; ++part) {
            sweep.begin = conv.run_length * part / parts;
            sweep.end = conv.run_length * (part + 1) / parts;
            sweep.closes = sweep.run_end == conv.runs && part + 1 == parts;
            sweep.weights = conv.weights + (sweep.run * conv.run_length + sweep.begin) * conv.w_row;
            sweep_panels(conv, sweep);
            sweep.opens = false;
        }
    }
}

/// Pixels [h, h_end) x [w, w_end) of the image.
Conv part_of(const Conv& conv, int64_t h, int64_t h_end, int64_t w, int64_t w_end) {
    Conv part = conv;
    part.x += h * conv.x_row + w * conv.x_pixel;
    part.y += h * conv.y_row + w * conv.y_pixel;
    if (conv.gate) part.gate += part.y - conv.y;
    part.out_h = h_end - h;
    part.out_w = w_end - w;
    return part;
}

/// Up to kLanes columns whose rows lie side by side, as rows of a panel.
void pack_turned(const float* w, int64_t rows, int cols, int64_t col_stride, float* to) {
    for_vectors(rows, [&](int64_t row, int count) {
        Vec square[kLanes];
        for (int c = 0; c < kLanes; ++c) {
            square[c] = c < cols ? load_upto(w + c * col_stride + row, count) : zero();
        }
        transpose(square);
        for (int i = 0; i < count; ++i) store(to + (row + i) * kPanel, square[i]);
    });
}

}  // namespace

void conv_rows(const Conv& conv) noexcept {
    if (is_few(conv)) return conv_few(conv);
    Conv flat = conv;
    if (conv.x_row == conv.out_w * conv.x_pixel && conv.y_row == conv.out_w * conv.y_pixel) {
        flat.out_w = conv.out_h * conv.out_w;
        flat.out_h = 1;
    }
    const int64_t weights = conv.runs * conv.run_length * conv.out_c;
    const int64_t inputs = flat.out_h * flat.out_w * conv.x_pixel;
    if (conv.out_c <= kPanel || weights > kBlock || inputs <= 2 * kBlock) return sweep_runs(flat);
    // Panel after panel passes over the same inputs, while they are in cache.
    const int64_t blocks = inputs / kBlock;
    for (int64_t i = 0; i < blocks; ++i) {
        const int64_t end = i + 1;
        sweep_runs(
            flat.out_h == 1
                ? part_of(flat, 0, 1, flat.out_w * i / blocks, flat.out_w * end / blocks)
                : part_of(flat, flat.out_h * i / blocks, flat.out_h * end / blocks, 0, flat.out_w));
    }
}

void pack_panels(const float* w, int64_t rows, int64_t cols, int64_t row_stride, int64_t col_stride,
                 float* panels, int64_t panel_stride) noexcept {
    if (col_stride == 1) {  // row by row, as memory likes it
        const int64_t whole = cols / kPanel * kPanel;
        for (int64_t i = 0; i < rows; ++i, w += row_stride) {
            float* to = panels + i * kPanel;
            for (int64_t column = 0; column < whole; column += kPanel, to += panel_stride) {
                store(to, load(w + column));
                store(to + kLanes, load(w + column + kLanes));
            }
            for_vectors(cols - whole, [&](int64_t column, int count) {
                store(to + column, load_upto(w + whole + column, count));
            });
        }
    } else {
        for_vectors(cols, [&](int64_t column, int count) {
            float* to = panels + column / kPanel * panel_stride + column % kPanel;
            pack_turned(w + column * col_stride, rows, count, col_stride, to);
        });
    }
    const int64_t end = ceil_div(cols, kLanes) * kLanes;
    if (end % kPanel == 0) return;
    float* to = panels + end / kPanel * panel_stride + kLanes;
    for (int64_t i = 0; i < rows; ++i, to += kPanel) store(to, zero());
}

}  // namespace pronghorn::PRONGHORN_ISA
