// SPDX-License-Identifier: Apache-2.0
// dense_forward and dense_backward of every instruction set against sums in double: all batches,
// odd sizes, rows of x with gaps, and the combinations of dx and dw. Buffers end where the contract
// ends.
#include <doctest/doctest.h>

#include <cmath>
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

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Layer {
    int64_t batch, in, out, gap = 0;  // gap: floats between the rows of x and of dx

    int64_t row() const { return in + gap; }
    size_t x_size() const { return static_cast<size_t>((batch - 1) * row() + in); }
    size_t y_size() const { return static_cast<size_t>(batch * out); }
    size_t w_size() const { return static_cast<size_t>(in * out); }
    size_t x_at(int64_t b, int64_t k) const { return static_cast<size_t>(b * row() + k); }
    size_t y_at(int64_t b, int64_t n) const { return static_cast<size_t>(b * out + n); }
    size_t w_at(int64_t k, int64_t n) const { return static_cast<size_t>(k * out + n); }
    std::string text(const Kernels& kernels) const {
        std::string line = kernels.isa;
        for (const int64_t n : {batch, in, out, gap}) line += " " + std::to_string(n);
        return line;
    }
};

std::vector<Layer> layers() {
    std::vector<Layer> all = {{1, 576, 120}, {1, 120, 84}, {1, 84, 10}, {8, 576, 120}, {1, 1, 1}};
    std::mt19937 random(1);
    const auto below = [&](unsigned n) { return static_cast<int64_t>(random() % n); };
    for (int64_t batch = 1; batch <= 8; ++batch) {
        for (int i = 0; i < 12; ++i) {
            all.push_back({batch, 1 + below(67), 1 + below(67), below(3)});
        }
        all.push_back({batch, 5 + below(9), 200 + below(101)});  // several blocks of columns
        all.push_back({batch, 260 + batch, 509 + below(9), 1});  // weights beyond L2
    }
    return all;
}

Floats random_of(size_t size, uint32_t seed) {
    return random_floats(static_cast<int64_t>(size), seed);
}

void check(const Floats& got, const Doubles& want, const std::string& what) {
    check_close(got.data(), want.data(), static_cast<int64_t>(got.size()), 1e-5, what);
}

Doubles forward_reference(const Layer& layer, const Floats& x, const Floats& w, const float* bias,
                          bool relu) {
    Doubles y(layer.y_size());
    for (int64_t b = 0; b < layer.batch; ++b) {
        for (int64_t n = 0; n < layer.out; ++n) {
            double sum = bias == nullptr ? 0.0 : static_cast<double>(bias[n]);
            for (int64_t k = 0; k < layer.in; ++k) {
                sum += static_cast<double>(x[layer.x_at(b, k)]) *
                       static_cast<double>(w[layer.w_at(k, n)]);
            }
            y[layer.y_at(b, n)] = relu && sum < 0.0 ? 0.0 : sum;
        }
    }
    return y;
}

}  // namespace

TEST_CASE("dense_forward computes act(x w + bias)") {
    for (const Kernels* kernels : tables()) {
        uint32_t seed = 0;
        for (const Layer& layer : layers()) {
            const Floats x = random_of(layer.x_size(), ++seed);
            const Floats w = random_of(layer.w_size(), ++seed);
            const Floats bias = random_of(static_cast<size_t>(layer.out), ++seed);
            for (const bool with_bias : {false, true}) {
                const bool relu = (seed + (with_bias ? 1 : 0)) % 2 == 0;
                const float* b = with_bias ? bias.data() : nullptr;
                const Doubles want = forward_reference(layer, x, w, b, relu);
                // All columns at once, and in two blocks.
                for (const int64_t cut : {layer.out, (layer.out + 2) / 3}) {
                    Floats y(layer.y_size(), kNan);
                    for (const int64_t n : {int64_t{0}, cut}) {
                        const int64_t columns = n == 0 ? cut : layer.out - cut;
                        if (columns == 0) continue;
                        kernels->dense_forward(
                            {x.data(), w.data() + n, b == nullptr ? nullptr : b + n, y.data() + n,
                             layer.batch, layer.in, columns, layer.row(), layer.out, relu});
                    }
                    check(y, want, layer.text(*kernels));
                }
            }
        }
    }
}

TEST_CASE("dense_forward keeps NaN through relu in every column") {
    for (const Kernels* kernels : tables()) {
        const Layer layer{2, 3, 37};
        Floats x(layer.x_size(), 1.0f);
        x[layer.x_at(1, 2)] = kNan;
        const Floats w(layer.w_size(), -1.0f);
        Floats y(layer.y_size());
        kernels->dense_forward({x.data(), w.data(), nullptr, y.data(), layer.batch, layer.in,
                                layer.out, layer.row(), layer.out, true});
        for (int64_t n = 0; n < layer.out; ++n) {
            CHECK(y[layer.y_at(0, n)] == 0.0f);
            CHECK(std::isnan(y[layer.y_at(1, n)]));
        }
    }
}

TEST_CASE("dense_backward gives dx and dw, together or alone, written or added") {
    for (const Kernels* kernels : tables()) {
        uint32_t seed = 1000;
        for (const Layer& layer : layers()) {
            const Floats x = random_of(layer.x_size(), ++seed);
            const Floats w = random_of(layer.w_size(), ++seed);
            const Floats dy = random_of(layer.y_size(), ++seed);
            const Floats before = random_of(layer.w_size(), ++seed);
            // What lies between the rows of dx must stay.
            Doubles want_dx(layer.x_size(), 7.0), product(layer.w_size(), 0.0);
            for (int64_t b = 0; b < layer.batch; ++b) {
                for (int64_t k = 0; k < layer.in; ++k) {
                    double sum = 0.0;
                    for (int64_t n = 0; n < layer.out; ++n) {
                        const double gradient = static_cast<double>(dy[layer.y_at(b, n)]);
                        sum += gradient * static_cast<double>(w[layer.w_at(k, n)]);
                        product[layer.w_at(k, n)] +=
                            gradient * static_cast<double>(x[layer.x_at(b, k)]);
                    }
                    want_dx[layer.x_at(b, k)] = sum;
                }
            }
            for (int mode = 0; mode < 5; ++mode) {  // dx, dw =, dw +=, both with =, both with +=
                const bool with_dx = mode == 0 || mode >= 3, with_dw = mode != 0;
                const bool accumulate = mode == 2 || mode == 4;
                Floats dx(layer.x_size(), 7.0f);
                Floats dw = accumulate ? before : Floats(layer.w_size(), kNan);
                kernels->dense_backward({x.data(), w.data(), dy.data(),
                                         with_dx ? dx.data() : nullptr,
                                         with_dw ? dw.data() : nullptr, layer.batch, layer.in,
                                         layer.out, layer.row(), layer.row(), accumulate});
                const std::string what = layer.text(*kernels) + " mode " + std::to_string(mode);
                if (with_dx) check(dx, want_dx, what + " dx");
                Doubles want_dw = product;
                for (size_t i = 0; accumulate && i < before.size(); ++i) {
                    want_dw[i] += static_cast<double>(before[i]);
                }
                if (with_dw) check(dw, want_dw, what + " dw");
            }
        }
    }
}

TEST_CASE("dense_sgd gives dx of the weights as they were, and moves them") {
    for (const Kernels* kernels : tables()) {
        uint32_t seed = 3000;
        for (int64_t out = kernels->lanes; out <= 14 * kernels->lanes; ++out) {
            const Layer layer{1, 1 + out % 11, out};
            const Floats x = random_of(layer.x_size(), ++seed);
            const Floats dy = random_of(layer.y_size(), ++seed);
            const Floats w = random_of(layer.w_size(), ++seed);
            const Floats velocity = random_of(layer.w_size(), ++seed);
            for (const Sgd& sgd :
                 {Sgd{0.5f, 0, false}, Sgd{0.5f, 0.75f, false}, Sgd{0.5f, 0.75f, true}}) {
                Doubles want_dx(layer.x_size(), 0.0), want_w(w.begin(), w.end());
                Doubles want_v(velocity.begin(), velocity.end());
                for (size_t i = 0; i < w.size(); ++i) {
                    const size_t k = i / static_cast<size_t>(out), n = i % static_cast<size_t>(out);
                    const double gradient = double{dy[n]} * double{x[k]};
                    want_dx[k] += double{dy[n]} * double{w[i]};
                    const double step = 0.5 * gradient, moved = 0.75 * want_v[i] - step;
                    if (sgd.momentum > 0) want_v[i] = moved;
                    want_w[i] += sgd.momentum == 0 ? -step
                                 : sgd.nesterov    ? 0.75 * moved - step
                                                   : moved;
                }
                for (const bool with_dx : {false, true}) {
                    Floats got_w = w, v = velocity, dx(layer.x_size(), kNan);
                    kernels->dense_sgd({x.data(), dy.data(), with_dx ? dx.data() : nullptr,
                                        got_w.data(), sgd.momentum > 0 ? v.data() : nullptr,
                                        layer.in, out, sgd});
                    const std::string what = layer.text(*kernels);
                    if (with_dx) check(dx, want_dx, what + " dx");
                    check(got_w, want_w, what + " w");
                    check(v, want_v, what + " velocity");
                }
            }
        }
    }
}

}  // namespace pronghorn::test
