// SPDX-License-Identifier: Apache-2.0
// Workspace: memory that is only needed for the length of a call, shared by all plans. A model's
// plans for training, evaluation and prediction run one after the other in the same blocks.
#pragma once

#include "core/arena.h"

namespace pronghorn {

/// Blocks that somebody will borrow again and again. While there are such, blocks no larger than
/// theirs are kept for the next call.
class WorkspaceUser {
   public:
    WorkspaceUser() = default;
    ~WorkspaceUser() { need(0); }
    WorkspaceUser(const WorkspaceUser&) = delete;
    WorkspaceUser& operator=(const WorkspaceUser&) = delete;

    /// The largest block from now on.
    void need(size_t bytes);

   private:
    size_t bytes_ = 0;
};

/// A block of at least that many bytes, for as long as this lives. What lies in it is left over
/// from another call. Throws MemoryError where the system refuses.
class Loan {
   public:
    Loan() = default;
    explicit Loan(size_t bytes);
    ~Loan();
    Loan(Loan&& other) noexcept = default;
    Loan& operator=(Loan&& other) noexcept = default;

    float* floats() const { return block_.floats(); }

   private:
    Arena block_;
};

}  // namespace pronghorn
