// SPDX-License-Identifier: Apache-2.0
// The kernels' contracts: plain structs of pointers, sizes and strides, and the table of function
// pointers that kernel_list.inc expands to. Every .cpp of this folder is compiled once per
// instruction set into a namespace of its own. A kernel never allocates, threads, throws or checks;
// it reads and writes only the elements its contract names. Sizes and strides count floats unless
// they say otherwise. Outputs never alias inputs unless a contract allows it.
//
// Two layouts. "rows": an image is (height, width, channels), channels innermost.
// "lanes": `lanes` images side by side, (height, width, channels, lanes): every element is a
// vector.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pronghorn {

/// Convolution as a sum over runs of consecutive inputs (a matrix product is one run):
///   y[h, w, c] = act(bias[c] + sum_{r < runs, k < run_length}
///                x[h*x_row + w*x_pixel + run_offset[r] + k] * weight(r*run_length + k, c))
/// There is at least one run, of at least one input.
/// Rows layout: weights lie in panels of `panel` columns (Kernels::panel; the last may be
/// narrower):
///   weight(k, c) = weights[(c / panel) * w_panel + k * w_row + c % panel]
///   (unpacked (K, out_c): w_panel = panel, w_row = out_c; packed: w_panel = K * panel, w_row =
///   panel).
/// Lanes layout: x, bias-less strides and y count vectors of `lanes` floats, weights are scalars:
///   weight(k, c) = weights[k * w_row + c * w_panel].
/// `accumulate` adds to y what is summed (then bias is null and relu false).
struct Conv {
    const float* x;
    int64_t x_row, x_pixel;
    const int64_t* run_offset;
    int64_t runs, run_length;
    const float* weights;
    int64_t w_panel, w_row;
    const float* bias;  // out_c, or null
    float* y;
    int64_t y_row, y_pixel;
    int64_t out_h, out_w, out_c;
    bool relu;
    bool accumulate;
};

/// The gradient of a convolution's weights from one image (rows) or one group of images (lanes):
///   dw[(r*run_length + k) * dw_row + c] (+)= sum_{h, w (, lane)} x[h*x_row + w*x_pixel +
///                run_offset[r] + k] * dy[h*dy_row + w*dy_pixel + c]
struct ConvGradient {
    const float* x;
    int64_t x_row, x_pixel;
    const int64_t* run_offset;
    int64_t runs, run_length;
    const float* dy;
    int64_t dy_row, dy_pixel;
    int64_t out_h, out_w, out_c;
    float* dw;
    int64_t dw_row;
    bool accumulate;  // += where true, = where false
};

/// y (top + height + bottom, left + width + right, channels), contiguous: zero but for the middle,
/// which is x; with a gate (same shape as x, contiguous like it), x where gate > 0, else 0 (the
/// backward pass of ReLU; a NaN gate gives 0, a NaN x stays). Lanes: channels counts channels *
/// lanes.
struct PadImage {
    const float* x;
    const float* gate;  // or null
    float* y;
    int64_t height, width, channels;
    int64_t top, bottom, left, right;
};

/// A stream through the weights of a fully connected layer for batches of 1 to 8, w being
/// (in, out) row-major; every array is contiguous: x (batch, in), y (batch, out).
struct DenseForward {
    const float *x, *w, *bias;  // bias or null
    float* y;
    int64_t batch, in, out;
    int64_t x_row;  // floats between the rows of x
    bool relu;
};

/// Backward over `in` rows of w: dx[b, k] = sum_n dy[b, n] w[k, n]; dw[k, n] (+)= sum_b x[b, k]
/// dy[b, n].
struct DenseBackward {
    const float *x, *w, *dy;
    float *dx, *dw;  // either may be null
    int64_t batch, in, out;
    int64_t x_row, dx_row;  // floats between the rows of x, of dx (dy is contiguous)
    bool accumulate;        // dw: += where true, = where false
};

/// Pooling of one image: window (i, j) covers rows i*stride_h - pad_top + [0, pool_h), columns
/// alike; cells outside the image do not count (never the largest, not in the average's divisor).
/// Every window covers at least one cell. Lanes: channels counts channels * lanes.
struct Pool {
    int64_t in_h, in_w, channels, out_h, out_w;
    int64_t pool_h, pool_w, stride_h, stride_w, pad_top, pad_left;
};

enum class Activation : int32_t { kLinear, kRelu, kTanh, kSigmoid };

/// Keras's ReLU: max_value where x > max_value; x where x > threshold; else slope * (x -
/// threshold).
struct ClippedRelu {
    float slope, threshold, max_value;
};

/// One step of SGD: g' = g; with momentum m: v = m*v - lr*g, w += v (nesterov: w += m*v - lr*g);
/// without: w -= lr*g. Keras's formulas.
struct Sgd {
    float learning_rate, momentum;
    bool nesterov;
};

/// One step of Adam: m += (g - m)*(1 - beta_1), v += (g*g - v)*(1 - beta_2),
/// w -= step * m / (sqrt(v) + epsilon), where step is the learning rate with both bias corrections.
struct Adam {
    float step, one_minus_beta_1, one_minus_beta_2, epsilon;
};

/// What happens to a gradient g of weights w before the update: g += l1 * sign(w) + 2 * l2 * w,
/// g *= scale, g kept within -limit and limit (0: anywhere), and then w -= decay * w.
struct Adjustment {
    float l1 = 0, l2 = 0, scale = 1, limit = 0, decay = 0;
};

/// One step of RMSprop: v = rho * v + (1 - rho) * g * g, a likewise of g where there is one,
/// step = rate * g / sqrt(v - a * a + epsilon), m = momentum * m + step where there is one.
struct RmsProp {
    float learning_rate, rho, momentum, epsilon;
};

/// Adagrad: v += g * g, w -= rate * g / sqrt(v + epsilon). Adadelta: v = rho * v + (1 - rho) * g *
/// g, d = -sqrt(u + epsilon) * g / sqrt(v + epsilon), u = rho * u + (1 - rho) * d * d, w += rate *
/// d.
struct Adagrad {
    float learning_rate, rho, epsilon;
};

/// Adamax: m as in Adam, u = max(beta_2 * u, |g|), w -= of_m * m / (u + epsilon). Nadam: m, v as in
/// Adam, w -= (of_m * m + of_g * g) / (sqrt(of_v * v) + epsilon).
struct Momenta {
    float one_minus_beta_1, one_minus_beta_2, epsilon, of_m, of_g, of_v;
};

/// The functions of one instruction set.
struct Kernels {
    const char* isa;
    int lanes;  // floats in a vector
    int panel;  // columns in a weight panel of Conv (rows layout)
#define PRONGHORN_KERNEL(name, parameters) void(*name) parameters noexcept;
#include "kernels/kernel_list.inc"
#undef PRONGHORN_KERNEL
};

}  // namespace pronghorn

#ifdef PRONGHORN_ISA
namespace pronghorn::PRONGHORN_ISA {
#define PRONGHORN_KERNEL(name, parameters) void name parameters noexcept;
#include "kernels/kernel_list.inc"
#undef PRONGHORN_KERNEL
}  // namespace pronghorn::PRONGHORN_ISA
#endif
