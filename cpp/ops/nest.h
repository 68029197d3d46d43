// SPDX-License-Identifier: Apache-2.0
// Nest: a loop nest over several arrays with a step per axis each, axes joined where they can be.
// And how images of different shapes broadcast: as in NumPy, each image for itself; a parameter is
// the same for all images, so a leading 1 in the place of the batch falls away.
#pragma once

#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "ops/op.h"

namespace pronghorn {

/// Axes, outermost first: extents, and how far each of kCount operands moves along them.
template <size_t kCount>
class Nest {
   public:
    using Steps = std::array<int64_t, kCount>;

    /// Appends an inner axis.
    void add(int64_t extent, const Steps& steps) noexcept {
        if (extent == 1) return;
        if (rank_ > 0) {
            bool joins = true;
            for (size_t p = 0; p < kCount; ++p) joins &= steps_[last()][p] == steps[p] * extent;
            if (joins) {
                extents_[last()] *= extent;
                steps_[last()] = steps;
                return;
            }
        }
        extents_[rank_] = extent;
        steps_[rank_++] = steps;
    }

    /// Makes the axis along which operand p moves by 1 the last but one, if there is one and it is
    /// not the last.
    bool bring_next_to_last(size_t p) noexcept {
        for (size_t axis = 0; axis + 1 < rank_; ++axis) {
            if (steps_[axis][p] != 1) continue;
            for (; axis + 2 < rank_; ++axis) {
                std::swap(extents_[axis], extents_[axis + 1]);
                std::swap(steps_[axis], steps_[axis + 1]);
            }
            return true;
        }
        return false;
    }

    /// Calls body(offsets, rows, size, row_steps, steps) for every plane of the two innermost axes.
    template <typename Body>
    void for_planes(Body body) const noexcept {
        const int64_t size = rank_ > 0 ? extents_[last()] : 1;
        const int64_t rows = rank_ > 1 ? extents_[last() - 1] : 1;
        const Steps steps = rank_ > 0 ? steps_[last()] : Steps{};
        const Steps row_steps = rank_ > 1 ? steps_[last() - 1] : Steps{};
        const size_t outer = rank_ > 2 ? rank_ - 2 : 0;
        std::array<int64_t, kMost> at{};
        Steps offsets{};
        for (;;) {
            body(offsets, rows, size, row_steps, steps);
            size_t axis = outer;
            for (; axis > 0; --axis) {
                const size_t turned = axis - 1;
                const bool ends = ++at[turned] == extents_[turned];
                if (ends) at[turned] = 0;
                const int64_t move = ends ? 1 - extents_[turned] : 1;
                for (size_t p = 0; p < kCount; ++p) offsets[p] += move * steps_[turned][p];
                if (!ends) break;
            }
            if (axis == 0) return;
        }
    }

   private:
    static constexpr size_t kMost = Shape::kMaxRank + 2;  // images, an image's axes, lanes
    size_t last() const { return rank_ - 1; }

    size_t rank_ = 0;
    std::array<int64_t, kMost> extents_{};
    std::array<Steps, kMost> steps_{};
};

/// The shapes of one image of an op's operands against each other, aligned at the right.
class Broadcasting {
   public:
    /// Throws "[op] ..." where they do not fit.
    Broadcasting() = default;
    Broadcasting(const char* op, const std::vector<Tensor>& inputs);

    /// What comes out: a parameter where all operands are.
    const Tensor& output() const { return output_; }
    int64_t image_size() const { return size_; }
    int64_t operand_size(size_t p) const { return sizes_[p]; }

    /// Whether operand p is repeated: along axes, or for all images.
    bool repeats(size_t p) const { return repeats_[p]; }

    /// Of the output's image axis, what operand p moves by.
    int64_t step(size_t p, int axis) const { return steps_[p][static_cast<size_t>(axis)]; }
    /// From image to image.
    int64_t image_step(size_t p) const { return fixed_[p] ? 0 : sizes_[p]; }
    /// A parameter: the same for all images, and for all lanes.
    bool fixed(size_t p) const { return fixed_[p]; }

    const Shape& image() const { return image_; }

   private:
    Tensor output_;
    Shape image_;
    int64_t size_ = 1;
    std::array<int64_t, kMaxInputs> sizes_{};  // of an image of each operand
    std::array<bool, kMaxInputs> repeats_{}, fixed_{};
    std::array<std::array<int64_t, Shape::kMaxRank>, kMaxInputs> steps_{};
};

/// A nest over `images` images (groups of `lanes`, where lanes > 1) of the operands listed in `of`;
/// -1 is the output.
template <size_t kCount>
Nest<kCount> nest_of(const Broadcasting& broadcasting, const std::array<int, kCount>& of,
                     int64_t images, int64_t lanes) noexcept {
    Nest<kCount> nest;
    const Shape& image = broadcasting.image();
    std::array<int64_t, kCount> steps;
    const auto add = [&](int64_t extent, auto output_step, auto operand_step) {
        for (size_t p = 0; p < kCount; ++p) {
            const auto operand = static_cast<size_t>(of[p]);
            const bool varies = of[p] < 0 || !broadcasting.fixed(operand);
            steps[p] = of[p] < 0 ? output_step() : operand_step(operand);
            if (varies && lanes > 1) steps[p] *= lanes;
        }
        nest.add(extent, steps);
    };
    add((images + lanes - 1) / lanes, [&] { return broadcasting.image_size(); },
        [&](size_t p) { return broadcasting.image_step(p); });
    int64_t inner = broadcasting.image_size();
    for (int axis = 0; axis < image.rank(); ++axis) {
        inner /= image[axis];
        add(
            image[axis], [&] { return inner; },
            [&](size_t p) { return broadcasting.step(p, axis); });
    }
    if (lanes > 1) {
        for (size_t p = 0; p < kCount; ++p) {
            steps[p] = of[p] < 0 || !broadcasting.fixed(static_cast<size_t>(of[p])) ? 1 : 0;
        }
        nest.add(lanes, steps);
    }
    return nest;
}

/// Sums g, of the output's extent, over what operand p repeats, into d: d = or d +=.
void sum_repeats(const Kernels& kernels, const Broadcasting& broadcasting, size_t p, int64_t images,
                 int64_t lanes, const float* g, float* d, bool accumulate) noexcept;

/// The gradient of operand p from gradient(first image, images, g), which writes all of g, of the
/// output's extent: into its place, or by the scratch (an image, or a group of lanes) and a sum.
template <typename Gradient>
void write_gradient(const Kernels& kernels, const Broadcasting& broadcasting, size_t p,
                    const Args& args, int64_t lanes, Gradient gradient) noexcept {
    if (!broadcasting.repeats(p)) return gradient(0, args.images, args.d_in[p]);
    for (int64_t i = 0; i < args.images; i += lanes) {
        gradient(i, lanes, args.scratch);
        sum_repeats(kernels, broadcasting, p, lanes, lanes, args.scratch,
                    args.d_in[p] + i * broadcasting.image_step(p),
                    broadcasting.fixed(p) && (args.accumulate || i > 0));
    }
}

/// Kernels::lanes where `count` operands are all activations in lanes, or parameters that want no
/// gradient (lanes of images that are not there must not reach it); else 1.
int64_t broadcast_lanes(const PlanContext& context, size_t count);

/// y[...] = x[...] along a nest of (x, y) whose y never stands still.
void copy_planes(const Nest<2>& nest, const float* x, float* y) noexcept;

/// The nest's y += x.
void sum_planes(const Kernels& kernels, const Nest<2>& nest, const float* x, float* y) noexcept;

/// The axis as counted by the tensor's own shape (the batch is 0); throws where it is not one.
int checked_axis(const char* op, const Tensor& x, int64_t axis);

inline void fill_zero(float* x, int64_t size) noexcept {
    std::memset(x, 0, static_cast<size_t>(size) * sizeof(float));
}
inline void copy_floats(const float* x, float* y, int64_t size) noexcept {
    std::memcpy(y, x, static_cast<size_t>(size) * sizeof(float));
}

}  // namespace pronghorn
