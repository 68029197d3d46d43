// SPDX-License-Identifier: Apache-2.0
// The kernels' contracts: plain structs of pointers, sizes and strides, and the table of function
// pointers that kernel_list.inc expands to. Every .cpp of this folder is compiled once per
// instruction set into a namespace of its own. A kernel never allocates, threads, throws or checks;
// it reads and writes only the elements its contract names. Sizes and strides count floats unless
// they say otherwise. Outputs never alias inputs unless a contract allows it.
//
// Three layouts. "rows": an image is (height, width, channels), channels innermost.
// "lanes": `lanes` images side by side, (height, width, channels, lanes): every element is a
// vector. "planes": an image is (channels, height, width).
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
/// act(v) = min(max(v, 0), ceiling) with relu, else v.
/// `accumulate` adds to y what is summed (then bias is null and relu false). With a gate (of y's
/// strides) y is 0 where the gate is not above 0, as in PadImage; it may be y itself where sums are
/// of at most kConvTerms.
constexpr int64_t kConvTerms = 1024;  // summed before they are stored
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
    const float* gate;  // or null
    float ceiling = __builtin_inff();
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

/// What a convolution of planes reads: for output (h, w), of channel c by tap (i, j),
///   x[c*plane + h*row + i*tap_row + w + j*tap]
struct PlanesSource {
    const float* x;
    int64_t plane, row;
    int64_t channels, kernel_h, kernel_w;
    int64_t tap_row, tap;
};

/// y[o, h, w] = act(bias[o] + sum_{c, i, j} source(c, i, j, h, w) *
///                  weights[(i*kernel_w + j)*w_tap + c*w_in + o*w_out]), y contiguous; with a gate,
/// which lies like y, 0 where that is not above 0.
struct ConvPlanes {
    PlanesSource source;
    const float* weights;
    int64_t w_tap, w_in, w_out;
    const float* bias;  // out_c, or null
    float* y;
    int64_t out_c, out_h, out_w;
    bool relu;
    const float* gate;  // or null
    float ceiling = __builtin_inff();
};

/// dw[i, j, c, o] (+)= sum_{h, w} source(c, i, j, h, w) * dy[o*dy_plane + h*dy_row + w], dw
/// contiguous; db[o] (+)= sum_{h, w} dy[o*dy_plane + h*dy_row + w].
struct ConvPlanesGradient {
    PlanesSource source;
    const float* dy;
    int64_t dy_plane, dy_row;
    int64_t out_c, out_h, out_w;
    float *dw, *db;   // either may be null
    bool accumulate;  // += where true, = where false
};

/// Winograd F(4x4, 2x2), F(4x4, 3x3), F(3x3, 4x4) and F(2x2, 5x5), and the same along rows:
/// `count` tiles, from number `first` on, of a map (images, depth, height, width, channels) whose
/// pixels are `pixel` floats apart. The cells of a tile lie `spacing` apart along an axis: those of
/// one lattice. Of `lattices` of them, each a cell behind the one before, each has so many tiles:
/// number k of lattice l along the rows begins at spacing*step*k + l - top, step being the outputs
/// along a side; tile z along the depth is of slice z - front, and what lies outside the map is
/// zero. Tiles are numbered row by row, of all lattices, slice by slice. Their transforms lie in a
/// plane for each point: channel c of point p and tile t at
///   planes[p*plane + (c / panel width)*panel + (t - first)*row + c % panel width]
/// (panel width: Kernels::panel), channels filled up with zeros to whole vectors.
struct WinogradTiles {
    struct Axis {
        int64_t cells;   // of the map
        int64_t before;  // front, top or left
        int64_t tiles;   // of a lattice
        int64_t spacing, lattices;
    };
    int64_t taps_h, taps_w;  // 2 (5 points, 4 outputs), 3 (6, 4), 4 (6, 3), 5 (6, 2); taps_h: or 1
    Axis depth, height, width;
    int64_t pixel, channels;
    int64_t first, count;
    float* planes;
    int64_t plane, row, panel;
};

/// For each of `points` c (+)= a b, (rows, columns) = (rows, depth) (depth, columns):
///   a[p*a_plane + i*a_row + k*a_step], one of a_row and a_step being 1;
///   b[p*b_plane + (j / panel width)*b_panel + k*panel width + j % panel width];
///   c[p*c_plane + i*c_row + j], columns rounded up to whole vectors.
/// Sums are of most_terms at most, and then added up: shorter sums are more exact. Plane p of c may
/// lie where planes of a before p lie: points follow each other.
struct WinogradProduct {
    int64_t points;
    const float* a;
    int64_t a_plane, a_row, a_step;
    const float* b;
    int64_t b_plane, b_panel;
    float* c;
    int64_t c_plane, c_row;
    int64_t rows, columns, depth, most_terms;
    bool accumulate;
};

/// Of slice `slice` of a kernel (depth, rows.size, columns.size, in_c, out_c) the taps at first +
/// stride*i for i below `taps` along each axis, 1 to 5, of which `existing` lie in the kernel; the
/// others are zeros.
struct WinogradTaps {
    struct Axis {
        int64_t taps, existing, size, stride, first;
    };
    int64_t slice;
    Axis rows, columns;
    int64_t in_c, out_c;
};

/// Taps of w at their points as the b of a WinogradProduct: depth in_c, columns out_c; transposed
/// (dx: turned by 180 degrees, zeros behind the taps that exist) the other way round. Only the rows
/// [begin, end) of each plane, zeros behind the depth, and its columns [column, column_end), where
/// b begins.
struct WinogradFilter {
    WinogradTaps from;
    const float* w;
    float* u;
    int64_t plane, panel;  // floats from one to the next
    int64_t begin, end;
    int64_t column, column_end;
    bool transposed;
};

/// Back from the sums at the points, s[p*plane + i*row + j], to taps: of dw, like w and beginning
/// at a block of its channels, (+)= them.
struct WinogradFilterGradient {
    WinogradTaps to;
    const float* s;
    int64_t plane, row;
    int64_t rows, columns;
    float* dw;
    bool accumulate;
};

/// One axis of a depthwise convolution: output p sums the cells first + p*stride + t*step for the
/// taps t, as far as they lie in [0, size). stride and step are positive.
struct DepthwiseAxis {
    int64_t size, first, stride, step, taps;
};

/// y[h*y_row + p*y_pixel + c] = act(bias[c] + sum_{i, j}
///     x[row(h, i)*x_row + column(p, j)*x_pixel + c] * w[i*w_row + j*w_column + c])
/// over the taps of both axes whose cells exist; no others are read.
struct DepthwiseBlock {
    const float* x;
    int64_t x_row, x_pixel;
    DepthwiseAxis rows, columns;
    const float *w, *bias;  // bias or null
    int64_t w_row, w_column;
    float* y;
    int64_t y_row, y_pixel;
    int64_t out_h, out_w, channels;
    bool relu;
    float ceiling = __builtin_inff();
};

/// dw[i*w_row + j*w_column + c] += sum_{h, p} dy[h*dy_row + p*dy_pixel + c] *
///     x[row(h, i)*x_row + column(p, j)*x_pixel + c]
struct DepthwiseGradient {
    const float* x;
    int64_t x_row, x_pixel;
    DepthwiseAxis rows, columns;
    const float* dy;
    int64_t dy_row, dy_pixel;
    float* dw;
    int64_t w_row, w_column;
    int64_t out_h, out_w, channels;
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
/// (in, out): y = act(x w + bias), x (batch, in), y (batch, out).
struct DenseForward {
    const float *x, *w, *bias;  // bias or null
    float* y;
    int64_t batch, in, out;
    int64_t x_row, row;  // floats between the rows of x; of w and of y
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

/// The winner of a max-pooled window is its cell's index, row * pool_w + column, as a uint8_t or a
/// uint16_t; this is the winner of a window that has none.
template <typename Index>
constexpr Index kNoWinner = static_cast<Index>(~Index{0});

/// Pooling of one image: window (i, j) covers rows i*stride_h - pad_top + [0, pool_h), columns
/// alike; cells outside the image do not count (never the largest, not in the average's divisor).
/// Every window covers at least one cell. Lanes: channels counts channels * lanes.
struct Pool {
    int64_t in_h, in_w, channels, out_h, out_w;
    int64_t pool_h, pool_w, stride_h, stride_w, pad_top, pad_left;
    bool gated = false;  // max_pool: what is not above 0 has no winner

    /// Of a winner, 1 or 2: every index is below kNoWinner. Always inlined: a copy that is compiled
    /// for one instruction set must not serve another.
    [[gnu::always_inline]] int64_t winner_bytes() const {
        return pool_h * pool_w <= kNoWinner<uint8_t> ? 1 : 2;
    }
};

/// A linear map along one axis: y[o, j, i] = offset[j] + sum_t weights[first[j] + t] *
/// x[o, begin[j] + t, i] for t below first[j + 1] - first[j], which may be none.
struct AxisMap {
    int64_t outer, in, out, inner;
    const int64_t *begin, *first;
    const float* weights;
    const float* offset;  // or null
};

/// Windows along one axis: window j covers cells [begin[j], end[j]), at least one.
struct AxisWindows {
    int64_t outer, in, out, inner;
    const int64_t *begin, *end;
};

/// A plane of elementwise work with broadcasting: element (r, i), r < rows, i < size, of operand p
/// lies at p.x[r * p.row + i * p.step]; steps are 0 or 1. y is contiguous. y may be an operand of
/// the same extent.
struct Plane {
    struct Operand {
        const float* x;
        int64_t row, step;
    };
    int64_t rows, size;
    Operand in[3];
    float* y;
};

/// The comparisons give 1 or 0. kPower has no kernel.
enum class Binary : int32_t {
    kAdd,
    kSubtract,
    kMultiply,
    kDivide,
    kMaximum,
    kMinimum,
    kGreater,
    kGreaterEqual,
    kLess,
    kLessEqual,
    kEqual,
    kNotEqual,
    kPower
};

/// kAny and kAll say 1 or 0 of what is not 0.
enum class Reduction : int32_t { kSum, kProduct, kMaximum, kMinimum, kAny, kAll };

/// y[r * y_row + i * y_step] = combined(itself, x[r * x_row + i]) for r < rows, i < size, in a
/// fixed order; y_step is 0 or 1.
struct ReducePlane {
    int64_t rows, size;
    const float* x;
    int64_t x_row;
    float* y;
    int64_t y_row, y_step;
};

enum class Activation : int32_t { kLinear, kRelu, kTanh, kSigmoid };

/// Keras's ReLU: max_value where x > max_value; x where x > threshold; else slope * (x -
/// threshold).
struct ClippedRelu {
    float slope, threshold, max_value;
};

/// y = f(x), element by element; the functions, and their numbers alpha and beta, are those of
/// unary_list.inc.
enum class Unary : int32_t {
#define PRONGHORN_UNARY(name, Type, reads, finite, numbers, alpha, beta) k##Type,
#include "kernels/unary_list.inc"
#undef PRONGHORN_UNARY
};

struct UnaryFunction {
    Unary kind;
    float alpha, beta;
};

/// A loss of one prediction and its target t, which counts as target_scale * t + target_shift; what
/// alpha, beta and gamma are, the function says (pointwise_functions.h).
enum class Pointwise : int32_t {
#define PRONGHORN_POINTWISE_LOSS(name, Type) k##Type,
#include "kernels/pointwise_loss_list.inc"
#undef PRONGHORN_POINTWISE_LOSS
};

struct PointwiseLoss {
    Pointwise kind;
    float target_scale = 1, target_shift = 0;
    float alpha = 0, beta = 0, gamma = 0;
};

/// Predictions p and targets t, both (rows, columns) contiguous; weights of the rows or null.
struct LossRows {
    int64_t rows, columns;
    const float *p, *t, *weights;
};

/// -sum t log q of rows of `classes`, each times its weight (null: 1). From logits q is softmax(x),
/// else x / sum x clipped to [1e-7, 1 - 1e-7]. t is target_scale * target + target_shift; without a
/// target (null) it is 1 for the class `label` and 0 else, and nothing but 0 in rows whose label is
/// `ignored` (-1: none). The focal form (alpha, one for each class, is not null) has terms
/// -t alpha (1 - q)^gamma log q, and clips from logits too.
struct Crossentropy {
    int64_t rows, classes;
    bool from_logits;
    const float* target;
    float target_scale, target_shift;
    const int32_t* label;
    int32_t ignored;
    const float *x, *weights;
    const float* alpha;
    float gamma;
};

/// A contiguous matrix, and what it is combined with: one value for each row, or for each column.
struct Grid {
    int64_t rows, columns;
    bool by_row;
};

/// Dropout in general: `dropped` where the number drawn is below `rate`, else x * scale + shift.
struct Drop {
    float rate, scale, shift, dropped;
};

/// Rows of channels, x (rows, channels) contiguous, each channel with numbers of its own:
///   y = (x - center) * scale + shift, and min(max(y, 0), ceiling) with relu.
/// Backward, d being dy (0 where relu holds y at 0 or the ceiling):
///   dx = d * scale + (x - center) * slope + offset; without slope (null) only the first term.
struct ChannelNorm {
    int64_t rows, channels;
    const float* x;
    const float *center, *scale, *shift;
    const float *dy, *slope, *offset;  // backward
    bool relu;
    float ceiling, below;  // below: the largest number below the ceiling; infinity twice for none
};

/// Rows of `size` values, each normalised by itself: n = (x - m) * r, y = n * gamma + beta, where
///   r = min(limit, 1 / sqrt(sum((x - m)^2) / divisor + epsilon))
/// and m is the row's mean where `centered`, else 0. gamma and beta (size values) may be null.
struct RowNorm {
    int64_t rows, size;
    bool centered;
    float divisor, epsilon, limit;
    const float *gamma, *beta;
    const float* x;
};

/// y = x / (bias + alpha * s)^beta, s being the sum of the squares of up to 2 * radius + 1 channels
/// around x's own, in rows of channels.
struct LocalResponse {
    int64_t rows, channels, radius;
    float bias, alpha, beta;
    const float* x;
};

/// One step of SGD: g' = g; with momentum m: v = m*v - lr*g, w += v (nesterov: w += m*v - lr*g);
/// without: w -= lr*g. Keras's formulas.
struct Sgd {
    float learning_rate, momentum;
    bool nesterov;
};

/// Backward over `in` rows of w for one row of x, and a step of SGD: dx[k] = sum_n dy[n] w[k, n],
/// and then w moves by the gradient x[k] dy[n]. `out` is at least `lanes`.
struct DenseSgd {
    const float *x, *dy;
    float* dx;            // or null
    float *w, *velocity;  // null without momentum
    int64_t in, out;
    Sgd sgd;
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
