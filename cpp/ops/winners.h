// SPDX-License-Identifier: Apache-2.0
// The winners of max pooling, kept from forward to backward: one or two bytes each, in memory that
// is counted in floats and by image. A group of images (lanes) has them side by side, from the
// memory of its first image on.
#pragma once

#include "kernels/kernels.h"

namespace pronghorn {

/// Floats that hold so many.
inline int64_t winner_floats(const Pool& pool, int64_t count) {
    return (count * pool.winner_bytes() + 3) / 4;
}

/// Those from number `first` on, or null where there is no memory.
inline void* winners_from(const Pool& pool, float* memory, int64_t first) {
    return memory == nullptr ? nullptr
                             : reinterpret_cast<char*>(memory) + first * pool.winner_bytes();
}

}  // namespace pronghorn
