// SPDX-License-Identifier: Apache-2.0
// What tests of kernels share: the tables of every instruction set this CPU has, seeded input, and
// the comparison with a reference computed in double.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kernels/kernels.h"

namespace pronghorn::baseline {
extern const Kernels kTable;
}
namespace pronghorn::avx2 {
extern const Kernels kTable;
}
namespace pronghorn::avx512 {
extern const Kernels kTable;
}

namespace pronghorn::test {

inline std::vector<const Kernels*> tables() {
    std::vector<const Kernels*> tables{&baseline::kTable};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        tables.push_back(&avx2::kTable);
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
            tables.push_back(&avx512::kTable);
        }
    }
    return tables;
}

/// n floats in [-1, 1), the same on every machine: exactly n, so that the address sanitizer sees a
/// kernel that reads one more.
inline std::vector<float> random_floats(int64_t n, uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<float> values(static_cast<size_t>(n));
    for (float& value : values) {
        value = static_cast<float>(random() >> 8) * 0x1p-23f - 1.0f;
    }
    return values;
}

/// The same as a gate: some of it is NaN, or 0.
inline std::vector<float> random_gate(int64_t n, uint32_t seed) {
    std::vector<float> gate = random_floats(n, seed);
    for (size_t i = 0; i < gate.size(); i += 5) gate[i] = i % 2 == 0 ? std::nanf("") : 0.0f;
    return gate;
}

/// Fails where got is further from want than tolerance * (1 + the largest finite |want|). NaN and
/// infinities must be met exactly. Only the first failure is reported.
inline void check_close(const float* got, const double* want, int64_t n, double tolerance,
                        const std::string& what) {
    double largest = 0.0;
    for (int64_t i = 0; i < n; ++i) {
        if (std::isfinite(want[i])) largest = std::max(largest, std::abs(want[i]));
    }
    const double bound = tolerance * (1.0 + largest);
    int64_t i = 0;
    for (; i < n; ++i) {
        const double value = got[i];
        if (std::isnan(want[i])   ? std::isnan(value)
            : std::isinf(want[i]) ? value == want[i]
                                  : std::abs(value - want[i]) <= bound) {
            continue;
        }
        break;
    }
    CHECK_MESSAGE(i == n, what << ": element " << i << " of " << n << " is "
                               << (i < n ? got[i] : 0.0f) << ", expected "
                               << (i < n ? want[i] : 0.0) << " within " << bound);
}

}  // namespace pronghorn::test
