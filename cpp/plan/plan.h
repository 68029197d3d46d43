// SPDX-License-Identifier: Apache-2.0
// Plan: a graph made ready to run. Steps are stages of ops with their pointers' places; segments
// are groups of work between barriers; all memory is one block per plan and one slot per thread.
// The planner fills it, the executor runs it; after the first call nothing is allocated.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/parallel.h"
#include "core/workspace.h"
#include "ops/host_function.h"
#include "ops/op.h"
#include "ops/optimizer.h"
#include "plan/graph.h"

namespace pronghorn {

/// Where a tensor lies. kFixed: outside the plan (parameters). kFeed, kUser: the caller's arrays of
/// this call. kBatch: the plan's arena, for the whole batch. kSlot: the running thread's slot, for
/// one slice. kParts: the plan's arena, one copy per part of the batch (partial gradients).
/// kLasting: what is computed from the weights once a call, and kept while they do not change.
enum class Space : uint8_t { kFixed, kFeed, kUser, kBatch, kSlot, kParts, kLasting };

struct Place {
    Space space = Space::kBatch;
    int64_t per_image = 0;  // floats per image; 0: not by image
    int64_t size = 0;       // floats where not by image
    int64_t offset = 0;     // floats into its arena
    float* fixed = nullptr;
    int index = 0;  // of the feed or the user's output
    // The planner's: the steps that use it, and whether it must outlive them.
    int first = -1, last = -1;
    bool keep = false;
};

constexpr int kNowhere = -1;

struct Step {
    const Op* op = nullptr;
    int stage = 0;
    Stage info;
    std::string name;
    bool lanes = false;  // touches tensors in lanes layout
    bool once = false;   // of parameters alone: Args::images is 1
    size_t inputs = 2;   // of in, d_in and updates, those that mean something
    std::array<int, kMaxInputs> in, d_in;
    int out = kNowhere, d_out = kNowhere, saved = kNowhere, packed = kNowhere;
    /// Parameter whose blocks this step's tasks finish and update at once, per input; or kNowhere.
    std::array<int, kMaxInputs> updates;
    int moved = -1;  // of these, the input that the tasks can move themselves

    Step() {
        in.fill(kNowhere);
        d_in.fill(kNowhere);
        updates.fill(kNowhere);
    }
};

/// Every place that a step reads or writes.
template <typename OneStep, typename Visit>
void for_places(OneStep& step, Visit visit) {
    for (auto& id : step.in) visit(id);
    for (auto& id : step.d_in) visit(id);
    for (auto* id : {&step.out, &step.d_out, &step.saved, &step.packed}) visit(*id);
}

struct Item {
    /// kPenalty, kNorms, kUpdate, kConstrain: the l1 and l2 terms of the loss, the norms that
    /// gradients are clipped by, the updates that waited for them, the constraints.
    enum class Kind : uint8_t {
        kPart,
        kTask,
        kReduce,
        kTotals,
        kPenalty,
        kNorms,
        kUpdate,
        kConstrain
    };
    Kind kind = Kind::kTask;
    int step = 0;      // kTask
    int64_t task = 0;  // kTask, kConstrain; the part's number for kPart; kReduce, kPenalty: where
                       // its sum of squares or its penalty goes
    int64_t first_image = 0, images = 0;  // kPart
    size_t target = 0;                    // elements [range) of these gradient sources
    Range range;
};

struct Segment {
    int begin = 0, end = 0;  // steps of a chain
    int64_t slice = 0;       // images that a chain carries at a time
    int64_t local = 0;       // floats of their tensors in the slot
    bool once_per_call = false;
    std::vector<Item> items;
};

/// Terms of the gradient of one parameter, `count` of them in a row, and where their sum goes:
/// kNowhere if it only serves to update the parameter at once.
struct GradientSources {
    int place = kNowhere;
    int64_t count = 0, size = 0;
    int sum = kNowhere;
    size_t squares_begin = 0, squares_end = 0;  // of Plan::squares, where gradients are clipped
};

/// Values of shape (batch,), each times its scale; or one value of the weights alone, unscaled.
struct LossTerm {
    int value = kNowhere, scale = kNowhere;
    double weight = 1;
};
struct MetricTerm {
    int value = kNowhere;
    int weight_feed = -1;
    int64_t weights = 1;  // per image; several are in the value already, a mean of as many terms
};

struct Output {
    Shape shape;  // of one row
};

class Plan {
   public:
    struct Call {
        std::vector<const void*> feeds;
        int64_t feed_rows = 0;
        const int64_t* order = nullptr;
        int64_t steps = 0;
        std::vector<float*> outputs;
        std::vector<float*> gradients;  // where those of kept_gradients go
        const double* learning_rates = nullptr;
        int64_t iteration = 0;
        std::vector<std::array<double, 2>> totals;  // what earlier calls have summed, or nothing
    };

    /// Rows (sum, count): the total loss, each loss, each metric. Throws nothing; one call at a
    /// time (others wait), the caller's arrays being checked already.
    std::vector<std::array<double, 2>> run(const Call& call);

    /// What a step took in a call on one thread; bytes are those of its tensors, each counted once.
    struct Spent {
        std::string name;
        double seconds, flops, bytes;
    };
    std::vector<Spent> run_profiled(const Call& call);

    int64_t batch = 0;
    std::vector<Feed> feeds;
    std::vector<Output> outputs;
    std::vector<Parameter> parameters;
    // Places of gradients to report, inputs' and then parameters'; kNowhere where no loss depends
    // on it.
    std::vector<int> kept_gradients;
    std::vector<Shape> kept_shapes;
    bool updates_parameters = false;

    /// Of a call.
    int64_t most_steps() const {
        return Crew::kMostSegments / std::max<int64_t>(1, static_cast<int64_t>(segments.size())) -
               1;
    }
    /// Of a call, shared with other plans' calls.
    int64_t memory_bytes() const;
    size_t rows_of_totals() const { return 1 + reported_losses + metrics.size(); }

    /// Sees to it that the first call finds its memory; throws MemoryError where there is none.
    void reserve_memory();

    // The planner's.
    const Kernels* kernels = nullptr;
    std::shared_ptr<const Optimizer> optimizer;
    std::vector<std::unique_ptr<Op>> ops;
    std::vector<HostFunction*> host_functions;  // of the ops
    std::vector<Place> places;
    std::vector<Step> steps;
    std::vector<Segment> segments;
    std::vector<GradientSources> sources;  // by parameter, then of what is computed from them
    std::vector<LossTerm> losses;          // those behind the reported ones only count in the total
    size_t reported_losses = 0;
    std::vector<MetricTerm> metrics;
    std::vector<double> penalties;  // of the blocks of parameters, in a fixed order
    std::vector<double> squares;    // sums of squares of the blocks of gradients
    std::vector<float> scales;      // by parameter: what clipping leaves of its gradient
    bool clips_norm() const { return updates_parameters && optimizer->clips_norm(); }
    bool moves_state = false;  // parameters change in forward stages
    int64_t memory_floats = 0;
    int64_t lasting_floats = 0;
    // A slot holds a slice's local tensors and behind them its scratch, or a task's scratch and
    // behind it the gradient block that the task finishes.
    int64_t slot_floats = 0;
    int64_t task_scratch_floats = 0;
    bool for_threads = true;  // a step is worth more than one

    /// Floats of the tensors that a step of the plan reads and writes, each counted once.
    double floats_of(const Step& step) const;

   private:
    struct Run;
    /// Where a thread is: its memory, the step of the call, the part of the batch.
    struct Cursor {
        float* slot;
        int64_t number;
        int64_t part = 0;
    };
    void execute(Run& run, int thread, int team) noexcept;
    void run_item(Run& run, const Segment& segment, const Item& item, Cursor at) noexcept;
    void run_part(Run& run, const Segment& segment, const Item& item, Cursor at) noexcept;
    void run_task(Run& run, const Item& item, Cursor at) noexcept;
    void reduce(const Run& run, const Item& item, Cursor at) noexcept;
    void add_totals(Run& run, int64_t number) noexcept;
    void bind(const Run& run, const Step& step, Cursor at, Args& args) const noexcept;
    float* resolve(const Run& run, int place, Cursor at, int64_t first_image) const noexcept;
    void update(const Run& run, size_t parameter, Range range, float* gradient,
                Adjustment adjustment, int64_t number) noexcept;
    Optimizer::Step step_of(const Run& run, int64_t number) const noexcept;
    std::optional<SgdBlock> moves_of(const Run& run, const Step& step,
                                     const std::array<Range, kMaxInputs>& owned,
                                     int64_t number) const noexcept;
    void penalize(const Item& item) noexcept;
    void find_scales() noexcept;
    Adjustment penalty_of(size_t parameter) const;
    int threads_to_use() const;
    size_t slot_bytes() const;
    float* here(int id) const noexcept {  // in the arena, or what lasts
        const Place& place = places[static_cast<size_t>(id)];
        return (place.space == Space::kLasting ? lasting_ : memory_.floats()) + place.offset;
    }
    bool find_lasting();
    void note_changes() noexcept;
    bool failed() const noexcept;

    WorkspaceUser workspace_;
    Loan memory_;              // of a call
    std::vector<Loan> slots_;  // one per thread
    Loan lent_;                // what lasts, of this call alone
    Arena kept_;               // or from call to call
    float* lasting_ = nullptr;
    std::vector<uint64_t> versions_;  // of the parameters in the last call
    std::vector<std::array<double, 2>> totals_;
    std::vector<double> seconds_;  // by step, while profiling
    ForkSafeLock lock_;
};

struct LossRequest {
    int tensor;
    int weight_input;  // a tensor from Graph::input, or -1
    std::string reduction;
    double weight;
};
struct MetricRequest {
    int tensor;
    int weight_input;
};
struct PlanRequest {
    std::vector<int> outputs;
    std::vector<LossRequest> losses;
    std::vector<int> penalties;  // like losses that are averaged over the batch, not reported
    std::vector<MetricRequest> metrics;
    std::shared_ptr<const Optimizer> optimizer;
    std::string conv_algorithm = "auto";
    bool fusion = true;  // passes over memory are saved where they can be
};

/// Takes the graph's ops; the graph keeps its shapes.
std::unique_ptr<Plan> make_plan(Graph& graph, const PlanRequest& request);

}  // namespace pronghorn
