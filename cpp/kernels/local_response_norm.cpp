// SPDX-License-Identifier: Apache-2.0
// Local response normalisation across channels (Krizhevsky, Sutskever and Hinton, "ImageNet
// classification with deep convolutional neural networks", 2012, section 3.3). Sums over
// neighbouring channels read a copy of the row with zeros on both sides.
#include "kernels/kernels.h"
#include "kernels/simd.h"
#include "kernels/simd_math.h"

namespace pronghorn::PRONGHORN_ISA {

namespace {

/// x^-beta for x > 0.
inline Vec negative_power(Vec x, float beta) {
    if (beta == 0.5f) return set1(1.0f) / sqrt(x);
    if (beta == 0.75f) {
        const Vec half = set1(1.0f) / sqrt(x);
        return half * sqrt(half);
    }
    return exp(log(x) * set1(-beta));
}

/// A row with `radius` zeros before and behind it.
struct Padded {
    float* begin;
    int64_t channels, radius;

    Padded(float* memory, const LocalResponse& norm)
        : begin(memory), channels(norm.channels), radius(norm.radius) {
        for (int64_t i = 0; i < radius; ++i) begin[i] = begin[radius + channels + i] = 0.0f;
    }
    void put(int64_t channel, Vec value, int count) const {
        store_upto(begin + radius + channel, value, count);
    }
    /// The sum over the neighbours of each of `count` channels.
    Vec sum(int64_t channel, int count) const {
        Vec total = load_upto(begin + channel, count);
        for (int64_t k = 1; k <= 2 * radius; ++k) {
            total = total + load_upto(begin + channel + k, count);
        }
        return total;
    }
};

}  // namespace

void local_response_norm(const LocalResponse& norm, float* y, float* scratch) noexcept {
    const Padded squares(scratch, norm);
    const Vec alpha = set1(norm.alpha), bias = set1(norm.bias);
    for (int64_t row = 0; row < norm.rows; ++row) {
        const float* x = norm.x + row * norm.channels;
        float* out = y + row * norm.channels;
        for_vectors(norm.channels, [&](int64_t c, int count) {
            const Vec value = load_upto(x + c, count);
            squares.put(c, value * value, count);
        });
        for_vectors(norm.channels, [&](int64_t c, int count) {
            const Vec base = fma(alpha, squares.sum(c, count), bias);
            const Vec value = load_upto(x + c, count) * negative_power(base, norm.beta);
            store_upto(out + c, value, count);
        });
    }
}

void local_response_norm_backward(const LocalResponse& norm, const float* dy, float* dx,
                                  float* scratch) noexcept {
    const Padded squares(scratch, norm);
    // What a channel gives to all its neighbours: dy * x * base^(-beta - 1).
    const Padded given(scratch + norm.channels + 2 * norm.radius, norm);
    const Vec alpha = set1(norm.alpha), bias = set1(norm.bias);
    const Vec factor = set1(-2.0f * norm.alpha * norm.beta);
    for (int64_t row = 0; row < norm.rows; ++row) {
        const int64_t at = row * norm.channels;
        const float* x = norm.x + at;
        for_vectors(norm.channels, [&](int64_t c, int count) {
            const Vec value = load_upto(x + c, count);
            squares.put(c, value * value, count);
        });
        for_vectors(norm.channels, [&](int64_t c, int count) {
            const Vec base = fma(alpha, squares.sum(c, count), bias);
            const Vec own = load_upto(dy + at + c, count) * negative_power(base, norm.beta);
            store_upto(dx + at + c, own, count);
            given.put(c, own * load_upto(x + c, count) / base, count);
        });
        for_vectors(norm.channels, [&](int64_t c, int count) {
            const Vec slope = load_upto(x + c, count) * factor;
            const Vec own = load_upto(dx + at + c, count);
            store_upto(dx + at + c, fma(slope, given.sum(c, count), own), count);
        });
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
