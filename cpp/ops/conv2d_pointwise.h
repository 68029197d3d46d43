// SPDX-License-Identifier: Apache-2.0
// Products of matrices, as convolutions by one cell over a row of pixels.
#pragma once

#include "ops/conv2d.h"

namespace pronghorn {

/// From here on (floats of the kernel) packed panels beat strided rows of the kernel.
constexpr int64_t kPackFrom = 8 << 10;
/// Less packing than this is one task's.
constexpr int64_t kPackAtOnce = 16 << 10;

/// The only run of inputs begins at the pixel itself.
inline constexpr int64_t kPixelRun = 0;

/// y (pixels, columns) = x (pixels, depth) times weights packed to panels.
inline Conv panels_product(const Kernels& kernels, const float* x, int64_t pixels, int64_t depth,
                           const float* weights, float* y, int64_t columns) {
    Conv conv{};
    conv.x = x;
    conv.x_row = pixels * depth;
    conv.x_pixel = depth;
    conv.run_offset = &kPixelRun;
    conv.runs = 1;
    conv.run_length = depth;
    conv.weights = weights;
    conv.w_panel = depth * kernels.panel;
    conv.w_row = kernels.panel;
    conv.y = y;
    conv.y_row = pixels * columns;
    conv.y_pixel = columns;
    conv.out_h = 1;
    conv.out_w = pixels;
    conv.out_c = columns;
    return conv;
}

}  // namespace pronghorn
