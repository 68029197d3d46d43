# SPDX-License-Identifier: Apache-2.0
"""Pooling layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pronghorn.layers import arguments
from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder


class _Pooling2D(Layer):
    """Base class: moves a window over the image and calls the core's `_op`."""

    _op = ""

    def __init__(
        self,
        pool_size: int | Sequence[int] = (2, 2),
        strides: int | Sequence[int] | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pool_size = arguments.pair(self.label, "pool_size", pool_size)
        steps = self.pool_size if strides is None else strides
        self.strides = arguments.pair(self.label, "strides", steps)
        self.padding = arguments.padding(self.label, padding)
        self.data_format = arguments.channels_last(self.label, data_format)

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the pooling."""
        return graph.add(
            self._op,
            tensors,
            pool_size=list(self.pool_size),
            strides=list(self.strides),
            padding=self.padding,
        )


class MaxPooling2D(_Pooling2D):
    """Largest value of each window.

    Args:
        pool_size: Height and width of the window; one integer for both.
        strides: Steps of the window; None means `pool_size`.
        padding: "valid" drops what does not fill a window; "same" keeps it.
        data_format: "channels_last" (or None).

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        `(batch, new_height, new_width, channels)`

    Example:
        >>> x = np.arange(16).reshape(1, 4, 4, 1)
        >>> MaxPooling2D()(x)[0, :, :, 0]
        array([[ 5.,  7.],
               [13., 15.]], dtype=float32)
    """

    _op = "max_pool2d"


class AveragePooling2D(_Pooling2D):
    """Mean of each window; cells outside the image do not count.

    Args:
        pool_size: Height and width of the window; one integer for both.
        strides: Steps of the window; None means `pool_size`.
        padding: "valid" drops what does not fill a window; "same" keeps it.
        data_format: "channels_last" (or None).

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        `(batch, new_height, new_width, channels)`

    Example:
        >>> x = np.arange(16).reshape(1, 4, 4, 1)
        >>> AveragePooling2D()(x)[0, :, :, 0]
        array([[ 2.5,  4.5],
               [10.5, 12.5]], dtype=float32)
    """

    _op = "average_pool2d"


class GlobalAveragePooling2D(Layer):
    """Mean of each channel over the image.

    Args:
        data_format: "channels_last" (or None).
        keepdims: Whether height and width stay, as axes of size 1.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        `(batch, channels)`, or `(batch, 1, 1, channels)` with `keepdims`

    Example:
        >>> x = np.arange(8).reshape(1, 2, 2, 2)
        >>> GlobalAveragePooling2D()(x)
        array([[3., 4.]], dtype=float32)

    Reference:
        Lin, Chen and Yan, Network in network, ICLR 2014, section 3.2.
    """

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = arguments.channels_last(self.label, data_format)
        self.keepdims = bool(keepdims)

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the mean."""
        return graph.add("global_average_pool2d", tensors, keepdims=self.keepdims)


MaxPool2D = MaxPooling2D
AvgPool2D = AveragePooling2D
GlobalAvgPool2D = GlobalAveragePooling2D
