// SPDX-License-Identifier: Apache-2.0
// Maps along one axis of x (outer, in, inner), vectors along `inner`: linear ones (resizing,
// adaptive averages, upsampling) and maxima over windows. Several axes are one map after the other.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {

namespace {

/// One output with any number of taps; `cell` is the first one's.
inline void sum_taps(const float* cell, const float* weights, int64_t taps, float offset,
                     int64_t inner, float* y) {
    for_vectors(inner, [=](int64_t i, int count) {
        Vec sum = set1(offset);
        for (int64_t t = 0; t < taps; ++t) {
            sum = fma(set1(weights[t]), load_upto(cell + t * inner + i, count), sum);
        }
        store_upto(y + i, sum, count);
    });
}

inline void copy(const float* x, int64_t size, float* y) {
    for_vectors(size,
                [=](int64_t i, int count) { store_upto(y + i, load_upto(x + i, count), count); });
}

/// Few channels: a masked vector per cell costs more than its scalars.
template <int kInner>
void map_narrow(const AxisMap& map, const float* x, float* y) {
    for (int64_t o = 0; o < map.outer; ++o, x += map.in * kInner) {
        for (int64_t j = 0; j < map.out; ++j, y += kInner) {
            float sum[kInner];
            for (int i = 0; i < kInner; ++i) sum[i] = map.offset == nullptr ? 0.0f : map.offset[j];
            const float* cell = x + map.begin[j] * kInner;
            for (int64_t t = map.first[j]; t < map.first[j + 1]; ++t, cell += kInner) {
                for (int i = 0; i < kInner; ++i) sum[i] += map.weights[t] * cell[i];
            }
            for (int i = 0; i < kInner; ++i) y[i] = sum[i];
        }
    }
}

}  // namespace

void axis_map(const AxisMap& map, const float* x, float* y) noexcept {
    if (map.inner == 1) return map_narrow<1>(map, x, y);
    if (map.inner == 2) return map_narrow<2>(map, x, y);
    if (map.inner == 3) return map_narrow<3>(map, x, y);
    for (int64_t o = 0; o < map.outer; ++o, x += map.in * map.inner) {
        for (int64_t j = 0; j < map.out; ++j, y += map.inner) {
            const float* cell = x + map.begin[j] * map.inner;
            const float* weights = map.weights + map.first[j];
            const int64_t taps = map.first[j + 1] - map.first[j];
            const float offset = map.offset == nullptr ? 0.0f : map.offset[j];
            if (taps == 1 && weights[0] == 1.0f && map.offset == nullptr) {
                copy(cell, map.inner, y);
            } else {
                sum_taps(cell, weights, taps, offset, map.inner, y);
            }
        }
    }
}

void axis_max(const AxisWindows& axis, const float* x, float* y, float* winners) noexcept {
    const int64_t inner = axis.inner;
    for (int64_t o = 0; o < axis.outer; ++o, x += axis.in * inner) {
        for (int64_t j = 0; j < axis.out; ++j, y += inner) {
            const int64_t begin = axis.begin[j], end = axis.end[j];
            for_vectors(inner, [=](int64_t i, int count) {
                Vec best = load_upto(x + begin * inner + i, count);
                Vec winner = set1(static_cast<float>(begin));
                for (int64_t cell = begin + 1; cell < end; ++cell) {
                    const Vec value = load_upto(x + cell * inner + i, count);
                    const Mask better = beats(value, best);
                    best = select(better, value, best);
                    winner = select(better, set1(static_cast<float>(cell)), winner);
                }
                store_upto(y + i, best, count);
                if (winners != nullptr) store_upto(winners + i, winner, count);
            });
            if (winners != nullptr) winners += inner;
        }
    }
}

void axis_max_backward(const AxisWindows& axis, const float* dy, const float* winners,
                       float* dx) noexcept {
    const int64_t inner = axis.inner, size = axis.in * inner;
    for (int64_t o = 0; o < axis.outer; ++o, dx += size) {
        for_vectors(size, [=](int64_t i, int count) { store_upto(dx + i, zero(), count); });
        for (int64_t j = 0; j < axis.out; ++j, dy += inner, winners += inner) {
            for (int64_t i = 0; i < inner; ++i) {
                dx[static_cast<int64_t>(winners[i]) * inner + i] += dy[i];
            }
        }
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
