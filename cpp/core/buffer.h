// SPDX-License-Identifier: Apache-2.0
// Buffer: a float32 tensor that outlives plans: a weight, or an optimizer's state.
#pragma once

#include "core/arena.h"
#include "core/shape.h"

namespace pronghorn {

class Buffer {
   public:
    explicit Buffer(const Shape& shape)
        : shape_(shape),
          memory_(static_cast<size_t>(checked_product(shape.elements(), sizeof(float)))) {}

    const Shape& shape() const { return shape_; }
    float* data() const { return memory_.floats(); }
    int64_t size() const noexcept { return static_cast<int64_t>(memory_.size() / sizeof(float)); }

   private:
    Shape shape_;
    Arena memory_;
};

}  // namespace pronghorn
