// SPDX-License-Identifier: Apache-2.0
// The optimizers' updates: one pass over weights, gradients and slots, at the speed of memory.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {

void sgd(const Sgd& sgd, int64_t size, const float* gradient, float* w, float* velocity) noexcept {
    const Vec rate = set1(sgd.learning_rate);
    const Vec momentum = set1(sgd.momentum);
    if (sgd.momentum == 0.0f) {
        for_vectors(size, [=](int64_t i, int count) {
            const Vec step = rate * load_upto(gradient + i, count);
            store_upto(w + i, load_upto(w + i, count) - step, count);
        });
        return;
    }
    const bool nesterov = sgd.nesterov;
    for_vectors(size, [=](int64_t i, int count) {
        const Vec step = rate * load_upto(gradient + i, count);
        const Vec v = momentum * load_upto(velocity + i, count) - step;
        const Vec move = nesterov ? momentum * v - step : v;
        store_upto(velocity + i, v, count);
        store_upto(w + i, load_upto(w + i, count) + move, count);
    });
}

void adam(const Adam& adam, int64_t size, const float* gradient, float* w, float* m,
          float* v) noexcept {
    const Vec rate_m = set1(adam.one_minus_beta_1);
    const Vec rate_v = set1(adam.one_minus_beta_2);
    const Vec step = set1(adam.step);
    const Vec epsilon = set1(adam.epsilon);
    for_vectors(size, [=](int64_t i, int count) {
        const Vec g = load_upto(gradient + i, count);
        const Vec m_old = load_upto(m + i, count);
        const Vec v_old = load_upto(v + i, count);
        const Vec m_new = m_old + (g - m_old) * rate_m;
        const Vec v_new = v_old + (g * g - v_old) * rate_v;
        const Vec move = step * m_new / (sqrt(v_new) + epsilon);
        store_upto(m + i, m_new, count);
        store_upto(v + i, v_new, count);
        store_upto(w + i, load_upto(w + i, count) - move, count);
    });
}

}  // namespace pronghorn::PRONGHORN_ISA
