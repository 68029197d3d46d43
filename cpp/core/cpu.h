// SPDX-License-Identifier: Apache-2.0
// What this machine is: instruction sets, usable processors, and the floating point control word.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pronghorn {

/// Instruction sets this CPU runs, widest first: "avx512", "avx2", "baseline".
std::vector<std::string> supported_isas();

/// "AMD EPYC 9J45", as cpuid spells it.
std::string cpu_name();

/// Processors this process may keep busy: its affinity mask, cut to the container's quota
/// (cgroup v2 cpu.max, v1 cpu.cfs_quota_us), at least 1.
int usable_cpus();

/// Of the first core's second cache, whatever core this is; 1 MB where the system does not say.
int64_t l2_bytes();

/// Tells the core that this is a spin loop.
void cpu_relax();

/// While it lives, this thread flushes denormals to zero; the caller's control word comes back
/// after.
class FlushDenormals {
   public:
    FlushDenormals();
    ~FlushDenormals();
    FlushDenormals(const FlushDenormals&) = delete;
    FlushDenormals& operator=(const FlushDenormals&) = delete;

   private:
    uint32_t before_;
};

}  // namespace pronghorn
