// SPDX-License-Identifier: Apache-2.0
#include "core/arena.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/check.h"

namespace pronghorn {

namespace {
std::atomic<int64_t> allocations{0};
constexpr size_t kHugePage = size_t{2} << 20;
}  // namespace

int64_t allocation_count() { return allocations.load(); }

Arena::Arena(size_t bytes) {
    if (bytes == 0) return;
    const size_t alignment = bytes >= kHugePage ? kHugePage : kAlignment;
    const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (rounded < bytes || posix_memalign(&data_, alignment, rounded) != 0) {
        throw MemoryError(text("[memory] ", bytes, " bytes cannot be had"));
    }
    // Whole pages only: the rest of a last one would be memory for nothing.
    if (alignment == kHugePage) madvise(data_, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
    std::memset(data_, 0, rounded);
    size_ = bytes;
    ++allocations;
}

Arena::~Arena() { std::free(data_); }

Arena::Arena(Arena&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Arena& Arena::operator=(Arena&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

}  // namespace pronghorn
