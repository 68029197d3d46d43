// SPDX-License-Identifier: Apache-2.0
// Keras's ReLU with a slope, a threshold and a ceiling.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {

void clipped_relu(const ClippedRelu& relu, int64_t size, const float* x, float* y) noexcept {
    const Vec slope = set1(relu.slope), threshold = set1(relu.threshold);
    const Vec ceiling = set1(relu.max_value);
    // A slope of 0 gives +0 below the threshold, at minus infinity too.
    const Vec least = set1(relu.slope == 0.0f ? -__FLT_MAX__ : -__builtin_inff());
    for_vectors(size, [=](int64_t i, int count) {
        const Vec v = load_upto(x + i, count);
        const Vec below = slope * max_number(least, v - threshold) + zero();
        const Vec line = select(less(threshold, v), v, below);
        store_upto(y + i, select(less(ceiling, v), ceiling, line), count);
    });
}

void clipped_relu_backward(const ClippedRelu& relu, int64_t size, const float* x, const float* dy,
                           float* dx) noexcept {
    const Vec slope = set1(relu.slope), threshold = set1(relu.threshold);
    const Vec ceiling = set1(relu.max_value);
    for_vectors(size, [=](int64_t i, int count) {
        const Vec v = load_upto(x + i, count), d = load_upto(dy + i, count);
        const Vec line = select(less(threshold, v), d, slope * d);
        store_upto(dx + i, select(less(v, ceiling), line, zero()), count);
    });
}

}  // namespace pronghorn::PRONGHORN_ISA
