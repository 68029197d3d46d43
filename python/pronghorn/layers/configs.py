# SPDX-License-Identifier: Apache-2.0
"""Arguments of layers as configurations hold them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pronghorn import activations, constraints, initializers, regularizers


def plain(value: Any) -> Any:
    """An argument as a string, number or dict."""
    if isinstance(value, initializers.Initializer):
        return initializers.serialize(value)
    if isinstance(value, regularizers.Regularizer):
        return regularizers.serialize(value)
    if isinstance(value, constraints.Constraint):
        return constraints.serialize(value)
    if isinstance(value, Callable):  # type: ignore[arg-type]
        return activations.serialize(value)
    return value
