// SPDX-License-Identifier: Apache-2.0
// The executor: one parallel region per call. The team works through the segments of all its steps;
// who takes which item changes nothing in the result.
#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>

#include "plan/plan.h"

namespace pronghorn {

namespace {

// Slots end on a page of their own, so that threads do not share cache lines.
constexpr int64_t kSlotPad = 1024;

}  // namespace

struct Plan::Run {
    const Call& call;
    std::vector<std::array<double, 2>>& totals;
    bool profiled = false;
    bool fresh = true;  // what is done once a call has to be done
    Crew crew;
};

int Plan::threads_to_use() const { return for_threads ? num_threads() : 1; }

size_t Plan::slot_bytes() const {
    return sizeof(float) * static_cast<size_t>(slot_floats + kSlotPad);
}

int64_t Plan::memory_bytes() const {
    return memory_floats * static_cast<int64_t>(sizeof(float)) +
           threads_to_use() * static_cast<int64_t>(slot_bytes());
}

void Plan::reserve_memory() {
    const size_t bytes = sizeof(float) * static_cast<size_t>(memory_floats);
    const size_t lasting = sizeof(float) * static_cast<size_t>(lasting_floats);
    workspace_.need(std::max({bytes, lasting, slot_bytes()}));
    const Loan now(bytes), and_lasting(lasting);
}

/// Memory for what is computed from the weights; returns whether it has to be computed. The second
/// call that finds the same weights takes memory of its own for it, for all calls to come.
bool Plan::find_lasting() {
    const size_t bytes = sizeof(float) * static_cast<size_t>(lasting_floats);
    bool same = bytes > 0 && versions_.size() == parameters.size();
    versions_.resize(parameters.size());
    for (size_t i = 0; i < parameters.size(); ++i) {
        const Buffer& buffer = *parameters[i].buffer;
        same &= !buffer.lent() && buffer.version() == versions_[i];
        versions_[i] = buffer.version();
    }
    const bool known = same && kept_.size() > 0;
    if (same && !known) kept_ = Arena(bytes);
    if (kept_.size() == 0) lent_ = Loan(bytes);
    lasting_ = kept_.size() > 0 ? kept_.floats() : lent_.floats();
    return !known;
}

void Plan::note_changes() noexcept {
    if (failed()) versions_.clear();
    if (!updates_parameters && !moves_state) return;
    for (const Parameter& parameter : parameters) parameter.buffer->changed();
}

std::vector<std::array<double, 2>> Plan::run(const Call& call) {
    const std::lock_guard<ForkSafeLock> guard(lock_);
    const int threads = threads_to_use();
    memory_ = Loan(sizeof(float) * static_cast<size_t>(memory_floats));
    while (slots_.size() < static_cast<size_t>(threads)) slots_.emplace_back(slot_bytes());
    totals_ = call.totals;
    totals_.resize(rows_of_totals());

    struct Context {
        Plan* plan;
        Run run;
    } context{this, {call, totals_, !seconds_.empty(), find_lasting(), {}}};
    const auto body = [](void* opaque, int thread, int team) {
        auto& shared = *static_cast<Context*>(opaque);
        shared.plan->execute(shared.run, thread, team);
    };
    parallel_run(context.run.profiled ? 1 : undisturbed(threads), body, &context);
    for (size_t i = 0; i < call.gradients.size(); ++i) {
        const int64_t size = kept_shapes[i].elements();
        if (kept_gradients[i] == kNowhere) {
            std::fill_n(call.gradients[i], size, 0.0f);
        } else {
            std::copy_n(here(kept_gradients[i]), size, call.gradients[i]);
        }
    }
    note_changes();
    slots_.clear();
    memory_ = Loan();
    lent_ = Loan();
    return totals_;
}

double Plan::floats_of(const Step& step) const {
    double floats = 0;
    for_places(step, [&](int id) {
        if (id == kNowhere) return;
        const Place& place = places[static_cast<size_t>(id)];
        floats += static_cast<double>(place.size + place.per_image * batch);
    });
    return floats;
}

std::vector<Plan::Spent> Plan::run_profiled(const Call& call) {
    constexpr const char* kPhases[] = {"prepare", "forward", "backward", "gradient"};
    seconds_.assign(steps.size() + 1, 0.0);
    run(call);
    const auto count = static_cast<double>(call.steps);
    std::vector<Spent> spent;
    for (size_t i = 0; i < steps.size(); ++i) {
        const Step& step = steps[i];
        spent.push_back({step.name + " " + kPhases[static_cast<size_t>(step.info.phase)],
                         seconds_[i], step.info.flops * count,
                         sizeof(float) * floats_of(step) * count});
    }
    double updated = 0;
    for (const Parameter& parameter : parameters) {
        if (!updates_parameters || !parameter.trainable) continue;
        const auto arrays = static_cast<double>(2 + parameter.slots.size());
        updated += arrays * static_cast<double>(parameter.buffer->shape().elements());
    }
    spent.push_back({"update", seconds_.back(), 0.0, sizeof(float) * updated * count});
    seconds_.clear();
    return spent;
}

void Plan::execute(Run& run, int thread, int team) noexcept {
    float* slot = slots_[static_cast<size_t>(thread)].floats();
    const auto number_of_segments = static_cast<int64_t>(segments.size());
    const auto items_of = [&](int64_t at) -> const std::vector<Item>& {
        static const std::vector<Item> kNone;
        const Segment& segment = segments[static_cast<size_t>(at % number_of_segments)];
        const bool done = at >= number_of_segments || !run.fresh;
        return segment.once_per_call && done ? kNone : segment.items;
    };
    const auto run_at = [&](int64_t at, int64_t item) {
        run_item(run, segments[static_cast<size_t>(at % number_of_segments)],
                 items_of(at)[static_cast<size_t>(item)], {slot, at / number_of_segments});
    };
    const auto count = [&](int64_t at) { return static_cast<int64_t>(items_of(at).size()); };
    const int64_t last = number_of_segments * run.call.steps;
    if (team > 1) return run.crew.work(thread, last, count, run_at);
    for (int64_t at = 0; at < last; ++at) {
        for (int64_t item = 0; item < count(at); ++item) run_at(at, item);
    }
}

bool Plan::failed() const noexcept {
    return std::any_of(host_functions.begin(), host_functions.end(),
                       [](const HostFunction* function) { return function->failed.load(); });
}

/// After a function of the caller failed nothing more happens; its update would be nonsense.
void Plan::run_item(Run& run, const Segment& segment, const Item& item, Cursor at) noexcept {
    if (failed()) return;
    switch (item.kind) {
        case Item::Kind::kPart:
            return run_part(run, segment, item, at);
        case Item::Kind::kTask:
            return run_task(run, item, at);
        case Item::Kind::kReduce:
            return reduce(run, item, at);
        case Item::Kind::kTotals:
            return add_totals(run, at.number);
        case Item::Kind::kPenalty:
            return penalize(item);
        case Item::Kind::kNorms:
            return find_scales();
        case Item::Kind::kUpdate: {
            Adjustment clipped;
            clipped.scale = scales[item.target];
            return update(run, item.target, item.range,
                          here(sources[item.target].sum) + item.range.begin, clipped, at.number);
        }
        case Item::Kind::kConstrain: {
            const Parameter& parameter = parameters[item.target];
            return parameter.rules.constraint->run(parameter.buffer->data(), item.task);
        }
    }
}

namespace {

/// Adds the time it lives to a sum, where there is one.
class Timer {
   public:
    explicit Timer(double* sum) : sum_(sum) {
        if (sum_ != nullptr) begin_ = std::chrono::steady_clock::now();
    }
    ~Timer() {
        if (sum_ == nullptr) return;
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin_;
        *sum_ += spent.count();
    }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

   private:
    double* sum_;
    std::chrono::steady_clock::time_point begin_;
};

}  // namespace

void Plan::run_part(Run& run, const Segment& segment, const Item& item, Cursor at) noexcept {
    Args args;
    args.scratch = at.slot + segment.local;
    at.part = item.task;
    for (int64_t done = 0; done < item.images; done += segment.slice) {
        args.first_image = item.first_image + done;
        args.images = std::min(segment.slice, item.images - done);
        args.accumulate = done > 0;
        for (int i = segment.begin; i < segment.end; ++i) {
            const Step& step = steps[static_cast<size_t>(i)];
            const Timer timer(run.profiled ? &seconds_[static_cast<size_t>(i)] : nullptr);
            bind(run, step, at, args);
            step.op->run(step.stage, args, 0);
        }
    }
}

void Plan::run_task(Run& run, const Item& item, Cursor at) noexcept {
    const Step& step = steps[static_cast<size_t>(item.step)];
    Args args;
    args.scratch = at.slot;
    args.images = step.once ? 1 : batch;
    bind(run, step, at, args);
    float* block = args.scratch + task_scratch_floats;
    std::array<Range, kMaxInputs> owned{};
    for (size_t i = 0; i < step.inputs; ++i) {
        if (step.d_in[i] == kNowhere) continue;
        if (places[static_cast<size_t>(step.d_in[i])].space != Space::kParts) continue;
        owned[i] = step.op->owned(step.stage, static_cast<int>(i), item.task);
        if (step.updates[i] != kNowhere) {
            args.d_in[i] = block;
            block += (owned[i].count + 15) / 16 * 16;
        } else {
            args.d_in[i] += owned[i].begin;
        }
    }
    std::optional<SgdBlock> moves;
    if (step.moved >= 0) moves = moves_of(run, step, owned, at.number);
    args.moves = moves ? &*moves : nullptr;
    {
        const Timer timer(run.profiled ? &seconds_[static_cast<size_t>(item.step)] : nullptr);
        step.op->run(step.stage, args, item.task);
    }
    for (size_t i = 0; i < step.inputs; ++i) {
        const bool done = moves && static_cast<int>(i) == step.moved;
        if (step.updates[i] != kNowhere && owned[i].count > 0 && !done) {
            const auto parameter = static_cast<size_t>(step.updates[i]);
            update(run, parameter, owned[i], args.d_in[i], penalty_of(parameter), at.number);
        }
    }
}

/// What a task that can move its block itself needs for it, or nothing where the optimizer must.
std::optional<SgdBlock> Plan::moves_of(const Run& run, const Step& step,
                                       const std::array<Range, kMaxInputs>& owned,
                                       int64_t number) const noexcept {
    const auto input = static_cast<size_t>(step.moved);
    if (step.updates[input] == kNowhere) return std::nullopt;
    const Parameter& parameter = parameters[static_cast<size_t>(step.updates[input])];
    const auto rule = optimizer->plain_sgd(step_of(run, number), parameter.rules.decays);
    if (!rule || parameter.rules.l1 != 0 || parameter.rules.l2 != 0) return std::nullopt;
    const int64_t begin = owned[input].begin;
    float* velocity = parameter.slots.empty() ? nullptr : parameter.slots[0]->data() + begin;
    return SgdBlock{*rule, parameter.buffer->data() + begin, velocity};
}

float* Plan::resolve(const Run& run, int id, Cursor at, int64_t first_image) const noexcept {
    if (id == kNowhere) return nullptr;
    const Place& place = places[static_cast<size_t>(id)];
    const auto index = static_cast<size_t>(place.index);
    switch (place.space) {
        case Space::kFixed:
            return place.fixed;
        case Space::kFeed:  // only ever read
            return static_cast<float*>(const_cast<void*>(run.call.feeds[index]));
        case Space::kUser:
            return run.call.outputs[index] + (at.number * batch + first_image) * place.per_image;
        case Space::kBatch:
            return memory_.floats() + place.offset + first_image * place.per_image;
        case Space::kLasting:
            return lasting_ + place.offset;
        case Space::kSlot:
            return at.slot + place.offset;
        case Space::kParts: {
            const int block = sources[index].place;
            if (block == kNowhere) return nullptr;
            return here(block) + place.offset + at.part * place.size;
        }
    }
    return nullptr;
}

void Plan::bind(const Run& run, const Step& step, Cursor at, Args& args) const noexcept {
    const auto pointer = [&](int id) { return resolve(run, id, at, args.first_image); };
    for (size_t i = 0; i < step.inputs; ++i) {
        args.in[i] = pointer(step.in[i]);
        args.d_in[i] = pointer(step.d_in[i]);
    }
    // What a step before had there is none of this one's business: no bias, no gradient of it.
    for (size_t i = step.inputs; i < kMaxInputs; ++i) args.in[i] = args.d_in[i] = nullptr;
    args.out = pointer(step.out);
    args.d_out = pointer(step.d_out);
    args.saved = pointer(step.saved);
    args.packed = pointer(step.packed);
    args.rows = run.call.order + at.number * batch + args.first_image;
    args.step = static_cast<uint64_t>(run.call.iteration + at.number);
}

/// Sums a block of a gradient from its sources, and applies it or keeps it.
void Plan::reduce(const Run& run, const Item& item, Cursor at) noexcept {
    const GradientSources& source = sources[item.target];
    float* sum = source.sum == kNowhere ? at.slot : here(source.sum) + item.range.begin;
    kernels->sum_sources(item.range.count, here(source.place) + item.range.begin, source.count,
                         source.size, sum);
    if (item.target >= parameters.size()) return;
    const Adjustment penalty = penalty_of(item.target);
    if (source.sum == kNowhere) {
        return update(run, item.target, item.range, sum, penalty, at.number);
    }
    float* w = parameters[item.target].buffer->data() + item.range.begin;
    if (penalty.l1 != 0 || penalty.l2 != 0) kernels->adjust(penalty, item.range.count, sum, w);
    if (clips_norm()) {
        float norms[2];
        kernels->norms(item.range.count, sum, norms);
        squares[static_cast<size_t>(item.task)] = norms[1];
    }
}

Adjustment Plan::penalty_of(size_t parameter) const {
    const ParameterRules& rules = parameters[parameter].rules;
    Adjustment adjustment;
    adjustment.l1 = static_cast<float>(rules.l1);
    adjustment.l2 = static_cast<float>(rules.l2);
    return adjustment;
}

Optimizer::Step Plan::step_of(const Run& run, int64_t number) const noexcept {
    return optimizer->step(run.call.learning_rates[number], run.call.iteration + number);
}

void Plan::update(const Run& run, size_t parameter, Range range, float* gradient,
                  Adjustment adjustment, int64_t number) noexcept {
    const Timer timer(run.profiled ? &seconds_.back() : nullptr);
    const Parameter& moved = parameters[parameter];
    Slots at{};
    for (size_t i = 0; i < moved.slots.size(); ++i) at[i] = moved.slots[i]->data() + range.begin;
    optimizer->update(*kernels, step_of(run, number), adjustment, moved.rules.decays, range.count,
                      gradient, moved.buffer->data() + range.begin, at);
}

void Plan::penalize(const Item& item) noexcept {
    const Parameter& parameter = parameters[item.target];
    float norms[2];
    kernels->norms(item.range.count, parameter.buffer->data() + item.range.begin, norms);
    penalties[static_cast<size_t>(item.task)] = parameter.rules.l1 * static_cast<double>(norms[0]) +
                                                parameter.rules.l2 * static_cast<double>(norms[1]);
}

/// Norms above the optimizer's limit are scaled down to it; as in Keras an infinite norm of all
/// gradients together makes NaN.
void Plan::find_scales() noexcept {
    const double limit = optimizer->clip_norm();
    const auto scale_of = [limit](double sum) {
        const double norm = std::sqrt(sum);
        return static_cast<float>(norm <= limit ? 1.0 : limit / norm);
    };
    double together = 0;
    for (size_t i = 0; i < parameters.size(); ++i) {
        double sum = 0;
        for (size_t k = sources[i].squares_begin; k < sources[i].squares_end; ++k) {
            sum += squares[k];
        }
        scales[i] = scale_of(sum);
        together += sum;
    }
    if (!optimizer->clips_together()) return;
    const float nothing = static_cast<float>(together - together);  // NaN where it is infinite
    std::fill(scales.begin(), scales.end(), scale_of(together) + nothing);
}

/// In the images' order, in double: the same sums for any number of threads.
void Plan::add_totals(Run& run, int64_t number) noexcept {
    size_t row = 1;
    for (const LossTerm& term : losses) {
        double sum = 0;
        if (term.scale == kNowhere) {
            sum = term.weight * here(term.value)[0];
        } else {
            for (int64_t i = 0; i < batch; ++i) {
                sum += static_cast<double>(here(term.value)[i]) * here(term.scale)[i];
            }
        }
        const auto images = static_cast<double>(batch);
        run.totals[0][0] += sum * images;
        if (row > reported_losses) continue;
        run.totals[row][0] += term.weight == 0 ? 0 : sum / term.weight * images;
        run.totals[row][1] += images;
        ++row;
    }
    double penalty = 0;
    for (double term : penalties) penalty += term;
    run.totals[0][0] += penalty * static_cast<double>(batch);
    run.totals[0][1] += static_cast<double>(batch);
    const int64_t* rows = run.call.order + number * batch;
    for (const MetricTerm& term : metrics) {
        const auto* weights =
            term.weight_feed < 0
                ? nullptr
                : static_cast<const float*>(run.call.feeds[static_cast<size_t>(term.weight_feed)]);
        for (int64_t i = 0; i < batch; ++i) {
            double weight = weights == nullptr ? 1.0 : 0.0;
            for (int64_t k = 0; weights != nullptr && k < term.weights; ++k) {
                weight += weights[rows[i] * term.weights + k];
            }
            const double factor = term.weights > 1 ? static_cast<double>(term.weights) : weight;
            run.totals[row][0] += factor * here(term.value)[i];
            run.totals[row][1] += weight;
        }
        ++row;
    }
}

}  // namespace pronghorn
