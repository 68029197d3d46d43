# SPDX-License-Identifier: Apache-2.0
"""Global pooling: one number a channel, the largest or the mean of all its cells."""

from __future__ import annotations

from typing import Any

from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.spatial import SpatialLayer


class _GlobalPooling(SpatialLayer):
    """Base class: pools over everything between batch and channels."""

    op = ""

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.keepdims = bool(keepdims)

    def lower_channels_last(self, graph: GraphBuilder, x: int) -> int:
        """Records the pooling."""
        return graph.add(self.op, [x], keepdims=self.keepdims)


class GlobalMaxPooling1D(_GlobalPooling):
    """Largest value of each channel over a sequence.

    Args:
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.
        keepdims: Whether steps stay, with size 1.

    Input shape:
        `(batch, steps, channels)`, or with "channels_first" `(batch, channels, steps)`

    Output shape:
        `(batch, channels)`, or `(batch, 1, channels)` with `keepdims`

    Example:
        >>> x = np.arange(6).reshape(1, 3, 2)
        >>> GlobalMaxPooling1D()(x)
        array([[4., 5.]], dtype=float32)
    """

    axes = 1
    op = "global_max_pool"


class GlobalMaxPooling2D(_GlobalPooling):
    """Largest value of each channel over an image.

    Args:
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.
        keepdims: Whether height and width stay, with size 1.

    Input shape:
        `(batch, height, width, channels)`, or with "channels_first"
        `(batch, channels, height, width)`

    Output shape:
        `(batch, channels)`, or `(batch, 1, 1, channels)` with `keepdims`

    Example:
        >>> x = np.arange(8).reshape(1, 2, 2, 2)
        >>> GlobalMaxPooling2D()(x)
        array([[6., 7.]], dtype=float32)
    """

    op = "global_max_pool"


class GlobalMaxPooling3D(_GlobalPooling):
    """Largest value of each channel over a volume.

    Args:
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.
        keepdims: Whether depth, height and width stay, with size 1.

    Input shape:
        `(batch, depth, height, width, channels)`, or with "channels_first"
        `(batch, channels, depth, height, width)`

    Output shape:
        `(batch, channels)`, or `(batch, 1, 1, 1, channels)` with `keepdims`

    Example:
        >>> x = np.arange(16).reshape(1, 2, 2, 2, 2)
        >>> GlobalMaxPooling3D()(x)
        array([[14., 15.]], dtype=float32)
    """

    axes = 3
    op = "global_max_pool"


class GlobalAveragePooling1D(_GlobalPooling):
    """Mean of each channel over a sequence.

    Args:
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.
        keepdims: Whether steps stay, with size 1.

    Input shape:
        `(batch, steps, channels)`, or with "channels_first" `(batch, channels, steps)`

    Output shape:
        `(batch, channels)`, or `(batch, 1, channels)` with `keepdims`

    Example:
        >>> x = np.arange(6).reshape(1, 3, 2)
        >>> GlobalAveragePooling1D()(x)
        array([[2., 3.]], dtype=float32)
    """

    axes = 1
    op = "global_average_pool"


class GlobalAveragePooling2D(_GlobalPooling):
    """Mean of each channel over an image.

    Args:
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.
        keepdims: Whether height and width stay, with size 1.

    Input shape:
        `(batch, height, width, channels)`, or with "channels_first"
        `(batch, channels, height, width)`

    Output shape:
        `(batch, channels)`, or `(batch, 1, 1, channels)` with `keepdims`

    Example:
        >>> x = np.arange(8).reshape(1, 2, 2, 2)
        >>> GlobalAveragePooling2D()(x)
        array([[3., 4.]], dtype=float32)

    Reference:
        Lin, Chen and Yan, Network in network, ICLR 2014, section 3.2.
    """

    op = "global_average_pool"


class GlobalAveragePooling3D(_GlobalPooling):
    """Mean of each channel over a volume.

    Args:
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.
        keepdims: Whether depth, height and width stay, with size 1.

    Input shape:
        `(batch, depth, height, width, channels)`, or with "channels_first"
        `(batch, channels, depth, height, width)`

    Output shape:
        `(batch, channels)`, or `(batch, 1, 1, 1, channels)` with `keepdims`

    Example:
        >>> x = np.arange(16).reshape(1, 2, 2, 2, 2)
        >>> GlobalAveragePooling3D()(x)
        array([[7., 8.]], dtype=float32)
    """

    axes = 3
    op = "global_average_pool"


GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
