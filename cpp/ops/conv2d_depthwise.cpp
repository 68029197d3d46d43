// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution, each input channel by itself: kernels of their own, with no padded copies.
// For dx an axis is cut by what the positions of x see of dy, a phase for each residue of the
// stride. Passes take turns on a few rows, dx and dw while these are in cache.
//
// With several outputs for a channel, a copy of x that repeats its channels stands in for x, and dx
// sums the copies' gradients.
#include <cstring>
#include <numeric>

#include "ops/conv2d.h"
#include "ops/part_sums.h"

namespace pronghorn {

namespace {

/// Positions first, first + step, ... of an axis, and what they sum: cells of the source by taps of
/// the kernel, tap t of which is tap_first + t * tap_step.
struct Lattice {
    int64_t first, step, count;
    int64_t tap_first, tap_step;
    DepthwiseAxis axis;

    /// Those of its positions that are wanted.
    Lattice within(Range wanted) const {
        const auto before = [this](int64_t position) {
            return std::clamp<int64_t>((position - first + step - 1) / step, 0, count);
        };
        const int64_t begin = before(wanted.begin);
        Lattice part = *this;
        part.first += begin * step;
        part.axis.first += begin * axis.stride;
        part.count = before(wanted.begin + wanted.count) - begin;
        return part;
    }
};

/// Outputs, by the cells of x that they sum.
std::vector<Lattice> forward_lattice(const Window& window) {
    return {{0,
             1,
             window.out,
             0,
             1,
             {window.in, -window.before, window.stride, window.dilation, window.kernel}}};
}

/// Cells of x, by the outputs that they are part of: a lattice for each residue of the stride. Its
/// taps are those that lead to outputs, the last one first.
std::vector<Lattice> backward_lattices(const Window& window) {
    const int64_t common = std::gcd(window.stride, window.dilation);
    std::vector<Lattice> lattices;
    for (int64_t phase = 0; phase < std::min(window.stride, window.in); ++phase) {
        Lattice lattice{phase,
                        window.stride,
                        (window.in - phase - 1) / window.stride + 1,
                        0,
                        0,
                        {window.out, 0, 1, window.dilation / common, 0}};
        for (int64_t k = 0; k < window.kernel; ++k) {
            const int64_t distance = phase + window.before - k * window.dilation;
            if (distance % window.stride != 0) continue;
            lattice.tap_first = k;
            lattice.axis.first = distance / window.stride;
            ++lattice.axis.taps;
        }
        lattice.tap_step = -window.stride / common;
        lattices.push_back(lattice);
    }
    return lattices;
}

/// The same in lattices within which the distance of positions is a multiple of that of taps, so
/// that neighbours have inputs in common; as they are where those would have few positions.
std::vector<Lattice> aligned(const std::vector<Lattice>& lattices) {
    std::vector<Lattice> parts;
    for (const Lattice& all : lattices) {
        const int64_t period = all.axis.step / std::gcd(all.axis.stride, all.axis.step);
        constexpr int64_t kFew = 4;
        const int64_t count = all.count / kFew < period ? 1 : period;
        for (int64_t i = 0; i < count; ++i) {
            Lattice part = all;
            part.first += i * all.step;
            part.step *= count;
            part.count = (all.count - i - 1) / count + 1;
            part.axis.first += i * all.axis.stride;
            part.axis.stride *= count;
            parts.push_back(part);
        }
    }
    return parts;
}

/// A pass over a map: both axes, and the widths of the maps it writes (gradients: reads) and sums.
struct Pass {
    std::vector<Lattice> rows, columns;
    int64_t width, source_width;

    /// body(lattice) for the lattices of rows, as far as in those.
    template <typename Body>
    void for_rows(Range wanted, Body body) const {
        for (const Lattice& all : rows) {
            const Lattice some = all.within(wanted);
            if (some.count > 0) body(some);
        }
    }
};

class ConvDepthwise final : public ConvAlgorithm {
   public:
    explicit ConvDepthwise(const ConvProblem& problem)
        : p_(problem), channels_(p_.out_c), multiplier_(p_.out_c / p_.in_c) {
        constexpr int64_t kCrowded = 512, kGap = 16;
        pixel_ = channels_ % kCrowded == 0 ? channels_ + kGap : channels_;
        forward_ = {forward_lattice(p_.height), aligned(forward_lattice(p_.width)), p_.width.out,
                    p_.width.in};
        if (!p_.trains()) return;
        backward_ = {backward_lattices(p_.height), aligned(backward_lattices(p_.width)),
                     p_.width.in, p_.width.out};
    }

    Signature plan() override {
        Signature signature;
        constexpr double kSlower = 5;  // a multiply-add takes than one of a dense convolution
        const double work = kSlower * p_.flops() / static_cast<double>(p_.batch);
        pieces_ = multiplier_ == 1 && !p_.all_by_image && cuts_images(p_.batch, work)
                      ? std::min(kPieces, p_.height.out)
                      : 1;
        signature.stages.push_back(forward_in_pieces(
            p_.batch, pieces_, copy_size() + spread_size(p_.height.in * p_.width.in), p_.flops()));
        if (!p_.trains()) return signature;
        const int64_t gated = p_.masks_dy() ? p_.out_size() : 0;
        Stage backward{Phase::kBackward, pieces_ == 1, pieces_,
                       gated + 2 * copy_size() + spread_size(p_.height.out * p_.width.out),
                       p_.backward_flops()};
        signature.backward_reads[0] = p_.wants_dw;
        signature.backward_reads_output = p_.masks_dy();
        signature.gradient[1] = signature.gradient[2] = GradientBy::kParts;
        if (pieces_ > 1 && (p_.wants_dw || p_.wants_db)) {
            sums_ = {pieces_, p_.wants_dw ? p_.taps() * channels_ : 0, p_.wants_db ? channels_ : 0};
            sums_.add_stages(signature, backward);
        } else {
            signature.stages.push_back(backward);
        }
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        if (stage == 0 && pieces_ > 1) {
            return forward(args, task / pieces_, share_of(p_.height.out, task % pieces_, pieces_));
        }
        if (stage == 2) return sums_.add(*p_.kernels, args, task);
        for (int64_t i = 0; i < args.images; ++i) {
            const bool add = args.accumulate || i > 0;
            if (stage == 0) {
                forward(args, i, {0, p_.height.out});
            } else if (pieces_ == 1) {
                backward(args, i,
                         {{0, p_.height.in}, {0, p_.height.out}, args.d_in[1], args.d_in[2], add});
            } else {
                backward(
                    args, i,
                    {share_of(p_.height.in, task, pieces_), share_of(p_.height.out, task, pieces_),
                     sums_.kernel(args, task), sums_.bias(args, task), add});
            }
        }
    }

    Range owned(int stage, int input, int64_t task) const noexcept override {
        return stage == 2 ? sums_.owned(input, task) : Range{};
    }

   private:
    static constexpr int64_t kTurnRows = 8;  // of y

    /// y from x, or dx from dy.
    struct Maps {
        const float *x, *w, *bias;  // bias or null
        float* y;
        bool relu;
        float* spread;  // room for a copy of x
    };

    int64_t wide_size() const { return p_.height.in * p_.width.in * channels_; }
    int64_t copy_size() const { return multiplier_ > 1 ? wide_size() : 0; }
    int64_t spread_size(int64_t pixels) const { return pixel_ > channels_ ? pixels * pixel_ : 0; }

    /// x with every channel repeated, or x itself.
    const float* wide_x(const Args& args, int64_t image, float* scratch) const noexcept {
        const float* x = args.in[0] + image * p_.in_size();
        if (multiplier_ == 1) return x;
        for (int64_t i = 0; i < p_.in_size(); ++i) {
            for (int64_t q = 0; q < multiplier_; ++q) *scratch++ = x[i];
        }
        return scratch - wide_size();
    }

    void forward(const Args& args, int64_t image, Range rows_of_y) const noexcept {
        const Maps maps{
            wide_x(args, image, args.scratch), args.in[1], p_.bias ? args.in[2] : nullptr,
            args.out + image * p_.out_size(),  p_.relu,    args.scratch + copy_size()};
        const int64_t turns = (rows_of_y.count + kTurnRows - 1) / kTurnRows;
        for (int64_t turn = 0; turn < turns; ++turn) {
            convolve(forward_, turn_of(rows_of_y, turn, turns), maps);
        }
    }

    static Range turn_of(Range rows, int64_t turn, int64_t turns) {
        const Range part = part_of(rows.count, turn, turns);
        return {rows.begin + part.begin, part.count};
    }

    /// Those rows of y.
    void convolve(const Pass& pass, Range wanted, const Maps& maps) const noexcept {
        const int64_t w_row = p_.width.kernel * channels_, y_row = pass.width * channels_;
        pass.for_rows(wanted, [&](Lattice h) {
            const float* x = pixel_ > channels_ ? spread(pass, maps, h) : maps.x;
            for (const Lattice& v : pass.columns) {
                p_.kernels->depthwise_block({x, pass.source_width * pixel_, pixel_, h.axis, v.axis,
                                             maps.w + h.tap_first * w_row + v.tap_first * channels_,
                                             maps.bias, h.tap_step * w_row, v.tap_step * channels_,
                                             maps.y + h.first * y_row + v.first * channels_,
                                             h.step * y_row, v.step * channels_, h.count, v.count,
                                             channels_, maps.relu, p_.ceiling});
            }
        });
    }

    /// A copy of the rows of x that those positions sum, pixel_ floats from pixel to pixel; the
    /// positions then count from its first row.
    const float* spread(const Pass& pass, const Maps& maps, Lattice& h) const noexcept {
        DepthwiseAxis& axis = h.axis;
        const int64_t reach = (h.count - 1) * axis.stride + (axis.taps - 1) * axis.step + 1;
        const int64_t begin = std::clamp<int64_t>(axis.first, 0, axis.size);
        const int64_t end = std::clamp(axis.first + reach, begin, axis.size);
        for (int64_t i = begin * pass.source_width; i < end * pass.source_width; ++i) {
            std::memcpy(maps.spread + (i - begin * pass.source_width) * pixel_,
                        maps.x + i * channels_, static_cast<size_t>(channels_) * sizeof(float));
        }
        axis.first -= begin;
        axis.size = end - begin;
        return maps.spread;
    }

    /// What those rows of dy add to dw.
    void add_gradient(Range wanted, const float* x, const float* dy, float* dw) const noexcept {
        const int64_t row = p_.width.kernel * channels_, dy_row = p_.width.out * channels_;
        forward_.for_rows(wanted, [&](const Lattice& h) {
            for (const Lattice& v : forward_.columns) {
                p_.kernels->depthwise_block_dw({x, p_.width.in * channels_, channels_, h.axis,
                                                v.axis, dy + h.first * dy_row + v.first * channels_,
                                                dy_row, v.step * channels_, dw, row, channels_,
                                                h.count, v.count, channels_});
            }
        });
    }

    /// What is to be done of an image: those rows of dx; of dy what they add to dw and db.
    struct Share {
        Range dx_rows, dy_rows;
        float *dw, *db;  // or null
        bool add;
    };

    /// Rows of dy that a share reads.
    Range reads(const Share& share) const {
        const Window& h = p_.height;
        const int64_t below = share.dx_rows.begin + h.before - h.reach() + 1;
        const int64_t last = share.dx_rows.begin + share.dx_rows.count - 1 + h.before;
        const int64_t begin = std::min(share.dy_rows.begin, std::max<int64_t>(0, below) / h.stride);
        const int64_t end = std::max(share.dy_rows.begin + share.dy_rows.count,
                                     std::min(h.out, last / h.stride + 1));
        return {begin, end - begin};
    }

    void backward(const Args& args, int64_t image, const Share& share) const noexcept {
        const float* dy = args.d_out + image * p_.out_size();
        const int64_t row = p_.width.out * channels_;
        float* scratch = args.scratch;
        if (p_.masks_dy()) {
            const Range rows = reads(share);
            const int64_t at = rows.begin * row;
            p_.kernels->activate_backward(Activation::kRelu, rows.count * row,
                                          args.out + image * p_.out_size() + at, dy + at,
                                          scratch + at);
            dy = scratch;
            scratch += p_.out_size();
        }
        if (share.db != nullptr) {
            p_.kernels->channel_sums(dy + share.dy_rows.begin * row, share.dy_rows.count,
                                     p_.width.out, channels_, row, channels_, share.db, share.add);
        }
        if (share.dw != nullptr && !share.add) {
            std::memset(share.dw, 0, static_cast<size_t>(p_.taps() * channels_) * sizeof(float));
        }
        if (args.d_in[0] != nullptr || share.dw != nullptr) sweep(args, image, dy, share, scratch);
    }

    void sweep(const Args& args, int64_t image, const float* dy, const Share& share,
               float* scratch) const noexcept {
        const float* x = share.dw == nullptr ? nullptr : wide_x(args, image, scratch);
        float* dx = args.d_in[0] == nullptr ? nullptr : args.d_in[0] + image * p_.in_size();
        float* wide_dx = dx != nullptr && multiplier_ > 1 ? scratch + wide_size() : dx;
        const Maps maps{dy, args.in[1], nullptr, wide_dx, false, scratch + 2 * copy_size()};
        const int64_t turns =
            std::max<int64_t>(1, (share.dy_rows.count + kTurnRows - 1) / kTurnRows);
        for (int64_t turn = 0; turn < turns; ++turn) {
            if (wide_dx != nullptr) convolve(backward_, turn_of(share.dx_rows, turn, turns), maps);
            if (x != nullptr) {
                add_gradient(turn_of(share.dy_rows, turn, turns), x, dy, share.dw);
            }
        }
        if (wide_dx == dx) return;
        for (int64_t i = 0; i < p_.in_size(); ++i) {
            float sum = 0;
            for (int64_t q = 0; q < multiplier_; ++q) sum += *wide_dx++;
            dx[i] = sum;
        }
    }

    ConvProblem p_;
    int64_t channels_;  // of the output
    int64_t multiplier_;
    // Floats from pixel to pixel of what a pass sums: those a multiple of 2 KB apart fall on so few
    // sets of the L1 cache that a strip's inputs drive each other out, which halves the speed. They
    // are copied, with a gap between them.
    int64_t pixel_;
    Pass forward_, backward_;
    int64_t pieces_ = 1;  // of y, rows; backward also of x
    PartSums sums_;
};

}  // namespace

std::unique_ptr<ConvAlgorithm> make_conv_depthwise(const ConvProblem& problem) {
    if (!problem.is_depthwise() || problem.pads_much()) return nullptr;
    return std::make_unique<ConvDepthwise>(problem);
}

}  // namespace pronghorn
