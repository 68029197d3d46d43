# SPDX-License-Identifier: Apache-2.0
"""Adaptive pooling: windows such that a given size comes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pronghorn.layers import arguments
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.spatial import SpatialLayer


class _AdaptivePooling(SpatialLayer):
    """Base class: window i of an axis covers [floor(i * n / m), ceil((i + 1) * n / m)).

    n cells come in, m come out. Windows overlap where m does not divide n.
    """

    op = ""

    def __init__(
        self,
        output_size: int | Sequence[int],
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.output_size = arguments.several(
            self.label, "output_size", output_size, self.axes
        )

    def lower_channels_last(self, graph: GraphBuilder, x: int) -> int:
        """Records the pooling."""
        return graph.add(self.op, [x], output_size=list(self.output_size))


class AdaptiveAveragePooling1D(_AdaptivePooling):
    """Mean of each window of a sequence, the windows made for an output size.

    Args:
        output_size: Length that comes out.
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.

    Input shape:
        `(batch, steps, channels)`, or with "channels_first" `(batch, channels, steps)`

    Output shape:
        As the input's, with `output_size` in place of steps

    Example:
        >>> x = np.arange(5).reshape(1, 5, 1)
        >>> AdaptiveAveragePooling1D(2)(x)[0, :, 0]
        array([1., 3.], dtype=float32)
    """

    axes = 1
    op = "adaptive_average_pool"


class AdaptiveAveragePooling2D(_AdaptivePooling):
    """Mean of each window of an image, the windows made for an output size.

    Args:
        output_size: Height and width that come out; one integer for both.
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.

    Input shape:
        `(batch, height, width, channels)`, or with "channels_first"
        `(batch, channels, height, width)`

    Output shape:
        As the input's, with `output_size` in place of height and width

    Example:
        >>> x = np.arange(9).reshape(1, 3, 3, 1)
        >>> AdaptiveAveragePooling2D(2)(x)[0, :, :, 0]
        array([[2., 3.],
               [5., 6.]], dtype=float32)
    """

    op = "adaptive_average_pool"


class AdaptiveAveragePooling3D(_AdaptivePooling):
    """Mean of each window of a volume, the windows made for an output size.

    Args:
        output_size: Depth, height and width that come out; one integer for all.
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.

    Input shape:
        `(batch, depth, height, width, channels)`, or with "channels_first"
        `(batch, channels, depth, height, width)`

    Output shape:
        As the input's, with `output_size` in place of depth, height and width

    Example:
        >>> x = np.arange(12).reshape(1, 3, 2, 2, 1)
        >>> AdaptiveAveragePooling3D((2, 1, 1))(x).ravel()
        array([3.5, 7.5], dtype=float32)
    """

    axes = 3
    op = "adaptive_average_pool"


class AdaptiveMaxPooling1D(_AdaptivePooling):
    """Largest value of each window of a sequence, the windows made for an output size.

    Args:
        output_size: Length that comes out.
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.

    Input shape:
        `(batch, steps, channels)`, or with "channels_first" `(batch, channels, steps)`

    Output shape:
        As the input's, with `output_size` in place of steps

    Example:
        >>> x = np.arange(5).reshape(1, 5, 1)
        >>> AdaptiveMaxPooling1D(2)(x)[0, :, 0]
        array([2., 4.], dtype=float32)
    """

    axes = 1
    op = "adaptive_max_pool"


class AdaptiveMaxPooling2D(_AdaptivePooling):
    """Largest value of each window of an image, the windows made for an output size.

    Args:
        output_size: Height and width that come out; one integer for both.
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.

    Input shape:
        `(batch, height, width, channels)`, or with "channels_first"
        `(batch, channels, height, width)`

    Output shape:
        As the input's, with `output_size` in place of height and width

    Example:
        >>> x = np.arange(9).reshape(1, 3, 3, 1)
        >>> AdaptiveMaxPooling2D(2)(x)[0, :, :, 0]
        array([[4., 5.],
               [7., 8.]], dtype=float32)
    """

    op = "adaptive_max_pool"


class AdaptiveMaxPooling3D(_AdaptivePooling):
    """Largest value of each window of a volume, the windows made for an output size.

    Args:
        output_size: Depth, height and width that come out; one integer for all.
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.

    Input shape:
        `(batch, depth, height, width, channels)`, or with "channels_first"
        `(batch, channels, depth, height, width)`

    Output shape:
        As the input's, with `output_size` in place of depth, height and width

    Example:
        >>> x = np.arange(12).reshape(1, 3, 2, 2, 1)
        >>> AdaptiveMaxPooling3D((2, 1, 1))(x).ravel()
        array([ 7., 11.], dtype=float32)
    """

    axes = 3
    op = "adaptive_max_pool"
