# SPDX-License-Identifier: Apache-2.0
"""Base class of layers on sequences, images and volumes: one tensor, either format."""

from __future__ import annotations

from typing import Any

from pronghorn.layers import arguments
from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder

_AXES = {1: "steps", 2: "height, width", 3: "depth, height, width"}


class SpatialLayer(Layer):
    """Base class: its ops see channels last, whatever the format of the input.

    Args:
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.
        **kwargs: See `Layer`.
    """

    axes = 2  # between the batch and the channels

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = arguments.data_format(self.label, data_format)

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the layer's ops, between transpositions for channels_first."""
        self._check(graph, tensors)
        x = graph.to_channels_last(tensors[0], self.data_format)
        y = self.lower_channels_last(graph, x)
        if len(graph.shape(y)) == self.axes + 2:  # else there is nothing to move
            y = graph.from_channels_last(y, self.data_format)
        return y

    def lower_channels_last(self, graph: GraphBuilder, x: int) -> int:
        """Records the layer's ops on x, whose channels are last."""
        raise NotImplementedError(f"{self.label} has no `lower_channels_last`")

    def _check(self, graph: GraphBuilder, tensors: tuple[int, ...]) -> None:
        if len(tensors) != 1:
            raise ValueError(f"{self.label}: expected 1 input, got {len(tensors)}")
        shape = graph.shape(tensors[0])
        if len(shape) != self.axes + 2:
            last = self.data_format == "channels_last"
            names = _AXES[self.axes]
            names = f"{names}, channels" if last else f"channels, {names}"
            raise ValueError(
                f"{self.label}: expected {self.axes + 2}-D input (batch, {names}), "
                f"got {shape}"
            )
