# SPDX-License-Identifier: Apache-2.0
"""Losses of numbers: means of a function of the error over the last axis."""

from __future__ import annotations

from typing import Any

from pronghorn.losses.loss import Array, Loss, PlainLoss


class MeanSquaredError(PlainLoss):
    """Mean of `(y_true - y_pred) ** 2`.

    Args:
        reduction: See `Loss`.
        name: Name, "mean_squared_error" by default.
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


class MeanAbsoluteError(PlainLoss):
    """Mean of `abs(y_true - y_pred)`.

    Args:
        reduction: See `Loss`.
        name: Name, "mean_absolute_error" by default.
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


class MeanAbsolutePercentageError(PlainLoss):
    """Mean of `100 * abs((y_true - y_pred) / y_true)`, `abs(y_true)` at least 1e-7.

    Args:
        reduction: See `Loss`.
        name: Name, "mean_absolute_percentage_error" by default.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., outputs)` both

    Output shape:
        A number, with the default reduction.

    Example:
        >>> float(MeanAbsolutePercentageError()([[2.0, 1.0]], [[3.0, 1.0]]))
        25.0
    """

    op = "pointwise_loss"
    kind = "mean_absolute_percentage_error"


class MeanSquaredLogarithmicError(PlainLoss):
    """Mean of `(log(y_true + 1) - log(y_pred + 1)) ** 2`, both at least 1e-7.

    Args:
        reduction: See `Loss`.
        name: Name, "mean_squared_logarithmic_error" by default.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., outputs)` both

    Output shape:
        A number, with the default reduction.

    Example:
        >>> loss = MeanSquaredLogarithmicError()
        >>> float(loss([[0.0, 1.0]], [[1.0, 1.0]])).__round__(4)
        0.2402
    """

    op = "pointwise_loss"
    kind = "mean_squared_logarithmic_error"


class Huber(Loss):
    """Mean of half the squared error up to `delta`, and of a straight line from there.

    Args:
        delta: Where the parabola becomes a line.
        reduction: See `Loss`.
        name: Name.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., outputs)` both

    Output shape:
        A number, with the default reduction.

    Example:
        >>> float(Huber()([[0.0, 1.0]], [[3.0, 2.0]]))
        1.5

    Reference:
        Huber, Robust estimation of a location parameter, 1964.
    """

    op = "pointwise_loss"
    kind = "huber"

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str = "huber_loss",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.delta = float(delta)

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return super().attributes() | {"delta": self.delta}


class LogCosh(PlainLoss):
    """Mean of `log(cosh(y_pred - y_true))`, computed without overflow.

    Args:
        reduction: See `Loss`.
        name: Name, "log_cosh" by default.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., outputs)` both

    Output shape:
        A number, with the default reduction.

    Example:
        >>> float(LogCosh()([[0.0, 1.0]], [[1.0, 1.0]])).__round__(4)
        0.2169
    """

    op = "pointwise_loss"
    kind = "log_cosh"


class CosineSimilarity(Loss):
    """Minus the cosine of the angle between truth and prediction, from -1 to 1.

    Args:
        axis: The axis that holds the vectors.
        reduction: See `Loss`.
        name: Name.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., size)` both

    Output shape:
        A number, with the default reduction.

    Example:
        >>> float(CosineSimilarity()([[0.0, 1.0]], [[0.0, 3.0]]))
        -1.0
    """

    op = "row_loss"
    kind = "cosine_similarity"

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "cosine_similarity",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.axis = axis


def mean_squared_error(y_true: Any, y_pred: Any) -> Array:
    """Values of the samples of `MeanSquaredError`."""
    return MeanSquaredError().call(y_true, y_pred)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Array:
    """Values of the samples of `MeanAbsoluteError`."""
    return MeanAbsoluteError().call(y_true, y_pred)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Array:
    """Values of the samples of `MeanAbsolutePercentageError`."""
    return MeanAbsolutePercentageError().call(y_true, y_pred)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Array:
    """Values of the samples of `MeanSquaredLogarithmicError`."""
    return MeanSquaredLogarithmicError().call(y_true, y_pred)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Array:
    """Values of the samples of `Huber`."""
    return Huber(delta).call(y_true, y_pred)


def log_cosh(y_true: Any, y_pred: Any) -> Array:
    """Values of the samples of `LogCosh`."""
    return LogCosh().call(y_true, y_pred)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Array:
    """Values of the samples of `CosineSimilarity`."""
    return CosineSimilarity(axis).call(y_true, y_pred)
