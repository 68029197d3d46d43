// SPDX-License-Identifier: Apache-2.0
// The 36 matrix products of a Winograd convolution: tiles of rows x vectors are summed in
// registers, a broadcast, b loaded as vectors. Buffers end with whole vectors, so nothing is
// masked.
#include "kernels/winograd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

constexpr int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The sums, a row of b and one broadcast fill the registers.
constexpr int kMostRows = (kRegisters - 2 - 2) / 2;

struct Part {
    int64_t begin, end;  // of the depth
    bool accumulate;
};
using TileFunction = void (*)(const WinogradProduct& product, const Part& part, const float* a,
                              const float* b, float* c);

/// kTurned: the rows of a lie side by side (a_row is 1), else its depth does (a_step is 1).
template <int kRows, int kVectors, bool kTurned>
void tile(const WinogradProduct& product, const Part& part, const float* a, const float* b,
          float* c) {
    constexpr int kGroup = kTurned ? kRows : 5;  // rows that share a pointer
    constexpr int kGroups = (kRows + kGroup - 1) / kGroup;
    const int64_t row = kTurned ? 1 : product.a_row, step = kTurned ? product.a_step : 1;
    Vec sums[kRows][kVectors] = {};
    const float* rows[kGroups];
#pragma GCC unroll 4
    for (int g = 0; g < kGroups; ++g) rows[g] = a + g * kGroup * row + part.begin * step;
    b += part.begin * kWinogradPanel;
    for (int64_t k = part.begin; k < part.end; ++k, b += kWinogradPanel) {
        Vec columns[kVectors];
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) columns[v] = in_register(load(b + v * kLanes));
#pragma GCC unroll 16
        for (int m = 0; m < kRows; ++m) {
            const Vec value = set1(rows[m / kGroup][m % kGroup * row]);
#pragma GCC unroll 2
            for (int v = 0; v < kVectors; ++v) sums[m][v] = fma(value, columns[v], sums[m][v]);
        }
#pragma GCC unroll 4
        for (int g = 0; g < kGroups; ++g) rows[g] += step;
    }
#pragma GCC unroll 16
    for (int m = 0; m < kRows; ++m, c += product.c_row) {
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) {
            const Vec sum = part.accumulate ? load(c + v * kLanes) + sums[m][v] : sums[m][v];
            store(c + v * kLanes, sum);
        }
    }
}

template <int kRows, int kVectors, bool kTurned>
TileFunction tile_of(int64_t rows) {
    if constexpr (kRows > 1) {
        if (rows < kRows) return tile_of<kRows - 1, kVectors, kTurned>(rows);
    }
    return &tile<kRows, kVectors, kTurned>;
}

TileFunction tile_with(int64_t rows, int64_t columns, bool turned) {
    if (columns > kLanes) {
        return turned ? tile_of<kMostRows, 2, true>(rows) : tile_of<kMostRows, 2, false>(rows);
    }
    return turned ? tile_of<kMostRows, 1, true>(rows) : tile_of<kMostRows, 1, false>(rows);
}

/// The rows in tiles that differ by one at most: `larger` of size + 1, then the others.
struct Rows {
    explicit Rows(int64_t rows)
        : tiles(ceil_div(rows, kMostRows)), size(rows / tiles), larger(rows % tiles) {}
    int64_t tiles, size, larger;
};

}  // namespace

void winograd_product(const WinogradProduct& product) noexcept {
    // A panel of b, 32 KB with AVX-512, stays in L1 while all rows pass.
    constexpr int64_t kDepth = 256;
    const bool turned = product.a_row == 1;
    const Rows rows(product.rows);
    const int64_t parts = ceil_div(product.depth, kDepth);
    for (int p = 0; p < 36; ++p) {
        for (int64_t d = 0; d < parts; ++d) {
            const Part part{product.depth * d / parts, product.depth * (d + 1) / parts,
                            product.accumulate || d > 0};
            for (int64_t j = 0; j < product.columns; j += kWinogradPanel) {
                const int64_t columns = min_of(kWinogradPanel, product.columns - j);
                const TileFunction small = tile_with(rows.size, columns, turned);
                const TileFunction large = tile_with(rows.size + 1, columns, turned);
                const float* a = product.a + p * product.a_plane;
                const float* b =
                    product.b + p * product.b_plane + j / kWinogradPanel * product.b_panel;
                float* c = product.c + p * product.c_plane + j;
                for (int64_t i = 0; i < rows.tiles; ++i) {
                    const bool more = i < rows.larger;
                    (more ? large : small)(product, part, a, b, c);
                    a += (rows.size + more) * product.a_row;
                    c += (rows.size + more) * product.c_row;
                }
            }
        }
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
