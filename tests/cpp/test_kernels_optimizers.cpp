// SPDX-License-Identifier: Apache-2.0
// The updates of the other optimizers, and what comes before an update, of every instruction set
// against plain loops in double, over several steps and sizes around whole vectors.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "kernel_test.h"
#include "kernels/kernels.h"

namespace pronghorn::test {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

constexpr int kSteps = 5;
// Doubles of the floats that the kernels get, so that only the arithmetic differs.
constexpr double kRate = 0.01f, kEpsilon = 1e-3f;

/// Weights and up to three slots of an optimizer.
template <typename T>
struct State {
    std::vector<T> w, slots[3];
};

/// A step of the kernel: what it does to a state, given the gradient.
using Kernel = std::function<void(const Kernels&, const Floats& g, State<float>&)>;
/// The same for one weight: w, a, b, c are its elements of the state.
using Formula = std::function<void(double g, double& w, double& a, double& b, double& c)>;

void check_steps(const char* name, const Kernel& kernel, const Formula& formula) {
    for (const Kernels* kernels : tables()) {
        for (int64_t size = 0; size <= 67; ++size) {
            State<float> got;
            State<double> want;
            got.w = random_floats(size, 1);
            want.w.assign(got.w.begin(), got.w.end());
            for (int slot = 0; slot < 3; ++slot) {
                got.slots[slot].assign(got.w.size(), 0.0f);
                want.slots[slot].assign(got.w.size(), 0.0);
            }
            for (uint32_t step = 0; step < kSteps; ++step) {
                Floats g = random_floats(size, 10 + step);
                for (size_t i = 0; i < g.size(); i += 5) g[i] = 0.0f;  // epsilon decides here
                kernel(*kernels, g, got);
                for (size_t i = 0; i < g.size(); ++i) {
                    formula(static_cast<double>(g[i]), want.w[i], want.slots[0][i],
                            want.slots[1][i], want.slots[2][i]);
                }
            }
            const std::string what =
                std::string(kernels->isa) + " " + name + " " + std::to_string(size);
            check_close(got.w.data(), want.w.data(), size, 2e-6, what);
            for (int slot = 0; slot < 3; ++slot) {
                check_close(got.slots[slot].data(), want.slots[slot].data(), size, 2e-6,
                            what + " slot " + std::to_string(slot));
            }
        }
    }
}

int64_t size_of(const Floats& x) { return static_cast<int64_t>(x.size()); }

}  // namespace

TEST_CASE("amsgrad keeps the largest second moment") {
    constexpr float kForgetM = 0.1f, kForgetV = 0.5f;
    check_steps(
        "amsgrad",
        [&](const Kernels& kernels, const Floats& g, State<float>& state) {
            const Adam rule{static_cast<float>(kRate), kForgetM, kForgetV,
                            static_cast<float>(kEpsilon)};
            kernels.amsgrad(rule, size_of(g), g.data(), state.w.data(), state.slots[0].data(),
                            state.slots[1].data(), state.slots[2].data());
        },
        [&](double g, double& w, double& m, double& v, double& largest) {
            m += (g - m) * static_cast<double>(kForgetM);
            v += (g * g - v) * static_cast<double>(kForgetV);
            largest = std::max(largest, v);
            w -= kRate * m / (std::sqrt(largest) + kEpsilon);
        });
}

TEST_CASE("rmsprop, with momentum and centered") {
    for (const double momentum : {0.0, 0.5}) {
        for (const bool centered : {false, true}) {
            constexpr double kRho = 0.75;
            check_steps(
                "rmsprop",
                [=](const Kernels& kernels, const Floats& g, State<float>& state) {
                    const RmsProp rule{static_cast<float>(kRate), static_cast<float>(kRho),
                                       static_cast<float>(momentum), static_cast<float>(kEpsilon)};
                    kernels.rmsprop(rule, size_of(g), g.data(), state.w.data(),
                                    state.slots[0].data(),
                                    momentum > 0 ? state.slots[1].data() : nullptr,
                                    centered ? state.slots[2].data() : nullptr);
                },
                [=](double g, double& w, double& v, double& m, double& a) {
                    v = kRho * v + (1 - kRho) * g * g;
                    if (centered) a = kRho * a + (1 - kRho) * g;
                    const double move = kRate * g / std::sqrt(v - a * a + kEpsilon);
                    if (momentum > 0) m = momentum * m + move;
                    w -= momentum > 0 ? m : move;
                });
        }
    }
}

TEST_CASE("adagrad") {
    check_steps(
        "adagrad",
        [](const Kernels& kernels, const Floats& g, State<float>& state) {
            const Adagrad rule{static_cast<float>(kRate), 0.0f, static_cast<float>(kEpsilon)};
            kernels.adagrad(rule, size_of(g), g.data(), state.w.data(), state.slots[0].data());
        },
        [](double g, double& w, double& v, double&, double&) {
            v += g * g;
            w -= kRate * g / std::sqrt(v + kEpsilon);
        });
}

TEST_CASE("adadelta") {
    constexpr double kRho = 0.75;
    check_steps(
        "adadelta",
        [](const Kernels& kernels, const Floats& g, State<float>& state) {
            const Adagrad rule{static_cast<float>(kRate), static_cast<float>(kRho),
                               static_cast<float>(kEpsilon)};
            kernels.adadelta(rule, size_of(g), g.data(), state.w.data(), state.slots[0].data(),
                             state.slots[1].data());
        },
        [](double g, double& w, double& v, double& u, double&) {
            v = kRho * v + (1 - kRho) * g * g;
            const double move = std::sqrt(u + kEpsilon) * g / std::sqrt(v + kEpsilon);
            u = kRho * u + (1 - kRho) * move * move;
            w -= kRate * move;
        });
}

namespace {

constexpr Momenta kMomenta{0.25f, 0.125f, 0x1p-10f, 0.02f, 0.01f, 1.5f};

}  // namespace

TEST_CASE("adamax") {
    check_steps(
        "adamax",
        [](const Kernels& kernels, const Floats& g, State<float>& state) {
            kernels.adamax(kMomenta, size_of(g), g.data(), state.w.data(), state.slots[0].data(),
                           state.slots[1].data());
        },
        [](double g, double& w, double& m, double& u, double&) {
            m += (g - m) * 0.25;
            u = std::max(0.875 * u, std::abs(g));
            w -= static_cast<double>(kMomenta.of_m) * m / (u + 0x1p-10);
        });
}

TEST_CASE("nadam") {
    check_steps(
        "nadam",
        [](const Kernels& kernels, const Floats& g, State<float>& state) {
            kernels.nadam(kMomenta, size_of(g), g.data(), state.w.data(), state.slots[0].data(),
                          state.slots[1].data());
        },
        [](double g, double& w, double& m, double& v, double&) {
            m += (g - m) * 0.25;
            v += (g * g - v) * 0.125;
            const double ahead =
                static_cast<double>(kMomenta.of_m) * m + static_cast<double>(kMomenta.of_g) * g;
            w -= ahead / (std::sqrt(1.5 * v) + 0x1p-10);
        });
}

TEST_CASE("what happens to a gradient before the update") {
    for (const Kernels* kernels : tables()) {
        for (int64_t size = 0; size <= 67; ++size) {
            for (const float limit : {0.0f, 0.25f}) {
                const Adjustment rule{0.25f, 0.125f, 0.5f, limit, 0.0625f};
                Floats w = random_floats(size, 1), g = random_floats(size, 2);
                for (size_t i = 0; i < w.size(); i += 3) w[i] = i % 2 == 0 ? 0.0f : -0.0f;
                if (size > 7) g[7] = std::numeric_limits<float>::quiet_NaN();
                Doubles want_w, want_g;
                for (size_t i = 0; i < w.size(); ++i) {
                    const double x = static_cast<double>(w[i]);
                    const double side = x > 0 ? 0.25 : x < 0 ? -0.25 : 0.0;
                    double moved = 0.5 * (static_cast<double>(g[i]) + side + 2 * 0.125 * x);
                    if (limit > 0) moved = moved > 0.25 ? 0.25 : moved < -0.25 ? -0.25 : moved;
                    want_g.push_back(moved);
                    want_w.push_back(x * (1 - 0.0625));
                }
                kernels->adjust(rule, size, g.data(), w.data());
                const std::string what = std::string(kernels->isa) + " " + std::to_string(size);
                check_close(g.data(), want_g.data(), size, 1e-7, what + " gradient");
                check_close(w.data(), want_w.data(), size, 1e-7, what + " weights");
            }
        }
    }
}

TEST_CASE("sums of magnitudes and of squares") {
    for (const Kernels* kernels : tables()) {
        for (const int64_t size : {0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 33, 1000, 1023}) {
            const Floats x = random_floats(size, 3);
            double want[2] = {0, 0};
            for (const float value : x) {
                want[0] += std::abs(static_cast<double>(value));
                want[1] += static_cast<double>(value) * static_cast<double>(value);
            }
            float sums[2] = {-1, -1};
            kernels->norms(size, x.data(), sums);
            check_close(sums, want, 2, 2e-6, std::string(kernels->isa) + std::to_string(size));
        }
    }
}

}  // namespace pronghorn::test
