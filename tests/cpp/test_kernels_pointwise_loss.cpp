// SPDX-License-Identifier: Apache-2.0
// The sums and slopes of losses of one element against double: every length around the vectors and
// the blocks of partial sums, terms at the kinks, NaN.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kernel_test.h"
#include "kernels/kernels.h"

namespace pronghorn::test {
namespace {

using Floats = std::vector<float>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Case {
    const char* name;
    PointwiseLoss kind;
    double (*value)(double p, double t);
    double (*slope)(double p, double t);
};

const Case kCases[] = {
    {"absolute error", PointwiseLoss::kAbsoluteError,
     [](double p, double t) { return std::fabs(p - t); },
     [](double p, double t) { return p > t   ? 1.0
                                     : p < t ? -1.0
                                             : p - t; }},
    {"squared error", PointwiseLoss::kSquaredError,
     [](double p, double t) { return (p - t) * (p - t); },
     [](double p, double t) { return 2.0 * (p - t); }},
};

std::vector<int64_t> sizes() {
    std::vector<int64_t> sizes = {127, 128, 129, 255, 256, 257, 511, 512, 513, 100003};
    for (int64_t size = 0; size <= 67; ++size) sizes.push_back(size);
    return sizes;
}

}  // namespace

TEST_CASE("pointwise_loss and its slopes agree with double at every length") {
    for (const Kernels* kernels : tables()) {
        for (const Case& test : kCases) {
            for (const int64_t size : sizes()) {
                const Floats p = random_floats(size, 1);
                Floats t = random_floats(size, 2), dp(p.size(), kNan);
                std::vector<double> slopes;
                double want = 0.0, sum = 0.0;
                for (size_t i = 0; i < p.size(); ++i) {
                    if (i % 5 == 3) t[i] = p[i];
                    want += test.value(static_cast<double>(p[i]), static_cast<double>(t[i]));
                    slopes.push_back(
                        0.3 * test.slope(static_cast<double>(p[i]), static_cast<double>(t[i])));
                }
                kernels->pointwise_loss(test.kind, size, p.data(), t.data(), &sum);
                kernels->pointwise_loss_backward(test.kind, size, p.data(), t.data(), 0.3f,
                                                 dp.data());
                const std::string what =
                    std::string(kernels->isa) + " " + test.name + " " + std::to_string(size);
                INFO(what);
                CHECK(std::fabs(sum - want) <= 3e-7 * want);
                check_close(dp.data(), slopes.data(), size, 3e-7, what);
            }
        }
    }
}

TEST_CASE("pointwise_loss: NaN of a prediction or target reaches the sum and its own slope alone") {
    for (const Kernels* kernels : tables()) {
        for (const Case& test : kCases) {
            for (const size_t at : {size_t{0}, size_t{30}, size_t{33}}) {
                for (const bool target : {false, true}) {
                    Floats p = random_floats(34, 1), t = random_floats(34, 2), dp(34);
                    (target ? t : p)[at] = kNan;
                    double sum = 0.0;
                    kernels->pointwise_loss(test.kind, 34, p.data(), t.data(), &sum);
                    kernels->pointwise_loss_backward(test.kind, 34, p.data(), t.data(), 0.3f,
                                                     dp.data());
                    INFO(kernels->isa, " ", test.name, " at ", at);
                    CHECK(std::isnan(sum));
                    for (size_t i = 0; i < dp.size(); ++i) CHECK(std::isnan(dp[i]) == (i == at));
                }
            }
        }
    }
}

}  // namespace pronghorn::test
