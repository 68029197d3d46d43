// SPDX-License-Identifier: Apache-2.0
// Winograd F(4x4, 3x3), F(3x3, 4x4), F(2x2, 5x5) and F(4x4, 2x2) along one axis, with the points 0,
// +-3/4, +-3/2 and infinity, for 2 taps +-1/2, +-5/4 and infinity (Lavin and Gray 2015; these
// points give half the error of 0, +-1, +-2):
//   y = At [(G g Gt) * (Bt x B)] A,   dw = Gt [(A dy At) * (Bt x B)] G.
// The constants of Bt and A are exact in float; all thirds are in G. The last point is infinity:
// its products are the last tap's alone. Forms of 6 points have the same Bt; the lengths of arrays
// choose between the others.
#pragma once

#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {

constexpr int kWinogradPanel = 2 * kLanes;  // columns of a product's tile

template <int kTapsOfAxis>
struct WinogradAxis {
    static constexpr int kTaps = kTapsOfAxis;
    static constexpr int kStep = kTaps == 1 ? 1 : kTaps <= 3 ? 4 : 7 - kTaps;  // outputs of a tile
    static constexpr int kPoints = kStep + kTaps - 1;                          // and inputs
};

template <int kTapsH, int kTapsW>
struct WinogradForm {
    using Rows = WinogradAxis<kTapsH>;
    using Columns = WinogradAxis<kTapsW>;
};

/// Calls use(form).
template <typename Use>
inline void with_winograd_form(int64_t taps_h, int64_t taps_w, Use use) {
    if (taps_h == 1) {
        if (taps_w == 2) return use(WinogradForm<1, 2>{});
        if (taps_w == 3) return use(WinogradForm<1, 3>{});
        if (taps_w == 4) return use(WinogradForm<1, 4>{});
        return use(WinogradForm<1, 5>{});
    }
    if (taps_w == 2) return use(WinogradForm<2, 2>{});
    if (taps_w == 3) return use(WinogradForm<3, 3>{});
    if (taps_w == 4) return use(WinogradForm<4, 4>{});
    use(WinogradForm<5, 5>{});
}

// GCC would make functions of some of these, whose arrays lie in memory: 6 % of a 3 x 3
// convolution's time, up to a third with strides.

/// Even and odd parts of a polynomial at the points +-near and +-far, which lie in this order.
struct WinogradParts {
    Vec even_near, odd_near, even_far, odd_far;

    [[gnu::always_inline]] static WinogradParts of(const Vec* v) {
        return {v[0] + v[1], v[0] - v[1], v[2] + v[3], v[2] - v[3]};
    }
    [[gnu::always_inline]] void join(Vec* v) const {
        v[0] = even_near + odd_near;
        v[1] = even_near - odd_near;
        v[2] = even_far + odd_far;
        v[3] = even_far - odd_far;
    }
};

/// Bt: inputs to as many points.
template <int kPoints>
[[gnu::always_inline]] inline void winograd_bt(const Vec (&x)[kPoints], Vec (&v)[kPoints]) {
    if constexpr (kPoints == 5) {
        const Vec near = set1(-1.0f / 4), far = set1(-25.0f / 16), sum = set1(-29.0f / 16);
        const Vec odd_near = fma(x[1], far, x[3]), even_near = fma(x[0], far, x[2]) * set1(0.5f);
        const Vec odd_far = fma(x[1], near, x[3]), even_far = fma(x[0], near, x[2]) * set1(1.25f);
        WinogradParts{odd_near, even_near, odd_far, even_far}.join(v);
        v[4] = fma(x[0], set1(25.0f / 64), fma(x[2], sum, x[4]));
    } else {
        const Vec near = set1(-9.0f / 16), far = set1(-9.0f / 4), sum = set1(-45.0f / 16);
        const Vec even_near = fma(x[2], far, x[4]), odd_near = fma(x[1], far, x[3]) * set1(0.75f);
        const Vec even_far = fma(x[2], near, x[4]), odd_far = fma(x[1], near, x[3]) * set1(1.5f);
        v[0] = fma(x[0], set1(81.0f / 64), fma(x[2], sum, x[4]));
        WinogradParts{even_near, odd_near, even_far, odd_far}.join(v + 1);
        v[5] = fma(x[1], set1(81.0f / 64), fma(x[3], sum, x[5]));
    }
}

/// At: points to 4, 3 or 2 outputs.
template <int kStep>
[[gnu::always_inline]] inline void winograd_at(const Vec (&m)[6], Vec (&y)[kStep]) {
    const auto [even_near, odd_near, even_far, odd_far] = WinogradParts::of(m + 1);
    // Of all points but infinity, which adds to the last output.
    Vec odd = odd_near * set1(0.75f), even = even_near * set1(0.5625f);
    Vec cube = odd_near * set1(27.0f / 64);
    if constexpr (kStep == 2) odd = fma(odd_near, set1(0.75f), m[5]);
    if constexpr (kStep == 3) even = fma(even_near, set1(0.5625f), m[5]);
    if constexpr (kStep == 4) cube = fma(odd_near, set1(27.0f / 64), m[5]);
    y[0] = m[0] + even_near + even_far;
    y[1] = fma(odd_far, set1(1.5f), odd);
    if constexpr (kStep > 2) y[2] = fma(even_far, set1(2.25f), even);
    if constexpr (kStep > 3) y[3] = fma(odd_far, set1(27.0f / 8), cube);
}

[[gnu::always_inline]] inline void winograd_at(const Vec (&m)[5], Vec (&y)[4]) {
    const auto [even_near, odd_near, even_far, odd_far] = WinogradParts::of(m);
    y[0] = even_near + even_far;
    y[1] = fma(odd_far, set1(1.25f), odd_near * set1(0.5f));
    y[2] = fma(even_far, set1(25.0f / 16), even_near * set1(0.25f));
    y[3] = fma(odd_far, set1(125.0f / 64), fma(odd_near, set1(0.125f), m[4]));
}

/// A: the gradients of 4, 3 or 2 outputs to points.
template <int kStep>
[[gnu::always_inline]] inline void winograd_a(const Vec (&y)[kStep], Vec (&d)[6]) {
    Vec even_near = y[0], odd_near = y[1], even_far = y[0], odd_far = y[1];
    if constexpr (kStep > 2) {
        even_near = fma(y[2], set1(0.5625f), even_near);
        even_far = fma(y[2], set1(2.25f), even_far);
    }
    if constexpr (kStep > 3) {
        odd_near = fma(y[3], set1(0.5625f), odd_near);
        odd_far = fma(y[3], set1(2.25f), odd_far);
    }
    odd_near = odd_near * set1(0.75f);
    odd_far = odd_far * set1(1.5f);
    d[0] = y[0];
    WinogradParts{even_near, odd_near, even_far, odd_far}.join(d + 1);
    d[5] = y[kStep - 1];
}

[[gnu::always_inline]] inline void winograd_a(const Vec (&y)[4], Vec (&d)[5]) {
    const Vec even_near = fma(y[2], set1(0.25f), y[0]);
    const Vec odd_near = fma(y[3], set1(0.25f), y[1]) * set1(0.5f);
    const Vec even_far = fma(y[2], set1(25.0f / 16), y[0]);
    const Vec odd_far = fma(y[3], set1(25.0f / 16), y[1]) * set1(1.25f);
    WinogradParts{even_near, odd_near, even_far, odd_far}.join(d);
    d[4] = y[3];
}

/// G: taps to points.
template <int kTaps>
inline void winograd_g(const Vec (&g)[kTaps], Vec (&u)[6]) {
    Vec even_near = fma(g[2], set1(-8.0f / 27), g[0] * set1(-128.0f / 243));
    Vec even_far = fma(g[2], set1(8.0f / 27), g[0] * set1(32.0f / 243));
    Vec odd_near = g[1] * set1(-32.0f / 81), odd_far = g[1] * set1(16.0f / 81);
    if constexpr (kTaps > 3) {
        odd_near = fma(g[3], set1(-2.0f / 9), odd_near);
        odd_far = fma(g[3], set1(4.0f / 9), odd_far);
    }
    if constexpr (kTaps > 4) {
        even_near = fma(g[4], set1(-1.0f / 6), even_near);
        even_far = fma(g[4], set1(2.0f / 3), even_far);
    }
    u[0] = g[0] * set1(64.0f / 81);
    WinogradParts{even_near, odd_near, even_far, odd_far}.join(u + 1);
    u[5] = g[kTaps - 1];
}

inline void winograd_g(const Vec (&g)[2], Vec (&u)[5]) {
    const Vec even_near = g[1] * set1(-8.0f / 21), odd_near = g[0] * set1(-16.0f / 21);
    const Vec even_far = g[1] * set1(8.0f / 21), odd_far = g[0] * set1(32.0f / 105);
    WinogradParts{even_near, odd_near, even_far, odd_far}.join(u);
    u[4] = g[1];
}

/// Gt: points to the gradients of taps.
template <int kTaps>
inline void winograd_gt(const Vec (&s)[6], Vec (&g)[kTaps]) {
    const auto [even_near, odd_near, even_far, odd_far] = WinogradParts::of(s + 1);
    g[0] = fma(s[0], set1(64.0f / 81),
               fma(even_far, set1(32.0f / 243), even_near * set1(-128.0f / 243)));
    g[1] = fma(odd_far, set1(16.0f / 81), odd_near * set1(-32.0f / 81));
    g[2] = (even_far - even_near) * set1(8.0f / 27);
    if constexpr (kTaps > 3) g[3] = fma(odd_far, set1(4.0f / 9), odd_near * set1(-2.0f / 9));
    if constexpr (kTaps > 4) g[4] = fma(even_far, set1(2.0f / 3), even_near * set1(-1.0f / 6));
    g[kTaps - 1] = g[kTaps - 1] + s[5];
}

inline void winograd_gt(const Vec (&s)[5], Vec (&g)[2]) {
    const auto [even_near, odd_near, even_far, odd_far] = WinogradParts::of(s);
    g[0] = fma(odd_far, set1(32.0f / 105), odd_near * set1(-16.0f / 21));
    g[1] = fma(even_far - even_near, set1(8.0f / 21), s[4]);
}

/// An axis of one tap stays as it is.
inline void winograd_g(const Vec (&g)[1], Vec (&u)[1]) { u[0] = g[0]; }
inline void winograd_gt(const Vec (&s)[1], Vec (&g)[1]) { g[0] = s[0]; }

/// A tile's place in the batch.
template <typename Form>
struct WinogradCursor {
    WinogradCursor(const WinogradTiles& of, int64_t tile)
        : tiles(of),
          rows(of.height.lattices * of.height.tiles),
          columns(of.width.lattices * of.width.tiles),
          row(tile / columns % rows),
          column(tile % columns),
          slice(tile / (rows * columns) % of.depth.tiles),
          image(tile / (rows * columns * of.depth.tiles)) {}

    void next() {
        if (++column < columns) return;
        column = 0;
        if (++row < rows) return;
        row = 0;
        if (++slice < tiles.depth.tiles) return;
        slice = 0;
        ++image;
    }

    int64_t front() const { return slice - tiles.depth.before; }
    int64_t top() const { return begin<typename Form::Rows>(tiles.height, row); }
    int64_t left() const { return begin<typename Form::Columns>(tiles.width, column); }
    /// Of the tile's corner in the map; outside of it where the map is padded.
    int64_t offset() const {
        const int64_t rows_before = (image * tiles.depth.cells + front()) * tiles.height.cells;
        return ((rows_before + top()) * tiles.width.cells + left()) * tiles.pixel;
    }

    const WinogradTiles& tiles;
    int64_t rows, columns;  // of tiles in a slice
    int64_t row, column, slice, image;

   private:
    template <typename Axis>
    static int64_t begin(const WinogradTiles::Axis& axis, int64_t number) {
        if (axis.lattices == 1) return axis.spacing * Axis::kStep * number - axis.before;
        return axis.spacing * Axis::kStep * (number % axis.tiles) + number / axis.tiles -
               axis.before;
    }
};

/// Where the vector of channels from `channel` on lies in a tile's row of a plane.
inline int64_t winograd_place(const WinogradTiles& tiles, int64_t channel) {
    return channel / kWinogradPanel * tiles.panel + channel % kWinogradPanel;
}

}  // namespace pronghorn::PRONGHORN_ISA
