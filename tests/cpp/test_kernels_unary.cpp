// SPDX-License-Identifier: Apache-2.0
// Functions of one element against the C library's in double precision: their error in ulp over
// ordinary numbers of every size, special values, and every length.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernel_test.h"
#include "kernels/kernels.h"

namespace pronghorn::test {
namespace {

using Floats = std::vector<float>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

double tanh_shrink(double x) {
    const double square = x * x;
    const double series = x * square * (1.0 / 3.0 - square * (2.0 / 15.0 - square * 17.0 / 315.0));
    return std::fabs(x) < 1e-2 ? series : x - std::tanh(x);
}

struct Case {
    const char* name;
    Unary kind;
    double (*exact)(double);
    double ulps;
};

const Case kCases[] = {
    {"exp", Unary::kExp, [](double x) { return std::exp(x); }, 2.0},
    {"expm1", Unary::kExpm1, [](double x) { return std::expm1(x); }, 3.0},
    {"log", Unary::kLog, [](double x) { return std::log(x); }, 2.0},
    {"log1p", Unary::kLog1p, [](double x) { return std::log1p(x); }, 2.5},
    {"erf", Unary::kErf, [](double x) { return std::erf(x); }, 2.0},
    {"gelu", Unary::kGelu, [](double x) { return 0.5 * x * std::erfc(-x * std::sqrt(0.5)); }, 64.0},
    {"sin", Unary::kSin, [](double x) { return std::sin(x); }, 2.0},
    {"cos", Unary::kCos, [](double x) { return std::cos(x); }, 2.0},
    {"tan", Unary::kTan, [](double x) { return std::tan(x); }, 4.0},
    {"softplus", Unary::kSoftplus,
     [](double x) { return std::fmax(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }, 3.0},
    {"tanh", Unary::kTanh, [](double x) { return std::tanh(x); }, 2.5},
    {"tanh_shrink", Unary::kTanhShrink, tanh_shrink, 32.0},
    {"mish", Unary::kMish, [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }, 8.0},
    {"sqrt", Unary::kSqrt, [](double x) { return std::sqrt(x); }, 0.6},
    {"rsqrt", Unary::kRsqrt, [](double x) { return 1.0 / std::sqrt(x); }, 1.5},
    {"floor", Unary::kFloor, [](double x) { return std::floor(x); }, 0.0},
    {"ceil", Unary::kCeil, [](double x) { return std::ceil(x); }, 0.0},
    {"round", Unary::kRound, [](double x) { return std::nearbyint(x); }, 0.0},
};

double ulps(float got, double want) {
    if (std::isnan(want)) return std::isnan(got) ? 0.0 : 1e9;
    const float nearest = static_cast<float>(want);
    if (std::isinf(nearest) || got == nearest) return got == nearest ? 0.0 : 1e9;
    // Below the smallest normal number, results and what they are computed from may be flushed.
    const float size = std::fabs(nearest), tiny = 128.0f * std::numeric_limits<float>::min();
    if (size < tiny && std::fabs(got) < tiny) return 0.0;
    const float step = std::nextafter(size, kInfinity) - size;
    return std::fabs(static_cast<double>(got) - want) / static_cast<double>(step);
}

Floats arguments() {
    Floats x = {0.0f,  -0.0f, 0.5f,   -0.5f,  1.5f,    2.5f,       8192.0f,    -8191.9f,
                1e10f, 3e38f, -3e38f, 88.7f,  -103.0f, kInfinity,  -kInfinity, kNan,
                -1.0f, 1.0f,  -2.0f,  1e-30f, 0x1p23f, 8388607.5f, 4194303.5f, 11.0f};
    std::mt19937 random(7);
    std::uniform_real_distribution<float> near(-10.0f, 10.0f), far(-110.0f, 110.0f),
        power(-60.0f, 127.0f);
    for (int i = 0; i < 20000; ++i) {
        x.push_back(near(random));
        x.push_back(far(random));
        x.push_back(std::exp2(power(random)) * (i % 2 == 0 ? 1.0f : -1.0f));
        x.push_back(static_cast<float>(i) * 1.57079632679f);  // where sin or cos is nearly 0
    }
    return x;
}

}  // namespace

TEST_CASE("unary is within a few ulp everywhere, special values included") {
    const Floats x = arguments();
    const auto size = static_cast<int64_t>(x.size());
    for (const Kernels* kernels : tables()) {
        for (const Case& test : kCases) {
            Floats y(x.size());
            kernels->unary({test.kind, 0.0f, 0.0f}, size, x.data(), y.data());
            double worst = 0.0;
            float where = 0.0f;
            for (size_t i = 0; i < x.size(); ++i) {
                const double error = ulps(y[i], test.exact(static_cast<double>(x[i])));
                if (!(error <= worst)) worst = error, where = x[i];
            }
            INFO(kernels->isa, " ", test.name, " worst ", worst, " at ", where);
            CHECK(worst <= test.ulps);
        }
    }
}

TEST_CASE("unary and its gradient at every length, in place too, body and tail alike") {
    for (const Kernels* kernels : tables()) {
        for (int64_t size = 0; size <= 67; ++size) {
            const Floats x = random_floats(size, static_cast<uint32_t>(size));
            const Floats dy = random_floats(size, static_cast<uint32_t>(size) + 1);
#define PRONGHORN_UNARY(name, Type, reads, finite, numbers, alpha, beta)                         \
    {                                                                                            \
        const UnaryFunction function{Unary::k##Type, alpha, beta};                               \
        Floats y(x.size()), in_place = x, dx(x.size()), over = dy;                               \
        kernels->unary(function, size, x.data(), y.data());                                      \
        kernels->unary(function, size, in_place.data(), in_place.data());                        \
        kernels->unary_backward(function, size, x.data(), dy.data(), dx.data());                 \
        kernels->unary_backward(function, size, x.data(), over.data(), over.data());             \
        for (size_t i = 0; i < x.size(); ++i) {                                                  \
            float alone = 0.0f, slope = 0.0f;                                                    \
            kernels->unary(function, 1, &x[i], &alone);                                          \
            kernels->unary_backward(function, 1, &x[i], &dy[i], &slope);                         \
            INFO(kernels->isa, " " #name " of ", x[i]);                                          \
            CHECK((std::isnan(alone) ? std::isnan(y[i]) && std::isnan(in_place[i])               \
                                     : y[i] == alone && in_place[i] == alone));                  \
            CHECK((std::isnan(slope) ? std::isnan(dx[i]) : dx[i] == slope && over[i] == slope)); \
        }                                                                                        \
    }
#include "kernels/unary_list.inc"
#undef PRONGHORN_UNARY
        }
    }
}

}  // namespace pronghorn::test
