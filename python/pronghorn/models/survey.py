# SPDX-License-Identifier: Apache-2.0
"""Survey: what the layers of a model cost and how much of the input they see.

The ops of the model are recorded once. Each adds its multiply-accumulates to the layers
it belongs to; the receptive field follows from the windows: a window of k cells over
cells that are j pixels apart sees (k - 1) j pixels more, a stride s makes that s j.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder

if TYPE_CHECKING:
    from pronghorn.calls import Arguments
    from pronghorn.models.model import Model

_OPEN = 1024  # an open size while shapes are inferred

_WINDOWS = ("conv", "depthwise_conv", "locally_connected", "max_pool", "average_pool")
# What computes each element from the one at its place (or from its channels).
_POINTWISE = frozenset(
    {
        *("activation", "unary", "relu", "prelu", "binary", "where", "concatenate"),
        *("softmax", "log_softmax", "sparsemax", "glu", "stop_gradient", "batch_norm"),
        *("dropout", "gaussian_noise", "gaussian_dropout", "alpha_dropout", "dense"),
        *("local_response_norm", "slice", "pad"),
    }
)
_EVERYTHING: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Field:
    """What an element of a tensor sees of the input.

    Attributes:
        axes: Per axis of the image the pixels it sees and the distance of neighbours;
            nothing where it sees all.
    """

    axes: tuple[tuple[float, float], ...]

    def __str__(self) -> str:
        return " x ".join(f"{size:g}" for size, _ in self.axes) or "all"


@dataclass
class Found:
    """What is known of a layer: cost, field and the shapes of the outputs."""

    macs: int = 0
    sees: Field | None = None
    shapes: list[tuple[int | None, ...]] = field(default_factory=list)


class Survey(GraphBuilder):
    """Records a model and takes notes.

    Args:
        model: A built model.

    Attributes:
        found: Notes by identity of the layer.
        is_open: Whether sizes of the input are open, so that costs are unknown.
    """

    def __init__(self, model: Model) -> None:
        super().__init__(1)
        self.found: dict[int, Found] = {}
        self._fields: dict[int, Field] = {}
        self._inside: list[Found] = []
        shapes = [shape[1:] for shape in model.known_inputs()]
        self.is_open = any(size is None for shape in shapes for size in shape)
        tensors = []
        for shape in shapes:
            tensor = self.input([_OPEN if size is None else size for size in shape])
            self._fields[tensor] = Field(((1, 1),) * (len(shape) - 1))
            tensors.append(tensor)
        if not model.is_traced():
            for tensor, entry in zip(tensors, model.inputs, strict=True):
                self.found[id(entry.node.layer)] = Found(0, self._fields[tensor])
        self.lower(model, tensors)

    def macs_of(self, layer: Layer) -> str:
        """The multiply-accumulates of a layer in all its calls, for one image."""
        found = self.found.get(id(layer), Found())
        return "?" if self.is_open and found.macs else f"{found.macs:,}"

    def field_of(self, layer: Layer) -> str:
        """The receptive field of a layer's output."""
        found = self.found.get(id(layer), Found())
        return "-" if found.sees is None else str(found.sees)

    def shapes_of(self, layer: Layer) -> list[tuple[int | None, ...]]:
        """The shapes of a layer's outputs."""
        known = layer.built and not self.is_open
        return self.found[id(layer)].shapes if known and id(layer) in self.found else []

    def lower(
        self,
        layer: Layer,
        tensors: Sequence[int],
        training: bool | None = None,
        call: Arguments | None = None,
    ) -> list[int]:
        """Adds a layer; notes what it is."""
        self._inside.append(self.found.setdefault(id(layer), Found()))
        try:
            outputs = super().lower(layer, tensors, training, call)
        finally:
            found = self._inside.pop()
        found.sees = self._fields.get(outputs[0])
        found.shapes = [(None, *self.shape(output)[1:]) for output in outputs]
        return outputs

    def add(self, op: str, inputs: Sequence[int], **attributes: Any) -> int:
        """Adds an op; notes its cost and its field."""
        output = super().add(op, inputs, **attributes)
        shapes = [self.shape(tensor) for tensor in inputs]
        cost = macs(op, shapes, self.shape(output), attributes)
        for found in self._inside:
            found.macs += cost
        known = [self._fields[one] for one in inputs if one in self._fields]
        if known:
            self._fields[output] = self._field(op, known, shapes, attributes, output)
        return output

    def _field(
        self,
        op: str,
        fields: Sequence[Field],
        shapes: Sequence[tuple[int, ...]],
        attributes: dict[str, Any],
        output: int,
    ) -> Field:
        axes = min((one.axes for one in fields), key=len)
        axes = tuple(
            (
                max(one.axes[i][0] for one in fields),
                max(one.axes[i][1] for one in fields),
            )
            for i in range(len(axes))
        )
        count = len(axes)
        if op.startswith(_WINDOWS):
            weights = shapes[1][:count] if len(shapes) > 1 else [1] * count
            kernel = attributes.get("kernel_size", weights)
            kernel = attributes.get("pool_size", kernel)
            steps = attributes.get("strides", kernel if "pool" in op else [1] * count)
            dilation = attributes.get("dilation", [1] * count)
            if op.endswith("transpose"):
                return Field(tuple(map(_spread, axes, kernel, steps, dilation)))
            return Field(tuple(map(_seen, axes, kernel, steps, dilation)))
        if op == "upsample_nearest":
            return Field(
                tuple(
                    (s, j / f)
                    for (s, j), f in zip(axes, attributes["size"], strict=False)
                )
            )
        keeps = len(self.shape(output)) == len(shapes[0]) == count + 2
        return Field(axes if op in _POINTWISE and keeps else _EVERYTHING)


def _seen(
    axis: tuple[float, float], kernel: int, step: int, dilation: int
) -> tuple[float, float]:
    size, jump = axis
    return size + (kernel - 1) * dilation * jump, jump * step


def _spread(
    axis: tuple[float, float], kernel: int, step: int, dilation: int
) -> tuple[float, float]:
    """A transposed convolution: an output sees the inputs whose windows reach it."""
    size, jump = axis
    reach = (kernel - 1) * dilation + 1
    return size + (math.ceil(reach / step) - 1) * jump, jump / step


def macs(
    op: str,
    inputs: Sequence[tuple[int, ...]],
    output: tuple[int, ...],
    attributes: dict[str, Any],
) -> int:
    """Multiply-accumulates of an op for one image; only products with weights count."""
    if op.startswith("locally_connected"):
        return math.prod(inputs[1])
    if op.endswith("_transpose") and "conv" in op:
        return math.prod(inputs[0][1:-1]) * math.prod(inputs[1])
    if op.startswith(("conv", "depthwise_conv")) and op != "concatenate":
        return math.prod(output[1:-1]) * math.prod(inputs[1])
    if op == "dense":
        return math.prod(inputs[0][1:-1]) * math.prod(inputs[1])
    if op == "matmul":
        inner = inputs[0][-2 if attributes.get("transpose_a") else -1]
        return math.prod(output[1:]) * inner
    return 0
