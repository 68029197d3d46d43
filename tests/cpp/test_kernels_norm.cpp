// SPDX-License-Identifier: Apache-2.0
// Normalisation kernels of every instruction set against double: numbers of channels around whole
// vectors, rows around whole blocks, means far from 0.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "kernel_test.h"
#include "kernels/kernels.h"

namespace pronghorn::test {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

const std::vector<int64_t> kChannels = {1, 3, 4, 8, 15, 16, 17, 33, 64, 65, 130};
const std::vector<int64_t> kRows = {1, 2, 63, 64, 65, 200};

Floats shifted(int64_t size, uint32_t seed, float by) {
    Floats x = random_floats(size, seed);
    for (float& value : x) value += by;
    return x;
}

std::string text(const Kernels& kernels, int64_t rows, int64_t channels) {
    return std::string(kernels.isa) + " " + std::to_string(rows) + " x " + std::to_string(channels);
}

void check_moments(const Kernels& kernels, int64_t rows, int64_t channels, float mean_near) {
    const Floats x = shifted(rows * channels, 7, mean_near);
    const auto count = static_cast<size_t>(channels);
    Floats pivot(count), delta(count), squares(count), apart(count);
    ChannelNorm norm{};
    norm.rows = rows;
    norm.channels = channels;
    norm.x = x.data();
    kernels.channel_moments(norm, pivot.data(), delta.data(), squares.data());
    Doubles none(count, 0.0), want(count);
    for (size_t c = 0; c < count; ++c) {
        double mean = 0;
        for (size_t i = c; i < x.size(); i += count) mean += static_cast<double>(x[i]);
        mean /= static_cast<double>(rows);
        for (size_t i = c; i < x.size(); i += count) want[c] += std::pow(x[i] - mean, 2);
        apart[c] = static_cast<float>(static_cast<double>(pivot[c]) + delta[c] - mean);
    }
    const std::string what = text(kernels, rows, channels);
    check_close(apart.data(), none.data(), channels, 1e-6, what + " mean");
    check_close(squares.data(), want.data(), channels, 2e-6, what + " squares");
}

void check_row_norm(const Kernels& kernels, int64_t rows, int64_t size) {
    const Floats x = shifted(rows * size, 3, 100.0f), gamma = random_floats(size, 4);
    const Floats beta = random_floats(size, 5);
    Floats y(x.size());
    const RowNorm norm{
        rows,         size,        true,    static_cast<float>(size), 1e-3f, __builtin_inff(),
        gamma.data(), beta.data(), x.data()};
    kernels.row_norm(norm, y.data());
    Doubles want(x.size());
    const auto width = static_cast<size_t>(size);
    for (size_t row = 0; row < x.size(); row += width) {
        double mean = 0, variance = 0;
        for (size_t i = row; i < row + width; ++i) mean += static_cast<double>(x[i]);
        mean /= static_cast<double>(size);
        for (size_t i = row; i < row + width; ++i) variance += std::pow(x[i] - mean, 2);
        variance /= static_cast<double>(size);
        for (size_t i = 0; i < width; ++i) {
            want[row + i] = (x[row + i] - mean) / std::sqrt(variance + 1e-3) * gamma[i] + beta[i];
        }
    }
    check_close(y.data(), want.data(), rows * size, 2e-6, text(kernels, rows, size));
}

void check_local_response(const Kernels& kernels, int64_t channels, int64_t radius, float beta) {
    constexpr int64_t kImageRows = 3;
    const Floats x = random_floats(kImageRows * channels, 11);
    Floats y(x.size()), scratch(static_cast<size_t>(2 * (channels + 2 * radius)));
    const LocalResponse norm{kImageRows, channels, radius, 2.0f, 0.5f, beta, x.data()};
    kernels.local_response_norm(norm, y.data(), scratch.data());
    Doubles want(x.size());
    for (int64_t i = 0; i < kImageRows * channels; ++i) {
        const int64_t row = i / channels * channels;
        double sum = 0;
        for (int64_t j = row; j < row + channels; ++j) {
            if (std::abs(j - i) <= radius) sum += std::pow(x[static_cast<size_t>(j)], 2);
        }
        want[static_cast<size_t>(i)] =
            x[static_cast<size_t>(i)] / std::pow(2.0 + 0.5 * sum, static_cast<double>(beta));
    }
    check_close(y.data(), want.data(), kImageRows * channels, 1e-6,
                text(kernels, radius, channels) + " local response");
}

}  // namespace

TEST_CASE("moments of channels") {
    for (const Kernels* kernels : tables()) {
        for (int64_t channels : kChannels) {
            for (int64_t rows : kRows) {
                check_moments(*kernels, rows, channels, 0.0f);
                check_moments(*kernels, rows, channels, 1000.0f);
            }
        }
    }
}

TEST_CASE("rows normalised by themselves") {
    for (const Kernels* kernels : tables()) {
        for (int64_t size : kChannels) check_row_norm(*kernels, 5, size);
    }
}

TEST_CASE("local response normalisation") {
    for (const Kernels* kernels : tables()) {
        for (int64_t channels : kChannels) {
            for (float beta : {0.5f, 0.75f, 1.2f}) {
                check_local_response(*kernels, channels, 0, beta);
                check_local_response(*kernels, channels, 2, beta);
            }
        }
    }
}

}  // namespace pronghorn::test
