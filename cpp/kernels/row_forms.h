// SPDX-License-Identifier: Apache-2.0
// Two ways in which vectors lie over rows of classes, so that a function of rows is written once:
// Along takes one row, its classes along the vectors; SideBySide takes up to kLanes rows of a few
// classes, one class to a vector, transposed on the way in and out. What is summed over all vectors
// becomes, in every lane, the sum of the lane's own row.
#pragma once

#include "kernels/kernels.h"
#include "kernels/simd.h"
#include "kernels/simd_math.h"

namespace pronghorn::PRONGHORN_ISA {

constexpr float kInfinity = __builtin_inff();
/// Up to here transposing beats one row at a time.
constexpr int64_t kMostSideBySide = 32;
inline bool lie_side_by_side(int64_t rows, int64_t classes) {
    return rows > 1 && classes <= kMostSideBySide;
}
/// Where rows are transposed to; what is written out later lies in the first, too.
enum Buffer : int { kFirst, kSecond };

struct PlainSum {
    void add(Vec x) { sum = sum + x; }
    Vec sum = zero();
};

/// A sum that keeps its rounding errors (Knuth's two-sum), for terms that may cancel.
struct CarefulSum {
    void add(Vec x) {
        const Vec next = sum + x, part = next - sum;
        error = error + ((sum - (next - part)) + (x - part));
        sum = next;
    }
    /// The errors, but for a sum that is infinite.
    Vec correction() const { return where(less(abs(sum), set1(kInfinity)), error); }
    Vec sum = zero(), error = zero();
};

struct Along {
    explicit Along(int64_t classes)
        : vectors((classes + kLanes - 1) / kLanes),
          last(static_cast<int>(classes - (vectors - 1) * kLanes)) {}

    int count(int64_t v) const { return v + 1 < vectors ? kLanes : last; }
    const float* read(const float* x, Buffer) const { return x; }
    float* place(float* y) const { return y; }
    void write(const float* /*own*/, float* /*y*/) const {}

    Vec load(const float* x, int64_t v) const { return load_upto(x + v * kLanes, count(v)); }
    Vec or_zero(Vec value, int64_t v) const { return where(first_lanes(count(v)), value); }
    Vec load_or(const float* x, int64_t v, float missing) const {
        return select(first_lanes(count(v)), load(x, v), set1(missing));
    }
    void store(float* y, int64_t v, Vec value) const {
        store_upto(y + v * kLanes, value, count(v));
    }
    /// Numbers of the classes.
    Vec of_classes(const float* numbers, int64_t v) const { return load(numbers, v); }
    /// The classes' own numbers.
    Vec index(int64_t v) const {
        static constexpr float kFirstLanes[] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                8, 9, 10, 11, 12, 13, 14, 15};
        return PRONGHORN_ISA::load(kFirstLanes) + set1(static_cast<float>(v * kLanes));
    }
    /// Numbers of the rows, in their lanes.
    Vec spread(const float* of_rows) const { return set1(*of_rows); }
    Vec sum(Vec x) const { return set1(reduce_add(x)); }
    Vec sum(const PlainSum& x) const { return sum(x.sum); }
    Vec sum(const CarefulSum& x) const {
        float sums[kLanes], errors[kLanes];
        PRONGHORN_ISA::store(sums, x.sum);
        PRONGHORN_ISA::store(errors, x.correction());
        double total = 0;
        for (int i = 0; i < kLanes; ++i) {
            total += static_cast<double>(sums[i]) + static_cast<double>(errors[i]);
        }
        return set1(static_cast<float>(total));
    }
    Vec largest(Vec x) const { return set1(reduce_max(x)); }

    int rows = 1;
    int64_t vectors;
    int last;
};

struct SideBySide {
    SideBySide(int count, int64_t classes, float* memory)
        : rows(count), vectors(classes), buffers(memory) {}

    const float* read(const float* x, Buffer which) const {
        float* own = buffers + which * kMostSideBySide * kLanes;
        if (!few()) {
            to_lanes(x, rows, vectors, own);
            return own;
        }
        for (int64_t v = 0; v < vectors; ++v) {
            for (int i = 0; i < kLanes; ++i) own[v * kLanes + i] = x[i * vectors + v];
        }
        return own;
    }
    float* place(float* /*y*/) const { return buffers; }
    void write(const float* own, float* y) const {
        if (!few()) return from_lanes(own, rows, vectors, y);
        for (int64_t v = 0; v < vectors; ++v) {
            for (int i = 0; i < kLanes; ++i) y[i * vectors + v] = own[v * kLanes + i];
        }
    }

    Vec load(const float* x, int64_t v) const { return PRONGHORN_ISA::load(x + v * kLanes); }
    Vec or_zero(Vec value, int64_t) const { return value; }
    Vec load_or(const float* x, int64_t v, float /*missing*/) const { return load(x, v); }
    void store(float* y, int64_t v, Vec value) const {
        PRONGHORN_ISA::store(y + v * kLanes, value);
    }
    Vec of_classes(const float* numbers, int64_t v) const { return set1(numbers[v]); }
    Vec index(int64_t v) const { return set1(static_cast<float>(v)); }
    Vec spread(const float* of_rows) const { return load_upto(of_rows, rows); }
    Vec sum(Vec x) const { return x; }
    Vec sum(const PlainSum& x) const { return x.sum; }
    Vec sum(const CarefulSum& x) const { return x.sum + x.correction(); }
    Vec largest(Vec x) const { return x; }

    /// Whole groups so narrow that element by element is faster than transposing squares.
    bool few() const { return rows == kLanes && 3 * vectors < kLanes; }

    int rows;
    int64_t vectors;
    float* buffers;
};

/// Call body(form, first row) for all rows.
template <typename Body>
inline void for_groups(int64_t rows, int64_t classes, Body body) {
    float memory[2 * kMostSideBySide * kLanes];
    for_vectors(rows,
                [&](int64_t row, int count) { body(SideBySide(count, classes, memory), row); });
}
template <typename Body>
inline void for_forms(int64_t rows, int64_t classes, Body body) {
    if (lie_side_by_side(rows, classes)) return for_groups(rows, classes, body);
    for (int64_t row = 0; row < rows; ++row) body(Along(classes), row);
}

/// The rows' largest x, and the sums of the exponentials.
struct RowSums {
    Vec largest, sum;
};

/// y = exp(x - largest).
template <typename Form>
inline RowSums exponentials(const Form& form, const float* x, float* y) {
    Vec largest = set1(-kInfinity);
    for (int64_t v = 0; v < form.vectors; ++v) {
        largest = max_number(largest, form.load_or(x, v, -kInfinity));
    }
    largest = form.largest(largest);
    Vec sum = zero();
    for (int64_t v = 0; v < form.vectors; ++v) {
        const Vec e = exp(form.load_or(x, v, -kInfinity) - largest);
        sum = sum + e;
        form.store(y, v, e);
    }
    return {largest, form.sum(sum)};
}

}  // namespace pronghorn::PRONGHORN_ISA
