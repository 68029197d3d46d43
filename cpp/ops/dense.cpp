// SPDX-License-Identifier: Apache-2.0
// dense: Keras's Dense. x (batch, ..., in), kernel (in, units), bias (units,) -> y (batch, ...,
// units). The kernel may be a convolution's, of the same numbers; or, of whole images, x (batch,
// size ...), kernel (size ..., units) -> y (batch, 1 ..., units).
//   y = act(x w + b);  dx = dy w^T;  dw = x^T dy;  db = sum of dy over rows.
// Dense layers on maps are convolutions by kernels of one cell. Else four ways: images as lanes
// inside a depth-first chain (small kernels behind convolutions in lanes), a stream through the
// kernel (up to 8 rows), and products cut over the kernel's columns (forward) and rows (backward):
// in panels (conv2d_panels.cpp), or BLAS's where there are more than 64 rows. A task that finishes
// rows of dw owns them.
#include <algorithm>
#include <cstring>

#include "ops/conv2d_pointwise.h"
#include "ops/gemm.h"
#include "ops/pieces.h"

namespace pronghorn {

namespace {

constexpr int64_t kLanesMostFloats = 128 << 10;  // a kernel that stays in L2 beside its slice
constexpr int64_t kStreamMostRows = 8;           // what the streaming kernels hold in registers
constexpr int64_t kPanelsMostRows = 64;          // with more BLAS is as fast
constexpr int64_t kStreamBlockFloats = 4 << 10;  // dw, w and their state stay in L1
constexpr int64_t kSweepBlockFloats = 16 << 10;  // dw of one row mostly never leaves registers
constexpr int64_t kTerms = 4;                    // of y
constexpr int64_t kTermsMostFloats = 16 << 10;   // of y, read and written for a few rows of w

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
        whole_ = kernel.rank() > 2 && kernel.rank() == x.rank();
        for (int axis = 1; whole_ && axis < x.rank(); ++axis) whole_ = x[axis] == kernel[axis - 1];
        units_ = kernel.rank() >= 2 ? kernel[-1] : 0;
        in_ = units_ > 0 ? kernel.elements() / units_ : 0;
        check((whole_ || in_ == x[-1]) && in_ > 0, "dense", "expected a kernel of shape (", x[-1],
              ", units), got ", kernel);
        bias_ = inputs.size() == 3;
        check(!bias_ || inputs[2].shape == Shape{units_}, "dense", "expected a bias of shape (",
              units_, ",), got ", inputs.back().shape);
        images_ = x[0];
        rows_ = x.elements() / in_;
        Shape y = x;
        for (int axis = 1; whole_ && axis < x.rank(); ++axis) y[axis] = 1;
        y[-1] = units_;
        return {y};
    }

    bool fuse_activation(Activation activation) override {
        if (activation != Activation::kRelu || relu_) return false;
        return relu_ = true;
    }

    bool takes_fold() const override { return !relu_; }
    CellByCell cell_by_cell() const override {
        return whole_ ? CellByCell::kNever : relu_ ? CellByCell::kAlways : CellByCell::kAffine;
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        convolution_.reset();
        const bool in_lanes = context.layouts[0] == Layout::kLanes;
        if (in_lanes && rows_ == images_ && in_ * units_ <= kLanesMostFloats) {
            way_ = Way::kLanes;
        } else {
            way_ = is_map()                                                    ? Way::kMap
                   : rows_ <= kStreamMostRows                                  ? Way::kStream
                   : rows_ <= kPanelsMostRows && units_ >= 2 * kernels_->lanes ? Way::kPanels
                                                                               : Way::kProduct;
        }
        if (way_ == Way::kMap || way_ == Way::kPanels) return plan_convolution(context);
        return way_ == Way::kLanes ? plan_lanes(context) : plan_rows(context);
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        if (convolution_) return convolution_->run(stage, args, task);
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
                                              : forward_product(args, task);
            case Job::kAdd:
                return add_terms(args);
            case Job::kGate:
                return gate(args);
            case Job::kBackward:
                return way_ == Way::kStream ? backward_stream(args, task)
                                            : backward_product(args, task);
        }
    }

    Range owned(int stage, int input, int64_t task) const override {
        if (convolution_) return convolution_->owned(stage, input, task);
        const Job job = jobs_[static_cast<size_t>(stage)];
        if (job != Job::kBackward && job != Job::kOwnLanes) return {};
        if (input == 1) {
            const int64_t begin = task * block_rows_;
            return {begin * units_, std::min(block_rows_, in_ - begin) * units_};
        }
        return input == 2 && task == 0 ? Range{0, units_} : Range{};
    }

    int moved(int stage) const override {
        const bool one_sweep = !convolution_ &&
                               jobs_[static_cast<size_t>(stage)] == Job::kBackward && rows_ == 1 &&
                               units_ >= kernels_->lanes;
        return one_sweep ? 1 : -1;
    }

   private:
    enum class Way : uint8_t { kLanes, kMap, kStream, kPanels, kProduct };
    enum class Job : uint8_t {
        kForwardLanes,
        kBackwardLanes,
        kOwnLanes,
        kForward,
        kAdd,
        kGate,
        kBackward
    };

    double flops() const {
        return 2.0 * static_cast<double>(rows_) * static_cast<double>(in_ * units_);
    }
    static int64_t blocks(int64_t size, int64_t block) { return (size + block - 1) / block; }

    /// As a convolution by a kernel of one cell.
    Signature plan_convolution(const PlanContext& context) {
        ConvProblem problem;
        problem.batch = images_;
        problem.in_c = in_;
        problem.out_c = units_;
        problem.height = {1, 1};
        problem.width = {rows_ / images_, rows_ / images_};
        problem.bias = bias_;
        problem.relu = relu_;
        problem.halves = context.training && context.spreads;
        problem.wants_dx = context.training && context.wants_gradient[0];
        problem.wants_dw = context.training && context.wants_gradient[1];
        problem.wants_db = context.training && bias_ && context.wants_gradient[2];
        problem.kernels = kernels_;
        convolution_ = way_ == Way::kMap ? make_conv_direct(problem) : make_conv_panels(problem);
        return convolution_->plan();
    }

    /// Of large kernels, the sums over parts of the batch would cost more than chains save:
    /// 512 rows, 192 x 768, backward: 5.5 ms by image, 4.1 ms cut over the kernel.
    bool is_map() const { return rows_ > images_ && 4 * in_ * units_ <= rows_ * (in_ + units_); }

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

    /// Of y, in the forward pass. A kernel beyond L2 is read fastest in whole rows, by tasks that
    /// add terms; where y is too large for that, in long pieces of rows.
    int64_t columns_of_task() const {
        constexpr int64_t kProductColumns = 64, kStreams = 4;
        if (way_ == Way::kProduct) return kProductColumns;
        if (in_ * units_ <= kLanesMostFloats || rows_ * units_ <= kTermsMostFloats) return units_;
        return blocks(units_, kStreams * kernels_->lanes) * kernels_->lanes;
    }

    /// Of the kernel, in the backward pass: as many as stay in cache until they are moved, but
    /// enough for products that BLAS packs its operands for, those of more than 100 x 100 x 100
    /// terms.
    int64_t rows_of_task() const {
        constexpr int64_t kUnpacked = 100 * 100 * 100, kPackedRows = 128;
        if (way_ == Way::kStream) {
            const int64_t floats = rows_ == 1 ? kSweepBlockFloats : kStreamBlockFloats;
            return blocks(in_, 2 * blocks(in_ * units_, 2 * floats));
        }
        const int64_t rows = kBlockFloats / units_;
        return rows_ * kBlockFloats > kUnpacked ? std::max(rows, kPackedRows) : rows;
    }

    Signature plan_rows(const PlanContext& context) {
        Signature signature;
        jobs_ = {Job::kForward};
        block_columns_ = std::min(units_, columns_of_task());
        adds_terms_ = way_ == Way::kStream && block_columns_ == units_ &&
                      in_ * units_ >= (context.spreads ? kSweepBlockFloats : kLanesMostFloats);
        const int64_t tasks = adds_terms_ ? kTerms : blocks(units_, block_columns_);
        signature.stages.push_back({Phase::kForward, false, tasks, 0, flops()});
        if (adds_terms_) {
            signature.packed = {kTerms * rows_ * units_};
            signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
            jobs_.push_back(Job::kAdd);
        }
        if (!context.training) return signature;
        if (relu_) {
            signature.saved = rows_ / images_ * units_;
            signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
            jobs_.push_back(Job::kGate);
        }
        block_rows_ = std::clamp<int64_t>(rows_of_task(), 1, in_);
        const double passes =
            (context.wants_gradient[0] ? 1.0 : 0.0) + (context.wants_gradient[1] ? 1.0 : 0.0);
        const Phase phase = context.wants_gradient[0] ? Phase::kBackward : Phase::kGradient;
        signature.stages.push_back({phase, false, blocks(in_, block_rows_), 0, passes * flops()});
        jobs_.push_back(Job::kBackward);
        signature.backward_reads[0] = true;
        signature.backward_reads_output = relu_;
        signature.gradient[1] = signature.gradient[2] = GradientBy::kOwner;
        return signature;
    }

    /// One row, or rows as lanes, times weights that are not packed.
    Conv product(const float* x, int64_t depth, const float* weights, float* y,
                 int64_t columns) const {
        return panels_product(*kernels_, x, 1, depth, weights, y, columns);
    }

    // ---- images as lanes

    void forward_lanes(const Args& args) const noexcept {
        for (int64_t i = 0; i < args.images; i += kernels_->lanes) {
            Conv conv =
                product(args.in[0] + i * in_, in_, args.in[1], args.out + i * units_, units_);
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
            Conv conv = product(dy, units_, args.in[1], args.d_in[0] + i * in_, in_);
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
            Conv conv =
                product(args.in[0] + begin * lanes, lanes, args.saved, args.d_in[1], units_);
            conv.run_offset = group_offset_.data();
            conv.runs = groups_;
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

    /// y is the sum of terms, each from some rows of the kernel, which one stream reads; and a
    /// thread of two finds in its own L2 what it moves in the backward pass.
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
    bool whole_ = false, bias_ = false, relu_ = false, adds_terms_ = false;
    Way way_ = Way::kProduct;
    std::vector<Job> jobs_;  // by stage
    int64_t block_rows_ = 1, block_columns_ = 1, groups_ = 0;
    std::vector<int64_t> group_offset_;
    std::unique_ptr<ConvAlgorithm> convolution_;
    const Kernels* kernels_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_dense(Attributes& attributes) {
    return std::make_unique<Dense>(attributes);
}

}  // namespace pronghorn
