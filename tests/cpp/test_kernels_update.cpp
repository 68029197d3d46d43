// SPDX-License-Identifier: Apache-2.0
// sgd and adam of every instruction set against Keras's formulas in double, over several steps.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "kernel_test.h"
#include "kernels/kernels.h"

namespace pronghorn::test {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

constexpr int kSteps = 5;

Doubles widen(const Floats& x) { return Doubles(x.begin(), x.end()); }

}  // namespace

TEST_CASE("sgd, with momentum and Nesterov's") {
    for (const Kernels* kernels : tables()) {
        for (int64_t size = 0; size <= 67; ++size) {
            for (const Sgd& rule : {Sgd{0.1f, 0.0f, false}, Sgd{0.1f, 0.0f, true},
                                    Sgd{0.05f, 0.9f, false}, Sgd{0.05f, 0.9f, true}}) {
                const double rate = static_cast<double>(rule.learning_rate);
                const double momentum = static_cast<double>(rule.momentum);
                Floats w = random_floats(size, 1), velocity = random_floats(size, 2);
                Doubles want = widen(w), v = widen(velocity);
                for (uint32_t step = 0; step < kSteps; ++step) {
                    const Floats g = random_floats(size, 10 + step);
                    // Without momentum there is no velocity.
                    float* slot = momentum == 0.0 ? nullptr : velocity.data();
                    kernels->sgd(rule, size, g.data(), w.data(), slot);
                    for (size_t i = 0; i < g.size(); ++i) {
                        const double move = rate * static_cast<double>(g[i]);
                        if (momentum != 0.0) v[i] = momentum * v[i] - move;
                        const double ahead = rule.nesterov ? momentum * v[i] - move : v[i];
                        want[i] += momentum == 0.0 ? -move : ahead;
                    }
                }
                const std::string what = std::string(kernels->isa) + " " + std::to_string(size);
                check_close(w.data(), want.data(), size, 1e-6, what);
                check_close(velocity.data(), v.data(), size, 1e-6, what + " velocity");
            }
        }
    }
}

TEST_CASE("adam") {
    const double beta_1 = 0.9, beta_2 = 0.999, rate = 0.01, epsilon = 1e-7;
    for (const Kernels* kernels : tables()) {
        for (int64_t size = 0; size <= 67; ++size) {
            Floats w = random_floats(size, 1), m(w.size(), 0.0f), v(w.size(), 0.0f);
            Doubles want = widen(w), want_m(w.size(), 0.0), want_v(w.size(), 0.0);
            for (int step = 1; step <= kSteps; ++step) {
                Floats g = random_floats(size, 10 + static_cast<uint32_t>(step));
                for (size_t i = 0; i < g.size(); i += 5) g[i] = 0.0f;  // epsilon decides here
                const double alpha =
                    rate * std::sqrt(1.0 - std::pow(beta_2, step)) / (1.0 - std::pow(beta_1, step));
                const Adam rule{static_cast<float>(alpha), static_cast<float>(1.0 - beta_1),
                                static_cast<float>(1.0 - beta_2), static_cast<float>(epsilon)};
                kernels->adam(rule, size, g.data(), w.data(), m.data(), v.data());
                for (size_t i = 0; i < g.size(); ++i) {
                    const double gradient = static_cast<double>(g[i]);
                    want_m[i] += (gradient - want_m[i]) * (1.0 - beta_1);
                    want_v[i] += (gradient * gradient - want_v[i]) * (1.0 - beta_2);
                    want[i] -= alpha * want_m[i] / (std::sqrt(want_v[i]) + epsilon);
                }
            }
            const std::string what = std::string(kernels->isa) + " " + std::to_string(size);
            check_close(w.data(), want.data(), size, 1e-6, what);
            check_close(m.data(), want_m.data(), size, 1e-6, what + " m");
            check_close(v.data(), want_v.data(), size, 1e-6, what + " v");
        }
    }
}

}  // namespace pronghorn::test
