// SPDX-License-Identifier: Apache-2.0
// How kernels of channel_norm.cpp see a tensor (batch, ..., channels): as rows of columns, which
// are channels several times over. Images: few channels are folded, some positions of an image side
// by side, so that vectors are full. Lanes: a column is a channel of one of the group's images.
#pragma once

#include <algorithm>
#include <cstdint>

namespace pronghorn {

struct Columns {
    int64_t rows = 1;      // of one image, or of one group of images
    int64_t channels = 1;  // columns = channels * repeats
    int64_t repeats = 1, repeat_stride = 1, channel_stride = 1;

    int64_t count() const { return channels * repeats; }
    int64_t at(int64_t repeat, int64_t channel) const {
        return repeat * repeat_stride + channel * channel_stride;
    }
    /// The same value for every repeat of a channel.
    void put(float* table, int64_t channel, double value) const {
        for (int64_t r = 0; r < repeats; ++r) table[at(r, channel)] = static_cast<float>(value);
    }

    /// `vector` is the number of lanes of the kernels; four vectors of columns hide an add's
    /// latency.
    static Columns of_images(int64_t positions, int64_t channels, int64_t vector) {
        constexpr int64_t kMostRepeats = 64;
        int64_t fold = 1;
        for (int64_t f = 1; f <= kMostRepeats && fold * channels < 4 * vector; ++f) {
            if (positions % f == 0) fold = f;
        }
        return {positions / fold, channels, fold, channels, 1};
    }
    static Columns of_lanes(int64_t positions, int64_t channels, int64_t lanes) {
        return {positions, channels, lanes, 1, lanes};
    }
};

}  // namespace pronghorn
