# SPDX-License-Identifier: Apache-2.0
"""Losses of numbers: means of a function of the error over the last axis."""

from __future__ import annotations

from typing import Any

from pronghorn.losses.loss import Array, Loss


class MeanSquaredError(Loss):
    """Mean of `(y_true - y_pred) ** 2`.

    Args:
        reduction: See `Loss`.
        name: Name.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., outputs)` both

    Output shape:
        A number, with the default reduction.

    Example:
        >>> float(MeanSquaredError()([[0.0, 1.0]], [[2.0, 1.0]]))
        2.0
    """

    op = "mean_squared_error"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "mean_squared_error",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


class MeanAbsoluteError(Loss):
    """Mean of `abs(y_true - y_pred)`.

    Args:
        reduction: See `Loss`.
        name: Name.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., outputs)` both

    Output shape:
        A number, with the default reduction.

    Example:
        >>> float(MeanAbsoluteError()([[0.0, 1.0]], [[2.0, 1.0]]))
        1.0
    """

    op = "mean_absolute_error"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "mean_absolute_error",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


def mean_squared_error(y_true: Any, y_pred: Any) -> Array:
    """Values of the samples of `MeanSquaredError`."""
    return MeanSquaredError().call(y_true, y_pred)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Array:
    """Values of the samples of `MeanAbsoluteError`."""
    return MeanAbsoluteError().call(y_true, y_pred)
