// SPDX-License-Identifier: Apache-2.0
// Direct convolution (implicit GEMM): every output sums runs of consecutive inputs, no patches are
// unrolled. The same code serves both layouts; in lanes an element is a vector of images. A volume
// is convolved slice by slice, its runs reaching over the depth; groups go one after the other.
//
// The gradient of x is one of dy (conv2d_phases.h).
//
// By image, mostly. A few large images, or a small one by itself, are cut into pieces, rows (of
// volumes slices) or columns of the output, so that threads have something to share; then dw is
// cut, too: a task owns some rows of it, or sums all of it for some rows of the output.
#include <cstring>
#include <numeric>

#include "ops/conv2d_direct_gradient.h"
#include "ops/conv2d_pointwise.h"
#include "ops/packed_kernel.h"

namespace pronghorn {

namespace {

class ConvDirect final : public ConvAlgorithm {
   public:
    ConvDirect(const ConvProblem& problem, Layout layout)
        : p_(problem),
          layout_(layout),
          lanes_(layout == Layout::kLanes ? problem.kernels->lanes : 1),
          group_in_(p_.group_in()),
          group_out_(p_.group_out()),
          depth_(p_.taps() * group_in_),
          dx_(problem, layout),
          runs_(p_),
          frames_(p_, dx_, lanes_),
          large_(cuts_images(p_.batch, p_.flops() / static_cast<double>(p_.batch))),
          cut_(layout == Layout::kRows && !p_.all_by_image && (large_ || is_worth_halves())),
          gradient_(p_, dx_, frames_, runs_, layout, cut_) {
        if (p_.wants_y && layout_ == Layout::kRows && depth_ * p_.out_c >= kPackFrom) {
            forward_group_ = panels_size(*p_.kernels, depth_, group_out_);
        }
        packed_ = {checked_product(p_.groups, forward_group_), dx_.weights};
        if (!cut_) return;
        const Window& axis = p_.cut_axis();
        const bool plain = p_.groups == 1 && !p_.is_volume();
        const int64_t panel = p_.kernels->panel, weights = depth_ * p_.out_c;
        const int64_t most = large_ ? kPieces : 2;
        pieces_ = Pieces::of(axis.out, plain ? p_.out_c / panel : 1, weights > p_.in_size(), most);
        dx_pieces_ =
            Pieces::of((axis.in + axis.stride - 1) / axis.stride,
                       plain && !dx_.has_gaps ? p_.in_c / panel : 1, weights > p_.out_size(), most);
    }

    Signature plan() override {
        Signature signature;
        signature.in_layout = signature.out_layout = layout_;
        pack_pieces_ = packed_.size() < kPackAtOnce ? 0
                       : p_.groups > 1              ? 1
                                                    : even_pieces(p_.taps(), panels());
        forward_stage_ =
            packed_.add_stages(signature, std::max<int64_t>(1, p_.taps() * pack_pieces_));
        signature.stages.push_back({Phase::kForward, !cut_, cut_ ? p_.batch * pieces_.count() : 1,
                                    frames_.x_size(), p_.flops()});
        signature.stages.back().reads_kernel = !packed_.forward();
        if (!p_.trains()) return signature;
        if (!cut_) {
            signature.stages.push_back(
                {Phase::kBackward, true, 1, gradient_.scratch(), p_.backward_flops()});
            signature.stages.back().in_place = masks_in_place();
            signature.stages.back().packed = packed_.dx_block();
            signature.stages.back().reads_kernel = false;
        }
        // Before dx: where nobody else reads x, it makes room for that.
        if (cut_ && (p_.wants_dw || p_.wants_db)) gradient_.add_stages(signature, large_);
        if (cut_ && p_.wants_dx) {
            signature.stages.push_back({Phase::kBackward, false, p_.batch * dx_pieces_.count(),
                                        frames_.dy_size(), p_.flops()});
            signature.stages.back().reads_in = p_.gate_taken;
            signature.stages.back().in_place = masks_in_place();
            signature.stages.back().packed = packed_.dx_block();
            signature.stages.back().reads_kernel = false;
        }
        signature.backward_reads[0] = p_.wants_dw;
        signature.backward_reads_output = p_.masks_dy();
        signature.gradient[1] = signature.gradient[2] =
            cut_ ? GradientBy::kOwner : GradientBy::kParts;
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        if (stage < forward_stage_) {
            if (pack_pieces_ > 0) {
                return prepare(stage, args, task / pack_pieces_, task % pack_pieces_);
            }
            for (int64_t tap = 0; tap < p_.taps(); ++tap) prepare(stage, args, tap, 0);
            return;
        }
        if (cut_) return run_piece(stage, args, task);
        for (int64_t i = 0; i < args.images; i += lanes_) {
            if (stage == forward_stage_) {
                forward(args, i, {{0, p_.cut_axis().out}, {0, group_out_}});
            } else {
                backward(args, i);
            }
        }
    }

    bool masks_dx() const override { return true; }

    Range owned(int stage, int input, int64_t task) const noexcept override {
        return gradient_.owned(stage, input, task);
    }

   private:
    /// Of input channels.
    int64_t panels() const { return (group_in_ + p_.kernels->panel - 1) / p_.kernels->panel; }

    /// A small image by itself.
    bool is_worth_halves() const {
        constexpr double kLeast = 2e5;
        return p_.halves && p_.batch == 1 && p_.groups == 1 && !p_.is_volume() &&
               p_.flops() >= kLeast;
    }

    void run_piece(int stage, const Args& args, int64_t task) const noexcept {
        const int64_t panel = p_.kernels->panel;
        if (stage == forward_stage_) {
            const int64_t count = pieces_.count();
            return forward(args, task / count,
                           Piece::of(pieces_, task % count, p_.cut_axis().out, group_out_, panel));
        }
        if (gradient_.has(stage)) return gradient_.run(stage, args, task);
        const int64_t count = dx_pieces_.count();
        backward_piece(args, task / count,
                       Piece::of(dx_pieces_, task % count, dx_pieces_.rows, group_in_, panel));
    }

    /// Whether each cell of dx is written once, right after its gate is read.
    bool masks_in_place() const {
        return p_.gate_taken && !dx_.has_gaps &&
               std::all_of(dx_.phases.begin(), dx_.phases.end(),
                           [](const DxPhase& phase) { return phase.depth <= kConvTerms; });
    }

    int64_t padded_plane() const { return p_.padded_h() * p_.padded_w() * p_.in_c; }  // elements

    /// Packs the kernel's tap `tap` for the forward pass and, transposed, for its phase of dx, as
    /// the stage says.
    void prepare(int stage, const Args& args, int64_t tap, int64_t piece) const noexcept {
        const int64_t panel = p_.kernels->panel;
        Range channels = part_of(panels(), piece, std::max<int64_t>(1, pack_pieces_));
        channels.begin *= panel;
        channels.count = std::min(channels.count * panel, group_in_ - channels.begin);
        for (int64_t group = 0; group < p_.groups; ++group) {
            prepare_group(stage, args, tap, group, channels);
        }
    }

    void prepare_group(int stage, const Args& args, int64_t tap, int64_t group,
                       Range channels) const noexcept {
        const int64_t panel = p_.kernels->panel, begin = channels.begin;
        const float* w = args.in[1] + (tap * group_in_ + begin) * p_.out_c + group * group_out_;
        if (packed_.packs_forward(stage)) {
            float* into = args.packed + group * forward_group_;
            p_.kernels->pack_panels(w, channels.count, group_out_, p_.out_c, 1,
                                    into + (tap * group_in_ + begin) * panel, depth_ * panel);
        }
        if (!packed_.packs_dx(stage)) return;
        const auto [number, position] = dx_.tap_place[static_cast<size_t>(tap)];
        if (number < 0) return;  // a tap that only ever meets padding
        const DxPhase& phase = dx_.phases[static_cast<size_t>(number)];
        float* into = args.packed + packed_.dx_offset() + phase.weights + group * phase.group;
        if (layout_ == Layout::kRows) {
            p_.kernels->pack_panels(w, group_out_, channels.count, 1, p_.out_c,
                                    into + begin * phase.depth + position * group_out_ * panel,
                                    phase.depth * panel);
            return;
        }
        into += position * group_out_ * group_in_ + begin;
        for (int64_t o = 0; o < group_out_; ++o) {
            for (int64_t c = 0; c < channels.count; ++c) {
                into[o * group_in_ + c] = w[c * p_.out_c + o];
            }
        }
    }

    void convolve(const Conv& conv) const noexcept {
        (layout_ == Layout::kLanes ? p_.kernels->conv_lanes : p_.kernels->conv_rows)(conv);
    }

    /// conv for every output slice and group: x, weights, bias, y and its gate move on.
    struct Steps {
        int64_t slices, x_slice, y_slice;         // elements
        int64_t x_group, weights_group, y_group;  // elements; weights in floats
    };
    void convolve_all(Conv conv, const Steps& steps) const noexcept {
        const float *x = conv.x, *weights = conv.weights, *bias = conv.bias, *gate = conv.gate;
        float* y = conv.y;
        for (int64_t slice = 0; slice < steps.slices; ++slice) {
            for (int64_t group = 0; group < p_.groups; ++group) {
                conv.x = x + (slice * steps.x_slice + group * steps.x_group) * lanes_;
                const int64_t to = (slice * steps.y_slice + group * steps.y_group) * lanes_;
                conv.y = y + to;
                conv.gate = gate == nullptr ? nullptr : gate + to;
                conv.weights = weights + group * steps.weights_group;
                conv.bias = bias == nullptr ? nullptr : bias + group * steps.y_group;
                convolve(conv);
            }
        }
    }

    void forward(const Args& args, int64_t image, const Piece& piece) const noexcept {
        const int64_t panel = p_.kernels->panel, column = piece.columns.begin;
        const int64_t plane = p_.height.out * p_.width.out * p_.out_c;
        const bool volume = p_.is_volume();
        Conv conv{};
        conv.x = frames_.x(args, image, args.scratch, frames_.under(piece.rows));
        conv.x_row = p_.height.stride * p_.padded_w() * p_.in_c;
        conv.x_pixel = p_.width.stride * p_.in_c;
        conv.run_offset = runs_.offset.data();
        conv.runs = runs_.count();
        conv.run_length = runs_.length;
        conv.weights = packed_.forward() ? args.packed : args.in[1];
        conv.w_panel = layout_ == Layout::kLanes ? 1 : packed_.forward() ? depth_ * panel : panel;
        conv.weights += column / panel * conv.w_panel;
        conv.w_row = packed_.forward() ? panel : p_.out_c;
        conv.bias = p_.bias ? args.in[2] + column : nullptr;
        conv.y = args.out + image * p_.out_size() + column +
                 piece.rows.begin * p_.out_size() / p_.cut_axis().out * lanes_;
        conv.y_row = p_.width.out * p_.out_c;
        conv.y_pixel = p_.out_c;
        conv.out_h = volume ? p_.height.out : piece.rows.count;
        conv.out_w = p_.width.out;
        conv.out_c = piece.columns.count;
        conv.relu = p_.relu, conv.ceiling = p_.ceiling;
        convolve_all(conv,
                     {volume ? piece.rows.count : 1, p_.depth.stride * padded_plane(), plane,
                      group_in_, packed_.forward() ? forward_group_ : group_out_, group_out_});
    }

    /// dx comes last: it may take the place of x.
    void backward(const Args& args, int64_t image) const noexcept {
        const float* dy = frames_.dy(args, image, args.scratch, frames_.all_dy());
        gradient_.add_image(args, image, dy);
        if (args.d_in[0] != nullptr) backward_x(dy, 0, args, image, {{0, 1}, {0, group_in_}});
    }

    /// Rows of every phase: each has the first `positions` or one less.
    Range positions_in(const Piece& piece) const {
        const Window& axis = p_.cut_axis();
        const int64_t positions = (axis.in + axis.stride - 1) / axis.stride;
        return share_of(positions, piece.rows.begin, dx_pieces_.rows);
    }

    void backward_piece(const Args& args, int64_t image, const Piece& piece) const noexcept {
        const Range positions = positions_in(piece);
        int64_t end = 0;  // of the rows of dy that are read
        for (const DxPhase& phase : dx_.phases) {
            end = std::max(end, positions.begin + positions.count + phase.reach);
        }
        end = std::clamp(end, positions.begin, frames_.all_dy().count);
        const Range rows{positions.begin, end - positions.begin};
        backward_x(frames_.dy(args, image, args.scratch, rows), rows.begin, args, image, piece);
    }

    /// Zeros, as some cells of dx are reached by no tap.
    void clear(float* dx, Range positions) const noexcept {
        const Window& axis = p_.cut_axis();
        const int64_t step = p_.in_size() / axis.in * lanes_, begin = positions.begin * axis.stride;
        const int64_t end = std::min(begin + positions.count * axis.stride, axis.in);
        std::memset(dx + begin * step, 0,
                    static_cast<size_t>((end - begin) * step) * sizeof(float));
    }

    /// `dy` begins with row `first`, or slice.
    void backward_x(const float* dy, int64_t first, const Args& args, int64_t image,
                    const Piece& piece) const noexcept {
        const int64_t panel = p_.kernels->panel, column = piece.columns.begin;
        const int64_t row = p_.width.in * p_.in_c, plane = p_.height.in * row;
        const Range positions = positions_in(piece);
        const bool volume = p_.is_volume();
        const int64_t dy_step = volume ? dx_.dy_plane : dx_.dy_row;
        float* dx = args.d_in[0] + image * p_.in_size();
        if (dx_.has_gaps) clear(dx, positions);
        for (const DxPhase& phase : dx_.phases) {
            for (const DxBand& band : phase.bands) {
                const Range rows = volume ? band.rows : overlap(positions, band.rows);
                const Range slices = volume ? overlap(positions, {0, phase.slices}) : Range{0, 1};
                if (rows.count <= 0 || slices.count <= 0) continue;
                const int64_t begin = volume ? slices.begin : rows.begin;
                Conv conv{};
                conv.x = dy + (begin - first) * dy_step * lanes_;
                conv.x_row = dx_.dy_row;
                conv.x_pixel = p_.out_c;
                conv.run_offset = phase.run_offset.data() + band.runs.begin;
                conv.runs = band.runs.count;
                conv.run_length = phase.run_length;
                conv.w_panel = layout_ == Layout::kLanes ? 1 : phase.depth * panel;
                conv.weights = args.packed + packed_.dx_offset() + phase.weights +
                               column / panel * conv.w_panel;
                conv.w_row = layout_ == Layout::kLanes ? group_in_ : panel;
                conv.weights += band.runs.begin * phase.run_length * conv.w_row;
                conv.y =
                    dx + column +
                    ((phase.slice + slices.begin * p_.depth.stride) * plane +
                     (phase.row + rows.begin * p_.height.stride) * row + phase.column * p_.in_c) *
                        lanes_;
                conv.y_row = p_.height.stride * row;
                conv.y_pixel = p_.width.stride * p_.in_c;
                conv.gate = p_.gate_taken ? args.in[0] + (conv.y - args.d_in[0]) : nullptr;
                conv.out_h = rows.count;
                conv.out_w = phase.columns;
                conv.out_c = piece.columns.count;
                convolve_all(conv, {slices.count, dx_.dy_plane, p_.depth.stride * plane, group_out_,
                                    phase.group, group_in_});
            }
        }
    }

    ConvProblem p_;
    Layout layout_;
    int64_t lanes_;
    int64_t group_in_, group_out_;
    int64_t depth_;  // of the product: taps * channels
    DxPlan dx_;
    ConvRuns runs_;
    ConvFrames frames_;
    bool large_, cut_;  // images; into pieces, of y, of dx, and dw
    ConvDirectGradient gradient_;
    int64_t forward_group_ = 0;  // floats of a group's packed weights
    PackedKernel packed_{0, 0};
    int64_t pack_pieces_ = 0;  // of a tap, input channels; 0: one task packs all
    int forward_stage_ = 0;
    Pieces pieces_, dx_pieces_;
};

}  // namespace

std::unique_ptr<ConvAlgorithm> make_conv_lanes(const ConvProblem& problem) {
    if (problem.pads_much()) return nullptr;
    return std::make_unique<ConvDirect>(problem, Layout::kLanes);
}

std::unique_ptr<ConvAlgorithm> make_conv_direct(const ConvProblem& problem) {
    if (problem.pads_much()) return nullptr;
    if (auto pointwise = make_conv_pointwise(problem)) return pointwise;
    return std::make_unique<ConvDirect>(problem, Layout::kRows);
}

}  // namespace pronghorn
