// SPDX-License-Identifier: Apache-2.0
#include "plan/measure.h"

#include <algorithm>
#include <chrono>

#include "core/parallel.h"
#include "ops/op.h"

namespace pronghorn {

double measure_peak(int threads) {
    constexpr int kRepeats = 20;
    constexpr int64_t kRounds = 200000;
    check(threads >= 1 && threads <= 1024, "measure_peak", "expected 1 to 1024 threads, got ",
          threads);
    struct Context {
        const Kernels& kernels;
        std::atomic<int> team{1};
    } context{kernel_table("")};
    const auto body = [](void* opaque, int /*thread*/, int team) {
        auto& shared = *static_cast<Context*>(opaque);
        shared.team = team;
        float sink[64];
        shared.kernels.multiply_add_loop(kRounds, sink);
    };
    double best = 0;
    for (int i = 0; i < kRepeats; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        parallel_run(threads, body, &context);
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
        // Per round: 12 chains of a multiply and an add on every lane.
        const double flops = 24.0 * kRounds * context.kernels.lanes * context.team;
        best = std::max(best, flops / spent.count() * 1e-9);
    }
    return best;
}

}  // namespace pronghorn
