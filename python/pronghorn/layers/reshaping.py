# SPDX-License-Identifier: Apache-2.0
"""Layers that change the shape and nothing else."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

from pronghorn.layers import arguments
from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder


class Flatten(Layer):
    """All axes but the batch become one.

    Args:
        data_format: "channels_first" moves the channels behind the other axes before;
            None means what `pronghorn.config` says.

    Input shape:
        `(batch, ...)`

    Output shape:
        `(batch, size)`

    Example:
        >>> Flatten()(np.zeros((2, 3, 4))).shape
        (2, 12)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = arguments.data_format(self.label, data_format)

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the new shape."""
        x = tensors[0]
        if len(graph.shape(x)) > 2:
            x = graph.to_channels_last(x, self.data_format)
        return graph.add("flatten", [x])


class Reshape(Layer):
    """The same numbers under another shape.

    Args:
        target_shape: The shape without the batch. One size may be -1: what is left.
        **kwargs: See `Layer`.

    Input shape:
        `(batch, ...)`

    Output shape:
        `(batch, *target_shape)`

    Example:
        >>> Reshape((-1, 2))(np.zeros((5, 12))).shape
        (5, 6, 2)
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        try:
            self.target_shape = tuple(operator.index(size) for size in target_shape)
        except TypeError:
            self.target_shape = (-2,)
        if min(self.target_shape, default=1) < -1 or self.target_shape.count(-1) > 1:
            raise ValueError(
                f"{self.label}: expected `target_shape` to be sizes, one of them -1 at "
                f"most, got {target_shape!r}"
            )

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the new shape."""
        sizes = graph.shape(tensors[0])[1:]
        total, known = (
            math.prod(sizes),
            math.prod(s for s in self.target_shape if s > 0),
        )
        if -1 in self.target_shape and (known == 0 or total % known):
            raise ValueError(
                f"{self.label}: expected an input whose size is a multiple of {known} "
                f"for target_shape={self.target_shape}, got shape {sizes}"
            )
        shape = [total // known if size < 0 else size for size in self.target_shape]
        return graph.add("reshape", tensors, shape=shape)


class Permute(Layer):
    """The axes in another order.

    Args:
        dims: For each axis of the output the input's, counted from 1; the batch stays.
        **kwargs: See `Layer`.

    Input shape:
        `(batch, ...)` with as many axes as `dims` names.

    Output shape:
        The same sizes in the new order.

    Example:
        >>> Permute((2, 1))(np.zeros((5, 10, 64))).shape
        (5, 64, 10)
    """

    def __init__(self, dims: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        try:
            self.dims = tuple(operator.index(axis) for axis in dims)
        except TypeError:
            self.dims = (0,)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                f"{self.label}: expected `dims` to be the axes from 1 on in any order, "
                f"got {dims!r}"
            )

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the transposition."""
        require_axes(self, graph, tensors[0], len(self.dims) + 1)
        return graph.add("transpose", tensors, axes=[0, *self.dims])


class RepeatVector(Layer):
    """A vector several times.

    Args:
        n: How often.
        **kwargs: See `Layer`.

    Input shape:
        `(batch, features)`

    Output shape:
        `(batch, n, features)`

    Example:
        >>> RepeatVector(3)([[1.0, 2.0]])
        array([[[1., 2.],
                [1., 2.],
                [1., 2.]]], dtype=float32)
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(n, bool) or not isinstance(n, int):
            raise TypeError(f"{self.label}: expected `n` to be an integer, got {n!r}")
        self.n = arguments.whole(self.label, "n", n)

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the repetition."""
        require_axes(self, graph, tensors[0], 2)
        features = graph.shape(tensors[0])[1]
        return graph.add("broadcast", tensors, shape=[self.n, features])


class Identity(Layer):
    """The input as it is: a placeholder.

    Args:
        **kwargs: See `Layer`.

    Input shape:
        Any, or a list of any.

    Output shape:
        The input's.

    Example:
        >>> Identity()([[1.0, 2.0]])
        array([[1., 2.]], dtype=float32)
    """

    def lower(self, graph: GraphBuilder, *tensors: int) -> int | list[int]:  # noqa: ARG002
        """Passes its input on."""
        return list(tensors)


def require_axes(layer: Layer, graph: GraphBuilder, x: int, axes: int) -> None:
    """Refuses an input of another number of axes, the batch among them."""
    shape = graph.shape(x)
    if len(shape) != axes:
        raise ValueError(
            f"{layer.label}: expected an input of {axes} axes, the batch being the "
            f"first, got shape {(None, *shape[1:])}"
        )
