// SPDX-License-Identifier: Apache-2.0
// Optimizers: how a block of a parameter moves, given its gradient. Their state (slots) lies in
// Buffers as long as the parameter.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "kernels/kernels.h"
#include "ops/attributes.h"

namespace pronghorn {

constexpr int kMaxSlots = 3;
using Slots = std::array<float*, kMaxSlots>;

class Optimizer {
   public:
    explicit Optimizer(Attributes& attributes);
    virtual ~Optimizer() = default;
    virtual int slots() const = 0;

    /// Gradients of all parameters together, or of each, are scaled down to a norm of at most this;
    /// 0: they are not.
    double clip_norm() const { return clip_norm_; }
    bool clips_together() const { return clips_together_; }
    bool clips_norm() const { return clip_norm_ > 0; }

    /// What one step needs to know beyond the learning rate, worked out once per step.
    struct Step {
        double learning_rate = 0;      // as the user set it
        std::array<float, 3> factors;  // the rule's own, for step t
    };
    /// Step number `iteration` (0 for the first).
    Step step(double learning_rate, int64_t iteration) const;

    /// Moves w. The gradient is adjusted first: see Adjustment.
    void update(const Kernels& kernels, const Step& step, Adjustment adjustment, bool decays,
                int64_t size, float* gradient, float* w, const Slots& slots) const noexcept;

    /// The rule, where it is SGD and gradients are not adjusted, l1 and l2 aside.
    std::optional<Sgd> plain_sgd(const Step& step, bool decays) const;

   protected:
    virtual std::optional<Sgd> sgd(const Step& /*step*/) const { return std::nullopt; }
    virtual std::array<float, 3> factors(double learning_rate, double t) const;
    virtual void move(const Kernels& kernels, const Step& step, int64_t size, const float* gradient,
                      float* w, const Slots& slots) const noexcept = 0;

   private:
    double weight_decay_, clip_value_, clip_norm_;
    bool clips_together_;
};

/// Keras's rules by name: sgd, adam, rmsprop, adagrad, adadelta, adamax, nadam; throws ValueError
/// for an unknown name or attribute.
std::shared_ptr<const Optimizer> make_optimizer(const std::string& kind,
                                                std::map<std::string, Attribute> attributes);

}  // namespace pronghorn
