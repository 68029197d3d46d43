// SPDX-License-Identifier: Apache-2.0
// Rewrites of a graph that save passes over memory or keep numbers: an activation joins the op that
// feeds it, and its mask in the backward pass the op that reads it; a softmax joins the
// cross-entropy behind it, a batch_norm in inference goes into the weights of the convolution
// before it, a convolution of few cells by a large kernel becomes a dense layer, nodes nobody reads
// go, and rows and columns of images that nobody reads.
#pragma once

#include <vector>

#include "plan/graph.h"

namespace pronghorn {

/// `wanted` tensors (outputs, losses, metrics) keep their numbers and values. Without `speed` only
/// what keeps numbers and what nobody reads is rewritten. With `any_algorithm` a convolution may
/// become an op of another kind.
void fuse(Graph& graph, const std::vector<int>& wanted, bool speed, bool any_algorithm);

}  // namespace pronghorn
