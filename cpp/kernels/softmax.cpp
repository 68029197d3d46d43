// SPDX-License-Identifier: Apache-2.0
// Softmax over rows of `classes`, its gradient, and its cross-entropy. Rows of up to four vectors
// stay in registers; longer ones are read three times (largest, exp and sum, scaling).
//
// NaN, +inf and rows of -inf alone need no special case: x - max or its exp is NaN somewhere, so
// the sum is, so the whole row is.
#include "kernels/kernels.h"
#include "kernels/simd.h"
#include "kernels/simd_math.h"

namespace pronghorn::PRONGHORN_ISA {

namespace {

struct SoftmaxRows {
    int64_t rows, classes;
    const float* x;
    const int32_t* label;  // with loss, or both null
    float *y, *loss;
};

/// What the loss of a row needs.
struct RowSum {
    float largest, sum;  // of x, of exp(x - largest)
};

constexpr float kInfinity = __builtin_inff();

/// The last vector of a row, missing lanes filled with -inf, whose exp is 0.
inline Vec load_last(const float* x, int count) {
    return select(first_lanes(count), load_upto(x, count), set1(-kInfinity));
}

/// One row of kVectors vectors, the last one with `last` lanes.
template <int kVectors>
inline RowSum softmax_row(const float* x, int last, float* y) {
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
    const float row_sum = reduce_add(sum);
    const Vec scale = set1(1.0f / row_sum);
    for (int v = 0; v < kVectors - 1; ++v) store(y + v * kLanes, value[v] * scale);
    store_upto(y + kEnd, value[kVectors - 1] * scale, last);
    return {row_largest, row_sum};
}

inline RowSum softmax_long_row(const float* x, int64_t classes, float* y) {
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
    const float row_sum = reduce_add(sum);
    const Vec scale = set1(1.0f / row_sum);
    for_vectors(classes, [=](int64_t i, int count) {
        store_upto(y + i, load_upto(y + i, count) * scale, count);
    });
    return {row_largest, row_sum};
}

/// All rows; kVectors is 0 for long ones. Losses are finished kLanes rows at a time: one log for
/// all.
template <int kVectors>
void softmax_rows(const SoftmaxRows& job) {
    const int last = static_cast<int>(job.classes - (kVectors - 1) * kLanes);
    for (int64_t begin = 0; begin < job.rows; begin += kLanes) {
        const int64_t left = job.rows - begin;
        const int count = left < kLanes ? static_cast<int>(left) : kLanes;
        float sum[kLanes], margin[kLanes];  // margin: largest - x[label]
        for (int i = 0; i < count; ++i) {
            const int64_t row = begin + i;
            const float* x = job.x + row * job.classes;
            float* y = job.y + row * job.classes;
            const int64_t label = job.loss == nullptr ? -1 : job.label[row];
            const bool known = label >= 0 && label < job.classes;
            const float chosen = known ? x[label] : __builtin_nanf("");
            RowSum result;
            if constexpr (kVectors == 0) {
                result = softmax_long_row(x, job.classes, y);
            } else {
                result = softmax_row<kVectors>(x, last, y);
            }
            sum[i] = result.sum;
            margin[i] = result.largest - chosen;
        }
        if (job.loss == nullptr) continue;
        const Vec loss = log(load_partial(sum, count)) + load_partial(margin, count);
        store_upto(job.loss + begin, loss, count);
    }
}

void softmax_rows_of_any_length(const SoftmaxRows& job) {
    switch ((job.classes + kLanes - 1) / kLanes) {
        case 1:
            return softmax_rows<1>(job);
        case 2:
            return softmax_rows<2>(job);
        case 3:
            return softmax_rows<3>(job);
        case 4:
            return softmax_rows<4>(job);
        default:
            return softmax_rows<0>(job);
    }
}

}  // namespace

void softmax(int64_t rows, int64_t classes, const float* x, float* y) noexcept {
    softmax_rows_of_any_length({rows, classes, x, nullptr, y, nullptr});
}

void softmax_crossentropy(int64_t rows, int64_t classes, const float* x, const int32_t* label,
                          float* y, float* loss) noexcept {
    softmax_rows_of_any_length({rows, classes, x, label, y, loss});
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
