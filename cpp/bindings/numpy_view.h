// SPDX-License-Identifier: Apache-2.0
// The only way arrays come in and out: the exact dtype, C-contiguous, the expected shape, or a
// ValueError. Nothing is converted or copied here; Python does that once, where it can be seen.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <string>

#include "core/dtype.h"
#include "core/shape.h"

namespace pronghorn {

inline Shape shape_of(const pybind11::array& array) {
    return Shape(std::vector<int64_t>(array.shape(), array.shape() + array.ndim()));
}

inline std::string dtype_name(const pybind11::array& array) {
    return pybind11::str(array.dtype()).cast<std::string>();
}

inline bool has_dtype(const pybind11::array& array, DType dtype) {
    const int wanted = dtype == DType::kFloat32 ? pybind11::dtype::num_of<float>()
                       : dtype == DType::kUint8 ? pybind11::dtype::num_of<uint8_t>()
                                                : pybind11::dtype::num_of<int32_t>();
    return array.dtype().num() == wanted && array.dtype().byteorder() != '>';
}

/// One of the arrays of a call, as errors name it: "input 0".
struct Which {
    const char* kind;
    size_t number;

    friend std::ostream& operator<<(std::ostream& out, const Which& which) {
        return out << which.kind << ' ' << which.number;
    }
};

template <typename... Parts>
void check(bool holds, Which which, const Parts&... parts) {
    if (!holds) throw ValueError(text('[', which, "] ", parts...));
}

/// The array's data, once its dtype, layout and the shape of its rows are what is expected.
inline const void* checked_rows(const pybind11::array& array, DType dtype, const Shape& row,
                                Which what) {
    if (!has_dtype(array, dtype)) {
        throw ValueError(
            text('[', what, "] expected dtype ", name_of(dtype), ", got ", dtype_name(array)));
    }
    check((array.flags() & pybind11::array::c_style) != 0, what, "expected a C-contiguous array");
    bool fits = array.ndim() == row.rank() + 1;
    for (int axis = 0; fits && axis < row.rank(); ++axis) fits = array.shape(axis + 1) == row[axis];
    if (!fits) {
        throw ValueError(text('[', what, "] expected rows of shape ", row,
                              ", got an array of shape ", shape_of(array)));
    }
    return array.data();
}

inline float* checked_output(pybind11::array& array, const Shape& row, int64_t rows, Which what) {
    checked_rows(array, DType::kFloat32, row, what);
    check(array.shape(0) == rows, what, "expected ", rows, " rows, got ", array.shape(0));
    check(array.writeable(), what, "expected a writeable array");
    return static_cast<float*>(array.mutable_data());
}

template <typename T>
const T* checked_vector(const pybind11::array& array, const char* what) {
    if (array.ndim() != 1 || array.dtype().num() != pybind11::dtype::num_of<T>() ||
        array.dtype().byteorder() == '>' || (array.flags() & pybind11::array::c_style) == 0) {
        throw ValueError(text('[', what, "] expected a contiguous 1-D array of ",
                              pybind11::str(pybind11::dtype::of<T>()).template cast<std::string>(),
                              ", got ", dtype_name(array), " ", shape_of(array)));
    }
    return static_cast<const T*>(array.data());
}

}  // namespace pronghorn
