// SPDX-License-Identifier: Apache-2.0
// depthwise_block and depthwise_block_dw of every instruction set against their contracts written
// as loops in double: every number of taps and outputs of a strip, windows over any part of the
// image and beside it, infinite values that may reach only what reads them. Every buffer ends where
// the contract ends; what lies between pixels is NaN.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernel_test.h"
#include "kernels/kernels.h"

namespace pronghorn::test {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

struct Shape {
    DepthwiseAxis rows, columns;
    int64_t out_h, out_w, channels;
    int64_t gap = 0;        // floats behind a pixel of x and of y
    bool mirrored = false;  // weights from the last one back
    bool bias = false, relu = false, infinite = false;

    int64_t pixel() const { return channels + gap; }
    int64_t x_size() const { return size_of(rows.size, columns.size); }
    int64_t y_size() const { return size_of(out_h, out_w); }
    int64_t size_of(int64_t h, int64_t w) const { return (h * w - 1) * pixel() + channels; }
    int64_t taps() const { return rows.taps * columns.taps; }
    int64_t w_column() const { return mirrored ? -channels : channels; }
    int64_t w_row() const { return columns.taps * w_column(); }
    int64_t first_weight() const { return mirrored ? (taps() - 1) * channels : 0; }

    std::string text(const Kernels& kernels) const {
        std::string text = kernels.isa;
        for (const int64_t n :
             {rows.size, rows.first, rows.stride, rows.step, rows.taps, columns.size, columns.first,
              columns.stride, columns.step, columns.taps, out_h, out_w, channels, gap}) {
            text += " " + std::to_string(n);
        }
        return text + (mirrored ? " mirrored" : "") + (bias ? " bias" : "") +
               (relu ? " relu" : "") + (infinite ? " infinite" : "");
    }

    /// body(cell of x, output, weight), all of channel 0, for all there are.
    template <typename Body>
    void for_products(Body body) const {
        for (int64_t h = 0; h < out_h; ++h) {
            for (int64_t p = 0; p < out_w; ++p) {
                for (int64_t i = 0; i < rows.taps; ++i) {
                    for (int64_t j = 0; j < columns.taps; ++j) {
                        const int64_t row = rows.first + h * rows.stride + i * rows.step;
                        const int64_t column =
                            columns.first + p * columns.stride + j * columns.step;
                        if (row < 0 || row >= rows.size) continue;
                        if (column < 0 || column >= columns.size) continue;
                        body((row * columns.size + column) * pixel(), (h * out_w + p) * pixel(),
                             first_weight() + i * w_row() + j * w_column());
                    }
                }
            }
        }
    }
};

Shape random_shape(std::mt19937& random) {
    const auto pick = [&random](std::initializer_list<int64_t> values) {
        return values.begin()[random() % values.size()];
    };
    const auto axis = [&] {
        DepthwiseAxis one{};
        one.size = pick({1, 2, 3, 5, 8, 13, 40});
        one.taps = pick({0, 1, 2, 3, 3, 4, 5, 6, 7, 9, 11});
        one.step = pick({1, 1, 1, 2, 3});
        one.stride = one.step * pick({1, 1, 1, 2, 2, 3}) + pick({0, 0, 0, 1});
        one.first = pick({-20, -6, -3, -2, -1, -1, 0, 0, 0, 1, 4});
        return one;
    };
    Shape s{axis(), axis(), pick({1, 2, 5}), pick({1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 19, 25}),
            pick({1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 20, 31, 32, 37})};
    if (s.taps() == 0) s.rows.taps = s.columns.taps = pick({1, 3});
    s.gap = pick({0, 0, 1, 16});
    s.mirrored = random() % 3 == 0;
    s.bias = random() % 2 == 0;
    s.relu = random() % 2 == 0;
    s.infinite = random() % 2 == 0;
    return s;
}

/// Random values, some of them infinite or NaN on request; NaN between pixels.
Floats values(int64_t pixels, const Shape& s, int64_t gap, uint32_t seed) {
    Floats floats = random_floats(pixels * (s.channels + gap) - gap, seed);
    std::mt19937 random(seed);
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    for (size_t i = 0; s.infinite && i < floats.size(); ++i) {
        const auto draw = random() % 60;
        if (draw < 2) floats[i] = draw == 0 ? kInfinity : std::nanf("");
    }
    for (size_t i = 0; i < floats.size(); ++i) {
        if (static_cast<int64_t>(i) % (s.channels + gap) >= s.channels) floats[i] = std::nanf("");
    }
    return floats;
}

void check_forward(const Kernels& kernels, const Shape& s, uint32_t seed) {
    const Floats x = values(s.rows.size * s.columns.size, s, s.gap, seed);
    const Floats w = values(s.taps(), s, 0, seed + 1), bias = random_floats(s.channels, seed + 2);
    Floats y = values(s.out_h * s.out_w, s, s.gap, seed + 3);
    Doubles want(y.begin(), y.end());
    for (int64_t i = 0; i < s.out_h * s.out_w; ++i) {
        for (int64_t c = 0; c < s.channels; ++c) {
            want[static_cast<size_t>(i * s.pixel() + c)] =
                s.bias ? bias[static_cast<size_t>(c)] : 0.0;
        }
    }
    s.for_products([&](int64_t from, int64_t to, int64_t weight) {
        for (int64_t c = 0; c < s.channels; ++c) {
            want[static_cast<size_t>(to + c)] +=
                static_cast<double>(x.at(static_cast<size_t>(from + c))) *
                w.at(static_cast<size_t>(weight + c));
        }
    });
    const float ceiling = s.out_w % 2 == 0 ? 0.5f : std::numeric_limits<float>::infinity();
    for (int64_t i = 0; s.relu && i < s.out_h * s.out_w; ++i) {
        for (int64_t c = 0; c < s.channels; ++c) {
            double& sum = want[static_cast<size_t>(i * s.pixel() + c)];
            sum = std::clamp<double>(sum, 0.0, ceiling);  // NaN stays
        }
    }
    kernels.depthwise_block({x.data(), s.columns.size * s.pixel(), s.pixel(), s.rows, s.columns,
                             w.data() + s.first_weight(), s.bias ? bias.data() : nullptr, s.w_row(),
                             s.w_column(), y.data(), s.out_w * s.pixel(), s.pixel(), s.out_h,
                             s.out_w, s.channels, s.relu, ceiling});
    check_close(y.data(), want.data(), s.y_size(), 1e-5, "depthwise_block " + s.text(kernels));
}

void check_gradient(const Kernels& kernels, const Shape& s, uint32_t seed) {
    const Floats x = values(s.rows.size * s.columns.size, s, s.gap, seed);
    const Floats dy = values(s.out_h * s.out_w, s, s.gap, seed + 1);
    Floats dw = random_floats(s.taps() * s.channels, seed + 2);
    Doubles want(dw.begin(), dw.end());
    s.for_products([&](int64_t from, int64_t to, int64_t weight) {
        for (int64_t c = 0; c < s.channels; ++c) {
            want[static_cast<size_t>(weight + c)] +=
                static_cast<double>(x.at(static_cast<size_t>(from + c))) *
                dy.at(static_cast<size_t>(to + c));
        }
    });
    kernels.depthwise_block_dw({x.data(), s.columns.size * s.pixel(), s.pixel(), s.rows, s.columns,
                                dy.data(), s.out_w * s.pixel(), s.pixel(),
                                dw.data() + s.first_weight(), s.w_row(), s.w_column(), s.out_h,
                                s.out_w, s.channels});
    check_close(dw.data(), want.data(), s.taps() * s.channels, 1e-5,
                "depthwise_block_dw " + s.text(kernels));
}

TEST_CASE("depthwise kernels meet their contracts") {
    for (const Kernels* kernels : tables()) {
        std::mt19937 random(1);
        for (uint32_t seed = 0; seed < 3000; ++seed) {
            const Shape s = random_shape(random);
            check_forward(*kernels, s, seed);
            check_gradient(*kernels, s, seed);
        }
    }
}

TEST_CASE("depthwise_block without taps along the columns is the bias") {
    for (const Kernels* kernels : tables()) {
        Shape s{{3, 0, 1, 1, 2}, {5, 0, 1, 1, 0}, 2, 5, 19};
        s.bias = true;
        check_forward(*kernels, s, 1);
    }
}

}  // namespace
}  // namespace pronghorn::test
