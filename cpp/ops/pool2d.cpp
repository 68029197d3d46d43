// SPDX-License-Identifier: Apache-2.0
// max_pool2d, average_pool2d: x (batch, in_h, in_w, c) -> (batch, out_h, out_w, c). Cells of
// padding never count, as in Keras. Any layout: lanes are more channels.
#include <algorithm>

#include "ops/op.h"
#include "ops/pool_pieces.h"
#include "ops/window.h"
#include "ops/winners.h"

namespace pronghorn {

namespace {

class Pool2d final : public Op {
   public:
    enum class Kind : uint8_t { kMax, kAverage };

    Pool2d(Kind kind, Attributes& attributes) : name_(attributes.op()), kind_(kind) {
        size_ = attributes.integers("pool_size", {2, 2}, 2, 1);
        strides_ = attributes.integers("strides", size_, 2, 1);
        padding_ = Padding::from(attributes);
    }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const char* name = name_.c_str();
        const Shape& x = inputs[0].shape;
        check(inputs.size() == 1, name, "expected 1 input, got ", inputs.size());
        check(x.rank() == 4, name, "expected 4-D input (batch, height, width, channels), got ", x);
        const auto over = [&](int axis, const Window& known) {
            const auto i = static_cast<size_t>(axis);
            const int64_t in = x[axis + 1];
            return cropped_ ? known.ending(in)
                            : padding_.over(in, axis, size_[i], strides_[i], 1, name);
        };
        const Window h = height_ = over(0, height_), w = width_ = over(1, width_);
        check(
            h.before < size_[0] && h.after < size_[0] && w.before < size_[1] && w.after < size_[1],
            name, "expected padding smaller than the pool (", size_[0], ", ", size_[1], ")");
        check(kind_ != Kind::kMax || checked_product(size_[0], size_[1]) <= 65535, name,
              "expected a pool of at most 65535 cells, got ", size_[0], " x ", size_[1]);
        pool_ = {x[1],     x[2],        x[3],        h.out,    w.out,   size_[0],
                 size_[1], strides_[0], strides_[1], h.before, w.before};
        return {Shape{x[0], h.out, w.out, x[3]}};
    }

    bool takes_planes() const override {
        return pool_.pool_h == 2 && pool_.pool_w == 2 && pool_.stride_h == 2 &&
               pool_.stride_w == 2 && 2 * pool_.out_h <= pool_.in_h &&
               2 * pool_.out_w <= pool_.in_w;
    }
    bool take_gate() override { return gated_ = true; }
    Resampling resampling() const override {
        return kind_ == Kind::kAverage ? Resampling::kMeans : Resampling::kNone;
    }
    std::optional<Extent> crop(Extent output) override {
        cropped_ = true;
        return Extent{height_.crop(output.height), width_.crop(output.width)};
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        pool_.gated = gated_;
        Signature signature;
        signature.in_layout = signature.out_layout = context.layouts[0];
        lanes_ = context.layouts[0] == Layout::kLanes ? kernels_->lanes : 1;
        choose_kernels(context.layouts[0] == Layout::kPlanes);
        // Rows of images in other layouts do not follow each other.
        pieces_ = context.layouts[0] == Layout::kRows && cuts_traffic(context.batch(), in_size())
                      ? std::min(kPieces, pool_.out_h)
                      : 1;
        signature.stages.push_back(forward_in_pieces(context.batch(), pieces_, 0, 0));
        if (kind_ == Kind::kMax && context.training) signature.saved = saved();
        cuts_backward_ = pieces_ > 1 && strides_[0] <= size_[0] &&
                         (kind_ == Kind::kMax || strides_[0] == size_[0]);
        if (context.training) {
            signature.stages.push_back(
                forward_in_pieces(context.batch(), cuts_backward_ ? pieces_ : 1, 0, 0));
            signature.stages.back().phase = Phase::kBackward;
        }
        // Each gate is read right before its cell is written; planes do some cells once more.
        signature.stages.back().in_place =
            gated_ && kind_ == Kind::kAverage && context.layouts[0] != Layout::kPlanes;
        signature.backward_reads[0] = gated_ && kind_ == Kind::kAverage;
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        if (stage == 0 && pieces_ > 1) {
            return forward(args, task / pieces_, share_of(pool_.out_h, task % pieces_, pieces_));
        }
        if (stage == 1 && cuts_backward_) return backward_piece(args, task);
        for (int64_t i = 0; i < args.images; i += lanes_) {
            if (stage == 0) {
                forward(args, i, {0, pool_.out_h});
            } else {
                backward(args, i, {0, pool_.in_h}, {0, pool_.out_h});
            }
        }
    }

   private:
    void choose_kernels(bool planes) {
        const Kernels& k = *kernels_;
        max_pool_ = planes ? k.max_pool_planes : k.max_pool;
        max_pool_backward_ = planes ? k.max_pool_planes_backward : k.max_pool_backward;
        average_pool_ = planes ? k.average_pool_planes : k.average_pool;
        average_pool_backward_ = planes ? k.average_pool_planes_backward : k.average_pool_backward;
    }
    /// Those rows of an image, or of a group, all of them.
    void forward(const Args& args, int64_t image, Range rows) const noexcept {
        const Range read = rows_from(pool_, rows);
        Pool pool = part_of(pool_, read, rows);
        pool.channels *= lanes_;
        const int64_t out = rows.begin * pool.out_w * pool.channels;
        const float* x = args.in[0] + image * in_size() + read.begin * pool.in_w * pool.channels;
        float* y = args.out + image * out_size() + out;
        if (kind_ == Kind::kAverage) return average_pool_(pool, x, y);
        max_pool_(pool, x, y, winners(args, image, out));
    }

    /// Rows of dx, to which windows of the same rows, side by side, or all that overlap lead.
    void backward_piece(const Args& args, int64_t task) const noexcept {
        const int64_t image = task / pieces_, number = task % pieces_;
        if (pool_.stride_h == pool_.pool_h) {
            const Range windows = share_of(pool_.out_h, number, pieces_);
            return backward(args, image, rows_between(pool_, windows), windows);
        }
        const Range rows = share_of(pool_.in_h, number, pieces_);
        backward(args, image, rows, windows_over(pool_, rows));
    }

    /// Those rows of dx, by those of dy.
    void backward(const Args& args, int64_t image, Range rows, Range windows) const noexcept {
        Pool pool = part_of(pool_, rows, windows);
        pool.channels *= lanes_;
        const int64_t in = image * in_size() + rows.begin * pool.in_w * pool.channels;
        const int64_t first = windows.begin * pool.out_w * pool.channels;
        const float* dy = args.d_out + image * out_size() + first;
        if (kind_ == Kind::kMax) {
            max_pool_backward_(pool, dy, winners(args, image, first), args.d_in[0] + in);
        } else {
            average_pool_backward_(pool, dy, gated_ ? args.in[0] + in : nullptr, args.d_in[0] + in);
        }
    }

    /// Of an image, or of a group, from number `first` on.
    void* winners(const Args& args, int64_t image, int64_t first) const noexcept {
        float* memory = args.saved == nullptr ? nullptr : args.saved + image * saved();
        return winners_from(pool_, memory, first);
    }

    int64_t in_size() const { return pool_.in_h * pool_.in_w * pool_.channels; }
    int64_t out_size() const { return pool_.out_h * pool_.out_w * pool_.channels; }
    int64_t saved() const { return winner_floats(pool_, out_size()); }

    std::string name_;
    Kind kind_;
    std::vector<int64_t> size_, strides_;
    Padding padding_;
    Window height_, width_;
    bool cropped_ = false;  // windows are settled, but for where the input ends
    Pool pool_{};
    bool gated_ = false;
    int64_t lanes_ = 1;
    int64_t pieces_ = 1;          // of an image's y, rows
    bool cuts_backward_ = false;  // into as many of x
    const Kernels* kernels_ = nullptr;
    decltype(Kernels::max_pool) max_pool_ = nullptr;  // of the layout
    decltype(Kernels::max_pool_backward) max_pool_backward_ = nullptr;
    decltype(Kernels::average_pool) average_pool_ = nullptr;
    decltype(Kernels::average_pool_backward) average_pool_backward_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_max_pool2d(Attributes& attributes) {
    return std::make_unique<Pool2d>(Pool2d::Kind::kMax, attributes);
}
std::unique_ptr<Op> make_average_pool2d(Attributes& attributes) {
    return std::make_unique<Pool2d>(Pool2d::Kind::kAverage, attributes);
}

}  // namespace pronghorn
