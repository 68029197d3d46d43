// SPDX-License-Identifier: Apache-2.0
// Ops that the planner itself places: reading the caller's arrays, writing results back, changing
// layout, adding the gradients of a tensor that several nodes read, and seeding the losses.
#pragma once

#include <memory>

#include "ops/op.h"

namespace pronghorn {

/// out[i] = row rows[i] of the caller's array in[0]; bytes become floats.
std::unique_ptr<Op> make_gather(DType dtype, int64_t row_size);

/// The caller's array out[i] = in[0][i].
std::unique_ptr<Op> make_emit(int64_t row_size);

/// in[0] in another layout, one of the two being rows; its backward pass is the way back.
std::unique_ptr<Op> make_convert(Layout from, Layout to, const Shape& image,
                                 const Kernels& kernels);

/// out = in[0] + in[1], in[1] being null for none; 0 where in[2], if there is one, is not above 0.
std::unique_ptr<Op> make_add_gradients(int64_t image_size, const Kernels& kernels);

/// out[i] = what the total loss's derivative by image i's loss is: factor, times the image's weight
/// (row rows[i] of the caller's array in[0], where there is one), over the batch's sum of weights
/// where `mean_by_weight`. With several `weights` an image they are in its loss already, of which
/// there are as many terms.
std::unique_ptr<Op> make_loss_scale(float factor, bool mean_by_weight, int64_t batch,
                                    int64_t weights);

}  // namespace pronghorn
