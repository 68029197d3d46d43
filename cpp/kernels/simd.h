// SPDX-License-Identifier: Apache-2.0
// The vector words kernels are written in: Vec is kLanes floats, with + - * / from the compiler and
// the functions below from simd_<isa>.h. Included by kernels only; PRONGHORN_ISA names the
// namespace.
//
// NaN: max_keep_nan and min_keep_nan return NaN where either operand is NaN (x86's own max returns
// the second operand), so the body and the tail of a loop agree.
#pragma once

#ifndef PRONGHORN_ISA
#error "simd.h belongs to files that are compiled once per instruction set"
#endif

#if defined(__AVX512F__)
#include "kernels/simd_avx512.h"
#elif defined(__AVX2__)
#include "kernels/simd_avx2.h"
#else
#include "kernels/simd_baseline.h"
#endif

namespace pronghorn::PRONGHORN_ISA {

constexpr int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }
constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Brings a cache line near; the address need not exist.
inline void prefetch(const float* x) { __builtin_prefetch(x); }

inline Vec relu(Vec x) { return max_number(zero(), x); }  // of NaN: NaN, the second operand

inline Vec one() { return set1(1.0f); }
inline Vec where(Mask mask, Vec value) { return select(mask, value, zero()); }

/// Calls body(index, count) for [0, size) in whole vectors, the last one with count < kLanes.
template <typename Body>
inline void for_vectors(int64_t size, Body body) {
    int64_t i = 0;
    for (; i + kLanes <= size; i += kLanes) body(i, kLanes);
    if (i < size) body(i, static_cast<int>(size - i));
}

inline Vec load_upto(const float* x, int count) {
    return count == kLanes ? load(x) : load_partial(x, count);
}
inline void store_upto(float* x, Vec value, int count) {
    if (count == kLanes) {
        store(x, value);
    } else {
        store_partial(x, value, count);
    }
}

/// The sum of each row's lanes; as many rows as fill whole vectors.
template <int kRows>
inline void store_row_sums(const Vec (&rows)[kRows], float* sums) {
    static_assert(kRows % kLanes == 0);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; i += kLanes) {
        Vec square[kLanes];
#pragma GCC unroll 16
        for (int k = 0; k < kLanes; ++k) square[k] = rows[i + k];
        store(sums + i, sum_rows(square));
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
