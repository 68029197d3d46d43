// SPDX-License-Identifier: Apache-2.0
// Ops that fusion places: a convolution's weights with the normalisation behind it in them. They
// are computed from parameters alone, so once a call. With r = gamma / sqrt(variance + epsilon):
#pragma once

#include <memory>

#include "ops/op.h"

namespace pronghorn {

/// [kernel, gamma?, variance]: kernel * r, the output's channels being the kernel's last elements.
std::unique_ptr<Op> make_fold_kernel(const ChannelAffine& affine);

/// [bias?, gamma?, beta?, mean, variance]: (bias - mean) * r + beta.
std::unique_ptr<Op> make_fold_bias(const ChannelAffine& affine, bool has_bias);

}  // namespace pronghorn
