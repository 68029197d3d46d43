// SPDX-License-Identifier: Apache-2.0
// This instruction set's table of kernels.
#include "kernels/kernels.h"
#include "kernels/simd.h"

#define PRONGHORN_TEXT_OF(name) #name
#define PRONGHORN_TEXT(name) PRONGHORN_TEXT_OF(name)

namespace pronghorn::PRONGHORN_ISA {

extern const Kernels kTable;
const Kernels kTable = {
    PRONGHORN_TEXT(PRONGHORN_ISA),
    kLanes,
    2 * kLanes,
#define PRONGHORN_KERNEL(name, parameters) &name,
#include "kernels/kernel_list.inc"
#undef PRONGHORN_KERNEL
};

}  // namespace pronghorn::PRONGHORN_ISA
