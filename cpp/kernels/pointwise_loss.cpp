// SPDX-License-Identifier: Apache-2.0
// Losses that are sums over a function of one prediction p and its target t: value(p, t) and its
// slope by p. Partial sums of a few dozen vectors are joined in double.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {

namespace {

constexpr int64_t kBlock = 32 * kLanes;  // of one partial sum in float

/// -1, 0 or 1; NaN stays.
inline Vec sign_of(Vec x) { return select(less(zero(), abs(x)), copy_sign(set1(1.0f), x), x); }

struct AbsoluteError {
    static Vec value(Vec p, Vec t) { return abs(p - t); }
    static Vec slope(Vec p, Vec t) { return sign_of(p - t); }
};

struct SquaredError {
    static Vec value(Vec p, Vec t) { return (p - t) * (p - t); }
    static Vec slope(Vec p, Vec t) { return set1(2.0f) * (p - t); }
};

template <typename Loss>
double sum_of(int64_t size, const float* p, const float* t) {
    double total = 0;
    for (int64_t begin = 0; begin < size; begin += kBlock, p += kBlock, t += kBlock) {
        Vec sum = zero();
        for_vectors(size - begin < kBlock ? size - begin : kBlock, [&](int64_t i, int count) {
            const Vec value = Loss::value(load_upto(p + i, count), load_upto(t + i, count));
            sum = sum + (count == kLanes ? value : select(first_lanes(count), value, zero()));
        });
        total += static_cast<double>(reduce_add(sum));
    }
    return total;
}

template <typename Loss>
void slopes(int64_t size, const float* p, const float* t, Vec scale, float* dp) {
    for_vectors(size, [=](int64_t i, int count) {
        const Vec slope = Loss::slope(load_upto(p + i, count), load_upto(t + i, count));
        store_upto(dp + i, scale * slope, count);
    });
}

}  // namespace

void pointwise_loss(PointwiseLoss kind, int64_t size, const float* p, const float* t,
                    double* sum) noexcept {
    switch (kind) {
#define PRONGHORN_POINTWISE_LOSS(Type)   \
    case PointwiseLoss::k##Type:         \
        *sum = sum_of<Type>(size, p, t); \
        return;
#include "kernels/pointwise_loss_list.inc"
#undef PRONGHORN_POINTWISE_LOSS
    }
}

void pointwise_loss_backward(PointwiseLoss kind, int64_t size, const float* p, const float* t,
                             float scale, float* dp) noexcept {
    switch (kind) {
#define PRONGHORN_POINTWISE_LOSS(Type) \
    case PointwiseLoss::k##Type:       \
        return slopes<Type>(size, p, t, set1(scale), dp);
#include "kernels/pointwise_loss_list.inc"
#undef PRONGHORN_POINTWISE_LOSS
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
