// SPDX-License-Identifier: Apache-2.0
// How the work of a Winograd convolution is cut. Its windows fall into sums of convolutions without
// strides over lattices of slices of x. Stride s: tap i of the kernel reads cells that lie s apart,
// so the taps of one remainder of i / s are a small kernel over one lattice; a block of them (all,
// but of large kernels), with one slice of the kernel's depth, is a *phase*. y is the sum of all
// phases, and each lattice of dx is a sum of its own. Dilation d: an output in lattice a of d reads
// that lattice alone, so tiles are those of d smaller maps along an axis.
#pragma once

#include <vector>

#include "ops/conv2d.h"

namespace pronghorn {

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

/// Transforming the kernel takes as long as the products of so many tiles.
inline int64_t winograd_kernel_cost(const ConvProblem& problem) {
    return (problem.trains() ? 50 : 25) / (problem.transposed ? 2 : 1);
}

/// F(step, taps) along an axis, for blocks of a window's taps.
struct WinogradSide {
    WinogradSide(const Window& window, int64_t taps_of_block)
        : taps(taps_of_block),
          step(taps == 1   ? 1
               : taps <= 3 ? 4
                           : 7 - taps),
          points(step + taps - 1),
          blocks(ceil_div(ceil_div(window.kernel, window.stride), taps)) {}

    int64_t taps, step, points, blocks;
};

/// The same of a slice.
struct WinogradShape {
    /// With the fewest multiplications. An axis of one cell stays as it is.
    explicit WinogradShape(const ConvProblem& p);
    WinogradShape(const ConvProblem& p, int64_t taps)
        : rows(p.height, p.height.kernel == 1 ? 1 : taps),
          columns(p.width, taps),
          points(rows.points * columns.points) {}

    /// Terms in a sum of the products, whose rounding errors are most of the convolution's. 3 x 3
    /// taps: in parts of 128, 64 and 32 terms they come to 1.04e-6, 7.6e-7 and 5.6e-7 (rms,
    /// relative, 128 channels). 5 x 5: parts of 72 err by up to 1.03e-6 (512 channels), of 48 by
    /// 9.5e-7 and take up to 3 % longer.
    int64_t most_terms() const { return columns.taps > 3 ? 48 : 72; }

    WinogradSide rows, columns;
    int64_t points;
};

/// Of a phase: the points its taps need. At the last one of an axis, infinity, there is only the
/// last tap, which kernels that end before it do not have.
struct WinogradPoints {
    WinogradPoints(const WinogradShape& shape, const WinogradTaps& taps)
        : rows(of(shape.rows, taps.rows)), columns(of(shape.columns, taps.columns)) {}

    bool has(int64_t row, int64_t column) const { return row < rows && column < columns; }
    int64_t count() const { return rows * columns; }

    int64_t rows, columns;

   private:
    static int64_t of(const WinogradSide& side, const WinogradTaps::Axis& axis) {
        return side.points - (axis.existing < axis.taps ? 1 : 0);
    }
};

/// Of all phases.
int64_t needed_points(const WinogradShape& shape, const std::vector<WinogradTaps>& phases);

/// Block `number` of `count` of the channels, beginning with a whole panel.
Range channel_block(int64_t channels, int64_t panel, int64_t number, int64_t count);

/// The taps of each phase of the kernel: those of a lattice follow each other.
std::vector<WinogradTaps> winograd_phases(const ConvProblem& problem);

/// How many lattices of x windows with strides read.
inline int64_t winograd_lattices(const ConvProblem& problem) {
    return problem.height.stride * problem.width.stride;
}

/// A pass from maps to a map: from all phases of x to y, or from dy to one lattice of x. Where an
/// image fills blocks of tiles by itself it is by image, and carries on while the maps before and
/// behind are in cache. The columns of a large kernel that changes with every step are passed one
/// part after the other: less memory for it.
struct WinogradPass {
    /// `gathers`: to y, else to the lattice of that number.
    WinogradPass(const ConvProblem& problem, bool gathers, int64_t lattice);

    /// Floats from a plane of a part's transformed kernel to the next, and of all planes.
    int64_t u_plane() const;
    int64_t packed() const { return shape.points * u_plane(); }
    /// A set-up product of all points, depth and b being those of all phases, at the points that
    /// they need.
    void multiply(const Kernels& kernels, const WinogradProduct& product) const;
    Range columns_of(int64_t part) const { return channel_block(to.channels, panel, part, parts); }
    int64_t tasks() const { return by_image ? 1 : blocks * column_blocks; }
    Stage stage(Phase phase, int64_t part) const;

    static constexpr int64_t kPrepareRows = 16;  // of a plane of a phase, in one task
    int64_t prepare_tasks_of_phase() const { return ceil_div(channels, kPrepareRows); }
    int64_t prepare_tasks() const {
        return static_cast<int64_t>(taps.size()) * prepare_tasks_of_phase();
    }

    WinogradShape shape;
    bool transposed;                  // the kernel is
    std::vector<WinogradTaps> taps;   // of the phases that are read
    std::vector<WinogradTiles> from;  // one for each
    WinogradTiles to;
    int64_t channels = 0;  // of a phase: where there are more than one, filled up to whole vectors
    int64_t depth = 0;     // channels of all phases
    int64_t image_tiles = 0, tiles = 0, most = 0;  // of an image, of the batch, of a block
    bool by_image = false;
    bool together = false;         // one of several with kernels small enough for one stage
    int64_t panel = 0, parts = 1;  // of the columns
    int64_t blocks = 0, column_blocks = 0;  // of a part

   private:
    void cut(bool kernel_moves, int64_t passes);
};

/// The sums over tiles for dw and db. Where an image has tiles enough, and kernels are small beside
/// maps, it is by image, with a sum for each part of the batch; else it is (phases) x (channel
/// blocks of x) x (of y) x (groups of tiles) tasks.
struct WinogradGradientPass {
    explicit WinogradGradientPass(const ConvProblem& problem);

    int64_t packed() const { return groups * part; }
    /// Of a task, before what sums of images have behind it for db.
    int64_t scratch() const {
        return std::max(shape.points * (x[0].plane + dy.plane + sum_plane), db_size);
    }
    int64_t x_sums() const { return static_cast<int64_t>(taps.size()) * x_blocks; }
    int64_t points() const { return needed_points(shape, taps); }
    /// The same of one phase.
    void multiply(const Kernels& kernels, const WinogradProduct& product, size_t phase) const;
    Stage stage(bool wants_dw) const;
    int64_t sum_tasks() const { return ceil_div(dw_size, kSumBlock); }

    static constexpr int64_t kTiles = 64;       // of a block
    static constexpr int64_t kSumBlock = 4096;  // floats of dw whose parts one task adds up
    WinogradShape shape;
    std::vector<WinogradTaps> taps;  // by phase
    std::vector<WinogradTiles> x;
    WinogradTiles dy;
    int64_t image_tiles = 0, tiles = 0;
    bool by_image = false;
    int64_t x_blocks = 0, dy_blocks = 0, groups = 0;
    int64_t sum_row = 0, sum_plane = 0;
    int64_t dw_size = 0, db_begin = 0, db_size = 0;  // floats of dw; of db, filled up
    int64_t part = 0;                                // of both
};

}  // namespace pronghorn
