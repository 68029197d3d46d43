// SPDX-License-Identifier: Apache-2.0
// Matrix products through BLAS, one thread each: our tasks are the parallelism.
#pragma once

#include <cstdint>
#include <string>

namespace pronghorn {

/// A row-major matrix as an operand: element (i, j) at data[i * stride + j], or of its transpose.
struct Matrix {
    const float* data;
    int64_t stride;
    bool transposed = false;
};

/// Of a matrix that a task reads again and again: 128 KB stay in an L2 cache.
constexpr int64_t kBlockFloats = 32 << 10;

/// c (m, n) = a (m, k) b (k, n) + beta c.
void gemm(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float beta, float* c,
          int64_t c_stride) noexcept;

/// "OpenBLAS 0.3.34, SkylakeX kernels"
std::string blas_info();

/// Tells BLAS to leave threads to us. Called once when the module is loaded.
void start_blas();

}  // namespace pronghorn
