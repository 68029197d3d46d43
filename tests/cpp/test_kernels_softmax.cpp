// SPDX-License-Identifier: Apache-2.0
// softmax, its gradient and its cross-entropy of every instruction set against double, for 1 to 300
// classes: shifts, extreme logits, rows with NaN and infinities, labels outside the classes.
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

struct Reference {
    Doubles y, log_y;
};

Reference softmax_reference(const Floats& x, int64_t rows, int64_t classes) {
    Reference result{Doubles(x.size()), Doubles(x.size())};
    for (int64_t row = 0; row < rows; ++row) {
        const size_t begin = static_cast<size_t>(row * classes);
        const size_t end = begin + static_cast<size_t>(classes);
        double largest = static_cast<double>(x[begin]), sum = 0.0;
        for (size_t i = begin; i < end; ++i)
            largest = std::fmax(largest, static_cast<double>(x[i]));
        for (size_t i = begin; i < end; ++i) sum += std::exp(static_cast<double>(x[i]) - largest);
        for (size_t i = begin; i < end; ++i) {
            result.log_y[i] = static_cast<double>(x[i]) - largest - std::log(sum);
            result.y[i] = std::exp(result.log_y[i]);
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

TEST_CASE("softmax and its cross-entropy agree with double") {
    for (const Kernels* kernels : tables()) {
        for (const int64_t classes : class_counts()) {
            const int64_t rows = 1 + classes % 37;
            const float scale = classes % 3 == 0 ? 60.0f : 4.0f;
            const Floats x = logits(rows * classes, static_cast<uint32_t>(classes), scale);
            std::vector<int32_t> label;
            Doubles want_loss;
            const Reference want = softmax_reference(x, rows, classes);
            for (int64_t row = 0; row < rows; ++row) {
                label.push_back(static_cast<int32_t>((row * 7) % classes));
                want_loss.push_back(-want.log_y[static_cast<size_t>(row * classes + label.back())]);
            }
            Floats y(x.size(), kNan), y_again = y, loss(label.size(), kNan);
            kernels->softmax(rows, classes, x.data(), y.data());
            kernels->softmax_crossentropy(rows, classes, x.data(), label.data(), y_again.data(),
                                          loss.data());
            const std::string what = text(*kernels, rows, classes);
            check_close(y.data(), want.y.data(), rows * classes, 1e-6, what);
            check_close(loss.data(), want_loss.data(), rows, 1e-6, what + " loss");
            CHECK(y == y_again);
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
                const std::vector<int32_t> label(5, static_cast<int32_t>((bad + 1) % classes));
                Floats y(x.size()), loss(5);
                kernels->softmax_crossentropy(5, classes, x.data(), label.data(), y.data(),
                                              loss.data());
                const double n = static_cast<double>(classes);
                int64_t wrong = 0;
                for (int64_t i = 0; i < classes; ++i) {
                    for (int64_t row = 1; row <= 3; ++row) wrong += !std::isnan(y[at(row, i)]);
                    const double rest = i == bad ? 0.0 : 1.0 / (n - 1.0);
                    wrong += !(std::fabs(static_cast<double>(y[at(0, i)]) - 1.0 / n) < 1e-6);
                    wrong += !(std::fabs(static_cast<double>(y[at(4, i)]) - rest) < 1e-6);
                }
                for (size_t row = 1; row <= 3; ++row) wrong += !std::isnan(loss[row]);
                wrong += !(std::fabs(static_cast<double>(loss[0]) - std::log(n)) < 1e-5);
                wrong += !(std::fabs(static_cast<double>(loss[4]) - std::log(n - 1.0)) < 1e-5);
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

TEST_CASE("softmax_crossentropy of a label outside the classes is NaN and reads nothing outside") {
    for (const Kernels* kernels : tables()) {
        for (const int64_t classes : {1, 10, 100}) {
            const Floats x(static_cast<size_t>(3 * classes), 1.0f);
            const int32_t beyond = static_cast<int32_t>(classes);
            for (const int32_t bad : {-1, beyond, std::numeric_limits<int32_t>::max(),
                                      std::numeric_limits<int32_t>::min()}) {
                const std::vector<int32_t> label = {0, bad, beyond - 1};
                Floats y(x.size()), loss(3), want(x.size());
                kernels->softmax_crossentropy(3, classes, x.data(), label.data(), y.data(),
                                              loss.data());
                kernels->softmax(3, classes, x.data(), want.data());
                CHECK(std::isnan(loss[1]));
                CHECK(loss[0] == loss[2]);
                CHECK(loss[0] == doctest::Approx(std::log(static_cast<double>(classes))));
                CHECK(y == want);
            }
        }
    }
}

TEST_CASE("softmax_backward is y * (dy - sum(y * dy))") {
    for (const Kernels* kernels : tables()) {
        for (const int64_t classes : class_counts()) {
            const int64_t rows = 1 + classes % 5;
            const Floats x = logits(rows * classes, static_cast<uint32_t>(classes), 3.0f);
            const Floats dy = random_floats(rows * classes, static_cast<uint32_t>(classes) + 9);
            const Doubles exact = softmax_reference(x, rows, classes).y;
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
