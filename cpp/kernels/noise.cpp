// SPDX-License-Identifier: Apache-2.0
// Dropout and Gaussian noise. Numbers come from Philox4x32-10 (Salmon et al., "Parallel random
// numbers: as easy as 1, 2, 3", 2011): elements 4n to 4n+3 get the four words of counter n, so what
// an element draws depends on its index and the key alone.
#include "kernels/kernels.h"
#include "kernels/simd.h"
#include "kernels/simd_math.h"

namespace pronghorn::PRONGHORN_ISA {

namespace {

/// The round keys of one 64-bit key, ready for use.
struct Philox {
    static constexpr int kRounds = 10;
    static constexpr int64_t kBlock = 2 * kLanes;  // numbers drawn at a time
    Words key_low[kRounds], key_high[kRounds];

    explicit Philox(uint64_t key) {
        uint32_t low = static_cast<uint32_t>(key), high = static_cast<uint32_t>(key >> 32);
        for (int i = 0; i < kRounds; ++i) {
            key_low[i] = set1_words(low);
            key_high[i] = set1_words(high);
            low += 0x9E3779B9u;
            high += 0xBB67AE85u;
        }
    }

    /// kBlock numbers in [0, 1), those of kLanes / 2 counters from `counter` on.
    void draw(uint64_t counter, Vec* first, Vec* second) const {
        // The low half of each 64-bit word is the state; what lies above it is never read.
        Words c0 = add_words(set1_words(counter), count_words());
        Words c1 = high_halves(c0), c2 = set1_words(0), c3 = c2;
        for (int i = 0; i < kRounds; ++i) {
            const Words product_0 = multiply_low_halves(c0, set1_words(0xD2511F53u));
            const Words product_1 = multiply_low_halves(c2, set1_words(0xCD9E8D57u));
            c0 = xor_words(xor_words(high_halves(product_1), c1), key_low[i]);
            c2 = xor_words(xor_words(high_halves(product_0), c3), key_high[i]);
            c1 = product_1;
            c3 = product_0;
        }
        const Words low = join_low_halves(c0, c1), high = join_low_halves(c2, c3);
        *first = unit_floats(interleave_low(low, high));
        *second = unit_floats(interleave_high(low, high));
    }
};

/// Calls body(drawn, i, count) for elements [i, i + count) of [0, size), count up to kLanes.
template <typename Body>
inline void draw_each(int64_t size, int64_t first, uint64_t key, Body body) {
    const Philox philox(key);
    uint64_t counter = static_cast<uint64_t>(first) / 4;
    Vec low, high;
    int64_t i = 0;
    if (const int skipped = static_cast<int>(first & 3); skipped != 0) {
        philox.draw(counter++, &low, &high);
        float drawn[Philox::kBlock];
        store(drawn, low);
        store(drawn + kLanes, high);
        const int64_t rest = 4 - skipped;
        i = size < rest ? size : rest;
        const int count = static_cast<int>(i);
        body(load_partial(drawn + skipped, count), 0, count);
    }
    for (; i < size; i += Philox::kBlock, counter += kLanes / 2) {
        philox.draw(counter, &low, &high);
        const int64_t left = size - i;
        if (left >= Philox::kBlock) {
            body(low, i, kLanes);
            body(high, i + kLanes, kLanes);
        } else if (left > kLanes) {
            body(low, i, kLanes);
            body(high, i + kLanes, static_cast<int>(left) - kLanes);
        } else {
            body(low, i, static_cast<int>(left));
        }
    }
}

/// A normal number from a uniform one. Drawn are multiples of 2^-24 in [0, 1): moved by half of
/// that and spread over (-1, 1) they are still exact.
inline Vec normal(Vec drawn) {
    const Vec x = drawn + drawn - set1(1.0f) + set1(0x1p-24f);
    return set1(1.41421356f) * erfinv(x);
}

struct Dropping {
    Vec rate, scale, shift, dropped;

    explicit Dropping(const Drop& drop)
        : rate(set1(drop.rate)),
          scale(set1(drop.scale)),
          shift(set1(drop.shift)),
          dropped(set1(drop.dropped)) {}
    Vec operator()(Vec drawn, Vec x) const {
        return select(less(drawn, rate), dropped, fma(x, scale, shift));
    }
};

}  // namespace

void dropout(const Drop& drop, int64_t size, int64_t first, uint64_t key, const float* x,
             float* y) noexcept {
    const Dropping dropping(drop);
    draw_each(size, first, key, [=](Vec drawn, int64_t i, int count) {
        store_upto(y + i, dropping(drawn, load_upto(x + i, count)), count);
    });
}

void uniform(int64_t size, int64_t first, uint64_t key, float* y) noexcept {
    draw_each(size, first, key,
              [=](Vec drawn, int64_t i, int count) { store_upto(y + i, drawn, count); });
}

void drop_by(const Drop& drop, const Grid& grid, const float* drawn, const float* x,
             float* y) noexcept {
    const Dropping dropping(drop);
    for (int64_t row = 0; row < grid.rows; ++row, x += grid.columns, y += grid.columns) {
        const Vec shared = grid.by_row ? set1(drawn[row]) : zero();
        for_vectors(grid.columns, [=](int64_t i, int count) {
            const Vec own = grid.by_row ? shared : load_upto(drawn + i, count);
            store_upto(y + i, dropping(own, load_upto(x + i, count)), count);
        });
    }
}

void gaussian_noise(float deviation, int64_t size, int64_t first, uint64_t key, const float* x,
                    float* y) noexcept {
    const Vec scale = set1(deviation);
    draw_each(size, first, key, [=](Vec drawn, int64_t i, int count) {
        store_upto(y + i, fma(scale, normal(drawn), load_upto(x + i, count)), count);
    });
}

void gaussian_dropout(float deviation, int64_t size, int64_t first, uint64_t key, const float* x,
                      float* y) noexcept {
    const Vec scale = set1(deviation);
    draw_each(size, first, key, [=](Vec drawn, int64_t i, int count) {
        const Vec factor = fma(scale, normal(drawn), set1(1.0f));
        store_upto(y + i, load_upto(x + i, count) * factor, count);
    });
}

}  // namespace pronghorn::PRONGHORN_ISA
