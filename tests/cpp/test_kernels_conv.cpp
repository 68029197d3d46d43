// SPDX-License-Identifier: Apache-2.0
// conv_rows, conv_rows_dw and pack_panels of every instruction set against their contracts written
// as loops in double, on random and on chosen shapes. Every buffer ends where the contract ends, so
// that the address sanitizer sees an element too many; what lies between outputs must keep its
// value.
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
    int64_t in_c, out_c, out_h, out_w, kernel_h, kernel_w, stride = 1, dilation = 1;
    int64_t gap =
        0;  // floats without meaning between the pixels of y or dy, and the rows of weights
    bool bias = false, relu = false, accumulate = false, packed = false, gated = false;
    float ceiling = std::numeric_limits<float>::infinity();

    int64_t depth() const { return kernel_h * kernel_w * in_c; }
    int64_t in_h() const { return (out_h - 1) * stride + (kernel_h - 1) * dilation + 1; }
    int64_t in_w() const { return (out_w - 1) * stride + (kernel_w - 1) * dilation + 1; }
    int64_t x_pixel() const { return stride * in_c; }
    int64_t x_row() const { return stride * in_w() * in_c; }
    int64_t x_size() const { return in_h() * in_w() * in_c; }
    int64_t y_pixel() const { return out_c + gap; }
    int64_t y_row() const { return out_w * y_pixel() + gap; }
    int64_t y_size() const { return (out_h - 1) * y_row() + (out_w - 1) * y_pixel() + out_c; }
    int64_t w_row() const { return out_c + gap; }
    int64_t w_size() const { return (depth() - 1) * w_row() + out_c; }
    int64_t run_length() const { return (dilation == 1 ? kernel_w : 1) * in_c; }

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

    std::string text(const Kernels& kernels) const {
        std::string text = kernels.isa;
        for (const int64_t n :
             {in_c, out_c, out_h, out_w, kernel_h, kernel_w, stride, dilation, gap}) {
            text += " " + std::to_string(n);
        }
        return text + (bias ? " bias" : "") + (relu ? " relu" : "") +
               (accumulate ? " accumulate" : "") + (packed ? " packed" : "") +
               (gated ? " gated" : "");
    }
};

Shape random_shape(std::mt19937& random) {
    const auto pick = [&random](std::initializer_list<int64_t> values) {
        return values.begin()[random() % values.size()];
    };
    Shape s{};
    s.in_c = pick({1, 2, 3, 6, 7, 16, 17, 33});
    s.out_c = pick({1, 3, 4, 6, 7, 8, 16, 17, 20, 31, 32, 33, 48, 50, 64, 100, 130});
    s.out_h = pick({1, 1, 2, 3, 5, 7});
    s.out_w = pick({1, 2, 3, 5, 6, 7, 13, 15, 29, 31, 64});
    s.kernel_h = pick({1, 1, 2, 3, 5});
    s.kernel_w = pick({1, 1, 2, 3, 5});
    s.stride = pick({1, 1, 1, 2, 3});
    s.dilation = pick({1, 1, 1, 2, 3});
    s.gap = pick({0, 0, 0, 1, 5});
    s.accumulate = random() % 4 == 0;
    s.bias = !s.accumulate && random() % 2 == 0;
    s.relu = !s.accumulate && random() % 2 == 0;
    if (random() % 2 == 0) s.ceiling = 0.5f;
    s.packed = random() % 2 == 0;
    s.gated = random() % 3 == 0;
    return s;
}

/// Shapes that random ones seldom are: long sums, many pixels, wide ones, strides of 4096 bytes,
/// one pixel.
std::vector<Shape> chosen_shapes() {
    return {
        {.in_c = 301, .out_c = 283, .out_h = 2, .out_w = 9, .kernel_h = 2, .kernel_w = 1, .gap = 3},
        {.in_c = 257,
         .out_c = 260,
         .out_h = 1,
         .out_w = 300,
         .kernel_h = 1,
         .kernel_w = 1,
         .accumulate = true},
        {.in_c = 1300,
         .out_c = 40,
         .out_h = 5,
         .out_w = 7,
         .kernel_h = 2,
         .kernel_w = 2,
         .bias = true},
        {.in_c = 1024,
         .out_c = 67,
         .out_h = 1,
         .out_w = 37,
         .kernel_h = 1,
         .kernel_w = 1,
         .relu = true},
        {.in_c = 1024,
         .out_c = 67,
         .out_h = 3,
         .out_w = 9,
         .kernel_h = 3,
         .kernel_w = 3,
         .packed = true},
        {.in_c = 2500,
         .out_c = 150,
         .out_h = 1,
         .out_w = 1,
         .kernel_h = 1,
         .kernel_w = 1,
         .bias = true},
        {.in_c = 2500,
         .out_c = 10,
         .out_h = 1,
         .out_w = 3,
         .kernel_h = 1,
         .kernel_w = 1,
         .accumulate = true},
        {.in_c = 300,
         .out_c = 130,
         .out_h = 1,
         .out_w = 700,
         .kernel_h = 1,
         .kernel_w = 1,
         .packed = true},
        {.in_c = 64,
         .out_c = 33,
         .out_h = 40,
         .out_w = 40,
         .kernel_h = 1,
         .kernel_w = 1,
         .stride = 2},
        {.in_c = 3,
         .out_c = 33,
         .out_h = 30,
         .out_w = 231,
         .kernel_h = 3,
         .kernel_w = 3,
         .relu = true},
        {.in_c = 1,
         .out_c = 6,
         .out_h = 28,
         .out_w = 28,
         .kernel_h = 5,
         .kernel_w = 5,
         .bias = true},
        {.in_c = 200,
         .out_c = 17,
         .out_h = 9,
         .out_w = 9,
         .kernel_h = 3,
         .kernel_w = 3,
         .dilation = 2},
        {.in_c = 1300,
         .out_c = 3,
         .out_h = 5,
         .out_w = 7,
         .kernel_h = 2,
         .kernel_w = 2,
         .relu = true},
        {.in_c = 70,
         .out_c = 1,
         .out_h = 3,
         .out_w = 300,
         .kernel_h = 3,
         .kernel_w = 3,
         .accumulate = true},
    };
}

/// What conv_rows must leave in y.
Doubles convolve(const Shape& s, const Floats& x, const Floats& w, const Floats& bias,
                 const Floats& gate, const Floats& before) {
    Doubles y(before.begin(), before.end());
    const auto offsets = s.run_offset();
    for (int64_t h = 0; h < s.out_h; ++h) {
        for (int64_t p = 0; p < s.out_w; ++p) {
            Doubles sums(static_cast<size_t>(s.out_c), 0.0);
            int64_t row = 0;
            for (const int64_t offset : offsets) {
                for (int64_t k = 0; k < s.run_length(); ++k, ++row) {
                    const double value =
                        x.at(static_cast<size_t>(h * s.x_row() + p * s.x_pixel() + offset + k));
                    const float* from = &w[static_cast<size_t>(row * s.w_row())];
                    for (int64_t c = 0; c < s.out_c; ++c) {
                        sums[static_cast<size_t>(c)] += value * from[c];
                    }
                }
            }
            for (int64_t c = 0; c < s.out_c; ++c) {
                const auto i = static_cast<size_t>(c);
                const auto at = static_cast<size_t>(h * s.y_row() + p * s.y_pixel() + c);
                double& to = y.at(at);
                double sum = sums[i] + (s.accumulate ? to : s.bias ? bias[i] : 0.0);
                const bool shut = s.gated && !(gate.at(at) > 0.0f);
                if (s.relu) sum = std::clamp<double>(sum, 0.0, s.ceiling);
                to = shut ? 0.0 : sum;
            }
        }
    }
    return y;
}

/// What conv_rows_dw must leave in dw, whose rows are w_row apart.
Doubles correlate(const Shape& s, const Floats& x, const Floats& dy, const Floats& before) {
    Doubles dw(before.begin(), before.end());
    const auto offsets = s.run_offset();
    for (int64_t row = 0; row < s.depth(); ++row) {
        double* to = &dw[static_cast<size_t>(row * s.w_row())];
        if (!s.accumulate) {
            for (int64_t c = 0; c < s.out_c; ++c) to[c] = 0.0;
        }
        const int64_t offset =
            offsets[static_cast<size_t>(row / s.run_length())] + row % s.run_length();
        for (int64_t h = 0; h < s.out_h; ++h) {
            for (int64_t p = 0; p < s.out_w; ++p) {
                const double value =
                    x.at(static_cast<size_t>(h * s.x_row() + p * s.x_pixel() + offset));
                const float* from = &dy[static_cast<size_t>(h * s.y_row() + p * s.y_pixel())];
                for (int64_t c = 0; c < s.out_c; ++c) to[c] += value * from[c];
            }
        }
    }
    return dw;
}

/// Panels as the contract describes them: the last ends with the last column of its last row,
/// unless pack_panels made them.
Floats pack(const Kernels& kernels, const Shape& s, const Floats& w) {
    const int64_t panel = kernels.panel, panels = (s.out_c + panel - 1) / panel;
    Floats packed(static_cast<size_t>(panels * panel * s.depth()));
    kernels.pack_panels(w.data(), s.depth(), s.out_c, s.w_row(), 1, packed.data(),
                        s.depth() * panel);
    packed.resize(packed.size() - static_cast<size_t>(panels * panel - s.out_c));
    packed.shrink_to_fit();
    return packed;
}

void check_conv(const Kernels& kernels, const Shape& s, uint32_t seed) {
    const Floats x = random_floats(s.x_size(), seed);
    const Floats w = random_floats(s.w_size(), seed + 1);
    const Floats bias = random_floats(s.out_c, seed + 2);
    Floats y = random_floats(s.y_size(), seed + 3);
    const Floats gate = random_gate(s.y_size(), seed + 4);
    const Doubles want = convolve(s, x, w, bias, gate, y);
    const Floats packed = s.packed ? pack(kernels, s, w) : Floats();
    const auto offsets = s.run_offset();

    Conv conv{};
    conv.x = x.data();
    conv.x_row = s.x_row(), conv.x_pixel = s.x_pixel();
    conv.run_offset = offsets.data();
    conv.runs = static_cast<int64_t>(offsets.size()), conv.run_length = s.run_length();
    conv.weights = s.packed ? packed.data() : w.data();
    conv.w_panel = s.packed ? s.depth() * kernels.panel : kernels.panel;
    conv.w_row = s.packed ? kernels.panel : s.w_row();
    conv.bias = s.bias ? bias.data() : nullptr;
    conv.y = y.data();
    conv.y_row = s.y_row(), conv.y_pixel = s.y_pixel();
    conv.out_h = s.out_h, conv.out_w = s.out_w, conv.out_c = s.out_c;
    conv.relu = s.relu, conv.ceiling = s.ceiling, conv.accumulate = s.accumulate;
    conv.gate = s.gated ? gate.data() : nullptr;
    kernels.conv_rows(conv);
    check_close(y.data(), want.data(), s.y_size(), 1e-5, "conv_rows " + s.text(kernels));
}

void check_gradient(const Kernels& kernels, const Shape& s, uint32_t seed) {
    const Floats x = random_floats(s.x_size(), seed);
    const Floats dy = random_floats(s.y_size(), seed + 1);
    Floats dw = random_floats(s.w_size(), seed + 2);
    const Doubles want = correlate(s, x, dy, dw);
    const auto offsets = s.run_offset();

    ConvGradient gradient{};
    gradient.x = x.data();
    gradient.x_row = s.x_row(), gradient.x_pixel = s.x_pixel();
    gradient.run_offset = offsets.data();
    gradient.runs = static_cast<int64_t>(offsets.size()), gradient.run_length = s.run_length();
    gradient.dy = dy.data();
    gradient.dy_row = s.y_row(), gradient.dy_pixel = s.y_pixel();
    gradient.out_h = s.out_h, gradient.out_w = s.out_w, gradient.out_c = s.out_c;
    gradient.dw = dw.data();
    gradient.dw_row = s.w_row();
    gradient.accumulate = s.accumulate;
    kernels.conv_rows_dw(gradient);
    check_close(dw.data(), want.data(), s.w_size(), 1e-5, "conv_rows_dw " + s.text(kernels));
}

}  // namespace

TEST_CASE("conv_rows and conv_rows_dw agree with loops in double on random shapes") {
    for (const Kernels* kernels : tables()) {
        std::mt19937 random(7);
        for (uint32_t seed = 0; seed < 400; ++seed) {
            const Shape shape = random_shape(random);
            check_conv(*kernels, shape, seed);
            check_gradient(*kernels, shape, seed);
        }
    }
}

TEST_CASE("conv_rows and conv_rows_dw agree with loops in double on chosen shapes") {
    for (const Kernels* kernels : tables()) {
        for (Shape shape : chosen_shapes()) {
            check_conv(*kernels, shape, 1);
            check_gradient(*kernels, shape, 1);
            shape.gated = true;
            check_conv(*kernels, shape, 1);
        }
    }
}

TEST_CASE("conv_rows and conv_rows_dw agree with loops in double for a few columns") {
    for (const Kernels* kernels : tables()) {
        for (int64_t out_c = 1; out_c <= 5; ++out_c) {
            for (int64_t inputs = 1; inputs <= 110; inputs += inputs < 20 ? 1 : 6) {
                Shape shape{};
                shape.in_c = inputs, shape.out_c = out_c;
                shape.out_h = inputs % 3 + 1, shape.out_w = inputs % 19 + 1;
                shape.kernel_h = 2, shape.kernel_w = inputs % 2 + 1;
                shape.gap = inputs % 4;
                shape.bias = shape.relu = shape.packed = inputs % 5 < 3;
                const auto seed = static_cast<uint32_t>(inputs);
                check_conv(*kernels, shape, seed);
                check_gradient(*kernels, shape, seed);
            }
        }
    }
}

TEST_CASE("conv_rows and conv_rows_dw agree with loops in double for every number of pixels") {
    for (const Kernels* kernels : tables()) {
        for (int64_t pixels = 1; pixels <= 64; ++pixels) {
            for (const int64_t out_c : {int64_t{5}, int64_t{2 * kernels->lanes}, int64_t{75}}) {
                Shape shape{};
                shape.in_c = pixels % 5 + 1, shape.out_c = out_c;
                shape.out_h = 1, shape.out_w = pixels, shape.kernel_h = 1, shape.kernel_w = 3;
                shape.bias = true;
                check_conv(*kernels, shape, static_cast<uint32_t>(pixels));
                shape.gated = true;
                check_conv(*kernels, shape, static_cast<uint32_t>(pixels));
                // The pixels' number as the number of dw's rows.
                shape.in_c = pixels, shape.out_w = 3, shape.kernel_w = 1;
                check_gradient(*kernels, shape, static_cast<uint32_t>(pixels));
            }
        }
    }
}

void check_nan(const Kernels& kernels, int64_t inputs, int64_t channels) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    Floats x(static_cast<size_t>(2 * inputs), 1.0f);
    x[0] = nan;
    const Floats w(static_cast<size_t>(inputs * channels), -1.0f);
    Floats gate(static_cast<size_t>(2 * channels));
    for (size_t i = 0; i < gate.size(); ++i) gate[i] = i % 2 == 0 ? 1.0f : nan;
    Floats y(static_cast<size_t>(2 * channels), 5.0f);
    const int64_t offset = 0;
    Conv conv{};
    conv.x = x.data(), conv.x_row = 2 * inputs, conv.x_pixel = inputs;
    conv.run_offset = &offset, conv.runs = 1, conv.run_length = inputs;
    conv.weights = w.data(), conv.w_panel = kernels.panel, conv.w_row = channels;
    conv.y = y.data(), conv.y_row = 2 * channels, conv.y_pixel = channels;
    conv.out_h = 1, conv.out_w = 2, conv.out_c = channels;
    conv.relu = true, conv.ceiling = 6.0f;
    kernels.conv_rows(conv);
    for (int64_t c = 0; c < channels; ++c) {
        CHECK(std::isnan(y[static_cast<size_t>(c)]));
        CHECK(y[static_cast<size_t>(channels + c)] == 0.0f);
    }
    conv.gate = gate.data();
    kernels.conv_rows(conv);
    for (int64_t c = 0; c < channels; ++c) {
        const float value = y[static_cast<size_t>(c)];
        CHECK((c % 2 == 0 ? std::isnan(value) : value == 0.0f));
    }
}

TEST_CASE("conv_rows keeps NaN through relu and open gates") {
    for (const Kernels* kernels : tables()) {
        check_nan(*kernels, 1, kernels->panel + 1);
        check_nan(*kernels, 100, 3);
    }
}

TEST_CASE("conv_rows without runs gives the bias, or leaves y where it accumulates") {
    for (const Kernels* kernels : tables()) {
        for (const int64_t channels : {3, 40, 150}) {
            for (const bool accumulate : {false, true}) {
                const Floats x(6, 1.0f), w(1, 1.0f), bias = random_floats(channels, 1);
                Floats y = random_floats(6 * channels, 2);
                Doubles want(y.begin(), y.end());
                for (size_t i = 0; !accumulate && i < want.size(); ++i) {
                    want[i] = bias[i % bias.size()];
                }
                Conv conv{};
                conv.x = x.data(), conv.x_row = 3, conv.x_pixel = 1;
                conv.run_length = 1;
                conv.weights = w.data(), conv.w_panel = kernels->panel, conv.w_row = channels;
                conv.bias = accumulate ? nullptr : bias.data();
                conv.y = y.data(), conv.y_row = 3 * channels, conv.y_pixel = channels;
                conv.out_h = 2, conv.out_w = 3, conv.out_c = channels;
                conv.accumulate = accumulate;
                kernels->conv_rows(conv);
                check_close(y.data(), want.data(), 6 * channels, 0.0, kernels->isa);
            }
        }
    }
}

TEST_CASE("pack_panels packs rows or columns and fills the last panel with zeros") {
    for (const Kernels* kernels : tables()) {
        const int64_t panel = kernels->panel;
        for (const int64_t rows : {1, 3, 17, 40}) {
            for (const int64_t cols : {1, 7, 8, 16, 31, 32, 33, 70}) {
                for (const bool transposed : {false, true}) {
                    const int64_t gap = rows % 2, panels = (cols + panel - 1) / panel;
                    const int64_t row_stride = transposed ? 1 : cols + gap;
                    const int64_t col_stride = transposed ? rows + gap : 1;
                    const Floats w =
                        random_floats((rows - 1) * row_stride + (cols - 1) * col_stride + 1, 3);
                    const int64_t panel_stride = rows * panel + gap;
                    const int64_t size = (panels - 1) * panel_stride + rows * panel;
                    Floats packed(static_cast<size_t>(size), 9.0f);
                    Doubles want(static_cast<size_t>(size), 9.0);
                    for (int64_t i = 0; i < rows; ++i) {
                        for (int64_t j = 0; j < panels * panel; ++j) {
                            const int64_t to = j / panel * panel_stride + i * panel + j % panel;
                            const int64_t from = i * row_stride + j * col_stride;
                            want[static_cast<size_t>(to)] =
                                j < cols ? w[static_cast<size_t>(from)] : 0.0f;
                        }
                    }
                    kernels->pack_panels(w.data(), rows, cols, row_stride, col_stride,
                                         packed.data(), panel_stride);
                    check_close(packed.data(), want.data(), size, 0.0, kernels->isa);
                }
            }
        }
    }
}

}  // namespace pronghorn::test
