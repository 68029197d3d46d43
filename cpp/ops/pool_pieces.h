// SPDX-License-Identifier: Apache-2.0
// Pools of images, or volumes, that are cut into pieces along their first axis, called rows here.
#pragma once

#include "ops/pieces.h"

namespace pronghorn {

/// The pool of those rows of x and windows alone; the rows reach at least as far as the windows.
inline Pool part_of(Pool pool, Range rows, Range windows) {
    pool.pad_top += rows.begin - windows.begin * pool.stride_h;
    pool.in_h = rows.count;
    pool.out_h = windows.count;
    return pool;
}

/// Rows of x from the first of these windows on to the last row.
inline Range rows_from(const Pool& pool, Range windows) {
    const int64_t begin = std::max<int64_t>(0, windows.begin * pool.stride_h - pool.pad_top);
    return {begin, pool.in_h - begin};
}

/// Those up to the first row of the next windows, which must not overlap these.
inline Range rows_between(const Pool& pool, Range windows) {
    const int64_t next = windows.begin + windows.count;
    Range rows = rows_from(pool, windows);
    if (next < pool.out_h) rows.count = next * pool.stride_h - pool.pad_top - rows.begin;
    return rows;
}

/// The windows that overlap those rows of x.
inline Range windows_over(const Pool& pool, Range rows) {
    const int64_t above =
        std::max<int64_t>(0, rows.begin + pool.pad_top - pool.pool_h + pool.stride_h);
    const int64_t last = rows.begin + rows.count - 1 + pool.pad_top;
    const int64_t begin = std::min(above / pool.stride_h, pool.out_h);
    return {begin, std::clamp(last / pool.stride_h + 1, begin, pool.out_h) - begin};
}

}  // namespace pronghorn
