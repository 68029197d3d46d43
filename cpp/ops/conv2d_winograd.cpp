// SPDX-License-Identifier: Apache-2.0
// Winograd F(4x4, 3x3) and F(2x2, 5x5) for kernels of 3 x 3 and 5 x 5 without strides, dilation or
// groups: a quarter, and 36 %, of the multiplications. Both have tiles of 6 x 6 inputs. Tiles of
// the batch, or of a slice of it where images are large, are cut into blocks; a block's inputs are
// transformed to 36 planes, each is multiplied with its plane of the transformed kernel, and the
// products are transformed back, all in a task's scratch. The gradient of x is the same pass over
// dy with the kernel turned.
//
// The gradient of the kernel sums (A dy At) * (Bt x B) over tiles: of a slice, or tasks own a block
// of channels and a group of tiles, and their sums, back at the taps, are added up in the groups'
// order.
#include "ops/conv2d.h"
#include "ops/pieces.h"

namespace pronghorn {

namespace {

constexpr int64_t kTileSize = 6;
constexpr int64_t kPoints = kTileSize * kTileSize;
// Floats behind every plane, so that the planes of a tile do not share a way of the cache.
constexpr int64_t kPlanePad = 80;
constexpr int64_t kUnaligned =
    16;  // floats more where rows would lie 512 bytes apart, or a multiple

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

/// Floats from a tile to the next in a plane of that many channels.
int64_t row_of(int64_t channels, const Kernels& kernels) {
    const int64_t row = round_up(channels, kernels.lanes);
    return row % 128 == 0 ? row + kUnaligned : row;
}

/// Terms in a sum of the products, whose rounding errors are most of the convolution's. 3 x 3 taps:
/// in parts of 128, 64 and 32 terms they come to 1.04e-6, 7.6e-7 and 5.6e-7 (rms, relative, 128
/// channels). 5 x 5: parts of 72 err by up to 1.03e-6 (512 channels), of 48 by 9.5e-7 and take up
/// to 3 % longer.
constexpr int64_t most_terms(int64_t taps) { return taps == 3 ? 72 : 48; }

/// A map of pixels in tiles for a kernel of so many taps along a side.
WinogradTiles tiles_of(int64_t taps, int64_t height, int64_t width, int64_t channels) {
    WinogradTiles tiles{};
    tiles.step = kTileSize + 1 - taps;
    tiles.height = height;
    tiles.width = width;
    tiles.pixel = tiles.channels = channels;
    return tiles;
}

/// Of the products of all tiles: what is executed, not what a direct convolution would.
double flops_of(int64_t tiles, int64_t from, int64_t to) {
    return 2.0 * kPoints * static_cast<double>(tiles) * static_cast<double>(from * to);
}

/// Whether stages may be by image. Fewer images would not keep the threads equally busy. It saves
/// memory in training; predictions of maps beyond a core's L2 cache are 3 to 5 % faster by tiles
/// (evaluations are not, so as not to need more memory than the training between them).
bool may_join_chains(const ConvProblem& p) {
    constexpr int64_t kLeastImages = 8, kSmallMaps = 128 << 10;
    return p.batch >= kLeastImages && (!p.predicts || p.in_size() + p.out_size() <= kSmallMaps);
}

/// Block `number` of `count` of the channels, beginning with a whole panel.
Range block_of(int64_t channels, int64_t panel, int64_t number, int64_t count) {
    const int64_t panels = ceil_div(channels, panel);
    const int64_t begin = panels * number / count * panel;
    const int64_t end = std::min(panels * (number + 1) / count * panel, channels);
    return {begin, end - begin};
}

/// The pass from x to y, or from dy to dx. Where an image fills blocks of tiles by itself it is by
/// image, and carries on while the maps before and behind are in cache. The columns of a large
/// kernel that changes with every step are passed one part after the other: less memory for it.
struct Pass {
    Pass() = default;
    Pass(WinogradTiles source, WinogradTiles target, const ConvProblem& p)
        : from(source), to(target) {
        const Kernels& kernels = *p.kernels;
        from.tiles_h = to.tiles_h = ceil_div(to.height, to.step);
        from.tiles_w = to.tiles_w = ceil_div(to.width, to.step);
        image_tiles = to.tiles_h * to.tiles_w;
        tiles = p.batch * image_tiles;
        from.row = row_of(from.channels, kernels);
        to.row = row_of(to.channels, kernels);
        from.panel = to.panel = panel = kernels.panel;

        // Both sets of planes in an L2 cache. Fewer tiles would wait for the transformed kernel.
        constexpr int64_t kBlockFloats = 96 << 10, kFewest = 42, kMost = 56;
        const int64_t fit = kBlockFloats / (kPoints * std::max(from.row, to.row));
        most = std::clamp<int64_t>(fit, kFewest, kMost);
        by_image = may_join_chains(p) && image_tiles >= kFewest && packed() <= kMostPacked;
        if (!by_image) cut(p.trains());
        from.plane = to.plane = most * std::max(from.row, to.row) + kPlanePad;
    }

    /// Into tasks of equal shares; where tiles are few, columns are cut too.
    void cut(bool kernel_moves) {
        const int64_t panels = ceil_div(to.channels, panel);
        blocks = ceil_div(tiles, most);
        if (blocks >= 4) {
            column_blocks = 1;
            if (blocks < 32) blocks = round_up(blocks, 4);
            if (kernel_moves) parts = std::min(panels, ceil_div(packed(), kMostKernel));
        } else {
            column_blocks = std::clamp<int64_t>(4 / blocks, 1, ceil_div(panels, 2));
        }
        most = ceil_div(tiles, blocks);
    }

    /// Floats from a plane of a part's transformed kernel to the next, and of all planes.
    int64_t u_plane() const {
        const int64_t columns = ceil_div(ceil_div(to.channels, panel), parts) * panel;
        return from.channels * columns + kPlanePad;
    }
    int64_t packed() const { return kPoints * u_plane(); }
    Range columns_of(int64_t part) const { return block_of(to.channels, panel, part, parts); }
    Stage stage(Phase phase, int64_t part) const {
        return {phase, by_image, by_image ? 1 : blocks * column_blocks, (kPoints + 1) * from.plane,
                flops_of(tiles, from.channels, columns_of(part).count)};
    }

    static constexpr int64_t kMostPacked = 5 << 18;  // floats, which live as long as a chain
    // Three parts of 512 x 512 channels; each transforms the inputs anew, 1.5 % of all the work.
    static constexpr int64_t kMostKernel = 13 << 18;
    WinogradTiles from, to;
    int64_t image_tiles = 0, tiles = 0, most = 0;  // of an image, of the batch, of a block
    bool by_image = false;
    int64_t panel = 0, parts = 1;           // of the columns
    int64_t blocks = 0, column_blocks = 0;  // of a part
};

/// The sums over tiles for dw and db. Where an image has tiles enough, and kernels are small beside
/// maps, it is by image, with a sum for each part of the batch; else it is (channel blocks of x) x
/// (of y) x (groups of tiles) tasks.
struct GradientPass {
    GradientPass() = default;
    GradientPass(WinogradTiles input, WinogradTiles output, const ConvProblem& p)
        : x(input), dy(output) {
        const Kernels& kernels = *p.kernels;
        x.tiles_h = dy.tiles_h = ceil_div(dy.height, dy.step);
        x.tiles_w = dy.tiles_w = ceil_div(dy.width, dy.step);
        image_tiles = dy.tiles_h * dy.tiles_w;
        tiles = p.batch * image_tiles;
        dw_size = p.taps() * p.in_c * p.out_c;
        by_image = may_join_chains(p) && image_tiles >= kLeastTiles &&
                   kParts * dw_size <= p.batch * (p.in_size() + p.out_size()) / 8;
        x_blocks = ceil_div(x.channels, kMostChannels);
        dy_blocks = ceil_div(dy.channels, kMostChannels);
        // Few tiles make few groups: then smaller blocks of channels give the threads their tasks.
        if (tiles <= 2 * kTiles && x_blocks * dy_blocks < 4) {
            x_blocks = ceil_div(2 * x.channels, kMostChannels);
            dy_blocks = ceil_div(2 * dy.channels, kMostChannels);
        }
        const int64_t x_most = round_up(ceil_div(x.channels, x_blocks), kernels.panel);
        const int64_t dy_most = round_up(ceil_div(dy.channels, dy_blocks), kernels.panel);
        if (!by_image) {
            groups = std::clamp<int64_t>(8 / (x_blocks * dy_blocks), 1, ceil_div(tiles, kTiles));
        }
        x.row = row_of(x_most, kernels);
        x.panel = dy.row = kernels.panel;
        dy.panel = kTiles * kernels.panel;
        x.plane = kTiles * x.row + kPlanePad;
        dy.plane = kTiles * dy_most + kPlanePad;
        sum_row = row_of(dy_most, kernels);
        sum_plane = x_most * sum_row + kPlanePad;
        db_size = round_up(dy.channels, kernels.panel);
        part = round_up(dw_size, kUnaligned) + db_size;
    }

    int64_t packed() const { return groups * part; }
    Stage stage(bool wants_dw) const {
        const int64_t sums = kPoints * (x.plane + dy.plane + sum_plane);
        return {Phase::kBackward, by_image, by_image ? 1 : x_blocks * dy_blocks * groups,
                sums + (by_image ? db_size : 0),
                wants_dw ? flops_of(tiles, x.channels, dy.channels) : 0.0};
    }
    int64_t sum_tasks() const { return ceil_div(dw_size, kSumBlock); }

    static constexpr int64_t kMostChannels = 128;
    static constexpr int64_t kTiles = 64;        // of a block
    static constexpr int64_t kSumBlock = 4096;   // floats of dw whose parts one task adds up
    static constexpr int64_t kLeastTiles = 100;  // the way back to taps once for so many
    static constexpr int64_t kParts = 16;        // of a batch, at most
    WinogradTiles x, dy;
    int64_t image_tiles = 0, tiles = 0;
    bool by_image = false;
    int64_t x_blocks = 0, dy_blocks = 0, groups = 0;
    int64_t sum_row = 0, sum_plane = 0;
    int64_t dw_size = 0, db_size = 0, part = 0;  // floats of dw; of db, filled up; of both
};

class ConvWinograd final : public ConvAlgorithm {
   public:
    explicit ConvWinograd(const ConvProblem& problem) : p_(problem), taps_(p_.height.kernel) {
        WinogradTiles x = tiles_of(taps_, p_.height.in, p_.width.in, p_.in_c);
        WinogradTiles y = tiles_of(taps_, p_.height.out, p_.width.out, p_.out_c);
        x.top = p_.height.before;
        x.left = p_.width.before;
        forward_ = Pass(x, y, p_);
        if (p_.wants_dw || p_.wants_db) gradient_ = GradientPass(x, y, p_);
        if (p_.wants_dx) {
            x.top = x.left = 0;
            y.top = taps_ - 1 - p_.height.before;
            y.left = taps_ - 1 - p_.width.before;
            backward_ = Pass(y, x, p_);
        }
    }

    Signature plan() override {
        Signature signature;
        for (int64_t part = 0; part < forward_.parts; ++part) {
            const size_t u = add_prepare(signature, {Job::kPrepare, part}, forward_);
            add_stage(signature, {Job::kForward, part}, forward_.stage(Phase::kForward, part), u);
        }
        // dw is summed before dx, which takes the place of x or comes when x is gone. The kernel
        // moves as the groups' sums are added up: by then dx has the whole of its transform.
        const bool wants_sums = p_.wants_dw || p_.wants_db;
        size_t sums = 0;
        if (wants_sums) {
            sums = add_packed(signature, gradient_.packed());
            add_stage(signature, {Job::kGradient}, gradient_.stage(p_.wants_dw), sums);
            signature.stages.back().writes_d_in = false;
        }
        const auto add_sum = [&] {
            if (!wants_sums || gradient_.by_image) return;
            add_stage(signature, {Job::kSum}, {Phase::kBackward, false, gradient_.sum_tasks()},
                      sums);
            Stage& sum = signature.stages.back();
            sum.reads_d_out = sum.reads_out = sum.reads_in = sum.writes_d_in = false;
        };
        const int64_t dx_parts = p_.wants_dx ? backward_.parts : 0;
        for (int64_t part = 0; part < dx_parts; ++part) {
            const size_t u = add_prepare(signature, {Job::kPrepareDx, part}, backward_);
            if (dx_parts == 1) add_sum();
            add_stage(signature, {Job::kBackward, part}, backward_.stage(Phase::kBackward, part),
                      u);
            signature.stages.back().reads_in = signature.stages.back().in_place = p_.gate_taken;
        }
        if (dx_parts != 1) add_sum();
        signature.backward_reads[0] = p_.wants_dw;
        signature.backward_reads_output = p_.masks_dy();
        signature.gradient[1] = signature.gradient[2] =
            gradient_.by_image ? GradientBy::kParts : GradientBy::kOwner;
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        const Work& work = work_[static_cast<size_t>(stage)];
        switch (work.job) {
            case Job::kPrepare:
                return prepare(args, forward_, work.part, false, task);
            case Job::kPrepareDx:
                return prepare(args, backward_, work.part, true, task);
            case Job::kForward:
                return convolve(args, forward_, work.part,
                                {args.in[0], nullptr, p_.bias ? args.in[2] : nullptr, p_.relu,
                                 nullptr, args.out},
                                task);
            case Job::kBackward:
                return convolve(args, backward_, work.part,
                                {args.d_out, p_.masks_dy() ? args.out : nullptr, nullptr, false,
                                 p_.gate_taken ? args.in[0] : nullptr, args.d_in[0]},
                                task);
            case Job::kGradient:
                return gradient_.by_image ? sum_images(args) : sum_group(args, task);
            case Job::kSum:
                return sum_groups(stage, args, task);
        }
    }

    bool masks_dx() const override { return true; }

    Range owned(int stage, int input, int64_t task) const noexcept override {
        if (work_[static_cast<size_t>(stage)].job != Job::kSum) return {};
        if (input == 2) return task == 0 ? Range{0, p_.out_c} : Range{};
        const int64_t begin = task * GradientPass::kSumBlock;
        return {begin, std::min(GradientPass::kSumBlock, gradient_.dw_size - begin)};
    }

   private:
    enum class Job : uint8_t { kPrepare, kPrepareDx, kForward, kBackward, kGradient, kSum };
    struct Work {
        Job job;
        int64_t part = 0;  // of a pass
    };
    struct Maps {
        const float *x, *gate;  // of x
        const float* bias;
        bool relu;
        const float* y_gate;
        float* y;
    };

    static constexpr int64_t kPrepareRows = 16;  // of a plane, in one task

    static int64_t prepare_tasks(const Pass& pass) {
        return ceil_div(pass.from.channels, kPrepareRows);
    }

    static size_t add_packed(Signature& signature, int64_t floats) {
        signature.packed.push_back(floats);
        return signature.packed.size() - 1;
    }

    /// `packed`: the block that it writes or reads.
    void add_stage(Signature& signature, Work work, Stage stage, size_t packed) {
        stage.packed = packed;
        signature.stages.push_back(stage);
        work_.push_back(work);
    }

    /// The transform of a part of the kernel; returns its block.
    size_t add_prepare(Signature& signature, Work work, const Pass& pass) {
        const size_t packed = add_packed(signature, pass.packed());
        add_stage(signature, work, {Phase::kPrepare, false, prepare_tasks(pass)}, packed);
        return packed;
    }

    void prepare(const Args& args, const Pass& pass, int64_t part, bool transposed,
                 int64_t task) const noexcept {
        const int64_t begin = task * kPrepareRows;
        const int64_t end = std::min(begin + kPrepareRows, pass.from.channels);
        const Range columns = pass.columns_of(part);
        p_.kernels->winograd_filter({args.in[1], taps_, p_.in_c, p_.out_c, args.packed,
                                     pass.u_plane(), begin, end, columns.begin,
                                     columns.begin + columns.count, transposed});
    }

    void convolve(const Args& args, const Pass& pass, int64_t part, const Maps& maps,
                  int64_t task) const noexcept {
        const Range all = pass.columns_of(part);
        if (!pass.by_image) {
            const int64_t block = task / pass.column_blocks, share = task % pass.column_blocks;
            const Range columns = block_of(all.count, pass.panel, share, pass.column_blocks);
            return convolve_block(args, pass, maps, part_of(pass.tiles, block, pass.blocks), all,
                                  columns);
        }
        const int64_t tiles = args.images * pass.image_tiles;
        const int64_t blocks = ceil_div(tiles, pass.most);
        for (int64_t block = 0; block < blocks; ++block) {
            convolve_block(args, pass, maps, part_of(tiles, block, blocks), all, {0, all.count});
        }
    }

    /// Tiles of y, those of its channels that are `columns` of the part.
    void convolve_block(const Args& args, const Pass& pass, const Maps& maps, Range tiles,
                        Range part, Range columns) const noexcept {
        const int64_t column = part.begin + columns.begin;
        WinogradTiles from = pass.from, to = pass.to;
        from.first = to.first = tiles.begin;
        from.count = to.count = tiles.count;
        // Each product takes the place of the input plane before the one it reads: half the cache.
        to.planes = args.scratch;
        from.planes = args.scratch + to.plane;
        to.channels = columns.count;
        p_.kernels->winograd_input(from, maps.x, maps.gate);
        WinogradProduct product{};
        product.a = from.planes;
        product.a_plane = from.plane;
        product.a_row = from.row;
        product.a_step = 1;
        product.b = args.packed + columns.begin * from.channels;
        product.b_plane = pass.u_plane();
        product.b_panel = from.channels * pass.panel;
        product.c = to.planes;
        product.c_plane = to.plane;
        product.c_row = to.row;
        product.rows = from.count;
        product.columns = to.channels;
        product.depth = from.channels;
        product.most_terms = most_terms(taps_);
        p_.kernels->winograd_product(product);
        p_.kernels->winograd_output(
            to, maps.bias == nullptr ? nullptr : maps.bias + column, maps.relu,
            maps.y_gate == nullptr ? nullptr : maps.y_gate + column, maps.y + column);
    }

    /// Where the sums of a block of channels go; db is written in whole vectors.
    struct Sums {
        float *dw, *db;
        bool accumulate;  // += dw where true
    };

    void sum_group(const Args& args, int64_t task) const noexcept {
        const GradientPass& pass = gradient_;
        const int64_t group = task % pass.groups, block = task / pass.groups;
        float* const part = args.packed + group * pass.part;
        float* const db = part + round_up(pass.dw_size, kUnaligned);
        sum_block(args, block, part_of(pass.tiles, group, pass.groups), {part, db, false});
    }

    /// dw and db of a slice of the batch.
    void sum_images(const Args& args) const noexcept {
        const GradientPass& pass = gradient_;
        float* const db = args.scratch + pass.stage(true).scratch - pass.db_size;
        const Range tiles{0, args.images * pass.image_tiles};
        for (int64_t block = 0; block < pass.x_blocks * pass.dy_blocks; ++block) {
            sum_block(args, block, tiles, {args.d_in[1], db, args.accumulate});
        }
        if (!p_.wants_db) return;
        for (int64_t c = 0; c < p_.out_c; ++c) {
            args.d_in[2][c] = args.accumulate ? args.d_in[2][c] + db[c] : db[c];
        }
    }

    /// Block `number` of the channels of dw, and of db, summed over tiles.
    void sum_block(const Args& args, int64_t number, Range tiles, Sums to) const noexcept {
        const GradientPass& pass = gradient_;
        const int64_t panel = p_.kernels->panel;
        const Range rows = block_of(p_.in_c, panel, number / pass.dy_blocks, pass.x_blocks);
        const Range columns = block_of(p_.out_c, panel, number % pass.dy_blocks, pass.dy_blocks);
        WinogradTiles x = pass.x, dy = pass.dy;
        x.channels = rows.count;
        dy.channels = columns.count;
        x.planes = args.scratch;
        dy.planes = x.planes + kPoints * x.plane;
        float* const db = p_.wants_db && rows.begin == 0 ? to.db + columns.begin : nullptr;
        if (db != nullptr) std::fill_n(db, round_up(columns.count, panel), 0.0f);
        WinogradProduct product{};
        product.a = x.planes;
        product.a_plane = x.plane;
        product.a_row = 1;
        product.a_step = x.row;
        product.b = dy.planes;
        product.b_plane = dy.plane;
        product.b_panel = dy.panel;
        product.c = dy.planes + kPoints * dy.plane;
        product.c_plane = pass.sum_plane;
        product.c_row = pass.sum_row;
        product.rows = rows.count;
        product.columns = columns.count;
        product.most_terms = most_terms(taps_);
        const int64_t blocks = ceil_div(tiles.count, GradientPass::kTiles);
        for (int64_t block = 0; block < blocks; ++block) {
            const Range part = part_of(tiles.count, block, blocks);
            x.first = dy.first = tiles.begin + part.begin;
            x.count = dy.count = product.depth = part.count;
            p_.kernels->winograd_gradient(dy, args.d_out + columns.begin,
                                          p_.masks_dy() ? args.out + columns.begin : nullptr, db);
            if (!p_.wants_dw) continue;
            p_.kernels->winograd_input(x, args.in[0] + rows.begin, nullptr);
            p_.kernels->winograd_product(product);
            product.accumulate = true;
        }
        if (!p_.wants_dw) return;
        p_.kernels->winograd_filter_gradient({taps_, product.c, pass.sum_plane, pass.sum_row,
                                              rows.count, columns.count,
                                              to.dw + rows.begin * p_.out_c + columns.begin,
                                              p_.in_c * p_.out_c, p_.out_c, to.accumulate});
    }

    /// The groups' parts of a block of dw, or of db.
    void sum_groups(int stage, const Args& args, int64_t task) const noexcept {
        const float* parts = args.packed;
        if (args.d_in[1] != nullptr) {
            const Range block = owned(stage, 1, task);
            p_.kernels->sum_sources(block.count, parts + block.begin, gradient_.groups,
                                    gradient_.part, args.d_in[1]);
        }
        if (args.d_in[2] != nullptr && task == 0) {
            p_.kernels->sum_sources(p_.out_c, parts + round_up(gradient_.dw_size, kUnaligned),
                                    gradient_.groups, gradient_.part, args.d_in[2]);
        }
    }

    ConvProblem p_;
    int64_t taps_;  // along a side of the kernel
    Pass forward_, backward_;
    GradientPass gradient_;
    std::vector<Work> work_;  // by stage
};

bool supports(const ConvProblem& p) {
    const auto fits = [](const Window& window) {
        return (window.kernel == 3 || window.kernel == 5) && window.stride == 1 &&
               window.dilation == 1;
    };
    return p.height.kernel == p.width.kernel && fits(p.height) && fits(p.width) && p.groups == 1 &&
           !p.is_volume() && !p.all_by_image;
}

}  // namespace

std::unique_ptr<ConvAlgorithm> make_conv_winograd(const ConvProblem& problem) {
    if (!supports(problem)) return nullptr;
    return std::make_unique<ConvWinograd>(problem);
}

bool winograd_wins(const ConvProblem& p) {
    // Transforming the kernel has to pay; predictions do it for once. 5 x 5 kernels save more at
    // every pixel.
    const int64_t least = (p.trains() ? 300 : 150) / (p.height.kernel == 3 ? 1 : 3);
    return supports(p) && p.batch * p.height.out * p.width.out >= least && p.in_c >= 16 &&
           p.out_c >= 16;
}

}  // namespace pronghorn
