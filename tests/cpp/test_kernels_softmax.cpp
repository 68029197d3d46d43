// SPDX-License-Identifier: Apache-2.0
// softmax and its gradient of every instruction set against double, for 1 to 300 classes: shifts,
// extreme logits, rows with NaN and infinities.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "kernel_test.h"
#include "kernels/kernels.h"

namespace pronghorn::test {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Doubles softmax_reference(const Floats& x, int64_t rows, int64_t classes) {
    Doubles result(x.size());
    for (int64_t row = 0; row < rows; ++row) {
        const size_t begin = static_cast<size_t>(row * classes);
        const size_t end = begin + static_cast<size_t>(classes);
        double largest = static_cast<double>(x[begin]), sum = 0.0;
        for (size_t i = begin; i < end; ++i)
            largest = std::fmax(largest, static_cast<double>(x[i]));
        for (size_t i = begin; i < end; ++i) sum += std::exp(static_cast<double>(x[i]) - largest);
        for (size_t i = begin; i < end; ++i) {
            result[i] = std::exp(static_cast<double>(x[i]) - largest) / sum;
        }
    }
    return result;
}

std::vector<int64_t> class_counts() {
    std::vector<int64_t> counts = {100, 128, 129, 300};
    for (int64_t classes = 1; classes <= 67; ++classes) counts.push_back(classes);
    return counts;
}

Floats logits(int64_t size, uint32_t seed, float scale) {
    Floats x = random_floats(size, seed);
    for (float& value : x) value = value * scale + scale;
    return x;
}

std::string text(const Kernels& kernels, int64_t rows, int64_t classes) {
    return std::string(kernels.isa) + " " + std::to_string(rows) + " x " + std::to_string(classes);
}

}  // namespace

TEST_CASE("softmax agrees with double") {
    for (const Kernels* kernels : tables()) {
        for (const int64_t classes : class_counts()) {
            const int64_t rows = 1 + classes % 37;
            const float scale = classes % 3 == 0 ? 60.0f : 4.0f;
            const Floats x = logits(rows * classes, static_cast<uint32_t>(classes), scale);
            const Doubles want = softmax_reference(x, rows, classes);
            Floats y(x.size(), kNan);
            kernels->softmax(rows, classes, x.data(), y.data());
            const std::string what = text(*kernels, rows, classes);
            check_close(y.data(), want.data(), rows * classes, 1e-6, what);
            for (int64_t row = 0; row < rows; ++row) {
                double sum = 0.0;
                for (int64_t i = 0; i < classes; ++i) {
                    sum += static_cast<double>(y[static_cast<size_t>(row * classes + i)]);
                }
                CHECK(std::fabs(sum - 1.0) <= 1.2e-7 * 2.0 * static_cast<double>(classes));
            }
        }
    }
}

TEST_CASE("softmax of rows with NaN, +inf or only -inf is NaN, of other rows untouched") {
    for (const Kernels* kernels : tables()) {
        for (const int64_t classes : {2, 3, 10, 16, 17, 40, 65, 130}) {
            for (int64_t bad = 0; bad < classes; ++bad) {
                Floats x(static_cast<size_t>(5 * classes), 0.25f);
                const auto at = [=](int64_t row, int64_t i) {
                    return static_cast<size_t>(row * classes + i);
                };
                x[at(1, bad)] = kNan;
                x[at(2, bad)] = kInfinity;
                for (int64_t i = 0; i < classes; ++i) x[at(3, i)] = -kInfinity;
                x[at(4, bad)] = -kInfinity;
                Floats y(x.size());
                kernels->softmax(5, classes, x.data(), y.data());
                const double n = static_cast<double>(classes);
                int64_t wrong = 0;
                for (int64_t i = 0; i < classes; ++i) {
                    for (int64_t row = 1; row <= 3; ++row) wrong += !std::isnan(y[at(row, i)]);
                    const double rest = i == bad ? 0.0 : 1.0 / (n - 1.0);
                    wrong += !(std::fabs(static_cast<double>(y[at(0, i)]) - 1.0 / n) < 1e-6);
                    wrong += !(std::fabs(static_cast<double>(y[at(4, i)]) - rest) < 1e-6);
                }
                INFO(text(*kernels, 5, classes), " at ", bad);
                CHECK(wrong == 0);
            }
        }
    }
}

TEST_CASE("softmax survives logits of the largest size") {
    const Floats x = {1e38f, -1e38f, 0.0f, 3e38f, 3e38f, -3e38f};
    for (const Kernels* kernels : tables()) {
        Floats y(x.size());
        kernels->softmax(2, 3, x.data(), y.data());
        CHECK(y == Floats{1.0f, 0.0f, 0.0f, 0.5f, 0.5f, 0.0f});
    }
}

TEST_CASE("softmax_backward is y * (dy - sum(y * dy))") {
    for (const Kernels* kernels : tables()) {
        for (const int64_t classes : class_counts()) {
            const int64_t rows = 1 + classes % 5;
            const Floats x = logits(rows * classes, static_cast<uint32_t>(classes), 3.0f);
            const Floats dy = random_floats(rows * classes, static_cast<uint32_t>(classes) + 9);
            const Doubles exact = softmax_reference(x, rows, classes);
            const Floats y(exact.begin(), exact.end());
            Doubles want(x.size());
            for (int64_t row = 0; row < rows; ++row) {
                const size_t begin = static_cast<size_t>(row * classes);
                const size_t end = begin + static_cast<size_t>(classes);
                double sum = 0.0;
                for (size_t i = begin; i < end; ++i) sum += exact[i] * static_cast<double>(dy[i]);
                for (size_t i = begin; i < end; ++i) {
                    want[i] = exact[i] * (static_cast<double>(dy[i]) - sum);
                }
            }
            Floats dx(x.size(), kNan);
            kernels->softmax_backward(rows, classes, y.data(), dy.data(), dx.data());
            check_close(dx.data(), want.data(), rows * classes, 1e-6,
                        text(*kernels, rows, classes));
        }
    }
}

}  // namespace pronghorn::test
