// SPDX-License-Identifier: Apache-2.0
// group_norm [x (batch, ..., channels), gamma?, beta?]: every image's groups of channels by their
// own mean and variance (Wu and He, "Group normalization", 2018); one channel a group is instance
// normalisation. Attributes: groups, epsilon, and scale and center: whether gamma and beta are
// there.
#include <cmath>

#include "ops/columns.h"
#include "ops/op.h"

namespace pronghorn {

namespace {

class GroupNorm final : public Op {
   public:
    explicit GroupNorm(Attributes& attributes)
        : groups_(attributes.integer("groups", 32)),
          scale_(attributes.flag("scale", true)),
          center_(attributes.flag("center", true)),
          epsilon_(attributes.number("epsilon", 1e-3)) {}

    Takes takes(int input) const override {
        return input == 0 ? Takes::kActivation : Takes::kParameter;
    }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const size_t expected = 1 + (scale_ ? 1 : 0) + (center_ ? 1 : 0);
        check(inputs.size() == expected, "group_norm", "expected ", expected, " inputs, got ",
              inputs.size());
        const Tensor& x = inputs[0];
        check(x.dtype == DType::kFloat32 && x.shape.rank() >= 2, "group_norm",
              "expected float32 input (batch, ..., channels), got ", x.shape);
        channels_ = x.shape[-1];
        positions_ = x.shape.elements(1) / channels_;
        check(groups_ >= 1 && channels_ % groups_ == 0, "group_norm",
              "expected groups that divide ", channels_, " channels, got ", groups_);
        for (size_t i = 1; i < inputs.size(); ++i) {
            check(inputs[i].shape == Shape{channels_}, "group_norm", "expected weights of shape (",
                  channels_, ",), got ", inputs[i].shape);
        }
        return x;
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        columns_ = Columns::of_images(positions_, channels_, kernels_->lanes);
        const auto values = static_cast<double>(context.batch() * positions_ * channels_);
        const int64_t scratch = kTables * columns_.count();
        Signature signature;
        signature.stages.push_back({Phase::kForward, true, 1, scratch, 8 * values});
        if (!context.training) return signature;
        signature.stages.push_back({Phase::kBackward, true, 1, scratch, 10 * values});
        signature.saved = kStatistics * groups_;
        signature.backward_reads[0] = true;
        signature.gradient[1] = signature.gradient[2] = GradientBy::kParts;
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        for (int64_t i = 0; i < args.images; ++i) {
            const Image image = image_of(args, i);
            stage == 0 ? forward(args, image) : backward(args, image, args.accumulate || i > 0);
        }
    }

   private:
    // Scratch. The moments lie where the backward pass keeps its sums and terms.
    enum Table : int64_t {
        kCenter,
        kScale,
        kShift,
        kSlope,
        kOffset,
        kSum,
        kProduct,
        kTables,
        kPivot = kSlope,
        kDelta,
        kSquares
    };
    /// Of a group: the mean is center + rest, as in batch_norm.cpp.
    enum Statistic : int64_t { kMean, kRest, kInverse, kStatistics };

    struct Image {
        ChannelNorm norm;
        float* out;         // y, or dx, or null
        float* statistics;  // by group, or null
    };

    Image image_of(const Args& args, int64_t i) const {
        const int64_t at = i * positions_ * channels_;
        Image image{};
        image.norm.rows = columns_.rows;
        image.norm.channels = columns_.count();
        image.norm.x = args.in[0] + at;
        image.norm.dy = args.d_out == nullptr ? nullptr : args.d_out + at;
        image.norm.center = table(args, kCenter);
        image.norm.scale = table(args, kScale);
        image.norm.shift = table(args, kShift);
        image.out = args.out != nullptr       ? args.out + at
                    : args.d_in[0] != nullptr ? args.d_in[0] + at
                                              : nullptr;
        image.statistics = args.saved == nullptr ? nullptr : args.saved + i * kStatistics * groups_;
        return image;
    }
    float* table(const Args& args, Table which) const {
        return args.scratch + which * columns_.count();
    }
    int64_t per_group() const { return channels_ / groups_; }
    double gamma(const Args& args, int64_t c) const { return scale_ ? args.in[1][c] : 1.0; }
    double beta(const Args& args, int64_t c) const {
        return center_ ? args.in[scale_ ? 2 : 1][c] : 0.0;
    }
    /// Calls body(column, channel) for all columns of a group.
    template <typename Body>
    void for_columns(int64_t group, Body body) const {
        for (int64_t c = group * per_group(); c < (group + 1) * per_group(); ++c) {
            for (int64_t r = 0; r < columns_.repeats; ++r) body(columns_.at(r, c), c);
        }
    }

    void forward(const Args& args, const Image& image) const noexcept {
        const float *pivot = table(args, kPivot), *delta = table(args, kDelta);
        const float* squares = table(args, kSquares);
        kernels_->channel_moments(image.norm, table(args, kPivot), table(args, kDelta),
                                  table(args, kSquares));
        const auto values = static_cast<double>(columns_.rows);
        const double total = values * static_cast<double>(per_group() * columns_.repeats);
        for (int64_t group = 0; group < groups_; ++group) {
            const auto mean_of = [&](int64_t at) {
                return static_cast<double>(pivot[at]) + delta[at];
            };
            double mean = 0, variance = 0;
            for_columns(group, [&](int64_t at, int64_t) { mean += mean_of(at) * values / total; });
            for_columns(group, [&](int64_t at, int64_t) {
                const double apart = mean_of(at) - mean;
                variance += (squares[at] + values * apart * apart) / total;
            });
            const double inverse = 1.0 / std::sqrt(variance + epsilon_);
            const auto center = static_cast<float>(mean);
            const double rest = mean - static_cast<double>(center);
            set_tables(args, group, center, rest, inverse);
            if (image.statistics == nullptr) continue;
            float* statistics = image.statistics + group * kStatistics;
            statistics[kMean] = center;
            statistics[kRest] = static_cast<float>(rest);
            statistics[kInverse] = static_cast<float>(inverse);
        }
        kernels_->channel_norm(image.norm, image.out);
    }
    void set_tables(const Args& args, int64_t group, float center, double rest,
                    double inverse) const {
        for_columns(group, [&](int64_t at, int64_t c) {
            const double scale = inverse * gamma(args, c);
            table(args, kCenter)[at] = center;
            table(args, kScale)[at] = static_cast<float>(scale);
            table(args, kShift)[at] = static_cast<float>(beta(args, c) - rest * scale);
        });
    }

    /// dx = inverse * (dy * gamma - mean(dy * gamma) - n * mean(dy * gamma * n)).
    void backward(const Args& args, Image image, bool accumulate) const noexcept {
        for (int64_t group = 0; group < groups_; ++group) {
            const float* statistics = image.statistics + group * kStatistics;
            set_tables(args, group, statistics[kMean], statistics[kRest], statistics[kInverse]);
        }
        const float *sum = table(args, kSum), *product = table(args, kProduct);
        kernels_->channel_norm_sums(image.norm, table(args, kSum), table(args, kProduct));
        float* d_gamma = scale_ ? args.d_in[1] : nullptr;
        float* d_beta = center_ ? args.d_in[scale_ ? 2 : 1] : nullptr;
        const auto put = [=](float* to, int64_t c, double value) {
            if (to == nullptr) return;
            to[c] = static_cast<float>(accumulate ? to[c] + value : value);
        };
        const auto total = static_cast<double>(positions_ * per_group());
        for (int64_t group = 0; group < groups_; ++group) {
            const float* statistics = image.statistics + group * kStatistics;
            const double rest = statistics[kRest], inverse = statistics[kInverse];
            double mean = 0, along = 0;
            for (int64_t c = group * per_group(); c < (group + 1) * per_group(); ++c) {
                double of_beta = 0, of_gamma = 0;
                for (int64_t r = 0; r < columns_.repeats; ++r) {
                    const int64_t at = columns_.at(r, c);
                    of_beta += sum[at];
                    of_gamma += inverse * (product[at] - rest * sum[at]);
                }
                mean += gamma(args, c) * of_beta / total;
                along += gamma(args, c) * of_gamma / total;
                put(d_beta, c, of_beta);
                put(d_gamma, c, of_gamma);
            }
            const double slope = -inverse * inverse * along;
            for_columns(group, [&](int64_t at, int64_t) {
                table(args, kSlope)[at] = static_cast<float>(slope);
                table(args, kOffset)[at] = static_cast<float>(-inverse * mean - slope * rest);
            });
        }
        if (image.out == nullptr) return;
        image.norm.slope = table(args, kSlope);
        image.norm.offset = table(args, kOffset);
        kernels_->channel_norm_backward(image.norm, image.out);
    }

    int64_t groups_;
    bool scale_, center_;
    double epsilon_;
    int64_t channels_ = 0, positions_ = 0;
    Columns columns_;
    const Kernels* kernels_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_group_norm(Attributes& attributes) {
    return std::make_unique<GroupNorm>(attributes);
}

}  // namespace pronghorn
