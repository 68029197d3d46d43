// SPDX-License-Identifier: Apache-2.0
// SGD with momentum (Polyak 1964; Nesterov as in Sutskever et al. 2013) and Adam (Kingma & Ba
// 2015), in Keras's formulas.
#include "ops/optimizer.h"

#include <cmath>

namespace pronghorn {

namespace {

class SgdOptimizer final : public Optimizer {
   public:
    explicit SgdOptimizer(Attributes& attributes)
        : momentum_(static_cast<float>(attributes.number("momentum", 0.0))),
          nesterov_(attributes.flag("nesterov", false)) {
        check(momentum_ >= 0 && momentum_ <= 1, "sgd", "expected momentum in [0, 1], got ",
              momentum_);
    }

    int slots() const override { return momentum_ == 0 ? 0 : 1; }
    Step step(double learning_rate, int64_t /*iteration*/) const override {
        const auto rate = static_cast<float>(learning_rate);
        return {rate, rate};
    }
    void update(const Kernels& kernels, const Step& step, int64_t size, const float* gradient,
                float* w, const Slots& slots) const noexcept override {
        kernels.sgd({step.learning_rate, momentum_, nesterov_}, size, gradient, w, slots[0]);
    }

   private:
    float momentum_;
    bool nesterov_;
};

class AdamOptimizer final : public Optimizer {
   public:
    explicit AdamOptimizer(Attributes& attributes)
        : beta_1_(attributes.number("beta_1", 0.9)),
          beta_2_(attributes.number("beta_2", 0.999)),
          epsilon_(attributes.number("epsilon", 1e-7)) {
        check(beta_1_ >= 0 && beta_1_ < 1, "adam", "expected beta_1 in [0, 1), got ", beta_1_);
        check(beta_2_ >= 0 && beta_2_ < 1, "adam", "expected beta_2 in [0, 1), got ", beta_2_);
        check(epsilon_ > 0, "adam", "expected epsilon above 0, got ", epsilon_);
    }

    int slots() const override { return 2; }
    Step step(double learning_rate, int64_t iteration) const override {
        const double t = static_cast<double>(iteration + 1);
        const double corrected =
            learning_rate * std::sqrt(1 - std::pow(beta_2_, t)) / (1 - std::pow(beta_1_, t));
        return {static_cast<float>(learning_rate), static_cast<float>(corrected)};
    }
    void update(const Kernels& kernels, const Step& step, int64_t size, const float* gradient,
                float* w, const Slots& slots) const noexcept override {
        const Adam adam{step.corrected, static_cast<float>(1 - beta_1_),
                        static_cast<float>(1 - beta_2_), static_cast<float>(epsilon_)};
        kernels.adam(adam, size, gradient, w, slots[0], slots[1]);
    }

   private:
    double beta_1_, beta_2_, epsilon_;
};

}  // namespace

std::shared_ptr<const Optimizer> make_optimizer(const std::string& kind,
                                                std::map<std::string, Attribute> attributes) {
    Attributes named(kind, std::move(attributes));
    std::shared_ptr<const Optimizer> optimizer;
    if (kind == "sgd") {
        optimizer = std::make_shared<SgdOptimizer>(named);
    } else {
        check(kind == "adam", "optimizer", "expected sgd or adam, got '", kind, "'");
        optimizer = std::make_shared<AdamOptimizer>(named);
    }
    named.finish();
    return optimizer;
}

}  // namespace pronghorn
