// SPDX-License-Identifier: Apache-2.0
// From steps to segments: what runs side by side between two barriers. Every cut is a function of
// the shapes: how many parts a batch is cut into, and how often partial gradients are summed, never
// depend on the threads.
#include <algorithm>

#include "plan/planner.h"

namespace pronghorn {

namespace {

constexpr int64_t kMostParts = 16;
// A part of less work than this (some 10 us) is not worth a thread's attention.
constexpr double kLeastFlopsOfPart = 1e6;

}  // namespace

/// All steps in one list, and segments for all but the last.
void Planner::join_steps() {
    auto& steps = plan_->steps;
    steps = prepare_;
    steps.insert(steps.end(), main_.begin(), main_.end());
    steps.insert(steps.end(), final_.begin(), final_.end());
    for (const Step& step : steps) {
        plan_->flops += step.info.flops;
        any_lanes_ |= step.lanes;
    }
    const int main_begin = static_cast<int>(prepare_.size());
    const int main_end = main_begin + static_cast<int>(main_.size());
    if (main_begin > 0) cut_tasks(0, main_begin, !plan_->updates_parameters);
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

void Planner::cut_chain(int begin, int end) {
    Chain chain;
    chain.begin = begin;
    chain.end = end;
    double flops = 0;
    for (int i = begin; i < end; ++i) {
        const Step& step = plan_->steps[static_cast<size_t>(i)];
        if (step.lanes) chain.granule = plan_->kernels->lanes;
        flops += step.info.flops;
    }
    const int64_t units = (plan_->batch + chain.granule - 1) / chain.granule;
    const auto worth = static_cast<int64_t>(flops / kLeastFlopsOfPart);
    chain.parts = std::clamp<int64_t>(worth, 1, std::min(units, kMostParts));
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
    const int end = static_cast<int>(plan_->steps.size());
    cut_tasks(end - static_cast<int>(final_.size()), end, false);
    Segment& segment = plan_->segments.back();
    plan_->sources.resize(plan_->parameters.size());
    for (size_t i = 0; i < plan_->parameters.size(); ++i) number_sources(static_cast<int>(i));
    bool after_owners = false;  // sums of whole gradients that this very segment makes must wait
    std::vector<Item> sums;
    for (size_t i = 0; i < plan_->sources.size(); ++i) {
        if (plan_->sources[i].count == 0) continue;
        const int64_t size = plan_->parameters[i].buffer->shape().elements();
        for (int64_t begin = 0; begin < size; begin += kReduceBlock) {
            Item item;
            item.kind = Item::Kind::kReduce;
            item.parameter = static_cast<int>(i);
            item.range = {begin, std::min(kReduceBlock, size - begin)};
            sums.push_back(item);
        }
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
        Segment next;
        next.begin = next.end = end;
        next.items = std::move(sums);
        plan_->segments.push_back(std::move(next));
    } else {
        segment.items.insert(segment.items.end(), sums.begin(), sums.end());
        if (segment.items.empty()) plan_->segments.pop_back();
    }
}

/// Terms that a gradient place holds: one per part of the chain that writes it, or one.
int64_t Planner::terms_of(int id) const {
    for (size_t i = 0; i < plan_->steps.size(); ++i) {
        const Step& step = plan_->steps[i];
        if (std::count(step.d_in.begin(), step.d_in.end(), id) == 0) continue;
        if (!step.info.by_image) return 1;
        for (const Chain& chain : chains_) {
            const int at = static_cast<int>(i);
            if (chain.begin <= at && at < chain.end) return chain.parts;
        }
    }
    return 0;
}

/// Lays the terms of a parameter's gradient side by side in one place, or, where one owner makes
/// all of it and an optimizer waits, does without: blocks are updated as they are finished.
void Planner::number_sources(int parameter) {
    const auto& terms = gradient_places_[static_cast<size_t>(parameter)];
    bool owned = false;
    for (Step& step : plan_->steps) {
        for (int& update : step.updates) {
            if (update != parameter) continue;
            owned = true;
            if (terms.size() > 1 || !plan_->updates_parameters) update = kNowhere;
        }
    }
    if (terms.empty()) return;
    if (owned && terms.size() == 1 && plan_->updates_parameters) {
        place(terms[0]).size = 0;
        return;
    }
    GradientSources& sources = plan_->sources[static_cast<size_t>(parameter)];
    const int64_t size =
        plan_->parameters[static_cast<size_t>(parameter)].buffer->shape().elements();
    for (int id : terms) {
        place(id).offset = sources.count * size;  // within the block of sources
        sources.count += terms_of(id);
    }
    Place block;
    block.size = sources.count * size;
    block.keep = true;
    sources.place = new_place(block);
}

}  // namespace pronghorn
