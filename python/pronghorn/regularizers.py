# SPDX-License-Identifier: Apache-2.0
"""Regularizers: terms of the loss that depend on weights, or on a layer's output.

L1 and L2 of weights cost next to nothing: the core adds their gradient where it updates
the weight.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pronghorn import registry

if TYPE_CHECKING:
    from pronghorn.layers.lowering import GraphBuilder


class Regularizer:
    """Base class of regularizers."""

    def __call__(self, x: Any) -> np.float32:
        """The penalty of an array."""
        raise NotImplementedError(f"{type(self).__name__} has no `__call__`")

    def rules(self) -> dict[str, float]:
        """What the core's update of a weight does by itself: "l1" and "l2"."""
        return {}

    def lower(self, graph: GraphBuilder, weight: int) -> int | None:  # noqa: ARG002
        """Records the penalty of a weight; None where `rules` says it all."""
        return None

    def lower_activity(self, graph: GraphBuilder, output: int) -> int:  # noqa: ARG002
        """Records the penalty of a layer's output: one value per image."""
        raise ValueError(
            f"activity_regularizer: {type(self).__name__} is for weights, expected L1, "
            "L2 or L1L2"
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal regularizer."""
        return registry.get_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        """A regularizer from the dict of `get_config`."""
        return registry.from_config(cls, config)


class L1L2(Regularizer):
    """`l1 * sum(abs(x)) + l2 * sum(x ** 2)`.

    Args:
        l1: Factor of the sum of magnitudes.
        l2: Factor of the sum of squares.

    Example:
        >>> float(L1L2(l1=1.0, l2=2.0)([1.0, -3.0]))
        24.0
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = _factor("l1", 0.0 if l1 is None else l1)
        self.l2 = _factor("l2", 0.0 if l2 is None else l2)

    def __call__(self, x: Any) -> np.float32:
        """The penalty of an array."""
        array = np.asarray(x, np.float64)
        penalty = self.l1 * np.abs(array).sum() + self.l2 * np.square(array).sum()
        result: np.float32 = np.float32(penalty)
        return result

    def rules(self) -> dict[str, float]:
        """What the core's update of a weight does by itself."""
        return {"l1": self.l1, "l2": self.l2}

    def lower_activity(self, graph: GraphBuilder, output: int) -> int:
        """Records the penalty of a layer's output: one value per image."""
        return graph.add("penalty", [output], **self.rules())


class L1(L1L2):
    """`l1 * sum(abs(x))`.

    Args:
        l1: The factor.

    Example:
        >>> float(L1(0.5)([1.0, -3.0]))
        2.0
    """

    def __init__(self, l1: float = 0.01) -> None:
        super().__init__(l1=l1)


class L2(L1L2):
    """`l2 * sum(x ** 2)`.

    Args:
        l2: The factor.

    Example:
        >>> float(L2(0.5)([1.0, -3.0]))
        5.0
    """

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__(l2=l2)


class OrthogonalRegularizer(Regularizer):
    """Mean magnitude of the cosines between the rows, or columns, of a matrix.

    Args:
        factor: Factor of the mean.
        mode: "rows" or "columns".

    Example:
        >>> regularizer = OrthogonalRegularizer(factor=1.0)
        >>> float(regularizer([[1.0, 0.0], [1.0, 1.0]])).__round__(4)
        0.7071
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        if mode not in ("rows", "columns"):
            raise ValueError(
                f"OrthogonalRegularizer: expected `mode` rows or columns, got {mode!r}"
            )
        self.factor = _factor("factor", factor)
        self.mode = mode

    def __call__(self, x: Any) -> np.float32:
        """The penalty of a matrix."""
        matrix = np.asarray(x, np.float64)
        if matrix.ndim != 2:
            raise ValueError(
                f"OrthogonalRegularizer: expected a matrix, got shape {matrix.shape}"
            )
        rows = matrix if self.mode == "rows" else matrix.T
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-7)
        cosines = np.abs(rows @ rows.T)[np.triu_indices(len(rows), 1)]
        result: np.float32 = np.float32(self.factor * cosines.mean())
        return result

    def lower(self, graph: GraphBuilder, weight: int) -> int | None:
        """Records the penalty of a weight."""
        columns = self.mode == "columns"
        return graph.add("orthogonality", [weight], factor=self.factor, columns=columns)


# Keras's other names of the classes.
l1, l2, l1_l2 = L1, L2, L1L2
orthogonal_regularizer = OrthogonalRegularizer

RegularizerLike = str | dict[str, Any] | Regularizer | None

_CLASSES: dict[str, type[Regularizer]] = registry.table(
    [L1, L2, L1L2, OrthogonalRegularizer], {"l1": L1, "l2": L2, "l1_l2": L1L2}
)


def get(identifier: RegularizerLike) -> Regularizer | None:
    """A regularizer from a name, a configuration or an object; None stays None.

    Example:
        >>> get("l2").l2
        0.01
    """
    if identifier is None or isinstance(identifier, Regularizer):
        return identifier
    return registry.make("regularizer", identifier, _CLASSES)


def serialize(regularizer: Regularizer) -> dict[str, Any]:
    """The configuration of a regularizer, in Keras's form."""
    return registry.serialize(regularizer, "keras.regularizers")


def deserialize(config: dict[str, Any]) -> Regularizer | None:
    """A regularizer from its configuration."""
    return get(config)


def _factor(name: str, value: Any) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    if not known or not math.isfinite(value) or value < 0:
        raise ValueError(
            f"Invalid value for argument {name}: expected a non-negative float. "
            f"Received: {name}={value}"
        )
    return float(value)
