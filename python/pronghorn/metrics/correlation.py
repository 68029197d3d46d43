# SPDX-License-Identifier: Apache-2.0
"""Correlations of truth and predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pronghorn import ops
from pronghorn.metrics.reductions import MeanMetricWrapper, same_shape

Axis = int | Sequence[int] | None

_EPSILON = 1e-7  # Keras's


def pearson_correlation(y_true: Any, y_pred: Any, axis: Axis = -1) -> Any:
    """Pearson's coefficient along axes: how linear the relation is, from -1 to 1.

    It is NaN where the truth or the predictions are constant, as in Keras.

    Args:
        y_true: The truth.
        y_pred: The predictions, in the same shape.
        axis: The axes that are reduced.

    Example:
        >>> pearson_correlation([[0, 1, 0.5]], [[0.1, 0.9, 0.5]]).round(4)
        array([1.], dtype=float32)
    """
    y_true, y_pred = same_shape("pearson_correlation", y_true, y_pred)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = (_centred(y, axis) / ops.std(y, axis, True) for y in (y_true, y_pred))
        return ops.mean(ops.multiply(*scaled), axis)


def concordance_correlation(y_true: Any, y_pred: Any, axis: Axis = -1) -> Any:
    """Lin's coefficient along axes: 1 only where predictions equal the truth.

    Args:
        y_true: The truth.
        y_pred: The predictions, in the same shape.
        axis: The axes that are reduced.

    Example:
        >>> concordance_correlation([[0, 1, 0.5]], [[0.1, 0.9, 0.5]]).round(4)
        array([0.9756], dtype=float32)
    """
    y_true, y_pred = same_shape("concordance_correlation", y_true, y_pred)
    covariance = ops.mean(_centred(y_true, axis) * _centred(y_pred, axis), axis)
    distance = ops.square(ops.mean(y_true, axis) - ops.mean(y_pred, axis))
    norm = ops.var(y_true, axis) + ops.var(y_pred, axis) + distance
    return 2 * covariance / (norm + _EPSILON)


def _centred(y: Any, axis: Axis) -> Any:
    return y - ops.mean(y, axis, True)


class _Correlation(MeanMetricWrapper):
    """Base class: along the batch they are of one batch, and outside of the core."""

    direction = "up"

    def __init__(self, fn: Any, name: str, dtype: str | None, axis: Axis) -> None:
        super().__init__(fn, name, dtype, axis=axis)
        self.axis = axis
        axes: Sequence[int | None] = axis if isinstance(axis, Sequence) else [axis]
        self.on_host = any(one is None or one == 0 or one < -1 for one in axes)


class PearsonCorrelation(_Correlation):
    """Mean of Pearson's coefficients, of each sample along its last axis by default.

    A number says how linear the relation of truth and predictions is, from -1 to 1. It
    is NaN where one of them is constant, so also for a single output: there `axis=0`
    correlates over the samples of a batch.

    Args:
        name: Name.
        dtype: None or "float32".
        axis: The axes that coefficients are computed along. With 0 or None among them
            `fit` and `evaluate` average coefficients of batches, which depend on the
            batch size, and the metric takes no weights of samples.

    Input shape:
        `(batch, ...)` both

    Output shape:
        A number.

    Example:
        >>> metric = PearsonCorrelation()
        >>> truth = [[0, 1, 0.5], [1, 1, 0.2]]
        >>> prediction = [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]
        >>> float(metric(truth, prediction)).__round__(4)
        0.9967
    """

    def __init__(
        self,
        name: str = "pearson_correlation",
        dtype: str | None = None,
        axis: Axis = -1,
    ) -> None:
        super().__init__(pearson_correlation, name, dtype, axis)


class ConcordanceCorrelation(_Correlation):
    """Mean of Lin's coefficients, of each sample along its last axis by default.

    A number says how well predictions agree with the truth, from -1 to 1: unlike
    Pearson's it is 1 only where they are equal.

    Args:
        name: Name.
        dtype: None or "float32".
        axis: The axes that coefficients are computed along. With 0 or None among them
            `fit` and `evaluate` average coefficients of batches, which depend on the
            batch size, and the metric takes no weights of samples.

    Input shape:
        `(batch, ...)` both

    Output shape:
        A number.

    Example:
        >>> metric = ConcordanceCorrelation()
        >>> truth = [[0, 1, 0.5], [1, 1, 0.2]]
        >>> prediction = [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]
        >>> float(metric(truth, prediction)).__round__(4)
        0.9816
    """

    def __init__(
        self,
        name: str = "concordance_correlation",
        dtype: str | None = None,
        axis: Axis = -1,
    ) -> None:
        super().__init__(concordance_correlation, name, dtype, axis)
