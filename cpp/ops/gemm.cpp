// SPDX-License-Identifier: Apache-2.0
#include "ops/gemm.h"

// The few CBLAS names used, declared here: vendors' headers differ, the ABI does not.
#define PRONGHORN_JOIN_NAMES(prefix, name) prefix##name
#define PRONGHORN_JOIN(prefix, name) PRONGHORN_JOIN_NAMES(prefix, name)
#define PRONGHORN_BLAS_NAME(name) PRONGHORN_JOIN(PRONGHORN_BLAS_PREFIX, name)

extern "C" {
void PRONGHORN_BLAS_NAME(cblas_sgemm)(int order, int transpose_a, int transpose_b, int m, int n,
                                      int k, float alpha, const float* a, int a_stride,
                                      const float* b, int b_stride, float beta, float* c,
                                      int c_stride);
// OpenBLAS only; another vendor's library has none of these.
[[gnu::weak]] void PRONGHORN_BLAS_NAME(openblas_set_num_threads)(int threads);
[[gnu::weak]] char* PRONGHORN_BLAS_NAME(openblas_get_config)();
[[gnu::weak]] char* PRONGHORN_BLAS_NAME(openblas_get_corename)();
}

namespace pronghorn {

void gemm(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float beta, float* c,
          int64_t c_stride) noexcept {
    constexpr int kRowMajor = 101, kAsIs = 111, kTransposed = 112;
    PRONGHORN_BLAS_NAME(cblas_sgemm)
    (kRowMajor, a.transposed ? kTransposed : kAsIs, b.transposed ? kTransposed : kAsIs,
     static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), 1.0f, a.data,
     static_cast<int>(a.stride), b.data, static_cast<int>(b.stride), beta, c,
     static_cast<int>(c_stride));
}

std::string blas_info() {
    if (PRONGHORN_BLAS_NAME(openblas_get_config) == nullptr) return "a BLAS that does not say";
    const std::string config = PRONGHORN_BLAS_NAME(openblas_get_config)();
    const size_t name_end = config.find(' ', config.find(' ') + 1);
    return config.substr(0, name_end) + ", " + PRONGHORN_BLAS_NAME(openblas_get_corename)() +
           " kernels";
}

void start_blas() {
    if (PRONGHORN_BLAS_NAME(openblas_set_num_threads) != nullptr) {
        PRONGHORN_BLAS_NAME(openblas_set_num_threads)(1);
    }
}

}  // namespace pronghorn
