# SPDX-License-Identifier: Apache-2.0
"""Functions that reduce axes: sums, means, largest values.

In a graph the batch is not an axis to reduce: its images are computed each for itself.
Sums and means over everything are for `add_loss`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pronghorn.ops import operation as base
from pronghorn.ops.elementwise import (
    absolute,
    add,
    divide,
    exp,
    log,
    maximum,
    multiply,
    ones_like,
    power,
    sqrt,
    square,
    stop_gradient,
    subtract,
)
from pronghorn.ops.operation import operation
from pronghorn.ops.shaping import reshape
from pronghorn.totals import total
from pronghorn.tracing import Tensor

_POSITIONS = ("argmax", "argmin")
_TOTALS = ("mean", "sum")  # that have a meaning over the whole batch


def reduce(kind: str, x: Any, axis: Any, keepdims: bool) -> Any:
    """The core's op of that kind, or NumPy's."""
    if base.traced(x):
        tensor = base.tensor(x)
        if axis is None and not tensor.parameter and kind in _TOTALS and not keepdims:
            return total(kind, tensor)
        axes = _axes(kind, tensor, axis)
        return base.add("reduce", tensor, kind=kind, axes=axes, keepdims=bool(keepdims))
    values = base.array(x, kind)
    if axis is not None:
        axis = tuple(axis) if isinstance(axis, list | tuple) else axis
    if kind in _POSITIONS:
        found = getattr(np, kind)(values, axis, keepdims=keepdims)
        return np.asarray(found, np.int32)
    return getattr(np, kind)(values, axis=axis, keepdims=keepdims)


def _axes(kind: str, tensor: Tensor, axis: Any) -> list[int]:
    """Axes counted from the front; None means all."""
    if axis is None and not tensor.parameter:
        raise ValueError(
            f"ops.{kind}: axis=None would include the batch, whose images are computed "
            f"each for itself; expected axes of shape {tensor.shape} from 1 on"
        )
    given = range(tensor.ndim) if axis is None else axis
    several = given if isinstance(given, list | tuple | range) else [given]
    axes = [base.axis_in(kind, one, tensor.ndim) for one in several]
    if len(set(axes)) != len(axes):
        raise ValueError(f"ops.{kind}: expected different axes, got {axis}")
    return sorted(base.not_batch(kind, tensor, one) for one in axes)


Reduction = Callable[..., Any]


def _reduction(name: str, text: str) -> Reduction:
    def function(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return reduce(name, x, axis, keepdims)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = text
    return operation(function)


all = _reduction("all", "Whether all elements along axes are nonzero.")
any = _reduction("any", "Whether an element along axes is nonzero.")
argmax = _reduction("argmax", "The position of the largest element along an axis.")
argmin = _reduction("argmin", "The position of the smallest element along an axis.")
max = _reduction("max", "The largest element along axes.")
mean = _reduction("mean", "The mean along axes.")
min = _reduction("min", "The smallest element along axes.")
prod = _reduction("prod", "The product along axes.")
sum = _reduction("sum", "The sum along axes.")
amax = max
amin = min


@operation
def var(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The variance along axes."""
    centred = subtract(x, mean(x, axis, True))
    return mean(square(centred), axis, keepdims)


@operation
def std(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The standard deviation along axes."""
    return sqrt(var(x, axis, keepdims))


@operation
def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """`log(sum(exp(x)))` along axes, without overflow."""
    largest = stop_gradient(max(x, axis, True))
    total = sum(exp(subtract(x, largest)), axis, True)
    result = add(log(total), largest)
    return result if keepdims else sum(result, axis, False)  # axes of size 1


@operation
def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    """The mean along axes, weighted.

    Args:
        x: A tensor.
        axis: Axes to reduce.
        weights: Weights in the shape of x, or a vector along the axis.
    """
    if weights is None:
        return mean(x, axis)
    if base.rank_of(weights) == 1 and isinstance(axis, int):
        behind = base.rank_of(x) - 1 - base.axis_in("average", axis, base.rank_of(x))
        weights = reshape(weights, (-1, *[1] * behind))
    weighted = multiply(ones_like(x), weights)
    return divide(sum(multiply(x, weighted), axis), sum(weighted, axis))


@operation
def norm(
    x: Any,
    ord: int | float | str | None = None,
    axis: Any = None,
    keepdims: bool = False,
) -> Any:
    """The norm of vectors along an axis.

    Args:
        x: A tensor.
        ord: 2 (or None) for the Euclidean norm, 1, inf, -inf, 0, or another exponent.
        axis: Axis along which the vectors lie.
        keepdims: Whether the axis stays, of size 1.
    """
    if ord in (None, 2, "fro"):
        return sqrt(sum(square(x), axis, keepdims))
    if isinstance(ord, str) or isinstance(axis, list | tuple):
        raise ValueError(f"ops.norm: expected a norm of vectors, got ord={ord!r}")
    sizes = absolute(x)
    if ord == float("inf"):
        return max(sizes, axis, keepdims)
    if ord == -float("inf"):
        return min(sizes, axis, keepdims)
    if ord == 1:
        return sum(sizes, axis, keepdims)
    return power(sum(power(sizes, ord), axis, keepdims), 1.0 / float(ord or 1))


@operation
def normalize(
    x: Any, axis: Any = -1, order: int = 2, epsilon: float | None = None
) -> Any:
    """`x` divided by its norm along an axis; the norm is at least `epsilon`."""
    least = 1e-7 if epsilon is None else epsilon
    return divide(x, maximum(norm(x, order, axis, True), least))
