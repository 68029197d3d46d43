// SPDX-License-Identifier: Apache-2.0
// sparse_categorical_accuracy, categorical_accuracy, binary_accuracy: the share of an image's rows
// (binary: elements) that are predicted right. The first of equal scores wins, as in NumPy's
// argmax. The top_k forms count a row as right where fewer than k classes score higher than its
// own.
#include <limits>

#include "ops/loss.h"

namespace pronghorn {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class Accuracy final : public Loss {
   public:
    enum class Kind : uint8_t { kSparse, kCategorical, kBinary };

    Accuracy(Attributes& attributes, Kind kind, bool top_k = false)
        : Loss(attributes), kind_(kind) {
        if (top_k) {
            k_ = attributes.integer("k", 5);
            check(k_ >= 1, name(), "expected k of at least 1, got ", k_);
        }
        if (kind_ == Kind::kBinary) {
            threshold_ = static_cast<float>(attributes.number("threshold", 0.5));
        }
    }

    /// The largest logit is the largest probability.
    bool accept_logits() override { return kind_ != Kind::kBinary; }

   protected:
    bool sparse() const override { return kind_ == Kind::kSparse; }

    int64_t argmax(const float* x) const noexcept {
        int64_t best = 0;
        for (int64_t c = 1; c < last_; ++c) {
            if (x[c] > x[best]) best = c;
        }
        return best;
    }

    bool is_in_top(const float* x, int64_t truth) const noexcept {
        if (truth < 0 || truth >= last_) return false;
        const float own = x[truth] != x[truth] ? -kInfinity : x[truth];  // NaN is no large score
        int64_t above = 0;
        for (int64_t c = 0; c < last_; ++c) above += x[c] > own;
        return above < k_;
    }

    /// How many of the row's elements, or whether the row itself, is right.
    int64_t right(const Image& image, int64_t row) const noexcept {
        const float* x = image.y_pred + row * last_;
        if (kind_ == Kind::kBinary) {
            const float* target = image.target + row * last_;
            int64_t right = 0;
            for (int64_t c = 0; c < last_; ++c) {
                right += (x[c] > threshold_ ? 1.0f : 0.0f) == target[c];
            }
            return right;
        }
        const int64_t truth =
            kind_ == Kind::kSparse ? image.labels()[row] : argmax(image.target + row * last_);
        return k_ == 0 ? argmax(x) == truth : is_in_top(x, truth);
    }

    double forward(const Image& image, float* /*state*/) const noexcept override {
        double sum = 0;
        for (int64_t row = 0; row < rows_; ++row) {
            sum += static_cast<double>(image.weight(row)) * static_cast<double>(right(image, row));
        }
        return kind_ == Kind::kBinary ? sum / static_cast<double>(last_) : sum;
    }

    /// A step function: its derivative is zero where it has one.
    void backward(const Image& /*image*/, const float* /*state*/, float /*scale*/,
                  float* d_pred) const noexcept override {
        for (int64_t i = 0; i < rows_ * last_; ++i) d_pred[i] = 0;
    }

   private:
    Kind kind_;
    float threshold_ = 0.5f;
    int64_t k_ = 0;  // 0: the best alone
};

}  // namespace

std::unique_ptr<Op> make_sparse_categorical_accuracy(Attributes& attributes) {
    return std::make_unique<Accuracy>(attributes, Accuracy::Kind::kSparse);
}
std::unique_ptr<Op> make_categorical_accuracy(Attributes& attributes) {
    return std::make_unique<Accuracy>(attributes, Accuracy::Kind::kCategorical);
}
std::unique_ptr<Op> make_sparse_top_k_categorical_accuracy(Attributes& attributes) {
    return std::make_unique<Accuracy>(attributes, Accuracy::Kind::kSparse, true);
}
std::unique_ptr<Op> make_top_k_categorical_accuracy(Attributes& attributes) {
    return std::make_unique<Accuracy>(attributes, Accuracy::Kind::kCategorical, true);
}
std::unique_ptr<Op> make_binary_accuracy(Attributes& attributes) {
    return std::make_unique<Accuracy>(attributes, Accuracy::Kind::kBinary);
}

}  // namespace pronghorn
