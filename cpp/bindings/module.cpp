// SPDX-License-Identifier: Apache-2.0
#include "bindings/bindings.h"
#include "ops/gemm.h"

PYBIND11_MODULE(_core, module) {
    module.doc() = "pronghorn's C++ core";
    pronghorn::start_blas();
    pronghorn::bind_errors(module);
    pronghorn::bind_machine(module);
    pronghorn::bind_plan(module);  // before its name stands in a signature of Graph
    pronghorn::bind_graph(module);
}
