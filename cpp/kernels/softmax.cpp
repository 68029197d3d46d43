// SPDX-License-Identifier: Apache-2.0
// Softmax over rows of `classes` and its gradient. Rows of a few classes lie side by side, single
// ones of up to four vectors stay in registers, longer ones are read three times (largest, exp and
// sum, scaling).
//
// NaN, +inf and rows of -inf alone need no special case: x - max or its exp is NaN somewhere, so
// the sum is, so the whole row is.
#include "kernels/kernels.h"
#include "kernels/row_forms.h"
#include "kernels/simd.h"
#include "kernels/simd_math.h"

namespace pronghorn::PRONGHORN_ISA {

namespace {

/// The last vector of a row, missing lanes filled with -inf, whose exp is 0.
inline Vec load_last(const float* x, int count) {
    return select(first_lanes(count), load_upto(x, count), set1(-kInfinity));
}

/// One row of kVectors vectors, the last one with `last` lanes.
template <int kVectors>
inline void softmax_row(const float* x, int last, float* y) {
    constexpr int kEnd = (kVectors - 1) * kLanes;
    Vec value[kVectors];
    value[kVectors - 1] = load_last(x + kEnd, last);
    Vec largest = value[kVectors - 1];
    for (int v = 0; v < kVectors - 1; ++v) {
        value[v] = load(x + v * kLanes);
        largest = max_number(largest, value[v]);
    }
    const float row_largest = reduce_max(largest);
    Vec sum = zero();
    for (int v = 0; v < kVectors; ++v) {
        value[v] = exp(value[v] - set1(row_largest));
        sum = sum + value[v];
    }
    const Vec scale = set1(1.0f / reduce_add(sum));
    for (int v = 0; v < kVectors - 1; ++v) store(y + v * kLanes, value[v] * scale);
    store_upto(y + kEnd, value[kVectors - 1] * scale, last);
}

inline void softmax_long_row(const float* x, int64_t classes, float* y) {
    Vec largest = set1(-kInfinity);
    for_vectors(classes, [&](int64_t i, int count) {
        const Vec value = count == kLanes ? load(x + i) : load_last(x + i, count);
        largest = max_number(largest, value);
    });
    const float row_largest = reduce_max(largest);
    Vec sum = zero();
    for_vectors(classes, [&](int64_t i, int count) {
        const Vec value = count == kLanes ? load(x + i) : load_last(x + i, count);
        const Vec e = exp(value - set1(row_largest));
        sum = sum + e;
        store_upto(y + i, e, count);
    });
    const Vec scale = set1(1.0f / reduce_add(sum));
    for_vectors(classes, [=](int64_t i, int count) {
        store_upto(y + i, load_upto(y + i, count) * scale, count);
    });
}

template <int kVectors>
void softmax_rows(int64_t rows, int64_t classes, const float* x, float* y) {
    const int last = static_cast<int>(classes - (kVectors - 1) * kLanes);
    for (int64_t row = 0; row < rows; ++row, x += classes, y += classes) {
        softmax_row<kVectors>(x, last, y);
    }
}

}  // namespace

void softmax(int64_t rows, int64_t classes, const float* x, float* y) noexcept {
    if (rows >= kLanes && lie_side_by_side(rows, classes)) {
        return for_groups(rows, classes, [=](const SideBySide& form, int64_t row) {
            const float* in = form.read(x + row * classes, kFirst);
            float* out = form.place(y + row * classes);
            const Vec scale = one() / exponentials(form, in, out).sum;
            for (int64_t v = 0; v < form.vectors; ++v) {
                form.store(out, v, form.load(out, v) * scale);
            }
            form.write(out, y + row * classes);
        });
    }
    switch ((classes + kLanes - 1) / kLanes) {
        case 1:
            return softmax_rows<1>(rows, classes, x, y);
        case 2:
            return softmax_rows<2>(rows, classes, x, y);
        case 3:
            return softmax_rows<3>(rows, classes, x, y);
        case 4:
            return softmax_rows<4>(rows, classes, x, y);
    }
    for (int64_t row = 0; row < rows; ++row) {
        softmax_long_row(x + row * classes, classes, y + row * classes);
    }
}

void softmax_backward(int64_t rows, int64_t classes, const float* y, const float* dy,
                      float* dx) noexcept {
    for (int64_t row = 0; row < rows; ++row, y += classes, dy += classes, dx += classes) {
        Vec sum = zero();
        for_vectors(classes, [&](int64_t i, int count) {
            sum = fma(load_upto(y + i, count), load_upto(dy + i, count), sum);
        });
        const Vec mean = set1(reduce_add(sum));
        for_vectors(classes, [=](int64_t i, int count) {
            const Vec difference = load_upto(dy + i, count) - mean;
            store_upto(dx + i, load_upto(y + i, count) * difference, count);
        });
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
