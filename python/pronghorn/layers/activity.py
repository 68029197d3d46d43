# SPDX-License-Identifier: Apache-2.0
"""ActivityRegularization."""

from __future__ import annotations

from typing import Any

from pronghorn import regularizers
from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder


class ActivityRegularization(Layer):
    """Passes its input on and adds a penalty of it to the loss.

    The penalty is `l1 * sum(abs(x)) + l2 * sum(x ** 2)`, divided by the batch size.

    Args:
        l1: Factor of the sum of magnitudes.
        l2: Factor of the sum of squares.
        **kwargs: See `Layer`.

    Input shape:
        Any.

    Output shape:
        The input's.

    Example:
        >>> ActivityRegularization(l2=0.1)([[1.0, 2.0]])
        array([[1., 2.]], dtype=float32)
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1, l2), **kwargs)
        self.l1 = l1
        self.l2 = l2

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:  # noqa: ARG002
        """Passes its input on; whoever lowers layers adds the penalty."""
        return tensors[0]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        config = super().get_config()
        del config["activity_regularizer"]
        return config
