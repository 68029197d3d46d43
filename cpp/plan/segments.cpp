// SPDX-License-Identifier: Apache-2.0
// From steps to segments: what runs side by side between two barriers. Every cut is a function of
// the shapes: how many parts a batch is cut into, and how often partial gradients are summed, never
// depend on the threads.
#include <algorithm>

#include "core/cpu.h"
#include "plan/planner.h"

namespace pronghorn {

namespace {

constexpr int64_t kMostParts = 16;
// Partial gradients of a chain should not take more memory than this, as long as some cores still
// find a part each.
constexpr int64_t kMostPartialFloats = 12 << 20;
constexpr int64_t kEnoughParts = 4;
// A part of less work than this (some 10 us) is not worth a thread's attention.
constexpr double kLeastFlopsOfPart = 1e6;
// What a core computes while it reads or writes a float.
constexpr double kFlopsPerFloat = 20;
// Below this (some 30 us of work) a second thread's barriers cost more than it brings, or below
// that (some 5) where it brings a second L2 that is needed; but not where this much (some 300) is
// read and written.
constexpr double kLeastFlopsForThreads = 4e6, kLeastFlopsWithCaches = 3e5;
constexpr double kLeastWorkForThreads = 4e7;

/// Of a step, in floating-point operations: what it computes, or as long as it reads and writes.
double work_of(const Plan& plan, const Step& step) {
    return std::max(step.info.flops, kFlopsPerFloat * plan.floats_of(step));
}

}  // namespace

/// All steps in one list, and segments for all but the last.
void Planner::join_steps() {
    auto& steps = plan_->steps;
    for (const auto* group : {&prepare_, &once_, &main_, &final_, &late_}) {
        steps.insert(steps.end(), group->begin(), group->end());
    }
    double flops = 0, work = 0;
    for (const Step& step : steps) {
        flops += step.info.flops;
        work += work_of(*plan_, step);
        any_lanes_ |= step.lanes;
    }
    plan_->for_threads = flops >= (spreads_ ? kLeastFlopsWithCaches : kLeastFlopsForThreads) ||
                         work >= kLeastWorkForThreads;
    const int once_begin = static_cast<int>(prepare_.size());
    const int main_begin = once_begin + static_cast<int>(once_.size());
    const int main_end = main_begin + static_cast<int>(main_.size());
    if (once_begin > 0) cut_tasks(0, once_begin, !plan_->updates_parameters);
    for (int i = once_begin; i < main_begin; ++i) cut_tasks(i, i + 1, !plan_->updates_parameters);
    for (int begin = main_begin; begin < main_end;) {
        int end = begin;
        while (end < main_end && steps[static_cast<size_t>(end)].info.by_image) ++end;
        if (end > begin) {
            cut_chain(begin, end);
        } else {
            cut_tasks(begin, ++end, false);
        }
        begin = end;
    }
}

/// Whether parameters and what moves them are too large for one L2: then the caches of several
/// threads are worth having for much less work.
bool Planner::needs_caches() const {
    int64_t floats = 0;
    for (const Parameter& parameter : plan_->parameters) {
        const int64_t arrays = 1 + static_cast<int64_t>(parameter.slots.size());
        floats += arrays * parameter.buffer->shape().elements();
    }
    return floats * static_cast<int64_t>(sizeof(float)) > l2_bytes();
}

void Planner::cut_chain(int begin, int end) {
    Chain chain;
    chain.begin = begin;
    chain.end = end;
    double work = 0;
    int64_t partial = 0;
    for (int i = begin; i < end; ++i) {
        const Step& step = plan_->steps[static_cast<size_t>(i)];
        if (step.lanes) chain.granule = plan_->kernels->lanes;
        work += work_of(*plan_, step);
        for (int id : step.d_in) {
            if (id != kNowhere && place(id).space == Space::kParts) partial += place(id).size;
        }
    }
    const int64_t units = (plan_->batch + chain.granule - 1) / chain.granule;
    const auto worth = static_cast<int64_t>(work / kLeastFlopsOfPart);
    chain.parts = std::clamp<int64_t>(worth, 1, std::min(units, kMostParts));
    while (chain.parts > kEnoughParts && chain.parts * partial > kMostPartialFloats) {
        chain.parts /= 2;
    }
    chain.segment = plan_->segments.size();
    Segment segment;
    segment.begin = begin;
    segment.end = end;
    for (int64_t part = 0; part < chain.parts; ++part) {
        Item item;
        item.kind = Item::Kind::kPart;
        item.task = part;
        item.first_image = units * part / chain.parts * chain.granule;
        const int64_t last = units * (part + 1) / chain.parts * chain.granule;
        item.images = std::min(last, plan_->batch) - item.first_image;
        segment.items.push_back(item);
    }
    chains_.push_back(chain);
    plan_->segments.push_back(std::move(segment));
}

void Planner::cut_tasks(int begin, int end, bool once_per_call) {
    Segment segment;
    segment.begin = begin;
    segment.end = end;
    segment.once_per_call = once_per_call;
    for (int i = begin; i < end; ++i) {
        for (int64_t task = 0; task < plan_->steps[static_cast<size_t>(i)].info.tasks; ++task) {
            Item item;
            item.step = i;
            item.task = task;
            segment.items.push_back(item);
        }
    }
    plan_->segments.push_back(std::move(segment));
}

/// Gradients that nothing waits for, sums of partial gradients, and the losses' totals.
void Planner::cut_final() {
    const int late_begin = static_cast<int>(plan_->steps.size() - late_.size());
    cut_tasks(late_begin - static_cast<int>(final_.size()), late_begin, false);
    Segment& segment = plan_->segments.back();
    plan_->sources.resize(gradient_places_.size());
    for (size_t i = 0; i < plan_->sources.size(); ++i) number_sources(i);
    bool after_owners = false;  // sums of whole gradients that this very segment makes must wait
    std::vector<Item> sums;
    for (size_t i = 0; i < plan_->parameters.size(); ++i) {
        if (plan_->sources[i].count == 0 || is_late_[i]) continue;
        if (Segment* early = early_segment(i)) {
            add_sums(i, early->items);
            place(plan_->sources[i].place).last = early->end - 1;
            continue;
        }
        add_sums(i, sums);
        for (int id : gradient_places_[i]) {
            for (const Step& step : final_) {
                after_owners |= std::count(step.d_in.begin(), step.d_in.end(), id) > 0;
            }
        }
    }
    if (!plan_->losses.empty() || !plan_->metrics.empty()) {
        Item totals;
        totals.kind = Item::Kind::kTotals;
        sums.push_back(totals);
    }
    if (after_owners) {
        add_segment(std::move(sums));
    } else {
        segment.items.insert(segment.items.end(), sums.begin(), sums.end());
        if (segment.items.empty()) plan_->segments.pop_back();
    }
    cut_late(late_begin);
    cut_clipped();
    cut_rules();
}

/// The first segment of tasks, if any, behind all that reads a parameter or adds to its gradient:
/// it can be summed and moved there, while partial gradients are warm, and their memory is free
/// again.
Segment* Planner::early_segment(size_t target) {
    if (plan_->clips_norm()) return nullptr;
    const int weights = value(plan_->parameters[target].tensor).place;
    const auto& terms = gradient_places_[target];
    int last = 0;
    for (size_t i = 0; i < plan_->steps.size(); ++i) {
        for_places(plan_->steps[i], [&](int id) {
            if (id == weights || std::count(terms.begin(), terms.end(), id) > 0) {
                last = static_cast<int>(i);
            }
        });
    }
    for (size_t i = 0; i + 1 < plan_->segments.size(); ++i) {
        Segment& segment = plan_->segments[i];
        const bool chain = segment.items.front().kind == Item::Kind::kPart;
        if (segment.begin > last && !chain) return &segment;
    }
    return nullptr;
}

/// The way back through what was computed from parameters, and then those parameters themselves.
void Planner::cut_late(int begin) {
    const auto end = static_cast<int>(plan_->steps.size());
    int summed = kNowhere;  // the gradient that the stages of a node read, summed before the first
    for (int i = begin; i < end; ++i) {
        const int d_out = plan_->steps[static_cast<size_t>(i)].d_out;
        for (size_t target = plan_->parameters.size(); target < is_late_.size(); ++target) {
            if (d_out == kNowhere || d_out == summed || plan_->sources[target].sum != d_out) {
                continue;
            }
            summed = d_out;
            std::vector<Item> sums;
            add_sums(target, sums);
            add_segment(std::move(sums));
        }
        cut_tasks(i, i + 1, false);
    }
    std::vector<Item> sums;
    for (size_t i = 0; i < plan_->parameters.size(); ++i) {
        if (is_late_[i] && plan_->sources[i].count > 0) add_sums(i, sums);
    }
    if (!sums.empty()) add_segment(std::move(sums));
}

namespace {

/// One item for every block of a parameter or gradient.
std::vector<Item> blocks_of(Item::Kind kind, size_t target, int64_t size) {
    std::vector<Item> items;
    for (int64_t begin = 0; begin < size; begin += kReduceBlock) {
        Item item;
        item.kind = kind;
        item.target = target;
        item.range = {begin, std::min(kReduceBlock, size - begin)};
        items.push_back(item);
    }
    return items;
}

}  // namespace

void Planner::add_sums(size_t target, std::vector<Item>& items) {
    GradientSources& sources = plan_->sources[target];
    sources.squares_begin = plan_->squares.size();
    for (Item& item : blocks_of(Item::Kind::kReduce, target, sources.size)) {
        if (plan_->clips_norm() && target < plan_->parameters.size()) {
            item.task = static_cast<int64_t>(plan_->squares.size());
            plan_->squares.push_back(0);
        }
        items.push_back(item);
    }
    sources.squares_end = plan_->squares.size();
}

/// Updates that wait until the norms of all gradients are known.
void Planner::cut_clipped() {
    if (!plan_->clips_norm()) return;
    plan_->scales.resize(plan_->parameters.size());
    Item norms;
    norms.kind = Item::Kind::kNorms;
    add_segment({norms});
    std::vector<Item> updates;
    for (size_t i = 0; i < plan_->parameters.size(); ++i) {
        if (plan_->sources[i].count == 0) continue;
        const auto blocks = blocks_of(Item::Kind::kUpdate, i, plan_->sources[i].size);
        updates.insert(updates.end(), blocks.begin(), blocks.end());
    }
    add_segment(std::move(updates));
}

/// Constraints come last. Penalties are of the weights that a step begins with: they belong to the
/// first segment, which updates nothing.
void Planner::cut_rules() {
    std::vector<Item> constraints;
    for (size_t i = 0; i < plan_->parameters.size(); ++i) {
        const Parameter& parameter = plan_->parameters[i];
        const ParameterRules& rules = parameter.rules;
        if (rules.l1 != 0 || rules.l2 != 0) {
            const int64_t size = parameter.buffer->shape().elements();
            for (Item& item : blocks_of(Item::Kind::kPenalty, i, size)) {
                item.task = static_cast<int64_t>(plan_->penalties.size());
                plan_->penalties.push_back(0);
                plan_->segments.front().items.push_back(item);
            }
        }
        const bool moves = plan_->updates_parameters && !gradient_places_[i].empty();
        if (rules.constraint == nullptr || !moves) continue;
        for (int64_t task = 0; task < rules.constraint->tasks(); ++task) {
            Item item;
            item.kind = Item::Kind::kConstrain;
            item.target = i;
            item.task = task;
            constraints.push_back(item);
        }
    }
    if (!constraints.empty()) add_segment(std::move(constraints));
}

void Planner::add_segment(std::vector<Item> items) {
    Segment segment;
    segment.begin = segment.end = static_cast<int>(plan_->steps.size());
    segment.items = std::move(items);
    plan_->segments.push_back(std::move(segment));
}

/// Terms that a gradient place holds: one per part of the chain that writes it, or one.
int64_t Planner::terms_of(int id) const {
    for (size_t i = 0; i < plan_->steps.size(); ++i) {
        const Step& step = plan_->steps[i];
        if (step.out != id && std::count(step.d_in.begin(), step.d_in.end(), id) == 0) continue;
        if (!step.info.by_image) return 1;
        for (const Chain& chain : chains_) {
            const int at = static_cast<int>(i);
            if (chain.begin <= at && at < chain.end) return chain.parts;
        }
    }
    return 0;
}

/// Lays the terms of a gradient side by side in one place, or, where one owner makes all of it and
/// an optimizer waits, does without: blocks are updated as they are finished.
void Planner::number_sources(size_t target) {
    const auto& terms = gradient_places_[target];
    const bool at_once = terms.size() == 1 && plan_->updates_parameters && !is_late_[target] &&
                         target < plan_->parameters.size() && !plan_->clips_norm();
    bool owned = false;
    for (Step& step : plan_->steps) {
        for (int& update : step.updates) {
            if (update != static_cast<int>(target)) continue;
            owned = true;
            if (!at_once) update = kNowhere;
        }
    }
    if (terms.empty()) return;
    if (owned && at_once) {
        place(terms[0]).size = 0;
        return;
    }
    GradientSources& sources = plan_->sources[target];
    sources.size = place(terms[0]).size;
    for (int id : terms) {
        place(id).offset = sources.count * sources.size;  // within the block of sources
        sources.count += terms_of(id);
    }
    sources.place = plain_place(sources.count * sources.size);
}

}  // namespace pronghorn
