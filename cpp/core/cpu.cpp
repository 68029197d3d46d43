// SPDX-License-Identifier: Apache-2.0
#include "core/cpu.h"

#include <cpuid.h>
#include <sched.h>
#include <xmmintrin.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>

namespace pronghorn {

std::vector<std::string> supported_isas() {
    std::vector<std::string> isas;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("fma")) {
        isas.emplace_back("avx512");
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) isas.emplace_back("avx2");
    isas.emplace_back("baseline");
    return isas;
}

std::string cpu_name() {
    uint32_t words[12] = {};
    for (uint32_t leaf = 0; leaf < 3; ++leaf) {
        uint32_t* w = words + 4 * leaf;
        if (!__get_cpuid(0x80000002u + leaf, w, w + 1, w + 2, w + 3)) return "unknown CPU";
    }
    char name[sizeof(words) + 1] = {};
    std::memcpy(name, words, sizeof(words));
    std::string text(name);
    text.erase(0, text.find_first_not_of(' '));
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
}

namespace {

/// CPUs granted by the container, or a huge number without a limit.
double cgroup_cpus() {
    constexpr double kNoLimit = 1e9;
    std::string quota;
    double period = 0;
    std::ifstream v2("/sys/fs/cgroup/cpu.max");
    if (v2 >> quota >> period) {
        return quota == "max" || period <= 0 ? kNoLimit : std::atof(quota.c_str()) / period;
    }
    double limit = 0;
    std::ifstream v1_quota("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
    std::ifstream v1_period("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    if (v1_quota >> limit && v1_period >> period && limit > 0 && period > 0) return limit / period;
    return kNoLimit;
}

}  // namespace

int usable_cpus() {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    const int allowed = sched_getaffinity(0, sizeof(mask), &mask) == 0 ? CPU_COUNT(&mask) : 1;
    const double granted = std::min<double>(allowed, std::ceil(cgroup_cpus()));
    return std::max(1, static_cast<int>(granted));
}

int64_t l2_bytes() {
    static const int64_t kBytes = [] {
        int64_t size = 0;
        char unit = 0;
        std::ifstream cache("/sys/devices/system/cpu/cpu0/cache/index2/size");
        cache >> size >> unit;
        return size > 0 && unit == 'K'   ? size << 10
               : size > 0 && unit == 'M' ? size << 20
                                         : 1 << 20;
    }();
    return kBytes;
}

void cpu_relax() { _mm_pause(); }

FlushDenormals::FlushDenormals() : before_(_mm_getcsr()) {
    constexpr uint32_t kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
    _mm_setcsr(before_ | kFlushToZero | kDenormalsAreZero);
}
FlushDenormals::~FlushDenormals() { _mm_setcsr(before_); }

}  // namespace pronghorn
