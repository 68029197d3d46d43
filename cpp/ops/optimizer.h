// SPDX-License-Identifier: Apache-2.0
// Optimizers: how a block of a parameter moves, given its gradient. Their state (slots) lies in
// Buffers as long as the parameter.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "kernels/kernels.h"
#include "ops/attributes.h"

namespace pronghorn {

constexpr int kMaxSlots = 2;
using Slots = std::array<float*, kMaxSlots>;

class Optimizer {
   public:
    virtual ~Optimizer() = default;
    virtual int slots() const = 0;

    /// What one step needs to know beyond the learning rate, worked out once per step.
    struct Step {
        float learning_rate;  // as the user set it
        float corrected;      // with the rule's own corrections for step t
    };
    /// Step number `iteration` (0 for the first).
    virtual Step step(double learning_rate, int64_t iteration) const = 0;

    virtual void update(const Kernels& kernels, const Step& step, int64_t size,
                        const float* gradient, float* w, const Slots& slots) const noexcept = 0;
};

/// "sgd" or "adam"; throws ValueError for an unknown name or attribute.
std::shared_ptr<const Optimizer> make_optimizer(const std::string& kind,
                                                std::map<std::string, Attribute> attributes);

}  // namespace pronghorn
