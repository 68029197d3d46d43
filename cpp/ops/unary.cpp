// SPDX-License-Identifier: Apache-2.0
// unary: any function of one element that kernels/unary_list.inc names, of activations or
// parameters: y = f(x), dx = dy f'(x).
#include <string>

#include "ops/elementwise.h"

namespace pronghorn {

namespace {

enum class Reads : uint8_t { kNothing, kInput, kOutput };

struct NamedUnary {
    const char* name;
    Unary kind;
    Reads reads;
    bool finite;
    int numbers;
    float alpha, beta;
};
constexpr NamedUnary kUnaries[] = {
#define PRONGHORN_UNARY(name, Type, reads, finite, numbers, alpha, beta) \
    {#name, Unary::k##Type, Reads::reads, finite, numbers, alpha, beta},
#include "kernels/unary_list.inc"
#undef PRONGHORN_UNARY
};

const NamedUnary& named_unary(const std::string& name) {
    std::string names;
    for (const NamedUnary& function : kUnaries) {
        if (name == function.name) return function;
        names += (names.empty() ? "" : ", ") + std::string(function.name);
    }
    throw ValueError(text("[unary] expected a kind of ", names, ", got '", name, "'"));
}

class UnaryOp final : public Elementwise {
   public:
    explicit UnaryOp(Attributes& attributes)
        : known_(named_unary(attributes.word("kind", ""))),
          function_{known_.kind, known_.alpha, known_.beta} {
        if (known_.numbers > 0) function_.alpha = number(attributes, "alpha", known_.alpha);
        if (known_.numbers > 1) function_.beta = number(attributes, "beta", known_.beta);
    }

    Signature plan(const PlanContext& context) override {
        Signature signature = Elementwise::plan(context);
        if (!known_.finite) {
            signature.in_layout = signature.out_layout = Layout::kRows;
            lanes_ = 1;
        }
        signature.backward_reads[0] = known_.reads == Reads::kInput;
        signature.backward_reads_output = known_.reads == Reads::kOutput;
        return signature;
    }

    std::optional<float> as_clipped_relu() const override {
        return known_.kind == Unary::kRelu6 ? std::optional<float>(6.0f) : std::nullopt;
    }

   protected:
    void forward(int64_t size, const Args& args) const noexcept override {
        kernels_->unary(function_, size, args.in[0], args.out);
    }
    void backward(int64_t size, const Args& args) const noexcept override {
        const float* source = known_.reads == Reads::kInput    ? args.in[0]
                              : known_.reads == Reads::kOutput ? args.out
                                                               : nullptr;
        kernels_->unary_backward(function_, size, source, args.d_out, args.d_in[0]);
    }

   private:
    static float number(Attributes& attributes, const char* name, float fallback) {
        return static_cast<float>(attributes.number(name, static_cast<double>(fallback)));
    }

    const NamedUnary& known_;
    UnaryFunction function_;
};

}  // namespace

std::unique_ptr<Op> make_unary(Attributes& attributes) {
    return std::make_unique<UnaryOp>(attributes);
}

}  // namespace pronghorn
