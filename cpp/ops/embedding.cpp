// SPDX-License-Identifier: Apache-2.0
// embedding: y[..., :] = table[ids[...], :]; dtable[k] is the sum of dy over the places of k, rows
// of the table being blocks with an owner each. one_hot: y[..., id] = 1, the rest 0. Ids are int32
// or float32; a number that is no row of the table gives NaN, in one_hot only zeros.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/nest.h"

namespace pronghorn {

namespace {

/// The id at `at`, or -1 where it is not whole or not from 0 to below `count`.
int64_t id_at(const float* ids, DType dtype, int64_t at, int64_t count) noexcept {
    if (dtype == DType::kInt32) {
        const int64_t id = reinterpret_cast<const int32_t*>(ids)[at];
        return id >= 0 && id < count ? id : -1;
    }
    const float id = ids[at];
    const bool is_row = id >= 0 && id < static_cast<float>(count) && id == std::floor(id);
    return is_row ? static_cast<int64_t>(id) : -1;
}

/// Float32 holds whole numbers up to here.
constexpr int64_t kMostRows = int64_t{1} << 24;

class Lookup : public Op {
   public:
    Takes takes(int input) const override {
        return input == 0 ? Takes::kEither : Takes::kParameter;
    }
    int64_t ids_below(int input) const override { return input == 0 ? rows_ : 0; }

   protected:
    Tensor ids_then(const char* op, const Tensor& ids, int64_t rows, int64_t width) {
        check(rows > 0 && width > 0, op, "expected at least one row, got ", rows, " of ", width);
        check(ids.dtype == DType::kInt32 || rows <= kMostRows, op, "expected at most ", kMostRows,
              " rows for ids in float32, got ", rows);
        dtype_ = ids.dtype;
        rows_ = rows;
        width_ = width;
        per_image_ = ids.image_shape().elements();
        total_ = ids.shape.elements();
        Tensor y{ids.shape};
        y.shape.push_back(width);
        y.shape.elements();
        y.parameter = ids.parameter;
        return y;
    }

    int64_t id(const float* ids, int64_t at) const noexcept {
        return id_at(ids, dtype_, at, rows_);
    }

    DType dtype_ = DType::kInt32;
    int64_t rows_ = 0, width_ = 0, per_image_ = 0, total_ = 0;
};

class Embedding final : public Lookup {
   public:
    explicit Embedding(Attributes& /*attributes*/) {}

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 2, "embedding", "expected ids and table, got ", inputs.size(),
              " inputs");
        const Shape& table = inputs[1].shape;
        check(table.rank() == 2, "embedding", "expected a table of shape (rows, width), got ",
              table);
        return ids_then("embedding", inputs[0], table[0], table[1]);
    }

    Signature plan(const PlanContext& context) override {
        kernels_ = context.kernels;
        Signature signature;
        signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
        if (!context.training) return signature;
        signature.backward_reads[0] = true;
        signature.gradient[0] = GradientBy::kParts;
        signature.gradient[1] = GradientBy::kOwner;
        gradient_stage_ = -1;
        if (context.wants_gradient[1]) {
            // Every task looks at all ids: no more tasks than keep some cores busy.
            block_ = std::max((rows_ + kMostTasks - 1) / kMostTasks, kLeastFloats / width_ + 1);
            gradient_stage_ = static_cast<int>(signature.stages.size());
            signature.stages.push_back({Phase::kGradient, false, (rows_ + block_ - 1) / block_, 0,
                                        static_cast<double>(total_ * width_), true, false});
        }
        if (context.wants_gradient[0])
            signature.stages.push_back({Phase::kBackward, true, 1, 0, 0});
        return signature;
    }

    void run(int stage, const Args& args, int64_t task) const noexcept override {
        if (stage == 0) return forward(args);
        if (stage == gradient_stage_) return backward(args, task);
        if (args.d_in[0] != nullptr) fill_zero(args.d_in[0], args.images * per_image_);
    }

    Range owned(int stage, int input, int64_t task) const override {
        if (stage != gradient_stage_ || input != 1) return {};
        const int64_t begin = task * block_;
        return {begin * width_, std::min(block_, rows_ - begin) * width_};
    }

   private:
    static constexpr int64_t kMostTasks = 32, kLeastFloats = 4096;

    void forward(const Args& args) const noexcept {
        for (int64_t i = 0; i < args.images * per_image_; ++i) {
            const int64_t row = id(args.in[0], i);
            float* y = args.out + i * width_;
            if (row >= 0) {
                copy_floats(args.in[1] + row * width_, y, width_);
            } else {
                std::fill_n(y, width_, std::numeric_limits<float>::quiet_NaN());
            }
        }
    }

    void backward(const Args& args, int64_t task) const noexcept {
        if (args.d_in[1] == nullptr) return;
        const int64_t begin = task * block_, end = std::min(begin + block_, rows_);
        fill_zero(args.d_in[1], (end - begin) * width_);
        for (int64_t i = 0; i < total_; ++i) {
            const int64_t row = id(args.in[0], i);
            if (row < begin || row >= end) continue;
            float* d = args.d_in[1] + (row - begin) * width_;
            kernels_->add(width_, d, args.d_out + i * width_, d);
        }
    }

    int gradient_stage_ = -1;
    int64_t block_ = 1;
    const Kernels* kernels_ = nullptr;
};

class OneHot final : public Lookup {
   public:
    explicit OneHot(Attributes& attributes) : classes_(attributes.integer("classes", 0)) {}

    bool differentiable() const override { return false; }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 1, "one_hot", "expected ids, got ", inputs.size(), " inputs");
        return ids_then("one_hot", inputs[0], classes_, classes_);
    }
    int64_t ids_below(int /*input*/) const override { return 0; }  // what is outside is no class

    Signature plan(const PlanContext& /*context*/) override {
        Signature signature;
        signature.stages.push_back({Phase::kForward, true, 1, 0, 0});
        return signature;
    }

    void run(int /*stage*/, const Args& args, int64_t /*task*/) const noexcept override {
        const int64_t count = args.images * per_image_;
        fill_zero(args.out, count * width_);
        for (int64_t i = 0; i < count; ++i) {
            const int64_t place = id(args.in[0], i);
            if (place >= 0) args.out[i * width_ + place] = 1;
        }
    }

   private:
    int64_t classes_;
};

}  // namespace

std::unique_ptr<Op> make_embedding(Attributes& attributes) {
    return std::make_unique<Embedding>(attributes);
}
std::unique_ptr<Op> make_one_hot(Attributes& attributes) {
    return std::make_unique<OneHot>(attributes);
}

}  // namespace pronghorn
