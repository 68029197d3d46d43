// SPDX-License-Identifier: Apache-2.0
// What module.cpp calls: one function per file of bindings.
#pragma once

#include <pybind11/pybind11.h>

namespace pronghorn {

class HostFunction;

/// Python functions as one that ops can call: forward(*x) -> y and backward(dy, *x) -> dx.
std::shared_ptr<HostFunction> host_function(const pybind11::function& forward,
                                            const pybind11::function& backward);

void bind_errors(pybind11::module_& module);
void bind_machine(pybind11::module_& module);
void bind_graph(pybind11::module_& module);
void bind_plan(pybind11::module_& module);

}  // namespace pronghorn
