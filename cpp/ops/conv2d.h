// SPDX-License-Identifier: Apache-2.0
// A convolution as its algorithms see it, and the list they stand in.
#pragma once

#include <limits>
#include <memory>

#include "ops/op.h"
#include "ops/window.h"

namespace pronghorn {

constexpr int64_t kFewChannels = 4;  // leave most of a vector empty

/// x (batch, depth.in, height.in, width.in, in_c), w (depth.kernel, height.kernel, width.kernel,
/// in_c / groups, out_c), y (batch, depth.out, height.out, width.out, out_c). Fewer dimensions: the
/// first windows are of one cell.
struct ConvProblem {
    int64_t batch = 0, in_c = 0, out_c = 0, groups = 1;
    Window depth{1, 1}, height{1, 1}, width{1, 1};
    bool bias = false, relu = false;
    float ceiling = std::numeric_limits<float>::infinity();  // of the ReLU, in predictions
    bool gate_given = false;  // whoever reads y has masked dy by the ReLU
    bool gate_taken = false;  // dx is masked by the ReLU before x
    bool gates_x = false;     // x is 0 where in[2], as large, is not above 0: direct, in pieces
    bool wants_y = true;      // not where only dx is asked for, as a transposed convolution
    bool wants_dx = false, wants_dw = false, wants_db = false;
    bool predicts = false;      // neither a backward pass nor a loss follows
    bool halves = false;        // a small image by itself is worth two tasks
    bool in_planes = false;     // x comes in planes
    bool transposed = false;    // the op is the gradient of this convolution: from y's map to x's
    bool all_by_image = false;  // every stage has to be, for an op that runs them itself
    const Kernels* kernels = nullptr;

    int64_t in_size() const { return depth.in * height.in * width.in * in_c; }
    int64_t out_size() const { return depth.out * height.out * width.out * out_c; }
    int64_t taps() const { return depth.kernel * height.kernel * width.kernel; }
    int64_t group_in() const { return in_c / groups; }
    int64_t group_out() const { return out_c / groups; }
    int64_t padded_d() const { return depth.before + depth.in + depth.after; }
    int64_t padded_h() const { return height.before + height.in + height.after; }
    int64_t padded_w() const { return width.before + width.in + width.after; }
    bool pads() const {
        return depth.before + depth.after + height.before + height.after + width.before +
                   width.after >
               0;
    }
    /// One output, of all cells of the image.
    bool covers_image() const {
        const auto covers = [](const Window& window) {
            return window.kernel == window.in && window.before == 0 && window.after == 0;
        };
        return covers(depth) && covers(height) && covers(width);
    }
    /// Padding outweighs the image (a giant dilation with `same`): not to be written down.
    bool pads_much() const {
        const int64_t cells = checked_product(padded_d(), checked_product(padded_h(), padded_w()));
        return cells > 4096 + 16 * depth.in * height.in * width.in;
    }
    /// Neighbouring taps of a row are one run, if no other group's channels lie between.
    bool joins_taps() const { return width.kernel == 1 || (width.dilation == 1 && groups == 1); }
    bool is_depthwise() const { return groups == in_c && in_c > 1 && !is_volume(); }
    bool is_volume() const { return depth.in > 1 || depth.out > 1 || depth.kernel > 1; }
    /// The axis whose cells, slices or rows, pieces of an image are made of.
    const Window& cut_axis() const { return is_volume() ? depth : height; }
    /// Of one pass, for the whole batch.
    double flops() const {
        const int64_t terms = taps() * group_in();
        return 2.0 * static_cast<double>(batch * depth.out * height.out * width.out) *
               static_cast<double>(terms * out_c);
    }
    /// What rows multiply for a cell and a tap, `from` channels to `into`, in vectors.
    double row_vectors(int64_t from, int64_t into) const;
    /// The ReLU, if there is one, of y itself.
    void activate(int64_t size, float* y) const noexcept {
        if (relu) kernels->clipped_relu({0.0f, 0.0f, ceiling}, size, y, y);
    }
    /// dy is masked where y is not above 0.
    bool masks_dy() const { return relu && !gate_given; }
    bool trains() const { return wants_dx || wants_dw || wants_db; }
    double backward_flops() const {
        return flops() * ((wants_dx ? 1.0 : 0.0) + (wants_dw ? 1.0 : 0.0));
    }
};

/// What the attributes of a convolution say of its windows, one entry for each spatial axis.
struct ConvWindows {
    std::vector<int64_t> strides, dilation;
    Padding padding;

    ConvWindows(Attributes& attributes, size_t axes)
        : strides(attributes.integers("strides", std::vector<int64_t>(axes, 1), axes, 1)),
          dilation(attributes.integers("dilation", std::vector<int64_t>(axes, 1), axes, 1)),
          padding(Padding::from(attributes, axes)) {}
};

/// Inputs of Args: 0 is x, 1 the kernel, 2 the bias.
class ConvAlgorithm {
   public:
    virtual ~ConvAlgorithm() = default;
    virtual Signature plan() = 0;
    virtual void run(int stage, const Args& args, int64_t task) const noexcept = 0;
    /// Whether it masks dx by a gate taken; else that is done behind it.
    virtual bool masks_dx() const { return false; }
    virtual Range owned(int /*stage*/, int /*input*/, int64_t /*task*/) const noexcept {
        return {};
    }
};

/// The first algorithm that supports the problem, or the forced one where it does.
std::unique_ptr<ConvAlgorithm> choose_conv(const ConvProblem& problem, const std::string& forced);

// Each gives null where it does not support the problem.
std::unique_ptr<ConvAlgorithm> make_conv_winograd(const ConvProblem& problem);
std::unique_ptr<ConvAlgorithm> make_conv_depthwise(const ConvProblem& problem);
std::unique_ptr<ConvAlgorithm> make_conv_planes(const ConvProblem& problem);
std::unique_ptr<ConvAlgorithm> make_conv_lanes(const ConvProblem& problem);
std::unique_ptr<ConvAlgorithm> make_conv_direct(const ConvProblem& problem);
std::unique_ptr<ConvAlgorithm> make_conv_im2col(const ConvProblem& problem);

// What direct asks first, for kernels of one cell; and of these for large kernels of few pixels.
std::unique_ptr<ConvAlgorithm> make_conv_pointwise(const ConvProblem& problem);
std::unique_ptr<ConvAlgorithm> make_conv_panels(const ConvProblem& problem);

// Whether the algorithm beats those behind it in the list, where it supports the problem.
bool winograd_wins(const ConvProblem& problem);
bool planes_win(const ConvProblem& problem);
bool lanes_win(const ConvProblem& problem);

// Whether a dense layer is faster: of whole images, where the kernel covers them, or of patches.
bool dense_wins(const ConvProblem& problem);
bool patches_win(const ConvProblem& problem);

}  // namespace pronghorn
