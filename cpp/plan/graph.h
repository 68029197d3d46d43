// SPDX-License-Identifier: Apache-2.0
// Graph: what layers record. Tensors are numbered; nodes are ops on tensors, in an order in which
// they can run. Shapes are checked as nodes are added; nothing is decided about algorithms yet.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "ops/constraint.h"
#include "ops/op.h"

namespace pronghorn {

/// What holds for a parameter beside the optimizer's rule.
struct ParameterRules {
    double l1 = 0, l2 = 0;  // the loss has l1 * sum |w| + l2 * sum w^2 in addition
    bool decays = true;     // whether the optimizer's weight decay applies
    std::shared_ptr<const Constraint> constraint;
};

struct Parameter {
    std::shared_ptr<Buffer> buffer;
    bool trainable = false;
    std::vector<std::shared_ptr<Buffer>> slots;
    int tensor = -1;
    ParameterRules rules = {};
};

struct Feed {
    Shape shape;  // of one row
    DType dtype = DType::kFloat32;
    int tensor = -1;
    int64_t below = 0;  // where the numbers are looked up: see Op::ids_below
};

struct Node {
    std::string name;
    std::unique_ptr<Op> op;
    std::vector<int> inputs;
    int output = -1;
    bool gated_sum = false;  // the sum of the output's gradients is masked by the node's ReLU
};

class Graph {
   public:
    /// isa "": the process's instruction set.
    Graph(int64_t batch, bool training, const std::string& isa);

    /// `shape` without the batch. With `differentiable`, Plan::gradients reports its gradient.
    int input(const Shape& shape, DType dtype, bool differentiable);
    /// Rules by name: l1, l2, decays, constraint (see make_constraint) and the constraint's own.
    int parameter(std::shared_ptr<Buffer> buffer, bool trainable,
                  std::vector<std::shared_ptr<Buffer>> slots,
                  std::map<std::string, Attribute> rules = {});
    /// `label` names the node in profiles, in front of the op's name.
    int add(const std::string& op, const std::vector<int>& inputs,
            std::map<std::string, Attribute> attributes, const std::string& label = "");

    const Shape& shape(int tensor) const { return spec(tensor).shape; }
    const Tensor& spec(int tensor) const;
    int64_t batch() const { return batch_; }
    bool training() const { return training_; }
    const Kernels& kernels() const { return *kernels_; }

    // The planner's: it fuses and rewires nodes and takes the ops away.
    std::vector<Tensor> tensors;
    std::vector<Node> nodes;
    std::vector<Feed> feeds;
    std::vector<Parameter> parameters;
    std::vector<int> differentiable;  // feeds, by tensor
    bool compiled = false;

    int add_tensor(Tensor spec);

   private:
    int64_t batch_;
    bool training_;
    const Kernels* kernels_;
};

}  // namespace pronghorn
