// SPDX-License-Identifier: Apache-2.0
// Maps and maxima along one axis of every instruction set against plain loops: sizes around whole
// vectors, windows that overlap, of any length, equal values and NaN among them.
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

const std::vector<int64_t> kInner = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 67};
constexpr int64_t kOuter = 3;

/// Windows of every length up to the axis, in no order, some more than once.
struct Windows {
    explicit Windows(int64_t in) {
        for (int64_t length : {int64_t{1}, int64_t{2}, in / 3 + 1, in - 1, in, int64_t{1}}) {
            if (length < 1 || length > in) continue;
            for (const int64_t from : {in - length, int64_t{0}, (in - length) / 2}) {
                begin.push_back(from);
                end.push_back(from + length);
            }
        }
    }

    AxisWindows along(int64_t in, int64_t inner) const {
        return {kOuter, in, size(), inner, begin.data(), end.data()};
    }

    int64_t size() const { return static_cast<int64_t>(begin.size()); }

    std::vector<int64_t> begin, end;
};

std::string text(const Kernels& kernels, int64_t in, int64_t inner) {
    return std::string(kernels.isa) + " " + std::to_string(in) + " x " + std::to_string(inner);
}

void check_map(const Kernels& kernels, int64_t in, int64_t inner, bool with_offset) {
    Windows windows(in);
    windows.begin.push_back(in - 1);  // of no cell
    const int64_t out = windows.size();
    std::vector<int64_t> first = {0};
    for (size_t j = 0; j + 1 < windows.begin.size(); ++j) {
        first.push_back(first.back() + windows.end[j] - windows.begin[j]);
    }
    first.push_back(first.back());
    Floats weights = random_floats(first.back(), 3);
    for (size_t j = 0; j + 2 < first.size(); ++j) {
        weights[static_cast<size_t>(first[j])] = 1.0f;  // windows of one cell are copies
    }
    const Floats x = random_floats(kOuter * in * inner, 1), offset = random_floats(out, 2);
    Floats y(static_cast<size_t>(kOuter * out * inner));
    const float* added = with_offset ? offset.data() : nullptr;
    kernels.axis_map(
        {kOuter, in, out, inner, windows.begin.data(), first.data(), weights.data(), added},
        x.data(), y.data());
    Doubles want;
    for (int64_t row = 0; row < kOuter * out; ++row) {
        const auto j = static_cast<size_t>(row % out);
        for (int64_t i = 0; i < inner; ++i) {
            double sum = with_offset ? static_cast<double>(offset[j]) : 0.0;
            for (int64_t t = first[j]; t < first[j + 1]; ++t) {
                const int64_t cell = row / out * in + windows.begin[j] + t - first[j];
                sum += static_cast<double>(weights[static_cast<size_t>(t)]) *
                       static_cast<double>(x[static_cast<size_t>(cell * inner + i)]);
            }
            want.push_back(sum);
        }
    }
    check_close(y.data(), want.data(), kOuter * out * inner, 1e-6, text(kernels, in, inner));
}

/// Rounded to quarters, so that many are equal; every 13th is NaN if wanted.
Floats repeated(int64_t size, bool with_nan) {
    Floats x = random_floats(size, 5);
    for (size_t i = 0; i < x.size(); ++i) {
        x[i] = std::round(x[i] * 4) / 4;
        if (with_nan && i % 13 == 7) x[i] = std::numeric_limits<float>::quiet_NaN();
    }
    return x;
}

void check_max(const Kernels& kernels, int64_t in, int64_t inner, bool with_nan) {
    const Windows windows(in);
    const AxisWindows axis = windows.along(in, inner);
    const int64_t cells = kOuter * axis.out * inner;
    const Floats x = repeated(kOuter * in * inner, with_nan), dy = random_floats(cells, 6);
    const auto count = static_cast<size_t>(cells);
    Floats y(count), alone(count), winners(count), dx(x.size(), 7.0f);
    kernels.axis_max(axis, x.data(), y.data(), winners.data());
    kernels.axis_max(axis, x.data(), alone.data(), nullptr);
    kernels.axis_max_backward(axis, dy.data(), winners.data(), dx.data());
    Doubles want(count), want_winners(count), want_dx(x.size(), 0.0);
    for (size_t at = 0; at < count; ++at) {
        const auto row = static_cast<int64_t>(at) / inner, i = static_cast<int64_t>(at) % inner;
        const auto j = static_cast<size_t>(row % axis.out);
        const int64_t base = row / axis.out * in * inner + i;
        int64_t best = windows.begin[j];
        for (int64_t cell = best + 1; cell < windows.end[j]; ++cell) {
            const float value = x[static_cast<size_t>(base + cell * inner)];
            const float top = x[static_cast<size_t>(base + best * inner)];
            if (value > top || (std::isnan(value) && !std::isnan(top))) best = cell;
        }
        const auto source = static_cast<size_t>(base + best * inner);
        want[at] = static_cast<double>(x[source]);
        want_winners[at] = static_cast<double>(best);
        want_dx[source] += static_cast<double>(dy[at]);
    }
    const std::string what = text(kernels, in, inner);
    check_close(y.data(), want.data(), cells, 0.0, what);
    check_close(alone.data(), want.data(), cells, 0.0, what + " without winners");
    check_close(winners.data(), want_winners.data(), cells, 0.0, what + " winners");
    check_close(dx.data(), want_dx.data(), kOuter * in * inner, 1e-6, what + " dx");
}

}  // namespace

TEST_CASE("linear maps along an axis") {
    for (const Kernels* kernels : tables()) {
        for (const int64_t inner : kInner) {
            for (const int64_t in : {1, 2, 5, 19}) {
                check_map(*kernels, in, inner, false);
                check_map(*kernels, in, inner, true);
            }
        }
    }
}

TEST_CASE("maxima along an axis and their gradient") {
    for (const Kernels* kernels : tables()) {
        for (const int64_t inner : kInner) {
            for (const int64_t in : {1, 2, 5, 19, 83}) {  // the last for several cells to a vector
                check_max(*kernels, in, inner, false);
                check_max(*kernels, in, inner, true);
            }
        }
    }
}

}  // namespace pronghorn::test
