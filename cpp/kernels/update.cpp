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

void amsgrad(const Adam& adam, int64_t size, const float* gradient, float* w, float* m, float* v,
             float* largest) noexcept {
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
        const Vec most = max_keep_nan(load_upto(largest + i, count), v_new);
        store_upto(m + i, m_new, count);
        store_upto(v + i, v_new, count);
        store_upto(largest + i, most, count);
        store_upto(w + i, load_upto(w + i, count) - step * m_new / (sqrt(most) + epsilon), count);
    });
}

void rmsprop(const RmsProp& rule, int64_t size, const float* gradient, float* w, float* v, float* m,
             float* a) noexcept {
    const Vec rate = set1(rule.learning_rate);
    const Vec rho = set1(rule.rho), rest = set1(1.0f - rule.rho);
    const Vec momentum = set1(rule.momentum);
    const Vec epsilon = set1(rule.epsilon);
    for_vectors(size, [=](int64_t i, int count) {
        const Vec g = load_upto(gradient + i, count);
        const Vec v_new = rho * load_upto(v + i, count) + rest * g * g;
        store_upto(v + i, v_new, count);
        Vec variance = v_new;
        if (a != nullptr) {
            const Vec a_new = rho * load_upto(a + i, count) + rest * g;
            store_upto(a + i, a_new, count);
            variance = v_new - a_new * a_new;
        }
        Vec move = rate * g / sqrt(variance + epsilon);
        if (m != nullptr) {
            move = momentum * load_upto(m + i, count) + move;
            store_upto(m + i, move, count);
        }
        store_upto(w + i, load_upto(w + i, count) - move, count);
    });
}

void adagrad(const Adagrad& rule, int64_t size, const float* gradient, float* w,
             float* v) noexcept {
    const Vec rate = set1(rule.learning_rate);
    const Vec epsilon = set1(rule.epsilon);
    for_vectors(size, [=](int64_t i, int count) {
        const Vec g = load_upto(gradient + i, count);
        const Vec v_new = load_upto(v + i, count) + g * g;
        store_upto(v + i, v_new, count);
        store_upto(w + i, load_upto(w + i, count) - rate * g / sqrt(v_new + epsilon), count);
    });
}

void adadelta(const Adagrad& rule, int64_t size, const float* gradient, float* w, float* v,
              float* u) noexcept {
    const Vec rate = set1(rule.learning_rate);
    const Vec rho = set1(rule.rho), rest = set1(1.0f - rule.rho);
    const Vec epsilon = set1(rule.epsilon);
    for_vectors(size, [=](int64_t i, int count) {
        const Vec g = load_upto(gradient + i, count);
        const Vec v_new = rho * load_upto(v + i, count) + rest * g * g;
        const Vec u_old = load_upto(u + i, count);
        const Vec move = sqrt(u_old + epsilon) * g / sqrt(v_new + epsilon);
        store_upto(v + i, v_new, count);
        store_upto(u + i, rho * u_old + rest * move * move, count);
        store_upto(w + i, load_upto(w + i, count) - rate * move, count);
    });
}

void adamax(const Momenta& rule, int64_t size, const float* gradient, float* w, float* m,
            float* u) noexcept {
    const Vec rate_m = set1(rule.one_minus_beta_1);
    const Vec beta_2 = set1(1.0f - rule.one_minus_beta_2);
    const Vec of_m = set1(rule.of_m);
    const Vec epsilon = set1(rule.epsilon);
    for_vectors(size, [=](int64_t i, int count) {
        const Vec g = load_upto(gradient + i, count);
        const Vec m_old = load_upto(m + i, count);
        const Vec m_new = m_old + (g - m_old) * rate_m;
        const Vec u_new = max_keep_nan(beta_2 * load_upto(u + i, count), abs(g));
        store_upto(m + i, m_new, count);
        store_upto(u + i, u_new, count);
        store_upto(w + i, load_upto(w + i, count) - of_m * m_new / (u_new + epsilon), count);
    });
}

void nadam(const Momenta& rule, int64_t size, const float* gradient, float* w, float* m,
           float* v) noexcept {
    const Vec rate_m = set1(rule.one_minus_beta_1);
    const Vec rate_v = set1(rule.one_minus_beta_2);
    const Vec of_m = set1(rule.of_m), of_g = set1(rule.of_g), of_v = set1(rule.of_v);
    const Vec epsilon = set1(rule.epsilon);
    for_vectors(size, [=](int64_t i, int count) {
        const Vec g = load_upto(gradient + i, count);
        const Vec m_old = load_upto(m + i, count);
        const Vec v_old = load_upto(v + i, count);
        const Vec m_new = m_old + (g - m_old) * rate_m;
        const Vec v_new = v_old + (g * g - v_old) * rate_v;
        const Vec move = (of_m * m_new + of_g * g) / (sqrt(of_v * v_new) + epsilon);
        store_upto(m + i, m_new, count);
        store_upto(v + i, v_new, count);
        store_upto(w + i, load_upto(w + i, count) - move, count);
    });
}

void adjust(const Adjustment& adjustment, int64_t size, float* gradient, float* w) noexcept {
    const Vec l1 = set1(adjustment.l1), l2 = set1(2.0f * adjustment.l2);
    const Vec scale = set1(adjustment.scale);
    const Vec least = set1(-adjustment.limit), most = set1(adjustment.limit);
    const Vec decay = set1(adjustment.decay);
    const bool limited = adjustment.limit > 0;
    for_vectors(size, [=](int64_t i, int count) {
        const Vec x = load_upto(w + i, count);
        const Vec side = select(equal(x, zero()), zero(), copy_sign(l1, x));
        Vec g = scale * (load_upto(gradient + i, count) + side + l2 * x);
        if (limited) g = min_keep_nan(max_keep_nan(g, least), most);
        store_upto(gradient + i, g, count);
        store_upto(w + i, x - decay * x, count);
    });
}

void norms(int64_t size, const float* x, float* sums) noexcept {
    Vec magnitudes = zero(), squares = zero();
    for_vectors(size, [&](int64_t i, int count) {
        const Vec value = load_upto(x + i, count);
        magnitudes = magnitudes + abs(value);
        squares = fma(value, value, squares);
    });
    sums[0] = reduce_add(magnitudes);
    sums[1] = reduce_add(squares);
}

}  // namespace pronghorn::PRONGHORN_ISA
