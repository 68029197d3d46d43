// SPDX-License-Identifier: Apache-2.0
// What module.cpp calls: one function per file of bindings.
#pragma once

#include <pybind11/pybind11.h>

namespace pronghorn {

void bind_errors(pybind11::module_& module);
void bind_machine(pybind11::module_& module);
void bind_graph(pybind11::module_& module);
void bind_plan(pybind11::module_& module);

}  // namespace pronghorn
