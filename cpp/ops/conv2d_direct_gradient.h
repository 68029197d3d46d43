// SPDX-License-Identifier: Apache-2.0
// dw and db of a direct convolution: image by image; or of images that are cut into pieces, by
// tasks that own rows of dw, or that sum all of it for some rows of y (PartSums).
#pragma once

#include "ops/conv2d_bare_gradient.h"
#include "ops/conv2d_frames.h"
#include "ops/part_sums.h"

namespace pronghorn {

/// The runs of consecutive inputs that an output sums, in padded x; offsets in elements.
struct ConvRuns {
    explicit ConvRuns(const ConvProblem& problem);

    int64_t count() const { return static_cast<int64_t>(offset.size()); }

    std::vector<int64_t> offset;
    int64_t length;
};

class ConvDirectGradient {
   public:
    ConvDirectGradient(const ConvProblem& problem, const DxPlan& dx, const ConvFrames& frames,
                       const ConvRuns& runs, Layout layout, bool cut);

    /// Floats that a task writes to beside the gradients.
    int64_t scratch() const { return frames_.dy_size() + (bare_ ? 0 : frames_.x_size()); }

    /// The stages of images cut into large pieces or not.
    void add_stages(Signature& signature, bool large);
    bool has(int stage) const { return stage >= first_stage_ && stage < end_stage_; }
    void run(int stage, const Args& args, int64_t task) const noexcept;
    Range owned(int stage, int input, int64_t task) const noexcept;

    /// By image (or group): what ConvFrames::dy gave.
    void add_image(const Args& args, int64_t image, const float* dy) const noexcept;

   private:
    ConvGradient gradient_of(const float* x, const float* dy, float* dw, bool add) const noexcept;
    void add_slices(ConvGradient gradient, int64_t slices, int64_t dy_plane) const noexcept;
    void own_rows(const Args& args, int64_t task) const noexcept;
    void sum_part(const Args& args, int64_t part) const noexcept;

    const ConvProblem& p_;
    const DxPlan& dx_;
    const ConvFrames& frames_;
    const ConvRuns& runs_;
    int64_t lanes_;
    ConvBareGradient bare_gradient_;
    bool bare_;           // no copy of x
    int64_t pieces_ = 1;  // of a run's rows, where tasks own them
    PartSums sums_;
    int first_stage_ = 0, end_stage_ = 0;
};

}  // namespace pronghorn
