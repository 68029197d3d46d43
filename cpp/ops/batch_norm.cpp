// SPDX-License-Identifier: Apache-2.0
// batch_norm [x (batch, ..., channels), gamma?, beta?, moving_mean, moving_variance]: Ioffe and
// Szegedy, "Batch normalization", 2015. With `training` by the mean and (biased) variance of the
// batch, which also move the moving ones; without by those. Attributes scale and center: whether
// gamma and beta are there.
//
// Every part of the batch (an image, a fixed number of small ones, or a piece of one of a few large
// ones) gives moments of its own; a task per block of channels joins them in the parts' order, in
// double. All that follows is affine in x, with tables by column: y = (x - center) * scale + shift.
// The mean is center + rest, as a float alone would lose the digits of x - mean where the mean is
// large.
#include <cmath>
#include <limits>

#include "ops/columns.h"
#include "ops/op.h"
#include "ops/pieces.h"

namespace pronghorn {

namespace {

constexpr int64_t kChannelBlock = 64;     // channels of a joining task
constexpr int64_t kLeastPositions = 16;   // of an image that is a part by itself
constexpr int64_t kPositionsOfPart = 64;  // where images are smaller

class BatchNorm final : public Op {
   public:
    explicit BatchNorm(Attributes& attributes)
        : training_(attributes.flag("training", false)),
          scale_(attributes.flag("scale", true)),
          center_(attributes.flag("center", true)),
          momentum_(attributes.number("momentum", 0.99)),
          epsilon_(attributes.number("epsilon", 1e-3)) {}

    Takes takes(int input) const override {
        return input == 0 ? Takes::kActivation : Takes::kParameter;
    }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        const size_t expected = 3 + (scale_ ? 1 : 0) + (center_ ? 1 : 0);
        check(inputs.size() == expected, "batch_norm", "expected ", expected, " inputs, got ",
              inputs.size());
        const Tensor& x = inputs[0];
        check(x.dtype == DType::kFloat32 && x.shape.rank() >= 2, "batch_norm",
              "expected float32 input (batch, ..., channels), got ", x.shape);
        channels_ = x.shape[-1];
        positions_ = x.shape.elements(1) / channels_;
        for (size_t i = 1; i < inputs.size(); ++i) {
            check(inputs[i].shape == Shape{channels_}, "batch_norm", "expected weights of shape (",
                  channels_, ",), got ", inputs[i].shape);
        }
        mean_ = expected - 2;
        return x;
    }

    bool fuse_activation(Activation activation) override {
        if (relu_ || activation != Activation::kRelu) return false;
        return relu_ = true;
    }
    bool fuse_clipped_relu(float ceiling, bool /*training*/) override {
        if (relu_) return false;
        ceiling_ = ceiling;
        return relu_ = true;
    }
    std::optional<ChannelAffine> folds_into_kernel() const override {
        if (training_ || relu_) return std::nullopt;
        return ChannelAffine{scale_, center_, epsilon_};
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        batch_ = context.batch();
        const bool lanes = context.layouts[0] == Layout::kLanes;
        columns_ = lanes ? Columns::of_lanes(positions_, channels_, kernels_->lanes)
                         : Columns::of_images(positions_, channels_, kernels_->lanes);
        pieces_ = !lanes && cuts_traffic(batch_, positions_ * channels_)
                      ? std::min(kPieces, columns_.rows)
                      : 1;
        part_by_image_ = pieces_ == 1 && (lanes || positions_ >= kLeastPositions);
        group_ = lanes ? kernels_->lanes : 1;
        part_images_ = part_by_image_ || pieces_ > 1
                           ? group_
                           : (kPositionsOfPart + positions_ - 1) / positions_;
        parts_ = pieces_ * ((batch_ + part_images_ - 1) / part_images_);

        Signature signature;
        signature.in_layout = signature.out_layout = context.layouts[0];
        signature.packed = {kTables * columns_.count()};
        jobs_.clear();
        if (training_) {
            add_parts(signature, Job::kMoments, Phase::kForward, 5);
            add_join(signature, Job::kJoinMoments, Phase::kForward);
            signature.gradient[mean_] = signature.gradient[mean_ + 1] = GradientBy::kState;
        } else {
            add(signature, Job::kPrepare, {Phase::kPrepare, false, 1, 0, 0});
        }
        if (pieces_ == 1) signature.recompute = static_cast<int>(signature.stages.size());
        add(signature, Job::kApply, affine(Phase::kForward, 3));
        if (context.training) plan_backward(context, signature);
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        switch (jobs_[static_cast<size_t>(stage)]) {
            case Job::kPrepare:
                return prepare(args);
            case Job::kMoments:
                return moments(args, task);
            case Job::kJoinMoments:
                return join_moments(args, task);
            case Job::kApply:
                return apply(args, task);
            case Job::kSums:
                return sums(args, task);
            case Job::kJoinSums:
                return join_sums(args, task);
            case Job::kBackward:
                return backward(args, task);
        }
    }

    Range owned(int stage, int input, int64_t task) const override {
        const bool weight = input == gamma() || input == beta();
        if (!weight || jobs_[static_cast<size_t>(stage)] != Job::kJoinSums) return {};
        return block(task);
    }

   private:
    enum class Job : uint8_t {
        kPrepare,
        kMoments,
        kJoinMoments,
        kApply,
        kSums,
        kJoinSums,
        kBackward
    };
    // Tables by column at the head of `packed`, then the parts' numbers.
    enum Table : int64_t { kCenter, kScale, kShift, kSlope, kOffset, kInverse, kRest, kTables };
    enum Number : int64_t { kPivot, kDelta, kSquares, kNumbers, kSum = 0, kProduct };

    int gamma() const { return scale_ ? 1 : -1; }
    int beta() const { return center_ ? (scale_ ? 2 : 1) : -1; }

    float* table(const Args& args, Table which) const {
        return args.packed + which * columns_.count();
    }
    float* numbers(const Args& args, int64_t part, Number which) const {
        return args.packed + (kTables + part * kNumbers + which) * columns_.count();
    }
    double flops(double of_value) const {
        return of_value * static_cast<double>(batch_ * positions_ * channels_);
    }
    Range block(int64_t task) const {
        const int64_t begin = task * kChannelBlock;
        return {begin, std::min(kChannelBlock, channels_ - begin)};
    }
    /// Of so many images, or of the groups that they fill.
    int64_t rows_of(int64_t images) const {
        return columns_.rows * ((images + group_ - 1) / group_);
    }

    void add(Signature& signature, Job job, const Stage& stage) {
        jobs_.push_back(job);
        signature.stages.push_back(stage);
    }
    void add_parts(Signature& signature, Job job, Phase phase, double flops_of_value) {
        Stage stage{phase, part_by_image_, part_by_image_ ? 1 : parts_, 0, flops(flops_of_value)};
        stage.writes_d_in = false;
        add(signature, job, stage);
        signature.packed = {(kTables + parts_ * kNumbers) * columns_.count()};
    }
    Stage affine(Phase phase, double flops_of_value) const {
        Stage stage{phase, pieces_ == 1, pieces_ == 1 ? 1 : parts_, 0, flops(flops_of_value)};
        stage.in_place = true;
        return stage;
    }
    void add_join(Signature& signature, Job job, Phase phase) {
        const int64_t tasks = (channels_ + kChannelBlock - 1) / kChannelBlock;
        Stage stage{phase, false, tasks, 0, 0};
        stage.reads_d_out = stage.writes_d_in = false;
        add(signature, job, stage);
    }
    void plan_backward(const PlanContext& context, Signature& signature) {
        bool of_weights = false;
        for (int input : {gamma(), beta()}) {
            if (input < 0) continue;
            const auto i = static_cast<size_t>(input);
            signature.gradient[i] = GradientBy::kOwner;
            of_weights |= context.wants_gradient[i];
        }
        if (training_ || of_weights) {
            add_parts(signature, Job::kSums, Phase::kBackward, 5);
            add_join(signature, Job::kJoinSums, Phase::kBackward);
        }
        if (context.wants_gradient[0]) {
            add(signature, Job::kBackward, affine(Phase::kBackward, 5));
        }
        signature.backward_reads[0] = training_ || of_weights || relu_;
    }

    /// A slice of the batch.
    ChannelNorm whole(const Args& args) const {
        ChannelNorm norm{};
        norm.rows = rows_of(args.images);
        norm.channels = columns_.count();
        norm.x = args.in[0];
        norm.dy = args.d_out;
        norm.center = table(args, kCenter);
        norm.scale = table(args, kScale);
        norm.shift = table(args, kShift);
        norm.relu = relu_;
        norm.ceiling = ceiling_;
        norm.below = std::isinf(ceiling_) ? ceiling_ : std::nextafter(ceiling_, 0.0f);
        return norm;
    }
    /// Of the batch, as rows of columns_.
    Range rows_of_part(int64_t part) const {
        if (pieces_ == 1) {
            const int64_t first = part * part_images_;
            return {rows_of(first), rows_of(std::min(part_images_, batch_ - first))};
        }
        const Range piece = share_of(columns_.rows, part % pieces_, pieces_);
        return {part / pieces_ * columns_.rows + piece.begin, piece.count};
    }
    /// Calls body(part, share of the slice, where it begins) for every part of a slice, or for part
    /// `task`.
    template <typename Body>
    void for_parts(const Args& args, int64_t task, Body body) const {
        const int64_t first = part_by_image_ ? args.first_image / part_images_ : task;
        const int64_t count = part_by_image_ ? (args.images + part_images_ - 1) / part_images_ : 1;
        const int64_t start = part_by_image_ ? rows_of_part(first).begin : 0;
        for (int64_t part = first; part < first + count; ++part) {
            const Range rows = rows_of_part(part);
            const int64_t offset = (rows.begin - start) * columns_.count();
            ChannelNorm norm = whole(args);
            norm.rows = rows.count;
            norm.x += offset;
            if (norm.dy != nullptr) norm.dy += offset;
            body(part, norm, offset);
        }
    }
    /// Calls body(rows of the slice or of piece `task`, where they begin).
    template <typename Body>
    void for_piece(const Args& args, int64_t task, Body body) const {
        if (pieces_ == 1) return body(whole(args), 0);
        for_parts(args, task,
                  [&](int64_t, const ChannelNorm& norm, int64_t offset) { body(norm, offset); });
    }
    /// Calls body(part, repeat, values that it stands for) wherever a part has numbers.
    template <typename Body>
    void for_repeats(Body body) const {
        for (int64_t part = 0; part < parts_; ++part) {
            const int64_t used = std::min(group_, batch_ - part * group_);  // lanes may be idle
            const int64_t repeats = group_ > 1 ? used : columns_.repeats;
            const auto values = static_cast<double>(rows_of_part(part).count);
            for (int64_t repeat = 0; repeat < repeats; ++repeat) body(part, repeat, values);
        }
    }

    void set_affine(const Args& args, int64_t c, double mean, double variance) const {
        const double inverse = 1.0 / std::sqrt(variance + epsilon_);
        const auto center = static_cast<float>(mean);
        const double rest = mean - static_cast<double>(center);
        const double scale = scale_ ? inverse * args.in[1][c] : inverse;
        const double start = center_ ? args.in[static_cast<size_t>(beta())][c] : 0.0;
        columns_.put(table(args, kCenter), c, static_cast<double>(center));
        columns_.put(table(args, kScale), c, scale);
        columns_.put(table(args, kShift), c, start - rest * scale);
        columns_.put(table(args, kInverse), c, inverse);
        columns_.put(table(args, kRest), c, rest);
    }
    void prepare(const Args& args) const noexcept {
        for (int64_t c = 0; c < channels_; ++c) {
            set_affine(args, c, args.in[mean_][c], args.in[mean_ + 1][c]);
        }
    }

    void moments(const Args& args, int64_t task) const noexcept {
        for_parts(args, task, [&](int64_t part, const ChannelNorm& norm, int64_t) {
            kernels_->channel_moments(norm, numbers(args, part, kPivot),
                                      numbers(args, part, kDelta), numbers(args, part, kSquares));
        });
    }
    void join_moments(const Args& args, int64_t task) const noexcept {
        const Range channels = block(task);
        const auto total = static_cast<double>(batch_ * positions_);
        double mean[kChannelBlock] = {}, squares[kChannelBlock] = {};
        const auto mean_of = [&](int64_t part, int64_t at) {
            return static_cast<double>(numbers(args, part, kPivot)[at]) +
                   static_cast<double>(numbers(args, part, kDelta)[at]);
        };
        for_repeats([&](int64_t part, int64_t repeat, double values) {
            for (int64_t c = 0; c < channels.count; ++c) {
                mean[c] += values / total * mean_of(part, columns_.at(repeat, channels.begin + c));
            }
        });
        for_repeats([&](int64_t part, int64_t repeat, double values) {
            for (int64_t c = 0; c < channels.count; ++c) {
                const int64_t at = columns_.at(repeat, channels.begin + c);
                const double apart = mean_of(part, at) - mean[c];
                squares[c] += numbers(args, part, kSquares)[at] + values * apart * apart;
            }
        });
        float *moving_mean = args.d_in[mean_], *moving_variance = args.d_in[mean_ + 1];
        const auto move = [&](float& moving, double now) {
            moving = static_cast<float>(moving * momentum_ + now * (1.0 - momentum_));
        };
        for (int64_t i = 0; i < channels.count; ++i) {
            const int64_t c = channels.begin + i;
            const double variance = squares[i] / total;
            set_affine(args, c, mean[i], variance);
            move(moving_mean[c], mean[i]);
            move(moving_variance[c], variance);
        }
    }

    void sums(const Args& args, int64_t task) const noexcept {
        for_parts(args, task, [&](int64_t part, const ChannelNorm& norm, int64_t) {
            kernels_->channel_norm_sums(norm, numbers(args, part, kSum),
                                        numbers(args, part, kProduct));
        });
    }
    /// dx = scale * (d - mean(d) - n * mean(d * n)), n = (x - mean) * inverse: affine in d and x.
    void join_sums(const Args& args, int64_t task) const noexcept {
        const Range channels = block(task);
        const auto total = static_cast<double>(batch_ * positions_);
        double sum[kChannelBlock] = {}, product[kChannelBlock] = {};
        for_repeats([&](int64_t part, int64_t repeat, double /*values*/) {
            for (int64_t c = 0; c < channels.count; ++c) {
                const int64_t at = columns_.at(repeat, channels.begin + c);
                sum[c] += numbers(args, part, kSum)[at];
                product[c] += numbers(args, part, kProduct)[at];
            }
        });
        for (int64_t i = 0; i < channels.count; ++i) {
            const int64_t c = channels.begin + i;
            const int64_t at = columns_.at(0, c);
            const double scale = table(args, kScale)[at], inverse = table(args, kInverse)[at];
            const double rest = table(args, kRest)[at];
            const double along = inverse * (product[i] - rest * sum[i]);  // sum of d * n
            if (scale_ && args.d_in[1] != nullptr) args.d_in[1][i] = static_cast<float>(along);
            float* d_beta = center_ ? args.d_in[static_cast<size_t>(beta())] : nullptr;
            if (d_beta != nullptr) d_beta[i] = static_cast<float>(sum[i]);
            const double slope = -scale * inverse * along / total;
            columns_.put(table(args, kSlope), c, slope);
            columns_.put(table(args, kOffset), c, -scale * sum[i] / total - slope * rest);
        }
    }
    void apply(const Args& args, int64_t task) const noexcept {
        for_piece(args, task, [&](const ChannelNorm& norm, int64_t offset) {
            kernels_->channel_norm(norm, args.out + offset);
        });
    }
    void backward(const Args& args, int64_t task) const noexcept {
        for_piece(args, task, [&](ChannelNorm norm, int64_t offset) {
            if (training_) {
                norm.slope = table(args, kSlope);
                norm.offset = table(args, kOffset);
            }
            kernels_->channel_norm_backward(norm, args.d_in[0] + offset);
        });
        if (training_ && group_ > 1) clear_idle_lanes(args);
    }
    /// Lanes without an image have no gradient: sums over lanes count on it.
    void clear_idle_lanes(const Args& args) const {
        const int64_t used = batch_ % group_, last = batch_ / group_ * group_ - args.first_image;
        if (used == 0 || last >= args.images) return;
        float* dx = args.d_in[0] + last * positions_ * channels_;
        for (int64_t i = 0; i < positions_ * channels_; ++i) {
            for (int64_t lane = used; lane < group_; ++lane) dx[i * group_ + lane] = 0.0f;
        }
    }

    bool training_, scale_, center_;
    double momentum_, epsilon_;
    bool relu_ = false;
    float ceiling_ = std::numeric_limits<float>::infinity();  // of the ReLU
    int64_t channels_ = 0, positions_ = 0, batch_ = 0;
    size_t mean_ = 1;  // the input moving_mean; moving_variance is the next
    Columns columns_;
    bool part_by_image_ = true;
    int64_t group_ = 1;   // images side by side
    int64_t pieces_ = 1;  // of an image
    int64_t part_images_ = 1, parts_ = 1;
    std::vector<Job> jobs_;
    const Kernels* kernels_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_batch_norm(Attributes& attributes) {
    return std::make_unique<BatchNorm>(attributes);
}

}  // namespace pronghorn
