// SPDX-License-Identifier: Apache-2.0
// Activations of rows beside softmax: its logarithm, and sparsemax (Martins and Astudillo, "From
// softmax to sparsemax", 2016), found without sorting: the threshold over the elements above the
// last one rises until it leaves no element behind (Michelot, 1986).
#include "kernels/kernels.h"
#include "kernels/simd.h"
#include "kernels/simd_math.h"

namespace pronghorn::PRONGHORN_ISA {

namespace {

constexpr float kInfinity = __builtin_inff();

/// NaN is passed over.
inline float largest_of(const float* x, int64_t classes) {
    Vec largest = set1(-kInfinity);
    for_vectors(classes, [&](int64_t i, int count) {
        const Vec v = load_upto(x + i, count);
        const Vec value = count == kLanes ? v : select(first_lanes(count), v, set1(-kInfinity));
        largest = max_number(value, largest);
    });
    return reduce_max(largest);
}

}  // namespace

void log_softmax(int64_t rows, int64_t classes, const float* x, float* y) noexcept {
    for (int64_t row = 0; row < rows; ++row, x += classes, y += classes) {
        const Vec largest = set1(largest_of(x, classes));
        Vec sum = zero();
        for_vectors(classes, [&](int64_t i, int count) {
            const Vec e = exp(load_upto(x + i, count) - largest);
            sum = sum + (count == kLanes ? e : select(first_lanes(count), e, zero()));
        });
        const Vec log_sum = log(set1(reduce_add(sum)));
        for_vectors(classes, [=](int64_t i, int count) {
            store_upto(y + i, load_upto(x + i, count) - largest - log_sum, count);
        });
    }
}

void log_softmax_backward(int64_t rows, int64_t classes, const float* y, const float* dy,
                          float* dx) noexcept {
    for (int64_t row = 0; row < rows; ++row, y += classes, dy += classes, dx += classes) {
        Vec sum = zero();
        for_vectors(classes, [&](int64_t i, int count) { sum = sum + load_upto(dy + i, count); });
        const Vec total = set1(reduce_add(sum));
        for_vectors(classes, [=](int64_t i, int count) {
            const Vec share = exp(load_upto(y + i, count)) * total;
            store_upto(dx + i, load_upto(dy + i, count) - share, count);
        });
    }
}

void sparsemax(int64_t rows, int64_t classes, const float* x, float* y) noexcept {
    for (int64_t row = 0; row < rows; ++row, x += classes, y += classes) {
        const Vec largest = set1(largest_of(x, classes));
        float threshold = -1.0f;  // of x - largest: what is lower never counts
        for (float before = -1.0f;;) {
            Vec sum = zero(), number = zero();
            for_vectors(classes, [&](int64_t i, int count) {
                const Vec z = load_upto(x + i, count) - largest;
                const Mask above = less(set1(threshold), z);
                const Mask in = count == kLanes ? above : mask_and(above, first_lanes(count));
                sum = sum + select(in, z, zero());
                number = number + select(in, set1(1.0f), zero());
            });
            const float support = reduce_add(number);
            if (support == before) break;
            threshold = (reduce_add(sum) - 1.0f) / support;
            before = support;
        }
        for_vectors(classes, [=](int64_t i, int count) {
            const Vec z = load_upto(x + i, count) - largest;
            store_upto(y + i, relu(z - set1(threshold)), count);
        });
    }
}

void sparsemax_backward(int64_t rows, int64_t classes, const float* y, const float* dy,
                        float* dx) noexcept {
    for (int64_t row = 0; row < rows; ++row, y += classes, dy += classes, dx += classes) {
        Vec sum = zero(), number = zero();
        for_vectors(classes, [&](int64_t i, int count) {
            const Mask in = less(zero(), load_upto(y + i, count));
            sum = sum + select(in, load_upto(dy + i, count), zero());
            number = number + select(in, set1(1.0f), zero());
        });
        const Vec mean = set1(reduce_add(sum) / reduce_add(number));
        for_vectors(classes, [=](int64_t i, int count) {
            const Mask in = less(zero(), load_upto(y + i, count));
            store_upto(dx + i, select(in, load_upto(dy + i, count) - mean, zero()), count);
        });
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
