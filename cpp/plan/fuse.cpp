// SPDX-License-Identifier: Apache-2.0
#include "plan/fuse.h"

#include <algorithm>
#include <iterator>

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
        if (!kind) continue;
        const int producer = producer_of(graph, node.inputs[0]);
        if (producer < 0 || readers_of(graph, wanted, node.inputs[0]) != 1) continue;
        Node& before = graph.nodes[static_cast<size_t>(producer)];
        if (!before.op->fuse_activation(*kind)) continue;
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

void drop_unread(Graph& graph, const std::vector<int>& wanted) {
    for (size_t i = graph.nodes.size(); i-- > 0;) {
        const int output = graph.nodes[i].output;
        if (output < 0 || readers_of(graph, wanted, output) == 0) {
            graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
}

}  // namespace

void fuse(Graph& graph, const std::vector<int>& wanted) {
    fuse_softmax(graph);
    drop_unread(graph, wanted);
    fuse_activations(graph, wanted);
    drop_unread(graph, wanted);
}

}  // namespace pronghorn
