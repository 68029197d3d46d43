// SPDX-License-Identifier: Apache-2.0
// resize2d: x (batch, h, w, c) -> (batch, size..., c) by interpolation with half-pixel centres.
// upsample_nearest: every cell of 1 to 3 spatial axes repeated, its gradient the sum.
#include <algorithm>

#include "ops/separable.h"

namespace pronghorn {

namespace {

class Resize2d final : public SeparableOp {
   public:
    explicit Resize2d(Attributes& attributes)
        : SeparableOp("resize2d"),
          size_(attributes.integers("size", {}, 2, 1)),
          interpolation_(attributes.word("interpolation", "bilinear")),
          antialias_(attributes.flag("antialias", false)),
          crop_(attributes.flag("crop_to_aspect_ratio", false)),
          pad_(attributes.flag("pad_to_aspect_ratio", false)),
          fill_(attributes.number("fill_value", 0.0)) {
        check(size_.size() == 2, "resize2d", "expected size, two numbers");
        check(!crop_ || !pad_, "resize2d",
              "expected at most one of crop_to_aspect_ratio and pad_to_aspect_ratio");
        resize_taps(1, 2, {0, 1, 0, 0.0}, interpolation_, antialias_);  // knows the word
    }

    Resampling resampling() const override {
        if (pad_) return Resampling::kNone;
        return interpolation_ == "nearest" ? Resampling::kCopies : Resampling::kMeans;
    }

   protected:
    std::vector<int64_t> sizes(const Shape& x) override {
        check(x.rank() == 4, "resize2d",
              "expected 4-D input (batch, height, width, channels), got ", x);
        sources_ = {ResizeSource{0, x[1], 0, 0.0}, ResizeSource{0, x[2], 0, 0.0}};
        if (crop_ || pad_) keep_ratio(x[1], x[2]);
        return size_;
    }

    AxisTaps taps(int axis, int64_t in, int64_t out) const override {
        return resize_taps(in, out, sources_[static_cast<size_t>(axis)], interpolation_,
                           antialias_);
    }

   private:
    /// The largest middle part with the ratio of the output, or the smallest frame, as Keras
    /// rounds them. A frame pads one axis only.
    void keep_ratio(int64_t height, int64_t width) {
        const auto scaled = [](int64_t length, int64_t numerator, int64_t denominator) {
            return checked_product(length, numerator) / denominator;
        };
        const int64_t fitting_h = scaled(width, size_[0], size_[1]);
        const int64_t fitting_w = scaled(height, size_[1], size_[0]);
        if (crop_) {
            const int64_t crop_h = std::max<int64_t>(std::min(height, fitting_h), 1);
            const int64_t crop_w = std::max<int64_t>(std::min(width, fitting_w), 1);
            sources_[0] = {(height - crop_h) / 2, crop_h, 0, 0.0};
            sources_[1] = {(width - crop_w) / 2, crop_w, 0, 0.0};
            return;
        }
        const int64_t above = (std::max(height, fitting_h) - height) / 2;
        const int64_t beside = (std::max(width, fitting_w) - width) / 2;
        if (above > 0) {
            sources_[0] = {0, height, above, fill_};
        } else {
            sources_[1] = {0, width, beside, fill_};
        }
        check(height + 2 * above <= kMostCells && width + 2 * beside <= kMostCells, "resize2d",
              "expected a padded image of at most ", kMostCells, " cells along an axis");
    }

    std::vector<int64_t> size_;
    std::string interpolation_;
    bool antialias_, crop_, pad_;
    double fill_;
    std::vector<ResizeSource> sources_;
};

class UpsampleNearest final : public SeparableOp {
   public:
    explicit UpsampleNearest(Attributes& attributes)
        : SeparableOp("upsample_nearest"), size_(attributes.integers("size", {2, 2}, 0, 1)) {
        check(!size_.empty() && size_.size() <= 3, "upsample_nearest",
              "expected 1 to 3 numbers for size, got ", size_.size());
    }

    Resampling resampling() const override { return Resampling::kCopies; }
    std::vector<int64_t> repeats() const override { return size_; }

   protected:
    std::vector<int64_t> sizes(const Shape& x) override {
        check(x.rank() == static_cast<int>(size_.size()) + 2, "upsample_nearest", "expected ",
              size_.size() + 2, "-D input (batch, ", size_.size(), " axes, channels), got ", x);
        std::vector<int64_t> out;
        for (size_t axis = 0; axis < size_.size(); ++axis) {
            out.push_back(checked_product(x[static_cast<int>(axis) + 1], size_[axis]));
        }
        return out;
    }

    AxisTaps taps(int axis, int64_t in, int64_t /*out*/) const override {
        return repeat_taps(in, size_[static_cast<size_t>(axis)]);
    }

   private:
    std::vector<int64_t> size_;
};

}  // namespace

std::unique_ptr<Op> make_resize2d(Attributes& attributes) {
    return std::make_unique<Resize2d>(attributes);
}
std::unique_ptr<Op> make_upsample_nearest(Attributes& attributes) {
    return std::make_unique<UpsampleNearest>(attributes);
}

}  // namespace pronghorn
