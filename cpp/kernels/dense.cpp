// SPDX-License-Identifier: Apache-2.0
// Fully connected layers for batches of 1 to 8: every weight is read once, used for the whole
// batch, and the sweep runs at the speed of the memory that holds the weights.
//
// Forward: a block of columns is summed in registers over all rows of w, or, where w is beyond L2,
// a few rows are added to y. Backward: a few rows of w at a time give their dx (dot products with
// dy) and their dw (outer product of x and dy). Figures in comments: Zen 5, AVX-512.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {

namespace {

constexpr int smaller(int a, int b) { return a < b ? a : b; }
constexpr int larger(int a, int b) { return a > b ? a : b; }

/// Vectors of columns that fit in registers with their sums, one row of w and one x.
constexpr int max_vectors(int batch) {
    return larger(1, smaller(8, (kRegisters - 2) / (batch + 1)));
}

/// The columns of a block: whole vectors from `first` on, but the last vector begins at `last`:
/// where the row ends inside it, it moves left over its neighbour (both compute the same bits).
/// Rows shorter than a vector have one of `count` lanes.
struct Columns {
    int64_t first, last;
    int count;
};

template <int kBatch, int kVectors>
using Sums = Vec[kBatch][kVectors];

template <int kBatch, int kVectors, bool kPartial>
inline void add_row(const DenseForward& dense, const Columns& columns, int64_t k,
                    Sums<kBatch, kVectors>& sum) {
    const float* w = dense.w + k * dense.row;
    const float* last = w + columns.last;
    Vec weight[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors - 1; ++v) weight[v] = load(w + columns.first + v * kLanes);
    weight[kVectors - 1] = kPartial ? load_partial(last, columns.count) : load(last);
#pragma GCC unroll 8
    for (int b = 0; b < kBatch; ++b) {
        const Vec x = set1(dense.x[b * dense.x_row + k]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sum[b][v] = fma(x, weight[v], sum[b][v]);
    }
}

/// y in the columns, from all rows of w.
template <int kBatch, int kVectors, bool kPartial>
void forward_columns(const DenseForward& dense, const Columns& columns) {
    // Few sums are split by rows: 8 chains hide the latency of fma.
    constexpr int kSplits = larger(1, 8 / (kBatch * kVectors));
    Sums<kBatch, kVectors> sum[kSplits];
    for (auto& part : sum) {
        for (auto& row : part) {
            for (Vec& value : row) value = zero();
        }
    }
    int64_t k = 0;
    for (; k + kSplits <= dense.in; k += kSplits) {
#pragma GCC unroll 8
        for (int s = 0; s < kSplits; ++s) {
            add_row<kBatch, kVectors, kPartial>(dense, columns, k + s, sum[s]);
        }
    }
    for (; k < dense.in; ++k) add_row<kBatch, kVectors, kPartial>(dense, columns, k, sum[0]);
    const int lanes = kPartial ? columns.count : kLanes;
    for (int b = 0; b < kBatch; ++b) {
        for (int v = 0; v < kVectors; ++v) {
            const int64_t n = v == kVectors - 1 ? columns.last : columns.first + v * kLanes;
            Vec total = sum[0][b][v];
            for (int s = 1; s < kSplits; ++s) total = total + sum[s][b][v];
            if (dense.bias != nullptr) total = total + load_upto(dense.bias + n, lanes);
            if (dense.relu) total = relu(total);
            store_upto(dense.y + b * dense.row + n, total, lanes);
        }
    }
}

/// Picks the instance for `vectors`, from kVectors down.
template <int kBatch, int kVectors>
void forward_vectors(const DenseForward& dense, const Columns& columns, int64_t vectors) {
    if constexpr (kVectors > 1) {
        if (vectors < kVectors) {
            return forward_vectors<kBatch, kVectors - 1>(dense, columns, vectors);
        }
    }
    forward_columns<kBatch, kVectors, false>(dense, columns);
}

/// Adds rows [k, k + kRows) of w to y: to the bias (or zero) if first, with relu if last.
template <int kBatch, int kRows>
void forward_rows(const DenseForward& dense, int64_t k) {
    const int64_t row = dense.row;
    const float* w = dense.w + k * row;
    const float* start = k == 0 ? dense.bias : dense.y;
    const int64_t start_row = k == 0 ? 0 : row;
    const bool rectify = dense.relu && k + kRows == dense.in;
    for_vectors(dense.out, [=, &dense](int64_t n, int count) {
        Vec weight[kRows];
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
            weight[r] = load_upto(w + r * row + n, count);
            if constexpr (kBatch >= 4) prefetch(w + (r + kRows) * row + n);
        }
#pragma GCC unroll 8
        for (int b = 0; b < kBatch; ++b) {
            const float* x = dense.x + b * dense.x_row + k;
            Vec sum = zero();
            if (start != nullptr) sum = load_upto(start + b * start_row + n, count);
#pragma GCC unroll 8
            for (int r = 0; r < kRows; ++r) sum = fma(set1(x[r]), weight[r], sum);
            if (rectify) sum = relu(sum);
            store_upto(dense.y + b * row + n, sum, count);
        }
    });
}

template <int kBatch>
void forward(const DenseForward& dense) {
    if (dense.out < kLanes) {
        const Columns all = {0, 0, static_cast<int>(dense.out)};
        return forward_columns<kBatch, 1, true>(dense, all);
    }
    constexpr int kMax = max_vectors(kBatch);
    const int64_t vectors = (dense.out + kLanes - 1) / kLanes;
    const int64_t blocks = (vectors + kMax - 1) / kMax;
    // Weights beyond L2 are read in whole rows: 9216 x 1024 at batch 8 takes 1.4 ms, else 2.3.
    constexpr int64_t kNear = 1 << 17;
    if (blocks > 1 && dense.in * dense.row > kNear) {
        constexpr int kRows = kBatch >= 4 && kRegisters == 32 ? 8 : 4;
        int64_t k = 0;
        for (; k + kRows <= dense.in; k += kRows) forward_rows<kBatch, kRows>(dense, k);
        for (; k < dense.in; ++k) forward_rows<kBatch, 1>(dense, k);
        return;
    }
    for (int64_t block = 0; block < blocks; ++block) {
        const int64_t begin = vectors * block / blocks, end = vectors * (block + 1) / blocks;
        const int64_t last = end == vectors ? dense.out - kLanes : (end - 1) * kLanes;
        const Columns columns = {begin * kLanes, last, kLanes};
        forward_vectors<kBatch, kMax>(dense, columns, end - begin);
    }
}

template <bool kPrefetch, int kImages, int kRows>
inline void add_products(const float* dy, const float* w, int64_t out, int count,
                         Vec (&sum)[kImages][kRows]) {
    Vec weight[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
        weight[r] = load_upto(w + r * out, count);
        if constexpr (kPrefetch) prefetch(w + (r + kRows) * out);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kImages; ++i) {
        const Vec gradient = load_upto(dy + i * out, count);
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) sum[i][r] = fma(gradient, weight[r], sum[i][r]);
    }
}

/// dx of images [b, b + kImages) at rows [k, k + kRows) of w.
template <bool kPrefetch, int kImages, int kRows>
void input_gradient(const DenseBackward& dense, int64_t b, int64_t k) {
    const int64_t out = dense.out;
    const float* w = dense.w + k * out;
    const float* dy = dense.dy + b * out;
    Vec sum[kImages][kRows];
    for (auto& row : sum) {
        for (Vec& value : row) value = zero();
    }
    int64_t n = 0;
    for (; n + kLanes <= out; n += kLanes) add_products<kPrefetch>(dy + n, w + n, out, kLanes, sum);
    if (n < out) add_products<kPrefetch>(dy + n, w + n, out, static_cast<int>(out - n), sum);
#pragma GCC unroll 8
    for (int i = 0; i < kImages; ++i) {
        float* dx = dense.dx + (b + i) * dense.dx_row + k;
        if constexpr (kRows == 4) {
            reduce_add4(sum[i][0], sum[i][1], sum[i][2], sum[i][3], dx);
        } else {
            for (int r = 0; r < kRows; ++r) dx[r] = reduce_add(sum[i][r]);
        }
    }
}

/// All images, as many at a time as registers hold the sums of; the first ones fetch the next rows.
template <bool kFirst, int kBatch, int kRows>
inline void input_gradients(const DenseBackward& dense, int64_t b, int64_t k) {
    constexpr int kMax = kRegisters == 32 ? 6 : 2;
    constexpr int kParts = (kBatch + kMax - 1) / kMax;
    constexpr int kImages = (kBatch + kParts - 1) / kParts;
    input_gradient<kFirst && kBatch >= 3, kImages, kRows>(dense, b, k);
    if constexpr (kBatch > kImages) {
        input_gradients<false, kBatch - kImages, kRows>(dense, b + kImages, k);
    }
}

/// dw of rows [k, k + kRows) in kVectors vectors of columns from n on.
template <int kBatch, int kRows, int kVectors, bool kAdd>
inline void weight_gradient(const DenseBackward& dense, int64_t k, int64_t n, int count) {
    const int64_t out = dense.out;
    const float* x = dense.x + k;
    float* dw = dense.dw + k * out + n;
    Vec sum[kRows][kVectors];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) {
            sum[r][v] = kAdd ? load_upto(dw + r * out + v * kLanes, count) : zero();
        }
    }
#pragma GCC unroll 8
    for (int b = 0; b < kBatch; ++b) {
        Vec dy[kVectors];
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) {
            dy[v] = load_upto(dense.dy + b * out + n + v * kLanes, count);
        }
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) {
            const Vec value = set1(x[b * dense.x_row + r]);
#pragma GCC unroll 2
            for (int v = 0; v < kVectors; ++v) sum[r][v] = fma(value, dy[v], sum[r][v]);
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) {
            store_upto(dw + r * out + v * kLanes, sum[r][v], count);
        }
    }
}

template <int kBatch, int kRows, bool kAdd>
void weight_gradients(const DenseBackward& dense, int64_t k) {
    int64_t n = 0;
    for (; n + 2 * kLanes <= dense.out; n += 2 * kLanes) {
        weight_gradient<kBatch, kRows, 2, kAdd>(dense, k, n, kLanes);
    }
    if (n + kLanes <= dense.out) {
        weight_gradient<kBatch, kRows, 1, kAdd>(dense, k, n, kLanes);
        n += kLanes;
    }
    if (n == dense.out) return;
    // Masked stores are slow; what whole vectors write twice is the same.
    if (!kAdd && dense.out >= kLanes) {
        return weight_gradient<kBatch, kRows, 1, kAdd>(dense, k, dense.out - kLanes, kLanes);
    }
    weight_gradient<kBatch, kRows, 1, kAdd>(dense, k, n, static_cast<int>(dense.out - n));
}

/// A few rows of w: they are in L1 when their dw is computed.
template <int kBatch, int kRows>
inline void backward_rows(const DenseBackward& dense, int64_t k) {
    if (dense.dx != nullptr) input_gradients<true, kBatch, kRows>(dense, 0, k);
    if (dense.dw == nullptr) return;
    if (dense.accumulate) {
        weight_gradients<kBatch, kRows, true>(dense, k);
    } else {
        weight_gradients<kBatch, kRows, false>(dense, k);
    }
}

/// One image and rows of at most kVectors vectors: dy stays in registers, w and dw are one stream
/// each, row after row. Four rows side by side, as above, took 1.5 times as long for 576 x 120 (the
/// prefetcher of Zen 5 follows loads by their instruction); dx is summed four rows at a time.
template <int kVectors>
struct Narrow {
    static constexpr int kEnd = (kVectors - 1) * kLanes;
    // dw's last vector begins at `last`, moved left over its neighbour where it can (both write the
    // same): with masked stores the sweep took 1.4 times as long.
    int64_t out, last;
    int rest, count;  // lanes of w's last vector, of dw's
    Vec dy[kVectors], dy_last;

    explicit Narrow(const DenseBackward& dense)
        : out(dense.out),
          last(kVectors == 1 ? 0 : out - kLanes),
          rest(static_cast<int>(out - kEnd)),
          count(kVectors == 1 ? rest : kLanes) {
        for (int v = 0; v < kVectors - 1; ++v) dy[v] = load(dense.dy + v * kLanes);
        dy[kVectors - 1] = load_upto(dense.dy + kEnd, rest);
        dy_last = load_upto(dense.dy + last, count);
    }

    /// Its lanes add up to dx.
    Vec input_row(const float* w) const {
        Vec sum = dy[kVectors - 1] * load_upto(w + kEnd, rest);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors - 1; ++v) sum = fma(dy[v], load(w + v * kLanes), sum);
        return sum;
    }

    template <bool kAdd>
    void weight_row(Vec x, float* dw) const {
        Vec gradient = x * dy_last;
        if constexpr (kAdd) gradient = load_upto(dw + last, count) + gradient;
#pragma GCC unroll 8
        for (int v = 0; v < kVectors - 1; ++v) {
            Vec value = x * dy[v];
            if constexpr (kAdd) value = load(dw + v * kLanes) + value;
            store(dw + v * kLanes, value);
        }
        store_upto(dw + last, gradient, count);
    }
};

template <int kVectors, bool kInput, bool kWeights, bool kAdd>
void backward_one(const DenseBackward& dense) {
    const Narrow<kVectors> narrow(dense);
    const float *x = dense.x, *w = dense.w;
    float *dx = dense.dx, *dw = dense.dw;
    const int64_t in = dense.in, out = dense.out;
    for (int64_t k = 0; k < in; k += 4) {
        const int64_t rows = in - k < 4 ? in - k : 4;
        Vec sums[4];
#pragma GCC unroll 1
        for (int64_t r = 0; r < rows; ++r) {
            if constexpr (kInput) sums[r] = narrow.input_row(w + (k + r) * out);
            if constexpr (kWeights) {
                narrow.template weight_row<kAdd>(set1(x[k + r]), dw + (k + r) * out);
            }
        }
        if constexpr (!kInput) continue;
        if (rows == 4) {
            reduce_add4(sums[0], sums[1], sums[2], sums[3], dx + k);
        } else {
            for (int64_t r = 0; r < rows; ++r) dx[k + r] = reduce_add(sums[r]);
        }
    }
}

constexpr int kNarrow = 8;  // vectors of dy that stay in registers

template <int kVectors>
void backward_narrow(const DenseBackward& dense) {
    if constexpr (kVectors > 1) {
        if (dense.out <= (kVectors - 1) * kLanes) return backward_narrow<kVectors - 1>(dense);
    }
    if (dense.dw == nullptr) return backward_one<kVectors, true, false, false>(dense);
    if (dense.dx == nullptr) {
        if (dense.accumulate) return backward_one<kVectors, false, true, true>(dense);
        return backward_one<kVectors, false, true, false>(dense);
    }
    if (dense.accumulate) return backward_one<kVectors, true, true, true>(dense);
    backward_one<kVectors, true, true, false>(dense);
}

template <int kBatch>
void backward(const DenseBackward& dense) {
    if (dense.dx == nullptr && dense.dw == nullptr) return;
    // Adding to rows below a vector: a row's masked load waits for the masked store of the row
    // before.
    const bool waits = dense.accumulate && dense.out < kLanes;
    if (kBatch == 1 && dense.out <= kNarrow * kLanes && !waits) {
        return backward_narrow<kNarrow>(dense);
    }
    int64_t k = 0;
    for (; k + 4 <= dense.in; k += 4) backward_rows<kBatch, 4>(dense, k);
    for (; k < dense.in; ++k) backward_rows<kBatch, 1>(dense, k);
}

}  // namespace

void dense_forward(const DenseForward& dense) noexcept {
    switch (dense.batch) {
        case 1:
            return forward<1>(dense);
        case 2:
            return forward<2>(dense);
        case 3:
            return forward<3>(dense);
        case 4:
            return forward<4>(dense);
        case 5:
            return forward<5>(dense);
        case 6:
            return forward<6>(dense);
        case 7:
            return forward<7>(dense);
        default:
            return forward<8>(dense);
    }
}

void dense_backward(const DenseBackward& dense) noexcept {
    switch (dense.batch) {
        case 1:
            return backward<1>(dense);
        case 2:
            return backward<2>(dense);
        case 3:
            return backward<3>(dense);
        case 4:
            return backward<4>(dense);
        case 5:
            return backward<5>(dense);
        case 6:
            return backward<6>(dense);
        case 7:
            return backward<7>(dense);
        default:
            return backward<8>(dense);
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
