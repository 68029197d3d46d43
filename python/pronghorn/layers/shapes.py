# SPDX-License-Identifier: Apache-2.0
"""Shapes with open sizes.

The core infers shapes of known sizes. An open size (None) is found by asking it twice:
what differs between two sizes of the input is open too.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pronghorn.layers.lowering import GraphBuilder, named
from pronghorn.layers.symbolic import KerasTensor, Shape

if TYPE_CHECKING:
    from pronghorn.calls import Arguments
    from pronghorn.layers.layer import Layer

# Large enough for any kernel; sizes behind strides of a few hundred still differ.
_PROBES = (4096, 8192)


def checked(owner: str, shape: Any) -> Shape:
    """A shape with the batch in front, or a ValueError."""
    try:
        sizes = tuple(None if s is None else operator.index(s) for s in shape)
    except TypeError:
        sizes = (0,)
    if not sizes or any(size is not None and size < 1 for size in sizes):
        raise ValueError(
            f"{owner}: expected a shape of positive integers (or None), got {shape!r}"
        )
    return sizes


def infer(
    layer: Layer, shapes: Sequence[Shape], call: Arguments | None = None
) -> list[Shape]:
    """The shapes of a built layer's outputs."""
    is_open = any(size is None for shape in shapes for size in shape[1:])
    found = [_infer(layer, shapes, probe, call) for probe in _PROBES[: 1 + is_open]]
    batch = shapes[0][0]
    return [
        (batch, *(a if a == b else None for a, b in zip(first, last, strict=True)))
        for first, last in zip(found[0], found[-1], strict=True)
    ]


def _infer(
    layer: Layer, shapes: Sequence[Shape], probe: int, call: Arguments | None
) -> list[tuple[int, ...]]:
    graph = GraphBuilder(1)
    with named(layer):
        inputs = [
            graph.input([probe if size is None else size for size in shape[1:]])
            for shape in shapes
        ]
    outputs = graph.lower(layer, inputs, call=call)
    return [graph.shape(tensor)[1:] for tensor in outputs]


def of(tensors: KerasTensor | list[KerasTensor]) -> Any:
    """The shape of a tensor, or a list of shapes where there are several."""
    several = tensors if isinstance(tensors, list) else [tensors]
    shapes = [tensor.shape for tensor in several]
    return shapes if len(shapes) > 1 else shapes[0]


def fits(shape: Sequence[int | None], expected: Sequence[int | None]) -> bool:
    """Whether a shape agrees with another wherever both are known."""
    return shape == expected or (
        len(shape) == len(expected)
        and all(
            a == b or a is None or b is None
            for a, b in zip(shape, expected, strict=True)
        )
    )


def require(
    owner: str, shape: Shape, axes: int | None = None, least_axes: int = 1
) -> None:
    """Refuses an input whose number of axes is wrong or whose last axis is open."""
    if axes is not None and len(shape) != axes:
        raise ValueError(
            f"{owner}: expected an input of {axes} axes, got shape {shape}"
        )
    if len(shape) < least_axes:
        raise ValueError(
            f"{owner}: expected an input of {least_axes} or more axes, got {shape}"
        )
    if shape[-1] is None:
        raise ValueError(
            f"{owner}: expected the input's last axis to be known, got shape {shape}"
        )


def channels(owner: str, shape: Shape, data_format: str, axes: int) -> int:
    """The channels of an image of `axes` axes, the batch among them."""
    at = -1 if data_format == "channels_last" else 1
    if len(shape) != axes or shape[at] is None:
        raise ValueError(
            f"{owner}: expected an input of {axes} axes with a known number of "
            f"channels ({data_format}), got shape {shape}"
        )
    return shape[at] or 0
