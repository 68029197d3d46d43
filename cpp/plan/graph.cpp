// SPDX-License-Identifier: Apache-2.0
#include "plan/graph.h"

#include <utility>

namespace pronghorn {

Graph::Graph(int64_t batch, bool training, const std::string& isa)
    : batch_(batch), training_(training), kernels_(&kernel_table(isa)) {
    check(batch >= 1, "graph", "expected a batch of at least 1, got ", batch);
}

int Graph::add_tensor(Tensor spec) {
    tensors.push_back(spec);
    return static_cast<int>(tensors.size()) - 1;
}

const Tensor& Graph::spec(int tensor) const {
    check(tensor >= 0 && tensor < static_cast<int>(tensors.size()), "graph",
          "no tensor has number ", tensor);
    return tensors[static_cast<size_t>(tensor)];
}

int Graph::input(const Shape& shape, DType dtype, bool is_differentiable) {
    Tensor spec;
    spec.shape.push_back(batch_);
    for (int64_t extent : shape) {
        check(extent >= 1, "input", "expected positive sizes, got ", shape);
        spec.shape.push_back(extent);
    }
    spec.shape.elements();
    // Images arrive as bytes but are floats from the gather on.
    spec.dtype = dtype == DType::kUint8 ? DType::kFloat32 : dtype;
    check(!is_differentiable || spec.dtype == DType::kFloat32, "input", "labels have no gradient");
    const int tensor = add_tensor(spec);
    feeds.push_back({shape, dtype, tensor});
    if (is_differentiable) differentiable.push_back(tensor);
    return tensor;
}

int Graph::parameter(std::shared_ptr<Buffer> buffer, bool trainable,
                     std::vector<std::shared_ptr<Buffer>> slots,
                     std::map<std::string, Attribute> rules) {
    check(buffer != nullptr, "parameter", "expected a Buffer");
    for (const auto& slot : slots) {
        check(slot != nullptr && slot->shape() == buffer->shape(), "parameter",
              "expected slots of shape ", buffer->shape());
    }
    for (const Parameter& known : parameters) {
        if (known.buffer == buffer) return known.tensor;  // a shared layer's second use
    }
    Attributes named("parameter", std::move(rules));
    ParameterRules checked{named.number("l1", 0.0), named.number("l2", 0.0),
                           named.flag("decays", true), nullptr};
    const std::string constraint = named.word("constraint", "");
    if (!constraint.empty()) {
        checked.constraint = make_constraint(constraint, named, buffer->shape());
    }
    named.finish();
    const int tensor = add_tensor({buffer->shape(), DType::kFloat32, true});
    parameters.push_back({std::move(buffer), trainable, std::move(slots), tensor, checked});
    return tensor;
}

int Graph::add(const std::string& name, const std::vector<int>& inputs,
               std::map<std::string, Attribute> attributes, const std::string& label) {
    check(!compiled, "graph", "this graph is compiled already");
    auto op = make_op(name, std::move(attributes));
    check(!inputs.empty() && inputs.size() <= kMaxInputs, name.c_str(), "expected 1 to ",
          kMaxInputs, " inputs, got ", inputs.size());
    std::vector<Tensor> specs;
    for (size_t i = 0; i < inputs.size(); ++i) {
        specs.push_back(spec(inputs[i]));
        const Takes takes = op->takes(static_cast<int>(i));
        const bool wants_parameter = takes == Takes::kParameter;
        check(takes == Takes::kEither || specs.back().parameter == wants_parameter, name.c_str(),
              "expected input ", i,
              wants_parameter ? " to be a parameter" : " to be computed, not a parameter");
    }
    const int output = add_tensor(op->infer(specs));
    nodes.push_back({label.empty() ? name : label + " " + name, std::move(op), inputs, output});
    return output;
}

}  // namespace pronghorn
