// SPDX-License-Identifier: Apache-2.0
// What the machine can do at most, for percentages in benchmarks.
#pragma once

namespace pronghorn {

/// float32 GFLOP/s of multiply-adds in registers, on that many threads with the process's kernels.
double measure_peak(int threads);

}  // namespace pronghorn
