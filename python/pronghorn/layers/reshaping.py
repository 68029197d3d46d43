# SPDX-License-Identifier: Apache-2.0
"""Layers that change the shape and nothing else."""

from __future__ import annotations

from typing import Any

from pronghorn.layers import arguments
from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder


class Flatten(Layer):
    """All axes but the batch become one.

    Args:
        data_format: "channels_last" (or None).

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
        self.data_format = arguments.channels_last(self.label, data_format)

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the new shape."""
        return graph.add("flatten", tensors)
