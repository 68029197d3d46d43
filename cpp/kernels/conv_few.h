// SPDX-License-Identifier: Apache-2.0
// Convolutions to a few channels, which would leave most of a vector empty: the inputs of a run are
// the lanes instead.
#pragma once

#include "kernels/kernels.h"

namespace pronghorn::PRONGHORN_ISA {

/// Whether it takes less time so; what conv_rows and conv_rows_dw ask first.
bool is_few(const Conv& conv);
bool is_few(const ConvGradient& gradient);

void conv_few(const Conv& conv);
void conv_few_dw(const ConvGradient& gradient);

}  // namespace pronghorn::PRONGHORN_ISA
