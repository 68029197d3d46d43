// SPDX-License-Identifier: Apache-2.0
// Normalisation channel by channel: moments, the affine map, and its backward pass.
//
// A mean far larger than the deviation leaves nothing of E[x^2] - E[x]^2, so moments are taken in
// two passes over a block of rows that fits L1, about a mean kept in two floats, and blocks are
// joined by the formula of Chan, Golub and LeVeque ("Updating formulae and a pairwise algorithm for
// computing sample variances", 1979).
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {

namespace {

constexpr int kMostVectors = 4;     // of channels at a time: enough sums to hide an add's latency
constexpr int64_t kBlockRows = 64;  // of 4 vectors: 16 KB with AVX-512

/// Some vectors of channels, the last with `last` lanes.
template <int kVectors, bool kWhole>
struct Columns {
    int64_t first;
    int last;

    template <typename Body>
    void each(Body body) const {
#pragma GCC unroll 4  // rows of accumulators stay in registers
        for (int v = 0; v < kVectors; ++v) {
            body(v, first + v * kLanes, kWhole || v < kVectors - 1 ? kLanes : last);
        }
    }
    template <typename Term>
    void sum(int64_t begin, int64_t end, int64_t stride, Vec (&sums)[kVectors], Term term) const {
        for (Vec& one : sums) one = zero();
        for (int64_t row = begin; row < end; ++row) {
            each([&](int v, int64_t c, int count) {
                sums[v] = term(sums[v], v, row * stride + c, count);
            });
        }
    }
};

/// Calls body with the columns of all channels, in chunks of up to kMostVectors vectors.
template <typename Body>
void for_columns(int64_t channels, Body body) {
    int64_t c = 0;
    for (; c + kMostVectors * kLanes <= channels; c += kMostVectors * kLanes) {
        body(Columns<kMostVectors, true>{c, kLanes});
    }
    for (; c + kLanes <= channels; c += kLanes) body(Columns<1, true>{c, kLanes});
    if (c < channels) body(Columns<1, false>{c, static_cast<int>(channels - c)});
}

template <int kVectors, bool kWhole>
void moments_of(const Columns<kVectors, kWhole>& columns, const ChannelNorm& norm, float* pivot,
                float* delta, float* squares) {
    const float* x = norm.x;
    const int64_t stride = norm.channels;
    Vec center[kVectors], mean[kVectors], square[kVectors];
    const int64_t head = norm.rows < kBlockRows ? norm.rows : kBlockRows;
    columns.sum(0, head, stride, center, [=](Vec sum, int, int64_t at, int count) {
        return sum + load_upto(x + at, count);
    });
    for (int v = 0; v < kVectors; ++v) {
        center[v] = center[v] * set1(1.0f / static_cast<float>(head));
        mean[v] = square[v] = zero();
    }
    for (int64_t begin = 0; begin < norm.rows; begin += kBlockRows) {
        const int64_t end = begin + kBlockRows < norm.rows ? begin + kBlockRows : norm.rows;
        Vec block_mean[kVectors], block_square[kVectors];
        columns.sum(begin, end, stride, block_mean, [&](Vec sum, int v, int64_t at, int count) {
            return sum + (load_upto(x + at, count) - center[v]);
        });
        const Vec part = set1(1.0f / static_cast<float>(end - begin));
        for (Vec& one : block_mean) one = one * part;
        columns.sum(begin, end, stride, block_square, [&](Vec sum, int v, int64_t at, int count) {
            const Vec off = (load_upto(x + at, count) - center[v]) - block_mean[v];
            return fma(off, off, sum);
        });
        const float weight = static_cast<float>(end - begin) / static_cast<float>(end);
        for (int v = 0; v < kVectors; ++v) {
            const Vec apart = block_mean[v] - mean[v];
            const Vec between = set1(weight * static_cast<float>(begin));
            square[v] = fma(apart * apart, between, square[v] + block_square[v]);
            mean[v] = fma(apart, set1(weight), mean[v]);
        }
    }
    columns.each([&](int v, int64_t c, int count) {
        store_upto(pivot + c, center[v], count);
        store_upto(delta + c, mean[v], count);
        store_upto(squares + c, square[v], count);
    });
}

enum class Gate { kNone, kRelu, kClipped };

template <Gate kGate>
struct Constant {
    static constexpr Gate kValue = kGate;
};

/// body(Constant<the norm's gate>)
template <typename Body>
void for_gate(const ChannelNorm& norm, Body body) {
    if (!norm.relu) return body(Constant<Gate::kNone>{});
    if (norm.below == __builtin_inff()) return body(Constant<Gate::kRelu>{});
    body(Constant<Gate::kClipped>{});
}

/// The tables of a vector of channels, and what is computed from them.
struct Map {
    Vec center, scale, shift;

    Map(const ChannelNorm& norm, int64_t c, int count)
        : center(load_upto(norm.center + c, count)),
          scale(load_upto(norm.scale + c, count)),
          shift(load_upto(norm.shift + c, count)) {}

    Vec apply(Vec x) const { return fma(x - center, scale, shift); }
    /// dy, or 0 where relu held y at 0 or the ceiling.
    template <Gate kGate>
    Vec gated(Vec x, Vec dy, Vec below) const {
        if (kGate == Gate::kNone) return dy;
        const Vec y = apply(x), d = select(less(zero(), y), dy, zero());
        return kGate == Gate::kClipped ? select(less(below, y), zero(), d) : d;
    }
};

template <typename Body>
void for_rows(const ChannelNorm& norm, Body body) {
    for (int64_t row = 0; row < norm.rows; ++row) {
        const int64_t begin = row * norm.channels;
        for_vectors(norm.channels, [&](int64_t c, int count) { body(begin + c, c, count); });
    }
}

template <Gate kGate, int kVectors, bool kWhole>
void sums_of(const Columns<kVectors, kWhole>& columns, const ChannelNorm& norm, float* sums,
             float* products) {
    const Vec below = set1(norm.below);
    Vec sum[kVectors], product[kVectors];
    for (int v = 0; v < kVectors; ++v) sum[v] = product[v] = zero();
    for (int64_t begin = 0; begin < norm.rows; begin += kBlockRows) {
        const int64_t end = begin + kBlockRows < norm.rows ? begin + kBlockRows : norm.rows;
        Vec block[kVectors], block_product[kVectors];
        for (int v = 0; v < kVectors; ++v) block_product[v] = zero();
        columns.sum(begin, end, norm.channels, block, [&](Vec total, int v, int64_t at, int count) {
            const Map map(norm, columns.first + v * kLanes, count);
            const Vec x = load_upto(norm.x + at, count);
            const Vec d = map.gated<kGate>(x, load_upto(norm.dy + at, count), below);
            block_product[v] = fma(d, x - map.center, block_product[v]);
            return total + d;
        });
        for (int v = 0; v < kVectors; ++v) {
            sum[v] = sum[v] + block[v];
            product[v] = product[v] + block_product[v];
        }
    }
    columns.each([&](int v, int64_t c, int count) {
        store_upto(sums + c, sum[v], count);
        store_upto(products + c, product[v], count);
    });
}

template <Gate kGate>
void backward_of(const ChannelNorm& norm, float* dx) {
    const Vec below = set1(norm.below);
    if (norm.slope == nullptr) {
        return for_rows(norm, [&](int64_t at, int64_t c, int count) {
            Vec d = load_upto(norm.dy + at, count);
            if (kGate != Gate::kNone) {
                d = Map(norm, c, count).gated<kGate>(load_upto(norm.x + at, count), d, below);
            }
            store_upto(dx + at, d * load_upto(norm.scale + c, count), count);
        });
    }
    for_rows(norm, [&](int64_t at, int64_t c, int count) {
        const Map map(norm, c, count);
        const Vec x = load_upto(norm.x + at, count);
        const Vec d = map.gated<kGate>(x, load_upto(norm.dy + at, count), below);
        const Vec line = fma(x - map.center, load_upto(norm.slope + c, count),
                             load_upto(norm.offset + c, count));
        store_upto(dx + at, fma(d, map.scale, line), count);
    });
}

}  // namespace

void channel_moments(const ChannelNorm& norm, float* pivot, float* delta, float* squares) noexcept {
    for_columns(norm.channels,
                [&](const auto& columns) { moments_of(columns, norm, pivot, delta, squares); });
}

void channel_norm(const ChannelNorm& norm, float* y) noexcept {
    if (norm.relu) {
        const Vec ceiling = set1(norm.ceiling);
        return for_rows(norm, [&](int64_t at, int64_t c, int count) {
            const Vec value = Map(norm, c, count).apply(load_upto(norm.x + at, count));
            store_upto(y + at, min_number(ceiling, relu(value)), count);  // NaN stays
        });
    }
    for_rows(norm, [&](int64_t at, int64_t c, int count) {
        store_upto(y + at, Map(norm, c, count).apply(load_upto(norm.x + at, count)), count);
    });
}

void channel_norm_sums(const ChannelNorm& norm, float* sums, float* products) noexcept {
    for_gate(norm, [&](auto gate) {
        for_columns(norm.channels, [&](const auto& columns) {
            sums_of<decltype(gate)::kValue>(columns, norm, sums, products);
        });
    });
}

void channel_norm_backward(const ChannelNorm& norm, float* dx) noexcept {
    for_gate(norm, [&](auto gate) { backward_of<decltype(gate)::kValue>(norm, dx); });
}

}  // namespace pronghorn::PRONGHORN_ISA
