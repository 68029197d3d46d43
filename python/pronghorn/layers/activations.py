# SPDX-License-Identifier: Apache-2.0
"""Activations that are layers because they have arguments."""

from __future__ import annotations

from typing import Any

from pronghorn import activations
from pronghorn.layers import arguments
from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder


class ReLU(Layer):
    """Rectified linear unit, `max(x, 0)` with the default arguments.

    `max_value` where x >= max_value, x where threshold <= x < max_value, and
    `negative_slope * (x - threshold)` elsewhere.

    Args:
        max_value: Largest value of the result; None means no limit.
        negative_slope: Slope below the threshold.
        threshold: Value below which x is damped or set to zero.

    Input shape:
        Any.

    Output shape:
        The input's.

    Example:
        >>> ReLU(max_value=6.0, negative_slope=0.5)([[-1.0, 2.0, 9.0]])
        array([[-0.5,  2. ,  6. ]], dtype=float32)

    Reference:
        Nair and Hinton, Rectified linear units improve restricted Boltzmann machines,
        ICML 2010.
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = (
            None
            if max_value is None
            else arguments.number(self.label, "max_value", max_value)
        )
        self.negative_slope = arguments.number(
            self.label, "negative_slope", negative_slope
        )
        self.threshold = arguments.number(self.label, "threshold", threshold)

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the function."""
        op, attributes = activations.relu_op(
            self.negative_slope, self.max_value, self.threshold
        )
        return graph.add(op, tensors, **attributes)


class Softmax(Layer):
    """Exponentials divided by their sum along an axis.

    Args:
        axis: Axis along which the result sums to 1.

    Input shape:
        Any.

    Output shape:
        The input's.

    Example:
        >>> Softmax()([[0.0, 0.0]])
        array([[0.5, 0.5]], dtype=float32)
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise ValueError(
                f"{self.label}: expected `axis` to be an integer, got {axis!r}"
            )
        self.axis = axis

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the function."""
        return graph.add("softmax", tensors, axis=self.axis)
