// SPDX-License-Identifier: Apache-2.0
// Errors a user can cause. Everything below the bindings throws only these; Python sees ValueError,
// MemoryError or RuntimeError with the same words.
#pragma once

#include <cstdint>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>

namespace pronghorn {

/// A wrong shape, type or argument: ValueError in Python.
class ValueError : public std::invalid_argument {
   public:
    using std::invalid_argument::invalid_argument;
};

/// Memory that cannot be had: MemoryError in Python.
class MemoryError : public std::runtime_error {
   public:
    using std::runtime_error::runtime_error;
};

/// Joins its arguments to one message.
template <typename... Parts>
std::string text(const Parts&... parts) {
    std::ostringstream out;
    (out << ... << parts);
    return out.str();
}

/// Throws ValueError("[tag] message") unless `holds`. Never compiled out.
template <typename... Parts>
void check(bool holds, const char* tag, const Parts&... parts) {
    if (!holds) throw ValueError(text('[', tag, "] ", parts...));
}

/// a * b for sizes; throws ValueError instead of overflowing.
inline int64_t checked_product(int64_t a, int64_t b) {
    int64_t product = 0;
    if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &product)) {
        throw ValueError(text("[size] ", a, " x ", b, " elements do not fit in 63 bits"));
    }
    return product;
}

}  // namespace pronghorn
