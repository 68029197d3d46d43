# SPDX-License-Identifier: Apache-2.0
"""Layers that make one tensor of a list of them, and functions of the same names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pronghorn.layers import arguments
from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.symbolic import Shape

# Of one node of the core.
_MOST_INPUTS = 8


class Merge(Layer):
    """Base class: a list of tensors in, one out.

    Args:
        **kwargs: See `Layer`.
    """

    least, most = 1, math.inf  # inputs

    def build(self, input_shape: Any) -> None:
        """Refuses what is not a list of shapes."""
        several = isinstance(input_shape, list | tuple) and all(
            isinstance(shape, list | tuple) for shape in input_shape
        )
        if not several or not self.least <= len(input_shape) <= self.most:
            count = f"{self.least} or more"
            if self.most == self.least:
                count = str(self.least)
            raise ValueError(
                f"{self.label}: expected to be called on a list of {count} inputs, got "
                f"input_shape={input_shape}"
            )
        self.check_shapes([tuple(shape) for shape in input_shape])

    def check_shapes(self, shapes: Sequence[Shape]) -> None:
        """Refuses shapes that do not fit; the core refuses most."""


class _Elementwise(Merge):
    kind = ""

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the function of the first two, of that and the third, and so on."""
        first, *others = same_ranks(graph, tensors)
        for other in others:
            first = graph.add("binary", [first, other], kind=self.kind)
        return first


def same_ranks(graph: GraphBuilder, tensors: Sequence[int]) -> list[int]:
    """The tensors, with axes of size 1 behind the batch where some have fewer."""
    rank = max(len(graph.shape(tensor)) for tensor in tensors)
    reshaped = []
    for tensor in tensors:
        sizes = list(graph.shape(tensor)[1:])
        missing = rank - 1 - len(sizes)
        reshaped.append(
            graph.add("reshape", [tensor], shape=[1] * missing + sizes)
            if missing
            else tensor
        )
    return reshaped


class Add(_Elementwise):
    """The sum of a list of tensors, which broadcast.

    Args:
        **kwargs: See `Layer`.

    Input shape:
        A list of shapes that broadcast.

    Output shape:
        What they broadcast to.

    Example:
        >>> Add()([np.ones((1, 2)), np.ones((1, 2))])
        array([[2., 2.]], dtype=float32)

    Reference:
        He et al., Deep residual learning for image recognition, CVPR 2016.
    """

    kind = "add"


class Subtract(_Elementwise):
    """The difference of two tensors, which broadcast.

    Args:
        **kwargs: See `Layer`.

    Input shape:
        A list of two shapes that broadcast.

    Output shape:
        What they broadcast to.

    Example:
        >>> Subtract()([np.ones((1, 2)), np.full((1, 2), 3)])
        array([[-2., -2.]], dtype=float32)
    """

    kind = "subtract"
    least = most = 2


class Multiply(_Elementwise):
    """The product of a list of tensors, element by element; they broadcast.

    Args:
        **kwargs: See `Layer`.

    Input shape:
        A list of shapes that broadcast.

    Output shape:
        What they broadcast to.

    Example:
        >>> Multiply()([np.full((1, 2), 2), np.full((1, 2), 3)])
        array([[6., 6.]], dtype=float32)
    """

    kind = "multiply"


class Average(_Elementwise):
    """The mean of a list of tensors, which broadcast.

    Args:
        **kwargs: See `Layer`.

    Input shape:
        A list of shapes that broadcast.

    Output shape:
        What they broadcast to.

    Example:
        >>> Average()([np.ones((1, 2)), np.full((1, 2), 3)])
        array([[2., 2.]], dtype=float32)
    """

    kind = "add"

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the sum and a division by the number of tensors."""
        count = graph.constant(float(len(tensors)))
        total = super().lower(graph, *tensors)
        return graph.add("binary", [total, count], kind="divide")


class Maximum(_Elementwise):
    """The largest of a list of tensors, element by element; they broadcast.

    Args:
        **kwargs: See `Layer`.

    Input shape:
        A list of shapes that broadcast.

    Output shape:
        What they broadcast to.

    Example:
        >>> Maximum()([np.array([[1, 5]]), np.array([[2, 4]])])
        array([[2., 5.]], dtype=float32)
    """

    kind = "maximum"


class Minimum(_Elementwise):
    """The smallest of a list of tensors, element by element; they broadcast.

    Args:
        **kwargs: See `Layer`.

    Input shape:
        A list of shapes that broadcast.

    Output shape:
        What they broadcast to.

    Example:
        >>> Minimum()([np.array([[1, 5]]), np.array([[2, 4]])])
        array([[1., 4.]], dtype=float32)
    """

    kind = "minimum"


class Concatenate(Merge):
    """Tensors side by side along an axis.

    Args:
        axis: The axis, counted with the batch as 0, which it cannot be.
        **kwargs: See `Layer`.

    Input shape:
        A list of shapes that are equal but for the axis.

    Output shape:
        The same, with the sum of the sizes along the axis.

    Example:
        >>> Concatenate()([np.ones((1, 2)), np.zeros((1, 1))])
        array([[1., 1., 0.]], dtype=float32)
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = arguments.axis(self.label, axis)

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the concatenation, of some tensors at a time."""
        parts = list(tensors)
        while len(parts) > 1:
            groups = [
                parts[begin : begin + _MOST_INPUTS]
                for begin in range(0, len(parts), _MOST_INPUTS)
            ]
            parts = [graph.add("concatenate", g, axis=self.axis) for g in groups]
        return parts[0]


class Dot(Merge):
    """Products of two tensors, summed along an axis of each.

    Args:
        axes: The axis of both, or a pair of the first's and the second's, counted with
            the batch as 0, which none can be.
        normalize: Whether both are scaled to length 1 along that axis first; the result
            is then the cosine of the angle between them.
        **kwargs: See `Layer`.

    Input shape:
        A list of two shapes whose axes are of equal size.

    Output shape:
        The first's and then the second's without those axes and without the second's
        batch; `(batch, 1)` where nothing is left.

    Example:
        >>> x = np.arange(6.0).reshape(1, 3, 2)
        >>> Dot(axes=(1, 2))([x, np.ones((1, 4, 3))]).shape
        (1, 2, 4)
        >>> Dot(axes=1)([np.ones((1, 3)), np.ones((1, 3))])
        array([[3.]], dtype=float32)
    """

    least = most = 2

    def __init__(
        self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(axes, int | list | tuple):
            raise TypeError(
                f"{self.label}: expected `axes` to be an integer or two, got {axes!r}"
            )
        self.axes: int | tuple[int, int]
        if isinstance(axes, int):
            self.axes = arguments.axis(self.label, axes)
        else:
            if len(axes) != 2:
                raise ValueError(
                    f"{self.label}: expected `axes` to be two integers, got {axes!r}"
                )
            self.axes = (
                arguments.axis(self.label, axes[0]),
                arguments.axis(self.label, axes[1]),
            )
        self.normalize = bool(normalize)

    def check_shapes(self, shapes: Sequence[Shape]) -> None:
        """Refuses axes that do not fit."""
        first, second = self._axes([len(shape) for shape in shapes])
        sizes = shapes[0][first], shapes[1][second]
        if sizes[0] != sizes[1]:
            raise ValueError(
                f"{self.label}: expected equal sizes along the axes, got {sizes[0]} "
                f"(axis {first} of {shapes[0]}) and {sizes[1]} (axis {second} of "
                f"{shapes[1]})"
            )

    def _axes(self, ranks: Sequence[int]) -> list[int]:
        axes = [self.axes, self.axes] if isinstance(self.axes, int) else self.axes
        found = []
        for axis, rank in zip(axes, ranks, strict=True):
            if not -rank <= axis < rank or axis % rank == 0:
                raise ValueError(
                    f"{self.label}: expected `axes` inside inputs of {ranks[0]} and "
                    f"{ranks[1]} axes and behind the batch, got {self.axes}"
                )
            found.append(axis % rank)
        return found

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records a product of matrices: what is summed, and the rest."""
        axes = self._axes([len(graph.shape(tensor)) for tensor in tensors])
        matrices, rest = [], []
        for tensor, axis in zip(tensors, axes, strict=True):
            x = tensor
            if self.normalize:
                x = _scaled(graph, x, axis)
            x = _moved_last(graph, x, axis)
            *sizes, summed = graph.shape(x)[1:]
            rest += sizes
            matrices.append(graph.add("reshape", [x], shape=[math.prod(sizes), summed]))
        y = graph.add("matmul", matrices, transpose_b=True)
        return graph.add("reshape", [y], shape=rest or [1])


def _scaled(graph: GraphBuilder, x: int, axis: int) -> int:
    """The tensor with lengths of 1 along an axis, as `ops.normalize` has them."""
    square = graph.add("binary", [x, x], kind="multiply")
    total = graph.add("reduce", [square], kind="sum", axes=[axis], keepdims=True)
    inverse = graph.add("unary", [total], kind="rsqrt")
    limit = graph.constant(1e12)
    inverse = graph.add("binary", [inverse, limit], kind="minimum")
    return graph.add("binary", [x, inverse], kind="multiply")


def _moved_last(graph: GraphBuilder, x: int, axis: int) -> int:
    rank = len(graph.shape(x))
    if axis == rank - 1:
        return x
    order = [one for one in range(rank) if one != axis]
    return graph.add("transpose", [x], axes=[*order, axis])


def add(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """The sum of a list of tensors; see `Add`."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """The difference of two tensors; see `Subtract`."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """The product of a list of tensors; see `Multiply`."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """The mean of a list of tensors; see `Average`."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """The largest of a list of tensors; see `Maximum`."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """The smallest of a list of tensors; see `Minimum`."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Any) -> Any:
    """Tensors side by side along an axis; see `Concatenate`."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Sequence[Any], axes: int | Sequence[int] = -1, **kwargs: Any) -> Any:
    """Products of two tensors, summed along an axis of each; see `Dot`."""
    return Dot(axes=axes, **kwargs)(inputs)
