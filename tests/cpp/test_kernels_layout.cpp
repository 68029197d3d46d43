// SPDX-License-Identifier: Apache-2.0
// The kernels of layout.cpp of every instruction set: moved values must be equal, sums close.
// Buffers end exactly where the contracts end and hold NaN before, so nothing may be left out or
// overrun.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "kernel_test.h"
#include "kernels/kernels.h"

namespace pronghorn::test {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::vector<float> unset(int64_t size) {
    return std::vector<float>(static_cast<size_t>(size), kNaN);
}

bool same(float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// The contract of pad_image, element by element.
bool padded(const PadImage& pad) {
    const int64_t out_h = pad.top + pad.height + pad.bottom;
    const int64_t out_w = pad.left + pad.width + pad.right;
    bool right = true;
    for (int64_t h = 0; h < out_h; ++h) {
        for (int64_t w = 0; w < out_w; ++w) {
            for (int64_t c = 0; c < pad.channels; ++c) {
                const int64_t x_h = h - pad.top, x_w = w - pad.left;
                float want = 0.0f;
                if (x_h >= 0 && x_h < pad.height && x_w >= 0 && x_w < pad.width) {
                    const int64_t i = (x_h * pad.width + x_w) * pad.channels + c;
                    want = !pad.gate || pad.gate[i] > 0 ? pad.x[i] : 0.0f;
                }
                right = right && same(pad.y[(h * out_w + w) * pad.channels + c], want);
            }
        }
    }
    return right;
}

}  // namespace

TEST_CASE("pad_image: borders of every width, with and without a gate") {
    for (const Kernels* kernels : tables()) {
        uint32_t seed = 1;
        for (const int64_t channels : {1, 3, 16, 17, 50}) {
            for (const bool gated : {false, true}) {
                for (int border = 0; border < 16; ++border) {
                    const int64_t height = 1 + border % 5, width = 1 + border % 7;
                    auto x = random_floats(height * width * channels, ++seed);
                    auto gate = random_floats(height * width * channels, ++seed);
                    x.front() = kNaN;
                    gate.front() = 1.0f;
                    gate.back() = border % 2 ? kNaN : 0.0f;
                    PadImage pad{x.data(),
                                 gated ? gate.data() : nullptr,
                                 nullptr,
                                 height,
                                 width,
                                 channels,
                                 border & 1,
                                 border & 2,
                                 (border & 4) / 2,
                                 border & 8};
                    auto y = unset((pad.top + height + pad.bottom) *
                                   (pad.left + width + pad.right) * channels);
                    pad.y = y.data();
                    kernels->pad_image(pad);
                    CHECK_MESSAGE(padded(pad), kernels->isa << " " << channels << " " << border);
                }
            }
        }
    }
}

TEST_CASE("to_lanes and from_lanes: every number of images") {
    for (const Kernels* kernels : tables()) {
        const int64_t lanes = kernels->lanes;
        for (const int64_t size : {1, 3, 4, 15, 16, 17, 784}) {
            for (int64_t images = 1; images <= lanes; ++images) {
                const auto x = random_floats(images * size, static_cast<uint32_t>(size + images));
                auto y = unset(size * lanes);
                kernels->to_lanes(x.data(), images, size, y.data());
                bool right = true;
                for (int64_t i = 0; i < size * lanes; ++i) {
                    const int64_t image = i % lanes;
                    const float want =
                        image < images ? x[static_cast<size_t>(image * size + i / lanes)] : 0.0f;
                    right = right && y[static_cast<size_t>(i)] == want;
                }
                CHECK_MESSAGE(right, kernels->isa << " " << images << " x " << size);
                auto back = unset(images * size);
                kernels->from_lanes(y.data(), images, size, back.data());
                CHECK_MESSAGE(back == x, kernels->isa << " " << images << " x " << size);
            }
        }
    }
}

TEST_CASE("channel sums: contiguous, and pixels and rows apart") {
    for (const Kernels* kernels : tables()) {
        uint32_t seed = 1;
        for (const int64_t channels : {1, 3, 5, 6, 7, 8, 16, 17, 20, 33, 50, 64, 512, 600}) {
            for (int gaps = 0; gaps < 4; ++gaps) {
                for (const int64_t vector : {int64_t{1}, int64_t{kernels->lanes}}) {
                    const int64_t height = 3 + gaps, width = 5;
                    const int64_t pixel = channels + (gaps & 1), row = width * pixel + (gaps & 2);
                    const int64_t size = (height - 1) * row + (width - 1) * pixel + channels;
                    const auto x = random_floats(size * vector, ++seed);
                    const bool accumulate = seed % 2;
                    auto sums = accumulate ? random_floats(channels, ++seed) : unset(channels);
                    std::vector<double> want(sums.begin(), sums.end());
                    for (int64_t c = 0; c < channels; ++c) {
                        double sum = accumulate ? want[static_cast<size_t>(c)] : 0.0;
                        for (int64_t i = 0; i < height * width * vector; ++i) {
                            const int64_t p = i / vector;
                            const int64_t place = p / width * row + p % width * pixel + c;
                            sum += x[static_cast<size_t>(place * vector + i % vector)];
                        }
                        want[static_cast<size_t>(c)] = sum;
                    }
                    const auto run =
                        vector == 1 ? kernels->channel_sums : kernels->channel_sums_lanes;
                    run(x.data(), height, width, channels, row, pixel, sums.data(), accumulate);
                    check_close(sums.data(), want.data(), channels, 1e-5,
                                std::string(kernels->isa) + " sums of " + std::to_string(channels));
                }
            }
        }
    }
}

}  // namespace pronghorn::test
