// SPDX-License-Identifier: Apache-2.0
// Cross-entropy of rows and its gradient against double: from logits and from probabilities, with
// targets and with labels, for 1 to 300 classes, whole and broken groups of rows, weights, ignored
// labels, clipped probabilities, NaN and infinities.
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
constexpr int32_t kIgnored = 1;

struct Case {
    Crossentropy job;
    Floats x, target, weights;
    std::vector<int32_t> label;

    Case(int64_t rows, int64_t classes, bool logits, bool dense, bool weighted)
        : x(random_floats(rows * classes, 1)),
          target(dense ? random_floats(rows * classes, 2) : Floats{}),
          weights(random_floats(rows, 3)) {
        if (!logits) {
            for (float& value : x) value = 0.55f + 0.5f * value;
        }
        for (int64_t row = 0; row < rows; ++row) {
            label.push_back(static_cast<int32_t>((row * 7) % classes));
        }
        job = {
            rows,         classes,  logits,   dense ? target.data() : nullptr,     0.8f,    0.01f,
            label.data(), kIgnored, x.data(), weighted ? weights.data() : nullptr, nullptr, 0};
    }
    Case(const Case&) = delete;  // the job points into it
    Case& operator=(const Case&) = delete;

    double target_of(int64_t row, int64_t c) const {
        const int32_t own = label[static_cast<size_t>(row)];
        if (job.target == nullptr) return own == c && own != kIgnored ? 1.0 : 0.0;
        return 0.8 * static_cast<double>(job.target[row * job.classes + c]) + 0.01;
    }
    double weight(int64_t row) const {
        return job.weights == nullptr ? 1.0 : static_cast<double>(job.weights[row]);
    }
};

struct Reference {
    double sum = 0.0, scale = 0.0;  // scale: of the magnitudes
    Doubles dx;
};

Reference reference(const Case& test, double factor) {
    Reference result;
    const Crossentropy& job = test.job;
    for (int64_t row = 0; row < job.rows; ++row) {
        const float* x = job.x + row * job.classes;
        Doubles part;
        double sum = 0.0, targets = 0.0;
        for (int64_t c = 0; c < job.classes; ++c) {
            const double value = static_cast<double>(x[c]);
            part.push_back(job.from_logits ? std::exp(value) : value);
            sum += part.back();
            targets += test.target_of(row, c);
        }
        for (int64_t c = 0; c < job.classes; ++c) {
            const double p = part[static_cast<size_t>(c)], t = test.target_of(row, c);
            const double term = t == 0.0 ? 0.0 : -test.weight(row) * t * std::log(p / sum);
            result.sum += term;
            result.scale += std::fabs(term);
            const double slope = job.from_logits ? targets * p / sum - t : targets / sum - t / p;
            result.dx.push_back(factor * test.weight(row) * slope);
        }
    }
    return result;
}

/// y: rows rounded up to whole vectors.
Floats state(const Kernels& kernels, const Crossentropy& job) {
    const int64_t rows = (job.rows + kernels.lanes - 1) / kernels.lanes * kernels.lanes;
    return Floats(static_cast<size_t>((job.rows == 1 ? 1 : rows) * job.classes), kNan);
}

double run(const Kernels& kernels, const Crossentropy& job, Floats& dx) {
    Floats y = state(kernels, job);
    double sum = 0.0;
    kernels.crossentropy(job, y.data(), &sum);
    kernels.crossentropy_backward(job, y.data(), 0.3f, dx.data());
    return sum;
}

}  // namespace

TEST_CASE("crossentropy and its gradient agree with double") {
    for (const Kernels* kernels : tables()) {
        for (const int64_t classes : {2, 3, 4, 5, 6, 8, 10, 15, 16, 17, 21, 32, 33, 65, 100, 300}) {
            for (const int64_t rows : {1, 2, 3, 4, 15, 16, 17, 39}) {
                for (int kind = 0; kind < 8; ++kind) {
                    const bool logits = (kind & 1) != 0, dense = (kind & 2) != 0;
                    const Case test(rows, classes, logits, dense, (kind & 4) != 0);
                    const Reference want = reference(test, 0.3);
                    Floats dx(test.x.size(), kNan);
                    const double sum = run(*kernels, test.job, dx);
                    const std::string what =
                        std::string(kernels->isa) + " " + std::to_string(rows) + " x " +
                        std::to_string(classes) + " kind " + std::to_string(kind);
                    INFO(what, ": ", sum, " ", want.sum);
                    CHECK(std::fabs(sum - want.sum) <= 5e-7 * want.scale);
                    check_close(dx.data(), want.dx.data(), rows * classes, 1e-6, what);
                }
            }
        }
    }
}

TEST_CASE("the focal form and its gradient agree with double") {
    const double gamma = 1.5;
    for (const Kernels* kernels : tables()) {
        for (const int64_t classes : {2, 3, 7, 16, 21, 32, 70}) {
            for (const int64_t rows : {1, 3, 16, 19}) {
                for (const bool logits : {false, true}) {
                    Case test(rows, classes, logits, true, true);
                    const Floats alpha = random_floats(classes, 4);
                    test.job.alpha = alpha.data();
                    test.job.gamma = 1.5f;
                    double want = 0.0, scale = 0.0;
                    Doubles want_dx;
                    for (int64_t row = 0; row < rows; ++row) {
                        Doubles q, slope;
                        double sum = 0.0, mean = 0.0;
                        for (int64_t c = 0; c < classes; ++c) {
                            const double x = static_cast<double>(test.job.x[row * classes + c]);
                            q.push_back(logits ? std::exp(x) : x);
                            sum += q.back();
                        }
                        for (size_t c = 0; c < q.size(); ++c) {
                            const double p = q[c] /= sum, miss = 1.0 - p;
                            const double t = test.target_of(row, static_cast<int64_t>(c)) *
                                             static_cast<double>(alpha[c]) * test.weight(row);
                            const double term = -t * std::pow(miss, gamma) * std::log(p);
                            want += term;
                            scale += std::fabs(term);
                            slope.push_back(t * (gamma * std::sqrt(miss) * std::log(p) -
                                                 std::pow(miss, gamma) / p));
                            mean += slope.back() * p;
                        }
                        for (size_t c = 0; c < q.size(); ++c) {
                            const double through = logits ? q[c] : 1.0 / sum;
                            want_dx.push_back(0.3 * through * (slope[c] - mean));
                        }
                    }
                    Floats dx(test.x.size(), kNan);
                    const double found = run(*kernels, test.job, dx);
                    const std::string what = std::string(kernels->isa) + " " +
                                             std::to_string(rows) + " x " + std::to_string(classes);
                    INFO(what, ": ", found, " ", want);
                    CHECK(std::fabs(found - want) <= 1e-6 * scale);
                    check_close(dx.data(), want_dx.data(), rows * classes, 2e-6, what);
                }
            }
        }
    }
}

TEST_CASE("crossentropy clips probabilities, which have no slope of their own there") {
    const Floats x = {0.0f, 1.0f, 0.0f, 0.0f, 2.0f, 0.0f};
    const std::vector<int32_t> label = {2, 1};
    for (const Kernels* kernels : tables()) {
        for (const int64_t rows : {1, 2}) {
            const Crossentropy job{rows,         3,  false,    nullptr, 1,       0,
                                   label.data(), -1, x.data(), nullptr, nullptr, 0};
            Floats dx(x.size(), kNan);
            const double sum = run(*kernels, job, dx);
            const double wrong = -std::log(1e-7), right = -std::log1p(-1.1920929e-7);
            INFO(kernels->isa, " ", sum);
            CHECK(std::fabs(sum - wrong - (rows == 2 ? right : 0.0)) <= 1e-5);
            for (int64_t i = 0; i < 3 * rows; ++i) CHECK(dx[static_cast<size_t>(i)] == 0.0f);
        }
    }
}

TEST_CASE("crossentropy: NaN and infinities stay in their rows, and out of rows without a target") {
    for (const Kernels* kernels : tables()) {
        for (const int64_t classes : {2, 5, 20, 70}) {
            for (const bool logits : {false, true}) {
                for (const float bad : {kNan, kInfinity}) {
                    Case test(17, classes, logits, false, false);
                    test.x[static_cast<size_t>(2 * classes)] = bad;
                    test.label[2] = 0;
                    Floats dx(test.x.size(), 0.0f);
                    INFO(kernels->isa, " ", classes, " ", logits, " ", bad);
                    CHECK(std::isnan(run(*kernels, test.job, dx)));
                    for (size_t i = 0; i < dx.size(); ++i) {
                        if (i / static_cast<size_t>(classes) != 2) CHECK(std::isfinite(dx[i]));
                    }
                    test.label[2] = kIgnored;
                    CHECK(std::isfinite(run(*kernels, test.job, dx)));
                }
            }
        }
    }
}

TEST_CASE("crossentropy of a logit of -inf: infinite where it is the label, else nothing") {
    for (const Kernels* kernels : tables()) {
        for (const int64_t rows : {1, 20}) {
            for (const bool dense : {false, true}) {
                Case test(rows, 4, true, dense, false);
                test.x[2] = -kInfinity;
                for (size_t c = 0; dense && c < 4; ++c) test.target[c] = c == 2 ? 1.0f : 0.0f;
                test.job.target_shift = 0.0f;
                test.label[0] = 2;
                Floats dx(test.x.size());
                CHECK(run(*kernels, test.job, dx) == HUGE_VAL);
                CHECK(std::isfinite(dx[2]));
                if (dense) test.target[2] = 0.0f;
                test.label[0] = 3;
                CHECK(std::isfinite(run(*kernels, test.job, dx)));
            }
        }
    }
}

TEST_CASE("crossentropy survives logits of the largest size and labels that are no class") {
    const Floats x = {1e4f, 0.0f, -1e4f, -1e30f, 1e30f, 0.0f};
    for (const Kernels* kernels : tables()) {
        for (const int32_t label : {0, 2, -1, 3, std::numeric_limits<int32_t>::max()}) {
            Crossentropy job{1, 3, true, nullptr, 1, 0, &label, -7, x.data(), nullptr, nullptr, 0};
            Floats dx(3);
            CHECK(run(*kernels, job, dx) == (label == 2 ? 2e4 : 0.0));
            job.x += 3;
            const double far = static_cast<double>(1e30f);
            CHECK(run(*kernels, job, dx) == (label == 0 ? 2.0 * far : label == 2 ? far : 0.0));
        }
    }
}

}  // namespace pronghorn::test
