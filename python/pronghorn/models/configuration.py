# SPDX-License-Identifier: Apache-2.0
"""Functional models as dicts in Keras's layout, and back; clones and JSON.

A call is written as its arguments, in which a tensor is the name of the layer it comes
from, the number of that layer's call and the number of the output.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pronghorn import calls
from pronghorn.layers import serialization
from pronghorn.layers.core import InputLayer
from pronghorn.layers.layer import Layer
from pronghorn.layers.symbolic import KerasTensor, Node
from pronghorn.models.network import Network

if TYPE_CHECKING:
    from pronghorn.models.model import Model

Classes = serialization.Classes
_Origin = tuple[str, int, int]


class _Writer:
    """Writes the layers of a network and their calls."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._origins: dict[int, _Origin] = {}
        self.layers: list[dict[str, Any]] = []
        for tensor in network.inputs:
            self._origins[id(tensor)] = (tensor.name, 0, 0)
            layer = tensor.node.layer
            if not isinstance(layer, InputLayer):  # a model that begins inside another
                layer = InputLayer(batch_shape=tensor.shape, name=tensor.name)
            self._write(layer, tensor.name, [], [])
        nodes: dict[int, list[Node]] = {}
        for node in network.nodes:
            nodes.setdefault(id(node.layer), []).append(node)
        for group in nodes.values():
            group.sort(key=lambda node: node.layer.nodes.index(node))
            for number, node in enumerate(group):
                for tensor in node.outputs:
                    origin = (node.layer.name, number, tensor.index)
                    self._origins.setdefault(id(tensor), origin)
        for group in nodes.values():
            layer = group[0].layer
            found = [self._call(node) for node in group]
            self._write(layer, layer.name, found, [t.shape for t in group[0].inputs])

    def _write(
        self, layer: Layer, name: str, found: list[dict[str, Any]], shapes: list[Any]
    ) -> None:
        entry = {**serialization.serialize(layer), "name": name}
        if len(shapes) == 1:
            entry["build_config"] = {"input_shape": list(shapes[0])}
        self.layers.append({**entry, "inbound_nodes": found})

    def _call(self, node: Node) -> dict[str, Any]:
        call = node.call or calls.plain(node.inputs)

        def tensor(index: int) -> dict[str, Any]:
            return self._tensor(node.inputs[index])

        args = serialization.encode(list(call.args), tensor)
        kwargs = serialization.encode(call.kwargs, tensor)
        if node.training is not None:
            kwargs["training"] = node.training
        return {"args": args, "kwargs": kwargs}

    def _tensor(self, tensor: KerasTensor) -> dict[str, Any]:
        config = {
            "shape": list(tensor.shape),
            "dtype": tensor.dtype,
            "keras_history": self.origin(tensor),
        }
        return {"class_name": "__keras_tensor__", "config": config}

    def origin(self, tensor: KerasTensor) -> list[Any]:
        """The layer, call and output that a tensor comes from."""
        return list(self._origins[id(tensor)])

    def end(self, tensor: KerasTensor) -> list[Any]:
        """The same as an input or output of the whole."""
        name, number, index = self.origin(tensor)
        return [name, number + _first_call(tensor.node.layer), index]


def write(model: Model) -> dict[str, Any]:
    """The configuration of a functional model."""
    network = model.network
    writer = _Writer(network)
    inputs = [writer.end(tensor) for tensor in network.inputs]
    outputs = [writer.end(tensor) for tensor in network.outputs]
    several = isinstance(model.output, list)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": writer.layers,
        "input_layers": inputs[0] if len(inputs) == 1 else inputs,
        "output_layers": outputs if several else outputs[0],
    }


def read(
    config: Mapping[str, Any], custom_objects: Classes | None = None
) -> tuple[Any, Any]:
    """Inputs and outputs of a model, its layers made and called anew."""
    tensors: dict[_Origin, KerasTensor] = {}
    first: dict[str, int] = {}
    waiting: list[tuple[Layer, str, int, dict[str, Any]]] = []
    for entry in config["layers"]:
        layer = serialization.deserialize(entry, custom_objects)
        name = entry.get("name", layer.name)
        if isinstance(layer, InputLayer):
            tensors[name, 0, 0] = layer.input
            continue
        first[name] = _first_call(layer)
        waiting += [
            (layer, name, number, call)
            for number, call in enumerate(entry["inbound_nodes"])
        ]
    while waiting:
        left = []
        for layer, name, number, call in waiting:
            if all(origin in tensors for origin in _origins(call)):
                found = calls.leaves(_called(layer, call, tensors))
                for index, tensor in enumerate(found):
                    tensors[name, number, index] = tensor
            else:
                left.append((layer, name, number, call))
        if len(left) == len(waiting):
            raise ValueError(
                f"Model '{config.get('name')}': expected calls on tensors that other "
                f"calls give, '{left[0][1]}' depends on others"
            )
        waiting = left

    def end(origin: Any) -> KerasTensor:
        of, call_number, output = origin
        return tensors[of, call_number - first.get(of, 0), output]

    return _ends(config["input_layers"], end), _ends(config["output_layers"], end)


def _first_call(layer: Layer) -> int:
    """Of a model at an end: Keras counts its making as call 0 there."""
    from pronghorn.models.functional import Functional  # noqa: PLC0415 it imports us

    return int(isinstance(layer, Functional))


def _origins(call: Mapping[str, Any]) -> list[_Origin]:
    found: list[_Origin] = []
    serialization.decode([call["args"], call["kwargs"]], found.append)
    return found


def _called(
    layer: Layer, call: Mapping[str, Any], tensors: Mapping[_Origin, KerasTensor]
) -> Any:
    args, kwargs = (
        serialization.decode(call[key], lambda origin: tensors[origin])
        for key in ("args", "kwargs")
    )
    return layer(*[tuple(one) if _is_index(one) else one for one in args], **kwargs)


def _is_index(value: Any) -> bool:
    """Whether it was a tuple of slices before it became JSON."""
    return isinstance(value, list) and any(
        isinstance(one, slice) or one is Ellipsis for one in value
    )


def _ends(origins: Any, tensor: Callable[[Any], KerasTensor]) -> Any:
    """Inputs or outputs: one, or a list."""
    if isinstance(origins, Mapping):
        origins = list(origins.values())
    if isinstance(origins[0], str):
        return tensor(origins)
    return [tensor(origin) for origin in origins]


def to_json(model: Model, **kwargs: Any) -> str:
    """The class and configuration of a model as JSON."""
    return json.dumps(serialization.serialize(model), **kwargs)


def model_from_json(json_string: str, custom_objects: Classes | None = None) -> Any:
    """A model with new weights from the text of `model.to_json()`.

    Args:
        json_string: The text.
        custom_objects: Classes of one's own by name.
    """
    return serialization.deserialize(json.loads(json_string), custom_objects)


def clone_model(model: Model) -> Any:
    """A model of the same layers with new weights.

    Example:
        >>> model = Sequential([Input((4,)), Dense(3)])
        >>> clone_model(model).count_params()
        15
    """
    classes = {type(layer).__name__: type(layer) for layer in _all_layers(model)}
    return serialization.deserialize(serialization.serialize(model), classes)


def _all_layers(layer: Layer) -> list[Layer]:
    inner = [one for part in layer.sublayers() for one in _all_layers(part)]
    return [layer, *inner]
