// SPDX-License-Identifier: Apache-2.0
// Convolution on planes, where neither channels nor images fill the vectors but columns do: small
// networks, small batches. Stride 1. The gradient of x is the same convolution of dy, with zeros
// around it, by the turned kernel.
#include <algorithm>
#include <cmath>

#include "ops/conv2d.h"

namespace pronghorn {

namespace {

/// How dy is read for dx along an axis: zeros around it, and where the first output begins.
struct Surround {
    int64_t before, after, start;
    explicit Surround(const Window& window) {
        const int64_t reach = (window.kernel - 1) * window.dilation;
        before = std::max<int64_t>(0, reach - window.before);
        start = std::max<int64_t>(0, window.before - reach);
        after = std::max<int64_t>(0, window.in + window.before - window.out);
    }
};

class ConvOnPlanes final : public ConvAlgorithm {
   public:
    explicit ConvOnPlanes(const ConvProblem& problem)
        : p_(problem), top_(problem.height), left_(problem.width) {}

    Signature plan() override {
        Signature signature;
        signature.in_layout = signature.out_layout = Layout::kPlanes;
        const int64_t padded = p_.pads() ? p_.in_c * padded_plane() : 0;
        signature.stages.push_back({Phase::kForward, true, 1, padded, p_.flops()});
        if (p_.trains()) {
            const int64_t dy = copies_dy() ? p_.out_c * dy_plane() : 0;
            signature.stages.push_back(
                {Phase::kBackward, true, 1, padded + dy, p_.backward_flops()});
            signature.backward_reads[0] = p_.wants_dw;
            signature.backward_reads_output = p_.masks_dy();
            signature.gradient[1] = signature.gradient[2] = GradientBy::kParts;
        }
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        for (int64_t i = 0; i < args.images; ++i) {
            stage == 0 ? forward(args, i) : backward(args, i);
        }
    }

    bool masks_dx() const override { return true; }

   private:
    int64_t padded_plane() const { return p_.padded_h() * p_.padded_w(); }
    /// Of dy as the backward pass reads it.
    int64_t dy_row() const {
        return copies_dy() ? left_.before + p_.width.out + left_.after : p_.width.out;
    }
    int64_t dy_plane() const {
        return (copies_dy() ? top_.before + p_.height.out + top_.after : p_.height.out) * dy_row();
    }
    bool copies_dy() const {
        return p_.masks_dy() ||
               (p_.wants_dx && top_.before + top_.after + left_.before + left_.after > 0);
    }

    /// x of that image, with zeros around every plane where the convolution pads.
    const float* padded_x(const Args& args, int64_t image, float* scratch) const noexcept {
        const float* x = args.in[0] + image * p_.in_size();
        if (!p_.pads()) return x;
        PadImage pad{x, nullptr,          scratch,         p_.height.in,    p_.width.in,
                     1, p_.height.before, p_.height.after, p_.width.before, p_.width.after};
        pad_planes(pad, p_.in_c, padded_plane());
        return scratch;
    }
    void pad_planes(PadImage pad, int64_t planes, int64_t size) const noexcept {
        for (int64_t c = 0; c < planes; ++c, pad.x += pad.height * pad.width, pad.y += size) {
            p_.kernels->pad_image(pad);
            if (pad.gate != nullptr) pad.gate += pad.height * pad.width;
        }
    }

    PlanesSource source(const float* x) const noexcept {
        return {x,
                padded_plane(),
                p_.padded_w(),
                p_.in_c,
                p_.height.kernel,
                p_.width.kernel,
                p_.height.dilation * p_.padded_w(),
                p_.width.dilation};
    }

    void forward(const Args& args, int64_t image) const noexcept {
        p_.kernels->conv_planes({source(padded_x(args, image, args.scratch)), args.in[1],
                                 p_.in_c * p_.out_c, p_.out_c, 1, p_.bias ? args.in[2] : nullptr,
                                 args.out + image * p_.out_size(), p_.out_c, p_.height.out,
                                 p_.width.out, p_.relu, nullptr, p_.ceiling});
    }

    void backward(const Args& args, int64_t image) const noexcept {
        const int64_t out = image * p_.out_size();
        const float* dy = args.d_out + out;
        float* scratch = args.scratch;
        int64_t inside = 0;  // where dy's own cells begin
        if (copies_dy()) {
            pad_planes({dy, p_.masks_dy() ? args.out + out : nullptr, scratch, p_.height.out,
                        p_.width.out, 1, top_.before, top_.after, left_.before, left_.after},
                       p_.out_c, dy_plane());
            dy = scratch;
            scratch += p_.out_c * dy_plane();
            inside = top_.before * dy_row() + left_.before;
        }
        if (args.d_in[0] != nullptr) backward_x(dy, args, image);
        if (args.d_in[1] == nullptr && args.d_in[2] == nullptr) return;
        const float* x = args.d_in[1] == nullptr ? nullptr : padded_x(args, image, scratch);
        p_.kernels->conv_planes_dw({source(x), dy + inside, dy_plane(), dy_row(), p_.out_c,
                                    p_.height.out, p_.width.out, args.d_in[1], args.d_in[2],
                                    args.accumulate || image > 0});
    }

    void backward_x(const float* dy, const Args& args, int64_t image) const noexcept {
        const PlanesSource from{dy + top_.start * dy_row() + left_.start,
                                dy_plane(),
                                dy_row(),
                                p_.out_c,
                                p_.height.kernel,
                                p_.width.kernel,
                                p_.height.dilation * dy_row(),
                                p_.width.dilation};
        const int64_t tap = p_.in_c * p_.out_c;
        const int64_t in = image * p_.in_size();
        p_.kernels->conv_planes({from, args.in[1] + (p_.taps() - 1) * tap, -tap, 1, p_.out_c,
                                 nullptr, args.d_in[0] + in, p_.in_c, p_.height.in, p_.width.in,
                                 false, p_.gate_taken ? args.in[0] + in : nullptr});
    }

    ConvProblem p_;
    Surround top_, left_;
};

/// Vectors multiplied and added in all passes over an image; `vectors` of them for one tap of a
/// pass that computes (h, w, into) from `from` channels.
template <typename Vectors>
double work(const ConvProblem& p, Vectors vectors) {
    const auto pass = [&vectors](int64_t h, int64_t w, int64_t from, int64_t into) {
        return vectors(static_cast<double>(h), static_cast<double>(w), static_cast<double>(from),
                       static_cast<double>(into));
    };
    const double forward = pass(p.height.out, p.width.out, p.in_c, p.out_c);
    const double backward = pass(p.height.in, p.width.in, p.out_c, p.in_c);
    return static_cast<double>(p.taps()) *
           ((p.wants_dw ? 2 : 1) * forward + (p.wants_dx ? backward : 0.0));
}

}  // namespace

/// Columns as lanes are less work than channels or images, moving to and from planes included.
bool planes_win(const ConvProblem& p) {
    // A vector into another layout, in multiplications; of y it is less, behind a pool mostly.
    constexpr double kMove = 32, kMoveOut = 4;
    constexpr double kEnd = 6;  // the same for a vector of channels that is not full, in pieces
    // A vector of columns or images by a weight takes longer than one of channels by a cell.
    constexpr double kSlower = 1.15;
    const auto lanes = static_cast<double>(p.kernels->lanes);
    const auto filled = [lanes](double size) { return std::ceil(size / lanes); };
    const double columns = work(p, [&](double h, double w, double from, double into) {
        return from * into * h * filled(w);
    });
    const double channels = work(p, [&](double h, double w, double from, double into) {
        return p.row_vectors(static_cast<int64_t>(from), static_cast<int64_t>(into)) * h * w;
    });
    const auto batch = static_cast<double>(p.batch);
    const double images = work(p, [&](double h, double w, double from, double into) {
        return from * into * h * w * filled(batch) / batch;
    });
    const bool there = p.in_planes || p.in_c == 1;
    const double moved = kMove * static_cast<double>(there ? 0 : p.in_size()) +
                         kMoveOut * static_cast<double>(p.out_size());
    const double moves = moved / lanes * (p.trains() ? 2 : 1);
    const auto ends = [&](int64_t h, int64_t w, int64_t into) {
        const bool full = into % p.kernels->lanes == 0 || into <= kFewChannels;
        return full ? 0.0 : kEnd * static_cast<double>(h * w);
    };
    const double cut = ends(p.height.out, p.width.out, p.out_c) +
                       (p.wants_dx ? ends(p.height.in, p.width.in, p.in_c) : 0.0);
    return kSlower * columns + moves < std::min(channels + cut, kSlower * images);
}

std::unique_ptr<ConvAlgorithm> make_conv_planes(const ConvProblem& problem) {
    const bool steps = problem.height.stride > 1 || problem.width.stride > 1;
    if (steps || problem.groups > 1 || problem.is_volume() || problem.pads_much() ||
        problem.all_by_image) {
        return nullptr;
    }
    return std::make_unique<ConvOnPlanes>(problem);
}

}  // namespace pronghorn
