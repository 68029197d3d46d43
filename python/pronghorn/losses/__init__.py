# SPDX-License-Identifier: Apache-2.0
"""Losses with Keras's names and numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pronghorn import registry
from pronghorn.losses.loss import Loss
from pronghorn.losses.probabilistic import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from pronghorn.losses.regression import (
    MeanAbsoluteError,
    MeanSquaredError,
    mean_absolute_error,
    mean_squared_error,
)

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "binary_crossentropy",
    "categorical_crossentropy",
    "deserialize",
    "get",
    "mean_absolute_error",
    "mean_squared_error",
    "serialize",
    "sparse_categorical_crossentropy",
]

LossLike = str | dict[str, Any] | Loss | Callable[..., Any]

_CLASSES: dict[str, type[Loss]] = registry.table(
    [
        BinaryCrossentropy,
        CategoricalCrossentropy,
        MeanAbsoluteError,
        MeanSquaredError,
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
_FUNCTIONS: dict[Callable[..., Any], type[Loss]] = {
    binary_crossentropy: BinaryCrossentropy,
    categorical_crossentropy: CategoricalCrossentropy,
    mean_absolute_error: MeanAbsoluteError,
    mean_squared_error: MeanSquaredError,
    sparse_categorical_crossentropy: SparseCategoricalCrossentropy,
}


def get(identifier: LossLike) -> Loss:
    """A loss from a name, a configuration, an object or one of this module's functions.

    Example:
        >>> get("mse").name
        'mean_squared_error'
    """
    if callable(identifier) and identifier in _FUNCTIONS:
        return _FUNCTIONS[identifier]()
    return registry.make("loss", identifier, _CLASSES)


def serialize(loss: Loss) -> dict[str, Any]:
    """The configuration of a loss, in Keras's form."""
    return registry.serialize(loss, "keras.losses")


def deserialize(config: dict[str, Any]) -> Loss:
    """A loss from its configuration."""
    return get(config)
