// SPDX-License-Identifier: Apache-2.0
// Moving activations: padding (with the gate of ReLU's backward pass), between images in rows and
// images in vector lanes, and the sums over pixels that are bias gradients. All of it runs at the
// speed of the caches, so the loops are plain.
#include "kernels/kernels.h"
#include "kernels/simd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

void fill_zero(float* y, int64_t size) noexcept {
    for_vectors(size, [&](int64_t i, int count) { store_upto(y + i, zero(), count); });
}

void copy(const float* x, float* y, int64_t size) noexcept {
    for_vectors(size,
                [&](int64_t i, int count) { store_upto(y + i, load_upto(x + i, count), count); });
}

void copy_gated(const float* x, const float* gate, float* y, int64_t size) noexcept {
    for_vectors(size, [&](int64_t i, int count) {
        const Mask open = less(zero(), load_upto(gate + i, count));
        store_upto(y + i, select(open, load_upto(x + i, count), zero()), count);
    });
}

constexpr int64_t kMostSums = 32;  // vectors: 512 channels on AVX-512, 2 KiB of stack

/// Pixels of `span` floats at h*row + w*pixel.
struct Spans {
    int64_t height, width, row, pixel, span;

    /// Whole rows, or all, as one span where nothing lies between.
    void merge() {
        if (pixel == span) span *= width, pixel = span, width = 1;
        if (width == 1 && row == span) span *= height, row = span, height = 1;
    }
};

/// sums[j] = the sum of vectors j, j + period, ... of every span, as if zeros followed its end.
void sum_spans(const float* x, const Spans& spans, int64_t period,
               Vec (&sums)[kMostSums]) noexcept {
    // Many sums: an addition must not wait for the one before.
    const int64_t count = period * (kMostSums / period);
    for (int64_t j = 0; j < count; ++j) sums[j] = zero();
    for (int64_t h = 0; h < spans.height; ++h) {
        for (int64_t w = 0; w < spans.width; ++w) {
            const float* span = x + h * spans.row + w * spans.pixel;
            int64_t j = 0;
            for_vectors(spans.span, [&](int64_t i, int lanes) {
                sums[j] = sums[j] + load_upto(span + i, lanes);
                if (++j == count) j = 0;
            });
        }
    }
    for (int64_t j = period; j < count; ++j) sums[j % period] = sums[j % period] + sums[j];
}

}  // namespace

void pad_image(const PadImage& pad) noexcept {
    const int64_t inner = pad.width * pad.channels;
    const int64_t left = pad.left * pad.channels, right = pad.right * pad.channels;
    const int64_t outer = left + inner + right;
    float* y = pad.y;
    if (pad.height == 0) return fill_zero(y, (pad.top + pad.bottom) * outer);
    fill_zero(y, pad.top * outer + left);
    y += pad.top * outer + left;
    for (int64_t h = 0; h < pad.height; ++h, y += outer) {
        if (pad.gate) {
            copy_gated(pad.x + h * inner, pad.gate + h * inner, y, inner);
        } else {
            copy(pad.x + h * inner, y, inner);
        }
        // The border right of this row and left of the next, or below the last.
        const bool last = h + 1 == pad.height;
        fill_zero(y + inner, right + (last ? pad.bottom * outer : left));
    }
}

void to_lanes(const float* x, int64_t images, int64_t size, float* y) noexcept {
    for_vectors(size, [&](int64_t i, int count) {
        Vec rows[kLanes];
#pragma GCC unroll 16  // rows in registers
        for (int image = 0; image < kLanes; ++image) {
            rows[image] = image < images ? load_upto(x + image * size + i, count) : zero();
        }
        transpose(rows);
#pragma GCC unroll 16  // rows in registers
        for (int j = 0; j < kLanes; ++j) {
            if (j < count) store(y + (i + j) * kLanes, rows[j]);
        }
    });
}

void from_lanes(const float* x, int64_t images, int64_t size, float* y) noexcept {
    for_vectors(size, [&](int64_t i, int count) {
        Vec rows[kLanes];
#pragma GCC unroll 16  // rows in registers
        for (int j = 0; j < kLanes; ++j) {
            rows[j] = j < count ? load(x + (i + j) * kLanes) : zero();
        }
        transpose(rows);
#pragma GCC unroll 16  // rows in registers
        for (int image = 0; image < kLanes; ++image) {
            if (image < images) store_upto(y + image * size + i, rows[image], count);
        }
    });
}

void channel_sums(const float* x, int64_t height, int64_t width, int64_t channels, int64_t row,
                  int64_t pixel, float* sums, bool accumulate) noexcept {
    for (int64_t first = 0; first < channels; first += kMostSums * kLanes) {
        const int64_t rest = channels - first;
        const int64_t block = rest < kMostSums * kLanes ? rest : kMostSums * kLanes;
        Spans spans{height, width, row, pixel, block};
        // Of pixels that touch, every period-th vector begins at the same channel.
        const int64_t common = (block & -block) < kLanes ? block & -block : kLanes;
        int64_t period = (block + kLanes - 1) / kLanes;
        if (pixel == block && block / common <= kMostSums) {
            period = block / common;
            spans.merge();
        }
        Vec partial[kMostSums];
        sum_spans(x + first, spans, period, partial);
        float lanes[kMostSums * kLanes];
        for (int64_t j = 0; j < period; ++j) store(lanes + j * kLanes, partial[j]);
        for (int64_t c = 0; c < block; ++c) {
            float total = accumulate ? sums[first + c] : 0.0f;
            for (int64_t i = c; i < period * kLanes; i += block) total += lanes[i];
            sums[first + c] = total;
        }
    }
}

void channel_sums_lanes(const float* x, int64_t height, int64_t width, int64_t channels,
                        int64_t row, int64_t pixel, float* sums, bool accumulate) noexcept {
    for (int64_t first = 0; first < channels; first += kMostSums) {
        const int64_t block = channels - first < kMostSums ? channels - first : kMostSums;
        Spans spans{height, width, row * kLanes, pixel * kLanes, block * kLanes};
        spans.merge();
        Vec partial[kMostSums];
        sum_spans(x + first * kLanes, spans, block, partial);
        for (int64_t c = 0; c < block; ++c) {
            const float total = reduce_add(partial[c]);
            sums[first + c] = accumulate ? sums[first + c] + total : total;
        }
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
