# SPDX-License-Identifier: Apache-2.0
"""Pooling over windows: the largest value or the mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pronghorn.layers import arguments
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.spatial import SpatialLayer


class _Pooling(SpatialLayer):
    """Base class: moves a window over the image and calls the core's `op`."""

    op = ""

    def __init__(
        self,
        pool_size: int | Sequence[int] = 2,
        strides: int | Sequence[int] | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        count = self.axes
        self.pool_size = arguments.several(self.label, "pool_size", pool_size, count)
        steps = self.pool_size if strides is None else strides
        self.strides = arguments.several(self.label, "strides", steps, count)
        self.padding = arguments.padding(self.label, padding)

    def lower_channels_last(self, graph: GraphBuilder, x: int) -> int:
        """Records the pooling; a sequence is an image of height 1."""
        size, strides = list(self.pool_size), list(self.strides)
        if self.axes == 1:
            x = graph.add("reshape", [x], shape=[1, *graph.shape(x)[1:]])
            size, strides = [1, *size], [1, *strides]
        y = graph.add(
            self.op, [x], pool_size=size, strides=strides, padding=self.padding
        )
        if self.axes == 1:
            y = graph.add("reshape", [y], shape=graph.shape(y)[2:])
        return y


class MaxPooling1D(_Pooling):
    """Largest value of each window of a sequence.

    Args:
        pool_size: Length of the window.
        strides: Step of the window; None means `pool_size`.
        padding: "valid" drops what does not fill a window; "same" keeps it.
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.

    Input shape:
        `(batch, steps, channels)`, or with "channels_first" `(batch, channels, steps)`

    Output shape:
        As the input's, with `new_steps`

    Example:
        >>> x = np.arange(5).reshape(1, 5, 1)
        >>> MaxPooling1D()(x)[0, :, 0]
        array([1., 3.], dtype=float32)
    """

    axes = 1
    op = "max_pool2d"


class MaxPooling2D(_Pooling):
    """Largest value of each window.

    Args:
        pool_size: Height and width of the window; one integer for both.
        strides: Steps of the window; None means `pool_size`.
        padding: "valid" drops what does not fill a window; "same" keeps it.
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.

    Input shape:
        `(batch, height, width, channels)`, or with "channels_first"
        `(batch, channels, height, width)`

    Output shape:
        As the input's, with `new_height` and `new_width`

    Example:
        >>> x = np.arange(16).reshape(1, 4, 4, 1)
        >>> MaxPooling2D()(x)[0, :, :, 0]
        array([[ 5.,  7.],
               [13., 15.]], dtype=float32)
    """

    op = "max_pool2d"


class MaxPooling3D(_Pooling):
    """Largest value of each window of a volume.

    Args:
        pool_size: Depth, height and width of the window; one integer for all.
        strides: Steps of the window; None means `pool_size`.
        padding: "valid" drops what does not fill a window; "same" keeps it.
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.

    Input shape:
        `(batch, depth, height, width, channels)`, or with "channels_first"
        `(batch, channels, depth, height, width)`

    Output shape:
        As the input's, with `new_depth`, `new_height` and `new_width`

    Example:
        >>> x = np.arange(16).reshape(1, 4, 2, 2, 1)
        >>> MaxPooling3D()(x).ravel()
        array([ 7., 15.], dtype=float32)
    """

    axes = 3
    op = "max_pool3d"


class AveragePooling1D(_Pooling):
    """Mean of each window of a sequence; cells outside do not count.

    Args:
        pool_size: Length of the window.
        strides: Step of the window; None means `pool_size`.
        padding: "valid" drops what does not fill a window; "same" keeps it.
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.

    Input shape:
        `(batch, steps, channels)`, or with "channels_first" `(batch, channels, steps)`

    Output shape:
        As the input's, with `new_steps`

    Example:
        >>> x = np.arange(5).reshape(1, 5, 1)
        >>> AveragePooling1D(padding="same")(x)[0, :, 0]
        array([0.5, 2.5, 4. ], dtype=float32)
    """

    axes = 1
    op = "average_pool2d"


class AveragePooling2D(_Pooling):
    """Mean of each window; cells outside the image do not count.

    Args:
        pool_size: Height and width of the window; one integer for both.
        strides: Steps of the window; None means `pool_size`.
        padding: "valid" drops what does not fill a window; "same" keeps it.
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.

    Input shape:
        `(batch, height, width, channels)`, or with "channels_first"
        `(batch, channels, height, width)`

    Output shape:
        As the input's, with `new_height` and `new_width`

    Example:
        >>> x = np.arange(16).reshape(1, 4, 4, 1)
        >>> AveragePooling2D()(x)[0, :, :, 0]
        array([[ 2.5,  4.5],
               [10.5, 12.5]], dtype=float32)
    """

    op = "average_pool2d"


class AveragePooling3D(_Pooling):
    """Mean of each window of a volume; cells outside do not count.

    Args:
        pool_size: Depth, height and width of the window; one integer for all.
        strides: Steps of the window; None means `pool_size`.
        padding: "valid" drops what does not fill a window; "same" keeps it.
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.

    Input shape:
        `(batch, depth, height, width, channels)`, or with "channels_first"
        `(batch, channels, depth, height, width)`

    Output shape:
        As the input's, with `new_depth`, `new_height` and `new_width`

    Example:
        >>> x = np.arange(16).reshape(1, 4, 2, 2, 1)
        >>> AveragePooling3D()(x).ravel()
        array([ 3.5, 11.5], dtype=float32)
    """

    axes = 3
    op = "average_pool3d"


MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
MaxPool3D = MaxPooling3D
AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
AvgPool3D = AveragePooling3D
