// SPDX-License-Identifier: Apache-2.0
// Pooling of planes by windows of 2 x 2 cells side by side: the even and the odd columns of two
// rows are four vectors, the cells of as many windows. An odd column or row at the end belongs to
// no window.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

/// Windows of 4 cells.
using Index = uint8_t;

/// Of 2 * count columns, those of the first vector.
int first_of(int count) { return 2 * count < kLanes ? 2 * count : kLanes; }

/// The even and the odd ones of 2 * count columns.
struct Columns {
    Vec even, odd;
};
Columns load_columns(const float* x, int count) {
    const int first = first_of(count);
    const Vec low = load_upto(x, first), high = load_upto(x + first, 2 * count - first);
    return {even_lanes(low, high), odd_lanes(low, high)};
}
void store_columns(float* x, Columns columns, int count) {
    const int first = first_of(count);
    store_upto(x, zip_low(columns.even, columns.odd), first);
    store_upto(x + first, zip_high(columns.even, columns.odd), 2 * count - first);
}

/// body(in, out, count) for neighbouring windows of every plane: where their upper row and their
/// results begin. Then dx, where it is not null, is zero in what belongs to no window.
template <typename Body>
void for_windows(const Pool& pool, float* dx, Body body) {
    const int64_t plane = pool.in_h * pool.in_w;
    for (int64_t c = 0; c < pool.channels; ++c) {
        for (int64_t h = 0; h < pool.out_h; ++h) {
            const int64_t in = c * plane + 2 * h * pool.in_w;
            const int64_t out = (c * pool.out_h + h) * pool.out_w;
            int64_t i = 0;
            for (; i + kLanes <= pool.out_w; i += kLanes) body(in + 2 * i, out + i, kLanes);
            if (i == pool.out_w) continue;
            if (i > 0) {  // some windows once more, instead of masks
                i = pool.out_w - kLanes;
                body(in + 2 * i, out + i, kLanes);
            } else {
                body(in, out, static_cast<int>(pool.out_w));
            }
        }
        if (dx == nullptr) continue;
        float* into = dx + c * plane;
        for (int64_t h = 0; h < pool.in_h && 2 * pool.out_w < pool.in_w; ++h) {
            into[h * pool.in_w + pool.in_w - 1] = 0;
        }
        for (int64_t i = 2 * pool.out_h * pool.in_w; i < plane; ++i) into[i] = 0;
    }
}

/// v, the cell of that number, where it beats the best so far.
void challenge(Vec v, float cell, Vec* best, Vec* winner) {
    const Mask wins = beats(v, *best);
    *best = select(wins, v, *best);
    *winner = select(wins, set1(cell), *winner);
}

}  // namespace

void max_pool_planes(const Pool& pool, const float* x, float* y, void* argmax) noexcept {
    Index* winners = static_cast<Index*>(argmax);
    for_windows(pool, nullptr, [=](int64_t in, int64_t out, int count) {
        const Columns top = load_columns(x + in, count);
        const Columns bottom = load_columns(x + in + pool.in_w, count);
        Vec best = top.even, winner = zero();
        challenge(top.odd, 1, &best, &winner);
        challenge(bottom.even, 2, &best, &winner);
        challenge(bottom.odd, 3, &best, &winner);
        store_upto(y + out, best, count);
        if (winners == nullptr) return;
        if (pool.gated) winner = select(less(zero(), best), winner, set1(kNoWinner<Index>));
        store_integers(winners + out, winner, count);
    });
}

void max_pool_planes_backward(const Pool& pool, const float* dy, const void* argmax,
                              float* dx) noexcept {
    const Index* winners = static_cast<const Index*>(argmax);
    for_windows(pool, dx, [=](int64_t in, int64_t out, int count) {
        const Vec d = load_upto(dy + out, count), winner = load_integers(winners + out, count);
        const auto of_cell = [=](float cell) {
            return select(equal(winner, set1(cell)), d, zero());
        };
        store_columns(dx + in, {of_cell(0), of_cell(1)}, count);
        store_columns(dx + in + pool.in_w, {of_cell(2), of_cell(3)}, count);
    });
}

void average_pool_planes(const Pool& pool, const float* x, float* y) noexcept {
    for_windows(pool, nullptr, [=](int64_t in, int64_t out, int count) {
        const Columns top = load_columns(x + in, count);
        const Columns bottom = load_columns(x + in + pool.in_w, count);
        const Vec sum = (top.even + top.odd) + (bottom.even + bottom.odd);
        store_upto(y + out, sum * set1(0.25f), count);
    });
}

void average_pool_planes_backward(const Pool& pool, const float* dy, const float* gate,
                                  float* dx) noexcept {
    for_windows(pool, dx, [=](int64_t in, int64_t out, int count) {
        const Vec d = load_upto(dy + out, count) * set1(0.25f);
        const int first = first_of(count);
        const auto spread = [=](int64_t at, Vec cells, int size) {
            if (gate != nullptr) {
                cells = select(less(zero(), load_upto(gate + at, size)), cells, zero());
            }
            store_upto(dx + at, cells, size);
        };
        const Vec low = zip_low(d, d), high = zip_high(d, d);
        spread(in, low, first);
        spread(in + first, high, 2 * count - first);
        spread(in + pool.in_w, low, first);
        spread(in + pool.in_w + first, high, 2 * count - first);
    });
}

}  // namespace pronghorn::PRONGHORN_ISA
