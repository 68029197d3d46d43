// SPDX-License-Identifier: Apache-2.0
// Buffer, Optimizer and Graph: what layers record.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bindings/bindings.h"
#include "plan/plan.h"

namespace py = pybind11;

namespace pronghorn {

namespace {

bool starts_with_float(py::handle value) {
    if (!py::isinstance<py::sequence>(value) || py::len(value) == 0) return false;
    return py::isinstance<py::float_>(value[py::int_(0)]);
}

std::map<std::string, Attribute> attributes_from(const py::dict& values) {
    std::map<std::string, Attribute> attributes;
    for (const auto& [key, value] : values) {
        const auto name = key.cast<std::string>();
        if (py::isinstance<py::bool_>(value)) {
            attributes.emplace(name, value.cast<bool>());
        } else if (py::isinstance<py::str>(value)) {
            attributes.emplace(name, value.cast<std::string>());
        } else if (py::isinstance<py::int_>(value)) {
            attributes.emplace(name, value.cast<int64_t>());
        } else if (py::isinstance<py::float_>(value)) {
            attributes.emplace(name, value.cast<double>());
        } else if (name == "function") {
            const auto pair = value.cast<std::pair<py::function, py::function>>();
            attributes.emplace(name, host_function(pair.first, pair.second));
        } else if (starts_with_float(value)) {
            attributes.emplace(name, value.cast<std::vector<double>>());
        } else {
            attributes.emplace(name, value.cast<std::vector<int64_t>>());
        }
    }
    return attributes;
}

py::tuple tuple_of(const Shape& shape) {
    py::tuple out(static_cast<size_t>(shape.rank()));
    for (int axis = 0; axis < shape.rank(); ++axis) out[static_cast<size_t>(axis)] = shape[axis];
    return out;
}

}  // namespace

void bind_graph(py::module_& module) {
    py::class_<Buffer, std::shared_ptr<Buffer>>(
        module, "Buffer", "float32 memory of a weight or of an optimizer's state.")
        .def(py::init([](const std::vector<int64_t>& shape) {
                 return std::make_shared<Buffer>(Shape(shape));
             }),
             py::arg("shape"))
        .def_property_readonly(
            "array",
            [](const std::shared_ptr<Buffer>& buffer) -> py::array_t<float> {
                using Held = std::shared_ptr<Buffer>;
                auto held = std::make_unique<Held>(buffer);
                const py::capsule view(held.get(), [](void* opaque) {
                    const std::unique_ptr<Held> last(static_cast<Held*>(opaque));
                    (*last)->take_back();
                });
                (*held.release())->lend();
                const std::vector<int64_t> shape(buffer->shape().begin(), buffer->shape().end());
                return py::array_t<float>(shape, buffer->data(), view);
            },
            "A writeable view; keeps the buffer alive.");

    py::class_<Optimizer, std::shared_ptr<Optimizer>>(module, "Optimizer",
                                                      "A rule that moves parameters.")
        .def(py::init([](const std::string& kind, const py::dict& attributes) {
                 return std::const_pointer_cast<Optimizer>(
                     make_optimizer(kind, attributes_from(attributes)));
             }),
             py::arg("kind"), py::arg("attributes") = py::dict())
        .def_property_readonly("slots", &Optimizer::slots,
                               "Buffers of state that a parameter needs.");

    py::class_<Graph>(module, "Graph", "Ops on tensors, for one batch size.")
        .def(py::init<int64_t, bool, const std::string&>(), py::arg("batch"), py::arg("training"),
             py::arg("isa") = "")
        .def(
            "input",
            [](Graph& graph, const std::vector<int64_t>& shape, const std::string& dtype,
               bool differentiable) {
                return graph.input(Shape(shape), dtype_from(dtype), differentiable);
            },
            py::arg("shape"), py::arg("dtype") = "float32", py::arg("differentiable") = false,
            "A tensor fed by the caller; `shape` is without the batch.")
        .def(
            "parameter",
            [](Graph& graph, std::shared_ptr<Buffer> buffer, bool trainable,
               std::vector<std::shared_ptr<Buffer>> slots, const py::dict& rules) {
                return graph.parameter(std::move(buffer), trainable, std::move(slots),
                                       attributes_from(rules));
            },
            py::arg("buffer"), py::arg("trainable") = false,
            py::arg("slots") = std::vector<std::shared_ptr<Buffer>>(),
            py::arg("rules") = py::dict(),
            "A tensor that lies in a Buffer. Rules: l1, l2, decays, constraint (\"non_negative\" "
            "or \"norm\" with axes, least, most, rate).")
        .def(
            "add",
            [](Graph& graph, const std::string& op, const std::vector<int>& inputs,
               const py::dict& attributes, const std::string& label) {
                return graph.add(op, inputs, attributes_from(attributes), label);
            },
            py::arg("op"), py::arg("inputs"), py::arg("attributes") = py::dict(),
            py::arg("label") = "",
            "Records an op and checks its shapes; returns its output. The label names it in "
            "profiles.")
        .def(
            "shape", [](const Graph& graph, int tensor) { return tuple_of(graph.shape(tensor)); },
            py::arg("tensor"), "The tensor's shape, with the batch.")
        .def(
            "compile",
            [](Graph& graph, const std::vector<int>& outputs,
               const std::vector<std::tuple<int, int, std::string, double>>& losses,
               const std::vector<std::tuple<int, int>>& metrics,
               const std::shared_ptr<Optimizer>& optimizer, const std::string& conv_algorithm,
               const std::vector<int>& penalties, bool fusion) {
                PlanRequest request;
                request.outputs = outputs;
                for (const auto& [tensor, weight_input, reduction, weight] : losses) {
                    request.losses.push_back({tensor, weight_input, reduction, weight});
                }
                for (const auto& [tensor, weight_input] : metrics) {
                    request.metrics.push_back({tensor, weight_input});
                }
                request.optimizer = optimizer;
                request.conv_algorithm = conv_algorithm;
                request.penalties = penalties;
                request.fusion = fusion;
                return make_plan(graph, request);
            },
            py::arg("outputs") = std::vector<int>(),
            py::arg("losses") = std::vector<std::tuple<int, int, std::string, double>>(),
            py::arg("metrics") = std::vector<std::tuple<int, int>>(),
            py::arg("optimizer") = nullptr, py::arg("conv_algorithm") = "auto",
            py::arg("penalties") = std::vector<int>(), py::arg("fusion") = true,
            "Plans memory and work; the graph cannot be added to afterwards. Penalties are losses "
            "that only the total reports.");
}

}  // namespace pronghorn
