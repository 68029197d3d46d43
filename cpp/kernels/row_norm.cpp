// SPDX-License-Identifier: Apache-2.0
// Normalisation row by row: layer, root mean square and unit normalisation. A row's statistics are
// taken again in the backward pass: the row is in cache, and nothing has to be kept.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {

namespace {

/// The sum of term(index, count), a Vec, over [0, size).
template <typename Term>
float sum_of(int64_t size, Term term) {
    constexpr int kSums = 4;
    Vec sums[kSums] = {zero(), zero(), zero(), zero()};
    int64_t i = 0;
    for (; i + kSums * kLanes <= size; i += kSums * kLanes) {
#pragma GCC unroll 4  // sums in registers
        for (int s = 0; s < kSums; ++s) sums[s] = sums[s] + term(i + s * kLanes, kLanes);
    }
    for (; i + kLanes <= size; i += kLanes) sums[0] = sums[0] + term(i, kLanes);
    if (i < size) {
        const int count = static_cast<int>(size - i);
        sums[1] = sums[1] + select(first_lanes(count), term(i, count), zero());
    }
    return reduce_add((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

/// The mean in two floats, pivot + delta, and r.
struct Statistics {
    float pivot = 0, delta = 0, inverse;
    bool limited;

    Statistics(const RowNorm& norm, const float* x) {
        if (norm.centered) {
            const float share = 1.0f / static_cast<float>(norm.size);
            pivot = share * sum_of(norm.size,
                                   [=](int64_t i, int count) { return load_upto(x + i, count); });
            const Vec about = set1(pivot);
            delta = share * sum_of(norm.size, [=](int64_t i, int count) {
                        return load_upto(x + i, count) - about;
                    });
        }
        const float squares = sum_of(norm.size, [&](int64_t i, int count) {
            const Vec off = centered(load_upto(x + i, count));
            return off * off;
        });
        inverse = 1.0f / __builtin_sqrtf(squares / norm.divisor + norm.epsilon);
        limited = inverse > norm.limit;
        if (limited) inverse = norm.limit;
    }

    Vec centered(Vec x) const { return (x - set1(pivot)) - set1(delta); }
    Vec normal(Vec x) const { return centered(x) * set1(inverse); }
};

/// to[i] (+)= value
inline void put(float* to, Vec value, int count, bool accumulate) {
    store_upto(to, accumulate ? load_upto(to, count) + value : value, count);
}

}  // namespace

void row_norm(const RowNorm& norm, float* y) noexcept {
    for (int64_t row = 0; row < norm.rows; ++row, y += norm.size) {
        const float* x = norm.x + row * norm.size;
        const Statistics statistics(norm, x);
        for_vectors(norm.size, [&](int64_t i, int count) {
            Vec value = statistics.normal(load_upto(x + i, count));
            if (norm.gamma != nullptr) value = value * load_upto(norm.gamma + i, count);
            if (norm.beta != nullptr) value = value + load_upto(norm.beta + i, count);
            store_upto(y + i, value, count);
        });
    }
}

void row_norm_backward(const RowNorm& norm, const float* dy, float* dx, float* d_gamma,
                       float* d_beta, bool accumulate) noexcept {
    const auto size = static_cast<float>(norm.size);
    for (int64_t row = 0; row < norm.rows; ++row, dy += norm.size, accumulate = true) {
        const float* x = norm.x + row * norm.size;
        const Statistics statistics(norm, x);
        // d n = dy * gamma
        const auto slope = [&](int64_t i, int count) {
            const Vec d = load_upto(dy + i, count);
            return norm.gamma == nullptr ? d : d * load_upto(norm.gamma + i, count);
        };
        if (dx != nullptr) {
            const Vec mean = set1(norm.centered ? sum_of(norm.size, slope) / size : 0.0f);
            const float product = sum_of(norm.size, [&](int64_t i, int count) {
                return slope(i, count) * statistics.normal(load_upto(x + i, count));
            });
            const Vec along = set1(statistics.limited ? 0.0f : product / norm.divisor);
            const Vec inverse = set1(statistics.inverse);
            for_vectors(norm.size, [&](int64_t i, int count) {
                const Vec normal = statistics.normal(load_upto(x + i, count));
                const Vec rest = slope(i, count) - mean - normal * along;
                store_upto(dx + i, rest * inverse, count);
            });
            dx += norm.size;
        }
        for_vectors(norm.size, [&](int64_t i, int count) {
            const Vec d = load_upto(dy + i, count);
            if (d_gamma != nullptr) {
                const Vec normal = statistics.normal(load_upto(x + i, count));
                put(d_gamma + i, d * normal, count, accumulate);
            }
            if (d_beta != nullptr) put(d_beta + i, d, count, accumulate);
        });
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
