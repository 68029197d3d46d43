// SPDX-License-Identifier: Apache-2.0
// What direct convolutions read: x with zeros around it, dy with zeros around it and masked by the
// ReLU. Copies where there are zeros or a mask, else the tensors themselves.
#pragma once

#include "ops/conv2d.h"
#include "ops/conv2d_phases.h"

namespace pronghorn {

class ConvFrames {
   public:
    /// Of images, or of groups of `lanes` images.
    ConvFrames(const ConvProblem& problem, const DxPlan& dx, int64_t lanes)
        : p_(problem), dx_(dx), lanes_(lanes) {}

    /// Floats of a copy of all of x, and of dy.
    int64_t x_size() const {
        return p_.pads() ? p_.padded_d() * p_.padded_h() * p_.padded_w() * p_.in_c * lanes_ : 0;
    }
    int64_t dy_size() const { return copies_dy() ? dx_.dy_size * lanes_ : 0; }

    /// Rows of x of that image (or group), those of padding counted; of a volume, all of them.
    const float* x(const Args& args, int64_t image, float* scratch, Range rows) const noexcept;
    /// The same of dy, whose own cells begin inside_dy() behind the first.
    const float* dy(const Args& args, int64_t image, float* scratch, Range rows) const noexcept;
    int64_t inside_dy() const {
        return (dx_.front.before * dx_.dy_plane + dx_.top.before * dx_.dy_row +
                dx_.left.before * p_.out_c) *
               lanes_;
    }

   private:
    bool copies_dy() const { return p_.masks_dy() || dx_.frames_dy(); }

    const ConvProblem& p_;
    const DxPlan& dx_;
    int64_t lanes_;
};

}  // namespace pronghorn
