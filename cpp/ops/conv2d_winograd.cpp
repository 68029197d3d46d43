// SPDX-License-Identifier: Apache-2.0
// Winograd F(4x4, 3x3), F(3x3, 4x4), F(2x2, 5x5) and F(4x4, 2x2): a quarter, a quarter, 36 % and
// 39 % of the multiplications, or the same along rows, for kernels without groups that fall into
// sums of such (conv2d_winograd_passes.h). Tiles of the batch, or of a slice of it where
// images are large, are cut into blocks; a block's inputs are transformed to a plane for each
// point, each is multiplied with its plane of the transformed kernel, and the products are
// transformed back, all in a task's scratch. The gradient of x is the same pass over dy with the
// kernel turned, once for each lattice of x. A transposed convolution has these two in each other's
// place.
//
// The gradient of the kernel sums (A dy At) * (Bt x B) over tiles: of a slice, or tasks own a block
// of channels and a group of tiles, and their sums, back at the taps, are added up in the groups'
// order.
#include "ops/conv2d.h"
#include "ops/conv2d_winograd_passes.h"
#include "ops/pieces.h"

namespace pronghorn {

namespace {

/// Of a map that may be null.
const float* at(const float* map, int64_t offset) { return map == nullptr ? map : map + offset; }

class ConvWinograd final : public ConvAlgorithm {
   public:
    explicit ConvWinograd(const ConvProblem& problem)
        : p_(problem), forward_(passes(!p_.transposed)), gradient_(p_) {
        if (p_.wants_dx) backward_ = passes(p_.transposed);
    }

    Signature plan() override {
        Signature signature;
        add_passes(signature, forward_, Phase::kForward, [] {});
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
        const bool once =
            share_stages(backward_) || (backward_.size() == 1 && backward_[0].parts == 1);
        add_passes(signature, backward_, Phase::kBackward, [&] {
            if (once) add_sum();
        });
        if (!once) add_sum();
        signature.backward_reads[0] = p_.wants_dw || (p_.gate_taken && p_.wants_dx);
        signature.backward_reads_output = p_.masks_dy();
        signature.gradient[1] = signature.gradient[2] =
            gradient_.by_image ? GradientBy::kParts : GradientBy::kOwner;
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        const Work& work = work_[static_cast<size_t>(stage)];
        switch (work.job) {
            case Job::kPrepare:
                return prepare(args, work, task);
            case Job::kForward:
                return convolve(args, work,
                                {args.in[0], nullptr, p_.bias ? args.in[2] : nullptr, p_.relu,
                                 nullptr, args.out},
                                task);
            case Job::kBackward:
                return convolve(args, work,
                                {args.d_out, mask(args), nullptr, false,
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
        if (input == 2) return task == 0 ? Range{0, biases()} : Range{};
        const int64_t begin = task * WinogradGradientPass::kSumBlock;
        return {begin, std::min(WinogradGradientPass::kSumBlock, gradient_.dw_size - begin)};
    }

   private:
    enum class Job : uint8_t { kPrepare, kForward, kBackward, kGradient, kSum };
    struct Work {
        Job job;
        const WinogradPass* pass = nullptr;  // the first
        size_t passes = 0;
        int64_t part = 0;  // of it
    };
    struct Maps {
        const float *x, *gate;  // of x
        const float* bias;
        bool relu;
        const float* y_gate;
        float* y;
    };

    /// From x to y, or from dy to dx, which is a pass for each lattice of x.
    std::vector<WinogradPass> passes(bool gathers) const {
        const int64_t count = gathers ? 1 : winograd_lattices(p_);
        std::vector<WinogradPass> passes;
        for (int64_t lattice = 0; lattice < count; ++lattice) {
            passes.emplace_back(p_, gathers, lattice);
        }
        return passes;
    }

    static bool share_stages(const std::vector<WinogradPass>& passes) {
        return !passes.empty() &&
               std::all_of(passes.begin(), passes.end(), [&](const WinogradPass& pass) {
                   return pass.together && pass.by_image == passes[0].by_image;
               });
    }

    /// By whose signs dy is masked, or null.
    const float* mask(const Args& args) const { return p_.masks_dy() ? args.out : nullptr; }
    int64_t biases() const { return p_.transposed ? p_.in_c : p_.out_c; }

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

    /// Stages that transform kernels and then pass; between() may add some between the two.
    template <typename Between>
    void add_passes(Signature& signature, const std::vector<WinogradPass>& passes, Phase phase,
                    Between between) {
        const Job job = phase == Phase::kForward ? Job::kForward : Job::kBackward;
        const size_t count = share_stages(passes) ? passes.size() : 1;
        for (size_t first = 0; first < passes.size(); first += count) {
            for (int64_t part = 0; part < passes[first].parts; ++part) {
                Stage prepare{Phase::kPrepare, false, 0}, pass = passes[first].stage(phase, part);
                pass.flops = 0;
                pass.tasks = 0;
                int64_t packed = 0;
                for (size_t i = first; i < first + count; ++i) {
                    const Stage one = passes[i].stage(phase, part);
                    prepare.tasks += passes[i].prepare_tasks();
                    packed += passes[i].packed();
                    pass.scratch = std::max(pass.scratch, one.scratch);
                    pass.tasks += one.tasks;
                    pass.flops += one.flops;
                }
                if (pass.by_image) pass.tasks = 1;
                pass.reads_kernel = false;
                if (job == Job::kBackward) pass.reads_in = pass.in_place = p_.gate_taken;
                const size_t block = add_packed(signature, packed);
                add_stage(signature, {Job::kPrepare, &passes[first], count, part}, prepare, block);
                between();
                add_stage(signature, {job, &passes[first], count, part}, pass, block);
            }
        }
    }

    void prepare(const Args& args, const Work& work, int64_t task) const noexcept {
        const WinogradPass* pass = work.pass;
        float* u = args.packed;
        for (; task >= pass->prepare_tasks(); ++pass) {
            task -= pass->prepare_tasks();
            u += pass->packed();
        }
        const int64_t tasks = pass->prepare_tasks_of_phase(), phase = task / tasks;
        const int64_t begin = task % tasks * WinogradPass::kPrepareRows;
        const int64_t end = std::min(begin + WinogradPass::kPrepareRows, pass->channels);
        const Range columns = pass->columns_of(work.part);
        p_.kernels->winograd_filter({pass->taps[static_cast<size_t>(phase)], args.in[1],
                                     u + phase * pass->channels * pass->panel, pass->u_plane(),
                                     pass->depth * pass->panel, begin, end, columns.begin,
                                     columns.begin + columns.count, pass->transposed});
    }

    void convolve(const Args& args, const Work& work, const Maps& maps,
                  int64_t task) const noexcept {
        const WinogradPass* pass = work.pass;
        const float* u = args.packed;
        for (; !pass->by_image && task >= pass->tasks(); ++pass) {
            task -= pass->tasks();
            u += pass->packed();
        }
        const Range all = pass->columns_of(work.part);
        if (!pass->by_image) {
            const int64_t block = task / pass->column_blocks, share = task % pass->column_blocks;
            const Range columns = channel_block(all.count, pass->panel, share, pass->column_blocks);
            const Range tiles = part_of(pass->tiles, block, pass->blocks);
            return convolve_block(args, *pass, u, maps, tiles, all, columns);
        }
        for (const WinogradPass* const end = pass + work.passes; pass < end; ++pass) {
            const int64_t tiles = args.images * pass->image_tiles;
            const int64_t blocks = ceil_div(tiles, pass->most);
            for (int64_t block = 0; block < blocks; ++block) {
                convolve_block(args, *pass, u, maps, part_of(tiles, block, blocks), all,
                               {0, all.count});
            }
            u += pass->packed();
        }
    }

    /// Tiles of y, those of its channels that are `columns` of the part, by the kernel u.
    void convolve_block(const Args& args, const WinogradPass& pass, const float* u,
                        const Maps& maps, Range tiles, Range part, Range columns) const noexcept {
        const int64_t column = part.begin + columns.begin;
        WinogradTiles to = pass.to;
        to.first = tiles.begin;
        to.count = tiles.count;
        // Each product takes the place of the input plane before the one it reads: half the cache.
        to.planes = args.scratch;
        to.channels = columns.count;
        float* const inputs = args.scratch + to.plane;
        for (size_t phase = 0; phase < pass.from.size(); ++phase) {
            WinogradTiles from = pass.from[phase];
            from.first = tiles.begin;
            from.count = tiles.count;
            from.planes = inputs + static_cast<int64_t>(phase) * pass.channels;
            p_.kernels->winograd_input(from, maps.x, maps.gate);
        }
        WinogradProduct product{};
        product.points = pass.shape.points;
        product.a = inputs;
        product.a_plane = to.plane;
        product.a_row = pass.from[0].row;
        product.a_step = 1;
        product.b = u + columns.begin * pass.depth;
        product.b_plane = pass.u_plane();
        product.b_panel = pass.depth * pass.panel;
        product.c = to.planes;
        product.c_plane = to.plane;
        product.c_row = to.row;
        product.rows = tiles.count;
        product.columns = to.channels;
        product.depth = pass.depth;
        product.most_terms = pass.shape.most_terms();
        pass.multiply(*p_.kernels, product);
        p_.kernels->winograd_output(
            to, maps.bias == nullptr ? nullptr : maps.bias + column, maps.relu, p_.ceiling,
            maps.y_gate == nullptr ? nullptr : maps.y_gate + column, maps.y + column);
    }

    /// Where the sums of a block of channels go; db is written in whole vectors.
    struct Sums {
        float *dw, *db;
        bool accumulate;  // += dw where true
    };

    void sum_group(const Args& args, int64_t task) const noexcept {
        const WinogradGradientPass& pass = gradient_;
        const int64_t group = task % pass.groups, block = task / pass.groups;
        float* const part = args.packed + group * pass.part;
        float* const db = part + pass.db_begin;
        if (p_.transposed && p_.wants_db && block == 0) {
            sum_dy(args, part_of(p_.batch * p_.in_size() / p_.in_c, group, pass.groups), db, false);
        }
        sum_block(args, block, part_of(pass.tiles, group, pass.groups), {part, db, false});
    }

    /// dw and db of a slice of the batch.
    void sum_images(const Args& args) const noexcept {
        const WinogradGradientPass& pass = gradient_;
        float* const db = args.scratch + pass.scratch();
        const Range tiles{0, args.images * pass.image_tiles};
        for (int64_t block = 0; block < pass.x_sums() * pass.dy_blocks; ++block) {
            sum_block(args, block, tiles, {args.d_in[1], db, args.accumulate});
        }
        if (!p_.wants_db) return;
        if (p_.transposed) {
            const Range pixels{0, args.images * p_.in_size() / p_.in_c};
            return sum_dy(args, pixels, args.d_in[2], args.accumulate);
        }
        for (int64_t c = 0; c < p_.out_c; ++c) {
            args.d_in[2][c] = args.accumulate ? args.d_in[2][c] + db[c] : db[c];
        }
    }

    /// db (+)= dy of a transposed convolution over pixels, in blocks where it is masked first.
    void sum_dy(const Args& args, Range pixels, float* db, bool accumulate) const noexcept {
        const int64_t channels = p_.in_c;
        const int64_t step = p_.masks_dy() ? gradient_.scratch() / channels : pixels.count;
        for (int64_t i = 0; i < pixels.count; i += step) {
            const int64_t count = std::min(step, pixels.count - i);
            const int64_t begin = (pixels.begin + i) * channels;
            const float* dy = args.d_out + begin;
            if (p_.masks_dy()) {
                p_.kernels->activate_backward(Activation::kRelu, count * channels, args.out + begin,
                                              dy, args.scratch);
                dy = args.scratch;
            }
            p_.kernels->channel_sums(dy, 1, count, channels, count * channels, channels, db,
                                     accumulate || i > 0);
        }
    }

    /// Block `number` of the channels of dw, and of db, summed over tiles.
    void sum_block(const Args& args, int64_t number, Range tiles, Sums to) const noexcept {
        if (p_.transposed && !p_.wants_dw) return;  // db is summed from dy itself
        const WinogradGradientPass& pass = gradient_;
        const int64_t panel = p_.kernels->panel, x_sum = number / pass.dy_blocks;
        const auto phase = static_cast<size_t>(x_sum / pass.x_blocks);
        const Range rows = channel_block(p_.in_c, panel, x_sum % pass.x_blocks, pass.x_blocks);
        const Range columns =
            channel_block(p_.out_c, panel, number % pass.dy_blocks, pass.dy_blocks);
        WinogradTiles x = pass.x[phase], dy = pass.dy;
        x.channels = rows.count;
        dy.channels = columns.count;
        x.planes = args.scratch;
        dy.planes = x.planes + pass.shape.points * x.plane;
        // What the convolution reads, and whose gradient it is given.
        const float* const x_map = p_.transposed ? args.d_out : args.in[0];
        const float* const dy_map = p_.transposed ? args.in[0] : args.d_out;
        const float* const x_mask = p_.transposed ? mask(args) : nullptr;
        const float* const dy_mask = p_.transposed ? nullptr : mask(args);
        const bool sums_db = p_.wants_db && !p_.transposed && x_sum == 0;
        float* const db = sums_db ? to.db + columns.begin : nullptr;
        if (db != nullptr) std::fill_n(db, round_up(columns.count, panel), 0.0f);
        WinogradProduct product{};
        product.points = pass.shape.points;
        product.a = x.planes;
        product.a_plane = x.plane;
        product.a_row = 1;
        product.a_step = x.row;
        product.b = dy.planes;
        product.b_plane = dy.plane;
        product.b_panel = dy.panel;
        product.c = dy.planes + pass.shape.points * dy.plane;
        product.c_plane = pass.sum_plane;
        product.c_row = pass.sum_row;
        product.rows = rows.count;
        product.columns = columns.count;
        product.most_terms = pass.shape.most_terms();
        const int64_t blocks = ceil_div(tiles.count, WinogradGradientPass::kTiles);
        for (int64_t block = 0; block < blocks; ++block) {
            const Range part = part_of(tiles.count, block, blocks);
            x.first = dy.first = tiles.begin + part.begin;
            x.count = dy.count = product.depth = part.count;
            p_.kernels->winograd_gradient(dy, dy_map + columns.begin, at(dy_mask, columns.begin),
                                          db);
            if (!p_.wants_dw) continue;
            p_.kernels->winograd_input(x, x_map + rows.begin, at(x_mask, rows.begin));
            pass.multiply(*p_.kernels, product, phase);
            product.accumulate = true;
        }
        if (!p_.wants_dw) return;
        p_.kernels->winograd_filter_gradient(
            {pass.taps[phase], product.c, pass.sum_plane, pass.sum_row, rows.count, columns.count,
             to.dw + rows.begin * p_.out_c + columns.begin, to.accumulate});
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
            p_.kernels->sum_sources(biases(), parts + gradient_.db_begin, gradient_.groups,
                                    gradient_.part, args.d_in[2]);
        }
    }

    ConvProblem p_;
    std::vector<WinogradPass> forward_, backward_;
    WinogradGradientPass gradient_;
    std::vector<Work> work_;  // by stage
};

bool supports(const ConvProblem& p) {
    constexpr int64_t kMostPhases = 64, kMostTaps = 4096;  // a plan is not to grow without end
    const auto fits = [](const Window& window) {
        return (window.stride == 1 || window.dilation == 1) && window.kernel > window.stride &&
               window.in >= window.stride && window.out >= window.dilation;
    };
    const Window& h = p.height;
    const bool row = h.kernel == 1 && h.stride == 1 && h.out >= h.dilation;
    if (!fits(p.width) || !(row || fits(h)) || p.depth.stride > 1 || p.groups > 1 ||
        p.all_by_image || std::max(p.taps(), winograd_lattices(p)) > kMostTaps) {
        return false;
    }
    return static_cast<int64_t>(winograd_phases(p).size()) <= kMostPhases;
}

}  // namespace

std::unique_ptr<ConvAlgorithm> make_conv_winograd(const ConvProblem& problem) {
    if (!supports(problem)) return nullptr;
    return std::make_unique<ConvWinograd>(problem);
}

bool winograd_wins(const ConvProblem& p) {
    if (!supports(p)) return false;
    const Window &h = p.height, &w = p.width;
    const bool square = h.kernel == 3 && w.kernel == 3 && h.stride == 1;
    const int64_t channels = square ? std::max(8, p.kernels->lanes) : 16;
    if (std::min(p.in_c, p.out_c) < channels) return false;
    const int64_t pixels = p.batch * p.depth.out * h.out * w.out;
    // Transforming the kernel has to pay; predictions do it for once. 5 x 5 kernels save more at
    // every pixel.
    if (p.taps() == w.kernel * w.kernel && (w.kernel == 3 || w.kernel == 5) &&
        h.stride * w.stride * h.dilation * w.dilation == 1) {
        return pixels >= (p.trains() ? 300 : 150) / (w.kernel == 3 ? 1 : 3);
    }
    // So do multiplications for each pair of channels, of which there are more than of outputs
    // where strides and lattices leave tiles half empty; and the transforms of maps, which all
    // products of a channel share. With strides those of dy are made anew for each lattice of dx.
    // Fitted with AVX2: 3 x 3 kernels with strides, which multiply 1.78 times less, are 1.26 times
    // as fast for 64 to 256 channels, 1.19 for 64 to 64, 1.1 for 32 to 256, 0.93 for 256 to 32.
    constexpr double kLeastRatio = 1.4;
    const auto in = static_cast<double>(p.in_c), out = static_cast<double>(p.out_c);
    const double ratio = h.stride * w.stride > 1 ? 1.18 + 10.7 / in + 7.9 / out + 0.05 * in / out
                                                 : 1.25 + 6.5 / in + 6.5 / out;
    const WinogradGradientPass pass(p);
    const auto direct = static_cast<double>(p.taps() * pixels);
    const auto ours = static_cast<double>(pass.points() * pass.tiles);
    const auto transform = static_cast<double>(winograd_kernel_cost(p) * pass.points());
    return direct >= std::max(kLeastRatio, ratio) * ours && direct - ours >= transform;
}

}  // namespace pronghorn
