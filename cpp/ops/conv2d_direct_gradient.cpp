// SPDX-License-Identifier: Apache-2.0
#include "ops/conv2d_direct_gradient.h"

namespace pronghorn {

ConvRuns::ConvRuns(const ConvProblem& p) {
    const bool joined = p.joins_taps();
    const int64_t row = p.padded_w() * p.in_c;
    for (int64_t k = 0; k < p.depth.kernel; ++k) {
        for (int64_t i = 0; i < p.height.kernel; ++i) {
            for (int64_t j = 0; j < (joined ? 1 : p.width.kernel); ++j) {
                offset.push_back(k * p.depth.dilation * p.padded_h() * row +
                                 i * p.height.dilation * row + j * p.width.dilation * p.in_c);
            }
        }
    }
    length = p.taps() * p.group_in() / count();
}

ConvDirectGradient::ConvDirectGradient(const ConvProblem& problem, const DxPlan& dx,
                                       const ConvFrames& frames, const ConvRuns& runs,
                                       Layout layout, bool cut)
    : p_(problem),
      dx_(dx),
      frames_(frames),
      runs_(runs),
      lanes_(layout == Layout::kLanes ? problem.kernels->lanes : 1),
      bare_gradient_(problem),
      bare_(layout == Layout::kRows && bare_gradient_.wins(cut)) {}

/// Tasks that own rows read all of x and of dy, most of them for few rows: parts are up to 3 times
/// as fast while they are no larger than that. Groups and volumes have no other way.
void ConvDirectGradient::add_stages(Signature& signature, bool large) {
    first_stage_ = static_cast<int>(signature.stages.size());
    const int64_t dw = p_.wants_dw ? p_.taps() * p_.group_in() * p_.out_c : 0;
    const int64_t db = p_.wants_db ? p_.out_c : 0;
    const int64_t most = std::min(kPieces, p_.cut_axis().out);
    const int64_t worth = 2 * p_.batch * (p_.in_size() + p_.out_size()) / std::max(dw, db);
    const bool plain = p_.groups == 1 && !p_.is_volume();
    Stage gradient{Phase::kBackward, false, 0, scratch(), p_.flops()};
    gradient.writes_d_in = gradient.reads_kernel = false;
    if (!plain || (large && most > 1 && worth >= most)) {
        sums_ = {std::clamp<int64_t>(worth, std::min<int64_t>(2, most), most), dw, db};
        sums_.add_stages(signature, gradient);
    } else {
        if (large) pieces_ = even_pieces(runs_.count(), runs_.length);
        gradient.tasks = runs_.count() * pieces_;
        gradient.packed = kNoBlock;
        signature.stages.push_back(gradient);
    }
    end_stage_ = static_cast<int>(signature.stages.size());
}

void ConvDirectGradient::run(int stage, const Args& args, int64_t task) const noexcept {
    if (sums_.parts() == 0) return own_rows(args, task);
    stage == first_stage_ ? sum_part(args, task) : sums_.add(*p_.kernels, args, task);
}

Range ConvDirectGradient::owned(int stage, int input, int64_t task) const noexcept {
    if (!has(stage)) return {};
    if (sums_.parts() > 0) {
        return stage == first_stage_ ? Range{} : sums_.owned(input, task);
    }
    if (input == 2) return task == 0 ? Range{0, p_.out_c} : Range{};
    const Range rows = part_of(runs_.length, task % pieces_, pieces_);
    return {(task / pieces_ * runs_.length + rows.begin) * p_.out_c, rows.count * p_.out_c};
}

ConvGradient ConvDirectGradient::gradient_of(const float* x, const float* dy, float* dw,
                                             bool add) const noexcept {
    ConvGradient gradient{};
    gradient.x = x;
    gradient.x_row = p_.height.stride * p_.padded_w() * p_.in_c;
    gradient.x_pixel = p_.width.stride * p_.in_c;
    gradient.run_offset = runs_.offset.data();
    gradient.runs = runs_.count();
    gradient.run_length = runs_.length;
    gradient.dy = dy;
    gradient.dy_row = dx_.dy_row;
    gradient.dy_pixel = p_.out_c;
    gradient.out_h = p_.height.out;
    gradient.out_w = p_.width.out;
    gradient.out_c = p_.group_out();
    gradient.dw = dw;
    gradient.dw_row = p_.out_c;
    gradient.accumulate = add;
    return gradient;
}

/// The gradient of all groups, from the first and so many slices of dy.
void ConvDirectGradient::add_slices(ConvGradient gradient, int64_t slices,
                                    int64_t dy_plane) const noexcept {
    const float *x = gradient.x, *dy = gradient.dy;
    float* const dw = gradient.dw;
    const int64_t x_plane = p_.depth.stride * p_.padded_h() * p_.padded_w() * p_.in_c;
    const auto add = lanes_ > 1 ? p_.kernels->conv_lanes_dw : p_.kernels->conv_rows_dw;
    for (int64_t slice = 0; slice < slices; ++slice, gradient.accumulate = true) {
        for (int64_t group = 0; group < p_.groups; ++group) {
            gradient.x = x + (slice * x_plane + group * p_.group_in()) * lanes_;
            gradient.dy = dy + (slice * dy_plane + group * p_.group_out()) * lanes_;
            gradient.dw = dw + group * p_.group_out();
            add(gradient);
        }
    }
}

void ConvDirectGradient::add_image(const Args& args, int64_t image,
                                   const float* dy) const noexcept {
    const bool add = args.accumulate || image > 0;
    const float* inside = dy + frames_.inside_dy();
    if (args.d_in[1] != nullptr && bare_) {
        const float* x = args.in[0] + image * p_.in_size();
        bare_gradient_.add(gradient_of(x, inside, args.d_in[1], add), {0, p_.height.out});
    } else if (args.d_in[1] != nullptr) {
        const float* x = frames_.x(args, image, args.scratch + frames_.dy_size(), frames_.all_x());
        add_slices(gradient_of(x, inside, args.d_in[1], add), p_.depth.out, dx_.dy_plane);
    }
    for (int64_t slice = 0; args.d_in[2] != nullptr && slice < p_.depth.out; ++slice) {
        (lanes_ > 1 ? p_.kernels->channel_sums_lanes : p_.kernels->channel_sums)(
            inside + slice * dx_.dy_plane * lanes_, p_.height.out, p_.width.out, p_.out_c,
            dx_.dy_row, p_.out_c, args.d_in[2], add || slice > 0);
    }
}

/// Rows of dw of one run, over all images; the first task adds db.
void ConvDirectGradient::own_rows(const Args& args, int64_t task) const noexcept {
    const int64_t run = task / pieces_;
    const Range rows = part_of(runs_.length, task % pieces_, pieces_);
    for (int64_t image = 0; image < args.images; ++image) {
        const bool add = image > 0;
        const float* dy =
            frames_.dy(args, image, args.scratch, frames_.all_dy()) + frames_.inside_dy();
        if (task == 0 && args.d_in[2] != nullptr) {
            p_.kernels->channel_sums(dy, p_.height.out, p_.width.out, p_.out_c, dx_.dy_row,
                                     p_.out_c, args.d_in[2], add);
        }
        if (args.d_in[1] == nullptr) continue;
        if (bare_) {
            const float* x = args.in[0] + image * p_.in_size();
            bare_gradient_.add_run(gradient_of(x, dy, args.d_in[1], add), run, rows,
                                   {0, p_.height.out});
            continue;
        }
        const float* x = frames_.x(args, image, args.scratch + frames_.dy_size(), frames_.all_x());
        ConvGradient gradient = gradient_of(x + rows.begin, dy, args.d_in[1], add);
        gradient.run_offset += run;
        gradient.runs = 1;
        gradient.run_length = rows.count;
        p_.kernels->conv_rows_dw(gradient);
    }
}

/// What some rows of y, slices of a volume, add to dw and db, over all images.
void ConvDirectGradient::sum_part(const Args& args, int64_t part) const noexcept {
    const Window& axis = p_.cut_axis();
    const Range rows = share_of(axis.out, part, sums_.parts());
    const int64_t step = p_.out_size() / axis.out;  // floats
    const int64_t begin = rows.begin * step, count = rows.count * step;
    for (int64_t image = 0; image < args.images; ++image) {
        const int64_t from = image * p_.out_size();
        const float* dy = args.d_out + from;
        if (p_.masks_dy()) {
            p_.kernels->activate_backward(Activation::kRelu, count, args.out + from + begin,
                                          dy + begin, args.scratch + begin);
            dy = args.scratch;
        }
        if (p_.wants_db) {
            p_.kernels->channel_sums(dy + begin, 1, count / p_.out_c, p_.out_c, 0, p_.out_c,
                                     sums_.bias(args, part), image > 0);
        }
        if (!p_.wants_dw) continue;
        ConvGradient gradient =
            gradient_of(args.in[0] + image * p_.in_size(), dy, sums_.kernel(args, part), image > 0);
        gradient.dy_row = p_.width.out * p_.out_c;
        if (bare_) {
            bare_gradient_.add(gradient, rows);
            continue;
        }
        gradient.x = frames_.x(args, image, args.scratch + frames_.dy_size(), frames_.under(rows));
        gradient.dy += begin;
        if (!p_.is_volume()) gradient.out_h = rows.count;
        add_slices(gradient, p_.is_volume() ? rows.count : 1, step);
    }
}

}  // namespace pronghorn
