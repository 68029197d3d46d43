// SPDX-License-Identifier: Apache-2.0
// Shapes, arenas, threads.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/arena.h"
#include "core/cpu.h"
#include "core/parallel.h"
#include "core/shape.h"
#include "core/workspace.h"

using namespace pronghorn;

TEST_CASE("a shape counts its elements and prints like a tuple") {
    CHECK(Shape{2, 3, 5}.elements() == 30);
    CHECK(Shape{2, 3, 5}.elements(1) == 15);
    CHECK(Shape{}.elements() == 1);
    CHECK(Shape{4, 0}.elements() == 0);
    CHECK(Shape{7}.str() == "(7,)");
    CHECK(Shape{7, 8}.str() == "(7, 8)");
    CHECK((Shape{7, 8}[-1]) == 8);
}

TEST_CASE("a shape refuses negative, too many and overflowing extents") {
    CHECK_THROWS_AS(Shape({2, -1}), ValueError);
    CHECK_THROWS_AS(Shape({1, 1, 1, 1, 1, 1, 1, 1, 1}), ValueError);
    CHECK_THROWS_AS(Shape({int64_t{1} << 32, int64_t{1} << 32}), ValueError);
    CHECK_THROWS_AS(checked_product(std::numeric_limits<int64_t>::max(), 2), ValueError);
}

TEST_CASE("an arena is aligned, zeroed and counted") {
    for (size_t bytes : {size_t{4}, size_t{100}, size_t{3} << 20}) {
        const int64_t before = allocation_count();
        const Arena arena(bytes);
        CHECK(allocation_count() == before + 1);
        CHECK(reinterpret_cast<uintptr_t>(arena.bytes()) % Arena::kAlignment == 0);
        for (size_t i = 0; i < bytes; ++i) REQUIRE(arena.bytes()[i] == 0);
    }
    const int64_t before = allocation_count();
    const Arena empty(0);
    CHECK(allocation_count() == before);
}

TEST_CASE("an arena that cannot be had is a MemoryError") {
    CHECK_THROWS_AS(Arena(size_t{1} << 60), MemoryError);
    CHECK_THROWS_AS(Arena(std::numeric_limits<size_t>::max() - 1), MemoryError);
}

namespace {

/// Segments of 0 to 6 items; an item fails if one of an earlier segment is still to come.
struct Shift {
    static constexpr int64_t kSegments = 4000;
    Crew crew;
    std::atomic<int64_t> finished{0};
    std::atomic<int> wrong{0};
    int team_seen = 0;

    static int64_t count(int64_t segment) { return segment % 7; }
    static int64_t before(int64_t segment) {
        int64_t items = 0;
        for (int64_t i = 0; i < segment % 7; ++i) items += i;
        return segment / 7 * 21 + items;
    }
};

void work(void* opaque, int thread, int team) {
    auto& shift = *static_cast<Shift*>(opaque);
    if (thread == 0) shift.team_seen = team;
    shift.crew.work(thread, Shift::kSegments, Shift::count,
                    [&shift](int64_t segment, int64_t /*item*/) {
                        const int64_t finished = shift.finished.load();
                        const int64_t before = Shift::before(segment);
                        if (finished < before || finished >= before + Shift::count(segment))
                            ++shift.wrong;
                        ++shift.finished;
                    });
}

}  // namespace

TEST_CASE("a crew finishes a segment before the next, with more threads than cores too") {
    for (int threads : {2, 3, 8}) {
        Shift shift;
        parallel_run(threads, work, &shift);
        CHECK(shift.team_seen == threads);
        CHECK(shift.wrong.load() == 0);
        CHECK(shift.finished.load() == Shift::before(Shift::kSegments));
    }
}

namespace {

/// One segment; who takes from the front sees numbers rise, who takes from the back sees them fall.
struct Ends {
    static constexpr int64_t kItems = 1000;
    Crew crew;
    std::array<std::atomic<int>, kItems> taken{};
    std::atomic<int> wrong{0};
};

void take_from_an_end(void* opaque, int thread, int /*team*/) {
    auto& ends = *static_cast<Ends*>(opaque);
    const bool rises = thread % 2 == 0;
    int64_t before = rises ? -1 : Ends::kItems;
    const auto count = [](int64_t /*segment*/) { return Ends::kItems; };
    ends.crew.work(thread, 1, count, [&](int64_t /*segment*/, int64_t item) {
        ends.wrong += rises ? item <= before : item >= before;
        before = item;
        ++ends.taken[static_cast<size_t>(item)];
    });
}

}  // namespace

TEST_CASE("threads take items from both ends, and all of them") {
    for (int threads : {1, 2, 3}) {
        Ends ends;
        parallel_run(threads, take_from_an_end, &ends);
        CHECK(ends.wrong.load() == 0);
        CHECK(std::all_of(ends.taken.begin(), ends.taken.end(),
                          [](const std::atomic<int>& times) { return times.load() == 1; }));
    }
}

TEST_CASE("a thread whose core is taken rests for longer every time") {
    CoreShare share;
    const int64_t before = share.rest();
    for (int64_t expected : {2, 4, 8, 16, 32, 32}) {
        CHECK(share.rest() == expected * before);
    }
    CHECK(undisturbed(1) == 1);
    CHECK(undisturbed(3) >= 2);
}

TEST_CASE("the number of threads is checked") {
    const int before = num_threads();
    CHECK_THROWS_AS(set_num_threads(0), ValueError);
    CHECK_THROWS_AS(set_num_threads(1 << 20), ValueError);
    CHECK(num_threads() == before);
    CHECK(usable_cpus() >= 1);
}

TEST_CASE("the second cache has a size of some sense") {
    CHECK(l2_bytes() >= 128 << 10);
    CHECK(l2_bytes() <= 64 << 20);
}

TEST_CASE("a forked child runs its own team and finds locks open") {
    Shift first;
    parallel_run(2, work, &first);
    ForkSafeLock lock;
    lock.lock();
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        lock.lock();  // held in the parent; must not wait here
        Shift shift;
        parallel_run(2, work, &shift);
        _exit(shift.wrong.load() == 0 && shift.finished.load() > 0 ? 0 : 1);
    }
    int status = 0;
    for (int tenths = 0; tenths < 200 && waitpid(child, &status, WNOHANG) == 0; ++tenths) {
        usleep(100000);
    }
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    lock.unlock();
}

TEST_CASE("denormals are flushed inside and the caller's control word comes back") {
    volatile float tiny = 1e-39f;
    const auto product = [&] { return tiny * 1.0f; };
    CHECK(product() != 0.0f);
    {
        const FlushDenormals flush;
        CHECK(product() == 0.0f);
    }
    CHECK(product() != 0.0f);
}

TEST_CASE("idle blocks are lent again, the smallest that fits") {
    WorkspaceUser user;
    user.need(4000);
    const auto block_of = [](size_t bytes) { return Loan(bytes).floats(); };
    const float* large = block_of(4000);
    const int64_t allocated = allocation_count();
    CHECK(block_of(3000) == large);
    {
        const Loan first(4000);
        CHECK(first.floats() == large);
        const Loan second(1000);  // another one
        CHECK(second.floats() != large);
        CHECK(allocation_count() == allocated + 1);
    }
    CHECK(block_of(500) != large);
    CHECK(block_of(2000) == large);
    CHECK(allocation_count() == allocated + 1);
    CHECK(Loan(0).floats() == nullptr);
}

TEST_CASE("blocks larger than anybody needs are freed") {
    WorkspaceUser small;
    small.need(1000);
    {
        WorkspaceUser large;
        large.need(8000);
        const Loan loan(8000);
    }
    const int64_t allocated = allocation_count();
    const Loan loan(1000);
    CHECK(allocation_count() == allocated + 1);
}

TEST_CASE("a loan that cannot be had is a MemoryError") {
    CHECK_THROWS_AS(Loan(size_t{1} << 60), MemoryError);
}
