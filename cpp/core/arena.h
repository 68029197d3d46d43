// SPDX-License-Identifier: Apache-2.0
// Arena: one block of zeroed memory on 2 MiB pages where it is large. The only allocator of
// tensors; it counts what it hands out, so a test can show that a step allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pronghorn {

class Arena {
   public:
    static constexpr size_t kAlignment = 64;

    Arena() = default;
    /// Throws MemoryError where the system refuses.
    explicit Arena(size_t bytes);
    ~Arena();
    Arena(Arena&& other) noexcept;
    Arena& operator=(Arena&& other) noexcept;
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    float* floats() const { return static_cast<float*>(data_); }
    char* bytes() const { return static_cast<char*>(data_); }
    size_t size() const { return size_; }

   private:
    void* data_ = nullptr;
    size_t size_ = 0;
};

/// Arenas made since the process began.
int64_t allocation_count();

}  // namespace pronghorn
