# SPDX-License-Identifier: Apache-2.0
"""Layers that take borders away from sequences, images and volumes, or add them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pronghorn.layers import arguments
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.spatial import SpatialLayer

Border = tuple[int, int]
# What Keras takes: one number, one per axis, or a pair per axis.
Borders = int | Sequence[int | Sequence[int]]


def borders(owner: str, name: str, value: Any, axes: int) -> tuple[Border, ...]:
    """What lies before and behind along each axis."""
    if isinstance(value, int):
        value = (value,) * axes
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != axes:
        raise ValueError(
            f"{owner}: expected `{name}` to be an integer, {axes} of them, or {axes} "
            f"pairs, got {value!r}"
        )
    return tuple(arguments.pair(owner, name, one, least=0) for one in value)


class _Cropping(SpatialLayer):
    cropping: Any

    def lower_channels_last(self, graph: GraphBuilder, x: int) -> int:
        """Records the slice."""
        sizes = graph.shape(x)[1:]
        pairs = [self.cropping] if self.axes == 1 else self.cropping
        starts = [before for before, _ in pairs] + [0]
        behind = [after for _, after in pairs] + [0]
        stops = [size - after for size, after in zip(sizes, behind, strict=True)]
        if any(start >= stop for start, stop in zip(starts, stops, strict=True)):
            raise ValueError(
                f"{self.label}: expected `cropping` to leave something of an input of "
                f"shape {sizes}, got {self.cropping}"
            )
        return graph.add("slice", [x], starts=starts, stops=stops)


class _ZeroPadding(SpatialLayer):
    padding: Any

    def lower_channels_last(self, graph: GraphBuilder, x: int) -> int:
        """Records the border."""
        pairs = [self.padding] if self.axes == 1 else self.padding
        before = [first for first, _ in pairs] + [0]
        after = [second for _, second in pairs] + [0]
        return graph.add("pad", [x], before=before, after=after)


class Cropping1D(_Cropping):
    """Sequences without their ends.

    Args:
        cropping: Steps to take away at both ends, or a pair for start and end.
        **kwargs: See `Layer`.

    Input shape:
        `(batch, steps, features)`

    Output shape:
        `(batch, fewer steps, features)`

    Example:
        >>> Cropping1D(1)(np.arange(4.0).reshape(1, 4, 1)).ravel()
        array([1., 2.], dtype=float32)
    """

    axes = 1

    def __init__(self, cropping: int | Sequence[int] = (1, 1), **kwargs: Any) -> None:
        super().__init__("channels_last", **kwargs)
        self.cropping = arguments.pair(self.label, "cropping", cropping, least=0)


class Cropping2D(_Cropping):
    """Images without their borders.

    Args:
        cropping: Pixels to take away: one number, one for height and one for width, or
            `((top, bottom), (left, right))`.
        data_format: "channels_last" or "channels_first"; None for what
            `pronghorn.config` says.
        **kwargs: See `Layer`.

    Input shape:
        `(batch, height, width, channels)`, or with the channels first.

    Output shape:
        The same with a smaller height and width.

    Example:
        >>> Cropping2D(((2, 2), (4, 4)))(np.zeros((2, 28, 28, 3))).shape
        (2, 24, 20, 3)
    """

    axes = 2

    def __init__(
        self,
        cropping: Borders = ((0, 0), (0, 0)),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.cropping = borders(self.label, "cropping", cropping, 2)


class Cropping3D(_Cropping):
    """Volumes without their borders.

    Args:
        cropping: Cells to take away: one number, one per axis, or a pair per axis.
        data_format: "channels_last" or "channels_first"; None for what
            `pronghorn.config` says.
        **kwargs: See `Layer`.

    Input shape:
        `(batch, depth, height, width, channels)`, or with the channels first.

    Output shape:
        The same with smaller depth, height and width.

    Example:
        >>> Cropping3D((1, 2, 0))(np.zeros((1, 5, 6, 7, 2))).shape
        (1, 3, 2, 7, 2)
    """

    axes = 3

    def __init__(
        self,
        cropping: Borders = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.cropping = borders(self.label, "cropping", cropping, 3)


class ZeroPadding1D(_ZeroPadding):
    """Sequences with zeros at their ends.

    Args:
        padding: Zeros at both ends, or a pair for start and end.
        data_format: "channels_last" or "channels_first"; None for what
            `pronghorn.config` says.
        **kwargs: See `Layer`.

    Input shape:
        `(batch, steps, features)`, or with the features first.

    Output shape:
        The same with more steps.

    Example:
        >>> ZeroPadding1D((0, 2))(np.ones((1, 2, 1))).ravel()
        array([1., 1., 0., 0.], dtype=float32)
    """

    axes = 1

    def __init__(
        self,
        padding: int | Sequence[int] = 1,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.padding = arguments.pair(self.label, "padding", padding, least=0)


class ZeroPadding2D(_ZeroPadding):
    """Images with a border of zeros.

    Args:
        padding: Pixels to add: one number, one for height and one for width, or
            `((top, bottom), (left, right))`.
        data_format: "channels_last" or "channels_first"; None for what
            `pronghorn.config` says.
        **kwargs: See `Layer`.

    Input shape:
        `(batch, height, width, channels)`, or with the channels first.

    Output shape:
        The same with a larger height and width.

    Example:
        >>> ZeroPadding2D(((1, 0), 3))(np.zeros((2, 5, 5, 3))).shape
        (2, 6, 11, 3)
    """

    axes = 2

    def __init__(
        self,
        padding: Borders = (1, 1),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.padding = borders(self.label, "padding", padding, 2)


class ZeroPadding3D(_ZeroPadding):
    """Volumes with a border of zeros.

    Args:
        padding: Cells to add: one number, one per axis, or a pair per axis.
        data_format: "channels_last" or "channels_first"; None for what
            `pronghorn.config` says.
        **kwargs: See `Layer`.

    Input shape:
        `(batch, depth, height, width, channels)`, or with the channels first.

    Output shape:
        The same with larger depth, height and width.

    Example:
        >>> ZeroPadding3D(1)(np.zeros((1, 2, 3, 4, 5))).shape
        (1, 4, 5, 6, 5)
    """

    axes = 3

    def __init__(
        self,
        padding: Borders = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.padding = borders(self.label, "padding", padding, 3)
