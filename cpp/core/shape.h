// SPDX-License-Identifier: Apache-2.0
// Shape: the extents of a tensor, outermost first; at most kMaxRank of them, none negative.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "core/check.h"

namespace pronghorn {

class Shape {
   public:
    static constexpr int kMaxRank = 8;

    Shape() = default;
    Shape(std::initializer_list<int64_t> extents) : Shape(std::vector<int64_t>(extents)) {}
    explicit Shape(const std::vector<int64_t>& extents) {
        check(extents.size() <= kMaxRank, "shape", "expected at most ", kMaxRank,
              " dimensions, got ", extents.size());
        for (int64_t extent : extents) push_back(extent);
        elements();  // throws where the product overflows
    }

    int rank() const { return rank_; }
    int64_t operator[](int axis) const { return extents_[axis < 0 ? axis + rank_ : axis]; }
    int64_t& operator[](int axis) { return extents_[axis < 0 ? axis + rank_ : axis]; }
    const int64_t* begin() const { return extents_.data(); }
    const int64_t* end() const { return extents_.data() + rank_; }

    void push_back(int64_t extent) {
        check(rank_ < kMaxRank, "shape", "more than ", kMaxRank, " dimensions");
        check(extent >= 0, "shape", "negative dimension ", extent);
        extents_[rank_++] = extent;
    }

    /// The product of the extents from `axis` on; 1 for none.
    int64_t elements(int axis = 0) const {
        int64_t product = 1;
        for (int i = axis; i < rank_; ++i) product = checked_product(product, extents_[i]);
        return product;
    }

    bool operator==(const Shape& other) const {
        return rank_ == other.rank_ && std::equal(begin(), end(), other.begin());
    }
    bool operator!=(const Shape& other) const { return !(*this == other); }

    /// "(32, 28, 28, 1)", as Python prints a tuple.
    std::string str() const {
        std::string out = "(";
        for (int i = 0; i < rank_; ++i) out += (i ? ", " : "") + std::to_string(extents_[i]);
        return out + (rank_ == 1 ? ",)" : ")");
    }

   private:
    std::array<int64_t, kMaxRank> extents_{};
    int rank_ = 0;
};

inline std::ostream& operator<<(std::ostream& out, const Shape& shape) {
    return out << shape.str();
}

}  // namespace pronghorn
