// SPDX-License-Identifier: Apache-2.0
#include "ops/conv2d_frames.h"

#include <cstring>

#include "ops/pieces.h"

namespace pronghorn {

namespace {

/// The slices of x with zeros around them, masked where there is a gate.
void pad_volume(const Kernels& kernels, PadImage pad, int64_t slices, Border border) noexcept {
    const int64_t inner = pad.height * pad.width * pad.channels;
    const int64_t outer =
        (pad.top + pad.height + pad.bottom) * (pad.left + pad.width + pad.right) * pad.channels;
    const auto zero = [outer](float* y, int64_t count) {
        std::memset(y, 0, static_cast<size_t>(count * outer) * sizeof(float));
    };
    zero(pad.y, border.before);
    pad.y += border.before * outer;
    for (int64_t i = 0; i < slices; ++i, pad.x += inner, pad.y += outer) {
        kernels.pad_image(pad);
        if (pad.gate != nullptr) pad.gate += inner;
    }
    zero(pad.y, border.after);
}

}  // namespace

const float* ConvFrames::x(const Args& args, int64_t image, float* scratch,
                           Range rows) const noexcept {
    const float* x = args.in[0] + image * p_.in_size();
    if (!p_.pads()) return x + rows.begin * p_.width.in * p_.in_c * lanes_;
    PadImage pad{};
    pad.x = x, pad.y = scratch;
    pad.height = p_.height.in, pad.width = p_.width.in, pad.channels = p_.in_c * lanes_;
    pad.top = p_.height.before, pad.bottom = p_.height.after;
    pad.left = p_.width.before, pad.right = p_.width.after;
    const Border front{p_.depth.before, p_.depth.after};
    pad_volume(*p_.kernels, rows_of(pad, rows), p_.depth.in, front);
    return scratch;
}

const float* ConvFrames::dy(const Args& args, int64_t image, float* scratch,
                            Range rows) const noexcept {
    const int64_t out = image * p_.out_size();
    const float* dy = args.d_out + out;
    if (!copies_dy()) return dy + rows.begin * dx_.dy_row * lanes_;
    PadImage pad{};
    pad.x = dy, pad.y = scratch;
    pad.height = p_.height.out, pad.width = p_.width.out, pad.channels = p_.out_c * lanes_;
    pad.top = dx_.top.before, pad.bottom = dx_.top.after;
    pad.left = dx_.left.before, pad.right = dx_.left.after;
    if (p_.masks_dy()) pad.gate = args.out + out;
    pad_volume(*p_.kernels, rows_of(pad, rows), p_.depth.out, dx_.front);
    return scratch;
}

}  // namespace pronghorn
