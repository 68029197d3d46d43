// SPDX-License-Identifier: Apache-2.0
// Products of few pixels and a large kernel of one cell, as in dense layers and in the last maps of
// a network: cut over the kernel's columns (forward) and rows (backward), each task for all pixels
// of the batch. The kernel is read where it lies, once in each pass, and a task owns its rows of
// dw: no partial sums, no packed copies.
//   y (pixels, out_c) = x (pixels, in_c) w + b;  dx = dy w^T;  dw = x^T dy
#include <cstring>

#include "ops/conv2d_pointwise.h"
#include "ops/gemm.h"

namespace pronghorn {

namespace {

constexpr int64_t kDepth = 256;              // rows of the kernel in a block of panels
constexpr int64_t kCopiedRow = kDepth + 16;  // of x; rows 1 KB apart would share ways
constexpr int64_t kPackedColumns = 256;      // of dy, in one task
constexpr int64_t kTileRows = 14;

class ConvPanels final : public ConvAlgorithm {
   public:
    explicit ConvPanels(const ConvProblem& problem)
        : p_(problem),
          pixels_(p_.batch * p_.depth.in * p_.height.in * p_.width.in),
          panel_(p_.kernels->panel) {
        // One stream reads a kernel beyond L2 at 35 GB/s, and 30 where its rows are cut in four:
        // long pieces, but enough for several cores.
        constexpr int64_t kMostColumns = 128, kStreams = 4;
        const int64_t columns = blocks(p_.out_c, 2 * kStreams * panel_) * panel_;
        block_columns_ = std::min({columns, kMostColumns, p_.out_c});
        const int64_t rows = std::max(kBlockFloats / p_.out_c, kTileRows);
        block_rows_ = std::min(rows, p_.in_c);
    }

    Signature plan() override {
        Signature signature;
        const int64_t copies = kDepth * round_up(block_columns_) + pixels_ * kCopiedRow;
        signature.stages.push_back(
            {Phase::kForward, false, blocks(p_.out_c, block_columns_), copies, p_.flops()});
        if (!p_.trains()) return signature;
        signature.packed = {(round_up(pixels_) + pixels_) * round_up(p_.out_c)};
        signature.stages.push_back({Phase::kBackward, false, blocks(p_.out_c, kPackedColumns),
                                    p_.masks_dy() ? pixels_ * kPackedColumns : 0, 0});
        signature.stages.back().reads_in = signature.stages.back().writes_d_in = false;
        signature.stages.push_back({p_.wants_dx ? Phase::kBackward : Phase::kGradient, false,
                                    blocks(p_.in_c, block_rows_), block_rows_ * pixels_,
                                    p_.backward_flops()});
        signature.stages.back().reads_d_out = signature.stages.back().reads_out = false;
        signature.backward_reads[0] = p_.wants_dw;
        signature.backward_reads_output = p_.masks_dy();
        signature.gradient[1] = signature.gradient[2] = GradientBy::kOwner;
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        if (stage == 0) return forward(args, task);
        stage == 1 ? pack(args, task) : backward(args, task);
    }

    bool masks_dx() const override { return true; }

    Range owned(int stage, int input, int64_t task) const noexcept override {
        if (stage != 2) return {};
        if (input == 2) return task == 0 ? Range{0, p_.out_c} : Range{};
        const int64_t begin = task * block_rows_;
        return {begin * p_.out_c, std::min(block_rows_, p_.in_c - begin) * p_.out_c};
    }

   private:
    static int64_t blocks(int64_t size, int64_t block) { return (size + block - 1) / block; }
    /// To whole panels.
    int64_t round_up(int64_t columns) const { return blocks(columns, panel_) * panel_; }

    /// Blocks of the kernel, rows by columns, are packed to panels in L2; a block of x is copied,
    /// as its rows would share ways of the cache.
    void forward(const Args& args, int64_t task) const noexcept {
        const int64_t begin = task * block_columns_;
        const int64_t columns = std::min(block_columns_, p_.out_c - begin);
        float* const x = args.scratch + kDepth * round_up(block_columns_);
        for (int64_t k = 0; k < p_.in_c; k += kDepth) {
            const int64_t depth = std::min(kDepth, p_.in_c - k);
            p_.kernels->pack_panels(args.in[1] + k * p_.out_c + begin, depth, columns, p_.out_c, 1,
                                    args.scratch, depth * panel_);
            for (int64_t pixel = 0; pixel < pixels_; ++pixel) {
                std::memcpy(x + pixel * kCopiedRow, args.in[0] + pixel * p_.in_c + k,
                            static_cast<size_t>(depth) * sizeof(float));
            }
            Conv conv = panels_product(*p_.kernels, x, pixels_, depth, args.scratch,
                                       args.out + begin, columns);
            conv.x_pixel = kCopiedRow;
            conv.y_pixel = p_.out_c;
            conv.bias = p_.bias && k == 0 ? args.in[2] + begin : nullptr;
            conv.accumulate = k > 0;
            p_.kernels->conv_rows(conv);
        }
        for (int64_t pixel = 0; pixel < pixels_; ++pixel) {
            p_.activate(columns, args.out + pixel * p_.out_c + begin);
        }
    }

    /// Columns of dy, masked by the ReLU: in panels of rows of dy for dx, which has rows of the
    /// kernel as its pixels, and behind these in panels of columns for dw.
    void pack(const Args& args, int64_t task) const noexcept {
        const int64_t begin = task * kPackedColumns;
        const int64_t columns = std::min(kPackedColumns, p_.out_c - begin);
        const float* dy = args.d_out + begin;
        int64_t stride = p_.out_c;
        for (int64_t pixel = 0; p_.masks_dy() && pixel < pixels_; ++pixel) {
            const int64_t at = pixel * p_.out_c + begin;
            p_.kernels->activate_backward(Activation::kRelu, columns, args.out + at,
                                          args.d_out + at, args.scratch + pixel * columns);
        }
        if (p_.masks_dy()) dy = args.scratch, stride = columns;
        if (p_.wants_dx) {
            p_.kernels->pack_panels(dy, columns, pixels_, 1, stride, args.packed + begin * panel_,
                                    p_.out_c * panel_);
        }
        p_.kernels->pack_panels(dy, pixels_, columns, stride, 1, by_columns(args) + begin * pixels_,
                                pixels_ * panel_);
    }
    float* by_columns(const Args& args) const { return args.packed + round_up(pixels_) * p_.out_c; }

    void backward(const Args& args, int64_t task) const noexcept {
        const int64_t begin = task * block_rows_;
        const int64_t rows = std::min(block_rows_, p_.in_c - begin);
        float* const turned = args.scratch;  // (rows of the kernel, pixels)
        if (args.d_in[1] != nullptr) {
            p_.kernels->transpose_plane(pixels_, rows, args.in[0] + begin, p_.in_c, turned,
                                        pixels_);
            p_.kernels->conv_rows(panels_product(*p_.kernels, turned, rows, pixels_,
                                                 by_columns(args), args.d_in[1], p_.out_c));
        }
        if (args.d_in[0] != nullptr) {
            p_.kernels->conv_rows(panels_product(*p_.kernels, args.in[1] + begin * p_.out_c, rows,
                                                 p_.out_c, args.packed, turned, pixels_));
            p_.kernels->transpose_plane(rows, pixels_, turned, pixels_, args.d_in[0] + begin,
                                        p_.in_c);
        }
        for (int64_t pixel = 0; p_.gate_taken && args.d_in[0] && pixel < pixels_; ++pixel) {
            const int64_t at = pixel * p_.in_c + begin;
            p_.kernels->activate_backward(Activation::kRelu, rows, args.in[0] + at,
                                          args.d_in[0] + at, args.d_in[0] + at);
        }
        if (task != 0 || args.d_in[2] == nullptr) return;
        for (int64_t column = 0; column < p_.out_c; column += panel_) {
            p_.kernels->channel_sums(by_columns(args) + column * pixels_, 1, pixels_,
                                     std::min(panel_, p_.out_c - column), 0, panel_,
                                     args.d_in[2] + column, false);
        }
    }

    ConvProblem p_;
    int64_t pixels_;  // of the batch
    int64_t panel_;
    int64_t block_rows_ = 1, block_columns_ = 1;
};

}  // namespace

std::unique_ptr<ConvAlgorithm> make_conv_panels(const ConvProblem& problem) {
    return std::make_unique<ConvPanels>(problem);
}

}  // namespace pronghorn
