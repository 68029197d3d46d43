// SPDX-License-Identifier: Apache-2.0
// Ops that fusion places, on a convolution's weights alone, so once a call.
#pragma once

#include <memory>
#include <vector>

#include "ops/op.h"

namespace pronghorn {

// The normalisation behind it, with r = gamma / sqrt(variance + epsilon).
/// [kernel, gamma?, variance]: kernel * r, the output's channels being the kernel's last elements.
std::unique_ptr<Op> make_fold_kernel(const ChannelAffine& affine);

/// [bias?, gamma?, beta?, mean, variance]: (bias - mean) * r + beta.
std::unique_ptr<Op> make_fold_bias(const ChannelAffine& affine, bool has_bias);

/// The upsampling before it: [kernel (k, ..., in_c, out_c)], stride 1, to that of the transposed
/// convolution, (k + repeats - 1, ..., out_c, in_c), with strides `repeats`. Along an axis
///   to[j] = sum of kernel[k - 1 - j + r] over 0 <= r < repeats.
std::unique_ptr<Op> make_fold_repeats(std::vector<int64_t> repeats);

}  // namespace pronghorn
