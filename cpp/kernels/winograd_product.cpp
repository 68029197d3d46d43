// SPDX-License-Identifier: Apache-2.0
// The matrix products of a Winograd convolution, one for each point: tiles of rows x vectors are
// summed in registers, a broadcast, b loaded as vectors. Buffers end with whole vectors, so nothing
// is masked.
#include "kernels/winograd.h"

namespace pronghorn::PRONGHORN_ISA {
namespace {

/// The sums, a row of b and one broadcast fill the registers.
constexpr int kMostRows = (kRegisters - 2 - 2) / 2;
constexpr int64_t kLine = 16;  // floats of the cache
/// Rows that share a pointer; all of them where they lie side by side.
constexpr int kPlainGroup = 5;

struct Part {
    int64_t begin, end;  // of the depth
    const float* next;   // of b, what is read behind this panel of it,
    int64_t next_step;   // of which a row's tile fetches that much
    bool accumulate;
};
using TileFunction = void (*)(const WinogradProduct& product, const Part& part, const float* a,
                              const float* b, float* c);

/// kTurned: the rows of a lie side by side (a_row is 1), else its depth does (a_step is 1). kFetch:
/// what is read after this panel of b comes nearer, to L2, meanwhile.
enum Kind { kTurned, kPlain, kFetch };
template <int kRows, int kVectors, Kind kKind>
void tile(const WinogradProduct& product, const Part& part, const float* a, const float* b,
          float* c) {
    constexpr int kGroup = kKind == kTurned ? kRows : kPlainGroup;
    constexpr int kGroups = (kRows + kGroup - 1) / kGroup;
    const int64_t row = kKind == kTurned ? 1 : product.a_row;
    const int64_t step = kKind == kTurned ? product.a_step : 1;
    if (kKind == kTurned && part.accumulate) {  // sums of all points come from L3
        for (int m = 0; m < kRows; ++m) {
            for (int v = 0; v < kVectors; ++v) {
                __builtin_prefetch(c + m * product.c_row + v * kLanes, 1);
            }
        }
    }
    Vec sums[kRows][kVectors] = {};
    const float* next = part.next;
    const float* rows[kGroups];
#pragma GCC unroll 4
    for (int g = 0; g < kGroups; ++g) rows[g] = a + g * kGroup * row + part.begin * step;
    for (int64_t k = part.begin; k < part.end; ++k, b += kWinogradPanel) {
        Vec columns[kVectors];
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) columns[v] = in_register(load(b + v * kLanes));
        if constexpr (kKind == kFetch) {
#pragma GCC unroll 2
            for (int64_t i = 0; i < kWinogradPanel; i += kLine) __builtin_prefetch(next + i, 0, 2);
            next += part.next_step;
        }
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

template <int kRows, int kVectors, Kind kKind>
TileFunction tile_of(int64_t rows) {
    if constexpr (kRows > 1) {
        if (rows < kRows) return tile_of<kRows - 1, kVectors, kKind>(rows);
    }
    return &tile<kRows, kVectors, kKind>;
}

template <Kind kKind>
TileFunction tile_with(int64_t rows, int64_t columns) {
    return columns > kLanes ? tile_of<kMostRows, 2, kKind>(rows)
                            : tile_of<kMostRows, 1, kKind>(rows);
}

TileFunction tile_with(Kind kind, int64_t rows, int64_t columns) {
    return (kind == kTurned  ? tile_with<kTurned>
            : kind == kPlain ? tile_with<kPlain>
                             : tile_with<kFetch>)(rows, columns);
}

/// The rows in tiles that differ by one at most: `larger` of size + 1, then the others.
struct Rows {
    explicit Rows(int64_t rows)
        : tiles(ceil_div(rows, kMostRows)), size(rows / tiles), larger(rows % tiles) {}
    int64_t tiles, size, larger;
};

/// All rows of c for one panel of b and a part of the depth. The first tiles share in fetching the
/// next panel, so that memory is busy all the time.
void multiply_panel(const WinogradProduct& product, const Rows& rows, Kind kind, Part part,
                    const float* a, const float* b, float* c, int64_t columns) {
    constexpr int64_t kMostFetching = 4;
    const int64_t fetching = kind == kFetch ? min_of(kMostFetching, rows.tiles) : 0;
    if (fetching > 0) part.next_step = ceil_div(kWinogradPanel, fetching);
    for (int64_t i = 0; i < rows.tiles;) {
        if (i == fetching && kind == kFetch) kind = kPlain;
        const bool more = i < rows.larger;
        const int64_t size = rows.size + more;
        const TileFunction function = tile_with(kind, size, columns);
        int64_t end = more ? rows.larger : rows.tiles;
        if (i < fetching) end = min_of(end, fetching);
        for (; i < end; ++i) {
            function(product, part, a, b, c);
            a += size * product.a_row;
            c += size * product.c_row;
            part.next += part.next_step * (part.end - part.begin);
        }
    }
}

}  // namespace

void winograd_product(const WinogradProduct& product) noexcept {
    // Larger planes of b come from L3, at 124 % of the direct peak without fetching ahead and 207 %
    // with (512 x 512 channels); fetching costs 2 to 4 % where they are in L2.
    constexpr int64_t kLargePlane = 64 * 64;
    const Rows rows(product.rows);
    const int64_t parts = ceil_div(product.depth, product.most_terms);
    const int64_t panels = ceil_div(product.columns, kWinogradPanel);
    const Kind kind = product.a_row == 1                               ? kTurned
                      : product.depth * product.columns >= kLargePlane ? kFetch
                                                                       : kPlain;
    const auto b_at = [&](int64_t p, int64_t d, int64_t j) {
        return product.b + p * product.b_plane + j * product.b_panel +
               product.depth * d / parts * kWinogradPanel;
    };
    for (int64_t p = 0; p < product.points; ++p) {
        const float* a = product.a + p * product.a_plane;
        float* c = product.c + p * product.c_plane;
        for (int64_t d = 0; d < parts; ++d) {
            for (int64_t j = 0; j < panels; ++j) {
                const float* b = b_at(p, d, j);
                const float* next = j + 1 < panels  ? b_at(p, d, j + 1)
                                    : d + 1 < parts ? b_at(p, d + 1, 0)
                                                    : b_at(p + 1, 0, 0);
                const Part part{product.depth * d / parts, product.depth * (d + 1) / parts, next, 0,
                                product.accumulate || d > 0};
                const int64_t columns =
                    min_of(kWinogradPanel, product.columns - j * kWinogradPanel);
                multiply_panel(product, rows, kind, part, a, b, c + j * kWinogradPanel, columns);
            }
        }
    }
}

}  // namespace pronghorn::PRONGHORN_ISA
