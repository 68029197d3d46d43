# SPDX-License-Identifier: Apache-2.0
"""Network: the calls of layers between inputs and outputs, ready to be recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.operation import Operation
from pronghorn.layers.symbolic import KerasTensor, Node


class Network:
    """A graph of layer calls.

    Args:
        inputs: Symbolic tensors that are fed; not only those made by `Input`.
        outputs: Symbolic tensors that are computed from them.

    Attributes:
        nodes: The calls, each after those it depends on, without inputs.
        operations: The layers and operations, in Keras's order.
        layers: Those that are layers.
    """

    def __init__(
        self, inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor]
    ) -> None:
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        if len({id(tensor) for tensor in inputs}) != len(inputs):
            raise ValueError("Model: expected different inputs, got one twice")
        order, seen = self._sorted()
        self.nodes = [node for node in order if not node.is_input]
        self.operations = _layers(order, seen, [tensor.node for tensor in inputs])
        self.layers = [
            layer for layer in self.operations if not isinstance(layer, Operation)
        ]
        names = [layer.name for layer in self.operations]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"Model: expected layers to have different names, got '{name}' "
                    f"{names.count(name)} times"
                )

    def _sorted(self) -> tuple[list[Node], list[Layer]]:
        """Nodes after their predecessors, and layers as met on the way down."""
        fed = {id(tensor) for tensor in self.inputs}
        order: list[Node] = []
        seen: list[Layer] = []
        state: dict[int, bool] = {}  # whether a node is finished, by id
        # Depth first from each output, with a stack as networks are deep.
        stack = [(tensor, False) for tensor in reversed(self.outputs)]
        while stack:
            tensor, done = stack.pop()
            node = tensor.node
            if done:
                if not state[id(node)]:
                    state[id(node)] = True
                    order.append(node)
                continue
            if id(node) in state or (id(tensor) in fed and not node.is_input):
                continue
            if node.is_input and id(tensor) not in fed:
                raise ValueError(
                    f"Model: the graph is disconnected, output depends on {tensor!r}, "
                    "which is not among the inputs"
                )
            state[id(node)] = False
            seen.append(node.layer)
            stack.append((tensor, True))
            stack.extend((before, False) for before in reversed(node.inputs))
        return order, seen

    def lower(
        self,
        graph: GraphBuilder,
        tensors: Sequence[int],
        replace: Callable[[KerasTensor, int], int] | None = None,
    ) -> list[int]:
        """Records all calls; returns the outputs.

        Args:
            graph: Where to record.
            tensors: The inputs.
            replace: Gives what stands for the result of a call from then on.
        """
        values = {
            id(tensor): value
            for tensor, value in zip(self.inputs, tensors, strict=True)
        }
        for node in self.nodes:
            inputs = [values[id(tensor)] for tensor in node.inputs]
            outputs = graph.lower(node.layer, inputs, node.training, node.call)
            for tensor, result in zip(node.outputs, outputs, strict=True):
                value = result
                if replace is not None:
                    value = replace(tensor, value)
                values.setdefault(id(tensor), value)
        return [values[id(tensor)] for tensor in self.outputs]


def _layers(
    order: Sequence[Node], seen: Iterable[Layer], inputs: Iterable[Node]
) -> list[Layer]:
    """Keras's order: by distance from the outputs, the furthest first, then as met."""
    depth_of_node: dict[int, int] = {}
    depth_of_layer: dict[int, int] = {}
    inside = {id(node) for node in order}
    for node in reversed(order):
        depth = max(
            depth_of_node.get(id(node), 0), depth_of_layer.get(id(node.layer), 0)
        )
        depth_of_node[id(node)] = depth_of_layer[id(node.layer)] = depth
        for tensor in node.inputs:
            before = id(tensor.node)
            if before in inside:
                depth_of_node[before] = max(depth_of_node.get(before, 0), depth + 1)
    unused = [n.layer for n in inputs if n.is_input and id(n) not in inside]
    unique = {id(layer): layer for layer in [*unused, *seen]}.values()
    return sorted(unique, key=lambda layer: -depth_of_layer.get(id(layer), 0))
