// SPDX-License-Identifier: Apache-2.0
// Pooling of every instruction set against loops over cells: random windows, strides and paddings,
// channels from 1 to 33, ties and NaN, pools of up to 255 cells and of more. Buffers end where the
// contract ends.
#include <doctest/doctest.h>

#include <array>
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

size_t in_size(const Pool& p) { return static_cast<size_t>(p.in_h * p.in_w * p.channels); }
size_t out_size(const Pool& p) { return static_cast<size_t>(p.out_h * p.out_w * p.channels); }

/// Winners as kernels keep them, uint8_t for pools of up to 255 cells, uint16_t for larger ones; as
/// numbers, -1 being none.
class Winners {
   public:
    explicit Winners(const Pool& p) : wide_(p.pool_h * p.pool_w > 255) {
        bytes_.resize(wide_ ? 0 : out_size(p), 99);
        words_.resize(wide_ ? out_size(p) : 0, 9999);
    }
    Winners(const Pool& p, const std::vector<int64_t>& winners) : Winners(p) {
        for (size_t i = 0; i < winners.size(); ++i) {
            (wide_ ? words_[i] = static_cast<uint16_t>(winners[i])
                   : bytes_[i] = static_cast<uint8_t>(winners[i]));
        }
    }
    void* data() { return wide_ ? static_cast<void*>(words_.data()) : bytes_.data(); }
    int64_t operator[](size_t i) const {
        const int64_t winner = wide_ ? words_[i] : bytes_[i];
        return winner == (wide_ ? 65535 : 255) ? -1 : winner;
    }

   private:
    bool wide_;
    std::vector<uint8_t> bytes_;
    std::vector<uint16_t> words_;
};

std::string text(const Kernels& kernels, const Pool& p) {
    std::string line = kernels.isa;
    for (const int64_t n : {p.in_h, p.in_w, p.channels, p.out_h, p.out_w, p.pool_h, p.pool_w,
                            p.stride_h, p.stride_w, p.pad_top, p.pad_left}) {
        line += " " + std::to_string(n);
    }
    return line;
}

/// Windows along an axis such that each covers a cell.
int64_t windows(int64_t size, int64_t pool, int64_t stride, int64_t pad, int64_t pad_end) {
    const int64_t fitting = (size + pad + pad_end - pool) / stride + 1;
    const int64_t begun = (size + pad - 1) / stride + 1;
    return fitting < begun ? fitting : begun;
}

std::vector<Pool> pools() {
    std::vector<Pool> all = {{30, 30, 96, 15, 15, 2, 2, 2, 2, 0, 0},
                             {13, 13, 48, 6, 6, 2, 2, 2, 2, 0, 0},
                             {13, 13, 33, 6, 6, 3, 3, 2, 2, 0, 0},
                             {12, 12, 16, 6, 6, 3, 3, 2, 2, 0, 0},
                             {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0},
                             {67, 3, 5, 1, 1, 67, 3, 1, 1, 0, 0},
                             // 255 and 256 cells: side by side, overlapping, corners of 2 x 2 cells
                             {31, 36, 33, 2, 2, 15, 17, 15, 17, 0, 0},
                             {33, 32, 33, 2, 2, 16, 16, 16, 16, 0, 0},
                             {17, 21, 19, 4, 3, 15, 17, 3, 4, 6, 2},
                             {18, 21, 19, 4, 3, 16, 16, 3, 4, 6, 2},
                             {20, 23, 5, 2, 2, 15, 17, 15, 17, 13, 15},
                             {20, 23, 5, 2, 2, 16, 16, 16, 16, 14, 14}};
    std::mt19937 random(2);
    const auto below = [&](int64_t n) {
        return static_cast<int64_t>(random() % static_cast<uint32_t>(n));
    };
    for (int i = 0; i < 250; ++i) {
        Pool p{};
        p.channels = 1 + below(33);
        p.pool_h = 1 + below(4);
        p.pool_w = 1 + below(4);
        const bool side_by_side = below(3) == 0;
        p.stride_h = side_by_side ? p.pool_h : 1 + below(4);
        p.stride_w = side_by_side ? p.pool_w : 1 + below(4);
        p.in_h = p.pool_h + below(9);
        p.in_w = p.pool_w + below(9);
        p.pad_top = below(p.pool_h);
        p.pad_left = below(p.pool_w);
        p.out_h = windows(p.in_h, p.pool_h, p.stride_h, p.pad_top, below(p.pool_h));
        p.out_w = windows(p.in_w, p.pool_w, p.stride_w, p.pad_left, below(p.pool_w));
        all.push_back(p);
    }
    return all;
}

/// Calls body(y index, x index, cell index in its window) for every cell inside the image, in
/// order.
template <typename Body>
void for_cells(const Pool& p, Body body) {
    for (int64_t i = 0; i < p.out_h; ++i) {
        for (int64_t j = 0; j < p.out_w; ++j) {
            for (int64_t r = 0; r < p.pool_h; ++r) {
                for (int64_t q = 0; q < p.pool_w; ++q) {
                    const int64_t h = i * p.stride_h - p.pad_top + r;
                    const int64_t w = j * p.stride_w - p.pad_left + q;
                    if (h < 0 || h >= p.in_h || w < 0 || w >= p.in_w) continue;
                    for (int64_t c = 0; c < p.channels; ++c) {
                        body(static_cast<size_t>((i * p.out_w + j) * p.channels + c),
                             static_cast<size_t>((h * p.in_w + w) * p.channels + c),
                             r * p.pool_w + q);
                    }
                }
            }
        }
    }
}

/// Few different values, so that ties are common, and some NaN, but not in every window.
Floats image_of(const Pool& p, std::mt19937& random) {
    Floats x(in_size(p));
    const uint32_t rare = p.pool_h * p.pool_w > 16 ? 499 : 29;
    for (float& value : x) {
        const uint32_t draw = static_cast<uint32_t>(random());
        value = draw % rare == 0 ? kNan : static_cast<float>(draw % 7) - 3.0f;
        if (draw % 31 == 0) value = -std::numeric_limits<float>::infinity();
    }
    return x;
}

void max_reference(const Pool& p, const Floats& x, Floats& y, std::vector<int64_t>& argmax) {
    y.assign(out_size(p), 0.0f);
    argmax.assign(out_size(p), -1);
    for_cells(p, [&](size_t out, size_t in, int64_t cell) {
        const bool first = argmax[out] < 0;
        const bool nan_wins = std::isnan(x[in]) && !std::isnan(y[out]);
        if (!first && !nan_wins && !(x[in] > y[out])) return;
        y[out] = x[in];
        argmax[out] = cell;
    });
}

void check(const Floats& got, const Doubles& want, const std::string& what) {
    check_close(got.data(), want.data(), static_cast<int64_t>(got.size()), 1e-6, what);
}

/// `want` gets what the windows hand to the cells that `wins` accepts, times scale[window].
template <typename Wins>
Doubles backward_reference(const Pool& p, const Floats& dy, const Doubles& scale, Wins wins) {
    Doubles want(in_size(p), 0.0);
    for_cells(p, [&](size_t out, size_t in, int64_t cell) {
        if (wins(out, cell)) want[in] += static_cast<double>(dy[out]) * scale[out];
    });
    return want;
}

Doubles cell_counts(const Pool& p) {
    Doubles count(out_size(p), 0.0);
    for_cells(p, [&](size_t out, size_t, int64_t) { count[out] += 1.0; });
    return count;
}

}  // namespace

TEST_CASE("max_pool finds the first largest cell, NaN before all, with and without argmax") {
    std::mt19937 random(3);
    for (const Pool& pool : pools()) {
        const Floats x = image_of(pool, random);
        Floats want;
        std::vector<int64_t> want_argmax;
        max_reference(pool, x, want, want_argmax);
        for (const Kernels* kernels : tables()) {
            INFO(text(*kernels, pool));
            Floats y(out_size(pool), 99.0f), y_alone = y;
            Winners argmax(pool);
            kernels->max_pool(pool, x.data(), y.data(), argmax.data());
            kernels->max_pool(pool, x.data(), y_alone.data(), nullptr);
            int64_t wrong = 0;
            for (size_t i = 0; i < want.size(); ++i) {
                const bool nan = std::isnan(want[i]);
                wrong += argmax[i] != want_argmax[i];
                wrong += nan ? !std::isnan(y[i]) : !(y[i] == want[i]);
                wrong += nan ? !std::isnan(y_alone[i]) : !(y_alone[i] == want[i]);
            }
            CHECK(wrong == 0);
        }
    }
}

TEST_CASE("max_pool_backward gives dy to the winners and writes all of dx") {
    std::mt19937 random(4);
    uint32_t seed = 0;
    for (const Pool& pool : pools()) {
        const Floats x = image_of(pool, random);
        const Floats dy = random_floats(static_cast<int64_t>(out_size(pool)), ++seed);
        Floats y;
        std::vector<int64_t> winner;
        max_reference(pool, x, y, winner);
        Winners argmax(pool, winner);
        const Doubles ones(dy.size(), 1.0);
        const Doubles want = backward_reference(
            pool, dy, ones, [&](size_t out, int64_t cell) { return winner[out] == cell; });
        for (const Kernels* kernels : tables()) {
            Floats dx(in_size(pool), kNan);
            kernels->max_pool_backward(pool, dy.data(), argmax.data(), dx.data());
            check(dx, want, text(*kernels, pool));
        }
    }
}

TEST_CASE("a gated max_pool has no winners that are not above 0") {
    std::mt19937 random(5);
    for (Pool pool : pools()) {
        const Floats x = image_of(pool, random);
        Floats want;
        std::vector<int64_t> winner;
        max_reference(pool, x, want, winner);
        pool.gated = true;
        for (const Kernels* kernels : tables()) {
            Floats y(out_size(pool), kNan);
            Winners argmax(pool);
            kernels->max_pool(pool, x.data(), y.data(), argmax.data());
            int wrong = 0;
            for (size_t i = 0; i < y.size(); ++i) {
                wrong += argmax[i] != (want[i] > 0 ? winner[i] : -1);
            }
            CHECK(wrong == 0);
        }
    }
}

TEST_CASE("max_pool keeps the last cells of large windows apart from no winner") {
    // 255 and 65535 are the most that one and two bytes tell apart from none.
    for (const auto& [height, width, bytes] : std::vector<std::array<int64_t, 3>>{
             {15, 17, 1}, {16, 16, 2}, {40, 60, 2}, {255, 257, 2}}) {
        Pool pool{height, width, 37, 1, 1, height, width, height, width, 0, 0};
        CHECK(pool.winner_bytes() == bytes);
        const int64_t last_cell = height * width - 1, last = pool.channels - 1;
        Floats x(in_size(pool), 0.0f);  // the last channel has nothing above 0
        for (int64_t c = 0; c < last; ++c) {
            x[static_cast<size_t>((last_cell - c) * pool.channels + c)] = 1.0f;
        }
        for (const Kernels* kernels : tables()) {
            for (const bool gated : {false, true}) {
                pool.gated = gated;
                INFO(text(*kernels, pool), " gated ", gated);
                Floats y(out_size(pool)), dx(in_size(pool), kNan), want = x;
                Winners argmax(pool);
                kernels->max_pool(pool, x.data(), y.data(), argmax.data());
                int64_t wrong = argmax[static_cast<size_t>(last)] != (gated ? -1 : 0);
                for (int64_t c = 0; c < last; ++c) {
                    wrong += argmax[static_cast<size_t>(c)] != last_cell - c;
                }
                CHECK(wrong == 0);
                const Floats dy(out_size(pool), 1.0f);
                kernels->max_pool_backward(pool, dy.data(), argmax.data(), dx.data());
                want[static_cast<size_t>(last)] = gated ? 0.0f : 1.0f;
                CHECK((dx == want));
            }
        }
    }
}

TEST_CASE("average_pool divides by the cells inside the image") {
    uint32_t seed = 500;
    for (const Pool& pool : pools()) {
        const Floats x = random_floats(static_cast<int64_t>(in_size(pool)), ++seed);
        const Doubles count = cell_counts(pool);
        Doubles want(out_size(pool), 0.0);
        for_cells(pool, [&](size_t out, size_t in, int64_t) {
            want[out] += static_cast<double>(x[in]) / count[out];
        });
        for (const Kernels* kernels : tables()) {
            Floats y(out_size(pool), kNan);
            kernels->average_pool(pool, x.data(), y.data());
            check(y, want, text(*kernels, pool));
        }
    }
}

TEST_CASE("average_pool_backward spreads dy and writes all of dx") {
    uint32_t seed = 900;
    for (const Pool& pool : pools()) {
        const Floats dy = random_floats(static_cast<int64_t>(out_size(pool)), ++seed);
        Doubles scale = cell_counts(pool);
        for (double& value : scale) value = 1.0 / value;
        const Doubles want =
            backward_reference(pool, dy, scale, [](size_t, int64_t) { return true; });
        const Floats gate = random_floats(static_cast<int64_t>(in_size(pool)), ++seed);
        Doubles want_gated = want;
        for (size_t i = 0; i < gate.size(); ++i) {
            if (gate[i] <= 0) want_gated[i] = 0;
        }
        for (const Kernels* kernels : tables()) {
            Floats dx(in_size(pool), kNan);
            kernels->average_pool_backward(pool, dy.data(), nullptr, dx.data());
            check(dx, want, text(*kernels, pool));
            Floats gated(in_size(pool), kNan);
            kernels->average_pool_backward(pool, dy.data(), gate.data(), gated.data());
            check(gated, want_gated, text(*kernels, pool));
        }
    }
}

}  // namespace pronghorn::test
