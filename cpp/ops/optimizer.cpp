// SPDX-License-Identifier: Apache-2.0
// SGD with momentum (Polyak 1964; Nesterov as in Sutskever et al. 2013), Adam and Adamax (Kingma &
// Ba 2015; AMSGrad as in Reddi et al. 2018), Nadam (Dozat 2016), RMSprop (Tieleman & Hinton 2012),
// Adagrad (Duchi et al. 2011) and Adadelta (Zeiler 2012), in Keras's formulas.
#include "ops/optimizer.h"

#include <algorithm>
#include <cmath>

namespace pronghorn {

Optimizer::Optimizer(Attributes& attributes)
    : weight_decay_(attributes.number("weight_decay", 0.0)),
      clip_value_(attributes.number("clipvalue", 0.0)),
      clip_norm_(attributes.number("clipnorm", 0.0)),
      clips_together_(clip_norm_ <= 0) {
    const double together = attributes.number("global_clipnorm", 0.0);
    if (clips_together_) clip_norm_ = together;
}

std::array<float, 3> Optimizer::factors(double /*learning_rate*/, double /*t*/) const { return {}; }

Optimizer::Step Optimizer::step(double learning_rate, int64_t iteration) const {
    return {learning_rate, factors(learning_rate, static_cast<double>(iteration + 1))};
}

void Optimizer::update(const Kernels& kernels, const Step& step, Adjustment adjustment, bool decays,
                       int64_t size, float* gradient, float* w, const Slots& slots) const noexcept {
    adjustment.limit = static_cast<float>(clip_value_);
    adjustment.decay = static_cast<float>(decays ? weight_decay_ * step.learning_rate : 0.0);
    const bool adjusts = adjustment.l1 != 0 || adjustment.l2 != 0 || adjustment.scale != 1 ||
                         adjustment.limit > 0 || adjustment.decay != 0;
    if (adjusts) kernels.adjust(adjustment, size, gradient, w);
    move(kernels, step, size, gradient, w, slots);
}

std::optional<Sgd> Optimizer::plain_sgd(const Step& step, bool decays) const {
    const bool adjusts = clip_value_ > 0 || clips_norm() || (decays && weight_decay_ != 0);
    return adjusts ? std::nullopt : sgd(step);
}

namespace {

double share(Attributes& attributes, const char* name, double fallback) {
    const double value = attributes.number(name, fallback);
    check(value >= 0 && value < 1, attributes.op(), "expected ", name, " in [0, 1), got ", value);
    return value;
}

float positive(Attributes& attributes, const char* name, double fallback) {
    const double value = attributes.number(name, fallback);
    check(value > 0, attributes.op(), "expected ", name, " above 0, got ", value);
    return static_cast<float>(value);
}

class SgdOptimizer final : public Optimizer {
   public:
    explicit SgdOptimizer(Attributes& attributes)
        : Optimizer(attributes),
          momentum_(static_cast<float>(attributes.number("momentum", 0.0))),
          nesterov_(attributes.flag("nesterov", false)) {
        check(momentum_ >= 0 && momentum_ <= 1, "sgd", "expected momentum in [0, 1], got ",
              momentum_);
    }

    int slots() const override { return momentum_ == 0 ? 0 : 1; }

   protected:
    void move(const Kernels& kernels, const Step& step, int64_t size, const float* gradient,
              float* w, const Slots& slots) const noexcept override {
        kernels.sgd(*sgd(step), size, gradient, w, slots[0]);
    }
    std::optional<Sgd> sgd(const Step& step) const override {
        return Sgd{static_cast<float>(step.learning_rate), momentum_, nesterov_};
    }

   private:
    float momentum_;
    bool nesterov_;
};

/// Adam, Adamax and Nadam: running means of the gradient and of its square or magnitude.
class MomentOptimizer : public Optimizer {
   public:
    explicit MomentOptimizer(Attributes& attributes)
        : Optimizer(attributes),
          beta_1_(share(attributes, "beta_1", 0.9)),
          beta_2_(share(attributes, "beta_2", 0.999)),
          epsilon_(positive(attributes, "epsilon", 1e-7)) {}

    int slots() const override { return 2; }

   protected:
    Momenta momenta(const Step& step) const {
        const auto& [of_m, of_g, of_v] = step.factors;
        return {static_cast<float>(1 - beta_1_),
                static_cast<float>(1 - beta_2_),
                epsilon_,
                of_m,
                of_g,
                of_v};
    }

    double beta_1_, beta_2_;
    float epsilon_;
};

class AdamOptimizer final : public MomentOptimizer {
   public:
    explicit AdamOptimizer(Attributes& attributes)
        : MomentOptimizer(attributes), amsgrad_(attributes.flag("amsgrad", false)) {}

    int slots() const override { return amsgrad_ ? 3 : 2; }

   protected:
    std::array<float, 3> factors(double learning_rate, double t) const override {
        const double corrected =
            learning_rate * std::sqrt(1 - std::pow(beta_2_, t)) / (1 - std::pow(beta_1_, t));
        return {static_cast<float>(corrected)};
    }
    void move(const Kernels& kernels, const Step& step, int64_t size, const float* gradient,
              float* w, const Slots& slots) const noexcept override {
        const Adam adam{step.factors[0], static_cast<float>(1 - beta_1_),
                        static_cast<float>(1 - beta_2_), epsilon_};
        if (amsgrad_) {
            kernels.amsgrad(adam, size, gradient, w, slots[0], slots[1], slots[2]);
        } else {
            kernels.adam(adam, size, gradient, w, slots[0], slots[1]);
        }
    }

   private:
    bool amsgrad_;
};

class AdamaxOptimizer final : public MomentOptimizer {
   public:
    using MomentOptimizer::MomentOptimizer;

   protected:
    std::array<float, 3> factors(double learning_rate, double t) const override {
        return {static_cast<float>(learning_rate / (1 - std::pow(beta_1_, t)))};
    }
    void move(const Kernels& kernels, const Step& step, int64_t size, const float* gradient,
              float* w, const Slots& slots) const noexcept override {
        kernels.adamax(momenta(step), size, gradient, w, slots[0], slots[1]);
    }
};

class NadamOptimizer final : public MomentOptimizer {
   public:
    using MomentOptimizer::MomentOptimizer;

   protected:
    double schedule(double t) const { return beta_1_ * (1 - 0.5 * std::pow(0.96, t)); }

    /// The product of the schedule up to t; its factors are beta_1 when 0.96^t has vanished.
    double product(double t) const {
        constexpr double kLast = 1000;
        double product = std::pow(beta_1_, std::max(t - kLast, 0.0));
        for (double i = 1; i <= std::min(t, kLast) && product > 0; ++i) product *= schedule(i);
        return product;
    }
    std::array<float, 3> factors(double learning_rate, double t) const override {
        const double now = product(t), next = now * schedule(t + 1);
        return {static_cast<float>(learning_rate * schedule(t + 1) / (1 - next)),
                static_cast<float>(learning_rate * (1 - schedule(t)) / (1 - now)),
                static_cast<float>(1 / (1 - std::pow(beta_2_, t)))};
    }
    void move(const Kernels& kernels, const Step& step, int64_t size, const float* gradient,
              float* w, const Slots& slots) const noexcept override {
        kernels.nadam(momenta(step), size, gradient, w, slots[0], slots[1]);
    }
};

class RmsPropOptimizer final : public Optimizer {
   public:
    explicit RmsPropOptimizer(Attributes& attributes)
        : Optimizer(attributes),
          rho_(static_cast<float>(share(attributes, "rho", 0.9))),
          momentum_(static_cast<float>(attributes.number("momentum", 0.0))),
          epsilon_(positive(attributes, "epsilon", 1e-7)),
          centered_(attributes.flag("centered", false)) {}

    int slots() const override { return 1 + (momentum_ > 0 ? 1 : 0) + (centered_ ? 1 : 0); }

   protected:
    void move(const Kernels& kernels, const Step& step, int64_t size, const float* gradient,
              float* w, const Slots& slots) const noexcept override {
        const RmsProp rule{static_cast<float>(step.learning_rate), rho_, momentum_, epsilon_};
        float* momentum = momentum_ > 0 ? slots[1] : nullptr;
        float* average = centered_ ? slots[momentum_ > 0 ? 2 : 1] : nullptr;
        kernels.rmsprop(rule, size, gradient, w, slots[0], momentum, average);
    }

   private:
    float rho_, momentum_, epsilon_;
    bool centered_;
};

class AdagradOptimizer final : public Optimizer {
   public:
    explicit AdagradOptimizer(Attributes& attributes)
        : Optimizer(attributes), epsilon_(positive(attributes, "epsilon", 1e-7)) {}

    int slots() const override { return 1; }

   protected:
    void move(const Kernels& kernels, const Step& step, int64_t size, const float* gradient,
              float* w, const Slots& slots) const noexcept override {
        const Adagrad rule{static_cast<float>(step.learning_rate), 1, epsilon_};
        kernels.adagrad(rule, size, gradient, w, slots[0]);
    }

   private:
    float epsilon_;
};

class AdadeltaOptimizer final : public Optimizer {
   public:
    explicit AdadeltaOptimizer(Attributes& attributes)
        : Optimizer(attributes),
          rho_(static_cast<float>(share(attributes, "rho", 0.95))),
          epsilon_(positive(attributes, "epsilon", 1e-7)) {}

    int slots() const override { return 2; }

   protected:
    void move(const Kernels& kernels, const Step& step, int64_t size, const float* gradient,
              float* w, const Slots& slots) const noexcept override {
        const Adagrad rule{static_cast<float>(step.learning_rate), rho_, epsilon_};
        kernels.adadelta(rule, size, gradient, w, slots[0], slots[1]);
    }

   private:
    float rho_, epsilon_;
};

std::shared_ptr<const Optimizer> made(const std::string& kind, Attributes& named) {
    if (kind == "sgd") return std::make_shared<SgdOptimizer>(named);
    if (kind == "rmsprop") return std::make_shared<RmsPropOptimizer>(named);
    if (kind == "adagrad") return std::make_shared<AdagradOptimizer>(named);
    if (kind == "adadelta") return std::make_shared<AdadeltaOptimizer>(named);
    if (kind == "adamax") return std::make_shared<AdamaxOptimizer>(named);
    if (kind == "nadam") return std::make_shared<NadamOptimizer>(named);
    check(kind == "adam", "optimizer",
          "expected sgd, rmsprop, adagrad, adadelta, adam, adamax or nadam, got '", kind, "'");
    return std::make_shared<AdamOptimizer>(named);
}

}  // namespace

std::shared_ptr<const Optimizer> make_optimizer(const std::string& kind,
                                                std::map<std::string, Attribute> attributes) {
    Attributes named(kind, std::move(attributes));
    std::shared_ptr<const Optimizer> optimizer = made(kind, named);
    named.finish();
    return optimizer;
}

}  // namespace pronghorn
