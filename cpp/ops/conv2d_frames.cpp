// SPDX-License-Identifier: Apache-2.0
#include "ops/conv2d_frames.h"

#include <cstring>

#include "ops/pieces.h"

namespace pronghorn {

const float* ConvFrames::x(const Args& args, int64_t image, float* scratch,
                           Range wanted) const noexcept {
    const float* x = args.in[0] + image * p_.in_size();
    if (!copies_x()) return x + wanted.begin * p_.in_size() / p_.cut_axis().in * lanes_;
    PadImage pad{};
    pad.x = x, pad.y = scratch;
    pad.height = p_.height.in, pad.width = p_.width.in, pad.channels = p_.in_c * lanes_;
    pad.top = p_.height.before, pad.bottom = p_.height.after;
    pad.left = p_.width.before, pad.right = p_.width.after;
    if (p_.gates_x) pad.gate = args.in[2] + image * p_.in_size();
    fill(pad, p_.depth.in, {p_.depth.before, p_.depth.after}, wanted);
    return scratch;
}

const float* ConvFrames::dy(const Args& args, int64_t image, float* scratch,
                            Range wanted) const noexcept {
    const int64_t out = image * p_.out_size();
    const float* dy = args.d_out + out;
    const int64_t step = p_.is_volume() ? dx_.dy_plane : dx_.dy_row;
    if (!copies_dy()) return dy + wanted.begin * step * lanes_;
    PadImage pad{};
    pad.x = dy, pad.y = scratch;
    pad.height = p_.height.out, pad.width = p_.width.out, pad.channels = p_.out_c * lanes_;
    pad.top = dx_.top.before, pad.bottom = dx_.top.after;
    pad.left = dx_.left.before, pad.right = dx_.left.after;
    if (p_.masks_dy()) pad.gate = args.out + out;
    fill(pad, p_.depth.out, dx_.front, wanted);
    return scratch;
}

/// The wanted rows, or slices of a volume with zeros around each, masked where there is a gate.
void ConvFrames::fill(PadImage pad, int64_t slices, Border front, Range wanted) const noexcept {
    if (!p_.is_volume()) return p_.kernels->pad_image(rows_of(pad, wanted));
    const int64_t inner = pad.height * pad.width * pad.channels;
    const int64_t outer =
        (pad.top + pad.height + pad.bottom) * (pad.left + pad.width + pad.right) * pad.channels;
    for (int64_t i = 0; i < wanted.count; ++i, pad.y += outer) {
        const int64_t slice = wanted.begin + i - front.before;
        if (slice < 0 || slice >= slices) {
            std::memset(pad.y, 0, static_cast<size_t>(outer) * sizeof(float));
            continue;
        }
        PadImage own = pad;
        own.x += slice * inner;
        if (own.gate != nullptr) own.gate += slice * inner;
        p_.kernels->pad_image(own);
    }
}

}  // namespace pronghorn
