# SPDX-License-Identifier: Apache-2.0
"""Optimizers with Keras's names and formulas."""

from __future__ import annotations

from typing import Any

from pronghorn import registry
from pronghorn.optimizers import schedules
from pronghorn.optimizers.adam import Adam, Adamax, AdamW, Nadam
from pronghorn.optimizers.adaptive import Adadelta, Adagrad, RMSprop
from pronghorn.optimizers.optimizer import Optimizer
from pronghorn.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]

OptimizerLike = str | dict[str, Any] | Optimizer

_CLASSES: dict[str, type[Optimizer]] = registry.table(
    [SGD, Adadelta, Adagrad, Adam, AdamW, Adamax, Nadam, RMSprop]
)


def get(identifier: OptimizerLike) -> Optimizer:
    """An optimizer from a name, a configuration or an object.

    Example:
        >>> float(get("adam").learning_rate)
        0.001
    """
    if isinstance(identifier, str):
        names = {name.lower(): cls for name, cls in _CLASSES.items()}
        return registry.make("optimizer", identifier.lower(), names)
    return registry.make("optimizer", identifier, _CLASSES)


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """The configuration of an optimizer, in Keras's form."""
    return registry.serialize(optimizer, "keras.optimizers")


def deserialize(config: dict[str, Any]) -> Optimizer:
    """An optimizer from its configuration."""
    return get(config)
