// SPDX-License-Identifier: Apache-2.0
// DType: what a tensor's elements are. Everything computed is float32; users' images may come as
// uint8 and labels as int32.
#pragma once

#include <cstdint>
#include <string>

#include "core/check.h"

namespace pronghorn {

enum class DType : uint8_t { kFloat32, kUint8, kInt32 };

inline int64_t size_of(DType dtype) { return dtype == DType::kUint8 ? 1 : 4; }

inline DType dtype_from(const std::string& name) {
    if (name == "float32") return DType::kFloat32;
    if (name == "uint8") return DType::kUint8;
    check(name == "int32", "dtype", "expected float32, uint8 or int32, got ", name);
    return DType::kInt32;
}

inline const char* name_of(DType dtype) {
    return dtype == DType::kFloat32 ? "float32" : dtype == DType::kUint8 ? "uint8" : "int32";
}

}  // namespace pronghorn
