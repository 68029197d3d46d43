# SPDX-License-Identifier: Apache-2.0
"""Hinge losses: scores must win by a margin."""

from __future__ import annotations

from typing import Any

from pronghorn.losses.loss import Array, Loss, PlainLoss


class Hinge(PlainLoss):
    """Mean of `max(1 - y_true * y_pred, 0)`, for truths of -1 and 1.

    As in Keras the truth may be 0 and 1 instead, where a batch holds nothing else.

    Args:
        reduction: See `Loss`.
        name: Name, "hinge" by default.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., outputs)` both

    Output shape:
        A number, with the default reduction.

    Example:
        >>> float(Hinge()([[-1.0, 1.0]], [[0.5, 0.5]]))
        1.0

    Reference:
        Cortes and Vapnik, Support-vector networks, 1995.
    """

    op = "pointwise_loss"
    kind = "hinge"


class SquaredHinge(PlainLoss):
    """Mean of `max(1 - y_true * y_pred, 0) ** 2`; truths as of `Hinge`.

    Args:
        reduction: See `Loss`.
        name: Name, "squared_hinge" by default.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., outputs)` both

    Output shape:
        A number, with the default reduction.

    Example:
        >>> float(SquaredHinge()([[-1.0, 1.0]], [[0.5, 0.5]]))
        1.25
    """

    op = "pointwise_loss"
    kind = "squared_hinge"


class CategoricalHinge(PlainLoss):
    """`max(neg - pos + 1, 0)`: the true score against the best of the others.

    `pos = sum(y_true * y_pred)`, `neg = max((1 - y_true) * y_pred)`; one-hot truths.

    Args:
        reduction: See `Loss`.
        name: Name, "categorical_hinge" by default.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., classes)` both

    Output shape:
        A number, with the default reduction.

    Example:
        >>> float(CategoricalHinge()([[0, 1, 0]], [[0.5, 1.0, 0.75]]))
        0.75

    Reference:
        Crammer and Singer, On the algorithmic implementation of multiclass kernel-based
        vector machines, 2001.
    """

    op = "row_loss"
    kind = "categorical_hinge"


class MulticlassHinge(Loss):
    """Multi-class SVM: every wrong score must stay below the true one by a margin.

    `sum over j != y of max(0, s[j] - s[y] + margin)` for scores s and class number y.
    Keras has no such loss.

    Args:
        margin: The margin.
        reduction: See `Loss`.
        name: Name.
        dtype: None or "float32".

    Input shape:
        `y_true` `(batch, ...)` or `(batch, ..., 1)`, `y_pred` `(batch, ..., classes)`

    Output shape:
        A number, with the default reduction.

    Example:
        >>> round(float(MulticlassHinge()([0], [[3.2, 5.1, -1.7]])), 4)
        2.9

    Reference:
        Weston and Watkins, Support vector machines for multi-class pattern recognition,
        ESANN 1999.
    """

    op = "row_loss"
    kind = "multiclass_hinge"
    target = "labels"

    def __init__(
        self,
        margin: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str = "multiclass_hinge",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.margin = float(margin)

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return super().attributes() | {"margin": self.margin}


def hinge(y_true: Any, y_pred: Any) -> Array:
    """Values of the samples of `Hinge`."""
    return Hinge().call(y_true, y_pred)


def squared_hinge(y_true: Any, y_pred: Any) -> Array:
    """Values of the samples of `SquaredHinge`."""
    return SquaredHinge().call(y_true, y_pred)


def categorical_hinge(y_true: Any, y_pred: Any) -> Array:
    """Values of the samples of `CategoricalHinge`."""
    return CategoricalHinge().call(y_true, y_pred)


def multiclass_hinge(y_true: Any, y_pred: Any, margin: float = 1.0) -> Array:
    """Values of the samples of `MulticlassHinge`."""
    return MulticlassHinge(margin).call(y_true, y_pred)
