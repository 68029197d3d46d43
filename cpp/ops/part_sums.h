// SPDX-License-Identifier: Apache-2.0
// PartSums: the gradients of a kernel and a bias where an image is cut into pieces. Each piece
// writes a sum of its own; a stage whose tasks own blocks of the gradients adds them up, in order.
#pragma once

#include "ops/pieces.h"

namespace pronghorn {

class PartSums {
   public:
    PartSums() = default;
    /// Floats of the gradients; 0 where one is not wanted.
    PartSums(int64_t parts, int64_t kernel, int64_t bias)
        : parts_(parts),
          kernel_(kernel),
          bias_(bias),
          stride_((kernel + bias + kLine - 1) / kLine * kLine),
          block_(std::max(kSmall, (kernel / kPieces + kLine - 1) / kLine * kLine)) {}

    int64_t parts() const { return parts_; }

    /// The stage whose tasks, as many, write the parts, and the one that adds them up behind it.
    void add_stages(Signature& signature, Stage writes) const {
        writes.tasks = parts_;
        writes.packed = signature.packed.size();
        signature.packed.push_back(parts_ * stride_);
        signature.stages.push_back(writes);
        const bool large = parts_ * stride_ >= kLargeBlock;  // not to be kept till the end
        Stage adds{large ? Phase::kBackward : Phase::kGradient, false,
                   std::max<int64_t>(1, (kernel_ + block_ - 1) / block_), 0, 0};
        adds.reads_d_out = adds.reads_out = adds.reads_in = false;
        adds.reads_kernel = adds.writes_d_in = false;
        adds.packed = writes.packed;
        signature.stages.push_back(adds);
        signature.gradient[1] = signature.gradient[2] = GradientBy::kOwner;
    }

    /// Where a part goes; null where that gradient is not wanted.
    float* kernel(const Args& args, int64_t part) const {
        return kernel_ == 0 ? nullptr : args.packed + part * stride_;
    }
    float* bias(const Args& args, int64_t part) const {
        return bias_ == 0 ? nullptr : args.packed + part * stride_ + kernel_;
    }

    /// Of a task that adds up.
    Range owned(int input, int64_t task) const {
        if (input == 2) return task == 0 ? Range{0, bias_} : Range{};
        const int64_t begin = std::min(task * block_, kernel_);
        return {begin, std::min(block_, kernel_ - begin)};
    }
    void add(const Kernels& kernels, const Args& args, int64_t task) const noexcept {
        const Range rows = owned(1, task);
        if (args.d_in[1] != nullptr) {
            kernels.sum_sources(rows.count, args.packed + rows.begin, parts_, stride_,
                                args.d_in[1]);
        }
        if (task != 0 || args.d_in[2] == nullptr) return;
        kernels.sum_sources(bias_, args.packed + kernel_, parts_, stride_, args.d_in[2]);
    }

   private:
    static constexpr int64_t kLine = 16, kSmall = 4096;  // floats

    int64_t parts_ = 0;
    int64_t kernel_ = 0, bias_ = 0;
    int64_t stride_ = 0, block_ = kSmall;  // of a part; of what a task owns
};

}  // namespace pronghorn
