// SPDX-License-Identifier: Apache-2.0
// Direct convolution (implicit GEMM): every output sums runs of consecutive inputs, no patches are
// unrolled. The same code serves both layouts; in lanes an element is a vector of images. A volume
// is convolved slice by slice, its runs reaching over the depth; groups go one after the other.
//
// The gradient of x is a convolution of dy with the transposed kernel. With strides it falls into
// phases: the rows ih = a + stride * t see just the taps i with (a + before - i * dilation)
// divisible by the stride, from row t + q of dy, q = (a + before - i * dilation) / stride. No zeros
// are inserted.
#include <cstring>
#include <numeric>

#include "ops/conv2d.h"

namespace pronghorn {

namespace {

// From here on (floats of the kernel) packed panels beat strided rows of the kernel.
constexpr int64_t kPackFrom = 8 << 10;
// Less packing than this is one task's.
constexpr int64_t kPackAtOnce = 16 << 10;

/// Taps of one phase along one axis, as they meet dy: tap[k] reads dy at t + shift[k], ascending.
struct AxisPhase {
    std::vector<int64_t> tap, shift;
    int64_t count = 0;  // positions t of x
};

AxisPhase axis_phase(const Window& window, int64_t a) {
    AxisPhase phase;
    phase.count = a < window.in ? (window.in - a - 1) / window.stride + 1 : 0;
    for (int64_t i = window.kernel; i-- > 0;) {
        const int64_t distance = a + window.before - i * window.dilation;
        if (distance % window.stride != 0) continue;
        phase.tap.push_back(i);
        phase.shift.push_back(distance / window.stride);
    }
    return phase;
}

/// Zeros that dy needs in front and behind for every phase.
struct Border {
    int64_t before = 0, after = 0;
};

Border border_of(const Window& window) {
    Border border;
    for (int64_t a = 0; a < window.stride; ++a) {
        const AxisPhase phase = axis_phase(window, a);
        if (phase.tap.empty() || phase.count == 0) continue;
        border.before = std::max(border.before, -phase.shift.front());
        border.after = std::max(border.after, phase.count + phase.shift.back() - window.out);
    }
    return border;
}

/// One phase of dx as a Conv of padded dy.
struct DxPhase {
    int64_t slice, row, column;  // of dx, where it begins
    int64_t slices, rows, columns;
    std::vector<int64_t> run_offset;
    int64_t run_length = 0;
    int64_t depth = 0;    // rows of its weights
    int64_t weights = 0;  // where they begin in the packed block, group by group
    int64_t group = 0;    // floats of a group's
};

class ConvDirect final : public ConvAlgorithm {
   public:
    ConvDirect(const ConvProblem& problem, Layout layout)
        : p_(problem),
          layout_(layout),
          lanes_(layout == Layout::kLanes ? problem.kernels->lanes : 1),
          group_in_(p_.group_in()),
          group_out_(p_.group_out()),
          depth_(p_.taps() * group_in_) {
        // Neighbouring taps of a row are one run, if no other group's channels lie between.
        const bool joined = p_.width.kernel == 1 || (p_.width.dilation == 1 && p_.groups == 1);
        const int64_t row = p_.padded_w() * p_.in_c;
        for (int64_t k = 0; k < p_.depth.kernel; ++k) {
            for (int64_t i = 0; i < p_.height.kernel; ++i) {
                for (int64_t j = 0; j < (joined ? 1 : p_.width.kernel); ++j) {
                    run_offset_.push_back(k * p_.depth.dilation * p_.padded_h() * row +
                                          i * p_.height.dilation * row +
                                          j * p_.width.dilation * p_.in_c);
                }
            }
        }
        run_length_ = depth_ / static_cast<int64_t>(run_offset_.size());
        packs_forward_ = layout_ == Layout::kRows && depth_ * p_.out_c >= kPackFrom;
        if (packs_forward_) {
            forward_group_ = panels_size(depth_, group_out_);
            packed_ = checked_product(p_.groups, forward_group_);
        }
        if (p_.wants_dx) plan_dx();
    }

    Signature plan() override {
        Signature signature;
        signature.in_layout = signature.out_layout = layout_;
        const int64_t padded = p_.pads() ? padded_size() : 0;
        if (packed_ > 0) {
            taps_per_task_ = packed_ < kPackAtOnce ? p_.taps() : 1;
            signature.packed = {packed_};
            signature.stages.push_back({Phase::kPrepare, false, p_.taps() / taps_per_task_, 0, 0});
        }
        forward_stage_ = static_cast<int>(signature.stages.size());
        signature.stages.push_back({Phase::kForward, true, 1, padded, p_.flops()});
        if (p_.trains()) {
            const int64_t dy = copies_dy() ? dy_size() : 0;
            signature.stages.push_back(
                {Phase::kBackward, true, 1, padded + dy, p_.backward_flops()});
            signature.backward_reads[0] = p_.wants_dw;
            signature.backward_reads_output = p_.masks_dy();
            signature.gradient[1] = signature.gradient[2] = GradientBy::kParts;
        }
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        if (stage < forward_stage_) {
            for (int64_t i = 0; i < taps_per_task_; ++i) prepare(args, task * taps_per_task_ + i);
            return;
        }
        for (int64_t i = 0; i < args.images; i += lanes_) {
            if (stage == forward_stage_) {
                forward(args, i);
            } else {
                backward(args, i);
            }
        }
    }

   private:
    int64_t panels_size(int64_t rows, int64_t columns) const {
        const int64_t panel = p_.kernels->panel;
        return checked_product(rows, (columns + panel - 1) / panel * panel);
    }
    int64_t padded_plane() const { return p_.padded_h() * p_.padded_w() * p_.in_c; }  // elements
    int64_t padded_size() const { return p_.padded_d() * padded_plane() * lanes_; }
    int64_t dy_row() const {
        return (left_.before + p_.width.out + left_.after) * p_.out_c;  // elements
    }
    int64_t dy_plane() const { return (top_.before + p_.height.out + top_.after) * dy_row(); }
    int64_t dy_size() const {
        return (front_.before + p_.depth.out + front_.after) * dy_plane() * lanes_;
    }
    /// A copy of dy is made to mask it by the ReLU or to put zeros around it.
    bool copies_dy() const {
        return p_.masks_dy() || front_.before + front_.after + top_.before + top_.after +
                                        left_.before + left_.after >
                                    0;
    }

    void plan_dx() {
        front_ = border_of(p_.depth);
        top_ = border_of(p_.height);
        left_ = border_of(p_.width);
        tap_place_.resize(static_cast<size_t>(p_.taps()), {-1, 0});
        const int64_t strides = p_.depth.stride * p_.height.stride * p_.width.stride;
        for (int64_t phase = 0; phase < strides; ++phase) {
            add_phase(phase / (p_.height.stride * p_.width.stride),
                      phase / p_.width.stride % p_.height.stride, phase % p_.width.stride);
        }
    }

    /// The cells (slice, row, column) + strides * (0, 1, ...) of x.
    void add_phase(int64_t slice, int64_t row, int64_t column) {
        const AxisPhase slices = axis_phase(p_.depth, slice);
        const AxisPhase rows = axis_phase(p_.height, row);
        const AxisPhase columns = axis_phase(p_.width, column);
        if (slices.count == 0 || rows.count == 0 || columns.count == 0) return;
        if (slices.tap.empty() || rows.tap.empty() || columns.tap.empty()) {
            has_gaps_ = true;
            return;
        }
        DxPhase phase{slice, row, column, slices.count, rows.count, columns.count, {}};
        const size_t width = columns.tap.size();
        // Neighbouring columns' taps read neighbouring pixels: one run.
        const bool joined =
            width == 1 || (columns.shift[1] - columns.shift[0] == 1 && p_.groups == 1);
        const auto number = static_cast<int64_t>(phases_.size());
        int64_t position = 0;
        for (size_t k = 0; k < slices.tap.size(); ++k) {
            for (size_t i = 0; i < rows.tap.size(); ++i) {
                for (size_t j = 0; j < width; ++j, ++position) {
                    const int64_t line = slices.tap[k] * p_.height.kernel + rows.tap[i];
                    const int64_t tap = line * p_.width.kernel + columns.tap[j];
                    tap_place_[static_cast<size_t>(tap)] = {number, position};
                    if (joined && j > 0) continue;
                    phase.run_offset.push_back((slices.shift[k] + front_.before) * dy_plane() +
                                               (rows.shift[i] + top_.before) * dy_row() +
                                               (columns.shift[j] + left_.before) * p_.out_c);
                }
            }
        }
        phase.run_length = group_out_ * (joined ? static_cast<int64_t>(width) : 1);
        phase.depth = position * group_out_;
        phase.weights = packed_;
        phase.group = layout_ == Layout::kRows ? panels_size(phase.depth, group_in_)
                                               : checked_product(phase.depth, group_in_);
        packed_ += checked_product(p_.groups, phase.group);
        phases_.push_back(std::move(phase));
    }

    /// Packs the kernel's tap `tap` for the forward pass and, transposed, for its phase of dx.
    void prepare(const Args& args, int64_t tap) const noexcept {
        for (int64_t group = 0; group < p_.groups; ++group) prepare_group(args, tap, group);
    }

    void prepare_group(const Args& args, int64_t tap, int64_t group) const noexcept {
        const int64_t panel = p_.kernels->panel;
        const float* w = args.in[1] + tap * group_in_ * p_.out_c + group * group_out_;
        if (packs_forward_) {
            float* into = args.packed + group * forward_group_;
            p_.kernels->pack_panels(w, group_in_, group_out_, p_.out_c, 1,
                                    into + tap * group_in_ * panel, depth_ * panel);
        }
        if (tap_place_.empty()) return;
        const auto [number, position] = tap_place_[static_cast<size_t>(tap)];
        if (number < 0) return;  // a tap that only ever meets padding
        const DxPhase& phase = phases_[static_cast<size_t>(number)];
        float* into = args.packed + phase.weights + group * phase.group;
        if (layout_ == Layout::kRows) {
            p_.kernels->pack_panels(w, group_out_, group_in_, 1, p_.out_c,
                                    into + position * group_out_ * panel, phase.depth * panel);
            return;
        }
        into += position * group_out_ * group_in_;
        for (int64_t o = 0; o < group_out_; ++o) {
            for (int64_t c = 0; c < group_in_; ++c) into[o * group_in_ + c] = w[c * p_.out_c + o];
        }
    }

    void convolve(const Conv& conv) const noexcept {
        (layout_ == Layout::kLanes ? p_.kernels->conv_lanes : p_.kernels->conv_rows)(conv);
    }

    /// The slices of x with zeros around them, masked where there is a gate.
    void pad_volume(PadImage pad, int64_t slices, Border border) const noexcept {
        const int64_t inner = pad.height * pad.width * pad.channels;
        const int64_t outer =
            (pad.top + pad.height + pad.bottom) * (pad.left + pad.width + pad.right) * pad.channels;
        const auto zero = [outer](float* y, int64_t count) {
            std::memset(y, 0, static_cast<size_t>(count * outer) * sizeof(float));
        };
        zero(pad.y, border.before);
        pad.y += border.before * outer;
        for (int64_t i = 0; i < slices; ++i, pad.x += inner, pad.y += outer) {
            p_.kernels->pad_image(pad);
            if (pad.gate != nullptr) pad.gate += inner;
        }
        zero(pad.y, border.after);
    }

    /// x of that image (or group), with zeros around it where the convolution pads.
    const float* padded_x(const Args& args, int64_t image, float* scratch) const noexcept {
        const float* x = args.in[0] + image * p_.in_size();
        if (!p_.pads()) return x;
        pad_volume({x, nullptr, scratch, p_.height.in, p_.width.in, p_.in_c * lanes_,
                    p_.height.before, p_.height.after, p_.width.before, p_.width.after},
                   p_.depth.in, {p_.depth.before, p_.depth.after});
        return scratch;
    }

    /// conv for every output slice and group: x, weights, bias and y move on.
    struct Steps {
        int64_t slices, x_slice, y_slice;         // elements
        int64_t x_group, weights_group, y_group;  // elements; weights in floats
    };
    void convolve_all(Conv conv, const Steps& steps) const noexcept {
        const float *x = conv.x, *weights = conv.weights, *bias = conv.bias;
        float* y = conv.y;
        for (int64_t slice = 0; slice < steps.slices; ++slice) {
            for (int64_t group = 0; group < p_.groups; ++group) {
                conv.x = x + (slice * steps.x_slice + group * steps.x_group) * lanes_;
                conv.y = y + (slice * steps.y_slice + group * steps.y_group) * lanes_;
                conv.weights = weights + group * steps.weights_group;
                conv.bias = bias == nullptr ? nullptr : bias + group * steps.y_group;
                convolve(conv);
            }
        }
    }

    void forward(const Args& args, int64_t image) const noexcept {
        const int64_t panel = p_.kernels->panel;
        Conv conv{};
        conv.x = padded_x(args, image, args.scratch);
        conv.x_row = p_.height.stride * p_.padded_w() * p_.in_c;
        conv.x_pixel = p_.width.stride * p_.in_c;
        conv.run_offset = run_offset_.data();
        conv.runs = static_cast<int64_t>(run_offset_.size());
        conv.run_length = run_length_;
        conv.weights = packs_forward_ ? args.packed : args.in[1];
        conv.w_panel = layout_ == Layout::kLanes ? 1 : packs_forward_ ? depth_ * panel : panel;
        conv.w_row = packs_forward_ ? panel : p_.out_c;
        conv.bias = p_.bias ? args.in[2] : nullptr;
        conv.y = args.out + image * p_.out_size();
        conv.y_row = p_.width.out * p_.out_c;
        conv.y_pixel = p_.out_c;
        conv.out_h = p_.height.out;
        conv.out_w = p_.width.out;
        conv.out_c = group_out_;
        conv.relu = p_.relu;
        convolve_all(conv,
                     {p_.depth.out, p_.depth.stride * padded_plane(),
                      p_.height.out * p_.width.out * p_.out_c, group_in_,
                      packs_forward_ ? panels_size(depth_, group_out_) : group_out_, group_out_});
    }

    void backward(const Args& args, int64_t image) const noexcept {
        const int64_t out = image * p_.out_size();
        const float* dy = args.d_out + out;
        float* scratch = args.scratch;
        if (copies_dy()) {
            pad_volume(
                {dy, p_.masks_dy() ? args.out + out : nullptr, scratch, p_.height.out, p_.width.out,
                 p_.out_c * lanes_, top_.before, top_.after, left_.before, left_.after},
                p_.depth.out, front_);
            dy = scratch;
            scratch += dy_size();
        }
        if (args.d_in[0] != nullptr) backward_x(dy, args, image);
        const int64_t inside = top_.before * dy_row() + left_.before * p_.out_c;
        dy += (front_.before * dy_plane() + inside) * lanes_;
        const bool add = args.accumulate || image > 0;
        if (args.d_in[1] != nullptr) backward_w(padded_x(args, image, scratch), dy, args, add);
        for (int64_t slice = 0; args.d_in[2] != nullptr && slice < p_.depth.out; ++slice) {
            (layout_ == Layout::kLanes ? p_.kernels->channel_sums_lanes : p_.kernels->channel_sums)(
                dy + slice * dy_plane() * lanes_, p_.height.out, p_.width.out, p_.out_c, dy_row(),
                p_.out_c, args.d_in[2], add || slice > 0);
        }
    }

    void backward_w(const float* x, const float* dy, const Args& args, bool add) const noexcept {
        ConvGradient gradient{};
        gradient.x_row = p_.height.stride * p_.padded_w() * p_.in_c;
        gradient.x_pixel = p_.width.stride * p_.in_c;
        gradient.run_offset = run_offset_.data();
        gradient.runs = static_cast<int64_t>(run_offset_.size());
        gradient.run_length = run_length_;
        gradient.dy_row = dy_row();
        gradient.dy_pixel = p_.out_c;
        gradient.out_h = p_.height.out;
        gradient.out_w = p_.width.out;
        gradient.out_c = group_out_;
        gradient.dw_row = p_.out_c;
        for (int64_t slice = 0; slice < p_.depth.out; ++slice) {
            gradient.accumulate = add || slice > 0;
            for (int64_t group = 0; group < p_.groups; ++group) {
                const int64_t x_slice = slice * p_.depth.stride * padded_plane();
                gradient.x = x + (x_slice + group * group_in_) * lanes_;
                gradient.dy = dy + (slice * dy_plane() + group * group_out_) * lanes_;
                gradient.dw = args.d_in[1] + group * group_out_;
                (layout_ == Layout::kLanes ? p_.kernels->conv_lanes_dw
                                           : p_.kernels->conv_rows_dw)(gradient);
            }
        }
    }

    void backward_x(const float* dy, const Args& args, int64_t image) const noexcept {
        const int64_t panel = p_.kernels->panel;
        float* dx = args.d_in[0] + image * p_.in_size();
        if (has_gaps_) {
            std::memset(dx, 0, static_cast<size_t>(p_.in_size() * lanes_) * sizeof(float));
        }
        const int64_t row = p_.width.in * p_.in_c, plane = p_.height.in * row;
        for (const DxPhase& phase : phases_) {
            Conv conv{};
            conv.x = dy;
            conv.x_row = dy_row();
            conv.x_pixel = p_.out_c;
            conv.run_offset = phase.run_offset.data();
            conv.runs = static_cast<int64_t>(phase.run_offset.size());
            conv.run_length = phase.run_length;
            conv.weights = args.packed + phase.weights;
            conv.w_panel = layout_ == Layout::kLanes ? 1 : phase.depth * panel;
            conv.w_row = layout_ == Layout::kLanes ? group_in_ : panel;
            conv.y = dx + (phase.slice * plane + phase.row * row + phase.column * p_.in_c) * lanes_;
            conv.y_row = p_.height.stride * row;
            conv.y_pixel = p_.width.stride * p_.in_c;
            conv.out_h = phase.rows;
            conv.out_w = phase.columns;
            conv.out_c = group_in_;
            convolve_all(conv, {phase.slices, dy_plane(), p_.depth.stride * plane, group_out_,
                                phase.group, group_in_});
        }
    }

    ConvProblem p_;
    Layout layout_;
    int64_t lanes_;
    int64_t group_in_, group_out_;
    int64_t depth_;  // of the product: taps * channels
    std::vector<int64_t> run_offset_;
    int64_t run_length_ = 0;
    bool packs_forward_ = false;
    int64_t forward_group_ = 0;  // floats of a group's packed weights
    int64_t packed_ = 0;         // of all of them, and of those for dx
    Border front_, top_, left_;  // of dy
    std::vector<DxPhase> phases_;
    bool has_gaps_ = false;  // some of x is never read: its gradient is zero
    std::vector<std::pair<int64_t, int64_t>> tap_place_;  // phase and position in it, by tap
    int64_t taps_per_task_ = 1;
    int forward_stage_ = 0;
};

/// The part of a vector's lanes that the passes keep busy, with channels as lanes.
double rows_use(const ConvProblem& p) {
    const auto use = [&p](int64_t channels) {
        const int64_t lanes = p.kernels->lanes;
        const int64_t filled = (channels + lanes - 1) / lanes * lanes;
        return static_cast<double>(channels) / static_cast<double>(filled);
    };
    double sum = use(p.group_out()), passes = 1;
    if (p.wants_dw) sum += use(p.group_out()), ++passes;
    if (p.wants_dx) sum += use(p.group_in()), ++passes;
    return sum / passes;
}

/// The same with images as lanes; a little less than all, as weights are broadcast one by one.
double lanes_use(const ConvProblem& p) {
    const int64_t lanes = p.kernels->lanes;
    const int64_t filled = (p.batch + lanes - 1) / lanes * lanes;
    return 0.95 * static_cast<double>(p.batch) / static_cast<double>(filled);
}

/// A group of images, its output and their gradients stay in the caches of a core.
bool groups_fit(const ConvProblem& p) {
    constexpr int64_t kMostFloats = 2 << 20;
    return p.kernels->lanes * (p.in_size() + p.out_size()) <= kMostFloats;
}

}  // namespace

bool lanes_win(const ConvProblem& problem) {
    return groups_fit(problem) && lanes_use(problem) > rows_use(problem);
}

std::unique_ptr<ConvAlgorithm> make_conv_lanes(const ConvProblem& problem) {
    if (problem.pads_much()) return nullptr;
    return std::make_unique<ConvDirect>(problem, Layout::kLanes);
}

std::unique_ptr<ConvAlgorithm> make_conv_direct(const ConvProblem& problem) {
    if (problem.pads_much()) return nullptr;
    return std::make_unique<ConvDirect>(problem, Layout::kRows);
}

}  // namespace pronghorn
