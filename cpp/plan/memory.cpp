// SPDX-License-Identifier: Apache-2.0
// Memory: which tensors live only within a slice (in the running thread's slot) and which for the
// whole batch (in the plan's arena), and at which offsets: greedily, each at the lowest that is
// free during its life.
#include <algorithm>

#include "plan/planner.h"

namespace pronghorn {

namespace {

// A chain's slice should stay in a core's L2 cache (1 MB here, half for what streams through).
constexpr int64_t kSliceFloats = (512 << 10) / sizeof(float);
constexpr int64_t kAlign = Arena::kAlignment / sizeof(float);

int64_t aligned(int64_t floats) { return (floats + kAlign - 1) / kAlign * kAlign; }

struct Block {
    int place;
    int first, last;
    int64_t size, offset = 0;
};

/// Gives every block, in their order, the lowest offset free during its life; returns the floats
/// needed.
int64_t place_blocks(std::vector<Block>& blocks) {
    int64_t total = 0;
    for (size_t i = 0; i < blocks.size(); ++i) {
        Block& block = blocks[i];
        block.offset = 0;
        std::vector<const Block*> alive;
        for (size_t j = 0; j < i; ++j) {
            const Block& other = blocks[j];
            if (other.first <= block.last && block.first <= other.last) alive.push_back(&other);
        }
        std::sort(alive.begin(), alive.end(),
                  [](const Block* a, const Block* b) { return a->offset < b->offset; });
        for (const Block* other : alive) {
            if (block.offset + block.size <= other->offset) break;
            block.offset = std::max(block.offset, other->offset + other->size);
        }
        total = std::max(total, checked_product(block.offset + block.size, 1));
    }
    return total;
}

/// The better of two orders: the largest first, and the largest of those that live longest first.
int64_t pack(std::vector<Block>& blocks) {
    std::stable_sort(blocks.begin(), blocks.end(),
                     [](const Block& a, const Block& b) { return a.size > b.size; });
    const int64_t by_size = place_blocks(blocks);
    std::vector<Block> others = blocks;
    std::stable_sort(others.begin(), others.end(), [](const Block& a, const Block& b) {
        return a.last - a.first > b.last - b.first;
    });
    const int64_t by_life = place_blocks(others);
    if (by_life < by_size) blocks = std::move(others);
    return std::min(by_size, by_life);
}

}  // namespace

int64_t Planner::batch_images() const {
    const int64_t lanes = any_lanes_ ? plan_->kernels->lanes : 1;
    return (plan_->batch + lanes - 1) / lanes * lanes;
}

void Planner::settle_lifetimes() {
    for (size_t i = 0; i < plan_->steps.size(); ++i) {
        const int now = static_cast<int>(i);
        for_places(plan_->steps[i], [&](int id) {
            if (id == kNowhere) return;
            if (place(id).first < 0) place(id).first = now;
            place(id).last = now;
        });
    }
    // Partial gradients lie in their sources' block until they are summed.
    for (const Place& part : plan_->places) {
        if (part.space != Space::kParts || part.first < 0) continue;
        const int id = plan_->sources[static_cast<size_t>(part.index)].place;
        if (id == kNowhere) continue;
        Place& block = place(id);
        block.first = block.first < 0 ? part.first : std::min(block.first, part.first);
        if (block.last < 0) block.last = static_cast<int>(plan_->steps.size());
    }
    // Weights rarely change between predictions, but mostly between evaluations.
    int once_end = 0;
    for (const Segment& segment : plan_->segments) {
        if (segment.once_per_call) once_end = segment.end;
    }
    for (Place& place : plan_->places) {
        if (place.space != Space::kBatch || place.first < 0) continue;
        const bool lasts = place.first < once_end && (place.keep || place.last >= once_end);
        if (lasts && predicts()) {
            place.space = Space::kLasting;
            place.offset = plan_->lasting_floats;
            plan_->lasting_floats += aligned(place.size);
            continue;
        }
        for (const Chain& chain : chains_) {
            const bool inside = chain.begin <= place.first && place.last < chain.end;
            if (inside && place.per_image > 0 && !place.keep) place.space = Space::kSlot;
        }
    }
    write_in_place();
    for (Place& place : plan_->places) {
        if (place.space != Space::kBatch || place.first < 0) continue;
        // Steps of a segment run side by side, and another slice may be anywhere in the chain.
        for (const Segment& segment : plan_->segments) {
            const bool first = segment.begin <= place.first && place.first < segment.end;
            const bool last = segment.begin <= place.last && place.last < segment.end;
            if (first) place.first = segment.begin;
            if (last) place.last = segment.end - 1;
            place.keep |= first && segment.once_per_call && place.last >= once_end;
        }
    }
}

/// What an op writes lies where its first input does, if it may and nobody reads that later. Its
/// stage may be cut in parts, which follow each other.
void Planner::write_in_place() {
    for (size_t i = 0; i < plan_->steps.size(); ++i) {
        const Step& step = plan_->steps[i];
        const int from = step.in[0];
        const int to = step.info.phase == Phase::kBackward ? step.d_in[0] : step.out;
        if (!step.info.in_place || !request_.fusion || from == kNowhere || to == kNowhere) continue;
        if (from == to) continue;
        const Place &read = place(from), &written = place(to);
        size_t end = i;
        while (end + 1 < plan_->steps.size() && plan_->steps[end + 1].op == step.op) ++end;
        while (!plan_->steps[end].info.in_place) --end;
        const int now = static_cast<int>(i), last = static_cast<int>(end);
        const bool planned = read.space == Space::kBatch || read.space == Space::kSlot;
        const bool together = planned && read.space == written.space &&
                              read.per_image == written.per_image && read.per_image > 0;
        if (!together || read.keep || written.keep || read.last != last || written.first != now) {
            continue;
        }
        place(from).last = written.last;
        place(to).first = -1;
        for (Step& later : plan_->steps) {
            for_places(later, [&](int& id) { id = id == to ? from : id; });
        }
    }
}

void Planner::pack_slots() {
    for (const Chain& chain : chains_) {
        Segment& segment = plan_->segments[chain.segment];
        int64_t most = 0;
        for (const Item& item : segment.items) most = std::max(most, item.images);
        const int64_t one = std::max<int64_t>(1, pack_chain(chain, chain.granule));
        const int64_t granules = (most + chain.granule - 1) / chain.granule;
        segment.slice = chain.granule * std::clamp<int64_t>(kSliceFloats / one, 1, granules);
        segment.local = pack_chain(chain, segment.slice);
    }
}

/// Offsets in the slot for slices of that many images; returns the floats needed.
int64_t Planner::pack_chain(const Chain& chain, int64_t images) {
    std::vector<Block> blocks;
    for (size_t id = 0; id < plan_->places.size(); ++id) {
        const Place& place = plan_->places[id];
        if (place.space != Space::kSlot || place.first < chain.begin || place.first >= chain.end) {
            continue;
        }
        blocks.push_back({static_cast<int>(id), place.first, place.last,
                          aligned(checked_product(place.per_image, images))});
    }
    const int64_t total = pack(blocks);
    for (const Block& block : blocks) place(block.place).offset = block.offset;
    return total;
}

void Planner::pack_batch() {
    std::vector<Block> blocks;
    const int end = static_cast<int>(plan_->steps.size());
    for (size_t id = 0; id < plan_->places.size(); ++id) {
        const Place& place = plan_->places[id];
        if (place.space != Space::kBatch || (place.first < 0 && !place.keep)) continue;
        const int64_t size =
            place.per_image > 0 ? checked_product(place.per_image, batch_images()) : place.size;
        blocks.push_back({static_cast<int>(id), place.keep ? 0 : place.first,
                          place.keep ? end : place.last, aligned(size)});
    }
    const int64_t total = pack(blocks);
    for (const Block& block : blocks) place(block.place).offset = block.offset;
    checked_product(total, sizeof(float));
    plan_->memory_floats = total;
}

/// The largest need of a chain, or of a task with the blocks that it finishes as an owner.
void Planner::measure_slots() {
    int64_t chains = 0, scratch = 0, block = kReduceBlock;
    for (const Segment& segment : plan_->segments) {
        for (int i = segment.begin; i < segment.end; ++i) {
            const Step& step = plan_->steps[static_cast<size_t>(i)];
            if (segment.slice > 0) {
                chains = std::max(chains, segment.local + step.info.scratch);
                continue;
            }
            scratch = std::max(scratch, step.info.scratch);
            for (int64_t task = 0; task < step.info.tasks; ++task) {
                int64_t owned = 0;
                for (int k = 0; k < kMaxInputs; ++k) {
                    if (step.updates[static_cast<size_t>(k)] == kNowhere) continue;
                    owned += aligned(step.op->owned(step.stage, k, task).count);
                }
                block = std::max(block, owned);
            }
        }
    }
    plan_->task_scratch_floats = aligned(scratch);
    plan_->slot_floats = std::max(aligned(chains), plan_->task_scratch_floats + aligned(block));
}

}  // namespace pronghorn
