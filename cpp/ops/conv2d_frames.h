// SPDX-License-Identifier: Apache-2.0
// What direct convolutions read: x and dy with zeros around them and masked by a ReLU. Copies where
// there are zeros or a mask, else the tensors themselves.
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
        return copies_x() ? p_.padded_d() * p_.padded_h() * p_.padded_w() * p_.in_c * lanes_ : 0;
    }
    int64_t dy_size() const { return copies_dy() ? dx_.dy_size * lanes_ : 0; }

    /// Rows of x of that image (or group), slices of a volume, those of padding counted.
    const float* x(const Args& args, int64_t image, float* scratch, Range rows) const noexcept;
    /// The same of dy, whose own cells begin inside_dy() behind its first cell.
    const float* dy(const Args& args, int64_t image, float* scratch, Range rows) const noexcept;
    Range all_x() const { return {0, p_.is_volume() ? p_.padded_d() : p_.padded_h()}; }
    Range all_dy() const {
        return {0, p_.is_volume() ? dx_.dy_size / dx_.dy_plane : dx_.dy_plane / dx_.dy_row};
    }
    /// Of x those under rows of y: all, also those that nobody reads, under all.
    Range under(Range rows) const {
        const Window& axis = p_.cut_axis();
        if (rows.count == axis.out) return all_x();
        return {rows.begin * axis.stride, (rows.count - 1) * axis.stride + axis.reach()};
    }
    int64_t inside_dy() const {
        return (dx_.front.before * dx_.dy_plane + dx_.top.before * dx_.dy_row +
                dx_.left.before * p_.out_c) *
               lanes_;
    }

   private:
    bool copies_x() const { return p_.pads() || p_.gates_x; }
    bool copies_dy() const { return p_.masks_dy() || dx_.frames_dy(); }
    void fill(PadImage pad, int64_t slices, Border front, Range wanted) const noexcept;

    const ConvProblem& p_;
    const DxPlan& dx_;
    int64_t lanes_;
};

}  // namespace pronghorn
