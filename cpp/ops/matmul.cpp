// SPDX-License-Identifier: Apache-2.0
// matmul: y[..., m, n] = sum_k a[..., m, k] b[..., k, n], either transposed if asked; the axes in
// front broadcast, each image for itself. A parameter b of two axes serves all rows of all images
// in one product, and then a may have a single axis.
//   da = dy b^T, db = a^T dy, summed where an operand serves several products.
#include "ops/gemm.h"
#include "ops/nest.h"

namespace pronghorn {

namespace {

class Matmul final : public Op {
   public:
    explicit Matmul(Attributes& attributes)
        : transposed_{attributes.flag("transpose_a", false),
                      attributes.flag("transpose_b", false)} {}

    Takes takes(int /*input*/) const override { return Takes::kEither; }

    Tensor infer(const std::vector<Tensor>& inputs) override {
        check(inputs.size() == 2, "matmul", "expected two inputs, got ", inputs.size());
        std::array<Tensor, 2> leading{};
        std::array<Shape, 2> last;
        const bool by_weights = inputs[1].parameter && inputs[1].shape.rank() == 2;
        for (size_t p = 0; p < 2; ++p) {
            const Tensor& x = inputs[p];
            // Rows of images are as good as rows of an image.
            const bool rows = p == 0 && by_weights && !x.parameter && !transposed_[0];
            check(x.shape.rank() >= (x.parameter || rows ? 2 : 3), "matmul",
                  "expected matrices in every image, got ", inputs[0].shape, " and ",
                  inputs[1].shape);
            leading[p] = x;
            leading[p].shape = Shape(std::vector<int64_t>(x.shape.begin(), x.shape.end() - 2));
            last[p] = Shape{x.shape[-2], x.shape[-1]};
        }
        m_ = last[0][transposed_[0] ? 1 : 0];
        k_ = last[0][transposed_[0] ? 0 : 1];
        n_ = last[1][transposed_[1] ? 0 : 1];
        check(k_ == last[1][transposed_[1] ? 1 : 0] && m_ * n_ * k_ > 0, "matmul",
              "expected matrices that fit, got ", inputs[0].shape, " and ", inputs[1].shape,
              transposed_[0] ? " (a transposed)" : "", transposed_[1] ? " (b transposed)" : "");
        one_product_ = by_weights && !inputs[0].parameter && !transposed_[0];
        if (one_product_) {
            rows_per_image_ = inputs[0].shape.elements(1) / k_;
            Tensor y{inputs[0].shape};
            y.shape[-1] = n_;
            return y;
        }
        shapes_ = Broadcasting("matmul", {leading[0], leading[1]});
        Tensor y = shapes_.output();
        y.shape.push_back(m_);
        y.shape.push_back(n_);
        y.shape.elements();
        return y;
    }

    Signature plan(const PlanContext& context) override {
        const double flops =
            2.0 * static_cast<double>(k_) * static_cast<double>(context.output.shape.elements());
        Signature signature;
        signature.stages.push_back({Phase::kForward, true, 1, 0, flops});
        if (!context.training) return signature;
        double passes = 0;
        for (size_t p = 0; p < 2; ++p) {
            signature.gradient[p] = GradientBy::kParts;
            signature.backward_reads[p] = context.wants_gradient[1 - p];
            passes += context.wants_gradient[p] ? 1 : 0;
        }
        signature.stages.push_back({Phase::kBackward, true, 1, 0, passes * flops});
        return signature;
    }

    void run(int stage, const Args& args, int64_t /*task*/) const noexcept override {
        if (stage == 0) {
            return for_products(args.images, [&](int64_t a, int64_t b, int64_t y, int64_t m) {
                gemm(m, n_, k_, stored(0, args.in[0] + a), stored(1, args.in[1] + b), 0.0f,
                     args.out + y, n_);
            });
        }
        for (size_t p = 0; p < 2; ++p) {
            if (args.d_in[p] != nullptr) backward(args, p);
        }
    }

   private:
    /// a (m, k) or b (k, n) as it lies, to be read as the product needs it.
    Matrix stored(size_t p, const float* x) const noexcept {
        const int64_t columns = p == 0 ? (transposed_[0] ? m_ : k_) : (transposed_[1] ? k_ : n_);
        return {x, columns, transposed_[p]};
    }
    static Matrix turned(Matrix x) noexcept { return {x.data, x.stride, !x.transposed}; }

    /// d[p] = dy times the other turned, or its transpose where p lies transposed.
    void backward(const Args& args, size_t p) const noexcept {
        const bool fixed = one_product_ ? p == 1 : shapes_.fixed(p);
        const bool sums = one_product_ ? p == 1 : shapes_.repeats(p);
        const int64_t size = p == 0 ? m_ * k_ : k_ * n_;
        if (sums && !(fixed && args.accumulate)) {
            const int64_t matrices = one_product_ ? 1 : shapes_.operand_size(p);
            fill_zero(args.d_in[p], size * matrices * (fixed ? 1 : args.images));
        }
        const float beta = sums ? 1.0f : 0.0f;
        for_products(args.images, [&](int64_t a, int64_t b, int64_t y, int64_t m) {
            const Matrix dy{args.d_out + y, n_};
            float* d = args.d_in[p] + (p == 0 ? a : b);
            if (p == 0) {
                const Matrix other = turned(stored(1, args.in[1] + b));
                if (transposed_[0]) return gemm(k_, m, n_, turned(other), turned(dy), beta, d, m_);
                return gemm(m, k_, n_, dy, other, beta, d, k_);
            }
            const Matrix other = turned(stored(0, args.in[0] + a));
            if (transposed_[1]) return gemm(n_, k_, m, turned(dy), turned(other), beta, d, k_);
            return gemm(k_, n_, m, other, dy, beta, d, n_);
        });
    }

    /// product(offset of a, of b, of y, rows) for each.
    template <typename Product>
    void for_products(int64_t images, Product product) const noexcept {
        if (one_product_) return product(0, 0, 0, images * rows_per_image_);
        const auto nest = nest_of<3>(shapes_, {0, 1, -1}, images, 1);
        nest.for_planes([&](const auto& at, int64_t rows, int64_t size, const auto& row,
                            const auto& step) {
            for (int64_t r = 0; r < rows; ++r) {
                for (int64_t i = 0; i < size; ++i) {
                    const auto matrix = [&](size_t p) { return at[p] + r * row[p] + i * step[p]; };
                    product(matrix(0) * m_ * k_, matrix(1) * k_ * n_, matrix(2) * m_ * n_, m_);
                }
            }
        });
    }

    std::array<bool, 2> transposed_;
    int64_t m_ = 0, n_ = 0, k_ = 0, rows_per_image_ = 0;
    bool one_product_ = false;
    Broadcasting shapes_;  // of the axes in front of the matrices
};

}  // namespace

std::unique_ptr<Op> make_matmul(Attributes& attributes) {
    return std::make_unique<Matmul>(attributes);
}

}  // namespace pronghorn
