// SPDX-License-Identifier: Apache-2.0
// Planner: from a graph to a Plan. planner.cpp records the forward steps and backward.cpp the
// others, segments.cpp groups them between barriers, memory.cpp gives every place its offset.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "plan/plan.h"

namespace pronghorn {

class Planner {
   public:
    Planner(Graph& graph, const PlanRequest& request);
    std::unique_ptr<Plan> build();

   private:
    /// A node whose layouts are settled: inputs are tensors in the layout its signature asks for.
    struct Placed {
        std::string name;
        Op* op = nullptr;
        std::vector<int> inputs;
        int output = -1;
        Signature signature;
        int saved = kNowhere;
        std::vector<int> packed;
        std::array<bool, kMaxInputs> wants{};
    };
    struct Value {  // what the planner knows of a tensor
        Layout layout = Layout::kRows;
        int place = kNowhere;
        bool wants_gradient = false;
        bool gated_sum = false;          // see Node
        int target = kNowhere;           // parameters': the number of its gradient's sources
        std::vector<int> contributions;  // activations': places of the terms of its gradient
    };
    /// By-image steps that run depth first, all in one segment.
    struct Chain {
        int begin = 0, end = 0;
        size_t segment = 0;
        int64_t granule = 1;  // images that stay together: a group where a step works in lanes
        int64_t parts = 1;
    };

    // planner.cpp: feeds, nodes, outputs, losses, metrics
    void mark_gradients();
    void place_feeds();
    void place_node(std::string name, Op* op, std::vector<int> inputs, int output);
    int in_layout(int tensor, Layout layout);
    void place_parameter(const Placed& placed);
    /// Neither a loss nor a backward pass.
    bool predicts() const {
        return request_.losses.empty() && request_.penalties.empty() && !graph_.training();
    }
    bool once(const Placed& placed) const { return spec(placed.output).parameter; }
    Step bound_step(const Placed& placed, size_t stage) const;
    Step packing_step(const Placed& placed, size_t stage) const;
    Phase packing_phase(const Signature& signature, size_t stage) const;
    void place_packing(const Placed& placed, size_t stage);
    void place_outputs();
    void place_losses();
    void place_loss(const LossRequest& loss);
    void place_penalty(const LossRequest& loss);
    void place_metrics();

    // backward.cpp
    void backward();
    int combined_gradient(int tensor);
    void backward_node(const Placed& placed, int d_out);
    int parameter_gradient(int tensor);
    int place_in_backward(int tensor);
    void keep_gradients();

    // segments.cpp
    void join_steps();
    bool needs_caches() const;
    void cut_chain(int begin, int end);
    void cut_tasks(int begin, int end, bool once_per_call);
    void cut_final();
    Segment* early_segment(size_t target);
    void cut_late(int begin);
    void add_segment(std::vector<Item> items);
    void number_sources(size_t target);
    void add_sums(size_t target, std::vector<Item>& items);
    void cut_clipped();
    void cut_rules();
    int64_t terms_of(int place) const;
    int64_t batch_images() const;

    // memory.cpp
    void settle_lifetimes();
    void write_in_place();
    void pack_slots();
    int64_t pack_chain(const Chain& chain, int64_t images);
    void pack_batch();
    void measure_slots();

    int new_place(const Place& place);
    int image_place(int64_t floats_per_image);
    int plain_place(int64_t floats);
    int kept_place(int64_t floats);
    int new_target();
    Value& value(int tensor) { return values_[static_cast<size_t>(tensor)]; }
    const Tensor& spec(int tensor) const { return graph_.tensors[static_cast<size_t>(tensor)]; }
    Place& place(int id) { return plan_->places[static_cast<size_t>(id)]; }
    const Place& place(int id) const { return plan_->places[static_cast<size_t>(id)]; }
    Op* own(std::unique_ptr<Op> op);

    Graph& graph_;
    const PlanRequest& request_;
    std::unique_ptr<Plan> plan_;
    std::vector<Value> values_;  // by tensor
    std::vector<Placed> placed_;
    std::map<std::pair<int, Layout>, int> converted_;
    std::map<int, int> recomputed_;  // by tensor: its place in the backward pass
    // In the order of a step: packing, what is computed from weights alone, the passes, gradients
    // that nothing waits for, and the backward pass of what was computed from weights.
    std::vector<Step> prepare_, once_, main_, final_, late_;
    std::vector<Chain> chains_;
    bool any_lanes_ = false;
    bool spreads_ = false;  // what PlanContext::spreads says
    // By target: the places of the terms of its gradient, and whether late_ reads or adds to it.
    std::vector<std::vector<int>> gradient_places_;
    std::vector<bool> is_late_;
};

/// Elements of a parameter whose partial gradients one task sums and applies.
constexpr int64_t kReduceBlock = 4096;

}  // namespace pronghorn
