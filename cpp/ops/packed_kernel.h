// SPDX-License-Identifier: Apache-2.0
// PackedKernel: a convolution's kernel packed for the forward pass and, transposed, for dx. One
// stage packs both into one block while that is small; larger kernels have a block and a stage for
// each pass, so that where weights change with every step each lives only while it is read.
#pragma once

#include "ops/op.h"

namespace pronghorn {

class PackedKernel {
   public:
    /// Floats for the forward pass and for dx, either may be 0.
    PackedKernel(int64_t forward, int64_t dx)
        : forward_(forward),
          dx_(dx),
          apart_(forward > 0 && dx > 0 && forward + dx >= kLargeBlock) {}

    int64_t size() const { return forward_ + dx_; }
    bool forward() const { return forward_ > 0; }

    /// The stages that pack, each of so many tasks; returns how many they are.
    int add_stages(Signature& signature, int64_t tasks) const {
        if (size() == 0) return 0;
        if (apart_) {
            signature.packed = {forward_, dx_};
        } else {
            signature.packed = {size()};
        }
        for (size_t block = 0; block < signature.packed.size(); ++block) {
            signature.stages.push_back({Phase::kPrepare, false, tasks, 0, 0});
            signature.stages.back().packed = block;
        }
        return static_cast<int>(signature.packed.size());
    }

    /// Which of Signature::packed has the kernel for dx, and where in it; that for the forward pass
    /// begins the first.
    size_t dx_block() const { return apart_ ? 1 : 0; }
    int64_t dx_offset() const { return apart_ ? 0 : forward_; }

    /// What that stage packs.
    bool packs_forward(int stage) const { return forward() && (!apart_ || stage == 0); }
    bool packs_dx(int stage) const { return dx_ > 0 && (!apart_ || stage == 1); }

   private:
    int64_t forward_, dx_;
    bool apart_;
};

}  // namespace pronghorn
