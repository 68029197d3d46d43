// SPDX-License-Identifier: Apache-2.0
// Buffer: a float32 tensor that outlives plans: a weight, or an optimizer's state.
// It knows whether its values may have changed, so that what is computed from them can be kept.
#pragma once

#include <atomic>

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

    /// Grows with every change that plans make, and with every view.
    uint64_t version() const noexcept { return version_.load(); }
    void changed() noexcept { ++version_; }
    /// As long as somebody holds a writeable view, the values may change at any time.
    void lend() noexcept { ++version_, ++views_; }
    void take_back() noexcept { --views_; }
    bool lent() const noexcept { return views_.load() > 0; }

   private:
    Shape shape_;
    Arena memory_;
    std::atomic<uint64_t> version_{0};
    std::atomic<int64_t> views_{0};
};

}  // namespace pronghorn
