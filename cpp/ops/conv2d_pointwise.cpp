// SPDX-License-Identifier: Apache-2.0
// Kernels of one cell, and dense layers on maps: products of matrices, by image. Pixels follow each
// other without a seam from image to image, so that a slice of the batch is one matrix:
//   y (pixels, out_c) = x (pixels, in_c) w + b;  dx = dy w^T;  dw = x^T dy
// Maps of 9 pixels then fill the tiles as well as large ones, and dw is read and written once for
// many images.
#include "ops/conv2d_pointwise.h"

#include "ops/conv2d_phases.h"
#include "ops/packed_kernel.h"
#include "ops/pieces.h"

namespace pronghorn {

namespace {

// Of dy, masked by the ReLU in one go.
constexpr int64_t kMaskedPixels = 256;

class ConvPointwise final : public ConvAlgorithm {
   public:
    explicit ConvPointwise(const ConvProblem& problem)
        : p_(problem),
          pixels_(p_.depth.in * p_.height.in * p_.width.in),
          packed_(p_.wants_y && p_.in_c * p_.out_c >= kPackFrom
                      ? panels_size(*p_.kernels, p_.in_c, p_.out_c)
                      : 0,
                  p_.wants_dx ? panels_size(*p_.kernels, p_.out_c, p_.in_c) : 0) {
        const int64_t panels = (p_.in_c + p_.kernels->panel - 1) / p_.kernels->panel;
        if (packed_.size() >= kPackAtOnce) pack_pieces_ = even_pieces(1, panels);
    }

    Signature plan() override {
        Signature signature;
        forward_stage_ = packed_.add_stages(signature, pack_pieces_);
        signature.stages.push_back({Phase::kForward, true, 1, 0, p_.flops()});
        signature.stages.back().reads_kernel = !packed_.forward();
        if (!p_.trains()) return signature;
        const int64_t masked = p_.masks_dy() ? kMaskedPixels * p_.out_c : 0;
        signature.stages.push_back({Phase::kBackward, true, 1, masked, p_.backward_flops()});
        signature.stages.back().in_place = p_.gate_taken && p_.out_c <= kConvTerms;
        signature.stages.back().packed = packed_.dx_block();
        signature.stages.back().reads_kernel = false;
        signature.backward_reads[0] = p_.wants_dw;
        signature.backward_reads_output = p_.masks_dy();
        signature.gradient[1] = signature.gradient[2] = GradientBy::kParts;
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        if (stage < forward_stage_) return prepare(stage, args, task);
        if (stage == forward_stage_) return forward(args);
        const int64_t pixels = args.images * pixels_;
        const int64_t step = p_.masks_dy() ? kMaskedPixels : pixels;
        for (int64_t begin = 0; begin < pixels; begin += step) {
            backward(args, {begin, std::min(step, pixels - begin)});
        }
    }

    bool masks_dx() const override { return true; }

   private:
    /// Packs some of the kernel's rows for the forward pass and, transposed, for dx, as the stage
    /// says.
    void prepare(int stage, const Args& args, int64_t piece) const noexcept {
        const int64_t panel = p_.kernels->panel;
        const Range rows = part_of((p_.in_c + panel - 1) / panel, piece, pack_pieces_);
        const int64_t begin = rows.begin * panel;
        const int64_t count = std::min(rows.count * panel, p_.in_c - begin);
        const float* w = args.in[1] + begin * p_.out_c;
        if (packed_.packs_forward(stage)) {
            p_.kernels->pack_panels(w, count, p_.out_c, p_.out_c, 1, args.packed + begin * panel,
                                    p_.in_c * panel);
        }
        if (!packed_.packs_dx(stage)) return;
        p_.kernels->pack_panels(w, p_.out_c, count, 1, p_.out_c,
                                args.packed + packed_.dx_offset() + begin * p_.out_c,
                                p_.out_c * panel);
    }

    void forward(const Args& args) const noexcept {
        Conv conv = panels_product(*p_.kernels, args.in[0], args.images * pixels_, p_.in_c,
                                   args.packed, args.out, p_.out_c);
        if (!packed_.forward()) {
            conv.weights = args.in[1];
            conv.w_panel = p_.kernels->panel;
            conv.w_row = p_.out_c;
        }
        conv.bias = p_.bias ? args.in[2] : nullptr;
        conv.relu = p_.relu, conv.ceiling = p_.ceiling;
        p_.kernels->conv_rows(conv);
    }

    /// Of some of the slice's pixels; dx comes last: it may take the place of x.
    void backward(const Args& args, Range pixels) const noexcept {
        const float* x = args.in[0] + pixels.begin * p_.in_c;
        const float* dy = args.d_out + pixels.begin * p_.out_c;
        const bool add = args.accumulate || pixels.begin > 0;
        if (p_.masks_dy()) {
            p_.kernels->activate_backward(Activation::kRelu, pixels.count * p_.out_c,
                                          args.out + pixels.begin * p_.out_c, dy, args.scratch);
            dy = args.scratch;
        }
        if (args.d_in[1] != nullptr) {
            ConvGradient gradient{};
            gradient.x = x;
            gradient.x_pixel = p_.in_c;
            gradient.run_offset = &kPixelRun;
            gradient.runs = 1;
            gradient.run_length = p_.in_c;
            gradient.dy = dy;
            gradient.dy_pixel = p_.out_c;
            gradient.out_h = 1;
            gradient.out_w = pixels.count;
            gradient.out_c = p_.out_c;
            gradient.dw = args.d_in[1];
            gradient.dw_row = p_.out_c;
            gradient.accumulate = add;
            p_.kernels->conv_rows_dw(gradient);
        }
        if (args.d_in[2] != nullptr) {
            p_.kernels->channel_sums(dy, 1, pixels.count, p_.out_c, 0, p_.out_c, args.d_in[2], add);
        }
        if (args.d_in[0] == nullptr) return;
        Conv conv = panels_product(*p_.kernels, dy, pixels.count, p_.out_c,
                                   args.packed + packed_.dx_offset(),
                                   args.d_in[0] + pixels.begin * p_.in_c, p_.in_c);
        if (p_.gate_taken) conv.gate = x;
        p_.kernels->conv_rows(conv);
    }

    ConvProblem p_;
    int64_t pixels_;  // of an image
    PackedKernel packed_;
    int64_t pack_pieces_ = 1;
    int forward_stage_ = 0;
};

bool is_pointwise(const Window& window) {
    return window.kernel == 1 && window.stride == 1 && window.out == window.in;
}

}  // namespace

std::unique_ptr<ConvAlgorithm> make_conv_pointwise(const ConvProblem& problem) {
    const ConvProblem& p = problem;
    const bool cut = p.batch == 1 && p.halves;
    const bool alike = is_pointwise(p.depth) && is_pointwise(p.height) && is_pointwise(p.width);
    if (!alike || p.pads() || p.groups > 1 || cut) return nullptr;
    if (cuts_images(p.batch, p.flops() / static_cast<double>(p.batch))) return nullptr;
    const int64_t pixels = p.batch * p.depth.in * p.height.in * p.width.in;
    const bool heavy = p.in_c * p.out_c > pixels * (p.in_c + p.out_c);
    if (heavy && !p.all_by_image) return make_conv_panels(problem);
    return std::make_unique<ConvPointwise>(problem);
}

}  // namespace pronghorn
