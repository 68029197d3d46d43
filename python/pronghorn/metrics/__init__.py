# SPDX-License-Identifier: Apache-2.0
"""Metrics with Keras's names and numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pronghorn import losses, registry
from pronghorn.metrics.accuracy import (
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
)
from pronghorn.metrics.loss_metrics import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)
from pronghorn.metrics.metric import LossMetric, Metric

__all__ = [
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Metric",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "binary_accuracy",
    "categorical_accuracy",
    "get",
    "sparse_categorical_accuracy",
]

MetricLike = str | dict[str, Any] | Metric | losses.Loss | Callable[..., Any]

_CLASSES: dict[str, type[Metric]] = registry.table(
    [
        BinaryAccuracy,
        BinaryCrossentropy,
        CategoricalAccuracy,
        CategoricalCrossentropy,
        MeanAbsoluteError,
        MeanSquaredError,
        SparseCategoricalAccuracy,
        SparseCategoricalCrossentropy,
    ],
    {
        "bce": BinaryCrossentropy,
        "BCE": BinaryCrossentropy,
        "mae": MeanAbsoluteError,
        "MAE": MeanAbsoluteError,
        "mse": MeanSquaredError,
        "MSE": MeanSquaredError,
    },
)
_FUNCTIONS: dict[Callable[..., Any], Callable[[], Metric]] = {
    binary_accuracy: BinaryAccuracy,
    categorical_accuracy: CategoricalAccuracy,
    sparse_categorical_accuracy: SparseCategoricalAccuracy,
    losses.binary_crossentropy: BinaryCrossentropy,
    losses.categorical_crossentropy: CategoricalCrossentropy,
    losses.mean_absolute_error: MeanAbsoluteError,
    losses.mean_squared_error: MeanSquaredError,
    losses.sparse_categorical_crossentropy: SparseCategoricalCrossentropy,
}


def get(identifier: MetricLike) -> Metric:
    """A metric from a name, a configuration, an object, a loss or a function.

    As in Keras a metric given by a string has that string as its name.

    Example:
        >>> get("mse").name
        'mse'
    """
    if isinstance(identifier, losses.Loss):
        return LossMetric(identifier, identifier.name)
    if callable(identifier) and identifier in _FUNCTIONS:
        return _FUNCTIONS[identifier]()
    metric = registry.make("metric", identifier, _CLASSES)
    if isinstance(identifier, str):
        metric.name = identifier
    return metric
