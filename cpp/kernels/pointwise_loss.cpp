// SPDX-License-Identifier: Apache-2.0
// Losses of one prediction and its target (pointwise_functions.h), summed, and their slopes.
// Weights of rows are spread over the rows' elements, block by block, so that rows of any length
// fill the vectors.
#include "kernels/kernels.h"
#include "kernels/pointwise_functions.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {

namespace {

constexpr int64_t kBlock = 32 * kLanes;  // of one partial sum in float

/// The weights of elements, a block at a time.
class Weights {
   public:
    explicit Weights(const LossRows& rows) : weights_(rows.weights), columns_(rows.columns) {
        const int64_t size = rows.rows * rows.columns;
        if (weights_ == nullptr) fill(0, size < kBlock ? size : kBlock, one());
    }

    const float* of(int64_t begin, int64_t size) {
        if (weights_ == nullptr) return each_;
        if (columns_ == 1) return weights_ + begin;
        int64_t row = begin / columns_, at = begin % columns_;
        for (int64_t i = 0; i < size; ++row, at = 0) {
            const int64_t left = columns_ - at, end = i + left < size ? i + left : size;
            fill(i, end, set1(weights_[row]));
            i = end;
        }
        return each_;
    }

   private:
    /// Whole vectors: what lies behind the end is written later.
    void fill(int64_t begin, int64_t end, Vec value) {
        for (int64_t i = begin; i < end; i += kLanes) store(each_ + i, value);
    }

    const float* weights_;
    int64_t columns_;
    float each_[kBlock + kLanes];
};

/// Calls body(begin, size, the elements' weights) for the blocks of all elements.
template <typename Body>
void for_blocks(const LossRows& rows, Body body) {
    Weights weights(rows);
    const int64_t size = rows.rows * rows.columns;
    for (int64_t begin = 0; begin < size; begin += kBlock) {
        const int64_t count = size - begin < kBlock ? size - begin : kBlock;
        body(begin, count, weights.of(begin, count));
    }
}

template <typename Function>
double sum_of(const PointwiseLoss& loss, const LossRows& rows) {
    const Function function(loss);
    const Vec target_scale = set1(loss.target_scale), target_shift = set1(loss.target_shift);
    double total = 0;
    for_blocks(rows, [&](int64_t begin, int64_t size, const float* weights) {
        const float *p = rows.p + begin, *t = rows.t + begin;
        Vec sum = zero();
        for_vectors(size, [&](int64_t i, int count) {
            const Vec target = fma(load_upto(t + i, count), target_scale, target_shift);
            const Vec value = function.value(load_upto(p + i, count), target);
            const Vec term = value * load_upto(weights + i, count);
            sum = sum + (count == kLanes ? term : where(first_lanes(count), term));
        });
        total += static_cast<double>(reduce_add(sum));
    });
    return total;
}

template <typename Function>
void slopes(const PointwiseLoss& loss, const LossRows& rows, Vec scale, float* dp) {
    const Function function(loss);
    const Vec target_scale = set1(loss.target_scale), target_shift = set1(loss.target_shift);
    for_blocks(rows, [&](int64_t begin, int64_t size, const float* weights) {
        const float *p = rows.p + begin, *t = rows.t + begin;
        float* out = dp + begin;
        for_vectors(size, [&](int64_t i, int count) {
            const Vec target = fma(load_upto(t + i, count), target_scale, target_shift);
            const Vec slope = function.slope(load_upto(p + i, count), target);
            store_upto(out + i, scale * load_upto(weights + i, count) * slope, count);
        });
    });
}

}  // namespace

void pointwise_loss(const PointwiseLoss& loss, const LossRows& rows, double* sum) noexcept {
    switch (loss.kind) {
#define PRONGHORN_POINTWISE_LOSS(name, Type) \
    case Pointwise::k##Type:                 \
        *sum = sum_of<Type>(loss, rows);     \
        return;
#include "kernels/pointwise_loss_list.inc"
#undef PRONGHORN_POINTWISE_LOSS
    }
}

void pointwise_loss_backward(const PointwiseLoss& loss, const LossRows& rows, float scale,
                             float* dp) noexcept {
    switch (loss.kind) {
#define PRONGHORN_POINTWISE_LOSS(name, Type) \
    case Pointwise::k##Type:                 \
        return slopes<Type>(loss, rows, set1(scale), dp);
#include "kernels/pointwise_loss_list.inc"
#undef PRONGHORN_POINTWISE_LOSS
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
