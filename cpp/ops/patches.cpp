// SPDX-License-Identifier: Apache-2.0
#include "ops/patches.h"

#include <cstring>

namespace pronghorn {

/// Visits (offset in patches, offset in x or -1 outside) for every tap of the output's rows, which
/// count through the depth.
template <typename Visit>
void Patches::for_taps(int64_t row, int64_t rows, Visit visit) const {
    const auto cell = [](const Window& window, int64_t at, int64_t tap) {
        const int64_t in = at * window.stride - window.before + tap * window.dilation;
        return in < window.in ? in : -1;
    };
    int64_t patch = 0;
    for (int64_t r = row; r < row + rows; ++r) {
        const int64_t d = r / height_.out, h = r % height_.out;
        for (int64_t w = 0; w < width_.out; ++w) {
            for (int64_t k = 0; k < depth_.kernel; ++k) {
                const int64_t z = cell(depth_, d, k);
                for (int64_t i = 0; i < height_.kernel; ++i) {
                    const int64_t y = cell(height_, h, i);
                    for (int64_t j = 0; j < width_.kernel; ++j, patch += channels_) {
                        const int64_t x = cell(width_, w, j);
                        const bool inside = z >= 0 && y >= 0 && x >= 0;
                        const int64_t at = (z * height_.in + y) * width_.in + x;
                        visit(patch, inside ? at * in_c_ : -1);
                    }
                }
            }
        }
    }
}

void Patches::unroll(const float* x, int64_t row, int64_t rows, float* patches) const noexcept {
    const auto bytes = static_cast<size_t>(channels_) * sizeof(float);
    for_taps(row, rows, [&](int64_t patch, int64_t at) {
        if (at < 0) {
            std::memset(patches + patch, 0, bytes);
        } else {
            std::memcpy(patches + patch, x + at, bytes);
        }
    });
}

void Patches::roll(const float* patches, int64_t row, int64_t rows, float* dx) const noexcept {
    for_taps(row, rows, [&](int64_t patch, int64_t at) {
        for (int64_t c = 0; at >= 0 && c < channels_; ++c) dx[at + c] += patches[patch + c];
    });
}

namespace {

class ExtractPatches final : public Op {
   public:
    ExtractPatches(const Patches& patches, int axes)
        : patches_(patches), axes_(static_cast<size_t>(axes)) {}

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const Shape& x = inputs[0].shape;
        const auto cells = patches_.cells();
        Shape y{x[0]};
        for (size_t axis = cells.size() - axes_; axis < cells.size(); ++axis) {
            y.push_back(cells[axis]);
        }
        y.push_back(patches_.size());
        x_size_ = x.elements() / x[0];
        y_size_ = y.elements() / y[0];
        return {y};
    }

    Signature plan(const PlanContext& context) override {
        Signature signature;
        signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
        if (context.training) signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        if (stage > 0 && args.d_in[0] == nullptr) return;
        for (int64_t i = 0; i < args.images; ++i) {
            if (stage == 0) {
                patches_.unroll(args.in[0] + i * x_size_, 0, patches_.rows(),
                                args.out + i * y_size_);
                continue;
            }
            float* dx = args.d_in[0] + i * x_size_;
            std::memset(dx, 0, static_cast<size_t>(x_size_) * sizeof(float));
            patches_.roll(args.d_out + i * y_size_, 0, patches_.rows(), dx);
        }
    }

   private:
    Patches patches_;
    size_t axes_;
    int64_t x_size_ = 0, y_size_ = 0;
};

}  // namespace

std::unique_ptr<Op> make_patches(const Patches& patches, int axes) {
    return std::make_unique<ExtractPatches>(patches, axes);
}

}  // namespace pronghorn
