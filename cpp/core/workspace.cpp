// SPDX-License-Identifier: Apache-2.0
#include "core/workspace.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include "core/parallel.h"

namespace pronghorn {

namespace {

ForkSafeLock lock;

/// Blocks that nobody uses now, the smallest first, and what their users need at most.
struct Idle {
    std::vector<Arena> blocks;
    std::vector<size_t> needs;
};

Idle& idle() {
    static Idle& instance = *new Idle;  // plans may be destroyed after static objects
    return instance;
}

/// The smallest idle block that is large enough, or an empty one. Then the largest makes room.
Arena take(size_t bytes) {
    const std::lock_guard<ForkSafeLock> guard(lock);
    std::vector<Arena>& blocks = idle().blocks;
    const auto fits = std::find_if(blocks.begin(), blocks.end(),
                                   [bytes](const Arena& block) { return block.size() >= bytes; });
    if (fits == blocks.end()) {
        if (!blocks.empty()) blocks.pop_back();
        return {};
    }
    Arena block = std::move(*fits);
    blocks.erase(fits);
    return block;
}

void give_back(Arena block) {
    const std::lock_guard<ForkSafeLock> guard(lock);
    std::vector<Arena>& blocks = idle().blocks;
    const auto larger = std::find_if(blocks.begin(), blocks.end(), [&block](const Arena& other) {
        return other.size() > block.size();
    });
    blocks.insert(larger, std::move(block));
}

}  // namespace

void WorkspaceUser::need(size_t bytes) {
    const std::lock_guard<ForkSafeLock> guard(lock);
    auto& [blocks, needs] = idle();
    if (bytes_ > 0) needs.erase(std::find(needs.begin(), needs.end(), bytes_));
    if (bytes > 0) needs.push_back(bytes);
    bytes_ = bytes;
    const size_t most = needs.empty() ? 0 : *std::max_element(needs.begin(), needs.end());
    while (!blocks.empty() && blocks.back().size() > most) blocks.pop_back();
}

Loan::Loan(size_t bytes) {
    if (bytes == 0) return;
    block_ = take(bytes);
    if (block_.size() == 0) block_ = Arena(bytes);
#ifdef PRONGHORN_POISON
    std::memset(block_.bytes(), 0xff, block_.size());  // not a number, wherever it is read
#endif
}

Loan::~Loan() {
    if (block_.size() > 0) give_back(std::move(block_));
}

}  // namespace pronghorn
