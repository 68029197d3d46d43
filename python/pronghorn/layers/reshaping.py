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
