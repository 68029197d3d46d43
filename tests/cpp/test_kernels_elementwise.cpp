// SPDX-License-Identifier: Apache-2.0
// Activations (in ulp of the exact value), their gradients, sums and dropout of every instruction
// set. Dropout is held to Random123's known answer and to a Philox4x32-10 written out here.
#include <doctest/doctest.h>

#include <algorithm>
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

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

int64_t length(const Floats& x) { return static_cast<int64_t>(x.size()); }

/// How far `got` is from `want`, in units of the last place of the nearest float.
double ulps(float got, double want) {
    if (std::isnan(want)) return std::isnan(got) ? 0.0 : 1e9;
    const float nearest = static_cast<float>(want);
    if (std::isinf(nearest) || got == nearest) return got == nearest ? 0.0 : 1e9;
    const float size = std::fabs(nearest), least = std::numeric_limits<float>::min();
    if (size < least && std::fabs(got) < least) return 0.0;  // no normal numbers, may be flushed
    const float step = std::nextafter(size, kInfinity) - size;
    return std::fabs(static_cast<double>(got) - want) / static_cast<double>(step);
}

/// Values of every size and sign, dense where the functions bend.
Floats arguments() {
    Floats x = {0.0f,      -0.0f,      1e-30f,  -1e-30f, 1e-41f,  0.625f, -0.625f,
                88.7f,     -88.7f,     -103.0f, 200.0f,  -200.0f, 3e38f,  -3e38f,
                kInfinity, -kInfinity, kNan,    9.0f,    -9.1f};
    std::mt19937 random(5);
    std::uniform_real_distribution<float> near(-10.0f, 10.0f), far(-110.0f, 110.0f),
        power(-40.0f, 2.0f);
    for (int i = 0; i < 20000; ++i) {
        x.push_back(near(random));
        x.push_back(far(random));
        x.push_back(std::exp2(power(random)) * (i % 2 == 0 ? 1.0f : -1.0f));
    }
    return x;
}

double exact(Activation kind, double x) {
    switch (kind) {
        case Activation::kRelu:
            return x < 0.0 ? 0.0 : x;
        case Activation::kTanh:
            return std::tanh(x);
        case Activation::kSigmoid:
            return 1.0 / (1.0 + std::exp(-x));
        default:
            return x;
    }
}

constexpr Activation kKinds[] = {Activation::kLinear, Activation::kRelu, Activation::kTanh,
                                 Activation::kSigmoid};

/// Random123's philox4x32 with 10 rounds.
struct Words4 {
    uint32_t word[4];
};
Words4 philox(uint64_t counter, uint64_t key) {
    Words4 c{{static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), 0, 0}};
    uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
    for (int i = 0; i < 10; ++i, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        const uint64_t p0 = uint64_t{0xD2511F53u} * c.word[0];
        const uint64_t p1 = uint64_t{0xCD9E8D57u} * c.word[2];
        c = {{static_cast<uint32_t>(p1 >> 32) ^ c.word[1] ^ k0, static_cast<uint32_t>(p1),
              static_cast<uint32_t>(p0 >> 32) ^ c.word[3] ^ k1, static_cast<uint32_t>(p0)}};
    }
    return c;
}

Drop dropping(float rate) { return {rate, 1.0f / (1.0f - rate), 0.0f, 0.0f}; }

bool same_bits(const Floats& a, const Floats& b) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i) {
        if (!(a[i] == b[i]) || std::signbit(a[i]) != std::signbit(b[i])) return false;
    }
    return true;
}

}  // namespace

TEST_CASE("activate is within 2.5 ulp everywhere, special values included") {
    const Floats x = arguments();
    for (const Kernels* kernels : tables()) {
        for (const Activation kind : kKinds) {
            Floats y(x.size());
            kernels->activate(kind, length(x), x.data(), y.data());
            double worst = 0.0;
            float where = 0.0f;
            for (size_t i = 0; i < x.size(); ++i) {
                const double error = ulps(y[i], exact(kind, static_cast<double>(x[i])));
                if (!(error <= worst)) worst = error, where = x[i];
            }
            INFO(kernels->isa, " kind ", static_cast<int>(kind), " worst ", worst, " at ", where);
            CHECK(worst <= (kind == Activation::kTanh || kind == Activation::kSigmoid ? 2.5 : 0.0));
        }
    }
}

TEST_CASE("activate and add at every length, in place too, body and tail alike") {
    const Floats source = arguments();
    for (const Kernels* kernels : tables()) {
        for (size_t size = 0; size <= 67; ++size) {
            const Floats x(source.begin(), source.begin() + static_cast<int64_t>(size));
            for (const Activation kind : kKinds) {
                Floats y(size), alone(size), in_place = x;
                kernels->activate(kind, length(x), x.data(), y.data());
                kernels->activate(kind, length(x), in_place.data(), in_place.data());
                for (size_t i = 0; i < size; ++i) kernels->activate(kind, 1, &x[i], &alone[i]);
                for (size_t i = 0; i < size; ++i) {
                    const bool nan = std::isnan(x[i]);
                    CHECK((nan ? std::isnan(y[i]) : y[i] == alone[i]));
                    CHECK((nan ? std::isnan(alone[i]) : y[i] == in_place[i]));
                }
            }
            const Floats a = random_floats(length(x), 1), b = random_floats(length(x), 2);
            Floats sum = b, twice = a;
            kernels->add(length(x), a.data(), sum.data(), sum.data());
            kernels->add(length(x), twice.data(), twice.data(), twice.data());
            for (size_t i = 0; i < size; ++i) {
                CHECK(sum[i] == a[i] + b[i]);
                CHECK(twice[i] == 2.0f * a[i]);
            }
        }
    }
}

TEST_CASE("activate_backward is the derivative, from y alone") {
    for (const Kernels* kernels : tables()) {
        for (int64_t size = 1; size <= 67; ++size) {
            const Floats x = random_floats(size, static_cast<uint32_t>(size));
            const Floats dy = random_floats(size, static_cast<uint32_t>(size) + 100);
            for (const Activation kind : kKinds) {
                Floats y(x.size()), dx = dy;
                std::vector<double> want;
                for (size_t i = 0; i < x.size(); ++i) {
                    const double v = static_cast<double>(x[i]) * 3.0;
                    const double value = exact(kind, v);
                    // Below the kink of relu both one-sided differences are taken.
                    const double slope = (exact(kind, v + 1e-6) - exact(kind, v - 1e-6)) / 2e-6;
                    y[i] = static_cast<float>(value);
                    want.push_back(slope * static_cast<double>(dy[i]));
                }
                kernels->activate_backward(kind, size, y.data(), dx.data(), dx.data());
                check_close(dx.data(), want.data(), size, 1e-6, kernels->isa);
            }
        }
        const Floats gate = {0.0f, -0.0f, kNan, 1e-30f, kInfinity}, ones(5, 1.0f);
        Floats dx(5);
        kernels->activate_backward(Activation::kRelu, 5, gate.data(), ones.data(), dx.data());
        CHECK(dx == Floats{0.0f, 0.0f, 0.0f, 1.0f, 1.0f});
    }
}

TEST_CASE("sum_sources adds in order, onto its first source too") {
    for (const Kernels* kernels : tables()) {
        for (int64_t size : {1, 3, 4, 15, 16, 17, 31, 33, 67, 200}) {
            for (int64_t count : {1, 2, 3, 8}) {
                const int64_t stride = size + 3;
                Floats x = random_floats((count - 1) * stride + size, static_cast<uint32_t>(size));
                Floats want(static_cast<size_t>(size)), y(want.size(), kNan);
                for (int64_t i = 0; i < size; ++i) {
                    float sum = x[static_cast<size_t>(i)];
                    for (int64_t s = 1; s < count; ++s) {
                        sum += x[static_cast<size_t>(s * stride + i)];
                    }
                    want[static_cast<size_t>(i)] = sum;
                }
                kernels->sum_sources(size, x.data(), count, stride, y.data());
                CHECK(y == want);
                kernels->sum_sources(size, x.data(), count, stride, x.data());
                x.resize(want.size());
                CHECK(x == want);
            }
        }
    }
}

TEST_CASE("dropout draws Philox4x32-10's known answer") {
    const uint32_t answer[] = {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u};
    const Floats ones(4, 1.0f);
    for (const Kernels* kernels : tables()) {
        for (size_t i = 0; i < 4; ++i) {
            CHECK(philox(0, 0).word[i] == answer[i]);
            // The draw's upper 24 bits as a number: at that rate the element stays, above it goes.
            const float draw = static_cast<float>(answer[i] >> 8) * 0x1p-24f;
            Floats y(4);
            kernels->dropout(dropping(draw), 4, 0, 0, ones.data(), y.data());
            CHECK(y[i] > 0.0f);
            kernels->dropout(dropping(draw + 0x1p-24f), 4, 0, 0, ones.data(), y.data());
            CHECK(y[i] == 0.0f);
        }
    }
}

TEST_CASE("dropout has the same bits on every instruction set and however it is cut") {
    std::mt19937 random(6);
    const uint64_t key = 0x0123456789abcdefu;
    for (const int64_t first : {int64_t{0}, int64_t{1}, int64_t{2}, int64_t{7}, int64_t{4096},
                                (int64_t{1} << 34) - 9, (int64_t{1} << 40) + 3}) {
        for (const int64_t size : {1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 33, 63, 64, 67, 500}) {
            const float rate = 0.3f;
            const Floats x = random_floats(size, static_cast<uint32_t>(size));
            Floats want(x.size());
            for (int64_t i = 0; i < size; ++i) {
                const uint64_t index = static_cast<uint64_t>(first + i);
                const uint32_t word = philox(index / 4, key).word[index % 4];
                const bool keep = static_cast<float>(word >> 8) * 0x1p-24f >= rate;
                const size_t at = static_cast<size_t>(i);
                want[at] = keep ? x[at] * (1.0f / (1.0f - rate)) : 0.0f;
            }
            for (const Kernels* kernels : tables()) {
                Floats y(x.size(), kNan), in_place = x, parts(x.size(), kNan);
                kernels->dropout(dropping(rate), size, first, key, x.data(), y.data());
                kernels->dropout(dropping(rate), size, first, key, in_place.data(),
                                 in_place.data());
                for (int64_t begin = 0; begin < size;) {
                    const int64_t left = size - begin;
                    const int64_t step = std::min(left, static_cast<int64_t>(1 + random() % 40));
                    kernels->dropout(dropping(rate), step, first + begin, key, x.data() + begin,
                                     parts.data() + begin);
                    begin += step;
                }
                INFO(kernels->isa, " first ", first, " size ", size);
                CHECK(same_bits(y, want));
                CHECK(same_bits(in_place, want));
                CHECK(same_bits(parts, want));
            }
        }
    }
}

TEST_CASE("dropout keeps 1 - rate of the elements, and all of them at rate 0") {
    const int64_t size = 100000;
    const Floats ones(static_cast<size_t>(size), 1.0f);
    for (const Kernels* kernels : tables()) {
        for (const float rate : {0.0f, 0.1f, 0.5f, 0.9f}) {
            Floats y(ones.size());
            kernels->dropout(dropping(rate), size, 0, 42, ones.data(), y.data());
            double kept = 0.0;
            for (const float value : y) {
                const bool stays = value != 0.0f;
                kept += stays ? 1.0 : 0.0;
                if (stays) REQUIRE(value == 1.0f / (1.0f - rate));
            }
            // Five standard deviations.
            const double p = 1.0 - static_cast<double>(rate);
            const double n = static_cast<double>(size);
            CHECK(std::fabs(kept - n * p) <= 5.0 * std::sqrt(n * p * (1.0 - p)));
        }
    }
}

}  // namespace pronghorn::test
