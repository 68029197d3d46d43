// SPDX-License-Identifier: Apache-2.0
// Python functions as HostFunctions. They are called from a thread of the team, which takes the GIL
// for the call. Arrays are copied: Python may keep what it gets for longer than the plan lives.
#include <pybind11/numpy.h>

#include <exception>
#include <utility>

#include "bindings/bindings.h"
#include "ops/host_function.h"

namespace py = pybind11;

namespace pronghorn {

namespace {

using Values = py::array_t<float, py::array::c_style | py::array::forcecast>;

template <typename T>
py::array_t<float> copied(const HostFunction::Array<T>& array) {
    py::array_t<float> out(std::vector<int64_t>(array.shape.begin(), array.shape.end()));
    std::copy_n(array.data, array.shape.elements(), out.mutable_data());
    return out;
}

void write(const py::object& result, const HostFunction::Array<float>& to, const char* what) {
    const Values values = Values::ensure(result);
    check(static_cast<bool>(values), "custom", "expected ", what, ", got something else");
    const Shape shape(std::vector<int64_t>(values.shape(), values.shape() + values.ndim()));
    check(shape == to.shape, "custom", "expected ", what, " of shape ", to.shape, ", got ", shape);
    std::copy_n(values.data(), shape.elements(), to.data);
}

class PythonFunction final : public HostFunction {
   public:
    PythonFunction(py::function forward, py::function backward)
        : forward_(std::move(forward)), backward_(std::move(backward)) {}

    void forward(const std::vector<Array<const float>>& x, Array<float> y) noexcept override {
        guarded([&] { write(forward_(*arguments(x)), y, "the function to return an array"); });
    }

    void backward(const std::vector<Array<const float>>& x, Array<const float> dy,
                  const std::vector<Array<float>>& dx) noexcept override {
        guarded([&] {
            const py::object result = backward_(copied(dy), *arguments(x));
            const bool several =
                py::isinstance<py::tuple>(result) || py::isinstance<py::list>(result);
            py::sequence results = py::make_tuple(result);
            if (several) results = py::reinterpret_borrow<py::sequence>(result);
            check(results.size() == dx.size(), "custom", "expected ", dx.size(), " gradients, got ",
                  results.size());
            for (size_t i = 0; i < dx.size(); ++i) {
                if (dx[i].data == nullptr) continue;
                const py::object gradient = results[i];
                if (gradient.is_none()) {
                    std::fill_n(dx[i].data, dx[i].shape.elements(), 0.0f);
                } else {
                    write(gradient, dx[i], "a gradient");
                }
            }
        });
    }

    void rethrow() override {
        failed = false;
        std::rethrow_exception(std::exchange(error_, nullptr));
    }

   private:
    template <typename Body>
    void guarded(Body body) noexcept {
        try {
            const py::gil_scoped_acquire gil;  // throws where it cannot be had
            try {
                body();
            } catch (...) {
                keep_error();
            }
        } catch (...) {
            keep_error();
        }
    }

    /// The exception being handled, for rethrow(); the GIL keeps the two apart.
    void keep_error() noexcept {
        error_ = std::current_exception();
        failed = true;
    }

    static py::tuple arguments(const std::vector<Array<const float>>& x) {
        py::tuple out(x.size());
        for (size_t i = 0; i < x.size(); ++i) out[i] = copied(x[i]);
        return out;
    }

    py::function forward_, backward_;
    std::exception_ptr error_;
};

}  // namespace

std::shared_ptr<HostFunction> host_function(const py::function& forward,
                                            const py::function& backward) {
    return std::make_shared<PythonFunction>(forward, backward);
}

}  // namespace pronghorn
