// SPDX-License-Identifier: Apache-2.0
// dense: Keras's Dense. x (batch, ..., in), kernel (in, units), bias (units,) -> y (batch, ...,
// units),
//   y = act(x w + b);  dx = dy w^T;  dw = x^T dy;  db = sum of dy over rows.
// Four ways: images as lanes inside a depth-first chain (small kernels behind convolutions in
// lanes), a stream through the kernel (up to 8 rows), and products cut over the kernel's columns
// (forward) and rows (backward): in panels, or BLAS's where there are more than 64 rows. A task
// that finishes rows of dw owns them.
#include <algorithm>
#include <cstring>

#include "ops/gemm.h"
#include "ops/op.h"
#include "ops/pieces.h"

namespace pronghorn {

namespace {

constexpr int64_t kLanesMostFloats = 128 << 10;  // a kernel that stays in L2 beside its slice
constexpr int64_t kStreamMostRows = 8;           // what the streaming kernels hold in registers
constexpr int64_t kPanelsMostRows = 64;          // with more BLAS is as fast
constexpr int64_t kDepth = 256;                  // rows of the kernel in a block of panels
constexpr int64_t kCopiedRow = kDepth + 16;      // of x; rows 1 KB apart would share ways
constexpr int64_t kPackedColumns = 256;          // of dy, in one task
constexpr int64_t kBlockFloats = 32 << 10;       // of the kernel in one task: 128 KB
constexpr int64_t kStreamBlockFloats = 4 << 10;  // dw, w and their state stay in L1
constexpr int64_t kSweepBlockFloats = 16 << 10;  // dw of one row mostly never leaves registers
constexpr int64_t kTerms = 4;                    // of y

class Dense final : public Op {
   public:
    explicit Dense(Attributes& /*attributes*/) {}

    Takes takes(int input) const override {
        return input == 0 ? Takes::kActivation : Takes::kParameter;
    }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const Shape& x = inputs[0].shape;
        check(inputs.size() == 2 || inputs.size() == 3, "dense",
              "expected x, kernel and maybe bias, got ", inputs.size(), " inputs");
        check(x.rank() >= 2, "dense", "expected input of at least 2 dimensions, got ", x);
        const Shape& kernel = inputs[1].shape;
        check(kernel.rank() == 2 && kernel[0] == x[-1] && kernel.elements() > 0, "dense",
              "expected a kernel of shape (", x[-1], ", units), got ", kernel);
        in_ = kernel[0];
        units_ = kernel[1];
        bias_ = inputs.size() == 3;
        check(!bias_ || inputs[2].shape == Shape{units_}, "dense", "expected a bias of shape (",
              units_, ",), got ", inputs.back().shape);
        images_ = x[0];
        rows_ = x.elements() / in_;
        Shape y = x;
        y[-1] = units_;
        return {y};
    }

    bool fuse_activation(Activation activation) override {
        if (activation != Activation::kRelu || relu_) return false;
        return relu_ = true;
    }

    bool takes_fold() const override { return !relu_; }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        const bool in_lanes = context.layouts[0] == Layout::kLanes;
        if (in_lanes && rows_ == images_ && in_ * units_ <= kLanesMostFloats) {
            way_ = Way::kLanes;
        } else {
            way_ = rows_ <= kStreamMostRows                                    ? Way::kStream
                   : rows_ <= kPanelsMostRows && units_ >= 2 * kernels_->lanes ? Way::kPanels
                                                                               : Way::kProduct;
        }
        return way_ == Way::kLanes ? plan_lanes(context) : plan_rows(context);
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        const Job job = jobs_[static_cast<size_t>(stage)];
        switch (job) {
            case Job::kForwardLanes:
                return forward_lanes(args);
            case Job::kBackwardLanes:
                return backward_lanes(args);
            case Job::kOwnLanes:
                return own_lanes(args, task);
            case Job::kForward:
                return adds_terms_            ? forward_term(args, task)
                       : way_ == Way::kStream ? forward_stream(args, task)
                       : way_ == Way::kPanels ? forward_panels(args, task)
                                              : forward_product(args, task);
            case Job::kAdd:
                return add_terms(args);
            case Job::kGate:
                return gate(args);
            case Job::kPack:
                return pack(args, task);
            case Job::kBackward:
                return way_ == Way::kStream   ? backward_stream(args, task)
                       : way_ == Way::kPanels ? backward_panels(args, task)
                                              : backward_product(args, task);
        }
    }

    Range owned(int stage, int input, int64_t task) const override {
        const Job job = jobs_[static_cast<size_t>(stage)];
        if (job != Job::kBackward && job != Job::kOwnLanes) return {};
        if (input == 1) {
            const int64_t begin = task * block_rows_;
            return {begin * units_, std::min(block_rows_, in_ - begin) * units_};
        }
        return input == 2 && task == 0 ? Range{0, units_} : Range{};
    }

    int moved(int stage) const override {
        const bool one_sweep = jobs_[static_cast<size_t>(stage)] == Job::kBackward && rows_ == 1 &&
                               units_ >= kernels_->lanes;
        return one_sweep ? 1 : -1;
    }

   private:
    enum class Way : uint8_t { kLanes, kStream, kPanels, kProduct };
    enum class Job : uint8_t {
        kForwardLanes,
        kBackwardLanes,
        kOwnLanes,
        kForward,
        kAdd,
        kGate,
        kPack,
        kBackward
    };

    double flops() const {
        return 2.0 * static_cast<double>(rows_) * static_cast<double>(in_ * units_);
    }
    static int64_t blocks(int64_t size, int64_t block) { return (size + block - 1) / block; }
    int64_t panel() const { return kernels_->panel; }
    /// To whole panels.
    int64_t round_up(int64_t columns) const { return blocks(columns, panel()) * panel(); }

    Signature plan_lanes(const PlanContext& context) {
        Signature signature;
        signature.in_layout = signature.out_layout = Layout::kLanes;
        jobs_ = {Job::kForwardLanes};
        signature.stages.push_back({Phase::kForward, true, 1, 0, flops()});
        if (!context.training) return signature;
        block_rows_ = std::clamp<int64_t>(kStreamBlockFloats / units_, 1, in_);
        groups_ = blocks(images_, kernels_->lanes);
        group_offset_.clear();
        for (int64_t group = 0; group < groups_; ++group) {
            group_offset_.push_back(group * in_ * kernels_->lanes);
        }
        const int64_t gated = relu_ ? units_ * kernels_->lanes : 0;
        const bool wants_x = context.wants_gradient[0];
        signature.stages.push_back({Phase::kBackward, true, 1, gated, wants_x ? flops() : 0.0});
        jobs_.push_back(Job::kBackwardLanes);
        if (context.wants_gradient[1] || (bias_ && context.wants_gradient[2])) {
            signature.stages.push_back({Phase::kGradient, false, blocks(in_, block_rows_), 0,
                                        flops(), false, false});  // dy comes through saved
            jobs_.push_back(Job::kOwnLanes);
            signature.saved = units_;  // masked dy, images one after the other
        }
        signature.backward_reads[0] = true;
        signature.backward_reads_output = relu_;
        signature.gradient[1] = signature.gradient[2] = GradientBy::kOwner;
        return signature;
    }

    /// Of y, in the forward pass: whole vectors, but enough tasks for several cores. One stream
    /// reads a kernel beyond L2 at 35 GB/s, and 30 where its rows are cut in four: long pieces,
    /// then.
    int64_t columns_of_task() const {
        constexpr int64_t kProductColumns = 64, kPanelsColumns = 128, kStreams = 4;
        if (way_ == Way::kProduct) return kProductColumns;
        if (way_ == Way::kPanels) {
            const int64_t columns = blocks(units_, 2 * kStreams * panel()) * panel();
            return std::min(columns, kPanelsColumns);
        }
        if (in_ * units_ <= kLanesMostFloats) return units_;
        return blocks(units_, kStreams * kernels_->lanes) * kernels_->lanes;
    }

    /// Of the kernel, in the backward pass: as many as stay in cache until they are moved, but
    /// enough for products that BLAS packs its operands for, those of more than 100 x 100 x 100
    /// terms.
    int64_t rows_of_task() const {
        constexpr int64_t kUnpacked = 100 * 100 * 100, kPackedRows = 128, kTileRows = 14;
        if (way_ == Way::kStream) {
            const int64_t floats = rows_ == 1 ? kSweepBlockFloats : kStreamBlockFloats;
            return blocks(in_, 2 * blocks(in_ * units_, 2 * floats));
        }
        const int64_t rows = kBlockFloats / units_;
        if (way_ == Way::kPanels) return std::max(rows, kTileRows);
        return rows_ * kBlockFloats > kUnpacked ? std::max(rows, kPackedRows) : rows;
    }

    Signature plan_rows(const PlanContext& context) {
        Signature signature;
        jobs_ = {Job::kForward};
        block_columns_ = std::min(units_, columns_of_task());
        const int64_t forward_scratch =
            way_ == Way::kPanels ? kDepth * round_up(block_columns_) + rows_ * kCopiedRow : 0;
        adds_terms_ = context.spreads && way_ == Way::kStream && block_columns_ == units_ &&
                      in_ * units_ >= kSweepBlockFloats;
        const int64_t tasks = adds_terms_ ? kTerms : blocks(units_, block_columns_);
        signature.stages.push_back({Phase::kForward, false, tasks, forward_scratch, flops()});
        if (adds_terms_) {
            signature.packed = {kTerms * rows_ * units_};
            signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
            jobs_.push_back(Job::kAdd);
        }
        if (!context.training) return signature;
        if (way_ == Way::kPanels) {
            turns_dy_ = context.wants_gradient[0];
            signature.packed = {(round_up(rows_) + rows_) * round_up(units_)};
            signature.stages.push_back({Phase::kBackward, false, blocks(units_, kPackedColumns),
                                        rows_ * kPackedColumns, 0});
            signature.stages.back().reads_in = signature.stages.back().writes_d_in = false;
            jobs_.push_back(Job::kPack);
        } else if (relu_) {
            signature.saved = rows_ / images_ * units_;
            signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
            jobs_.push_back(Job::kGate);
        }
        block_rows_ = std::clamp<int64_t>(rows_of_task(), 1, in_);
        const double passes =
            (context.wants_gradient[0] ? 1.0 : 0.0) + (context.wants_gradient[1] ? 1.0 : 0.0);
        const Phase phase = context.wants_gradient[0] ? Phase::kBackward : Phase::kGradient;
        const int64_t scratch = way_ == Way::kPanels ? block_rows_ * rows_ : 0;
        signature.stages.push_back(
            {phase, false, blocks(in_, block_rows_), scratch, passes * flops()});
        if (way_ == Way::kPanels) {
            signature.stages.back().reads_d_out = signature.stages.back().reads_out = false;
        }
        jobs_.push_back(Job::kBackward);
        signature.backward_reads[0] = true;
        signature.backward_reads_output = relu_;
        signature.gradient[1] = signature.gradient[2] = GradientBy::kOwner;
        return signature;
    }

    /// x (rows, depth) times weights of that many columns.
    static Conv product(const float* x, int64_t depth, float* y, int64_t columns) {
        static constexpr int64_t kStart = 0;
        Conv conv{};
        conv.x = x;
        conv.x_row = conv.x_pixel = depth;
        conv.run_offset = &kStart;
        conv.runs = 1;
        conv.run_length = depth;
        conv.y = y;
        conv.y_row = conv.y_pixel = columns;
        conv.out_h = conv.out_w = 1;
        conv.out_c = columns;
        return conv;
    }

    // ---- images as lanes

    void forward_lanes(const Args& args) const noexcept {
        for (int64_t i = 0; i < args.images; i += kernels_->lanes) {
            Conv conv = product(args.in[0] + i * in_, in_, args.out + i * units_, units_);
            conv.weights = args.in[1];
            conv.w_row = units_;
            conv.w_panel = 1;
            conv.bias = bias_ ? args.in[2] : nullptr;
            conv.relu = relu_;
            kernels_->conv_lanes(conv);
        }
    }

    void backward_lanes(const Args& args) const noexcept {
        const int64_t lanes = kernels_->lanes;
        for (int64_t i = 0; i < args.images; i += lanes) {
            const float* dy = args.d_out + i * units_;
            if (relu_) {
                kernels_->activate_backward(Activation::kRelu, units_ * lanes,
                                            args.out + i * units_, dy, args.scratch);
                dy = args.scratch;
            }
            if (args.saved != nullptr) {
                const int64_t images = std::min(lanes, args.images - i);
                float* rows = args.saved + i * units_;
                kernels_->from_lanes(dy, images, units_, rows);
                std::memset(rows + images * units_, 0,
                            static_cast<size_t>((lanes - images) * units_) * sizeof(float));
            }
            if (args.d_in[0] == nullptr) continue;
            Conv conv = product(dy, units_, args.d_in[0] + i * in_, in_);
            conv.weights = args.in[1];
            conv.w_row = 1;  // the kernel transposed
            conv.w_panel = units_;
            kernels_->conv_lanes(conv);
        }
    }

    /// dw of a block of rows: each row is a "pixel" that sums over images, a run per group.
    void own_lanes(const Args& args, int64_t task) const noexcept {
        if (args.d_in[1] != nullptr) {
            const int64_t lanes = kernels_->lanes;
            const int64_t begin = task * block_rows_;
            Conv conv = product(args.in[0] + begin * lanes, lanes, args.d_in[1], units_);
            conv.run_offset = group_offset_.data();
            conv.runs = groups_;
            conv.weights = args.saved;
            conv.w_panel = kernels_->panel;
            conv.w_row = units_;
            conv.out_w = std::min(block_rows_, in_ - begin);
            kernels_->conv_rows(conv);
        }
        own_bias(args, args.saved, task);
    }

    // ---- rows

    void forward_stream(const Args& args, int64_t task) const noexcept {
        const int64_t begin = task * block_columns_;
        kernels_->dense_forward({args.in[0], args.in[1] + begin,
                                 bias_ ? args.in[2] + begin : nullptr, args.out + begin, rows_, in_,
                                 std::min(block_columns_, units_ - begin), in_, units_, relu_});
    }

    /// y is the sum of terms, each from some rows of the kernel: then a thread of two finds in its
    /// own L2 what it moves in the backward pass.
    void forward_term(const Args& args, int64_t task) const noexcept {
        const Range rows = part_of(in_, task, kTerms);
        kernels_->dense_forward({args.in[0] + rows.begin, args.in[1] + rows.begin * units_,
                                 bias_ && task == 0 ? args.in[2] : nullptr,
                                 args.packed + task * rows_ * units_, rows_, rows.count, units_,
                                 in_, units_, false});
    }

    void add_terms(const Args& args) const noexcept {
        const int64_t per_image = rows_ / images_ * units_, size = args.images * per_image;
        kernels_->sum_sources(size, args.packed + args.first_image * per_image, kTerms,
                              rows_ * units_, args.out);
        if (relu_) kernels_->activate(Activation::kRelu, size, args.out, args.out);
    }

    // ---- panels

    /// x (rows, depth) times panels of weights.
    Conv by_panels(const float* x, int64_t rows, int64_t depth, const float* weights, float* y,
                   int64_t columns) const {
        Conv conv = product(x, depth, y, columns);
        conv.out_w = rows;
        conv.weights = weights;
        conv.w_panel = depth * panel();
        conv.w_row = panel();
        return conv;
    }

    /// Blocks of the kernel, rows by columns, are packed to panels in L2; a block of x is copied,
    /// as its rows would share ways of the cache.
    void forward_panels(const Args& args, int64_t task) const noexcept {
        const int64_t begin = task * block_columns_;
        const int64_t columns = std::min(block_columns_, units_ - begin);
        float* const x = args.scratch + kDepth * round_up(block_columns_);
        for (int64_t k = 0; k < in_; k += kDepth) {
            const int64_t depth = std::min(kDepth, in_ - k);
            kernels_->pack_panels(args.in[1] + k * units_ + begin, depth, columns, units_, 1,
                                  args.scratch, depth * panel());
            for (int64_t row = 0; row < rows_; ++row) {
                std::memcpy(x + row * kCopiedRow, args.in[0] + row * in_ + k,
                            static_cast<size_t>(depth) * sizeof(float));
            }
            Conv conv = by_panels(x, rows_, depth, args.scratch, args.out + begin, columns);
            conv.x_pixel = kCopiedRow;
            conv.y_pixel = units_;
            conv.bias = bias_ && k == 0 ? args.in[2] + begin : nullptr;
            conv.accumulate = k > 0;
            kernels_->conv_rows(conv);
        }
        rectify(args, begin, columns);
    }

    /// Columns of dy, masked by the ReLU: in panels of rows of dy for dx, which has rows of the
    /// kernel as its pixels, and behind these in panels of columns for dw.
    void pack(const Args& args, int64_t task) const noexcept {
        const int64_t begin = task * kPackedColumns;
        const int64_t columns = std::min(kPackedColumns, units_ - begin);
        const float* dy = args.d_out + begin;
        int64_t stride = units_;
        for (int64_t row = 0; relu_ && row < rows_; ++row) {
            const int64_t at = row * units_ + begin;
            kernels_->activate_backward(Activation::kRelu, columns, args.out + at, args.d_out + at,
                                        args.scratch + row * columns);
        }
        if (relu_) dy = args.scratch, stride = columns;
        if (turns_dy_) {
            kernels_->pack_panels(dy, columns, rows_, 1, stride, args.packed + begin * panel(),
                                  units_ * panel());
        }
        kernels_->pack_panels(dy, rows_, columns, stride, 1, by_columns(args) + begin * rows_,
                              rows_ * panel());
    }
    float* by_columns(const Args& args) const { return args.packed + round_up(rows_) * units_; }

    void backward_panels(const Args& args, int64_t task) const noexcept {
        const int64_t begin = task * block_rows_;
        const int64_t rows = std::min(block_rows_, in_ - begin);
        float* const turned = args.scratch;  // (rows of the kernel, rows)
        if (args.d_in[0] != nullptr) {
            kernels_->conv_rows(
                by_panels(args.in[1] + begin * units_, rows, units_, args.packed, turned, rows_));
            kernels_->transpose_plane(rows, rows_, turned, rows_, args.d_in[0] + begin, in_);
        }
        if (args.d_in[1] != nullptr) {
            kernels_->transpose_plane(rows_, rows, args.in[0] + begin, in_, turned, rows_);
            kernels_->conv_rows(
                by_panels(turned, rows, rows_, by_columns(args), args.d_in[1], units_));
        }
        if (task != 0 || args.d_in[2] == nullptr) return;
        for (int64_t column = 0; column < units_; column += panel()) {
            kernels_->channel_sums(by_columns(args) + column * rows_, 1, rows_,
                                   std::min(panel(), units_ - column), 0, panel(),
                                   args.d_in[2] + column, false);
        }
    }

    // ---- BLAS

    void forward_product(const Args& args, int64_t task) const noexcept {
        const int64_t begin = task * block_columns_;
        const int64_t columns = std::min(block_columns_, units_ - begin);
        for (int64_t row = 0; bias_ && row < rows_; ++row) {
            std::memcpy(args.out + row * units_ + begin, args.in[2] + begin,
                        static_cast<size_t>(columns) * sizeof(float));
        }
        gemm(rows_, columns, in_, {args.in[0], in_}, {args.in[1] + begin, units_},
             bias_ ? 1.0f : 0.0f, args.out + begin, units_);
        rectify(args, begin, columns);
    }

    void rectify(const Args& args, int64_t begin, int64_t columns) const noexcept {
        for (int64_t row = 0; relu_ && row < rows_; ++row) {
            float* y = args.out + row * units_ + begin;
            kernels_->activate(Activation::kRelu, columns, y, y);
        }
    }

    void gate(const Args& args) const noexcept {
        kernels_->activate_backward(Activation::kRelu, args.images * (rows_ / images_) * units_,
                                    args.out, args.d_out, args.saved);
    }

    void backward_stream(const Args& args, int64_t task) const noexcept {
        const float* dy = relu_ ? args.saved : args.d_out;
        const int64_t begin = task * block_rows_;
        const int64_t rows = std::min(block_rows_, in_ - begin);
        const float* x = args.in[0] + begin;
        float* dx = args.d_in[0] == nullptr ? nullptr : args.d_in[0] + begin;
        if (args.moves != nullptr) {
            kernels_->dense_sgd(
                {x, dy, dx, args.moves->w, args.moves->velocity, rows, units_, args.moves->sgd});
        } else {
            kernels_->dense_backward({x, args.in[1] + begin * units_, dy, dx, args.d_in[1], rows_,
                                      rows, units_, in_, in_, false});
        }
        own_bias(args, dy, task);
    }

    void backward_product(const Args& args, int64_t task) const noexcept {
        const float* dy = relu_ ? args.saved : args.d_out;
        const int64_t begin = task * block_rows_;
        const int64_t rows = std::min(block_rows_, in_ - begin);
        if (args.d_in[0] != nullptr) {
            gemm(rows_, rows, units_, {dy, units_}, {args.in[1] + begin * units_, units_, true},
                 0.0f, args.d_in[0] + begin, in_);
        }
        if (args.d_in[1] != nullptr) {
            gemm(rows, units_, rows_, {args.in[0] + begin, in_, true}, {dy, units_}, 0.0f,
                 args.d_in[1], units_);
        }
        own_bias(args, dy, task);
    }

    void own_bias(const Args& args, const float* dy, int64_t task) const noexcept {
        if (task != 0 || args.d_in[2] == nullptr) return;
        kernels_->channel_sums(dy, 1, rows_, units_, 0, units_, args.d_in[2], false);
    }

    int64_t in_ = 0, units_ = 0, images_ = 0, rows_ = 0;
    bool bias_ = false, relu_ = false, turns_dy_ = false, adds_terms_ = false;
    Way way_ = Way::kProduct;
    std::vector<Job> jobs_;  // by stage
    int64_t block_rows_ = 1, block_columns_ = 1, groups_ = 0;
    std::vector<int64_t> group_offset_;
    const Kernels* kernels_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_dense(Attributes& attributes) {
    return std::make_unique<Dense>(attributes);
}

}  // namespace pronghorn
