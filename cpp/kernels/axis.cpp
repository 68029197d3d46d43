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

namespace {

inline bool beats_number(float value, float best) {
    return value > best || (value != value && best == best);
}

/// The largest of cells [begin, end) for few channels, several cells to a vector.
inline void max_narrow(const float* x, int64_t begin, int64_t end, int64_t inner, float* y,
                       float* winners) {
    const int64_t step = kLanes / inner;
    const int count = static_cast<int>(step * inner);
    float value[kLanes] = {}, cell_of[kLanes] = {};
    for (int64_t lane = 0; lane < count; ++lane) {
        const int64_t cell = begin + lane / inner;
        cell_of[lane] = static_cast<float>(cell);
    }
    Vec index = load(cell_of), winner = index;
    Vec best = load_upto(x + begin * inner, count);
    int64_t cell = begin + step;
    for (; cell + step <= end; cell += step) {
        index = index + set1(static_cast<float>(step));
        const Vec next = load_upto(x + cell * inner, count);
        const Mask better = beats(next, best);
        best = select(better, next, best);
        winner = select(better, index, winner);
    }
    store(value, best);
    store(cell_of, winner);
    for (int64_t i = 0; i < inner; ++i) {
        int64_t top = i;
        for (int64_t lane = i + inner; lane < count; lane += inner) {
            const bool equal_and_earlier =
                !beats_number(value[top], value[lane]) && cell_of[lane] < cell_of[top];
            if (beats_number(value[lane], value[top]) || equal_and_earlier) top = lane;
        }
        for (int64_t last = cell; last < end; ++last) {
            const float next = x[last * inner + i];
            if (!beats_number(next, value[top])) continue;
            value[top] = next;
            cell_of[top] = static_cast<float>(last);
        }
        y[i] = value[top];
        if (winners != nullptr) winners[i] = cell_of[top];
    }
}

/// kCount vectors, each a chain of its own; `count` lanes of the last.
template <int kCount>
inline void max_columns(const float* x, int64_t begin, int64_t end, int64_t inner, int count,
                        float* y, float* winners) {
    const auto lanes = [count](int v) { return v + 1 < kCount ? kLanes : count; };
    Vec best[kCount], winner[kCount];
#pragma GCC unroll 4
    for (int v = 0; v < kCount; ++v) {
        best[v] = load_upto(x + begin * inner + v * kLanes, lanes(v));
        winner[v] = set1(static_cast<float>(begin));
    }
    for (int64_t cell = begin + 1; cell < end; ++cell) {
        const Vec number = set1(static_cast<float>(cell));
#pragma GCC unroll 4
        for (int v = 0; v < kCount; ++v) {
            const Vec value = load_upto(x + cell * inner + v * kLanes, lanes(v));
            const Mask better = beats(value, best[v]);
            best[v] = select(better, value, best[v]);
            winner[v] = select(better, number, winner[v]);
        }
    }
#pragma GCC unroll 4
    for (int v = 0; v < kCount; ++v) {
        store_upto(y + v * kLanes, best[v], lanes(v));
        if (winners != nullptr) store_upto(winners + v * kLanes, winner[v], lanes(v));
    }
}

inline void max_wide(const float* x, int64_t begin, int64_t end, int64_t inner, float* y,
                     float* winners) {
    constexpr int kTogether = 4;
    const auto at = [winners](int64_t i) { return winners == nullptr ? nullptr : winners + i; };
    int64_t i = 0;
    for (; i + kTogether * kLanes <= inner; i += kTogether * kLanes) {
        max_columns<kTogether>(x + i, begin, end, inner, kLanes, y + i, at(i));
    }
    for (; i < inner; i += kLanes) {
        const int count = inner - i < kLanes ? static_cast<int>(inner - i) : kLanes;
        max_columns<1>(x + i, begin, end, inner, count, y + i, at(i));
    }
}

}  // namespace

void axis_max(const AxisWindows& axis, const float* x, float* y, float* winners) noexcept {
    const int64_t inner = axis.inner;
    for (int64_t o = 0; o < axis.outer; ++o, x += axis.in * inner) {
        for (int64_t j = 0; j < axis.out; ++j, y += inner) {
            const int64_t begin = axis.begin[j], end = axis.end[j];
            // Fewer cells do not pay for putting the lanes together.
            if (2 * inner <= kLanes && (end - begin) * inner >= 4 * kLanes) {
                max_narrow(x, begin, end, inner, y, winners);
            } else {
                max_wide(x, begin, end, inner, y, winners);
            }
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
            const int64_t begin = axis.begin[j], end = axis.end[j];
            if (inner < kLanes || end - begin > kLanes) {
                for (int64_t i = 0; i < inner; ++i) {
                    dx[static_cast<int64_t>(winners[i]) * inner + i] += dy[i];
                }
                continue;
            }
            for_vectors(inner, [=](int64_t i, int count) {
                const Vec share = load_upto(dy + i, count), winner = load_upto(winners + i, count);
                for (int64_t cell = begin; cell < end; ++cell) {
                    float* at = dx + cell * inner + i;
                    const Mask here = equal(winner, set1(static_cast<float>(cell)));
                    store_upto(at, load_upto(at, count) + select(here, share, zero()), count);
                }
            });
        }
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
