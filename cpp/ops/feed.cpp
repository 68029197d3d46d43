// SPDX-License-Identifier: Apache-2.0
#include "ops/feed.h"

#include <algorithm>
#include <cstring>

#include "ops/pieces.h"

namespace pronghorn {

namespace {

Signature forward_only() {
    Signature signature;
    signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
    return signature;
}

class Gather final : public Op {
   public:
    Gather(DType dtype, int64_t row_size) : dtype_(dtype), row_size_(row_size) {}

    Tensor infer(const std::vector<Tensor>& inputs) override { return inputs[0]; }
    Signature plan(const PlanContext& context) override {
        Signature signature;
        pieces_ = cuts_traffic(context.batch(), row_size_) ? kPieces : 1;
        signature.stages.push_back(forward_in_pieces(context.batch(), pieces_, 0, 0));
        return signature;
    }

    void run(int /*stage*/, const Args& args, int64_t task) const noexcept override {
        if (pieces_ > 1) {
            return gather(args, task / pieces_, share_of(row_size_, task % pieces_, pieces_));
        }
        for (int64_t i = 0; i < args.images; ++i) gather(args, i, {0, row_size_});
    }

   private:
    void gather(const Args& args, int64_t image, Range part) const noexcept {
        const auto* source = reinterpret_cast<const uint8_t*>(args.in[0]);
        const uint8_t* row = source + (args.rows[image] * row_size_ + part.begin) * size_of(dtype_);
        float* out = args.out + image * row_size_ + part.begin;
        if (dtype_ == DType::kUint8) {
            for (int64_t k = 0; k < part.count; ++k) out[k] = static_cast<float>(row[k]);
        } else {
            std::memcpy(out, row, static_cast<size_t>(part.count) * sizeof(float));
        }
    }

    DType dtype_;
    int64_t row_size_;
    int64_t pieces_ = 1;  // of an image
};

class Emit final : public Op {
   public:
    explicit Emit(int64_t row_size) : row_size_(row_size) {}

    Tensor infer(const std::vector<Tensor>& inputs) override { return inputs[0]; }
    Signature plan(const PlanContext& /*context*/) override { return forward_only(); }

    void run(int /*stage*/, const Args& args, int64_t /*task*/) const noexcept override {
        std::memcpy(args.out, args.in[0],
                    static_cast<size_t>(args.images * row_size_) * sizeof(float));
    }

   private:
    int64_t row_size_;
};

/// Between rows and planes: each image's (pixels, channels) matrix is transposed.
class ConvertPlanes final : public Op {
   public:
    ConvertPlanes(Layout to, const Shape& image, const Kernels& kernels)
        : to_(to), channels_(image[-1]), pixels_(image.elements() / image[-1]), kernels_(kernels) {}

    Tensor infer(const std::vector<Tensor>& inputs) override { return inputs[0]; }
    bool takes_planes() const override { return true; }
    Signature plan(const PlanContext& context) override {
        Signature signature = forward_only();
        signature.in_layout = to_ == Layout::kPlanes ? Layout::kRows : Layout::kPlanes;
        signature.out_layout = to_;
        if (channels_ == 1 || pixels_ == 1) {
            signature.view = true;
            signature.stages.clear();
        } else if (context.wants_gradient[0]) {
            signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
        }
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        const bool forward = stage == 0;
        const float* from = forward ? args.in[0] : args.d_out;
        float* into = forward ? args.out : args.d_in[0];
        const bool into_planes = forward == (to_ == Layout::kPlanes);
        const int64_t rows = into_planes ? pixels_ : channels_;
        const int64_t columns = into_planes ? channels_ : pixels_;
        for (int64_t i = 0; i < args.images; ++i) {
            const int64_t at = i * rows * columns;
            kernels_.transpose_plane(rows, columns, from + at, columns, into + at, rows);
        }
    }

   private:
    Layout to_;
    int64_t channels_, pixels_;
    const Kernels& kernels_;
};

class ConvertLanes final : public Op {
   public:
    ConvertLanes(Layout to, int64_t image_size, const Kernels& kernels)
        : to_(to), image_size_(image_size), kernels_(kernels) {}

    Tensor infer(const std::vector<Tensor>& inputs) override { return inputs[0]; }
    Signature plan(const PlanContext& context) override {
        Signature signature = forward_only();
        signature.in_layout = to_ == Layout::kLanes ? Layout::kRows : Layout::kLanes;
        signature.out_layout = to_;
        if (context.wants_gradient[0]) {
            signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
        }
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        const bool forward = stage == 0;
        const float* from = forward ? args.in[0] : args.d_out;
        float* into = forward ? args.out : args.d_in[0];
        const bool into_lanes = forward == (to_ == Layout::kLanes);
        for (int64_t i = 0; i < args.images; i += kernels_.lanes) {
            const int64_t images = std::min<int64_t>(kernels_.lanes, args.images - i);
            const int64_t at = i * image_size_;
            if (into_lanes) {
                kernels_.to_lanes(from + at, images, image_size_, into + at);
            } else {
                kernels_.from_lanes(from + at, images, image_size_, into + at);
            }
        }
    }

   private:
    Layout to_;
    int64_t image_size_;
    const Kernels& kernels_;
};

class AddGradients final : public Op {
   public:
    AddGradients(int64_t image_size, const Kernels& kernels)
        : image_size_(image_size), kernels_(kernels) {}

    Tensor infer(const std::vector<Tensor>& inputs) override { return inputs[0]; }
    Signature plan(const PlanContext& context) override {
        Signature signature;
        signature.in_layout = signature.out_layout = context.layouts[0];
        lanes_ = context.layouts[0] == Layout::kLanes ? kernels_.lanes : 1;
        cut_ = cuts_traffic(context.batch(), image_size_);
        signature.stages.push_back({Phase::kForward, !cut_, cut_ ? kPieces : 1, 0, 0});
        return signature;
    }

    void run(int /*stage*/, const Args& args, int64_t task) const noexcept override {
        const int64_t images = (args.images + lanes_ - 1) / lanes_ * lanes_;
        const int64_t size = images * image_size_;
        const Range part = cut_ ? share_of(size, task, kPieces) : Range{0, size};
        const int64_t end = part.begin + part.count;
        for (int64_t i = part.begin; i < end; i += kBlock) {
            const int64_t count = std::min(kBlock, end - i);
            const float* sum = args.in[0] + i;
            if (args.in[1] != nullptr) {
                kernels_.add(count, sum, args.in[1] + i, args.out + i);
                sum = args.out + i;
            }
            if (args.in[2] == nullptr) continue;
            kernels_.activate_backward(Activation::kRelu, count, args.in[2] + i, sum, args.out + i);
        }
    }

   private:
    static constexpr int64_t kBlock = 2048;  // floats that are in L1 when they are masked
    int64_t image_size_;
    const Kernels& kernels_;
    int64_t lanes_ = 1;
    bool cut_ = false;  // into pieces
};

class LossScale final : public Op {
   public:
    LossScale(float factor, bool mean_by_weight, int64_t batch, int64_t weights)
        : factor_(factor), mean_by_weight_(mean_by_weight), batch_(batch), weights_(weights) {}

    Tensor infer(const std::vector<Tensor>& inputs) override { return inputs[0]; }
    Signature plan(const PlanContext& /*context*/) override { return forward_only(); }

    void run(int /*stage*/, const Args& args, int64_t /*task*/) const noexcept override {
        const float* weights = args.in[0];
        float factor = factor_;
        if (mean_by_weight_) {
            double sum = weights == nullptr ? static_cast<double>(batch_) : 0.0;
            const int64_t* rows = args.rows - args.first_image;
            for (int64_t i = 0; weights != nullptr && i < batch_; ++i) {
                const float* of_image = weights + rows[i] * weights_;
                for (int64_t k = 0; k < weights_; ++k) sum += of_image[k];
            }
            const double terms = static_cast<double>(weights_) * factor_;
            factor = sum == 0.0 ? 0.0f : static_cast<float>(terms / sum);
        }
        for (int64_t i = 0; i < args.images; ++i) {
            const bool plain = weights == nullptr || weights_ > 1;
            args.out[i] = plain ? factor : factor * weights[args.rows[i]];
        }
    }

   private:
    float factor_;
    bool mean_by_weight_;
    int64_t batch_, weights_;
};

}  // namespace

std::unique_ptr<Op> make_gather(DType dtype, int64_t row_size) {
    return std::make_unique<Gather>(dtype, row_size);
}
std::unique_ptr<Op> make_emit(int64_t row_size) { return std::make_unique<Emit>(row_size); }
std::unique_ptr<Op> make_convert(Layout from, Layout to, const Shape& image,
                                 const Kernels& kernels) {
    if (from == Layout::kPlanes || to == Layout::kPlanes) {
        return std::make_unique<ConvertPlanes>(to, image, kernels);
    }
    return std::make_unique<ConvertLanes>(to, image.elements(), kernels);
}
std::unique_ptr<Op> make_add_gradients(int64_t image_size, const Kernels& kernels) {
    return std::make_unique<AddGradients>(image_size, kernels);
}
std::unique_ptr<Op> make_loss_scale(float factor, bool mean_by_weight, int64_t batch,
                                    int64_t weights) {
    return std::make_unique<LossScale>(factor, mean_by_weight, batch, weights);
}

}  // namespace pronghorn
