// SPDX-License-Identifier: Apache-2.0
// Convolution as a matrix product of unrolled patches (im2col) with the kernel: supports every
// stride, dilation, padding and group count, and is the reference for the other algorithms. Patches
// are unrolled for a block of output rows at a time.
#include <cstring>

#include "ops/conv2d.h"
#include "ops/gemm.h"
#include "ops/patches.h"

namespace pronghorn {

namespace {

constexpr int64_t kPatchFloats = 256 << 10;  // of patches: 1 MB, an L2 cache

class ConvIm2col final : public ConvAlgorithm {
   public:
    explicit ConvIm2col(const ConvProblem& problem)
        : p_(problem),
          group_in_(p_.group_in()),
          group_out_(p_.group_out()),
          patches_(p_.depth, p_.height, p_.width, p_.in_c, group_in_),
          depth_(patches_.size()),
          rows_(patches_.rows()),
          block_rows_(std::clamp<int64_t>(kPatchFloats / checked_product(p_.width.out, depth_), 1,
                                          rows_)) {}

    Signature plan() override {
        Signature signature;
        const int64_t patches = checked_product(block_rows_ * p_.width.out, depth_);
        signature.stages.push_back({Phase::kForward, true, 1, patches, p_.flops()});
        if (p_.trains()) {
            const int64_t gated = p_.masks_dy() ? p_.out_size() : 0;
            signature.stages.push_back(
                {Phase::kBackward, true, 1, patches + gated, p_.backward_flops()});
            signature.backward_reads[0] = p_.wants_dw;
            signature.backward_reads_output = p_.masks_dy();
            signature.gradient[1] = signature.gradient[2] = GradientBy::kParts;
        }
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        for (int64_t i = 0; i < args.images; ++i) {
            if (stage == 0) {
                forward(args, i);
            } else {
                backward(args, i);
            }
        }
    }

   private:
    void forward(const Args& args, int64_t image) const noexcept {
        const float* x = args.in[0] + image * p_.in_size();
        float* y = args.out + image * p_.out_size();
        const int64_t pixels = rows_ * p_.width.out;
        for (int64_t i = 0; p_.bias && i < pixels; ++i) {
            std::memcpy(y + i * p_.out_c, args.in[2],
                        static_cast<size_t>(p_.out_c) * sizeof(float));
        }
        for_blocks([&](int64_t row, int64_t rows, int64_t group) {
            patches_.unroll(x + group * group_in_, row, rows, args.scratch);
            gemm(rows * p_.width.out, group_out_, depth_, {args.scratch, depth_},
                 {args.in[1] + group * group_out_, p_.out_c}, p_.bias ? 1.0f : 0.0f,
                 y + row * p_.width.out * p_.out_c + group * group_out_, p_.out_c);
        });
        p_.activate(p_.out_size(), y);
    }

    void backward(const Args& args, int64_t image) const noexcept {
        const float* x = args.in[0] + image * p_.in_size();
        const float* dy = args.d_out + image * p_.out_size();
        float* patches = args.scratch;
        if (p_.masks_dy()) {
            float* gated = patches + block_rows_ * p_.width.out * depth_;
            p_.kernels->activate_backward(Activation::kRelu, p_.out_size(),
                                          args.out + image * p_.out_size(), dy, gated);
            dy = gated;
        }
        const bool add = args.accumulate || image > 0;
        float* dx = args.d_in[0] == nullptr ? nullptr : args.d_in[0] + image * p_.in_size();
        if (dx != nullptr) std::memset(dx, 0, static_cast<size_t>(p_.in_size()) * sizeof(float));
        for_blocks([&](int64_t row, int64_t rows, int64_t group) {
            const int64_t pixels = rows * p_.width.out;
            const float* dy_block = dy + row * p_.width.out * p_.out_c + group * group_out_;
            if (args.d_in[1] != nullptr) {
                patches_.unroll(x + group * group_in_, row, rows, patches);
                gemm(depth_, group_out_, pixels, {patches, depth_, true}, {dy_block, p_.out_c},
                     add || row > 0 ? 1.0f : 0.0f, args.d_in[1] + group * group_out_, p_.out_c);
            }
            if (dx != nullptr) {
                gemm(pixels, depth_, group_out_, {dy_block, p_.out_c},
                     {args.in[1] + group * group_out_, p_.out_c, true}, 0.0f, patches, depth_);
                patches_.roll(patches, row, rows, dx + group * group_in_);
            }
        });
        if (args.d_in[2] != nullptr) {
            p_.kernels->channel_sums(dy, rows_, p_.width.out, p_.out_c, p_.width.out * p_.out_c,
                                     p_.out_c, args.d_in[2], add);
        }
    }

    template <typename Body>
    void for_blocks(Body body) const {
        for (int64_t row = 0; row < rows_; row += block_rows_) {
            const int64_t rows = std::min(block_rows_, rows_ - row);
            for (int64_t group = 0; group < p_.groups; ++group) body(row, rows, group);
        }
    }

    ConvProblem p_;
    int64_t group_in_, group_out_;
    Patches patches_;
    int64_t depth_;  // of the product: taps * channels
    int64_t rows_;   // of the output, through its depth
    int64_t block_rows_;
};

}  // namespace

std::unique_ptr<ConvAlgorithm> make_conv_im2col(const ConvProblem& problem) {
    return std::make_unique<ConvIm2col>(problem);
}

}  // namespace pronghorn
