// SPDX-License-Identifier: Apache-2.0
// Activations and their gradients, and sums: one element in, one element out.
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

}  // namespace pronghorn::PRONGHORN_ISA
