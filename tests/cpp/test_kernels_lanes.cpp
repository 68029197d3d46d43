// SPDX-License-Identifier: Apache-2.0
// conv_lanes and conv_lanes_dw of every instruction set against their contracts written as loops in
// double. Buffers end exactly where the contract ends, so that the address sanitizer sees every
// element too many; gaps between the outputs must keep what they held.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernel_test.h"
#include "kernels/kernels.h"

namespace pronghorn::test {
namespace {

struct Shape {
    int64_t in_c, out_c, out_h, out_w, kernel_h, kernel_w, stride = 1, dilation = 1;
    int64_t gap = 0;          // vectors without meaning between pixels of y or dy
    bool transposed = false;  // weights (out_c, K)
    bool bias = false, relu = false, accumulate = false, gated = false;

    int64_t depth() const { return kernel_h * kernel_w * in_c; }
    int64_t in_h() const { return (out_h - 1) * stride + (kernel_h - 1) * dilation + 1; }
    int64_t in_w() const { return (out_w - 1) * stride + (kernel_w - 1) * dilation + 1; }
    int64_t x_row() const { return in_w() * in_c * stride; }
    int64_t x_pixel() const { return out_w == 1 ? 0 : in_c * stride; }  // 0: one needs none
    int64_t y_pixel() const { return out_c + gap; }
    int64_t y_row() const { return out_w * y_pixel() + gap; }
    /// Vectors up to the last that belongs to y.
    int64_t y_size() const { return (out_h - 1) * y_row() + (out_w - 1) * y_pixel() + out_c; }

    /// One run for each kernel row, or for each tap where taps do not touch.
    std::vector<int64_t> run_offset() const {
        std::vector<int64_t> offsets;
        for (int64_t i = 0; i < kernel_h; ++i) {
            for (int64_t j = 0; j < (dilation == 1 ? 1 : kernel_w); ++j) {
                offsets.push_back((i * in_w() + j) * dilation * in_c);
            }
        }
        return offsets;
    }
    int64_t run_length() const { return dilation == 1 ? kernel_w * in_c : in_c; }

    std::string text(const Kernels& kernels) const {
        std::string line = kernels.isa;
        for (const int64_t n : {in_c, out_c, out_h, out_w, kernel_h, kernel_w, stride, dilation}) {
            line += " " + std::to_string(n);
        }
        return line + (transposed ? " transposed" : "") + (accumulate ? " accumulate" : "") +
               (gated ? " gated" : "");
    }
};

std::vector<Shape> shapes() {
    std::vector<Shape> all = {
        {1, 6, 30, 30, 3, 3},  {6, 16, 13, 13, 3, 3},  {16, 6, 15, 15, 3, 3},
        {1, 20, 28, 28, 5, 5}, {20, 50, 14, 14, 5, 5}, {576, 120, 1, 1, 1, 1},
        {120, 84, 1, 1, 1, 1}, {84, 10, 1, 1, 1, 1},   {1, 1, 1, 1, 1, 1},
        {84, 120, 1, 2, 1, 1}, {3, 29, 2, 1, 1, 1},
    };
    std::mt19937 random(20);
    const auto pick = [&](std::initializer_list<int64_t> values) {
        return values.begin()[random() % values.size()];
    };
    for (int i = 0; i < 60; ++i) {
        Shape s{pick({1, 3, 5, 6, 7, 16, 17, 20}),
                pick({1, 2, 3, 5, 6, 7, 11, 16, 17, 20, 27, 50}),
                pick({1, 2, 3, 7}),
                pick({1, 2, 3, 5, 9}),
                pick({1, 2, 3, 5}),
                pick({1, 2, 3, 5}),
                pick({1, 1, 2, 3}),
                pick({1, 1, 2, 3})};
        all.push_back(s);
    }
    for (Shape& s : all) {
        s.gap = pick({0, 0, 3});
        s.transposed = random() % 2;
        s.accumulate = random() % 3 == 0;
        s.bias = !s.accumulate && random() % 2;
        s.relu = !s.accumulate && random() % 2;
        s.gated = random() % 2;
    }
    return all;
}

void check_gaps(const Shape& s, int64_t lanes, const std::vector<float>& before,
                const std::vector<float>& after) {
    std::vector<bool> written(before.size() / static_cast<size_t>(lanes), false);
    for (int64_t h = 0; h < s.out_h; ++h) {
        for (int64_t w = 0; w < s.out_w; ++w) {
            for (int64_t c = 0; c < s.out_c; ++c) {
                written[static_cast<size_t>(h * s.y_row() + w * s.y_pixel() + c)] = true;
            }
        }
    }
    bool kept = true;
    for (size_t i = 0; i < before.size(); ++i) {
        kept = kept && (written[i / static_cast<size_t>(lanes)] || before[i] == after[i]);
    }
    CHECK(kept);
}

/// The contract of conv_lanes in double; y holds the result's starting values.
std::vector<double> convolve(const Conv& conv, const std::vector<float>& y, int64_t lanes) {
    std::vector<double> want(y.begin(), y.end());
    for (int64_t h = 0; h < conv.out_h; ++h) {
        for (int64_t w = 0; w < conv.out_w; ++w) {
            for (int64_t c = 0; c < conv.out_c; ++c) {
                for (int64_t lane = 0; lane < lanes; ++lane) {
                    double& out = want[static_cast<size_t>(
                        (h * conv.y_row + w * conv.y_pixel + c) * lanes + lane)];
                    double sum = conv.accumulate ? out : conv.bias ? conv.bias[c] : 0.0;
                    for (int64_t r = 0; r < conv.runs; ++r) {
                        for (int64_t k = 0; k < conv.run_length; ++k) {
                            const int64_t i =
                                h * conv.x_row + w * conv.x_pixel + conv.run_offset[r] + k;
                            const int64_t depth = r * conv.run_length + k;
                            sum += static_cast<double>(conv.x[i * lanes + lane]) *
                                   conv.weights[depth * conv.w_row + c * conv.w_panel];
                        }
                    }
                    const bool shut = conv.gate && !(conv.gate[&out - want.data()] > 0.0f);
                    if (conv.relu) sum = std::clamp<double>(sum, 0.0, conv.ceiling);
                    out = shut ? 0.0 : sum;
                }
            }
        }
    }
    return want;
}

/// The contract of conv_lanes_dw in double; dw holds the result's starting values.
std::vector<double> gradient_of(const ConvGradient& g, const std::vector<float>& dw,
                                int64_t lanes) {
    std::vector<double> want(dw.begin(), dw.end());
    for (int64_t r = 0; r < g.runs; ++r) {
        for (int64_t k = 0; k < g.run_length; ++k) {
            for (int64_t c = 0; c < g.out_c; ++c) {
                double& out = want[static_cast<size_t>((r * g.run_length + k) * g.dw_row + c)];
                double sum = g.accumulate ? out : 0.0;
                for (int64_t pixel = 0; pixel < g.out_h * g.out_w; ++pixel) {
                    const int64_t h = pixel / g.out_w, w = pixel % g.out_w;
                    const float* x =
                        g.x + (h * g.x_row + w * g.x_pixel + g.run_offset[r] + k) * lanes;
                    const float* dy = g.dy + (h * g.dy_row + w * g.dy_pixel + c) * lanes;
                    for (int64_t i = 0; i < lanes; ++i) sum += static_cast<double>(x[i]) * dy[i];
                }
                out = sum;
            }
        }
    }
    return want;
}

Conv conv_of(const Shape& s, const std::vector<int64_t>& offsets) {
    Conv conv{};
    conv.x_row = s.x_row();
    conv.x_pixel = s.x_pixel();
    conv.run_offset = offsets.data();
    conv.runs = static_cast<int64_t>(offsets.size());
    conv.run_length = s.run_length();
    conv.w_row = s.transposed ? 1 : s.out_c;
    conv.w_panel = s.transposed ? s.depth() : 1;
    conv.y_row = s.y_row();
    conv.y_pixel = s.y_pixel();
    conv.out_h = s.out_h;
    conv.out_w = s.out_w;
    conv.out_c = s.out_c;
    conv.relu = s.relu;
    if (s.gap == 3) conv.ceiling = 0.5f;
    conv.accumulate = s.accumulate;
    return conv;
}

}  // namespace

TEST_CASE("conv_lanes: every shape") {
    for (const Kernels* kernels : tables()) {
        const int64_t lanes = kernels->lanes;
        uint32_t seed = 1;
        for (const Shape& s : shapes()) {
            const auto offsets = s.run_offset();
            const auto x = random_floats(s.in_h() * s.in_w() * s.in_c * lanes, ++seed);
            const auto weights = random_floats(s.depth() * s.out_c, ++seed);
            const auto bias = random_floats(s.out_c, ++seed);
            const auto before = random_floats(s.y_size() * lanes, ++seed);
            auto y = before;
            Conv conv = conv_of(s, offsets);
            conv.x = x.data();
            conv.weights = weights.data();
            conv.bias = s.bias ? bias.data() : nullptr;
            conv.y = y.data();
            const auto gate = random_gate(s.y_size() * lanes, ++seed);
            conv.gate = s.gated ? gate.data() : nullptr;
            kernels->conv_lanes(conv);
            const auto want = convolve(conv, before, lanes);
            check_close(y.data(), want.data(), s.y_size() * lanes, 2e-5, s.text(*kernels));
            check_gaps(s, lanes, before, y);
        }
    }
}

TEST_CASE("conv_lanes: NaN passes relu and open gates, and stays in its channel") {
    for (const Kernels* kernels : tables()) {
        const int64_t lanes = kernels->lanes;
        const Shape s{2, 7, 3, 3, 1, 1};
        const auto offsets = s.run_offset();
        const auto x = random_floats(9 * 2 * lanes, 1);
        const auto weights = random_floats(2 * 7, 2);
        auto bias = random_floats(7, 3);
        bias[4] = std::numeric_limits<float>::quiet_NaN();
        std::vector<float> y(static_cast<size_t>(9 * 7 * lanes));
        Conv conv = conv_of(s, offsets);
        conv.x = x.data();
        conv.weights = weights.data();
        conv.bias = bias.data();
        conv.y = y.data();
        conv.relu = true;
        conv.ceiling = 6.0f;
        kernels->conv_lanes(conv);
        bool right = true;
        for (size_t i = 0; i < y.size(); ++i) {
            const bool expected = i / static_cast<size_t>(lanes) % 7 == 4;
            right = right && std::isnan(y[i]) == expected;
        }
        CHECK(right);
        auto gate = random_gate(static_cast<int64_t>(y.size()), 4);
        conv.gate = gate.data();
        kernels->conv_lanes(conv);
        for (size_t i = 0; i < y.size(); ++i) {
            const bool expected = i / static_cast<size_t>(lanes) % 7 == 4 && gate[i] > 0.0f;
            right = right && std::isnan(y[i]) == expected;
        }
        CHECK(right);
    }
}

TEST_CASE("conv_lanes_dw: every shape") {
    for (const Kernels* kernels : tables()) {
        const int64_t lanes = kernels->lanes;
        uint32_t seed = 1000;
        for (const Shape& s : shapes()) {
            const auto offsets = s.run_offset();
            const auto x = random_floats(s.in_h() * s.in_w() * s.in_c * lanes, ++seed);
            const auto dy = random_floats(s.y_size() * lanes, ++seed);
            const int64_t dw_row = s.out_c + s.gap;
            const int64_t size = (s.depth() - 1) * dw_row + s.out_c;
            const auto before = random_floats(size, ++seed);
            auto dw = before;
            const ConvGradient gradient{x.data(),
                                        s.x_row(),
                                        s.x_pixel(),
                                        offsets.data(),
                                        static_cast<int64_t>(offsets.size()),
                                        s.run_length(),
                                        dy.data(),
                                        s.y_row(),
                                        s.y_pixel(),
                                        s.out_h,
                                        s.out_w,
                                        s.out_c,
                                        dw.data(),
                                        dw_row,
                                        s.accumulate};
            kernels->conv_lanes_dw(gradient);
            const auto want = gradient_of(gradient, before, lanes);
            check_close(dw.data(), want.data(), size, 5e-5, s.text(*kernels));
        }
    }
}

}  // namespace pronghorn::test
