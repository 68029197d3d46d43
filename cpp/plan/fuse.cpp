// SPDX-License-Identifier: Apache-2.0
#include "plan/fuse.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "ops/fold.h"

namespace pronghorn {

namespace {

int producer_of(const Graph& graph, int tensor) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
        if (graph.nodes[i].output == tensor) return static_cast<int>(i);
    }
    return -1;
}

int64_t readers_of(const Graph& graph, const std::vector<int>& wanted, int tensor) {
    int64_t readers = std::count(wanted.begin(), wanted.end(), tensor);
    for (const Node& node : graph.nodes) {
        readers += std::count(node.inputs.begin(), node.inputs.end(), tensor);
    }
    return readers;
}

/// y = act(conv(x)) where nobody else reads conv(x): one node.
void fuse_activations(Graph& graph, const std::vector<int>& wanted) {
    for (Node& node : graph.nodes) {
        const auto kind = node.op->as_activation();
        const auto ceiling = node.op->as_clipped_relu();
        if (!kind && !ceiling) continue;
        const int producer = producer_of(graph, node.inputs[0]);
        if (producer < 0 || readers_of(graph, wanted, node.inputs[0]) != 1) continue;
        Node& before = graph.nodes[static_cast<size_t>(producer)];
        const bool taken = kind ? before.op->fuse_activation(*kind)
                                : before.op->fuse_clipped_relu(*ceiling, graph.training());
        if (!taken) continue;
        before.output = node.output;
        node.output = -1;
        node.inputs.clear();
    }
}

/// Cross-entropy and accuracy of softmax(x) read x where they can: stable, and the softmax may go.
void fuse_softmax(Graph& graph) {
    for (Node& node : graph.nodes) {
        if (node.inputs.empty()) continue;
        const int producer = producer_of(graph, node.inputs[0]);
        if (producer < 0) continue;
        const Node& before = graph.nodes[static_cast<size_t>(producer)];
        if (before.op->is_softmax() && node.op->accept_logits()) node.inputs[0] = before.inputs[0];
    }
}

std::vector<Tensor> specs_of(const Graph& graph, const std::vector<int>& tensors) {
    std::vector<Tensor> specs;
    specs.reserve(tensors.size());
    for (int tensor : tensors) specs.push_back(graph.spec(tensor));
    return specs;
}

/// Puts a node in front of node `before`; returns its output.
int insert(Graph& graph, size_t before, std::unique_ptr<Op> op, std::vector<int> inputs) {
    const int output = graph.add_tensor(op->infer(specs_of(graph, inputs)));
    graph.nodes.insert(graph.nodes.begin() + static_cast<std::ptrdiff_t>(before),
                       {"fold", std::move(op), std::move(inputs), output});
    return output;
}

/// In inference, batch_norm(conv(x)) is a convolution by a kernel and a bias that are made once.
void fold_norms(Graph& graph, const std::vector<int>& wanted) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
        const auto affine = graph.nodes[i].op->folds_into_kernel();
        if (!affine) continue;
        const std::vector<int> norm = graph.nodes[i].inputs;
        const int producer = producer_of(graph, norm[0]);
        if (producer < 0 || readers_of(graph, wanted, norm[0]) != 1) continue;
        const auto at = static_cast<size_t>(producer);
        if (!graph.nodes[at].op->takes_fold()) continue;
        const std::vector<int> conv = graph.nodes[at].inputs;
        std::vector<int> of_kernel{conv[1]}, of_bias(conv.begin() + 2, conv.end());
        if (affine->gamma) of_kernel.push_back(norm[1]);
        of_kernel.push_back(norm.back());
        of_bias.insert(of_bias.end(), norm.begin() + 1, norm.end());
        const int kernel = insert(graph, at, make_fold_kernel(*affine), of_kernel);
        const int bias = insert(graph, at, make_fold_bias(*affine, conv.size() > 2), of_bias);
        i += 2;
        Node& folded = graph.nodes[at + 2];
        folded.inputs = {conv[0], kernel, bias};
        folded.op->infer(specs_of(graph, folded.inputs));
        folded.output = graph.nodes[i].output;
        graph.nodes[i].output = -1;
        graph.nodes[i].inputs.clear();
    }
}

/// conv(upsample(x)) multiplies copies of cells; a transposed convolution of x by sums of the taps
/// that meet the same cell is less work, and the larger map need not exist.
void take_repeats(Graph& graph) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
        const int producer = producer_of(graph, graph.nodes[i].inputs[0]);
        if (producer < 0) continue;
        const Node& upsampling = graph.nodes[static_cast<size_t>(producer)];
        auto taken = graph.nodes[i].op->unrepeated(upsampling.op->repeats(), graph.training());
        if (!taken) continue;
        const int x = upsampling.inputs[0], old_kernel = graph.nodes[i].inputs[1];
        const int kernel = insert(graph, i, std::move(taken->kernel), {old_kernel});
        Node& node = graph.nodes[++i];
        node.op = std::move(taken->op);
        node.inputs[0] = x;
        node.inputs[1] = kernel;
        node.op->infer(specs_of(graph, node.inputs));
    }
}

/// A convolution of few cells by a large kernel is a dense layer, of its images or of patches.
void replace_ops(Graph& graph) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
        auto instead = graph.nodes[i].op->instead(graph.kernels(), graph.training());
        if (!instead) continue;
        int x = graph.nodes[i].inputs[0];
        if (instead->first) x = insert(graph, i++, std::move(instead->first), {x});
        Node& node = graph.nodes[i];
        node.op = std::move(instead->op);
        node.inputs[0] = x;
        node.op->infer(specs_of(graph, node.inputs));
    }
}

/// Whether g(f(x)) = f(g(x)), one mixing the cells of each channel and the other the channels of
/// each cell.
bool commute(const Op& resampling, const Op& other) {
    switch (resampling.resampling()) {
        case Resampling::kNone:
            return false;
        case Resampling::kCopies:
            return other.cell_by_cell() != CellByCell::kNever;
        case Resampling::kMeans:
            return other.cell_by_cell() == CellByCell::kAffine;
    }
    return false;
}

int64_t cells_of(const Graph& graph, int tensor) {
    const Shape& shape = graph.spec(tensor).shape;
    int64_t cells = 1;
    for (int axis = 0; axis + 1 < shape.rank(); ++axis) cells *= shape[axis];
    return cells;
}

/// Of two ops that commute the one that leaves fewer cells comes first; returns whether there were
/// two in the other order.
bool swap_resampling(Graph& graph, const std::vector<int>& wanted) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
        const Node& second = graph.nodes[i];
        const int producer = producer_of(graph, second.inputs[0]);
        if (producer < 0 || readers_of(graph, wanted, second.inputs[0]) != 1) continue;
        const auto at = graph.nodes.begin() + producer;
        const int64_t in = cells_of(graph, at->inputs[0]), out = cells_of(graph, second.output);
        if (!(out > in ? commute(*at->op, *second.op) : out < in && commute(*second.op, *at->op))) {
            continue;
        }
        std::rotate(at, at + 1, graph.nodes.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        Node &earlier = graph.nodes[i - 1], &later = graph.nodes[i];
        std::swap(earlier.inputs[0], later.inputs[0]);
        std::swap(earlier.output, later.output);
        graph.tensors[static_cast<size_t>(earlier.output)] =
            earlier.op->infer(specs_of(graph, earlier.inputs));
        later.op->infer(specs_of(graph, later.inputs));
        return true;
    }
    return false;
}

/// What nobody reads is not computed: the last rows and columns of a convolution where a pool, its
/// only reader, leaves them out, and what they alone would be computed from.
void crop_unread(Graph& graph, const std::vector<int>& wanted) {
    std::map<int, Extent> read;  // of tensors with one reader
    std::vector<Node*> cropped;
    for (size_t i = graph.nodes.size(); i-- > 0;) {
        Node& node = graph.nodes[i];
        const int input = node.inputs[0];
        const Tensor& output = graph.spec(node.output);
        if (output.parameter || output.shape.rank() != 4) continue;
        const auto known = read.find(node.output);
        const auto extent = node.op->crop(
            known != read.end() ? known->second : Extent{output.shape[1], output.shape[2]});
        if (!extent) continue;
        cropped.push_back(&node);
        if (readers_of(graph, wanted, input) == 1) read[input] = *extent;
    }
    for (auto at = cropped.rbegin(); at != cropped.rend(); ++at) {
        const Node& node = **at;
        const Tensor output = node.op->infer(specs_of(graph, node.inputs));
        graph.tensors[static_cast<size_t>(node.output)] = output;
    }
}

/// dx of the op that alone reads relu(y) is masked there, and not once more for dy. Where several
/// ops send gradients back, their sum is.
void move_gates(Graph& graph, const std::vector<int>& wanted) {
    for (Node& before : graph.nodes) {
        if (!before.op->gives_gate()) continue;
        Node* reader = nullptr;
        int64_t gradients = 0;
        for (Node& node : graph.nodes) {
            const auto reads = std::count(node.inputs.begin(), node.inputs.end(), before.output);
            if (reads > 0) reader = &node;
            if (node.op->differentiable()) gradients += reads;
        }
        const bool alone = reader != nullptr && reader->inputs[0] == before.output &&
                           readers_of(graph, wanted, before.output) == 1;
        before.gated_sum = gradients > 1;
        if (before.gated_sum || (alone && reader->op->take_gate())) before.op->give_gate();
    }
}

void drop_unread(Graph& graph, const std::vector<int>& wanted) {
    for (size_t i = graph.nodes.size(); i-- > 0;) {
        const int output = graph.nodes[i].output;
        if (output < 0 || readers_of(graph, wanted, output) == 0) {
            graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
}

}  // namespace

void fuse(Graph& graph, const std::vector<int>& wanted, bool speed, bool any_algorithm) {
    fuse_softmax(graph);
    drop_unread(graph, wanted);
    if (!speed) return;
    if (!graph.training()) {
        fold_norms(graph, wanted);
        drop_unread(graph, wanted);
    }
    take_repeats(graph);
    if (any_algorithm) replace_ops(graph);
    fuse_activations(graph, wanted);
    drop_unread(graph, wanted);
    while (swap_resampling(graph, wanted)) {
    }
    crop_unread(graph, wanted);
    if (graph.training()) move_gates(graph, wanted);
}

}  // namespace pronghorn
