// SPDX-License-Identifier: Apache-2.0
// Ops of training graphs that draw: dropout (what is kept is scaled by 1 / (1 - rate)),
// alpha_dropout (mean and variance of SELU networks stay; Klambauer et al., 2017), gaussian_noise
// and gaussian_dropout. What is drawn is a function of seed, step and element alone, and is drawn
// again in the backward pass.
#include <cmath>
#include <cstring>

#include "ops/elementwise.h"
#include "ops/shared_axes.h"

namespace pronghorn {

namespace {

class Noise : public Elementwise {
   public:
    explicit Noise(Attributes& attributes)
        : Elementwise(true), seed_(static_cast<uint64_t>(attributes.integer("seed", 0))) {}

    Takes takes(int /*input*/) const override { return Takes::kActivation; }

    Signature plan(const PlanContext& context) override {
        Signature signature = Elementwise::plan(context);
        signature.in_layout = signature.out_layout = Layout::kRows;  // one order of elements
        lanes_ = 1;
        return signature;
    }

   protected:
    /// Steps a golden-ratio stride apart (Weyl sequence) never share a key with a nearby seed.
    uint64_t key(const Args& args) const noexcept {
        return seed_ + args.step * 0x9E3779B97F4A7C15u;
    }
    int64_t first(const Args& args) const noexcept { return args.first_image * size_; }

   private:
    uint64_t seed_;
};

/// Dropout and alpha dropout, which differ in what becomes of kept and dropped elements.
class Dropout : public Noise {
   public:
    Dropout(Attributes& attributes, Drop (*make)(double rate, bool forward))
        : Noise(attributes), name_(attributes.op()) {
        const double rate = attributes.number("rate", 0.5);
        check(rate >= 0 && rate <= 1, name_.c_str(), "expected a rate in [0, 1], got ", rate);
        forward_ = make(rate, true);
        backward_ = make(rate, false);
        noise_axes_ = attributes.integers("noise_axes", {}, 0, -Shape::kMaxRank);
    }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const Tensor y = Noise::infer(inputs);
        const int64_t rank = y.shape.rank();
        std::vector<bool> shared(static_cast<size_t>(rank), false);
        for (int64_t axis : noise_axes_) {
            check(axis >= -rank && axis < rank, name_.c_str(), "expected noise_axes of ", y.shape,
                  ", got ", axis);
            shared[static_cast<size_t>(axis < 0 ? axis + rank : axis)] = true;
        }
        same_for_all_images_ = shared[0];
        axes_ = SharedAxes(y.image_shape(), {shared.begin() + 1, shared.end()});
        return y;
    }

    Signature plan(const PlanContext& context) override {
        Signature signature = Noise::plan(context);
        if (noise_axes_.empty()) return signature;
        for (Stage& stage : signature.stages) stage.scratch = axes_.values();
        return signature;
    }

   protected:
    void forward(int64_t size, const Args& args) const noexcept override {
        drop(forward_, size, args, args.in[0], args.out);
    }
    void backward(int64_t size, const Args& args) const noexcept override {
        drop(backward_, size, args, args.d_out, args.d_in[0]);
    }

   private:
    void drop(const Drop& how, int64_t size, const Args& args, const float* x,
              float* y) const noexcept {
        if (noise_axes_.empty()) {
            return kernels_->dropout(how, size, first(args), key(args), x, y);
        }
        for (int64_t image = 0; image < args.images; ++image, x += size_, y += size_) {
            const int64_t number = same_for_all_images_ ? 0 : args.first_image + image;
            kernels_->uniform(axes_.values(), number * axes_.values(), key(args), args.scratch);
            axes_.for_each([&](const Grid& grid, int64_t element, int64_t value) {
                kernels_->drop_by(how, grid, args.scratch + value, x + element, y + element);
            });
        }
    }

    std::string name_;
    Drop forward_{}, backward_{};
    std::vector<int64_t> noise_axes_;
    bool same_for_all_images_ = false;
    SharedAxes axes_;
};

Drop plain_drop(double rate, bool /*forward*/) {
    const auto share = static_cast<float>(rate);
    return {share, 1.0f / (1.0f - share), 0.0f, 0.0f};
}

Drop alpha_drop(double rate, bool forward) {
    check(rate < 1, "alpha_dropout", "expected a rate in [0, 1), got ", rate);
    constexpr double kAlphaPrime = -1.6732632423543772848 * 1.0507009873554804934;
    const double scale = 1.0 / std::sqrt((1 - rate) * (1 + rate * kAlphaPrime * kAlphaPrime));
    const double shift = forward ? -scale * kAlphaPrime * rate : 0.0;
    const double dropped = forward ? scale * kAlphaPrime + shift : 0.0;
    return {static_cast<float>(rate), static_cast<float>(scale), static_cast<float>(shift),
            static_cast<float>(dropped)};
}

class GaussianNoise final : public Noise {
   public:
    explicit GaussianNoise(Attributes& attributes)
        : Noise(attributes), deviation_(attributes.number("stddev", 1.0)) {
        check(deviation_ >= 0, "gaussian_noise", "expected a stddev of at least 0, got ",
              deviation_);
    }

   protected:
    void forward(int64_t size, const Args& args) const noexcept override {
        kernels_->gaussian_noise(static_cast<float>(deviation_), size, first(args), key(args),
                                 args.in[0], args.out);
    }
    void backward(int64_t size, const Args& args) const noexcept override {
        std::memcpy(args.d_in[0], args.d_out, static_cast<size_t>(size) * sizeof(float));
    }

   private:
    double deviation_;
};

class GaussianDropout final : public Noise {
   public:
    explicit GaussianDropout(Attributes& attributes) : Noise(attributes) {
        const double rate = attributes.number("rate", 0.5);
        check(rate >= 0 && rate < 1, "gaussian_dropout", "expected a rate in [0, 1), got ", rate);
        deviation_ = static_cast<float>(std::sqrt(rate / (1 - rate)));
    }

   protected:
    void forward(int64_t size, const Args& args) const noexcept override {
        scale(size, args, args.in[0], args.out);
    }
    void backward(int64_t size, const Args& args) const noexcept override {
        scale(size, args, args.d_out, args.d_in[0]);
    }

   private:
    void scale(int64_t size, const Args& args, const float* x, float* y) const noexcept {
        kernels_->gaussian_dropout(deviation_, size, first(args), key(args), x, y);
    }

    float deviation_;
};

}  // namespace

std::unique_ptr<Op> make_dropout(Attributes& attributes) {
    return std::make_unique<Dropout>(attributes, plain_drop);
}
std::unique_ptr<Op> make_alpha_dropout(Attributes& attributes) {
    return std::make_unique<Dropout>(attributes, alpha_drop);
}
std::unique_ptr<Op> make_gaussian_noise(Attributes& attributes) {
    return std::make_unique<GaussianNoise>(attributes);
}
std::unique_ptr<Op> make_gaussian_dropout(Attributes& attributes) {
    return std::make_unique<GaussianDropout>(attributes);
}

}  // namespace pronghorn
