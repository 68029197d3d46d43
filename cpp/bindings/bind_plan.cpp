// SPDX-License-Identifier: Apache-2.0
// Plan: the calls that do the work. Everything the caller passes is checked here, before; the GIL
// is released while a plan runs, and only here.
#include <pybind11/stl.h>

#include <cmath>
#include <numeric>

#include "bindings/bindings.h"
#include "bindings/numpy_view.h"
#include "plan/plan.h"

namespace py = pybind11;

namespace pronghorn {

namespace {

/// The numbers of the rows in use, where they are looked up, are whole and below the limit.
void check_ids(const Feed& feed, const void* data, const Plan::Call& call, int64_t images) {
    const int64_t size = feed.shape.elements();
    for (int64_t i = 0; feed.below > 0 && i < images; ++i) {
        for (int64_t k = 0; k < size; ++k) {
            const int64_t at = call.order[i] * size + k;
            double id = 0;
            if (feed.dtype == DType::kInt32) {
                id = static_cast<const int32_t*>(data)[at];
            } else if (feed.dtype == DType::kUint8) {
                id = static_cast<const uint8_t*>(data)[at];
            } else {
                id = static_cast<const float*>(data)[at];
            }
            check(id >= 0 && id < static_cast<double>(feed.below) && id == std::floor(id), "run",
                  "expected whole numbers from 0 to ", feed.below - 1, " to look up, got ", id,
                  " in row ", call.order[i]);
        }
    }
}

/// The caller's arrays, and which of their rows, in steps of the plan's batch.
Plan::Call checked_call(const Plan& plan, const std::vector<py::array>& feeds, const int64_t* order,
                        int64_t images, std::vector<py::array>& outputs) {
    Plan::Call call;
    check(feeds.size() == plan.feeds.size(), "run", "expected ", plan.feeds.size(), " arrays, got ",
          feeds.size());
    int64_t rows = -1;
    for (size_t i = 0; i < feeds.size(); ++i) {
        call.feeds.push_back(
            checked_rows(feeds[i], plan.feeds[i].dtype, plan.feeds[i].shape, Which{"input", i}));
        check(rows < 0 || feeds[i].shape(0) == rows, "run", "expected ", rows,
              " rows in every array, got ", feeds[i].shape(0));
        rows = feeds[i].shape(0);
    }
    call.order = order;
    check(images > 0 && images % plan.batch == 0, "run", "expected a multiple of ", plan.batch,
          " row numbers, got ", images);
    for (int64_t i = 0; i < images; ++i) {
        check(order[i] >= 0 && order[i] < rows, "run", "expected row numbers below ", rows,
              ", got ", order[i]);
    }
    for (size_t i = 0; i < feeds.size(); ++i) check_ids(plan.feeds[i], call.feeds[i], call, images);
    call.steps = images / plan.batch;
    check(call.steps <= plan.most_steps(), "run", "expected at most ", plan.most_steps(),
          " steps in a call, got ", call.steps);
    check(outputs.size() == plan.outputs.size(), "run", "expected ", plan.outputs.size(),
          " output arrays, got ", outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i) {
        call.outputs.push_back(
            checked_output(outputs[i], plan.outputs[i].shape, images, Which{"output", i}));
    }
    return call;
}

/// The same, with what a plan that trains needs.
Plan::Call checked_call(const Plan& plan, const std::vector<py::array>& feeds,
                        const py::array& order, std::vector<py::array>& outputs,
                        const py::array& learning_rates, int64_t iteration) {
    const auto* rows = checked_vector<int64_t>(order, "order");
    Plan::Call call = checked_call(plan, feeds, rows, order.shape(0), outputs);
    call.iteration = iteration;
    if (plan.updates_parameters) {
        call.learning_rates = checked_vector<double>(learning_rates, "learning_rates");
        check(learning_rates.shape(0) == call.steps, "run", "expected ", call.steps,
              " learning rates, got ", learning_rates.shape(0));
        check(iteration >= 0, "run", "expected an iteration of at least 0, got ", iteration);
    }
    return call;
}

/// Throws what a function of the caller threw while the plan ran.
void rethrow(const Plan& plan) {
    for (HostFunction* function : plan.host_functions) {
        if (function->failed) function->rethrow();
    }
}

py::array_t<double> run(Plan& plan, const std::vector<py::array>& feeds, const py::array& order,
                        std::vector<py::array> outputs, const py::array& learning_rates,
                        int64_t iteration, const py::array& sums) {
    Plan::Call call = checked_call(plan, feeds, order, outputs, learning_rates, iteration);
    if (sums.size() > 0) {
        const auto rows = static_cast<py::ssize_t>(plan.rows_of_totals());
        check(sums.dtype().num() == py::dtype::num_of<double>() && sums.ndim() == 2 &&
                  sums.shape(0) == rows && sums.shape(1) == 2 &&
                  (sums.flags() & py::array::c_style) != 0,
              "run", "expected float64 totals of shape (", rows, ", 2), got ", shape_of(sums));
        const auto* values = static_cast<const double*>(sums.data());
        for (py::ssize_t i = 0; i < rows; ++i) {
            call.totals.push_back({values[2 * i], values[2 * i + 1]});
        }
    }
    std::vector<std::array<double, 2>> totals;
    {
        const py::gil_scoped_release released;
        totals = plan.run(call);
    }
    rethrow(plan);
    py::array_t<double> out({static_cast<py::ssize_t>(totals.size()), py::ssize_t{2}});
    for (size_t i = 0; i < totals.size(); ++i) {
        for (size_t k = 0; k < 2; ++k) {
            out.mutable_at(static_cast<py::ssize_t>(i), static_cast<py::ssize_t>(k)) = totals[i][k];
        }
    }
    return out;
}

std::vector<py::array> forward(Plan& plan, const std::vector<py::array>& feeds) {
    check(!plan.updates_parameters, "forward", "expected a plan without an optimizer");
    const int64_t rows = feeds.empty() || feeds[0].ndim() == 0 ? 0 : feeds[0].shape(0);
    std::vector<int64_t> order(static_cast<size_t>(rows));
    std::iota(order.begin(), order.end(), int64_t{0});
    std::vector<py::array> outputs;
    for (const Output& output : plan.outputs) {
        std::vector<py::ssize_t> shape = {rows};
        shape.insert(shape.end(), output.shape.begin(), output.shape.end());
        outputs.push_back(py::array_t<float>(shape));
    }
    const Plan::Call call = checked_call(plan, feeds, order.data(), rows, outputs);
    {
        const py::gil_scoped_release released;
        plan.run(call);
    }
    rethrow(plan);
    return outputs;
}

std::vector<py::array_t<float>> gradients(Plan& plan, const std::vector<py::array>& feeds,
                                          const py::array& order) {
    check(!plan.updates_parameters, "gradients", "expected a plan without an optimizer");
    std::vector<py::array> outputs;
    Plan::Call call = checked_call(plan, feeds, order, outputs, py::array(), 0);
    check(call.steps == 1, "gradients", "expected one batch of ", plan.batch, " rows, got ",
          call.steps, " of them");
    std::vector<py::array_t<float>> out;
    for (const Shape& shape : plan.kept_shapes) {
        out.emplace_back(std::vector<int64_t>(shape.begin(), shape.end()));
        call.gradients.push_back(out.back().mutable_data());
    }
    {
        const py::gil_scoped_release released;
        plan.run(call);
    }
    rethrow(plan);
    return out;
}

std::vector<std::tuple<std::string, double, double, double>> profile(
    Plan& plan, const std::vector<py::array>& feeds, const py::array& order,
    std::vector<py::array> outputs, const py::array& learning_rates, int64_t iteration) {
    const Plan::Call call = checked_call(plan, feeds, order, outputs, learning_rates, iteration);
    std::vector<Plan::Spent> spent;
    {
        const py::gil_scoped_release released;
        spent = plan.run_profiled(call);
    }
    rethrow(plan);
    std::vector<std::tuple<std::string, double, double, double>> out;
    out.reserve(spent.size());
    for (const auto& [name, seconds, flops, bytes] : spent) {
        out.emplace_back(name, seconds, flops, bytes);
    }
    return out;
}

}  // namespace

void bind_plan(py::module_& module) {
    const py::array_t<double> nothing(py::ssize_t{0});
    py::class_<Plan>(module, "Plan", "A graph made ready to run.")
        .def("run", &run, py::arg("feeds"), py::arg("order"),
             py::arg("outputs") = std::vector<py::array>(), py::arg("learning_rates") = nothing,
             py::arg("iteration") = 0, py::arg("totals") = nothing,
             "Runs len(order) / batch steps; returns rows (sum, count): the total loss, each loss, "
             "each metric, added to `totals`, one step after the other.")
        .def("forward", &forward, py::arg("feeds"),
             "The outputs for all rows of the feeds, a multiple of the batch.")
        .def("gradients", &gradients, py::arg("feeds"), py::arg("order"),
             "Gradients of the differentiable inputs, then of the trainable parameters.")
        .def("profile", &profile, py::arg("feeds"), py::arg("order"),
             py::arg("outputs") = std::vector<py::array>(), py::arg("learning_rates") = nothing,
             py::arg("iteration") = 0,
             "Like run on one thread; returns (stage, seconds, flops, bytes) for every stage.")
        .def_property_readonly("memory", &Plan::memory_bytes,
                               "Bytes that a call needs, shared with other plans.")
        .def_property_readonly(
            "batch", [](const Plan& plan) { return plan.batch; }, "Images in a step.");
}

}  // namespace pronghorn
