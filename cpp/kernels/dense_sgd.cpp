// SPDX-License-Identifier: Apache-2.0
// The way back through a fully connected layer for one row of x, the weights moving by SGD in the
// same sweep: gradients of weights never leave the registers, and each weight is read and written
// once. In L2 (576 x 120, Zen 5, AVX-512) that takes two thirds of the time of two sweeps.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

constexpr int kMostVectors = 8;  // of dy that stay in registers

enum class Rule : uint8_t { kPlain, kMomentum, kNesterov };

/// Moves vectors of weights.
template <Rule kRule>
struct Mover {
    Vec rate, momentum;

    explicit Mover(const Sgd& sgd) : rate(set1(sgd.learning_rate)), momentum(set1(sgd.momentum)) {}

    static Vec velocity_of(const float* at) { return kRule == Rule::kPlain ? zero() : load(at); }

    /// w and its velocity v were loaded before.
    void move(Vec gradient, Vec w, Vec v, float* to_w, float* to_v) const {
        const Vec step = rate * gradient;
        if constexpr (kRule == Rule::kPlain) return store(to_w, w - step);
        const Vec next = momentum * v - step;
        store(to_v, next);
        store(to_w, w + (kRule == Rule::kNesterov ? momentum * next - step : next));
    }
};

/// Row k of w in kVectors vectors. The last one is moved left over its neighbour where the row ends
/// inside of it, and is read before that is written: both write the same, and there are no masked
/// stores, with which the sweep takes twice as long. Returns vectors whose lanes add up to dx.
template <int kVectors, Rule kRule>
inline Vec sweep_row(const DenseSgd& dense, const Mover<kRule>& mover, const Vec (&dy)[kVectors],
                     Vec dy_end, int64_t k) {
    const int64_t last = dense.out - kLanes;
    const Vec x = set1(dense.x[k]);
    float* w = dense.w + k * dense.out;
    float* v = kRule == Rule::kPlain ? nullptr : dense.velocity + k * dense.out;
    const Vec w_end = load(w + last), v_end = mover.velocity_of(v + last);
    Vec sum = dy_end * w_end;
#pragma GCC unroll 8
    for (int i = 0; i < kVectors - 1; ++i) {
        const Vec weight = load(w + i * kLanes);
        sum = fma(dy[i], weight, sum);
        mover.move(x * dy[i], weight, mover.velocity_of(v + i * kLanes), w + i * kLanes,
                   v + i * kLanes);
    }
    mover.move(x * dy[kVectors - 1], w_end, v_end, w + last, v + last);
    return sum;
}

template <int kVectors, Rule kRule>
void sweep(const DenseSgd& dense) {
    const int64_t last = dense.out - kLanes;
    const Mover<kRule> mover(dense.sgd);
    Vec dy[kVectors];
    for (int i = 0; i < kVectors - 1; ++i) dy[i] = load(dense.dy + i * kLanes);
    dy[kVectors - 1] = load(dense.dy + last);
    const auto doubled = static_cast<int>((kVectors - 1) * kLanes - last);
    const Vec dy_end = select(first_lanes(doubled), zero(), dy[kVectors - 1]);
    for (int64_t k = 0; k < dense.in; k += 4) {
        const int64_t rows = dense.in - k < 4 ? dense.in - k : 4;
        Vec sums[4];
#pragma GCC unroll 1
        for (int64_t r = 0; r < rows; ++r) {
            sums[r] = sweep_row<kVectors, kRule>(dense, mover, dy, dy_end, k + r);
        }
        if (dense.dx == nullptr) continue;
        if (rows == 4) {
            reduce_add4(sums[0], sums[1], sums[2], sums[3], dense.dx + k);
        } else {
            for (int64_t r = 0; r < rows; ++r) dense.dx[k + r] = reduce_add(sums[r]);
        }
    }
}

template <int kVectors, Rule kRule>
void sweep_of(const DenseSgd& dense) {
    if constexpr (kVectors > 1) {
        if (dense.out <= (kVectors - 1) * kLanes) return sweep_of<kVectors - 1, kRule>(dense);
    }
    sweep<kVectors, kRule>(dense);
}

}  // namespace

void dense_sgd(const DenseSgd& dense) noexcept {
    if (dense.sgd.momentum == 0.0f) return sweep_of<kMostVectors, Rule::kPlain>(dense);
    if (dense.sgd.nesterov) return sweep_of<kMostVectors, Rule::kNesterov>(dense);
    sweep_of<kMostVectors, Rule::kMomentum>(dense);
}

}  // namespace pronghorn::PRONGHORN_ISA
