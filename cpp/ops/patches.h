// SPDX-License-Identifier: Apache-2.0
// Patches of images (im2col): for every cell of a convolution's output what lies under its taps, in
// the kernel's order, zeros outside of the image. The product with the kernel is the convolution.
#pragma once

#include <array>
#include <memory>

#include "ops/op.h"
#include "ops/window.h"

namespace pronghorn {

class Patches {
   public:
    /// Of `channels` of the image's `in_c`. Windows of one cell stand for axes that are not there.
    Patches(const Window& depth, const Window& height, const Window& width, int64_t in_c,
            int64_t channels)
        : depth_(depth), height_(height), width_(width), in_c_(in_c), channels_(channels) {}

    /// Cells of the output: depth, height, width.
    std::array<int64_t, 3> cells() const { return {depth_.out, height_.out, width_.out}; }
    /// Rows of the output, through its depth; `width.out` patches each.
    int64_t rows() const { return depth_.out * height_.out; }
    /// Floats of one.
    int64_t size() const {
        return checked_product(depth_.kernel * height_.kernel * width_.kernel, channels_);
    }

    void unroll(const float* x, int64_t row, int64_t rows, float* patches) const noexcept;
    /// Adds what unroll copies to where it comes from.
    void roll(const float* patches, int64_t row, int64_t rows, float* dx) const noexcept;

   private:
    template <typename Visit>
    void for_taps(int64_t row, int64_t rows, Visit visit) const;

    Window depth_, height_, width_;
    int64_t in_c_, channels_;
};

/// x (batch, ..., in_c) -> (batch, ..., size), the cells of the last `axes` windows.
std::unique_ptr<Op> make_patches(const Patches& patches, int axes);

}  // namespace pronghorn
