// SPDX-License-Identifier: Apache-2.0
// global_average_pool, global_max_pool: x (batch, spatial..., c) -> (batch, c), any number of
// spatial axes; keepdims keeps them with size 1. Any layout: lanes are more channels.
#include <algorithm>
#include <cstring>

#include "ops/separable.h"

namespace pronghorn {

namespace {

class GlobalPool : public Op {
   public:
    explicit GlobalPool(Attributes& attributes)
        : name_(attributes.op()), keepdims_(attributes.flag("keepdims", false)) {}

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const char* name = name_.c_str();
        check(inputs.size() == 1, name, "expected 1 input, got ", inputs.size());
        const Shape& x = inputs[0].shape;
        check(x.rank() >= 3, name, "expected (batch, at least one axis, channels), got ", x);
        channels_ = x[-1];
        cells_ = 1;
        Shape y{x[0]};
        for (int axis = 1; axis + 1 < x.rank(); ++axis) {
            cells_ = checked_product(cells_, x[axis]);
            if (keepdims_) y.push_back(1);
        }
        y.push_back(channels_);
        check(cells_ >= 1, name, "expected at least one cell, got ", x);
        return {y};
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        lanes_ = context.layouts[0] == Layout::kLanes ? kernels_->lanes : 1;
        Signature signature;
        signature.in_layout = signature.out_layout = context.layouts[0];
        signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
        if (context.training) signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        const int64_t channels = channels_ * lanes_;
        for (int64_t i = 0; i < args.images; i += lanes_) {
            const int64_t in = i * channels_ * cells_, out = i * channels_;
            float* saved = args.saved == nullptr ? nullptr : args.saved + out;
            if (stage == 0) {
                forward(channels, args.in[0] + in, args.out + out, saved);
            } else {
                backward(channels, args.d_out + out, saved, args.d_in[0] + in);
            }
        }
    }

   protected:
    virtual void forward(int64_t channels, const float* x, float* y,
                         float* winners) const noexcept = 0;
    virtual void backward(int64_t channels, const float* dy, const float* winners,
                          float* dx) const noexcept = 0;

    const std::string name_;
    int64_t channels_ = 0, cells_ = 0;
    const Kernels* kernels_ = nullptr;

   private:
    const bool keepdims_;
    int64_t lanes_ = 1;
};

class GlobalAveragePool final : public GlobalPool {
   public:
    using GlobalPool::GlobalPool;

   protected:
    void forward(int64_t channels, const float* x, float* y,
                 float* /*winners*/) const noexcept override {
        const int64_t row = cells_ * channels;
        kernels_->channel_sums(x, 1, cells_, channels, row, channels, y, false);
        const float share = 1.0f / static_cast<float>(cells_);
        for (int64_t c = 0; c < channels; ++c) y[c] *= share;
    }

    void backward(int64_t channels, const float* dy, const float* /*winners*/,
                  float* dx) const noexcept override {
        const float share = 1.0f / static_cast<float>(cells_);
        for (int64_t c = 0; c < channels; ++c) dx[c] = dy[c] * share;
        // Copies of what is there already, up to a block that stays in L1.
        const int64_t size = cells_ * channels, most = std::max<int64_t>(channels, 2048);
        for (int64_t done = channels; done < size;) {
            const int64_t count = std::min(std::min(done, most / channels * channels), size - done);
            std::memcpy(dx + done, dx, static_cast<size_t>(count) * sizeof(float));
            done += count;
        }
    }
};

class GlobalMaxPool final : public GlobalPool {
   public:
    using GlobalPool::GlobalPool;

    Signature plan(const PlanContext& context) override {
        check(cells_ <= kMostCells, name_.c_str(), "expected at most ", kMostCells, " cells, got ",
              cells_);
        Signature signature = GlobalPool::plan(context);
        if (context.training) signature.saved = channels_;
        return signature;
    }

   protected:
    void forward(int64_t channels, const float* x, float* y,
                 float* winners) const noexcept override {
        kernels_->axis_max(window(channels), x, y, winners);
    }
    void backward(int64_t channels, const float* dy, const float* winners,
                  float* dx) const noexcept override {
        kernels_->axis_max_backward(window(channels), dy, winners, dx);
    }

   private:
    AxisWindows window(int64_t channels) const {
        return {1, cells_, 1, channels, &begin_, &cells_};
    }

    int64_t begin_ = 0;
};

}  // namespace

std::unique_ptr<Op> make_global_average_pool(Attributes& attributes) {
    return std::make_unique<GlobalAveragePool>(attributes);
}
std::unique_ptr<Op> make_global_max_pool(Attributes& attributes) {
    return std::make_unique<GlobalMaxPool>(attributes);
}

}  // namespace pronghorn
