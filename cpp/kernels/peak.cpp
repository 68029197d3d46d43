// SPDX-License-Identifier: Apache-2.0
// The machine's ceiling: independent chains of multiply-adds that never leave the registers.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {

void multiply_add_loop(int64_t rounds, float* sink) noexcept {
    constexpr int kChains = 12;  // enough for two units of latency 4, few enough for 16 registers
    Vec chain[kChains];
    for (int i = 0; i < kChains; ++i) chain[i] = set1(static_cast<float>(i));
    const Vec factor = set1(0.999f), term = set1(1e-3f);
    for (int64_t round = 0; round < rounds; ++round) {
        for (int i = 0; i < kChains; ++i) chain[i] = fma(chain[i], factor, term);
    }
    Vec sum = zero();
    for (int i = 0; i < kChains; ++i) sum = sum + chain[i];
    store(sink, sum);
}

}  // namespace pronghorn::PRONGHORN_ISA
