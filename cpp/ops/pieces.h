// SPDX-License-Identifier: Apache-2.0
// Pieces of an image: what a task computes where a batch is a few large images, too few for the
// threads to share. Whether and how they are cut depends on shapes alone.
#pragma once

#include <algorithm>

#include "ops/op.h"

namespace pronghorn {

constexpr int64_t kPieces = 8;  // of an image

/// Whether images of that much work (floating-point operations) each are cut.
inline bool cuts_images(int64_t batch, double work) {
    constexpr int64_t kFew = 3;
    constexpr double kLarge = 4e6;
    return batch <= kFew && work >= kLarge;
}

/// The same of ops that do little more than read and write, by the floats of an image they write.
inline bool cuts_traffic(int64_t batch, int64_t floats) {
    return cuts_images(batch, 40.0 * static_cast<double>(floats));
}

/// The forward stage of an op whose images are cut into `pieces`: by image where that is 1.
inline Stage forward_in_pieces(int64_t batch, int64_t pieces, int64_t scratch, double flops) {
    const bool cut = pieces > 1;
    return {Phase::kForward, !cut, cut ? batch * pieces : 1, scratch, flops};
}

/// Into how many pieces each of `count` is cut, that there are kPieces and an even number: threads
/// shall have equal shares.
inline int64_t even_pieces(int64_t count, int64_t most) {
    const int64_t pieces = (kPieces + count - 1) / count;
    return std::min(pieces + count * pieces % 2, most);
}

/// What both have; a count of 0 or less where that is nothing.
inline Range overlap(Range a, Range b) {
    const int64_t begin = std::max(a.begin, b.begin);
    return {begin, std::min(a.begin + a.count, b.begin + b.count) - begin};
}

/// Part `number` of `count` of [0, size).
inline Range part_of(int64_t size, int64_t number, int64_t count) {
    const int64_t begin = size * number / count;
    return {begin, size * (number + 1) / count - begin};
}

/// The same of what threads share, who take parts from both ends: these are up to one and a half
/// times as large as the average and those in the middle half, and both halves are alike, so that
/// threads end together.
inline Range share_of(int64_t size, int64_t number, int64_t count) {
    if (count <= 2 || size < 2 * count) return part_of(size, number, count);
    const int64_t all = count * (2 * count + 1);
    // Of sizes 3 count - 2 r for r < count the first parts get r = 0, 3, 4, 7 ..., the last ones,
    // from the end, 1, 2, 5, 6 ...
    const auto end_of = [=](int64_t parts) {
        const int64_t rest = count - parts;
        const int64_t sum = 2 * parts < count ? parts * (3 * count + 2 - 2 * parts) - parts / 2 * 2
                                              : all - rest * (3 * count - 2 * rest) - rest / 2 * 2;
        return (size * sum + all - 1) / all;
    };
    const int64_t begin = end_of(number);
    return {begin, end_of(number + 1) - begin};
}

/// How a map is cut: into blocks of rows, or of columns (channels) where the weights are the larger
/// part of what is read, or where there is one row.
struct Pieces {
    int64_t rows = 1, columns = 1;

    static Pieces of(int64_t rows, int64_t panels, bool weights_outweigh,
                     int64_t pieces = kPieces) {
        const bool enough = panels >= std::max<int64_t>(2, pieces / 2);
        if ((weights_outweigh && enough) || rows == 1) {
            return {1, std::clamp<int64_t>(panels, 1, pieces)};
        }
        return {std::min(pieces, rows), 1};
    }
    int64_t count() const { return rows * columns; }
};

/// What one task computes: rows of the output, and columns, whole panels of them.
struct Piece {
    Range rows, columns;

    static Piece of(const Pieces& pieces, int64_t number, int64_t rows, int64_t columns,
                    int64_t panel) {
        const int64_t panels = (columns + panel - 1) / panel;
        Piece piece{share_of(rows, number / pieces.columns, pieces.rows),
                    share_of(panels, number % pieces.columns, pieces.columns)};
        piece.columns.begin *= panel;
        piece.columns.count = std::min(piece.columns.count * panel, columns - piece.columns.begin);
        return piece;
    }
};

/// Only those rows of what pad_image writes.
inline PadImage rows_of(PadImage pad, Range rows) {
    const int64_t begin = rows.begin - pad.top;
    const int64_t first = std::clamp<int64_t>(begin, 0, pad.height);
    const int64_t last = std::clamp<int64_t>(begin + rows.count, 0, pad.height);
    pad.x += first * pad.width * pad.channels;
    if (pad.gate != nullptr) pad.gate += first * pad.width * pad.channels;
    pad.top = std::clamp<int64_t>(-begin, 0, rows.count);
    pad.height = last - first;
    pad.bottom = rows.count - pad.top - pad.height;
    return pad;
}

}  // namespace pronghorn
