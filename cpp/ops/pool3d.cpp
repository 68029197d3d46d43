// SPDX-License-Identifier: Apache-2.0
// max_pool3d, average_pool3d: x (batch, in_d, in_h, in_w, c) -> (batch, out_d, out_h, out_w, c).
// First every plane is pooled, then the planes are, as images of in_d pixels with out_h * out_w * c
// channels: of equal values the first in the volume's order wins, and averages over real cells are
// products of the axes'. Any layout: lanes are more channels.
#include "ops/pool_pieces.h"
#include "ops/window.h"
#include "ops/winners.h"

namespace pronghorn {

namespace {

class Pool3d final : public Op {
   public:
    Pool3d(bool average, Attributes& attributes) : name_(attributes.op()), average_(average) {
        size_ = attributes.integers("pool_size", {2, 2, 2}, 3, 1);
        strides_ = attributes.integers("strides", size_, 3, 1);
        const std::string word = attributes.word("padding", "valid");
        check(word == "valid" || word == "same", name_.c_str(),
              "expected padding 'valid' or 'same', got '", word, "'");
        padding_.same = word == "same";
    }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const char* name = name_.c_str();
        check(inputs.size() == 1, name, "expected 1 input, got ", inputs.size());
        const Shape& x = inputs[0].shape;
        check(x.rank() == 5, name,
              "expected 5-D input (batch, depth, height, width, channels), got ", x);
        const Window d = padding_.over(x[1], 0, size_[0], strides_[0], 1, name);
        const Window h = padding_.over(x[2], 0, size_[1], strides_[1], 1, name);
        const Window w = padding_.over(x[3], 1, size_[2], strides_[2], 1, name);
        check(average_ || (size_[0] <= 65535 && checked_product(size_[1], size_[2]) <= 65535), name,
              "expected a pool of at most 65535 cells and planes, got (", size_[0], ", ", size_[1],
              ", ", size_[2], ")");
        plane_ = {x[2],     x[3],        x[4],        h.out,    w.out,   size_[1],
                  size_[2], strides_[1], strides_[2], h.before, w.before};
        depth_ = {x[1],
                  1,
                  checked_product(checked_product(h.out, w.out), x[4]),
                  d.out,
                  1,
                  size_[0],
                  1,
                  strides_[0],
                  1,
                  d.before,
                  0};
        return {Shape{x[0], d.out, h.out, w.out, x[4]}};
    }

    Resampling resampling() const override {
        return average_ ? Resampling::kMeans : Resampling::kNone;
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        lanes_ = context.layouts[0] == Layout::kLanes ? kernels_->lanes : 1;
        Signature signature;
        signature.in_layout = signature.out_layout = context.layouts[0];
        const int64_t scratch = between() * lanes_;
        // Windows that overlap in depth share the pools of slices.
        const bool apart = depth_.stride_h >= depth_.pool_h && lanes_ == 1;
        pieces_ =
            apart && cuts_traffic(context.batch(), in_size()) ? std::min(kPieces, depth_.out_h) : 1;
        signature.stages.push_back(forward_in_pieces(context.batch(), pieces_, scratch, 0));
        if (context.training) {
            signature.stages.push_back(signature.stages.back());
            signature.stages.back().phase = Phase::kBackward;
        }
        if (context.training && !average_) signature.saved = saved();
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        if (pieces_ > 1) {
            return run_piece(stage, args, task / pieces_,
                             share_of(depth_.out_h, task % pieces_, pieces_));
        }
        for (int64_t i = 0; i < args.images; i += lanes_) {
            run_piece(stage, args, i, {0, depth_.out_h});
        }
    }

   private:
    /// Of an image, or a group: the windows in depth from `slices` on, first the pool of each slice
    /// that they cover, then that of those in depth.
    void run_piece(int stage, const Args& args, int64_t image, Range slices) const noexcept {
        const Range covered = rows_between(depth_, slices);
        Pool plane = plane_, depth = part_of(depth_, covered, slices);
        plane.channels *= lanes_;
        depth.channels *= lanes_;
        float *cells = nullptr, *planes = nullptr;  // the winners of both steps
        if (args.saved != nullptr) {
            cells = args.saved + image * saved();
            planes = cells + winner_floats(plane_, between()) * lanes_;
        }
        const int64_t in = image * in_size() + covered.begin * plane_size();
        const int64_t first = slices.begin * depth.channels;
        const int64_t out = image * out_size() + first;
        void* const winners = winners_from(depth, planes, first);
        if (stage == 1) pool_backward(depth, args.d_out + out, winners, args.scratch);
        for (int64_t d = 0; d < depth.in_h; ++d) {
            const int64_t at = in + d * plane_size();
            float* const pooled = args.scratch + d * depth.channels;
            void* const own = winners_from(plane, cells, (covered.begin + d) * depth.channels);
            if (stage == 0) {
                pool(plane, args.in[0] + at, pooled, own);
            } else {
                pool_backward(plane, pooled, own, args.d_in[0] + at);
            }
        }
        if (stage == 0) pool(depth, args.scratch, args.out + out, winners);
    }

    int64_t plane_size() const { return plane_.in_h * plane_.in_w * plane_.channels * lanes_; }
    int64_t in_size() const { return depth_.in_h * plane_.in_h * plane_.in_w * plane_.channels; }
    int64_t between() const { return depth_.in_h * depth_.channels; }
    int64_t out_size() const { return depth_.out_h * depth_.channels; }
    int64_t saved() const {
        return winner_floats(plane_, between()) + winner_floats(depth_, out_size());
    }

    void pool(const Pool& window, const float* x, float* y, void* winners) const noexcept {
        average_ ? kernels_->average_pool(window, x, y) : kernels_->max_pool(window, x, y, winners);
    }
    void pool_backward(const Pool& window, const float* dy, const void* winners,
                       float* dx) const noexcept {
        average_ ? kernels_->average_pool_backward(window, dy, nullptr, dx)
                 : kernels_->max_pool_backward(window, dy, winners, dx);
    }

    std::string name_;
    bool average_;
    std::vector<int64_t> size_, strides_;
    Padding padding_;
    Pool plane_{}, depth_{};
    int64_t lanes_ = 1;
    int64_t pieces_ = 1;  // of a volume, slices
    const Kernels* kernels_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_max_pool3d(Attributes& attributes) {
    return std::make_unique<Pool3d>(false, attributes);
}
std::unique_ptr<Op> make_average_pool3d(Attributes& attributes) {
    return std::make_unique<Pool3d>(true, attributes);
}

}  // namespace pronghorn
