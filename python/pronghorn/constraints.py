# SPDX-License-Identifier: Apache-2.0
"""Constraints: what weights must fulfil after every update."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronghorn import registry

Axes = int | Sequence[int]
Array = NDArray[np.float32]

_EPSILON = 1e-7


class Constraint:
    """Base class of constraints."""

    def __call__(self, w: Any) -> Array:
        """An array as the constraint makes it."""
        raise NotImplementedError(f"{type(self).__name__} has no `__call__`")

    def rules(self) -> dict[str, Any]:
        """The core's name and arguments of the constraint."""
        raise NotImplementedError(f"{type(self).__name__} has no `rules`")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal constraint."""
        return registry.get_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constraint:
        """A constraint from the dict of `get_config`."""
        return registry.from_config(cls, config)


class NonNeg(Constraint):
    """Weights of at least 0.

    Example:
        >>> NonNeg()([-1.0, 2.0])
        array([0., 2.], dtype=float32)
    """

    def __call__(self, w: Any) -> Array:
        """An array as the constraint makes it."""
        return np.maximum(np.asarray(w, np.float32), np.float32(0))

    def rules(self) -> dict[str, Any]:
        """The core's name and arguments of the constraint."""
        return {"constraint": "non_negative"}


class _Norm(Constraint):
    """Base class: norms along axes go to an interval, by a share `rate` of the way."""

    axis: Axes

    def interval(self) -> tuple[float, float, float]:
        """Smallest and largest norm, and the rate."""
        raise NotImplementedError

    def __call__(self, w: Any) -> Array:
        """An array as the constraint makes it."""
        array = np.asarray(w, np.float32)
        least, most, rate = self.interval()
        axes = self.axis if isinstance(self.axis, int) else tuple(self.axis)
        norms = np.sqrt(np.square(array).sum(axis=axes, keepdims=True))
        wanted = rate * norms.clip(least, most) + (1 - rate) * norms
        return np.asarray(array * (wanted / (_EPSILON + norms)), np.float32)

    def rules(self) -> dict[str, Any]:
        """The core's name and arguments of the constraint."""
        least, most, rate = self.interval()
        axes = [self.axis] if isinstance(self.axis, int) else list(self.axis)
        return {
            "constraint": "norm",
            "axes": axes,
            "least": float(least),
            "most": float(most),
            "rate": float(rate),
        }


class MaxNorm(_Norm):
    """Norms of at most `max_value`.

    Args:
        max_value: The largest norm.
        axis: Axes that norms sum over: 0 for the columns of a dense kernel, [0, 1, 2]
            for the filters of a 2-D convolution.

    Example:
        >>> MaxNorm(1.0)([[3.0], [4.0]]).round(4).tolist()
        [[0.6000000238418579], [0.800000011920929]]

    Reference:
        Srivastava et al., Dropout: a simple way to prevent neural networks from
        overfitting, 2014.
    """

    def __init__(self, max_value: float = 2, axis: Axes = 0) -> None:
        self.max_value = max_value
        self.axis = axis

    def interval(self) -> tuple[float, float, float]:
        """Smallest and largest norm, and the rate."""
        return 0.0, self.max_value, 1.0


class UnitNorm(_Norm):
    """Norms of 1.

    Args:
        axis: Axes that norms sum over; see `MaxNorm`.

    Example:
        >>> UnitNorm()([[3.0], [4.0]]).round(4).tolist()
        [[0.6000000238418579], [0.800000011920929]]
    """

    def __init__(self, axis: Axes = 0) -> None:
        self.axis = axis

    def interval(self) -> tuple[float, float, float]:
        """Smallest and largest norm, and the rate."""
        return 1.0, 1.0, 1.0


class MinMaxNorm(_Norm):
    """Norms between two bounds.

    Args:
        min_value: The smallest norm.
        max_value: The largest norm.
        rate: Share of the way to the bound that an update goes.
        axis: Axes that norms sum over; see `MaxNorm`.

    Example:
        >>> MinMaxNorm(2.0, 10.0)([[0.6], [0.8]]).round(4).tolist()
        [[1.2000000476837158], [1.600000023841858]]
    """

    def __init__(
        self,
        min_value: float = 0.0,
        max_value: float = 1.0,
        rate: float = 1.0,
        axis: Axes = 0,
    ) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def interval(self) -> tuple[float, float, float]:
        """Smallest and largest norm, and the rate."""
        return self.min_value, self.max_value, self.rate


ConstraintLike = str | dict[str, Any] | Constraint | None

_CLASSES: dict[str, type[Constraint]] = registry.table(
    [MaxNorm, MinMaxNorm, NonNeg, UnitNorm]
)
max_norm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
unit_norm = UnitNorm


def get(identifier: ConstraintLike) -> Constraint | None:
    """A constraint from a name, a configuration or an object; None stays None.

    Example:
        >>> get("max_norm").max_value
        2
    """
    if identifier is None or isinstance(identifier, Constraint):
        return identifier
    return registry.make("constraint", identifier, _CLASSES)


def serialize(constraint: Constraint) -> dict[str, Any]:
    """The configuration of a constraint, in Keras's form."""
    return registry.serialize(constraint, "keras.constraints")


def deserialize(config: dict[str, Any]) -> Constraint | None:
    """A constraint from its configuration."""
    return get(config)
