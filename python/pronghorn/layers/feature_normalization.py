# SPDX-License-Identifier: Apache-2.0
"""Normalization: by means and deviations that are known beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronghorn.layers import arguments, axes
from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.symbolic import Shape
from pronghorn.variable import Variable

Array = NDArray[Any]

_LEAST_DEVIATION = 1e-7  # Keras's backend.epsilon()


class Normalization(Layer):
    """`(x - mean) / sqrt(variance)` with the mean and variance of a dataset.

    They are given, or computed by `adapt`.

    Args:
        axis: The axes (an integer or several) that have means of their own; None for
            one mean of everything.
        mean: The mean, one number or one for each place along `axis`.
        variance: The variance; given with `mean` or not at all.
        invert: Whether to undo the normalisation instead: `x * sqrt(variance) + mean`.

    Input shape:
        Any.

    Output shape:
        The input's.

    Example:
        >>> layer = Normalization()
        >>> layer.adapt(np.array([[1.0, 0.0], [3.0, 20.0]]))
        >>> layer([[3.0, 10.0]])
        array([[1., 0.]], dtype=float32)
        >>> Normalization(mean=5.0, variance=4.0)([[1.0, 5.0]])
        array([[-2.,  0.]], dtype=float32)
    """

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        none = axis is None or (isinstance(axis, list | tuple) and not axis)
        found = [] if none else axes.given(self.label, axis)
        self.axis = tuple([found] if isinstance(found, int) else found)
        if (mean is None) != (variance is None):
            raise ValueError(
                f"{self.label}: expected both `mean` and `variance` or neither, got "
                f"mean={mean} and variance={variance}"
            )
        self.invert = bool(invert)
        self._given: tuple[Array, Array] | None = None
        self._adapted: tuple[Variable, Variable] | None = None
        self._built_for: Shape = ()
        if mean is not None:
            self._given = self._checked(mean, variance)
            self.built = False

    def _checked(self, mean: Any, variance: Any) -> tuple[Array, Array]:
        first = arguments.array(self.label, "mean", mean)
        second = arguments.array(self.label, "variance", variance)
        if first.shape != second.shape or first.ndim > len(self.axis):
            raise ValueError(
                f"{self.label}: expected `mean` and `variance` to have the same shape, "
                f"of at most {len(self.axis)} axes, got {first.shape} and "
                f"{second.shape}"
            )
        return first, second

    def build(self, input_shape: Shape) -> None:
        """Makes mean, variance and count, unless they were given."""
        kept = self._kept(input_shape)
        shape = axes.sizes(self.label, kept, input_shape)
        self._built_for = tuple(input_shape)
        if self._given is None:
            mean, variance, _ = (
                self.add_weight(sizes, initial, trainable=False, name=name)
                for name, sizes, initial in (
                    ("mean", shape, "zeros"),
                    ("variance", shape, "ones"),
                    ("count", (), "zeros"),  # Keras's files have it
                )
            )
            self._adapted = mean, variance
        else:
            try:
                for value in self._given:
                    np.broadcast_to(value, shape)
            except ValueError:
                raise ValueError(
                    f"{self.label}: expected `mean` and `variance` to fit {shape}, the "
                    f"sizes along axis {self.axis} of {tuple(input_shape)}, got "
                    f"{self._given[0].shape}"
                ) from None
        self.built = True

    def _kept(self, shape: Shape) -> tuple[int, ...]:
        return axes.resolved(self.label, self.axis, shape) if self.axis else ()

    def adapt(self, data: Any) -> None:
        """Takes mean and variance from data; what was learned before is forgotten.

        Args:
            data: An array, or an iterable of arrays, each a batch.
        """
        if self._given is not None:
            raise ValueError(
                f"{self.label}: `mean` and `variance` were given, there is nothing to "
                "adapt"
            )
        batches: Iterable[Any] = [data] if isinstance(data, np.ndarray) else data
        count, mean, squares = 0, np.zeros(()), np.zeros(())
        for batch in batches:
            rows = self._checked_batch(batch)
            kept = self._kept(rows.shape)
            reduced = tuple(axis for axis in range(rows.ndim) if axis not in kept)
            own_mean = rows.mean(axis=reduced)
            own_squares = rows.var(axis=reduced) * (own := rows.size // own_mean.size)
            apart = own_mean - mean
            squares = squares + own_squares + apart**2 * (count * own / (count + own))
            mean = mean + apart * (own / (count + own))
            count += own
        if not count or self._adapted is None:
            raise ValueError(f"{self.label}: expected data to adapt to, got none")
        self._adapted[0].assign(mean)
        self._adapted[1].assign(squares / count)

    def _checked_batch(self, batch: Any) -> Array:
        """A batch in float64 that fits the layer, which is built if it was not."""
        if not isinstance(batch, np.ndarray) or batch.dtype.kind not in "biuf":
            raise TypeError(
                f"{self.label}: adapt expected an array of numbers or an iterable of "
                f"them, got {type(batch).__name__}"
            )
        if not batch.size:
            raise ValueError(f"{self.label}: expected data to adapt to, got none")
        self.ensure_built([(None, *batch.shape[1:])])
        expected = axes.sizes(self.label, self._kept(self._built_for), self._built_for)
        got = axes.sizes(self.label, self._kept(batch.shape), batch.shape)
        if batch.ndim != len(self._built_for) or got != expected:
            raise ValueError(
                f"{self.label}: expected data of shape {self._built_for}, as the layer "
                f"was built for, got {batch.shape}"
            )
        return batch.astype(np.float64)

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the difference and the quotient, or the way back."""
        x = tensors[0]
        shape = graph.shape(x)
        kept = self._kept(shape)
        sizes = [size if axis in kept else 1 for axis, size in enumerate(shape)][1:]
        if self._adapted is not None:
            mean, variance = (
                graph.add("reshape", [graph.parameter(weight)], shape=sizes)
                for weight in self._adapted
            )
        else:
            given = self._given or ()
            along = [shape[axis] for axis in kept]
            mean, variance = (
                graph.constant(np.broadcast_to(value, along).reshape(sizes))
                for value in given
            )
        root = graph.add("unary", [variance], kind="sqrt")
        least = graph.constant(np.full([1] * len(sizes), _LEAST_DEVIATION))
        deviation = graph.add("binary", [root, least], kind="maximum")
        if self.invert:
            stretched = graph.add("binary", [x, deviation], kind="multiply")
            return graph.add("binary", [stretched, mean], kind="add")
        centered = graph.add("binary", [x, mean], kind="subtract")
        return graph.add("binary", [centered, deviation], kind="divide")

    @property
    def mean(self) -> Array | None:
        """The mean in use; None before it is known."""
        return self._value(0)

    @property
    def variance(self) -> Array | None:
        """The variance in use; None before it is known."""
        return self._value(1)

    def _value(self, which: int) -> Array | None:
        if self._given is not None:
            return self._given[which]
        return None if self._adapted is None else self._adapted[which].numpy()

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer; what it adapted to is not in them."""
        mean, variance = self._given or (None, None)
        return {
            **super().get_config(),
            "axis": list(self.axis),
            "mean": None if mean is None else mean.tolist(),
            "variance": None if variance is None else variance.tolist(),
        }
