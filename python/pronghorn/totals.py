# SPDX-License-Identifier: Apache-2.0
"""Losses that a layer adds itself, and numbers over the whole batch for them.

A graph computes its images each for itself, so `ops.mean(x)` over all axes is no tensor
of it. But as a loss it is the mean of what the images have: a `Total` keeps that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pronghorn import calls, tracing
from pronghorn.tracing import Tensor

if TYPE_CHECKING:
    from pronghorn.layers.lowering import GraphBuilder


class Total:
    """A number over the whole batch: the mean of a tensor (batch,).

    It can be scaled, added to others and to numbers, and given to `add_loss`.
    """

    __array_priority__ = 100.0  # so that NumPy leaves `array * total` to the total

    def __init__(self, per_image: Tensor) -> None:
        self.per_image = per_image

    def __repr__(self) -> str:
        return (
            "<a sum or mean over the whole batch: it can be scaled, added up and given "
            "to add_loss, all else needs an axis from 1 on>"
        )

    def __add__(self, other: Any) -> Total:
        return Total(self.per_image + self._term(other))

    def __radd__(self, other: Any) -> Total:
        return self.__add__(other)

    def __sub__(self, other: Any) -> Total:
        return Total(self.per_image - self._term(other))

    def __rsub__(self, other: Any) -> Total:
        return self.__neg__().__add__(other)

    def __mul__(self, factor: Any) -> Total:
        return Total(self.per_image * self._factor(factor))

    def __rmul__(self, factor: Any) -> Total:
        return self.__mul__(factor)

    def __truediv__(self, factor: Any) -> Total:
        return Total(self.per_image / self._factor(factor))

    def __neg__(self) -> Total:
        return Total(-self.per_image)

    def _term(self, other: Any) -> Any:
        return other.per_image if isinstance(other, Total) else self._factor(other)

    def _factor(self, value: Any) -> Any:
        if np.ndim(value) == 0 and not isinstance(value, Total | Tensor):
            return value
        if isinstance(value, Tensor) and value.parameter and not value.ndim:
            return value
        raise TypeError(f"expected a number beside {self!r}, got {value!r}")


def total(kind: str, x: Tensor) -> Total:
    """The mean or sum of all of a tensor with a batch."""
    if x.ndim > 1:
        axes = list(range(1, x.ndim))
        x = tracing.add(x.graph, "reduce", [x], kind=kind, axes=axes)
    return Total(x * float(x.shape[0]) if kind == "sum" else x)


class Penalties:
    """What a layer adds to the loss: its weights' penalties, and `add_loss`."""

    trainable_weights: Any
    label: Any

    @property
    def losses(self) -> list[np.float32]:
        """The penalties of the weights that train, as they are now."""
        return [
            weight.regularizer(weight.value)
            for weight in self.trainable_weights
            if weight.regularizer is not None
        ]

    def add_loss(self, loss: Any) -> None:
        """Adds terms to the loss that the model is trained for; for use in `call`.

        As in Keras a tensor counts as the sum of its elements, over the batch too.

        Args:
            loss: A tensor, or a list of them: such as `ops.mean(x)` over all axes, or a
                function of weights alone.

        Example:
            >>> from pronghorn import Sequential, ops
            >>> from pronghorn.layers import Layer
            >>> class Quiet(Layer):
            ...     def call(self, x):
            ...         self.add_loss(0.1 * ops.mean(ops.square(x)))
            ...         return x
            >>> model = Sequential([Quiet()])
            >>> model.compile(loss="mse")
            >>> round(model.evaluate([[2.0], [4.0]], [[2.0], [4.0]], verbose=0), 4)
            1.0
        """
        for one in calls.leaves(loss):
            graph = tracing.graph_of([one.per_image if isinstance(one, Total) else one])
            if graph is None:
                raise ValueError(
                    f"{self.label}: expected `add_loss` inside of `call`, with tensors "
                    f"computed there, got {one!r}"
                )
            graph.add_penalty(_penalty(graph, one))


def _penalty(graph: GraphBuilder, loss: Any) -> int:
    """One number per image, whose mean is the loss, or a number of the weights."""
    if isinstance(loss, Total):
        return loss.per_image.number
    tensor = tracing.as_tensor(graph, loss)
    if not tensor.parameter:
        return total("sum", tensor).per_image.number
    if tensor.ndim:
        axes = list(range(tensor.ndim))
        tensor = tracing.add(graph, "reduce", [tensor], kind="sum", axes=axes)
    return tensor.number
