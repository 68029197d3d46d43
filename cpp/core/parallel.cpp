// SPDX-License-Identifier: Apache-2.0
#include "core/parallel.h"

#include <omp.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/cpu.h"

namespace pronghorn {

namespace {

constexpr int kMaxThreads = 1024;

/// Forks this process has come through: in a child, one more than in its parent.
std::atomic<uint32_t> fork_generation{0};

/// libgomp's pool does not survive fork: it is put away before, so parent and child start afresh.
void before_fork() { omp_pause_resource_all(omp_pause_soft); }
void after_fork_in_child() { fork_generation.fetch_add(1); }

/// 0 where the variable is not set. OpenMP's may be a list, "4,2": the first level counts.
int threads_from_environment(const char* name) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') return 0;
    const long threads = std::strtol(value, nullptr, 10);
    check(threads >= 1 && threads <= kMaxThreads, "threads", name, ": expected 1 to ", kMaxThreads,
          ", got '", value, "'");
    return static_cast<int>(threads);
}

int default_threads() {
    pthread_atfork(before_fork, nullptr, after_fork_in_child);
    if (const int n = threads_from_environment("PRONGHORN_NUM_THREADS")) return n;
    if (const int n = threads_from_environment("OMP_NUM_THREADS")) return n;
    return usable_cpus();
}

std::atomic<int>& thread_setting() {
    static std::atomic<int> threads{default_threads()};
    return threads;
}

}  // namespace

int num_threads() { return thread_setting().load(); }

void set_num_threads(int threads) {
    check(threads >= 1 && threads <= kMaxThreads, "set_num_threads", "expected 1 to ", kMaxThreads,
          " threads, got ", threads);
    thread_setting().store(threads);
}

namespace {

int64_t nanoseconds_now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

int64_t own_nanoseconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * int64_t{1000000000} + time.tv_nsec;
}

/// When the last thread that stepped aside comes back.
std::atomic<int64_t> disturbed_until{0};

}  // namespace

CoreShare& CoreShare::of_this_thread() noexcept {
    thread_local CoreShare share;
    return share;
}

void CoreShare::come(int64_t begin) noexcept {
    constexpr int64_t kWakesUp = 300000;
    const int64_t late = nanoseconds_now() - begin;
    if (late > kWakesUp) total_ += late;
}

void CoreShare::start() noexcept {
    since_ = nanoseconds_now();
    since_own_ = own_nanoseconds();
}

void CoreShare::add() noexcept {
    total_ -= since_;
    own_ -= since_own_;
    start();
    total_ += since_;
    own_ += since_own_;
}

bool CoreShare::is_taken() noexcept {
    constexpr int64_t kWindow = 5000000;
    if (total_ + nanoseconds_now() - since_ < kWindow) return false;
    add();
    const bool taken = 4 * own_ < 3 * total_;
    total_ = own_ = 0;
    return taken;
}

int64_t CoreShare::rest() noexcept {
    constexpr int64_t kShortest = 5000000, kLongest = 32 * kShortest;
    const int64_t now = nanoseconds_now();
    const bool again = now - rested_ < 2 * rest_;
    rest_ = again ? std::min(2 * rest_, kLongest) : kShortest;
    rested_ = now + rest_;
    return rest_;
}

int undisturbed(int threads) noexcept {
    return threads > 1 && nanoseconds_now() < disturbed_until.load() ? threads - 1 : threads;
}

void Crew::open(int64_t segment, bool finished) noexcept {
    ticket_.store(static_cast<uint64_t>(segment) << 2 * kBits, std::memory_order_release);
    segment_.store(static_cast<uint32_t>(segment), std::memory_order_release);
    segment_.notify_all();
    if (finished) {
        const std::lock_guard<std::mutex> guard(mutex_);
        is_finished_ = true;
        finished_.notify_all();
    }
}

void Crew::wait_behind(uint32_t segment) noexcept {
    // Some 200 us, as uneven shares take, then sleep until notified. Every 20 us others may have
    // the core: there may be more threads than cores.
    constexpr int kSpins = 2000, kRounds = 10;
    for (int i = 1; i <= kRounds * kSpins; ++i) {
        if (segment_.load(std::memory_order_acquire) != segment) return;
        i % kSpins == 0 ? static_cast<void>(sched_yield()) : cpu_relax();
    }
    segment_.wait(segment, std::memory_order_acquire);
    CoreShare::of_this_thread().start();
}

void Crew::step_aside(CoreShare& share) noexcept {
    const int64_t rest = share.rest();
    disturbed_until.store(nanoseconds_now() + rest);
    if (active_.fetch_sub(1, std::memory_order_relaxed) > 1) {  // somebody else stays
        std::unique_lock<std::mutex> guard(mutex_);
        finished_.wait_for(guard, std::chrono::nanoseconds(rest), [this] { return is_finished_; });
        share.start();
    }
    active_.fetch_add(1, std::memory_order_relaxed);
}

void parallel_run(int threads, void (*body)(void* context, int thread, int team), void* context) {
    if (threads == 1) {
        const FlushDenormals flush;
        body(context, 0, 1);
        return;
    }
    const int64_t begin = nanoseconds_now();
#pragma omp parallel num_threads(threads)
    {
        const FlushDenormals flush;
        CoreShare::of_this_thread().come(begin);
        body(context, omp_get_thread_num(), omp_get_num_threads());
    }
}

void ForkSafeLock::lock() noexcept {
    const uint32_t mine = fork_generation.load() + 1;
    uint32_t seen = 0;
    while (!holder_.compare_exchange_weak(seen, mine, std::memory_order_acquire)) {
        if (seen == mine) {
            holder_.wait(seen);
            seen = 0;
        }  // else a holder that stayed behind in the parent: take it over
    }
}

void ForkSafeLock::unlock() noexcept {
    holder_.store(0, std::memory_order_release);
    holder_.notify_one();
}

double measure_barrier() {
    constexpr int64_t kSegments = 10000;
    constexpr int kRounds = 20;
    std::vector<double> nanoseconds;
    for (int round = 0; round < kRounds; ++round) {
        Crew crew;
        const auto body = [](void* opaque, int thread, int /*team*/) {
            const auto two = [](int64_t /*segment*/) { return 2; };
            static_cast<Crew*>(opaque)->work(thread, kSegments, two, [](int64_t, int64_t) {});
        };
        const int64_t begin = nanoseconds_now();
        parallel_run(2, body, &crew);
        nanoseconds.push_back(static_cast<double>(nanoseconds_now() - begin) / kSegments);
    }
    std::sort(nanoseconds.begin(), nanoseconds.end());
    return nanoseconds[kRounds / 2];
}

}  // namespace pronghorn
