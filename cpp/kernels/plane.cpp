// SPDX-License-Identifier: Apache-2.0
// Planes: elementwise work on two or three broadcasting operands, reductions, and transpositions.
// What broadcasts is a constant along a row (step 0) or the same row again (row 0); short rows that
// repeat, as a few channels do, are first repeated until they fill whole vectors.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

constexpr int64_t kShort = 64;  // floats of a row worth repeating: a pattern is kLanes of them

/// One operand along a row.
template <bool kConstant>
struct Along {
    const float* x;
    Vec same;
    explicit Along(const float* row) : x(row), same(kConstant ? set1(*row) : zero()) {}
    Vec at(int64_t i, int count) const { return kConstant ? same : load_upto(x + i, count); }
};

/// The plane with rows joined, `times` rows to one; operands of row 0 come from `patterns`.
bool join_rows(const Plane& plane, int operands, float (*patterns)[kShort * kLanes],
               Plane* joined) {
    if (plane.size % kLanes == 0 || plane.size >= kShort || plane.rows < 2 * kLanes) return false;
    *joined = plane;
    joined->rows = plane.rows / kLanes;
    joined->size = plane.size * kLanes;
    for (int p = 0; p < operands; ++p) {
        const Plane::Operand& operand = plane.in[p];
        if (operand.row == operand.step * plane.size) {  // contiguous, or the same everywhere
            joined->in[p].row = operand.row * kLanes;
        } else if (operand.row == 0) {
            for (int64_t begin = 0; begin < joined->size; begin += plane.size) {
                for (int64_t i = 0; i < plane.size; ++i) patterns[p][begin + i] = operand.x[i];
            }
            joined->in[p].x = patterns[p];
        } else {
            return false;
        }
    }
    return true;
}

template <bool kASame, bool kBSame, typename Function>
void rows_of_two(const Plane& plane, Function function) {
    for (int64_t r = 0; r < plane.rows; ++r) {
        const Along<kASame> a(plane.in[0].x + r * plane.in[0].row);
        const Along<kBSame> b(plane.in[1].x + r * plane.in[1].row);
        float* y = plane.y + r * plane.size;
        for_vectors(plane.size, [&](int64_t i, int count) {
            store_upto(y + i, function(a.at(i, count), b.at(i, count)), count);
        });
    }
}

template <bool kASame, bool kBSame, bool kCSame, typename Function>
void rows_of_three(const Plane& plane, Function function) {
    for (int64_t r = 0; r < plane.rows; ++r) {
        const Along<kASame> a(plane.in[0].x + r * plane.in[0].row);
        const Along<kBSame> b(plane.in[1].x + r * plane.in[1].row);
        const Along<kCSame> c(plane.in[2].x + r * plane.in[2].row);
        float* y = plane.y + r * plane.size;
        for_vectors(plane.size, [&](int64_t i, int count) {
            store_upto(y + i, function(a.at(i, count), b.at(i, count), c.at(i, count)), count);
        });
    }
}

template <typename Function>
void dispatch_two(const Plane& plane, Function function) {
    const bool a = plane.in[0].step == 0, b = plane.in[1].step == 0;
    if (a && b) {
        rows_of_two<true, true>(plane, function);
    } else if (a) {
        rows_of_two<true, false>(plane, function);
    } else if (b) {
        rows_of_two<false, true>(plane, function);
    } else {
        rows_of_two<false, false>(plane, function);
    }
}

template <bool kCSame, typename Function>
void dispatch_three(const Plane& plane, Function function) {
    const bool a = plane.in[0].step == 0, b = plane.in[1].step == 0;
    if (a && b) {
        rows_of_three<true, true, kCSame>(plane, function);
    } else if (a) {
        rows_of_three<true, false, kCSame>(plane, function);
    } else if (b) {
        rows_of_three<false, true, kCSame>(plane, function);
    } else {
        rows_of_three<false, false, kCSame>(plane, function);
    }
}

/// dispatch(plane), by joined rows where they are short.
template <typename Dispatch>
void by_rows(const Plane& plane, int operands, Dispatch dispatch) {
    float patterns[3][kShort * kLanes];
    Plane joined;
    if (!join_rows(plane, operands, patterns, &joined)) return dispatch(plane);
    dispatch(joined);
    Plane rest = plane;
    const int64_t done = joined.rows * kLanes;
    rest.rows = plane.rows - done;
    rest.y += done * plane.size;
    for (int p = 0; p < operands; ++p) rest.in[p].x += done * plane.in[p].row;
    dispatch(rest);
}

template <typename Function>
void map_two(const Plane& plane, Function function) {
    by_rows(plane, 2, [=](const Plane& part) { dispatch_two(part, function); });
}

template <typename Function>
void map_gradient(const Plane& plane, Function function) {
    by_rows(plane, 3, [=](const Plane& part) { dispatch_three<false>(part, function); });
}

/// The share of a in the gradient of maximum: 1 where a is larger, half where they are equal.
Vec share(Vec larger, Vec smaller, Vec gradient) {
    const Vec half = select(equal(larger, smaller), gradient * set1(0.5f), zero());
    return select(less(smaller, larger), gradient, half);
}

struct Sum {
    static Vec start() { return zero(); }
    static Vec combine(Vec so_far, Vec x) { return so_far + x; }
};
struct Product {
    static Vec start() { return set1(1.0f); }
    static Vec combine(Vec so_far, Vec x) { return so_far * x; }
};
struct Maximum {
    static Vec start() { return set1(-__builtin_inff()); }
    static Vec combine(Vec so_far, Vec x) { return max_keep_nan(so_far, x); }
};
struct Minimum {
    static Vec start() { return set1(__builtin_inff()); }
    static Vec combine(Vec so_far, Vec x) { return min_keep_nan(so_far, x); }
};
struct Any {
    static Vec start() { return zero(); }
    static Vec combine(Vec so_far, Vec x) { return select(equal(x, zero()), so_far, set1(1.0f)); }
};
struct All {
    static Vec start() { return set1(1.0f); }
    static Vec combine(Vec so_far, Vec x) { return select(equal(x, zero()), zero(), so_far); }
};

/// y = combined(y, row), one number.
template <typename Way>
void reduce_row(int64_t size, const float* x, float* y) {
    Vec part[4] = {Way::start(), Way::start(), Way::start(), Way::start()};
    int64_t i = 0;
    for (; i + 4 * kLanes <= size; i += 4 * kLanes) {
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) part[j] = Way::combine(part[j], load(x + i + j * kLanes));
    }
    for (; i + kLanes <= size; i += kLanes) part[0] = Way::combine(part[0], load(x + i));
    if (i < size) {  // what lies behind the end keeps its place
        const Mask inside = first_lanes(static_cast<int>(size - i));
        const Vec last = load_partial(x + i, static_cast<int>(size - i));
        part[1] = select(inside, Way::combine(part[1], last), part[1]);
    }
    float lanes[kLanes];
    store(lanes, Way::combine(Way::combine(part[0], part[1]), Way::combine(part[2], part[3])));
    for (int half = kLanes / 2; half > 0; half /= 2) {
        const Vec low = load_partial(lanes, half), high = load_partial(lanes + half, half);
        store_partial(lanes, Way::combine(low, high), half);
    }
    const Vec total = Way::combine(set1(*y), set1(lanes[0]));
    store_partial(y, total, 1);
}

/// y[i] = combined(y[i], column i), four vectors of columns at a time.
template <typename Way>
void reduce_columns(const ReducePlane& plane) {
    int64_t i = 0;
    for (; i + 4 * kLanes <= plane.size; i += 4 * kLanes) {
        const float* x = plane.x + i;
        Vec sum[4];
        for (int j = 0; j < 4; ++j) sum[j] = load(plane.y + i + j * kLanes);
        for (int64_t r = 0; r < plane.rows; ++r, x += plane.x_row) {
#pragma GCC unroll 4
            for (int j = 0; j < 4; ++j) sum[j] = Way::combine(sum[j], load(x + j * kLanes));
        }
        for (int j = 0; j < 4; ++j) store(plane.y + i + j * kLanes, sum[j]);
    }
    for (; i < plane.size; i += kLanes) {
        const int64_t left = plane.size - i;
        const int count = left < kLanes ? static_cast<int>(left) : kLanes;
        Vec sum = load_upto(plane.y + i, count);
        for (int64_t r = 0; r < plane.rows; ++r) {
            sum = Way::combine(sum, load_upto(plane.x + r * plane.x_row + i, count));
        }
        store_upto(plane.y + i, sum, count);
    }
}

template <typename Way>
void reduce_by(const ReducePlane& plane) {
    if (plane.y_step == 1 && plane.y_row == 0) return reduce_columns<Way>(plane);
    for (int64_t r = 0; r < plane.rows; ++r) {
        const float* x = plane.x + r * plane.x_row;
        float* y = plane.y + r * plane.y_row;
        if (plane.y_step == 0) {
            reduce_row<Way>(plane.size, x, y);
        } else {
            for_vectors(plane.size, [&](int64_t i, int count) {
                const Vec sum = Way::combine(load_upto(y + i, count), load_upto(x + i, count));
                store_upto(y + i, sum, count);
            });
        }
    }
}

}  // namespace

void binary(Binary kind, const Plane& plane) noexcept {
    const Vec one = set1(1.0f);
    switch (kind) {
        case Binary::kAdd:
            return map_two(plane, [](Vec a, Vec b) { return a + b; });
        case Binary::kSubtract:
            return map_two(plane, [](Vec a, Vec b) { return a - b; });
        case Binary::kMultiply:
            return map_two(plane, [](Vec a, Vec b) { return a * b; });
        case Binary::kDivide:
            return map_two(plane, [](Vec a, Vec b) { return a / b; });
        case Binary::kMaximum:
            return map_two(plane, [](Vec a, Vec b) { return max_keep_nan(a, b); });
        case Binary::kMinimum:
            return map_two(plane, [](Vec a, Vec b) { return min_keep_nan(a, b); });
        case Binary::kGreater:
            return map_two(plane, [=](Vec a, Vec b) { return select(less(b, a), one, zero()); });
        case Binary::kLess:
            return map_two(plane, [=](Vec a, Vec b) { return select(less(a, b), one, zero()); });
        case Binary::kGreaterEqual:
            return map_two(plane, [=](Vec a, Vec b) {
                return select(mask_or(less(b, a), equal(a, b)), one, zero());
            });
        case Binary::kLessEqual:
            return map_two(plane, [=](Vec a, Vec b) {
                return select(mask_or(less(a, b), equal(a, b)), one, zero());
            });
        case Binary::kEqual:
            return map_two(plane, [=](Vec a, Vec b) { return select(equal(a, b), one, zero()); });
        case Binary::kNotEqual:
            return map_two(plane, [=](Vec a, Vec b) { return select(equal(a, b), zero(), one); });
        case Binary::kPower:
            return;
    }
}

void binary_gradient(Binary kind, int side, const Plane& plane) noexcept {
    const bool first = side == 0;
    switch (kind) {
        case Binary::kSubtract:
            if (!first) return map_gradient(plane, [](Vec, Vec, Vec d) { return zero() - d; });
            [[fallthrough]];
        case Binary::kAdd:
            return map_gradient(plane, [](Vec, Vec, Vec d) { return d; });
        case Binary::kMultiply:
            if (first) return map_gradient(plane, [](Vec, Vec b, Vec d) { return d * b; });
            return map_gradient(plane, [](Vec a, Vec, Vec d) { return d * a; });
        case Binary::kDivide:
            if (first) return map_gradient(plane, [](Vec, Vec b, Vec d) { return d / b; });
            return map_gradient(plane,
                                [](Vec a, Vec b, Vec d) { return zero() - d / b * (a / b); });
        case Binary::kMaximum:
            if (first)
                return map_gradient(plane, [](Vec a, Vec b, Vec d) { return share(a, b, d); });
            return map_gradient(plane, [](Vec a, Vec b, Vec d) { return share(b, a, d); });
        case Binary::kMinimum:
            if (first)
                return map_gradient(plane, [](Vec a, Vec b, Vec d) { return share(b, a, d); });
            return map_gradient(plane, [](Vec a, Vec b, Vec d) { return share(a, b, d); });
        default:
            return;
    }
}

void choose(const Plane& plane) noexcept {
    const auto pick = [](Vec c, Vec a, Vec b) { return select(equal(c, zero()), b, a); };
    by_rows(plane, 3, [=](const Plane& part) {
        if (part.in[2].step == 0) {
            dispatch_three<true>(part, pick);
        } else {
            dispatch_three<false>(part, pick);
        }
    });
}

void reduce(Reduction kind, const ReducePlane& plane) noexcept {
    switch (kind) {
        case Reduction::kSum:
            return reduce_by<Sum>(plane);
        case Reduction::kProduct:
            return reduce_by<Product>(plane);
        case Reduction::kMaximum:
            return reduce_by<Maximum>(plane);
        case Reduction::kMinimum:
            return reduce_by<Minimum>(plane);
        case Reduction::kAny:
            return reduce_by<Any>(plane);
        case Reduction::kAll:
            return reduce_by<All>(plane);
    }
}

void transpose_plane(int64_t rows, int64_t columns, const float* x, int64_t x_row, float* y,
                     int64_t y_row) noexcept {
    for (int64_t r = 0; r < rows; r += kLanes) {
        const int high = rows - r < kLanes ? static_cast<int>(rows - r) : kLanes;
        for_vectors(columns, [&](int64_t c, int wide) {
            Vec block[kLanes];
#pragma GCC unroll 16  // rows in registers
            for (int i = 0; i < kLanes; ++i) {
                block[i] = i < high ? load_upto(x + (r + i) * x_row + c, wide) : zero();
            }
            transpose(block);
#pragma GCC unroll 16  // rows in registers
            for (int i = 0; i < kLanes; ++i) {
                if (i < wide) store_upto(y + (c + i) * y_row + r, block[i], high);
            }
        });
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
