// SPDX-License-Identifier: Apache-2.0
// Errors, and what the machine is and how it is used.
#include <pybind11/stl.h>

#include "bindings/bindings.h"
#include "core/arena.h"
#include "core/check.h"
#include "core/cpu.h"
#include "core/parallel.h"
#include "ops/gemm.h"
#include "ops/op.h"
#include "plan/measure.h"

namespace py = pybind11;

namespace pronghorn {

void bind_errors(py::module_& /*module*/) {
    // NOLINTNEXTLINE(performance-unnecessary-value-param): pybind11's signature
    py::register_local_exception_translator([](std::exception_ptr error) {
        try {
            if (error) std::rethrow_exception(error);
        } catch (const ValueError& e) {
            py::set_error(PyExc_ValueError, e.what());
        } catch (const MemoryError& e) {
            py::set_error(PyExc_MemoryError, e.what());
        }
    });
}

void bind_machine(py::module_& module) {
    module.def("set_num_threads", &set_num_threads, py::arg("threads"),
               "Threads that a step may use; results do not depend on it.");
    module.def("num_threads", &num_threads, "Threads that a step may use.");
    module.def(
        "isa", [] { return std::string(kernel_table("").isa); }, "The instruction set in use.");
    module.def("supported_isas", &supported_isas, "Instruction sets this CPU runs, widest first.");
    module.def("cpu_name", &cpu_name, "The CPU's name.");
    module.def("blas_info", &blas_info, "The BLAS and the kernels it picked.");
    module.def("op_names", &op_names, "Every op that Graph.add knows.");
    module.def("allocation_count", &allocation_count,
               "Blocks of tensor memory allocated since the process began.");
    module.def("measure_barrier", &measure_barrier, py::call_guard<py::gil_scoped_release>(),
               "Nanoseconds for two threads to meet at a barrier.");
    module.def("measure_peak", &measure_peak, py::arg("threads"),
               py::call_guard<py::gil_scoped_release>(),
               "float32 GFLOP/s of fused multiply-adds in registers on that many threads.");
    // A wrong PRONGHORN_ISA or PRONGHORN_NUM_THREADS is an error at import.
    kernel_table("");
    num_threads();
}

}  // namespace pronghorn
