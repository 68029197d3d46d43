// SPDX-License-Identifier: Apache-2.0
// Constraints: what a parameter's values must be after every update.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/shape.h"
#include "ops/attributes.h"

namespace pronghorn {

class Constraint {
   public:
    virtual ~Constraint() = default;
    /// Pieces that share no element.
    virtual int64_t tasks() const = 0;
    virtual void run(float* w, int64_t task) const noexcept = 0;
};

/// "non_negative", or "norm": norms over the axes go to at least `least` and at most `most`, by a
/// share `rate` of the way. Throws ValueError for another name or wrong axes.
std::shared_ptr<const Constraint> make_constraint(const std::string& kind, Attributes& attributes,
                                                  const Shape& shape);

}  // namespace pronghorn
