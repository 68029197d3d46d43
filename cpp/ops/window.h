// SPDX-License-Identifier: Apache-2.0
// Sliding windows of convolution and pooling: sizes, strides, padding, and the output they give.
#pragma once

#include <algorithm>
#include <vector>

#include "core/shape.h"
#include "ops/op.h"

namespace pronghorn {

/// One axis: out[i] covers in[i*stride - before + k*dilation] for k in [0, kernel).
struct Window {
    int64_t in = 0, out = 0, kernel = 1, stride = 1, dilation = 1, before = 0, after = 0;

    /// Cells from the first to the last tap.
    int64_t reach() const { return (kernel - 1) * dilation + 1; }

    /// Behind the last cell that an output covers, which may be padding.
    int64_t end() const { return (out - 1) * stride + reach() - before; }

    /// The input that tap k of an output meets; may be padding.
    int64_t cell(int64_t output, int64_t k) const {
        return output * stride - before + k * dilation;
    }
    /// The outputs whose tap k meets no padding; a count of 0 or less where there are none.
    Range inside(int64_t k) const {
        const int64_t begin = (std::max<int64_t>(0, -cell(0, k)) + stride - 1) / stride;
        const int64_t last = in - 1 - cell(0, k);
        return {begin, last < 0 ? 0 : std::min(out, last / stride + 1) - begin};
    }

    /// Keeps the first outputs; returns how many cells of the input they cover.
    int64_t crop(int64_t outputs) {
        out = outputs;
        return std::clamp<int64_t>(end(), 1, in);
    }
    /// The same outputs of an input that ends earlier, but not before what they cover.
    Window ending(int64_t cells) const {
        Window window = *this;
        window.in = cells;
        window.after = std::max<int64_t>(0, end() - cells);
        return window;
    }
};

/// How an op pads: Keras's words, or two numbers for each axis.
struct Padding {
    bool same = false;
    std::vector<int64_t> cells;  // top, bottom, left, right; empty for a word

    static Padding from(Attributes& attributes, size_t axes = 2) {
        Padding padding;
        if (!attributes.is_word("padding")) {
            padding.cells = attributes.integers("padding", {}, 2 * axes, 0);
            return padding;
        }
        const std::string word = attributes.word("padding", "valid");
        check(word == "valid" || word == "same", attributes.op(),
              "expected padding 'valid', 'same' or ", 2 * axes, " numbers, got '", word, "'");
        padding.same = word == "same";
        return padding;
    }

    /// The window over `in` cells along spatial axis 0, 1, ... . TensorFlow's rule for `same`:
    /// ceil(in / stride) outputs, the odd cell of padding behind.
    Window over(int64_t in, int axis, int64_t kernel, int64_t stride, int64_t dilation,
                const char* op) const {
        Window window{in, 0, kernel, stride, dilation, 0, 0};
        checked_product(kernel, dilation);
        const int64_t reach = window.reach();
        if (same) {
            window.out = (in - 1) / stride + 1;
            const int64_t last = checked_product(window.out - 1, stride);
            const int64_t missing = std::max<int64_t>(0, last + reach - in);
            window.before = missing / 2;
            window.after = missing - window.before;
        } else {
            if (!cells.empty()) {
                window.before = cells[static_cast<size_t>(axis) * 2];
                window.after = cells[static_cast<size_t>(axis) * 2 + 1];
            }
            const int64_t padded = in + window.before + window.after;
            check(reach <= padded, op, "expected a window of at most ", padded,
                  " cells along axis ", axis + 1, ", got ", reach, " (",
                  dilation > 1 ? "dilated " : "", "window larger than the input)");
            window.out = (padded - reach) / stride + 1;
        }
        return window;
    }
};

}  // namespace pronghorn
