// SPDX-License-Identifier: Apache-2.0
// The sums and slopes of losses of one element against double: every length around the vectors and
// the blocks of partial sums, with and without weights of rows, terms at the kinks, NaN.
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
using Doubles = std::vector<double>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr double kEpsilon = 1e-7;

/// What predictions and targets are drawn from.
enum class Draw : uint8_t { kNumbers, kShares, kSigns, kBits };

struct Case {
    const char* name;
    PointwiseLoss loss;
    Draw predictions, targets;
    double (*value)(double p, double t);
    double (*slope)(double p, double t);
};

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
double clipped(double p) { return std::fmin(std::fmax(p, kEpsilon), 1.0 - kEpsilon); }
double entropy(double p, double t) {
    return -(t * std::log(clipped(p)) + (1.0 - t) * std::log(1.0 - clipped(p)));
}
double logarithm(double x) { return std::log1p(std::fmax(x, kEpsilon)); }

// Focal: smoothing 0.2, alpha 0.7, gamma 1.5.
double focal(double p, double t) {
    t = 0.8 * t + 0.1;
    const double miss = 1.0 - (t * p + (1.0 - t) * (1.0 - p));
    return (0.4 * t + 0.3) * std::pow(miss, 1.5) * entropy(p, t);
}
double focal_slope(double p, double t) { return (focal(p + 1e-6, t) - focal(p - 1e-6, t)) / 2e-6; }

const Case kCases[] = {
    {"absolute error",
     {Pointwise::kAbsoluteError},
     Draw::kNumbers,
     Draw::kNumbers,
     [](double p, double t) { return std::fabs(p - t); },
     [](double p, double t) { return p > t   ? 1.0
                                     : p < t ? -1.0
                                             : p - t; }},
    {"squared error",
     {Pointwise::kSquaredError},
     Draw::kNumbers,
     Draw::kNumbers,
     [](double p, double t) { return (p - t) * (p - t); },
     [](double p, double t) { return 2.0 * (p - t); }},
    {"percentage",
     {Pointwise::kAbsolutePercentageError},
     Draw::kNumbers,
     Draw::kSigns,
     [](double p, double t) { return 100.0 * std::fabs(p - t) / std::fabs(t); },
     [](double p, double t) {
         return (p > t ? 100.0 : p < t ? -100.0 : p - t) / std::fabs(t);
     }},
    {"logarithmic error",
     {Pointwise::kSquaredLogarithmicError},
     Draw::kNumbers,
     Draw::kNumbers,
     [](double p, double t) { return std::pow(logarithm(p) - logarithm(t), 2.0); },
     [](double p, double t) {
         return p < kEpsilon ? 0.0 : 2.0 * (logarithm(p) - logarithm(t)) / (1.0 + p) + 0.0 * t;
     }},
    {"huber",
     {Pointwise::kHuber, 1, 0, 0.7f},
     Draw::kNumbers,
     Draw::kNumbers,
     [](double p, double t) {
         const double error = std::fabs(p - t);
         return error <= 0.7 ? 0.5 * error * error : 0.7 * error - 0.245;
     },
     [](double p, double t) { return p - t > 0.7    ? 0.7
                                     : p - t < -0.7 ? -0.7
                                                    : p - t; }},
    {"log cosh",
     {Pointwise::kLogCosh},
     Draw::kNumbers,
     Draw::kNumbers,
     [](double p, double t) { return std::log(std::cosh(p - t)); },
     [](double p, double t) { return std::tanh(p - t); }},
    {"hinge of bits",
     {Pointwise::kHinge, 2, -1},
     Draw::kNumbers,
     Draw::kBits,
     [](double p, double t) { return 1.0 - (2.0 * t - 1.0) * p; },
     [](double p, double t) { return 1.0 - 2.0 * t + 0.0 * p; }},
    {"squared hinge",
     {Pointwise::kSquaredHinge},
     Draw::kNumbers,
     Draw::kSigns,
     [](double p, double t) { return std::pow(t * p > 1.0 ? 0.0 : 1.0 - t * p, 2.0); },
     [](double p, double t) { return -2.0 * t * (t * p > 1.0 ? 0.0 : 1.0 - t * p); }},
    {"contrastive",
     {Pointwise::kContrastive, 1, 0, 0.6f},
     Draw::kShares,
     Draw::kBits,
     [](double p, double t) {
         const double missing = p > 0.6 ? 0.0 : 0.6 - p;
         return 0.5 * ((1.0 - t) * p * p + t * missing * missing);
     },
     [](double p, double t) { return (1.0 - t) * p - t * (p > 0.6 ? 0.0 : 0.6 - p); }},
    {"poisson",
     {Pointwise::kPoisson},
     Draw::kShares,
     Draw::kShares,
     [](double p, double t) { return p - t * std::log(p + kEpsilon); },
     [](double p, double t) { return 1.0 - t / (p + kEpsilon); }},
    {"kl divergence",
     {Pointwise::kKlDivergence},
     Draw::kShares,
     Draw::kShares,
     [](double p, double t) { return t * std::log(t / p); },
     [](double p, double t) { return -t / p; }},
    {"crossentropy",
     {Pointwise::kBinaryCrossentropy, 0.8f, 0.1f},
     Draw::kShares,
     Draw::kBits,
     [](double p, double t) { return entropy(p, 0.8 * t + 0.1); },
     [](double p, double t) { return (p - (0.8 * t + 0.1)) / (p * (1.0 - p)); }},
    {"crossentropy of logits",
     {Pointwise::kBinaryCrossentropyLogits},
     Draw::kNumbers,
     Draw::kBits,
     [](double x, double t) { return std::log1p(std::exp(x)) - x * t; },
     [](double x, double t) { return sigmoid(x) - t; }},
    {"focal",
     {Pointwise::kBinaryFocal, 0.8f, 0.1f, 0.4f, 0.3f, 1.5f},
     Draw::kShares,
     Draw::kBits,
     focal,
     focal_slope},
    {"focal of logits",
     {Pointwise::kBinaryFocalLogits, 0.8f, 0.1f, 0.4f, 0.3f, 1.5f},
     Draw::kNumbers,
     Draw::kBits,
     [](double x, double t) { return focal(sigmoid(x), t); },
     [](double x, double t) {
         return focal_slope(sigmoid(x), t) * sigmoid(x) * (1.0 - sigmoid(x));
     }},
};

Floats draw(Draw what, int64_t size, uint32_t seed) {
    Floats x = random_floats(size, seed);
    for (float& value : x) {
        if (what == Draw::kShares) value = 0.5f + 0.45f * value;
        if (what == Draw::kSigns) value = value > 0 ? 1.0f : -1.0f;
        if (what == Draw::kBits) value = value > 0 ? 1.0f : 0.0f;
    }
    return x;
}

std::vector<int64_t> sizes() {
    std::vector<int64_t> sizes = {127, 128, 129, 255, 256, 257, 511, 512, 513, 100003};
    for (int64_t size = 0; size <= 67; ++size) sizes.push_back(size);
    return sizes;
}

/// Compares sum and slopes with the case's, in double.
void check_case(const Kernels& kernels, const Case& test, int64_t rows, int64_t columns,
                bool weighted) {
    const int64_t size = rows * columns;
    const Floats p = draw(test.predictions, size, 1), weights = draw(Draw::kNumbers, rows, 3);
    Floats t = draw(test.targets, size, 2), dp(p.size(), kNan);
    Doubles slopes;
    double want = 0.0, scale = 0.0, sum = kNan;
    for (size_t i = 0; i < p.size(); ++i) {
        if (i % 5 == 3 && test.predictions == test.targets) t[i] = p[i];
        const double x = static_cast<double>(p[i]), y = static_cast<double>(t[i]);
        const size_t row = i / static_cast<size_t>(columns);
        const double weight = weighted ? static_cast<double>(weights[row]) : 1.0;
        want += weight * test.value(x, y);
        scale += std::fabs(weight * test.value(x, y));
        slopes.push_back(0.3 * weight * test.slope(x, y));
    }
    const LossRows job{rows, columns, p.data(), t.data(), weighted ? weights.data() : nullptr};
    kernels.pointwise_loss(test.loss, job, &sum);
    kernels.pointwise_loss_backward(test.loss, job, 0.3f, dp.data());
    const std::string what = std::string(kernels.isa) + " " + test.name + " " +
                             std::to_string(rows) + " x " + std::to_string(columns) +
                             (weighted ? " weighted" : "");
    INFO(what);
    CHECK(std::fabs(sum - want) <= 3e-7 * scale + 1e-7 * std::sqrt(static_cast<double>(size)));
    check_close(dp.data(), slopes.data(), size, 1e-6, what);
}

}  // namespace

TEST_CASE("pointwise_loss and its slopes agree with double at every length") {
    for (const Kernels* kernels : tables()) {
        for (const Case& test : kCases) {
            for (const int64_t size : sizes()) check_case(*kernels, test, 1, size, false);
        }
    }
}

TEST_CASE("pointwise_loss weighs rows of every length") {
    for (const Kernels* kernels : tables()) {
        for (const Case& test : kCases) {
            for (const int64_t columns : {1, 2, 3, 5, 15, 16, 17, 100, 511, 700}) {
                for (const int64_t rows : {1, 2, 9, 77}) {
                    check_case(*kernels, test, rows, columns, true);
                }
            }
        }
    }
}

TEST_CASE("pointwise_loss: NaN of a prediction or target reaches the sum and its own slope alone") {
    for (const Kernels* kernels : tables()) {
        for (const Case& test : kCases) {
            for (const size_t at : {size_t{0}, size_t{30}, size_t{33}}) {
                for (const bool target : {false, true}) {
                    Floats p = draw(test.predictions, 34, 1), t = draw(test.targets, 34, 2), dp(34);
                    (target ? t : p)[at] = kNan;
                    double sum = 0.0;
                    const LossRows job{1, 34, p.data(), t.data(), nullptr};
                    kernels->pointwise_loss(test.loss, job, &sum);
                    kernels->pointwise_loss_backward(test.loss, job, 0.3f, dp.data());
                    INFO(kernels->isa, " ", test.name, " at ", at);
                    CHECK(std::isnan(sum));
                    for (size_t i = 0; i < dp.size(); ++i) {
                        if (i != at) CHECK(!std::isnan(dp[i]));
                    }
                    // A hinge is bent by the sign of the error alone, a clipped prediction by
                    // nothing.
                    const bool flat = test.loss.kind == Pointwise::kHinge ||
                                      test.loss.kind == Pointwise::kSquaredLogarithmicError;
                    if (!flat) CHECK(std::isnan(dp[at]));
                }
            }
        }
    }
}

TEST_CASE("the focal loss at its ends: powers of 0 and of what is below") {
    const Floats p = {0.0f, 1.0f, 1.5f, 0.0f}, t = {0.0f, 1.0f, 1.0f, 1.0f};
    for (const Kernels* kernels : tables()) {
        for (const float gamma : {0.0f, 1.0f, 2.0f, 3.0f, 0.5f}) {
            for (size_t i = 0; i < p.size(); ++i) {
                const double miss =
                    1.0 - static_cast<double>(t[i] * p[i] + (1 - t[i]) * (1 - p[i]));
                const double edge = static_cast<double>(1.0f - static_cast<float>(kEpsilon));
                const double q = p[i] <= 0.0f ? kEpsilon : edge;
                const double want = std::pow(miss, static_cast<double>(gamma)) *
                                    -std::log(t[i] == 1.0f ? q : 1.0 - q);
                double sum = 0.0;
                const PointwiseLoss loss{Pointwise::kBinaryFocal, 1, 0, 0, 1, gamma};
                kernels->pointwise_loss(loss, {1, 1, &p[i], &t[i], nullptr}, &sum);
                INFO(kernels->isa, " gamma ", gamma, " p ", p[i], " t ", t[i], " ", sum, " ", want);
                CHECK((std::isnan(want) ? std::isnan(sum)
                                        : std::fabs(sum - want) <= 1e-6 * std::fabs(want) + 3e-8));
            }
        }
    }
}

}  // namespace pronghorn::test
