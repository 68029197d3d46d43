// SPDX-License-Identifier: Apache-2.0
#include "ops/conv2d_winograd_passes.h"

namespace pronghorn {

namespace {

// Floats behind every plane, so that the planes of a tile do not share a way of the cache.
constexpr int64_t kPlanePad = 80;
constexpr int64_t kUnaligned =
    16;  // floats more where rows would lie 512 bytes apart, or a multiple

constexpr int64_t kMostPacked = 5 << 18;  // floats, which live as long as a chain
// Three parts of 512 x 512 channels; each transforms the inputs anew, 1.5 % of all the work.
constexpr int64_t kMostKernel = 13 << 18;

/// Floats from a tile to the next in a plane of that many channels.
int64_t row_of(int64_t channels, const Kernels& kernels) {
    const int64_t row = round_up(channels, kernels.lanes);
    return row % 128 == 0 ? row + kUnaligned : row;
}

/// Every stride-th tap of the kernel from `first` on, those of a block. None where strides leave
/// the last block of a lattice without.
WinogradTaps::Axis taps_from(int64_t first, int64_t block, const Window& window,
                             const WinogradSide& side) {
    first += block * side.taps * window.stride;
    const int64_t left = ceil_div(window.kernel - first, window.stride);
    return {side.taps, std::clamp<int64_t>(left, 0, side.taps), window.kernel, window.stride,
            first};
}

/// What all blocks of a lattice need along an axis.
int64_t points_along(const Window& window, const WinogradSide& side) {
    const int64_t taps = ceil_div(window.kernel, window.stride);
    return side.blocks * side.points - (side.blocks * side.taps > taps ? 1 : 0);
}

/// A map in tiles.
WinogradTiles tiles_of(const WinogradShape& shape, int64_t channels) {
    WinogradTiles tiles{};
    tiles.taps_h = shape.rows.taps;
    tiles.taps_w = shape.columns.taps;
    tiles.pixel = tiles.channels = channels;
    return tiles;
}

/// Outputs along an axis in tiles.
WinogradTiles::Axis y_axis(const Window& window, int64_t step) {
    const int64_t lattices = window.dilation, cells = ceil_div(window.out, lattices);
    return {window.out, 0, ceil_div(cells, step), lattices, lattices};
}

WinogradTiles y_tiles(const ConvProblem& p, const WinogradShape& shape) {
    WinogradTiles y = tiles_of(shape, p.out_c);
    y.depth = {p.depth.out, 0, p.depth.out, 1, 1};
    y.height = y_axis(p.height, shape.rows.step);
    y.width = y_axis(p.width, shape.columns.step);
    return y;
}

/// What the tiles of y read of a phase of x.
WinogradTiles x_tiles(const ConvProblem& p, const WinogradShape& shape, const WinogradTiles& y,
                      const WinogradTaps& taps) {
    const auto axis = [](const Window& window, const WinogradTiles::Axis& out, int64_t first) {
        return WinogradTiles::Axis{window.in, window.before - first * window.dilation, out.tiles,
                                   window.stride * window.dilation, window.dilation};
    };
    WinogradTiles x = tiles_of(shape, p.in_c);
    x.depth = {p.depth.in, p.depth.before - taps.slice * p.depth.dilation, p.depth.out, 1, 1};
    x.height = axis(p.height, y.height, taps.rows.first);
    x.width = axis(p.width, y.width, taps.columns.first);
    return x;
}

/// Along an axis the cells of x that a lattice's taps reach, in tiles, and the outputs they read.
struct Reached {
    Reached(const Window& window, const WinogradSide& side, const WinogradTaps::Axis& taps) {
        const int64_t before = window.before - taps.first * window.dilation;
        int64_t first = -before % window.stride;
        if (first < 0) first += window.stride;
        // That the first cell meets by the first tap; taps go back from there.
        const int64_t output = (first + before) / window.stride;
        const int64_t lattices = window.dilation;
        const int64_t cells = ceil_div(ceil_div(window.in - first, window.stride), lattices);
        x = {window.in, -first, ceil_div(cells, side.step), window.stride * lattices, lattices};
        // Of the taps that exist the turned kernel has the last one first.
        y = {window.out, (taps.existing - 1) * lattices - output, x.tiles, lattices, lattices};
    }
    WinogradTiles::Axis x, y;
};

/// Tiles of one image.
int64_t tiles_in(const WinogradTiles& tiles) {
    return tiles.depth.tiles * tiles.height.lattices * tiles.height.tiles * tiles.width.lattices *
           tiles.width.tiles;
}

/// Of the products of all tiles: what is executed, not what a direct convolution would.
double flops_of(int64_t points, int64_t tiles, int64_t from, int64_t to) {
    return 2.0 * static_cast<double>(points * tiles) * static_cast<double>(from * to);
}

/// Whether stages may be by image. Fewer images would not keep the threads equally busy. It saves
/// memory in training; predictions of maps beyond a core's L2 cache are 3 to 5 % faster by tiles
/// (evaluations are not, so as not to need more memory than the training between them).
bool may_join_chains(const ConvProblem& p) {
    constexpr int64_t kLeastImages = 8, kSmallMaps = 128 << 10;
    return p.batch >= kLeastImages && (!p.predicts || p.in_size() + p.out_size() <= kSmallMaps);
}

}  // namespace

WinogradShape::WinogradShape(const ConvProblem& p) : WinogradShape(p, 2) {
    const auto work = [&p](const WinogradShape& shape) {
        const int64_t needed =
            points_along(p.height, shape.rows) * points_along(p.width, shape.columns);
        const int64_t tiles = p.batch * tiles_in(y_tiles(p, shape));
        const int64_t transformed = shape.rows.blocks * shape.columns.blocks * shape.points;
        return needed * tiles + transformed * winograd_kernel_cost(p);
    };
    for (int64_t taps = 3; taps <= 5; ++taps) {
        const WinogradShape other(p, taps);
        if (work(other) < work(*this)) *this = other;
    }
}

int64_t needed_points(const WinogradShape& shape, const std::vector<WinogradTaps>& phases) {
    int64_t points = 0;
    for (const WinogradTaps& phase : phases) points += WinogradPoints(shape, phase).count();
    return points;
}

Range channel_block(int64_t channels, int64_t panel, int64_t number, int64_t count) {
    const int64_t panels = ceil_div(channels, panel);
    const int64_t begin = panels * number / count * panel;
    const int64_t end = std::min(panels * (number + 1) / count * panel, channels);
    return {begin, end - begin};
}

std::vector<WinogradTaps> winograd_phases(const ConvProblem& p) {
    const WinogradShape shape(p);
    const Window &h = p.height, &w = p.width;
    const int64_t blocks = shape.rows.blocks * shape.columns.blocks;
    std::vector<WinogradTaps> phases;
    for (int64_t i = 0; i < winograd_lattices(p) * blocks; ++i) {
        const int64_t lattice = i / blocks, block = i % blocks;
        const auto rows =
            taps_from(lattice / w.stride, block / shape.columns.blocks, h, shape.rows);
        const auto columns =
            taps_from(lattice % w.stride, block % shape.columns.blocks, w, shape.columns);
        for (int64_t slice = 0; slice < p.depth.kernel; ++slice) {
            phases.push_back({slice, rows, columns, p.in_c, p.out_c});
        }
    }
    return phases;
}

WinogradPass::WinogradPass(const ConvProblem& p, bool gathers, int64_t lattice)
    : shape(p), transposed(!gathers), taps(winograd_phases(p)) {
    const Kernels& kernels = *p.kernels;
    if (gathers) {
        to = y_tiles(p, shape);
        for (const WinogradTaps& of : taps) from.push_back(x_tiles(p, shape, to, of));
    } else {
        const auto count = static_cast<int64_t>(taps.size()) / winograd_lattices(p);
        const auto begin = taps.begin() + lattice * count;
        taps = std::vector<WinogradTaps>(begin, begin + count);
        to = tiles_of(shape, p.in_c);
        to.depth = {p.depth.in, 0, p.depth.in, 1, 1};
        for (const WinogradTaps& of : taps) {
            const Reached rows(p.height, shape.rows, of.rows);
            const Reached columns(p.width, shape.columns, of.columns);
            to.height = rows.x;
            to.width = columns.x;
            WinogradTiles dy = tiles_of(shape, p.out_c);
            dy.depth = {p.depth.out, of.slice * p.depth.dilation - p.depth.before, p.depth.in, 1,
                        1};
            dy.height = rows.y;
            dy.width = columns.y;
            from.push_back(dy);
        }
    }
    const auto phases = static_cast<int64_t>(from.size());
    channels = phases == 1 ? from[0].channels : round_up(from[0].channels, kernels.lanes);
    depth = phases * channels;
    image_tiles = tiles_in(to);
    tiles = p.batch * image_tiles;
    to.row = row_of(to.channels, kernels);
    to.panel = panel = kernels.panel;

    // Both sets of planes in an L2 cache. Fewer tiles would wait for the transformed kernel.
    constexpr int64_t kPlanesFloats = 96 << 10, kFewest = 42, kMostVectors = 56 * 36;
    const int64_t largest = kMostVectors / shape.points;
    const int64_t row = row_of(depth, kernels), widest = std::max(row, to.row);
    most = std::clamp<int64_t>(kPlanesFloats / (shape.points * widest), kFewest, largest);
    by_image = may_join_chains(p) && image_tiles >= kFewest && packed() <= kMostPacked;
    const int64_t passes = gathers ? 1 : winograd_lattices(p);
    together = passes > 1 && passes * packed() <= kMostPacked;
    if (!by_image) cut(p.trains(), together ? passes : 1);
    to.plane = most * widest + kPlanePad;
    for (WinogradTiles& of : from) {
        of.row = row;
        of.panel = panel;
        of.plane = to.plane;
    }
}

/// Into tasks of equal shares, beside those of other passes; where tiles are few, columns are cut
/// too.
void WinogradPass::cut(bool kernel_moves, int64_t passes) {
    const int64_t panels = ceil_div(to.channels, panel);
    blocks = ceil_div(tiles, most);
    if (blocks * passes >= 4) {
        column_blocks = 1;
        if (passes == 1 && blocks < 32) blocks = round_up(blocks, 4);
        if (kernel_moves) parts = std::min(panels, ceil_div(packed(), kMostKernel));
    } else {
        column_blocks = std::clamp<int64_t>(4 / (blocks * passes), 1, ceil_div(panels, 2));
    }
    most = ceil_div(tiles, blocks);
}

int64_t WinogradPass::u_plane() const {
    const int64_t columns = ceil_div(ceil_div(to.channels, panel), parts) * panel;
    return depth * columns + kPlanePad;
}

Stage WinogradPass::stage(Phase phase, int64_t part) const {
    return {phase, by_image, tasks(), (shape.points + 1) * to.plane,
            flops_of(needed_points(shape, taps), tiles, channels, columns_of(part).count)};
}

void WinogradPass::multiply(const Kernels& kernels, const WinogradProduct& product) const {
    const auto phases = static_cast<int64_t>(taps.size());
    if (needed_points(shape, taps) == phases * shape.points)
        return kernels.winograd_product(product);
    WinogradProduct part = product;
    part.points = 1;
    for (int64_t point = 0; point < shape.points; ++point) {
        const int64_t row = point / shape.columns.points, column = point % shape.columns.points;
        const auto needs = [&](int64_t phase) {
            return phase < phases &&
                   WinogradPoints(shape, taps[static_cast<size_t>(phase)]).has(row, column);
        };
        part.c = product.c + point * product.c_plane;
        part.accumulate = false;
        for (int64_t phase = 0, end; phase < phases; phase = end + 1) {
            end = phase;
            while (needs(end)) ++end;
            if (end == phase) continue;
            part.a = product.a + point * product.a_plane + phase * channels;
            part.b = product.b + point * product.b_plane + phase * channels * panel;
            part.depth = (end - phase) * channels;
            kernels.winograd_product(part);
            part.accumulate = true;
        }
        if (part.accumulate) continue;
        for (int64_t tile = 0; tile < product.rows; ++tile) {
            std::fill_n(part.c + tile * product.c_row, round_up(product.columns, kernels.lanes),
                        0.0f);
        }
    }
}

WinogradGradientPass::WinogradGradientPass(const ConvProblem& p)
    : shape(p), taps(winograd_phases(p)), dy(y_tiles(p, shape)) {
    constexpr int64_t kMostChannels = 128;
    constexpr int64_t kLeastTiles = 100;  // the way back to taps once for so many
    constexpr int64_t kParts = 16;        // of a batch, at most
    const Kernels& kernels = *p.kernels;
    for (const WinogradTaps& of : taps) x.push_back(x_tiles(p, shape, dy, of));
    image_tiles = tiles_in(dy);
    tiles = p.batch * image_tiles;
    dw_size = p.taps() * p.in_c * p.out_c;
    by_image = may_join_chains(p) && image_tiles >= kLeastTiles &&
               kParts * dw_size <= p.batch * (p.in_size() + p.out_size()) / 8;
    x_blocks = ceil_div(p.in_c, kMostChannels);
    dy_blocks = ceil_div(p.out_c, kMostChannels);
    // Few tiles make few groups: then smaller blocks of channels give the threads their tasks.
    if (tiles <= 2 * kTiles && x_sums() * dy_blocks < 4) {
        x_blocks = ceil_div(2 * p.in_c, kMostChannels);
        dy_blocks = ceil_div(2 * p.out_c, kMostChannels);
    }
    const int64_t x_most = round_up(ceil_div(p.in_c, x_blocks), kernels.panel);
    const int64_t dy_most = round_up(ceil_div(p.out_c, dy_blocks), kernels.panel);
    if (!by_image) {
        groups = std::clamp<int64_t>(8 / (x_sums() * dy_blocks), 1, ceil_div(tiles, kTiles));
    }
    for (WinogradTiles& of : x) {
        of.row = row_of(x_most, kernels);
        of.panel = kernels.panel;
        of.plane = kTiles * of.row + kPlanePad;
    }
    dy.row = kernels.panel;
    dy.panel = kTiles * kernels.panel;
    dy.plane = kTiles * dy_most + kPlanePad;
    sum_row = row_of(dy_most, kernels);
    sum_plane = x_most * sum_row + kPlanePad;
    db_begin = round_up(dw_size, kUnaligned);
    db_size = round_up(p.transposed ? p.in_c : p.out_c, kernels.panel);
    part = db_begin + db_size;
}

void WinogradGradientPass::multiply(const Kernels& kernels, const WinogradProduct& product,
                                    size_t phase) const {
    const WinogradPoints needed(shape, taps[phase]);
    if (needed.count() == shape.points) return kernels.winograd_product(product);
    WinogradProduct in_row = product;
    in_row.points = needed.columns;
    for (int64_t row = 0; row < needed.rows; ++row) {
        const int64_t point = row * shape.columns.points;
        in_row.a = product.a + point * product.a_plane;
        in_row.b = product.b + point * product.b_plane;
        in_row.c = product.c + point * product.c_plane;
        kernels.winograd_product(in_row);
    }
}

Stage WinogradGradientPass::stage(bool wants_dw) const {
    return {Phase::kBackward, by_image, by_image ? 1 : x_sums() * dy_blocks * groups,
            scratch() + (by_image ? db_size : 0),
            wants_dw ? flops_of(points(), tiles, x[0].channels, dy.channels) : 0.0};
}

}  // namespace pronghorn
