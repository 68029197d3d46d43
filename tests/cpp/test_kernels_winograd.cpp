// SPDX-License-Identifier: Apache-2.0
// The Winograd kernels of every instruction set, put together to convolutions by 2 to 5 taps
// along one axis or two, dilated too, and their gradients, against loops in double. Buffers end
// where the contracts end, so that the address sanitizer sees an element too many; blocks of tiles
// begin and end anywhere in the batch.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernel_test.h"
#include "kernels/kernels.h"

namespace pronghorn::test {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

int64_t round_up(int64_t a, int64_t b) { return (a + b - 1) / b * b; }

struct Shape {
    int64_t rows, taps, batch, in_h, in_w, in_c, out_c, top, left, bottom, right;
    bool relu = false, gated = false;
    float ceiling = std::numeric_limits<float>::infinity();
    int64_t dilation = 1;

    int64_t out_h() const { return in_h + top + bottom - (rows - 1) * dilation; }
    int64_t out_w() const { return in_w + left + right - (taps - 1) * dilation; }
    int64_t x_size() const { return batch * in_h * in_w * in_c; }
    int64_t y_size() const { return batch * out_h() * out_w() * out_c; }
    int64_t w_size() const { return rows * taps * in_c * out_c; }
    static int64_t step(int64_t taps) { return taps == 1 ? 1 : taps <= 3 ? 4 : 7 - taps; }
    int64_t points() const { return (rows + step(rows) - 1) * (taps + step(taps) - 1); }
    /// Of a lattice, along a side of so many outputs.
    int64_t tiles_along(int64_t out, int64_t step) const {
        return ((out + dilation - 1) / dilation + step - 1) / step;
    }
    int64_t tiles_h() const { return tiles_along(out_h(), step(rows)); }
    int64_t tiles_w() const { return tiles_along(out_w(), step(taps)); }
    int64_t tiles() const { return batch * dilation * dilation * tiles_h() * tiles_w(); }
    WinogradTaps all_taps() const {
        return {0, {rows, rows, rows, 1, 0}, {taps, taps, taps, 1, 0}, in_c, out_c};
    }

    std::string text(const Kernels& kernels) const {
        std::string text = kernels.isa;
        for (const int64_t n :
             {rows, taps, batch, in_h, in_w, in_c, out_c, top, left, bottom, right, dilation}) {
            text += " " + std::to_string(n);
        }
        return text + (relu ? " relu" : "") + (gated ? " gated" : "");
    }
};

Shape random_shape(int64_t rows, int64_t taps, std::mt19937& random) {
    const auto upto = [&random](int64_t most) { return static_cast<int64_t>(random() % most) + 1; };
    const int64_t dilation = std::max<int64_t>(1, upto(6) - 3);
    const int64_t reach_h = (rows - 1) * dilation, reach_w = (taps - 1) * dilation;
    Shape s{rows, taps, upto(3), upto(11) + reach_h, upto(11) + reach_w, upto(70), upto(70), 0,
            0,    0,    0};
    s.dilation = dilation;
    for (int64_t* pad : {&s.top, &s.bottom}) *pad = upto(reach_h + 1) - 1;
    for (int64_t* pad : {&s.left, &s.right}) *pad = upto(reach_w + 1) - 1;
    s.relu = random() % 2 == 0;
    if (random() % 2 == 0) s.ceiling = 4.0f;
    s.gated = random() % 2 == 0;
    return s;
}

/// visit(index in x, index in w without channels, index in y without channels) for every tap that
/// meets the image.
template <typename Visit>
void for_taps(const Shape& s, Visit visit) {
    for (int64_t n = 0; n < s.batch; ++n) {
        for (int64_t h = 0; h < s.out_h(); ++h) {
            for (int64_t v = 0; v < s.out_w(); ++v) {
                for (int64_t tap = 0; tap < s.rows * s.taps; ++tap) {
                    const int64_t row = h + tap / s.taps * s.dilation - s.top,
                                  column = v + tap % s.taps * s.dilation - s.left;
                    if (row < 0 || row >= s.in_h || column < 0 || column >= s.in_w) continue;
                    visit((n * s.in_h + row) * s.in_w + column, tap,
                          (n * s.out_h() + h) * s.out_w() + v);
                }
            }
        }
    }
}

/// Tiles of the convolution's outputs over x, or over y itself.
WinogradTiles tiles_of(const Kernels& kernels, const Shape& s, bool output) {
    WinogradTiles tiles{};
    tiles.taps_h = s.rows;
    tiles.taps_w = s.taps;
    tiles.depth = {1, 0, 1, 1, 1};
    tiles.height = {output ? s.out_h() : s.in_h, output ? 0 : s.top, s.tiles_h(), s.dilation,
                    s.dilation};
    tiles.width = {output ? s.out_w() : s.in_w, output ? 0 : s.left, s.tiles_w(), s.dilation,
                   s.dilation};
    tiles.pixel = tiles.channels = output ? s.out_c : s.in_c;
    tiles.row = round_up(tiles.channels, kernels.lanes);
    tiles.panel = kernels.panel;
    return tiles;
}

/// Planes of `count` tiles, exactly.
Floats planes_of(const Shape& s, WinogradTiles& tiles, int64_t count) {
    tiles.count = count;
    tiles.plane = count * tiles.row;
    return Floats(static_cast<size_t>(s.points() * tiles.plane), 7.0f);
}

Floats convolve(const Kernels& kernels, const Shape& s, const Floats& x, const Floats& gate,
                const Floats& w, const Floats& bias, const Floats& y_gate, int64_t block,
                bool transposed) {
    const int64_t depth = transposed ? s.out_c : s.in_c, columns = transposed ? s.in_c : s.out_c;
    const int64_t plane = depth * round_up(columns, kernels.panel);
    Floats u(static_cast<size_t>(s.points() * plane));
    for (int64_t begin = 0; begin < depth; begin += 20) {
        kernels.winograd_filter({s.all_taps(), w.data(), u.data(), plane, depth * kernels.panel,
                                 begin, std::min(begin + 20, depth), 0, columns, transposed});
    }
    Shape pass = s;  // with x as its input
    if (transposed) {
        const int64_t most_h = (s.rows - 1) * s.dilation, most_w = (s.taps - 1) * s.dilation;
        pass = {s.rows,          s.taps, s.batch,        s.out_h(),       s.out_w(),
                s.out_c,         s.in_c, most_h - s.top, most_w - s.left, most_h - s.bottom,
                most_w - s.right};
        pass.dilation = s.dilation;
    }
    Floats y(static_cast<size_t>(pass.y_size()), 7.0f);
    WinogradTiles from = tiles_of(kernels, pass, false), to = tiles_of(kernels, pass, true);
    for (int64_t first = 0; first < pass.tiles(); first += block) {
        const int64_t count = std::min(block, pass.tiles() - first);
        Floats v = planes_of(s, from, count), m = planes_of(s, to, count);
        from.first = to.first = first;
        from.planes = v.data();
        to.planes = m.data();
        kernels.winograd_input(from, x.data(), gate.empty() ? nullptr : gate.data());
        kernels.winograd_product({s.points(), v.data(), from.plane, from.row, 1, u.data(), plane,
                                  depth * kernels.panel, m.data(), to.plane, to.row, count, columns,
                                  depth, 50, false});
        kernels.winograd_output(to, bias.empty() ? nullptr : bias.data(), s.relu && !transposed,
                                s.ceiling, y_gate.empty() ? nullptr : y_gate.data(), y.data());
    }
    return y;
}

void check_forward(const Kernels& kernels, const Shape& s, uint32_t seed) {
    const Floats x = random_floats(s.x_size(), seed), w = random_floats(s.w_size(), seed + 1);
    const Floats bias = s.relu ? random_floats(s.out_c, seed + 2) : Floats();
    Doubles want(static_cast<size_t>(s.y_size()));
    for (size_t i = 0; i < want.size() && s.relu; ++i) want[i] = bias[i % bias.size()];
    for_taps(s, [&](int64_t from, int64_t tap, int64_t to) {
        for (int64_t c = 0; c < s.in_c; ++c) {
            const double value = x[static_cast<size_t>(from * s.in_c + c)];
            for (int64_t k = 0; k < s.out_c; ++k) {
                want[static_cast<size_t>(to * s.out_c + k)] +=
                    value * w[static_cast<size_t>((tap * s.in_c + c) * s.out_c + k)];
            }
        }
    });
    for (double& value : want) value = s.relu ? std::clamp<double>(value, 0.0, s.ceiling) : value;
    const Floats y = convolve(kernels, s, x, {}, w, bias, {}, 5 + seed % 30, false);
    check_close(y.data(), want.data(), s.y_size(), 1e-5, "winograd " + s.text(kernels));
}

void check_dx(const Kernels& kernels, const Shape& s, uint32_t seed) {
    const Floats dy = random_floats(s.y_size(), seed), w = random_floats(s.w_size(), seed + 1);
    const Floats gate = s.gated ? random_floats(s.y_size(), seed + 2) : Floats();
    Doubles want(static_cast<size_t>(s.x_size()));
    for_taps(s, [&](int64_t to, int64_t tap, int64_t from) {
        for (int64_t k = 0; k < s.out_c; ++k) {
            const auto at = static_cast<size_t>(from * s.out_c + k);
            if (s.gated && !(gate[at] > 0.0f)) continue;
            for (int64_t c = 0; c < s.in_c; ++c) {
                want[static_cast<size_t>(to * s.in_c + c)] +=
                    static_cast<double>(dy[at]) *
                    w[static_cast<size_t>((tap * s.in_c + c) * s.out_c + k)];
            }
        }
    });
    const Floats x = s.relu ? random_floats(s.x_size(), seed + 3) : Floats();
    for (size_t i = 0; i < x.size(); ++i) {
        if (x[i] <= 0) want[i] = 0;
    }
    const Floats dx = convolve(kernels, s, dy, gate, w, {}, x, 3 + seed % 20, true);
    check_close(dx.data(), want.data(), s.x_size(), 1e-5, "winograd dx " + s.text(kernels));
}

void check_dw(const Kernels& kernels, const Shape& s, uint32_t seed) {
    const Floats x = random_floats(s.x_size(), seed), dy = random_floats(s.y_size(), seed + 1);
    const Floats gate = s.gated ? random_floats(s.y_size(), seed + 2) : Floats();
    Doubles want(static_cast<size_t>(s.w_size()));
    Doubles want_db(static_cast<size_t>(round_up(s.out_c, kernels.lanes)));
    const auto gated = [&](int64_t at) {
        const auto i = static_cast<size_t>(at);
        return s.gated && !(gate[i] > 0.0f) ? 0.0 : static_cast<double>(dy[i]);
    };
    for_taps(s, [&](int64_t from, int64_t tap, int64_t to) {
        for (int64_t c = 0; c < s.in_c; ++c) {
            const double value = x[static_cast<size_t>(from * s.in_c + c)];
            for (int64_t k = 0; k < s.out_c; ++k) {
                want[static_cast<size_t>((tap * s.in_c + c) * s.out_c + k)] +=
                    value * gated(to * s.out_c + k);
            }
        }
    });
    for (int64_t i = 0; i < s.y_size(); ++i) want_db[static_cast<size_t>(i % s.out_c)] += gated(i);

    WinogradTiles from = tiles_of(kernels, s, false), to = tiles_of(kernels, s, true);
    const int64_t panels = round_up(s.out_c, kernels.panel), row = to.row;
    Floats sums(static_cast<size_t>(s.points() * s.in_c * row), 7.0f), dw(want.size(), 7.0f);
    Floats db(want_db.size());
    const int64_t block = 4 + seed % 40;
    to.row = kernels.panel;
    for (int64_t first = 0; first < s.tiles(); first += block) {
        const int64_t count = std::min(block, s.tiles() - first);
        Floats v = planes_of(s, from, count);
        Floats d(static_cast<size_t>(s.points() * count * panels));
        from.first = to.first = first;
        from.planes = v.data();
        to.planes = d.data();
        to.count = count;
        to.plane = count * panels;
        to.panel = count * kernels.panel;
        kernels.winograd_input(from, x.data(), nullptr);
        kernels.winograd_gradient(to, dy.data(), s.gated ? gate.data() : nullptr, db.data());
        kernels.winograd_product({s.points(), v.data(), from.plane, 1, from.row, d.data(), to.plane,
                                  to.panel, sums.data(), s.in_c * row, row, s.in_c, s.out_c, count,
                                  30, first > 0});
    }
    const bool accumulate = seed % 2 == 1;
    for (double& value : want) value += accumulate ? dw[0] : 0.0;
    kernels.winograd_filter_gradient(
        {s.all_taps(), sums.data(), s.in_c * row, row, s.in_c, s.out_c, dw.data(), accumulate});
    check_close(dw.data(), want.data(), s.w_size(), 1e-5, "winograd dw " + s.text(kernels));
    check_close(db.data(), want_db.data(), static_cast<int64_t>(db.size()), 1e-5,
                "winograd db " + s.text(kernels));
}

void check_all(const Kernels& kernels, const Shape& shape, uint32_t seed) {
    check_forward(kernels, shape, seed);
    check_dx(kernels, shape, seed);
    check_dw(kernels, shape, seed);
}

}  // namespace

TEST_CASE("winograd kernels agree with loops in double on random shapes") {
    for (const Kernels* kernels : tables()) {
        std::mt19937 random(5);
        for (uint32_t seed = 0; seed < 60; ++seed) {
            for (const int64_t taps : {2, 3, 4, 5}) {
                check_all(*kernels, random_shape(taps, taps, random), seed);
                check_all(*kernels, random_shape(1, taps, random), seed);
            }
        }
    }
}

TEST_CASE("winograd kernels agree with loops in double on many channels") {
    for (const Kernels* kernels : tables()) {
        check_all(*kernels, {3, 3, 2, 9, 6, 150, 140, 1, 1, 1, 1, true, true}, 20);
        check_all(*kernels, {3, 3, 1, 5, 5, 17, 300, 0, 0, 0, 0}, 3);
        check_all(*kernels, {3, 3, 1, 5, 5, 300, 17, 2, 2, 2, 2}, 4);
        check_all(*kernels, {5, 5, 2, 5, 6, 150, 140, 2, 2, 2, 2, true, true}, 21);
        check_all(*kernels, {5, 5, 1, 7, 5, 17, 300, 0, 0, 0, 0}, 5);
        check_all(*kernels, {5, 5, 1, 3, 4, 300, 17, 4, 4, 4, 4}, 6);
    }
}

}  // namespace pronghorn::test
