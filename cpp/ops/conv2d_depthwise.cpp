// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution, each input channel by itself: kernels of their own, with no padded copies.
// An axis is cut into segments of positions that see the same taps: the interior, and one by one
// the positions at the border. For dx it is cut by what the positions of x see of dy, a phase for
// each residue of the stride. dx and dw take turns on a few rows, while these are in cache.
//
// With several outputs for a channel, a copy of x that repeats its channels stands in for x, and dx
// sums the copies' gradients.
#include <cstring>

#include "ops/conv2d.h"
#include "ops/pieces.h"

namespace pronghorn {

namespace {

/// Positions first, first + step, ... of an axis that see the same taps; the taps' cells count from
/// `source`, which moves by source_step from position to position.
struct Segment {
    int64_t first, count, step;
    int64_t source, source_step;
    std::vector<int64_t> tap, shift;

    /// Which of its positions are wanted.
    Range within(Range wanted) const {
        const auto before = [this](int64_t position) {
            return std::clamp<int64_t>((position - first + step - 1) / step, 0, count);
        };
        const int64_t begin = before(wanted.begin);
        return {begin, before(wanted.begin + wanted.count) - begin};
    }

    DepthwiseTaps scaled(int64_t source_size, int64_t weight_size) {
        for (int64_t& cell : shift) cell *= source_size;
        for (int64_t& weight : tap) weight *= weight_size;
        return {shift.data(), tap.data(), static_cast<int64_t>(tap.size())};
    }
};

void append(std::vector<Segment>& segments, Segment position) {
    if (!segments.empty()) {
        Segment& last = segments.back();
        if (last.first + last.count * last.step == position.first && last.tap == position.tap &&
            last.shift == position.shift) {
            ++last.count;
            return;
        }
    }
    segments.push_back(std::move(position));
}

/// Outputs, by the cells of x that they sum.
std::vector<Segment> forward_segments(const Window& window) {
    std::vector<Segment> segments;
    for (int64_t out = 0; out < window.out; ++out) {
        Segment position{out, 1, 1, out * window.stride, window.stride, {}, {}};
        for (int64_t k = 0; k < window.kernel; ++k) {
            const int64_t shift = k * window.dilation - window.before;
            const int64_t cell = position.source + shift;
            if (cell < 0 || cell >= window.in) continue;
            position.tap.push_back(k);
            position.shift.push_back(shift);
        }
        append(segments, std::move(position));
    }
    return segments;
}

/// Cells of x, by the outputs that they are part of, the first output first.
std::vector<Segment> backward_segments(const Window& window) {
    std::vector<Segment> segments;
    for (int64_t phase = 0; phase < std::min(window.stride, window.in); ++phase) {
        std::vector<Segment> of_phase;
        for (int64_t cell = phase; cell < window.in; cell += window.stride) {
            Segment position{cell, 1, window.stride, cell / window.stride, 1, {}, {}};
            for (int64_t k = window.kernel - 1; k >= 0; --k) {
                const int64_t distance = cell + window.before - k * window.dilation;
                const int64_t out = distance / window.stride;
                if (distance < 0 || distance % window.stride != 0 || out >= window.out) continue;
                position.tap.push_back(k);
                position.shift.push_back(out - position.source);
            }
            append(of_phase, std::move(position));
        }
        for (Segment& segment : of_phase) segments.push_back(std::move(segment));
    }
    return segments;
}

/// Both axes, their taps scaled to floats.
struct Plane {
    std::vector<Segment> rows, columns;
    std::vector<DepthwiseTaps> row_taps, column_taps;
    int64_t row = 0, source_row = 0;  // floats

    void scale(int64_t channels, int64_t width, int64_t source_width, int64_t kernel_width) {
        row = width * channels;
        source_row = source_width * channels;
        for (Segment& one : rows) {
            row_taps.push_back(one.scaled(source_row, kernel_width * channels));
        }
        for (Segment& one : columns) column_taps.push_back(one.scaled(channels, channels));
    }

    /// Positions that see the same taps: how many, where the first one and its source begin, and
    /// the steps from one to the next.
    struct Block {
        DepthwiseTaps rows, columns;
        int64_t height, width;
        int64_t at, row, pixel;
        int64_t from, source_row, source_pixel;
    };
    /// body(block) for all blocks in those rows.
    template <typename Body>
    void for_blocks(Range wanted, int64_t channels, Body body) const {
        for (size_t r = 0; r < rows.size(); ++r) {
            const Range inside = rows[r].within(wanted);
            if (inside.count <= 0) continue;
            const int64_t first = rows[r].first + inside.begin * rows[r].step;
            const int64_t source = rows[r].source + inside.begin * rows[r].source_step;
            for (size_t c = 0; c < columns.size(); ++c) {
                const Segment& column = columns[c];
                body(Block{row_taps[r], column_taps[c], inside.count, column.count,
                           first * row + column.first * channels, rows[r].step * row,
                           column.step * channels, source * source_row + column.source * channels,
                           rows[r].source_step * source_row, column.source_step * channels});
            }
        }
    }
};

class ConvDepthwise final : public ConvAlgorithm {
   public:
    explicit ConvDepthwise(const ConvProblem& problem)
        : p_(problem), channels_(p_.out_c), multiplier_(p_.out_c / p_.in_c) {
        forward_.rows = forward_segments(p_.height);
        forward_.columns = forward_segments(p_.width);
        forward_.scale(channels_, p_.width.out, p_.width.in, p_.width.kernel);
        if (!p_.wants_dx && !p_.wants_dw) return;
        backward_.rows = backward_segments(p_.height);
        backward_.columns = backward_segments(p_.width);
        backward_.scale(channels_, p_.width.in, p_.width.out, p_.width.kernel);
    }

    Signature plan() override {
        Signature signature;
        constexpr double kSlower = 5;  // a multiply-add takes than one of a dense convolution
        const double work = kSlower * p_.flops() / static_cast<double>(p_.batch);
        pieces_ = multiplier_ == 1 && !p_.all_by_image && cuts_images(p_.batch, work)
                      ? std::min(kPieces, p_.height.out)
                      : 1;
        signature.stages.push_back(forward_in_pieces(p_.batch, pieces_, copy_size(), p_.flops()));
        if (p_.trains()) {
            const int64_t gated = p_.masks_dy() ? p_.out_size() : 0;
            signature.stages.push_back(
                {Phase::kBackward, true, 1, gated + 2 * copy_size(), p_.backward_flops()});
            signature.backward_reads[0] = p_.wants_dw;
            signature.backward_reads_output = p_.masks_dy();
            signature.gradient[1] = signature.gradient[2] = GradientBy::kParts;
        }
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        if (stage == 0 && pieces_ > 1) {
            return forward(args, task / pieces_, share_of(p_.height.out, task % pieces_, pieces_));
        }
        for (int64_t i = 0; i < args.images; ++i) {
            if (stage == 0) {
                forward(args, i, {0, p_.height.out});
            } else {
                backward(args, i);
            }
        }
    }

   private:
    static constexpr int64_t kTurnRows = 8;  // of dy

    int64_t wide_size() const { return p_.height.in * p_.width.in * channels_; }
    int64_t copy_size() const { return multiplier_ > 1 ? wide_size() : 0; }

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
        const float* x = wide_x(args, image, args.scratch);
        convolve(forward_, rows_of_y, x, args.in[1], p_.bias ? args.in[2] : nullptr, p_.relu,
                 args.out + image * p_.out_size());
    }

    /// Those rows of y from x, or of dx from dy.
    void convolve(const Plane& plane, Range rows, const float* x, const float* w, const float* bias,
                  bool relu, float* y) const noexcept {
        plane.for_blocks(rows, channels_, [&](const Plane::Block& block) {
            p_.kernels->depthwise_block({x + block.from, block.source_row, block.source_pixel,
                                         block.rows, block.columns, w, bias, y + block.at,
                                         block.row, block.pixel, block.height, block.width,
                                         channels_, relu});
        });
    }

    /// What those rows of dy add to dw.
    void add_gradient(Range rows, const float* x, const float* dy, float* dw) const noexcept {
        forward_.for_blocks(rows, channels_, [&](const Plane::Block& block) {
            p_.kernels->depthwise_block_dw({x + block.from, block.source_row, block.source_pixel,
                                            block.rows, block.columns, dy + block.at, block.row,
                                            block.pixel, dw, block.height, block.width, channels_});
        });
    }

    void backward(const Args& args, int64_t image) const noexcept {
        const float* dy = args.d_out + image * p_.out_size();
        const bool add = args.accumulate || image > 0;
        float* scratch = args.scratch;
        if (p_.masks_dy()) {
            p_.kernels->activate_backward(Activation::kRelu, p_.out_size(),
                                          args.out + image * p_.out_size(), dy, scratch);
            dy = scratch;
            scratch += p_.out_size();
        }
        if (args.d_in[2] != nullptr) {
            p_.kernels->channel_sums(dy, p_.height.out, p_.width.out, channels_,
                                     p_.width.out * channels_, channels_, args.d_in[2], add);
        }
        if (args.d_in[1] != nullptr && !add) {
            std::memset(args.d_in[1], 0,
                        static_cast<size_t>(p_.taps() * channels_) * sizeof(float));
        }
        if (args.d_in[0] != nullptr || args.d_in[1] != nullptr) {
            sweep(args, image, dy, scratch);
        }
    }

    void sweep(const Args& args, int64_t image, const float* dy, float* scratch) const noexcept {
        const float* x = args.d_in[1] == nullptr ? nullptr : wide_x(args, image, scratch);
        float* dx = args.d_in[0] == nullptr ? nullptr : args.d_in[0] + image * p_.in_size();
        float* wide_dx = dx != nullptr && multiplier_ > 1 ? scratch + wide_size() : dx;
        const int64_t turns = (p_.height.out + kTurnRows - 1) / kTurnRows;
        for (int64_t turn = 0; turn < turns; ++turn) {
            if (wide_dx != nullptr) {
                convolve(backward_, part_of(p_.height.in, turn, turns), dy, args.in[1], nullptr,
                         false, wide_dx);
            }
            if (x != nullptr) {
                add_gradient(part_of(p_.height.out, turn, turns), x, dy, args.d_in[1]);
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
    Plane forward_, backward_;
    int64_t pieces_ = 1;  // of y, rows
};

}  // namespace

std::unique_ptr<ConvAlgorithm> make_conv_depthwise(const ConvProblem& problem) {
    if (!problem.is_depthwise()) return nullptr;
    return std::make_unique<ConvDepthwise>(problem);
}

}  // namespace pronghorn
