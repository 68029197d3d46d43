// SPDX-License-Identifier: Apache-2.0
// The backward pass: nodes in reverse, each writing the gradients of its inputs. A tensor that fans
// out gets one term per reader, and their sum in the readers' order.
#include "ops/feed.h"
#include "plan/planner.h"

namespace pronghorn {

void Planner::backward() {
    for (size_t i = placed_.size(); i-- > 0;) {
        if (value(placed_[i].output).wants_gradient) backward_node(placed_[i]);
    }
    if (!plan_->updates_parameters) keep_gradients();
}

int Planner::combined_gradient(int tensor) {
    std::vector<int>& terms = value(tensor).contributions;
    const int64_t size = spec(tensor).shape.elements(1);
    while (terms.size() > 1) {
        Op* op = own(make_add_gradients(size, graph_.kernels()));
        PlanContext context;
        context.layouts = {value(tensor).layout};
        Step step;
        step.op = op;
        step.info = op->plan(context).stages[0];
        step.name = "add_gradients";
        step.lanes = value(tensor).layout == Layout::kLanes;
        step.in[0] = terms[terms.size() - 2];
        step.in[1] = terms.back();
        step.out = image_place(size);
        main_.push_back(step);
        terms.pop_back();
        terms.back() = step.out;
    }
    return terms.empty() ? kNowhere : terms[0];
}

void Planner::backward_node(Placed& placed) {
    const int d_out = combined_gradient(placed.output);
    if (d_out == kNowhere) return;  // nothing that counts depends on it
    if (placed.signature.view) {
        if (placed.wants[0]) value(placed.inputs[0]).contributions.push_back(d_out);
        return;
    }
    // Every input's gradient has one place, whichever stage writes it.
    std::array<int, kMaxInputs> d_in;
    d_in.fill(kNowhere);
    for (size_t i = 0; i < placed.inputs.size(); ++i) {
        const Tensor& input = spec(placed.inputs[i]);
        if (!placed.wants[i]) continue;
        if (input.parameter) {
            d_in[i] = parameter_gradient(placed, i);
        } else {
            d_in[i] = image_place(input.shape.elements(1));
            value(placed.inputs[i]).contributions.push_back(d_in[i]);
        }
    }
    for (size_t stage = 0; stage < placed.signature.stages.size(); ++stage) {
        const Phase phase = placed.signature.stages[stage].phase;
        if (phase != Phase::kBackward && phase != Phase::kGradient) continue;
        Step step = bound_step(placed, stage);
        for (size_t i = 0; i < placed.inputs.size(); ++i) {
            const bool parameter = spec(placed.inputs[i]).parameter;
            if (parameter || placed.signature.backward_reads[i]) {
                step.in[i] = value(placed.inputs[i]).place;
            }
            // Owners' blocks are written by the stage that owns them, other gradients by kBackward.
            const bool owner = placed.signature.gradient[i] == GradientBy::kOwner;
            const bool writes = owner ? step.op->owned(step.stage, static_cast<int>(i), 0).count > 0
                                      : phase == Phase::kBackward;
            if (!writes) continue;
            step.d_in[i] = d_in[i];
            if (owner && d_in[i] != kNowhere) step.updates[i] = parameter_of(placed.inputs[i]);
        }
        if (placed.signature.backward_reads_output && step.info.reads_out) {
            step.out = value(placed.output).place;
        }
        if (step.info.reads_d_out) step.d_out = d_out;
        step.saved = placed.saved;
        (phase == Phase::kBackward ? main_ : final_).push_back(step);
    }
}

/// A place for one term of a parameter's gradient; number_sources() settles where.
int Planner::parameter_gradient(const Placed& placed, size_t input) {
    const int parameter = parameter_of(placed.inputs[input]);
    Place term;
    term.space = Space::kParts;
    term.size = spec(placed.inputs[input]).shape.elements();
    term.index = parameter;
    const int id = new_place(term);
    gradient_places_[static_cast<size_t>(parameter)].push_back(id);
    return id;
}

/// Without an optimizer the gradients themselves are the result: of inputs, then of parameters.
void Planner::keep_gradients() {
    for (int tensor : graph_.differentiable) {
        const int gradient = combined_gradient(tensor);
        check(gradient != kNowhere, "graph", "no loss depends on input ", tensor);
        place(gradient).keep = true;
        plan_->kept_gradients.push_back(gradient);
        plan_->kept_shapes.push_back(spec(tensor).shape);
    }
    for (const Parameter& parameter : graph_.parameters) {
        if (!parameter.trainable) continue;
        Place sum;
        sum.size = parameter.buffer->shape().elements();
        sum.keep = true;
        plan_->kept_gradients.push_back(new_place(sum));
        plan_->kept_shapes.push_back(parameter.buffer->shape());
    }
}

}  // namespace pronghorn
