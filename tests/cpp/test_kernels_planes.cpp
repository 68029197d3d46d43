// SPDX-License-Identifier: Apache-2.0
// Convolution and pooling of planes, of every instruction set: convolution against loops in double,
// pooling bit by bit against the kernels for rows. Buffers end where the contract ends.
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

size_t at(int64_t index) { return static_cast<size_t>(index); }

struct Problem {
    int64_t in_c, out_c, out_h, out_w, kernel_h, kernel_w, dilation;

    int64_t in_h() const { return out_h + (kernel_h - 1) * dilation; }
    int64_t in_w() const { return out_w + (kernel_w - 1) * dilation; }
    int64_t taps() const { return kernel_h * kernel_w; }
    PlanesSource source(const float* x) const {
        return {x, in_h() * in_w(), in_w(), in_c, kernel_h, kernel_w, dilation * in_w(), dilation};
    }
    /// Calls body(o, h, w, tap, c, index of x) for all terms.
    template <typename Body>
    void for_terms(Body body) const {
        for (int64_t o = 0; o < out_c; ++o) {
            for (int64_t h = 0; h < out_h; ++h) {
                for (int64_t w = 0; w < out_w; ++w) {
                    for (int64_t term = 0; term < taps() * in_c; ++term) {
                        const int64_t tap = term / in_c, c = term % in_c;
                        const int64_t row = h + tap / kernel_w * dilation;
                        const int64_t column = w + tap % kernel_w * dilation;
                        body(o, h, w, tap, c, (c * in_h() + row) * in_w() + column);
                    }
                }
            }
        }
    }
};

std::vector<Problem> problems() {
    std::vector<Problem> all = {{6, 16, 13, 13, 3, 3, 1}, {1, 6, 30, 30, 3, 3, 1},
                                {3, 20, 5, 33, 5, 5, 1},  {1, 1, 1, 1, 1, 1, 1},
                                {2, 9, 3, 48, 2, 7, 2},   {5, 17, 4, 7, 1, 4, 3}};
    std::mt19937 random(3);
    const auto upto = [&](int64_t n) {
        return 1 + static_cast<int64_t>(random() % static_cast<uint32_t>(n));
    };
    for (int i = 0; i < 120; ++i) {
        all.push_back({upto(7), upto(19), upto(6), upto(37), upto(4), upto(5), upto(2)});
    }
    return all;
}

std::string text(const Kernels& kernels, const Problem& p) {
    std::string line = kernels.isa;
    for (const int64_t n :
         {p.in_c, p.out_c, p.out_h, p.out_w, p.kernel_h, p.kernel_w, p.dilation}) {
        line += " " + std::to_string(n);
    }
    return line;
}

/// Weights as they lie, and as a transposed convolution reads them: taps turned, w_in and w_out
/// exchanged.
void check_forward(const Kernels& kernels, const Problem& p, bool turned) {
    const Floats x = random_floats(p.in_c * p.in_h() * p.in_w(), 1);
    const Floats w = random_floats(p.taps() * p.in_c * p.out_c, 2),
                 bias = random_floats(p.out_c, 3);
    const int64_t plane = p.out_h * p.out_w, tap_size = p.in_c * p.out_c;
    Floats y(at(p.out_c * plane), -1.0f);
    Doubles want(y.size());
    for (int64_t i = 0; i < p.out_c * plane; ++i) want[at(i)] = turned ? 0.0 : bias[at(i / plane)];
    p.for_terms([&](int64_t o, int64_t h, int64_t c_w, int64_t tap, int64_t c, int64_t from) {
        const int64_t straight = (tap * p.in_c + c) * p.out_c + o;
        const int64_t back = (p.taps() - 1 - tap) * tap_size + o * p.in_c + c;
        want[at((o * p.out_h + h) * p.out_w + c_w)] +=
            static_cast<double>(x[at(from)]) * w[at(turned ? back : straight)];
    });
    const float ceiling = p.out_w % 2 == 0 ? 0.5f : std::numeric_limits<float>::infinity();
    // The gradient of x, which the turned one is, may have a gate.
    const Floats gate = random_gate(p.out_c * plane, 6);
    for (size_t i = 0; i < want.size(); ++i) {
        if (!turned) want[i] = std::clamp<double>(want[i], 0.0, ceiling);
        if (turned && !(gate[i] > 0.0f)) want[i] = 0;
    }
    ConvPlanes conv{p.source(x.data()),
                    w.data(),
                    tap_size,
                    p.out_c,
                    1,
                    bias.data(),
                    y.data(),
                    p.out_c,
                    p.out_h,
                    p.out_w,
                    true,
                    nullptr,
                    ceiling};
    if (turned) {
        conv.weights += (p.taps() - 1) * tap_size;
        conv.w_tap = -tap_size, conv.w_in = 1, conv.w_out = p.in_c;
        conv.bias = nullptr, conv.relu = false, conv.gate = gate.data();
    }
    kernels.conv_planes(conv);
    check_close(y.data(), want.data(), p.out_c * plane, 1e-5, "conv_planes " + text(kernels, p));
}

void check_gradient(const Kernels& kernels, const Problem& p, bool accumulate) {
    const Floats x = random_floats(p.in_c * p.in_h() * p.in_w(), 4);
    const int64_t row = p.out_w + 2, plane = p.out_h * row + 3;  // dy may lie among others
    const Floats dy = random_floats(p.out_c * plane - 5, 5);
    Floats dw(at(p.taps() * p.in_c * p.out_c), 0.5f);
    Floats db(at(p.out_c), 0.5f);
    Doubles want(dw.size(), accumulate ? 0.5 : 0.0), want_db(db.size(), accumulate ? 0.5 : 0.0);
    for (int64_t o = 0; o < p.out_c; ++o) {
        for (int64_t i = 0; i < p.out_h * p.out_w; ++i) {
            want_db[at(o)] += dy[at(o * plane + i / p.out_w * row + i % p.out_w)];
        }
    }
    p.for_terms([&](int64_t o, int64_t h, int64_t w, int64_t tap, int64_t c, int64_t from) {
        want[at((tap * p.in_c + c) * p.out_c + o)] +=
            static_cast<double>(x[at(from)]) * dy[at(o * plane + h * row + w)];
    });
    kernels.conv_planes_dw({p.source(x.data()), dy.data(), plane, row, p.out_c, p.out_h, p.out_w,
                            dw.data(), db.data(), accumulate});
    check_close(dw.data(), want.data(), static_cast<int64_t>(dw.size()), 1e-5,
                "conv_planes_dw " + text(kernels, p));
    check_close(db.data(), want_db.data(), p.out_c, 1e-5, "db " + text(kernels, p));
}

/// (pixels, channels) for (channels, pixels).
template <typename Value>
std::vector<Value> to_rows(const std::vector<Value>& planes, int64_t channels) {
    const int64_t pixels = static_cast<int64_t>(planes.size()) / channels;
    std::vector<Value> rows(planes.size());
    for (int64_t c = 0; c < channels; ++c) {
        for (int64_t i = 0; i < pixels; ++i)
            rows[at(i * channels + c)] = planes[at(c * pixels + i)];
    }
    return rows;
}

/// Ties and NaN among the values.
Floats coarse(int64_t size, uint32_t seed) {
    Floats values = random_floats(size, seed);
    for (float& value : values) {
        value = value > 0.95f ? std::numeric_limits<float>::quiet_NaN()
                              : static_cast<float>(static_cast<int>(value * 4));
    }
    return values;
}

bool same(const Floats& a, const Floats& b) {
    bool equal = a.size() == b.size();
    for (size_t i = 0; equal && i < a.size(); ++i) {
        equal = a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]));
    }
    return equal;
}

void check_pools(const Kernels& kernels, int64_t height, int64_t width, int64_t channels,
                 bool gated) {
    const Pool pool{height, width, channels, height / 2, width / 2, 2, 2, 2, 2, 0, 0, gated};
    const int64_t in = height * width * channels, out = pool.out_h * pool.out_w * channels;
    const Floats x = coarse(in, 6), dy = random_floats(out, 7);
    Floats y(at(out)), y_rows(at(out)), dx(at(in)), dx_rows(at(in));
    std::vector<uint8_t> argmax(at(out)), argmax_rows(at(out));
    const std::string what = std::string(kernels.isa) + " " + std::to_string(height) + " " +
                             std::to_string(width) + " " + std::to_string(channels);
    const Floats x_rows = to_rows(x, channels), dy_rows = to_rows(dy, channels);

    kernels.max_pool_planes(pool, x.data(), y.data(), argmax.data());
    kernels.max_pool(pool, x_rows.data(), y_rows.data(), argmax_rows.data());
    CHECK_MESSAGE(same(to_rows(y, channels), y_rows), what);
    CHECK_MESSAGE(to_rows(argmax, channels) == argmax_rows, what);
    kernels.max_pool_planes_backward(pool, dy.data(), argmax.data(), dx.data());
    kernels.max_pool_backward(pool, dy_rows.data(), argmax_rows.data(), dx_rows.data());
    CHECK_MESSAGE(same(to_rows(dx, channels), dx_rows), what);
    kernels.max_pool_planes(pool, x.data(), dx.data(), nullptr);

    kernels.average_pool_planes(pool, x.data(), y.data());
    kernels.average_pool(pool, x_rows.data(), y_rows.data());
    CHECK_MESSAGE(same(to_rows(y, channels), y_rows), what);
    const float* gate = gated ? x.data() : nullptr;
    kernels.average_pool_planes_backward(pool, dy.data(), gate, dx.data());
    kernels.average_pool_backward(pool, dy_rows.data(), gated ? x_rows.data() : nullptr,
                                  dx_rows.data());
    CHECK_MESSAGE(same(to_rows(dx, channels), dx_rows), what);
}

TEST_CASE("conv_planes and its gradient agree with loops in double") {
    for (const Kernels* kernels : tables()) {
        bool other = false;
        for (const Problem& problem : problems()) {
            check_forward(*kernels, problem, other);
            check_gradient(*kernels, problem, other);
            other = !other;
        }
    }
}

TEST_CASE("pools of planes have the bits of pools of rows") {
    for (const Kernels* kernels : tables()) {
        for (int64_t width = 2; width < 70; width += width < 36 ? 1 : 9) {
            check_pools(*kernels, 2 + width % 5, width, 1 + width % 3, width % 2 == 0);
            check_pools(*kernels, 3, width, 2, width % 2 == 1);
        }
    }
}

}  // namespace
}  // namespace pronghorn::test
