// SPDX-License-Identifier: Apache-2.0
// Threads: how many, one parallel region per call, and how a team shares the work inside it, so
// that a busy neighbour costs little more than its own core. Work is never cut by the number of
// threads; threads only decide who runs which piece.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace pronghorn {

/// Threads a call may use. Default: PRONGHORN_NUM_THREADS, else OMP_NUM_THREADS, else
/// usable_cpus().
int num_threads();
/// Throws ValueError outside [1, 1024].
void set_num_threads(int threads);

/// How much of its core a thread gets, over all its calls. A process beside it takes half; what
/// else the system does there now and then takes less than a hundredth, and is nothing to wait for.
class CoreShare {
   public:
    static CoreShare& of_this_thread() noexcept;
    /// A call began at `begin`, by nanoseconds_now(). Who comes later than it takes to wake up had
    /// to wait for the core, and so did the others.
    void come(int64_t begin) noexcept;
    /// Time from here on counts; what went before, asleep, does not.
    void start() noexcept;
    /// Counts the time since start(), and starts again.
    void add() noexcept;
    /// Whether others took a quarter of the core, looked at every five milliseconds.
    bool is_taken() noexcept;
    /// Nanoseconds to leave the core to them: twice as long every time this is so, up to 160 ms.
    int64_t rest() noexcept;

   private:
    int64_t since_ = 0, since_own_ = 0;  // nanoseconds of the wall's clock and of the thread's
    int64_t total_ = 0, own_ = 0;
    int64_t rest_ = 0, rested_ = 0;  // rested_: when the last rest ended
};

/// Hands out the items of numbered segments: all items of one, in any order by any thread, before
/// the first of the next. Threads of even numbers take them from the front, the others from the
/// back: where segments have the same items, a thread mostly finds in its own caches what it wrote.
/// Threads that have nothing to do spin, yield now and then, and sleep after 200 us. Only a thread
/// that holds an item is waited for; one whose core another process takes a quarter of steps aside
/// for a while and leaves the work to the others.
class Crew {
   public:
    static constexpr int64_t kMostSegments = int64_t{1} << 24;
    static constexpr int64_t kMostItems = 1000000;  // of a segment

    /// Every thread of the team calls this; count(segment) items each, body(segment, item)
    /// noexcept.
    template <typename Count, typename Body>
    void work(int thread, int64_t segments, Count count, Body body) noexcept {
        const bool from_front = thread % 2 == 0;
        const uint64_t one = from_front ? uint64_t{1} << kBits : 1;
        active_.fetch_add(1, std::memory_order_relaxed);
        CoreShare& share = CoreShare::of_this_thread();
        share.start();
        for (;;) {
            if (share.is_taken()) step_aside(share);
            const uint64_t ticket = ticket_.fetch_add(one, std::memory_order_acq_rel);
            const auto segment = static_cast<int64_t>(ticket >> 2 * kBits);
            const auto front = static_cast<int64_t>(ticket >> kBits & kMask);
            const auto back = static_cast<int64_t>(ticket & kMask);
            if (segment >= segments) break;
            const int64_t items = count(segment);
            if (front + back < items) {
                body(segment, from_front ? front : items - 1 - back);
                if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == items) {
                    done_.store(0, std::memory_order_relaxed);
                    open(segment + 1, segment + 1 == segments);
                }
            } else if (items == 0 && front + back == 0) {
                open(segment + 1, segment + 1 == segments);
            } else {
                wait_behind(static_cast<uint32_t>(segment));
            }
        }
        share.add();
        active_.fetch_sub(1, std::memory_order_relaxed);
    }

   private:
    void open(int64_t segment, bool finished) noexcept;
    void wait_behind(uint32_t segment) noexcept;
    void step_aside(CoreShare& share) noexcept;

    static constexpr int kBits = 20;
    static constexpr uint64_t kMask = (uint64_t{1} << kBits) - 1;
    /// The segment, then how many items were asked for from the front and from the back.
    alignas(64) std::atomic<uint64_t> ticket_{0};
    alignas(64) std::atomic<int64_t> done_{0};
    alignas(64) std::atomic<uint32_t> segment_{0};
    std::atomic<int> active_{0};
    std::mutex mutex_;
    std::condition_variable finished_;
    bool is_finished_ = false;
};

/// Runs body(context, thread, team) on a team of at most `threads` threads at once (thread 0 is the
/// caller), each with denormals flushed. OpenMP may grant fewer. The body must not throw.
void parallel_run(int threads, void (*body)(void* context, int thread, int team), void* context);

/// Of that many threads those that have a core to themselves, as far as was seen lately: at
/// least 1.
int undisturbed(int threads) noexcept;

/// A lock that a forked child finds open, whoever held it in the parent.
class ForkSafeLock {
   public:
    void lock() noexcept;
    void unlock() noexcept;

   private:
    std::atomic<uint32_t> holder_{0};  // 0: free, else 1 + the fork generation of the holder
};

/// Nanoseconds that two threads take to finish a segment of one item each (median of many).
double measure_barrier();

}  // namespace pronghorn
