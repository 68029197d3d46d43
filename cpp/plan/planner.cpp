// SPDX-License-Identifier: Apache-2.0
#include "plan/planner.h"

#include <algorithm>

#include "ops/feed.h"
#include "plan/fuse.h"

namespace pronghorn {

Planner::Planner(Graph& graph, const PlanRequest& request)
    : graph_(graph), request_(request), plan_(std::make_unique<Plan>()) {}

std::unique_ptr<Plan> Planner::build() {
    std::vector<int> wanted = request_.outputs;
    for (const LossRequest& loss : request_.losses) wanted.push_back(loss.tensor);
    wanted.insert(wanted.end(), request_.penalties.begin(), request_.penalties.end());
    for (const MetricRequest& metric : request_.metrics) wanted.push_back(metric.tensor);
    fuse(graph_, wanted, request_.fusion, request_.conv_algorithm == "auto");

    plan_->kernels = &graph_.kernels();
    plan_->batch = graph_.batch();
    plan_->feeds = graph_.feeds;
    plan_->parameters = graph_.parameters;
    plan_->optimizer = request_.optimizer;
    plan_->updates_parameters = request_.optimizer != nullptr;
    spreads_ = needs_caches();
    values_.resize(graph_.tensors.size());
    mark_gradients();
    place_feeds();
    for (Node& node : graph_.nodes) {
        value(node.output).gated_sum = node.gated_sum;
        place_node(node.name, own(std::move(node.op)), node.inputs, node.output);
    }
    place_outputs();
    place_losses();
    place_metrics();
    if (graph_.training()) backward();

    join_steps();
    cut_final();
    settle_lifetimes();
    pack_slots();
    pack_batch();
    measure_slots();
    for (const Segment& segment : plan_->segments) {
        const auto items = static_cast<int64_t>(segment.items.size());
        check(items <= Crew::kMostItems, "graph", "expected at most ", Crew::kMostItems,
              " tasks side by side, got ", items, ": give smaller batches");
    }
    plan_->reserve_memory();
    return std::move(plan_);
}

void Planner::mark_gradients() {
    if (!graph_.training()) return;
    for (const Parameter& parameter : graph_.parameters) {
        value(parameter.tensor).wants_gradient = parameter.trainable;
    }
    for (int tensor : graph_.differentiable) value(tensor).wants_gradient = true;
    for (const Node& node : graph_.nodes) {
        if (!node.op->differentiable()) continue;
        for (int input : node.inputs) {
            if (value(input).wants_gradient) value(node.output).wants_gradient = true;
        }
    }
}

void Planner::place_feeds() {
    for (size_t i = 0; i < graph_.feeds.size(); ++i) {
        const Feed& feed = graph_.feeds[i];
        bool read = false;
        for (const Node& node : graph_.nodes) {
            for (size_t k = 0; k < node.inputs.size(); ++k) {
                if (node.inputs[k] != feed.tensor) continue;
                read = true;
                const int64_t below = node.op->ids_below(static_cast<int>(k));
                int64_t& most = plan_->feeds[i].below;
                if (below > 0) most = most == 0 ? below : std::min(most, below);
            }
        }
        for (int output : request_.outputs) read |= output == feed.tensor;
        if (!read) continue;  // sample weights are read where they lie
        Place source;
        source.space = Space::kFeed;
        source.index = static_cast<int>(i);
        Step step;
        step.op = own(make_gather(feed.dtype, feed.shape.elements()));
        step.name = "gather";
        step.info = {Phase::kForward, true, 1, 0, 0};
        step.in[0] = new_place(source);
        step.out = value(feed.tensor).place = image_place(feed.shape.elements());
        main_.push_back(step);
    }
    for (const Parameter& parameter : graph_.parameters) {
        Place fixed;
        fixed.space = Space::kFixed;
        fixed.fixed = parameter.buffer->data();
        fixed.size = parameter.buffer->shape().elements();
        value(parameter.tensor).place = new_place(fixed);
        value(parameter.tensor).target = new_target();
    }
}

/// The tensor's number in that layout; a converting node is placed before the first that asks.
int Planner::in_layout(int tensor, Layout layout) {
    if (value(tensor).layout == layout) return tensor;
    const auto known = converted_.find({tensor, layout});
    if (known != converted_.end()) return known->second;
    if (value(tensor).layout != Layout::kRows && layout != Layout::kRows) {
        return in_layout(in_layout(tensor, Layout::kRows), layout);
    }
    const Tensor original = spec(tensor);
    const int converted = graph_.add_tensor(original);
    values_.resize(graph_.tensors.size());
    value(converted).wants_gradient = value(tensor).wants_gradient;
    converted_[{tensor, layout}] = converted;
    const Layout from = value(tensor).layout;
    const bool lanes = from == Layout::kLanes || layout == Layout::kLanes;
    place_node(std::string(from == Layout::kRows ? "to_" : "from_") + (lanes ? "lanes" : "planes"),
               own(make_convert(from, layout, original.image_shape(), graph_.kernels())), {tensor},
               converted);
    return converted;
}

void Planner::place_node(std::string name, Op* op, std::vector<int> inputs, int output) {
    PlanContext context;
    context.kernels = &graph_.kernels();
    context.output = spec(output);
    context.training = graph_.training() && value(output).wants_gradient;
    context.predicts = predicts();
    context.spreads = spreads_;
    context.conv_algorithm = request_.conv_algorithm;
    Placed placed;
    for (size_t i = 0; i < inputs.size(); ++i) {
        context.inputs.push_back(spec(inputs[i]));
        const Layout layout = value(inputs[i]).layout;
        const bool hidden = layout == Layout::kPlanes && !op->takes_planes();
        context.layouts.push_back(hidden ? Layout::kRows : layout);
        placed.wants[i] = context.wants_gradient[i] = value(inputs[i]).wants_gradient;
    }
    for (size_t i = inputs.size(); i < kMaxInputs; ++i) context.wants_gradient[i] = false;
    placed.signature = op->plan(context);
    for (int& input : inputs) {
        if (!spec(input).parameter) input = in_layout(input, placed.signature.in_layout);
    }
    placed.name = std::move(name);
    placed.op = op;
    placed.inputs = std::move(inputs);
    placed.output = output;
    value(output).layout = placed.signature.out_layout;
    if (placed.signature.view) {
        value(output).place = value(placed.inputs[0]).place;
        value(output).target = value(placed.inputs[0]).target;
        placed_.push_back(std::move(placed));
        return;
    }
    if (spec(output).parameter) {
        place_parameter(placed);
    } else {
        value(output).place = image_place(spec(output).shape.elements(1));
    }
    if (placed.signature.saved > 0) {
        placed.saved =
            once(placed) ? kept_place(placed.signature.saved) : image_place(placed.signature.saved);
    }
    for (int64_t floats : placed.signature.packed) {
        placed.packed.push_back(floats > 0 ? plain_place(floats) : kNowhere);
    }
    bool computed = once(placed);  // what is packed may have to be computed first
    for (int input : placed.inputs) {
        computed |= spec(input).parameter && place(value(input).place).space != Space::kFixed;
    }
    for (size_t stage = 0; stage < placed.signature.stages.size(); ++stage) {
        const Phase phase = placed.signature.stages[stage].phase;
        if (phase == Phase::kForward) {
            Step step = bound_step(placed, stage);
            for (size_t i = 0; i < placed.inputs.size(); ++i) {
                if (i != 1 || step.info.reads_kernel) step.in[i] = value(placed.inputs[i]).place;
                if (placed.signature.gradient[i] != GradientBy::kState) continue;
                step.d_in[i] = step.in[i];
                plan_->moves_state = true;
            }
            step.out = value(output).place;
            step.saved = placed.saved;
            (step.once ? once_ : main_).push_back(step);
        } else if (phase == Phase::kPrepare) {
            const Phase when = packing_phase(placed.signature, stage);
            if (when == Phase::kForward) place_packing(placed, stage);
            if (when == Phase::kPrepare) {
                (computed ? once_ : prepare_).push_back(packing_step(placed, stage));
            }
        }
    }
    placed_.push_back(std::move(placed));
}

namespace {

/// The stage that reads what stage `packing` packs.
const Stage& reader_of(const Signature& signature, size_t packing) {
    const size_t block = signature.stages[packing].packed;
    return *std::find_if(signature.stages.begin(), signature.stages.end(),
                         [block](const Stage& other) {
                             return other.phase != Phase::kPrepare && other.packed == block;
                         });
}

}  // namespace

/// Where weights change with every step, large blocks are packed right before the stage that reads
/// them, in its phase, and their memory is free again behind it.
Phase Planner::packing_phase(const Signature& signature, size_t stage) const {
    const bool late = plan_->updates_parameters &&
                      signature.packed[signature.stages[stage].packed] >= kLargeBlock;
    return late ? reader_of(signature, stage).phase : Phase::kPrepare;
}

/// Among the passes, where the next step reads it: before the chain that this one is going to join.
void Planner::place_packing(const Placed& placed, size_t stage) {
    auto at = main_.end();
    if (reader_of(placed.signature, stage).by_image) {
        while (at != main_.begin() && std::prev(at)->info.by_image) --at;
    }
    main_.insert(at, packing_step(placed, stage));
}

Step Planner::packing_step(const Placed& placed, size_t stage) const {
    Step step = bound_step(placed, stage);
    for (size_t i = 0; i < placed.inputs.size(); ++i) {
        const Value& input = values_[static_cast<size_t>(placed.inputs[i])];
        if (spec(placed.inputs[i]).parameter) step.in[i] = input.place;
    }
    return step;
}

/// The place of what a node computes from parameters alone. Its gradient has a target of its own,
/// and those of its inputs wait for that: nothing may move them before.
void Planner::place_parameter(const Placed& placed) {
    const int64_t size = spec(placed.output).shape.elements();
    value(placed.output).place = graph_.training() ? kept_place(size) : plain_place(size);
    value(placed.output).target = new_target();
    for (int input : placed.inputs) is_late_[static_cast<size_t>(value(input).target)] = true;
}

/// A step of that stage without tensors.
Step Planner::bound_step(const Placed& placed, size_t stage) const {
    Step step;
    step.op = placed.op;
    step.stage = static_cast<int>(stage);
    step.info = placed.signature.stages[stage];
    step.name = placed.name;
    step.lanes = placed.signature.in_layout == Layout::kLanes ||
                 placed.signature.out_layout == Layout::kLanes;
    if (step.info.packed < placed.packed.size()) step.packed = placed.packed[step.info.packed];
    step.inputs = placed.inputs.size();
    step.once = once(placed);
    if (step.once && step.info.by_image) {
        step.info.by_image = false;
        step.info.tasks = 1;
    }
    return step;
}

void Planner::place_outputs() {
    for (size_t i = 0; i < request_.outputs.size(); ++i) {
        const int tensor = in_layout(request_.outputs[i], Layout::kRows);
        Shape row;
        for (int axis = 1; axis < spec(tensor).shape.rank(); ++axis) {
            row.push_back(spec(tensor).shape[axis]);
        }
        check(spec(tensor).dtype == DType::kFloat32 && !spec(tensor).parameter, "graph",
              "expected outputs to be computed float32 tensors");
        Place user;
        user.space = Space::kUser;
        user.per_image = row.elements();
        user.index = static_cast<int>(i);
        Step step;
        step.op = own(make_emit(row.elements()));
        step.name = "emit";
        step.info = {Phase::kForward, true, 1, 0, 0};
        step.in[0] = value(tensor).place;
        step.out = new_place(user);
        main_.push_back(step);
        plan_->outputs.push_back({row});
    }
}

namespace {

int feed_number(const Graph& graph, int tensor) {
    if (tensor < 0) return -1;
    for (size_t i = 0; i < graph.feeds.size(); ++i) {
        const Feed& feed = graph.feeds[i];
        if (feed.tensor != tensor) continue;
        check(feed.dtype == DType::kFloat32, "graph", "expected sample weights as float32");
        return static_cast<int>(i);
    }
    throw ValueError("[graph] expected sample weights to be an input");
}

int64_t weights_per_image(const Graph& graph, int feed) {
    return feed < 0 ? 1 : graph.feeds[static_cast<size_t>(feed)].shape.elements();
}

}  // namespace

void Planner::place_losses() {
    for (const LossRequest& loss : request_.losses) place_loss(loss);
    plan_->reported_losses = plan_->losses.size();
    for (int penalty : request_.penalties) place_loss({penalty, -1, "sum_over_batch_size", 1.0});
}

void Planner::place_loss(const LossRequest& loss) {
    const auto batch = static_cast<double>(graph_.batch());
    if (spec(loss.tensor).parameter) {
        place_penalty(loss);
        return;
    }
    check(graph_.shape(loss.tensor) == Shape{graph_.batch()}, "graph", "expected a loss of shape (",
          graph_.batch(), ",), got ", graph_.shape(loss.tensor));
    double terms = 1;
    for (const Placed& placed : placed_) {
        if (placed.output == loss.tensor) terms = static_cast<double>(placed.op->terms());
    }
    const bool by_weight = loss.reduction == "mean_with_sample_weight";
    const bool sum = loss.reduction == "sum";
    check(sum || by_weight || loss.reduction == "sum_over_batch_size", "graph",
          "expected the reduction sum_over_batch_size, sum or mean_with_sample_weight, got ",
          loss.reduction);
    const int weights = feed_number(graph_, loss.weight_input);
    const int64_t per_image = weights_per_image(graph_, weights);
    check(per_image == 1 || terms == 1 || static_cast<double>(per_image) == terms, "graph",
          "expected ", terms, " weights per image, got ", per_image);
    terms = std::max(terms, static_cast<double>(per_image));
    const double factor = loss.weight * (sum ? terms : by_weight ? 1.0 : 1.0 / batch);
    Step step;
    step.op =
        own(make_loss_scale(static_cast<float>(factor), by_weight, graph_.batch(), per_image));
    step.name = "loss_scale";
    step.info = {Phase::kForward, true, 1, 0, 0};
    if (weights >= 0) {
        Place feed;
        feed.space = Space::kFeed;
        feed.index = weights;
        step.in[0] = new_place(feed);
    }
    step.out = image_place(1);
    main_.push_back(step);
    LossTerm term{value(loss.tensor).place, step.out, loss.weight};
    place(term.value).keep = place(term.scale).keep = true;
    plan_->losses.push_back(term);
    if (value(loss.tensor).wants_gradient) {
        value(loss.tensor).contributions.push_back(step.out);
    }
}

/// A loss of the weights alone: one value, whatever the batch.
void Planner::place_penalty(const LossRequest& loss) {
    const Shape& shape = graph_.shape(loss.tensor);
    check(shape.elements() == 1 && loss.weight_input < 0, "graph",
          "expected a loss of parameters to be one value without sample weights, got ", shape);
    place(value(loss.tensor).place).keep = true;
    plan_->losses.push_back({value(loss.tensor).place, kNowhere, loss.weight});
    if (!value(loss.tensor).wants_gradient) return;
    Step step;
    step.op = own(make_loss_scale(static_cast<float>(loss.weight), false, 1, 1));
    step.name = "loss_scale";
    step.info = {Phase::kForward, false, 1, 0, 0};
    step.once = true;
    step.out = parameter_gradient(loss.tensor);
    once_.push_back(step);
}

void Planner::place_metrics() {
    for (const MetricRequest& metric : request_.metrics) {
        check(graph_.shape(metric.tensor) == Shape{graph_.batch()}, "graph",
              "expected a metric of shape (", graph_.batch(), ",), got ",
              graph_.shape(metric.tensor));
        const int weights = feed_number(graph_, metric.weight_input);
        const MetricTerm term{value(metric.tensor).place, weights,
                              weights_per_image(graph_, weights)};
        place(term.value).keep = true;
        plan_->metrics.push_back(term);
    }
}

int Planner::new_place(const Place& place) {
    plan_->places.push_back(place);
    return static_cast<int>(plan_->places.size()) - 1;
}

int Planner::image_place(int64_t floats_per_image) {
    Place place;
    place.per_image = floats_per_image;
    return new_place(place);
}

int Planner::plain_place(int64_t floats) {
    Place place;
    place.size = floats;
    return new_place(place);
}

int Planner::kept_place(int64_t floats) {
    const int id = plain_place(floats);
    place(id).keep = true;
    return id;
}

int Planner::new_target() {
    gradient_places_.emplace_back();
    is_late_.push_back(false);
    return static_cast<int>(gradient_places_.size()) - 1;
}

Op* Planner::own(std::unique_ptr<Op> op) {
    if (op->host_function() != nullptr) plan_->host_functions.push_back(op->host_function());
    plan_->ops.push_back(std::move(op));
    return plan_->ops.back().get();
}

std::unique_ptr<Plan> make_plan(Graph& graph, const PlanRequest& request) {
    check(!graph.compiled, "graph", "this graph is compiled already");
    for (int tensor : request.outputs) graph.spec(tensor);
    for (const LossRequest& loss : request.losses) graph.spec(loss.tensor);
    for (int penalty : request.penalties) graph.spec(penalty);
    for (const MetricRequest& metric : request.metrics) graph.spec(metric.tensor);
    if (request.optimizer != nullptr) {
        for (const Parameter& parameter : graph.parameters) {
            check(!parameter.trainable ||
                      static_cast<int>(parameter.slots.size()) == request.optimizer->slots(),
                  "graph", "expected ", request.optimizer->slots(),
                  " slots for each trainable parameter, got ", parameter.slots.size());
        }
    }
    graph.compiled = true;
    return Planner(graph, request).build();
}

}  // namespace pronghorn
