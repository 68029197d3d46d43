// SPDX-License-Identifier: Apache-2.0
// binary: y = a + b, a - b, a * b, a / b, a ^ b, the larger, the smaller, or a comparison (1 or 0),
// broadcast as in NumPy, each image for itself. The gradient of an operand that is repeated is a
// sum over the repetitions; a sum of equal shapes hands its own gradient on.
#include <algorithm>
#include <cmath>

#include "ops/nest.h"
#include "ops/pieces.h"

namespace pronghorn {

namespace {

constexpr const char* kKinds[] = {"add",     "subtract",  "multiply",      "divide", "maximum",
                                  "minimum", "greater",   "greater_equal", "less",   "less_equal",
                                  "equal",   "not_equal", "power"};

class BinaryOp final : public Op {
   public:
    explicit BinaryOp(Attributes& attributes) {
        const std::string kind = attributes.word("kind", "");
        const auto* found = std::find(std::begin(kKinds), std::end(kKinds), kind);
        check(found != std::end(kKinds), "binary", "expected a kind as add or less_equal, got '",
              kind, "'");
        kind_ = static_cast<Binary>(found - std::begin(kKinds));
    }

    Takes takes(int /*input*/) const override { return Takes::kEither; }
    bool differentiable() const override {
        return kind_ < Binary::kGreater || kind_ == Binary::kPower;
    }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 2, "binary", "expected two inputs, got ", inputs.size());
        shapes_ = Broadcasting("binary", inputs);
        return shapes_.output();
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        Signature signature;
        lanes_ = broadcast_lanes(context, 2);
        signature.in_layout = signature.out_layout = lanes_ > 1 ? Layout::kLanes : Layout::kRows;
        const bool alike = !shapes_.repeats(0) && !shapes_.repeats(1) &&
                           !context.inputs[0].parameter && !context.inputs[1].parameter;
        cut_ = alike && lanes_ == 1 && kind_ != Binary::kPower &&
               cuts_traffic(context.batch(), shapes_.image_size());
        signature.stages.push_back(forward_in_pieces(context.batch(), cut_ ? kPieces : 1, 0, 0));
        if (!context.training) return signature;
        bool backward = false, scratch = false;
        for (size_t p = 0; p < 2; ++p) {
            if (!context.wants_gradient[p]) continue;
            signature.gradient[p] = GradientBy::kParts;
            const bool as_is = kind_ == Binary::kAdd || (kind_ == Binary::kSubtract && p == 0);
            signature.passes_gradient[p] =
                as_is && !shapes_.repeats(p) && !context.inputs[p].parameter;
            backward |= !signature.passes_gradient[p];
            scratch |= !as_is && shapes_.repeats(p);
            if (kind_ == Binary::kAdd || kind_ == Binary::kSubtract) continue;
            signature.backward_reads[1 - p] = true;
            signature.backward_reads[p] |= kind_ != Binary::kMultiply;
        }
        const int64_t floats = scratch ? shapes_.image_size() * lanes_ : 0;
        if (backward) signature.stages.push_back({Phase::kBackward, true, 1, floats, 0});
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        if (stage == 0) return cut_ ? forward_piece(args, task) : forward(args);
        for (int side = 0; side < 2; ++side) {
            if (args.d_in[static_cast<size_t>(side)] != nullptr) backward(args, side);
        }
    }

   private:
    void forward(const Args& args) const noexcept {
        const auto nest = nest_of<3>(shapes_, {0, 1, -1}, args.images, lanes_);
        nest.for_planes([&](const auto& at, int64_t rows, int64_t size, const auto& row,
                            const auto& step) {
            const Plane plane{
                rows,
                size,
                {{args.in[0] + at[0], row[0], step[0]}, {args.in[1] + at[1], row[1], step[1]}, {}},
                args.out + at[2]};
            if (kind_ != Binary::kPower) return kernels_->binary(kind_, plane);
            map(plane, [](float a, float b, float) { return std::pow(a, b); });
        });
    }

    void forward_piece(const Args& args, int64_t task) const noexcept {
        const int64_t size = shapes_.image_size();
        const Range part = share_of(size, task % kPieces, kPieces);
        const int64_t begin = task / kPieces * size + part.begin;
        kernels_->binary(
            kind_, {1,
                    part.count,
                    {{args.in[0] + begin, part.count, 1}, {args.in[1] + begin, part.count, 1}, {}},
                    args.out + begin});
    }

    void backward(const Args& args, int side) const noexcept {
        const auto p = static_cast<size_t>(side);
        const bool as_is = kind_ == Binary::kAdd || (kind_ == Binary::kSubtract && side == 0);
        if (as_is && shapes_.repeats(p)) {
            return sum_repeats(*kernels_, shapes_, p, args.images, lanes_, args.d_out, args.d_in[p],
                               shapes_.fixed(p) && args.accumulate);
        }
        write_gradient(*kernels_, shapes_, p, args, lanes_,
                       [&](int64_t image, int64_t images, float* g) {
                           // What the gradient does not read is not there (backward_reads).
                           const float* dy = args.d_out + image * shapes_.image_size();
                           const auto moved = [&](size_t operand) {
                               const float* x = args.in[operand];
                               return x == nullptr ? dy : x + image * shapes_.image_step(operand);
                           };
                           gradient(side, moved(0), moved(1), dy, images, g);
                       });
    }

    /// g = dy * dy/d(a or b), of the output's extent.
    void gradient(int side, const float* a, const float* b, const float* dy, int64_t images,
                  float* g) const noexcept {
        const auto nest = nest_of<3>(shapes_, {0, 1, -1}, images, lanes_);
        nest.for_planes([&](const auto& at, int64_t rows, int64_t size, const auto& row,
                            const auto& step) {
            const Plane plane{
                rows,
                size,
                {{a + at[0], row[0], step[0]}, {b + at[1], row[1], step[1]}, {dy + at[2], size, 1}},
                g + at[2]};
            if (kind_ != Binary::kPower) return kernels_->binary_gradient(kind_, side, plane);
            if (side == 0) {
                map(plane, [](float x, float n, float d) {
                    return n == 0 ? 0.0f : d * n * std::pow(x, n - 1);
                });
            } else {
                map(plane, [](float x, float n, float d) {
                    return x == 0 ? 0.0f : d * std::pow(x, n) * std::log(x);
                });
            }
        });
    }

    /// Powers are rare, and their many special cases are the C library's.
    template <typename Function>
    static void map(const Plane& plane, Function function) noexcept {
        const auto& [a, b, d] = plane.in;
        for (int64_t r = 0; r < plane.rows; ++r) {
            for (int64_t i = 0; i < plane.size; ++i) {
                const float slope = d.x == nullptr ? 0 : d.x[r * d.row + i * d.step];
                plane.y[r * plane.size + i] =
                    function(a.x[r * a.row + i * a.step], b.x[r * b.row + i * b.step], slope);
            }
        }
    }

    Binary kind_;
    Broadcasting shapes_;
    int64_t lanes_ = 1;
    bool cut_ = false;  // into pieces
    const Kernels* kernels_ = nullptr;
};

}  // namespace

std::unique_ptr<Op> make_binary(Attributes& attributes) {
    return std::make_unique<BinaryOp>(attributes);
}

}  // namespace pronghorn
