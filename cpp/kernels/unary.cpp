// SPDX-License-Identifier: Apache-2.0
// Functions of one element (unary_functions.h) over arrays, and the gated linear unit.
#include "kernels/kernels.h"
#include "kernels/simd.h"
#include "kernels/unary_functions.h"

namespace pronghorn::PRONGHORN_ISA {

namespace {

template <typename Function>
void forward(const UnaryFunction& function, int64_t size, const float* x, float* y) {
    const Numbers numbers{set1(function.alpha), set1(function.beta)};
    for_vectors(size, [=](int64_t i, int count) {
        store_upto(y + i, Function::value(load_upto(x + i, count), numbers), count);
    });
}

template <typename Function>
void backward(const UnaryFunction& function, int64_t size, const float* source, const float* dy,
              float* dx) {
    const Numbers numbers{set1(function.alpha), set1(function.beta)};
    for_vectors(size, [=](int64_t i, int count) {
        const Vec s = source == nullptr ? zero() : load_upto(source + i, count);
        store_upto(dx + i, Function::gradient(s, load_upto(dy + i, count), numbers), count);
    });
}

}  // namespace

void unary(const UnaryFunction& function, int64_t size, const float* x, float* y) noexcept {
    switch (function.kind) {
#define PRONGHORN_UNARY(name, Type, reads, finite, numbers, alpha, beta) \
    case Unary::k##Type:                                                 \
        return forward<Type>(function, size, x, y);
#include "kernels/unary_list.inc"
#undef PRONGHORN_UNARY
    }
}

void unary_backward(const UnaryFunction& function, int64_t size, const float* source,
                    const float* dy, float* dx) noexcept {
    switch (function.kind) {
#define PRONGHORN_UNARY(name, Type, reads, finite, numbers, alpha, beta) \
    case Unary::k##Type:                                                 \
        return backward<Type>(function, size, source, dy, dx);
#include "kernels/unary_list.inc"
#undef PRONGHORN_UNARY
    }
}

void glu(int64_t size, const float* a, const float* b, float* y) noexcept {
    for_vectors(size, [=](int64_t i, int count) {
        store_upto(y + i, load_upto(a + i, count) * sigmoid(load_upto(b + i, count)), count);
    });
}

void glu_backward(int64_t size, const float* a, const float* b, const float* dy, float* da,
                  float* db) noexcept {
    for_vectors(size, [=](int64_t i, int count) {
        const Vec gate = sigmoid(load_upto(b + i, count));
        const Vec d = load_upto(dy + i, count);
        store_upto(da + i, d * gate, count);
        store_upto(db + i, d * load_upto(a + i, count) * (gate * (one() - gate)), count);
    });
}

}  // namespace pronghorn::PRONGHORN_ISA
