// SPDX-License-Identifier: Apache-2.0
// Activations and their gradients, sums, and dropout: one element in, one element out.
//
// Dropout draws from Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// 2011): elements 4n to 4n+3 get the four words of counter n, so what an element draws depends on
// its index and the key alone.
#include "kernels/kernels.h"
#include "kernels/simd.h"
#include "kernels/simd_math.h"

namespace pronghorn::PRONGHORN_ISA {

namespace {

template <typename Function>
void map(int64_t size, const float* x, float* y, Function function) {
    for_vectors(size, [=](int64_t i, int count) {
        store_upto(y + i, function(load_upto(x + i, count)), count);
    });
}

template <typename Function>
void map(int64_t size, const float* a, const float* b, float* y, Function function) {
    for_vectors(size, [=](int64_t i, int count) {
        store_upto(y + i, function(load_upto(a + i, count), load_upto(b + i, count)), count);
    });
}

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

}  // namespace

void activate(Activation kind, int64_t size, const float* x, float* y) noexcept {
    switch (kind) {
        case Activation::kLinear:
            return map(size, x, y, [](Vec v) { return v; });
        case Activation::kRelu:
            return map(size, x, y, [](Vec v) { return relu(v); });
        case Activation::kTanh:
            return map(size, x, y, [](Vec v) { return tanh(v); });
        case Activation::kSigmoid:
            return map(size, x, y, [](Vec v) { return sigmoid(v); });
    }
}

void activate_backward(Activation kind, int64_t size, const float* y, const float* dy,
                       float* dx) noexcept {
    const Vec one = set1(1.0f);
    switch (kind) {
        case Activation::kLinear:
            return map(size, dy, dx, [](Vec d) { return d; });
        case Activation::kRelu:
            return map(size, y, dy, dx,
                       [](Vec v, Vec d) { return select(less(zero(), v), d, zero()); });
        case Activation::kTanh:
            return map(size, y, dy, dx, [=](Vec v, Vec d) { return d * ((one - v) * (one + v)); });
        case Activation::kSigmoid:
            return map(size, y, dy, dx, [=](Vec v, Vec d) { return d * (v * (one - v)); });
    }
}

void add(int64_t size, const float* a, const float* b, float* y) noexcept {
    map(size, a, b, y, [](Vec v, Vec u) { return v + u; });
}

void sum_sources(int64_t size, const float* x, int64_t count, int64_t stride, float* y) noexcept {
    for_vectors(size, [=](int64_t i, int lanes) {
        Vec sum = load_upto(x + i, lanes);
        for (int64_t s = 1; s < count; ++s) sum = sum + load_upto(x + s * stride + i, lanes);
        store_upto(y + i, sum, lanes);
    });
}

void dropout(int64_t size, int64_t first, uint64_t key, float rate, const float* x,
             float* y) noexcept {
    const Philox philox(key);
    const Vec threshold = set1(rate);
    const Vec scale = set1(1.0f / (1.0f - rate));
    const auto drop = [=](Vec drawn, int64_t i, int count) {
        const Vec kept = load_upto(x + i, count) * scale;
        store_upto(y + i, select(less(drawn, threshold), zero(), kept), count);
    };
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
        drop(load_partial(drawn + skipped, count), 0, count);
    }
    for (; i < size; i += Philox::kBlock, counter += kLanes / 2) {
        philox.draw(counter, &low, &high);
        const int64_t left = size - i;
        if (left >= Philox::kBlock) {
            drop(low, i, kLanes);
            drop(high, i + kLanes, kLanes);
        } else if (left > kLanes) {
            drop(low, i, kLanes);
            drop(high, i + kLanes, static_cast<int>(left) - kLanes);
        } else {
            drop(low, i, static_cast<int>(left));
        }
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
