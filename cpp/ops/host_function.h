// SPDX-License-Identifier: Apache-2.0
// HostFunction: a computation that lies outside of this library, for the op `custom`. What it is
// written in is the business of the bindings.
#pragma once

#include <atomic>
#include <vector>

#include "core/shape.h"

namespace pronghorn {

class HostFunction {
   public:
    HostFunction() = default;
    HostFunction(const HostFunction&) = delete;
    HostFunction& operator=(const HostFunction&) = delete;
    virtual ~HostFunction() = default;

    /// An array of the plan, with the batch in front; null where it is not wanted.
    template <typename T>
    struct Array {
        T* data;
        Shape shape;
    };

    /// Writes y, or sets `failed`.
    virtual void forward(const std::vector<Array<const float>>& x, Array<float> y) noexcept = 0;
    /// Writes the gradients that are wanted, or sets `failed`.
    virtual void backward(const std::vector<Array<const float>>& x, Array<const float> dy,
                          const std::vector<Array<float>>& dx) noexcept = 0;
    /// Throws what made it fail and forgets it.
    virtual void rethrow() = 0;

    /// A plan stops where one of its functions failed.
    std::atomic<bool> failed{false};
};

}  // namespace pronghorn
