// SPDX-License-Identifier: Apache-2.0
// The backward pass: nodes in reverse, each writing the gradients of its inputs. A tensor that fans
// out gets one term per reader, and their sum in the readers' order, which may be masked by a ReLU.
#include "ops/feed.h"
#include "plan/planner.h"

namespace pronghorn {

void Planner::backward() {
    for (size_t i = placed_.size(); i-- > 0;) {
        const Placed& placed = placed_[i];
        if (once(placed) || !value(placed.output).wants_gradient) continue;
        const int d_out = combined_gradient(placed.output);
        if (d_out != kNowhere) backward_node(placed, d_out);  // else nothing depends on it
    }
    plan_->sources.resize(gradient_places_.size());
    for (size_t i = placed_.size(); i-- > 0;) {
        const Placed& placed = placed_[i];
        if (!once(placed) || placed.signature.view || !value(placed.output).wants_gradient)
            continue;
        const auto target = static_cast<size_t>(value(placed.output).target);
        if (gradient_places_[target].empty()) continue;
        plan_->sources[target].sum = kept_place(spec(placed.output).shape.elements());
        backward_node(placed, plan_->sources[target].sum);
    }
    if (!plan_->updates_parameters) keep_gradients();
    if (!plan_->clips_norm()) return;
    for (size_t i = 0; i < graph_.parameters.size(); ++i) {
        if (gradient_places_[i].empty()) continue;
        plan_->sources[i].sum = kept_place(graph_.parameters[i].buffer->shape().elements());
    }
}

int Planner::combined_gradient(int tensor) {
    std::vector<int>& terms = value(tensor).contributions;
    const int64_t size = spec(tensor).shape.elements(1);
    // Not every reader need have sent a term: a single one is masked, too.
    bool masks = value(tensor).gated_sum && !terms.empty();
    while (terms.size() > 1 || masks) {
        Op* op = own(make_add_gradients(size, graph_.kernels()));
        PlanContext context;
        context.layouts = {value(tensor).layout};
        Step step;
        step.op = op;
        step.info = op->plan(context).stages[0];
        step.info.in_place = true;
        step.name = "add_gradients";
        step.lanes = value(tensor).layout == Layout::kLanes;
        step.inputs = 3;
        if (terms.size() > 1) {
            step.in[1] = terms.back();
            terms.pop_back();
        }
        step.in[0] = terms.back();
        if (masks && terms.size() == 1) {
            step.in[2] = value(tensor).place;
            masks = false;
        }
        step.out = terms.back() = image_place(size);
        main_.push_back(step);
    }
    return terms.empty() ? kNowhere : terms[0];
}

void Planner::backward_node(const Placed& placed, int d_out) {
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
        if (placed.signature.passes_gradient[i]) {
            value(placed.inputs[i]).contributions.push_back(d_out);
        } else if (input.parameter) {
            d_in[i] = parameter_gradient(placed.inputs[i]);
        } else {
            d_in[i] = image_place(input.shape.elements(1));
            value(placed.inputs[i]).contributions.push_back(d_in[i]);
        }
    }
    for (size_t stage = 0; stage < placed.signature.stages.size(); ++stage) {
        const Phase phase = placed.signature.stages[stage].phase;
        if (phase == Phase::kPrepare &&
            packing_phase(placed.signature, stage) == Phase::kBackward) {
            place_packing(placed, stage);
        }
        if (phase != Phase::kBackward && phase != Phase::kGradient) continue;
        Step step = bound_step(placed, stage);
        if (request_.fusion) step.moved = step.op->moved(step.stage);
        for (size_t i = 0; i < placed.inputs.size(); ++i) {
            const bool parameter = spec(placed.inputs[i]).parameter;
            if (parameter) {
                step.in[i] = value(placed.inputs[i]).place;
            } else if (placed.signature.backward_reads[i] && step.info.reads_in) {
                step.in[i] = place_in_backward(placed.inputs[i]);
            }
            // Owners' blocks are written by the stage that owns them, other gradients by kBackward.
            const bool owner = placed.signature.gradient[i] == GradientBy::kOwner;
            const bool writes =
                owner ? step.op->owned(step.stage, static_cast<int>(i), 0).count > 0
                      : phase == Phase::kBackward && (parameter || step.info.writes_d_in);
            if (!writes) continue;
            step.d_in[i] = d_in[i];
            if (owner && d_in[i] != kNowhere) {
                step.updates[i] = value(placed.inputs[i]).target;
            }
        }
        if (placed.signature.backward_reads_output && step.info.reads_out) {
            step.out = value(placed.output).place;
        }
        if (step.info.reads_d_out) step.d_out = d_out;
        step.saved = placed.saved;
        (step.once ? late_ : phase == Phase::kBackward ? main_ : final_).push_back(step);
    }
}

/// Where the backward pass reads an activation. What is cheap to compute is computed once more,
/// slice by slice, in the chain that reads it, rather than kept for the whole batch.
int Planner::place_in_backward(int tensor) {
    const auto known = recomputed_.find(tensor);
    if (known != recomputed_.end()) return known->second;
    const Placed* producer = nullptr;
    bool by_image = true;
    for (const Placed& placed : placed_) {
        if (placed.output == tensor) producer = &placed;
        for (size_t i = 0; i < placed.inputs.size(); ++i) {
            if (placed.inputs[i] != tensor || !placed.signature.backward_reads[i]) continue;
            for (const Stage& stage : placed.signature.stages) {
                const bool passes =
                    stage.phase == Phase::kBackward || stage.phase == Phase::kGradient;
                by_image &= !passes || stage.by_image;
            }
        }
    }
    const int recompute = producer == nullptr ? -1 : producer->signature.recompute;
    if (recompute < 0 || !by_image || !request_.fusion) {
        return recomputed_[tensor] = value(tensor).place;
    }
    Step step = bound_step(*producer, static_cast<size_t>(recompute));
    for (size_t i = 0; i < producer->inputs.size(); ++i) {
        step.in[i] = value(producer->inputs[i]).place;
    }
    step.out = image_place(spec(tensor).shape.elements(1));
    main_.push_back(step);
    return recomputed_[tensor] = step.out;
}

/// A place for one term of the gradient of a parameter, or of what is computed from parameters;
/// number_sources() settles where.
int Planner::parameter_gradient(int tensor) {
    Place term;
    term.space = Space::kParts;
    term.size = spec(tensor).shape.elements();
    term.index = value(tensor).target;
    const int id = new_place(term);
    gradient_places_[static_cast<size_t>(term.index)].push_back(id);
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
    for (size_t i = 0; i < graph_.parameters.size(); ++i) {
        const Parameter& parameter = graph_.parameters[i];
        if (!parameter.trainable) continue;
        if (!gradient_places_[i].empty()) {
            plan_->sources[i].sum = kept_place(parameter.buffer->shape().elements());
        }
        plan_->kept_gradients.push_back(plan_->sources[i].sum);
        plan_->kept_shapes.push_back(parameter.buffer->shape());
    }
}

}  // namespace pronghorn
