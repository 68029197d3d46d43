// SPDX-License-Identifier: Apache-2.0
// ReLU with a learned slope below zero, one for each row or for each column of a matrix.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {

void prelu(const Grid& grid, const float* x, const float* alpha, float* y) noexcept {
    for (int64_t row = 0; row < grid.rows; ++row, x += grid.columns, y += grid.columns) {
        const Vec shared = grid.by_row ? set1(alpha[row]) : zero();
        for_vectors(grid.columns, [=](int64_t i, int count) {
            const Vec v = load_upto(x + i, count);
            const Vec slope = grid.by_row ? shared : load_upto(alpha + i, count);
            store_upto(y + i, select(less(zero(), v), v, slope * v), count);
        });
    }
}

void prelu_backward(const Grid& grid, const float* x, const float* alpha, const float* dy,
                    float* dx, float* da) noexcept {
    for (int64_t row = 0; row < grid.rows; ++row) {
        const Vec shared = grid.by_row ? set1(alpha[row]) : zero();
        Vec sum = zero();
        for_vectors(grid.columns, [&](int64_t i, int count) {
            const Vec v = load_upto(x + i, count), d = load_upto(dy + i, count);
            const Mask below = less(v, zero());
            if (dx != nullptr) {
                const Vec slope = grid.by_row ? shared : load_upto(alpha + i, count);
                const Vec gradient = select(below, slope * d, select(less(zero(), v), d, zero()));
                store_upto(dx + i, gradient, count);
            }
            if (da == nullptr) return;
            const Vec term = select(below, v * d, zero());
            if (grid.by_row) {
                sum = sum + term;
            } else {
                store_upto(da + i, load_upto(da + i, count) + term, count);
            }
        });
        if (da != nullptr && grid.by_row) da[row] += reduce_add(sum);
        x += grid.columns;
        dy += grid.columns;
        if (dx != nullptr) dx += grid.columns;
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
