// SPDX-License-Identifier: Apache-2.0
// Pooling of one image, vectors along the channels. Windows side by side (strides equal to the
// pool) are scattered backward, each cell being written once; others are gathered: every input cell
// sums over the windows that cover it, row by row, so that no cell is written twice either.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {

namespace {

struct Range {
    int64_t begin, end;
    int64_t size() const { return end - begin; }
};

/// The cells inside the image that window `index` covers, along one axis.
inline Range cells_of(int64_t index, int64_t pool, int64_t stride, int64_t pad, int64_t size) {
    const int64_t begin = index * stride - pad, end = begin + pool;
    return {begin < 0 ? 0 : begin, end < size ? end : size};
}

/// The windows that cover `cell`, along one axis.
inline Range windows_of(int64_t cell, int64_t pool, int64_t stride, int64_t pad, int64_t windows) {
    const int64_t reach = cell + pad;
    const int64_t begin = reach < pool ? 0 : (reach - pool) / stride + 1;
    const int64_t end = reach / stride + 1;
    return {begin, end < windows ? end : windows};
}

/// Part of a window inside the image: its first cell, and where it lies in the window.
struct Window {
    int64_t rows, columns;
    int64_t output;    // index of the first channel in y
    int64_t input;     // index of the first channel of the first cell in x
    int64_t row_skip;  // window rows above the image
    int64_t column_skip;
};

/// Calls body(window) for every window, in order.
template <typename Body>
inline void for_windows(const Pool& pool, Body body) {
    int64_t output = 0;
    for (int64_t i = 0; i < pool.out_h; ++i) {
        const Range rows = cells_of(i, pool.pool_h, pool.stride_h, pool.pad_top, pool.in_h);
        for (int64_t j = 0; j < pool.out_w; ++j, output += pool.channels) {
            const Range columns = cells_of(j, pool.pool_w, pool.stride_w, pool.pad_left, pool.in_w);
            const int64_t input = (rows.begin * pool.in_w + columns.begin) * pool.channels;
            body(Window{rows.size(), columns.size(), output, input,
                        rows.begin - (i * pool.stride_h - pool.pad_top),
                        columns.begin - (j * pool.stride_w - pool.pad_left)});
        }
    }
}

inline void fill_zero(float* x, int64_t size) {
    for_vectors(size, [=](int64_t i, int count) { store_upto(x + i, zero(), count); });
}

/// kRows and kColumns are the window's where known at compile time, else 0.
template <int kRows, int kColumns, bool kArgmax, typename Index>
inline void max_window(const Pool& pool, const Window& window, const float* x, float* y,
                       Index* argmax) {
    const int64_t rows = kRows != 0 ? kRows : window.rows;
    const int64_t columns = kColumns != 0 ? kColumns : window.columns;
    const int64_t row = pool.in_w * pool.channels;
    for_vectors(pool.channels, [=, &pool](int64_t c, int count) {
        const float* cell = x + window.input + c;
        Vec best = load_upto(cell, count);
        Vec index = set1(static_cast<float>(window.row_skip * pool.pool_w + window.column_skip));
        const Vec first = index;
        for (int64_t r = 0; r < rows; ++r) {
            for (int64_t q = r == 0 ? 1 : 0; q < columns; ++q) {
                const Vec value = load_upto(cell + r * row + q * pool.channels, count);
                if constexpr (kArgmax) {
                    const Mask better = beats(value, best);
                    const Vec here = first + set1(static_cast<float>(r * pool.pool_w + q));
                    best = select(better, value, best);
                    index = select(better, here, index);
                } else {
                    best = max_keep_nan(best, value);
                }
            }
        }
        store_upto(y + window.output + c, best, count);
        if constexpr (kArgmax) {
            if (pool.gated) index = select(less(zero(), best), index, set1(kNoWinner<Index>));
            store_integers(argmax + window.output + c, index, count);
        }
    });
}

/// Whether windows of 2 x 2 and 3 x 3 cells have code of their own: larger pools have them only
/// where corners cut windows.
template <typename Index>
constexpr bool kSmall = sizeof(Index) == 1;

template <bool kArgmax, typename Index>
void max_pool_all(const Pool& pool, const float* x, float* y, Index* argmax) {
    for_windows(pool, [=, &pool](const Window& window) {
        if constexpr (kSmall<Index>) {
            if (window.rows == 2 && window.columns == 2) {
                return max_window<2, 2, kArgmax>(pool, window, x, y, argmax);
            }
            if (window.rows == 3 && window.columns == 3) {
                return max_window<3, 3, kArgmax>(pool, window, x, y, argmax);
            }
        }
        max_window<0, 0, kArgmax>(pool, window, x, y, argmax);
    });
}

template <int kRows, int kColumns>
inline void average_window(const Pool& pool, const Window& window, const float* x, float* y) {
    const int64_t rows = kRows != 0 ? kRows : window.rows;
    const int64_t columns = kColumns != 0 ? kColumns : window.columns;
    const int64_t row = pool.in_w * pool.channels;
    const Vec scale = set1(1.0f / static_cast<float>(rows * columns));
    for_vectors(pool.channels, [=, &pool](int64_t c, int count) {
        const float* cell = x + window.input + c;
        Vec sum = zero();
        for (int64_t r = 0; r < rows; ++r) {
            for (int64_t q = 0; q < columns; ++q) {
                sum = sum + load_upto(cell + r * row + q * pool.channels, count);
            }
        }
        store_upto(y + window.output + c, sum * scale, count);
    });
}

/// What a vector of channels of one window hands back to its cells.
template <typename Index>
struct MaxGradient {
    static constexpr bool kTwoByTwo = kSmall<Index>;  // whether such windows have code of their own
    struct Share {
        Vec dy, winner;
        Vec of(int64_t cell) const {
            return select(equal(winner, set1(static_cast<float>(cell))), dy, zero());
        }
    };
    const float* dy;
    const Index* argmax;
    /// `output` is the index in dy, `cells` counts the window's cells inside the image.
    Share share(int64_t output, int64_t, int count) const {
        return {load_upto(dy + output, count), load_integers(argmax + output, count)};
    }
    /// What is written of a cell's sum, `input` being its index in dx.
    static Vec passed(Vec sum, int64_t, int) { return sum; }
};
template <bool kGated>
struct AverageGradient {
    static constexpr bool kTwoByTwo = true;
    struct Share {
        Vec dy;
        Vec of(int64_t) const { return dy; }
    };
    const float *dy, *gate;
    Share share(int64_t output, int64_t cells, int count) const {
        return {load_upto(dy + output, count) * set1(1.0f / static_cast<float>(cells))};
    }
    Vec passed(Vec sum, int64_t input, int count) const {
        if constexpr (!kGated) return sum;
        return select(less(zero(), load_upto(gate + input, count)), sum, zero());
    }
};

/// Every cell sums over its windows.
template <typename Gradient>
void gather(const Pool& pool, Gradient gradient, float* dx) {
    int64_t input = 0;
    for (int64_t h = 0; h < pool.in_h; ++h) {
        const Range rows = windows_of(h, pool.pool_h, pool.stride_h, pool.pad_top, pool.out_h);
        for (int64_t w = 0; w < pool.in_w; ++w, input += pool.channels) {
            const Range columns =
                windows_of(w, pool.pool_w, pool.stride_w, pool.pad_left, pool.out_w);
            for_vectors(pool.channels, [=, &pool](int64_t c, int count) {
                Vec sum = zero();
                for (int64_t i = rows.begin; i < rows.end; ++i) {
                    const int64_t r = h + pool.pad_top - i * pool.stride_h;
                    const int64_t height =
                        cells_of(i, pool.pool_h, pool.stride_h, pool.pad_top, pool.in_h).size();
                    for (int64_t j = columns.begin; j < columns.end; ++j) {
                        const int64_t q = w + pool.pad_left - j * pool.stride_w;
                        const int64_t width =
                            cells_of(j, pool.pool_w, pool.stride_w, pool.pad_left, pool.in_w)
                                .size();
                        const int64_t output = (i * pool.out_w + j) * pool.channels + c;
                        const auto share = gradient.share(output, height * width, count);
                        sum = sum + share.of(r * pool.pool_w + q);
                    }
                }
                store_upto(dx + input + c, gradient.passed(sum, input + c, count), count);
            });
        }
    }
}

/// kRows and kColumns as in max_window.
template <int kRows, int kColumns, typename Gradient>
inline void scatter_window(const Pool& pool, const Window& window, Gradient gradient, float* dx) {
    const int64_t rows = kRows != 0 ? kRows : window.rows;
    const int64_t columns = kColumns != 0 ? kColumns : window.columns;
    const int64_t row = pool.in_w * pool.channels;
    for_vectors(pool.channels, [=, &pool](int64_t c, int count) {
        const auto share = gradient.share(window.output + c, rows * columns, count);
        for (int64_t r = 0; r < rows; ++r) {
            for (int64_t q = 0; q < columns; ++q) {
                const int64_t index = (window.row_skip + r) * pool.pool_w + window.column_skip + q;
                const int64_t input = window.input + c + r * row + q * pool.channels;
                store_upto(dx + input, gradient.passed(share.of(index), input, count), count);
            }
        }
    });
}

/// Windows side by side: each writes its cells; what lies behind the last ones is zero.
template <typename Gradient>
void scatter(const Pool& pool, Gradient gradient, float* dx) {
    for_windows(pool, [=, &pool](const Window& window) {
        if constexpr (Gradient::kTwoByTwo) {
            if (window.rows == 2 && window.columns == 2) {
                return scatter_window<2, 2>(pool, window, gradient, dx);
            }
        }
        scatter_window<0, 0>(pool, window, gradient, dx);
    });
    const int64_t height =
        cells_of(pool.out_h - 1, pool.pool_h, pool.stride_h, pool.pad_top, pool.in_h).end;
    const int64_t width =
        cells_of(pool.out_w - 1, pool.pool_w, pool.stride_w, pool.pad_left, pool.in_w).end;
    const int64_t row = pool.in_w * pool.channels;
    const int64_t covered = width * pool.channels;
    for (int64_t h = 0; h < height; ++h) fill_zero(dx + h * row + covered, row - covered);
    fill_zero(dx + height * row, (pool.in_h - height) * row);
}

template <typename Gradient>
void backward(const Pool& pool, Gradient gradient, float* dx) {
    if (pool.stride_h == pool.pool_h && pool.stride_w == pool.pool_w) {
        scatter(pool, gradient, dx);
    } else {
        gather(pool, gradient, dx);
    }
}

}  // namespace

void max_pool(const Pool& pool, const float* x, float* y, void* argmax) noexcept {
    uint8_t* bytes = static_cast<uint8_t*>(argmax);
    if (argmax == nullptr) return max_pool_all<false>(pool, x, y, bytes);
    if (pool.winner_bytes() == 1) return max_pool_all<true>(pool, x, y, bytes);
    max_pool_all<true>(pool, x, y, static_cast<uint16_t*>(argmax));
}

void average_pool(const Pool& pool, const float* x, float* y) noexcept {
    for_windows(pool, [=, &pool](const Window& window) {
        if (window.rows == 2 && window.columns == 2) {
            average_window<2, 2>(pool, window, x, y);
        } else {
            average_window<0, 0>(pool, window, x, y);
        }
    });
}

void max_pool_backward(const Pool& pool, const float* dy, const void* argmax, float* dx) noexcept {
    if (pool.winner_bytes() == 1) {
        return backward(pool, MaxGradient<uint8_t>{dy, static_cast<const uint8_t*>(argmax)}, dx);
    }
    backward(pool, MaxGradient<uint16_t>{dy, static_cast<const uint16_t*>(argmax)}, dx);
}

void average_pool_backward(const Pool& pool, const float* dy, const float* gate,
                           float* dx) noexcept {
    if (gate == nullptr) return backward(pool, AverageGradient<false>{dy, nullptr}, dx);
    backward(pool, AverageGradient<true>{dy, gate}, dx);
}

}  // namespace pronghorn::PRONGHORN_ISA
