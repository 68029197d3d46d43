# SPDX-License-Identifier: Apache-2.0
"""Activation functions: what `activation=` accepts, and functions of NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pronghorn import eager, registry

if TYPE_CHECKING:
    from pronghorn.layers.lowering import GraphBuilder

Array = NDArray[np.float32]
Activation = Callable[..., Array]


def linear(x: Any) -> Array:
    """Returns `x` as it is."""
    return eager.as_float(x, "linear")


def relu(
    x: Any,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> Array:
    """Rectified linear unit, `max(x, 0)` with the default arguments.

    Args:
        x: Array-like.
        negative_slope: Slope below the threshold.
        max_value: Largest value of the result; None means no limit.
        threshold: Value below which `x` is damped or set to zero.

    Example:
        >>> relu([-1.0, 2.0])
        array([0., 2.], dtype=float32)

    Reference:
        Nair and Hinton, Rectified linear units improve restricted Boltzmann machines,
        ICML 2010.
    """
    op, attributes = relu_op(negative_slope, max_value, threshold)
    return _elementwise(op, x, **attributes)


def tanh(x: Any) -> Array:
    """Hyperbolic tangent.

    Example:
        >>> tanh([0.0, 100.0])
        array([0., 1.], dtype=float32)
    """
    return _elementwise("activation", x, kind="tanh")


def sigmoid(x: Any) -> Array:
    """Logistic function, `1 / (1 + exp(-x))`.

    Example:
        >>> sigmoid([0.0, 100.0])
        array([0.5, 1. ], dtype=float32)
    """
    return _elementwise("activation", x, kind="sigmoid")


def softmax(x: Any, axis: int = -1) -> Array:
    """Exponentials divided by their sum along an axis.

    Args:
        x: Array-like.
        axis: Axis along which the result sums to 1.

    Example:
        >>> softmax([1.0, 1.0])
        array([0.5, 0.5], dtype=float32)
    """
    last = np.moveaxis(eager.as_float(x, "softmax"), axis, -1)
    rows = np.ascontiguousarray(last).reshape(-1, last.shape[-1])
    result = eager.run_op("softmax", [rows], axis=-1)
    return np.moveaxis(result.reshape(last.shape), -1, axis)


def relu_op(
    negative_slope: float, max_value: float | None, threshold: float
) -> tuple[str, dict[str, Any]]:
    """The core's op and its attributes; the plain one can be fused with others."""
    if (negative_slope, max_value, threshold) == (0, None, 0):
        return "activation", {"kind": "relu"}
    return "relu", {
        "negative_slope": float(negative_slope),
        "max_value": float("inf") if max_value is None else float(max_value),
        "threshold": float(threshold),
    }


def _elementwise(op: str, x: Any, **attributes: Any) -> Array:
    array = eager.as_float(x, op)
    if array.size == 0:
        return array
    return eager.run_op(op, [array.reshape(1, -1)], **attributes).reshape(array.shape)


_FUNCTIONS: dict[str, Activation] = {
    "linear": linear,
    "relu": relu,
    "sigmoid": sigmoid,
    "softmax": softmax,
    "tanh": tanh,
}


def get(identifier: str | Activation | None) -> Activation:
    """An activation function from its name; None is `linear`."""
    if identifier is None:
        return linear
    if callable(identifier) and identifier in _FUNCTIONS.values():
        return identifier
    return registry.find("activation", identifier, _FUNCTIONS)


def serialize(activation: Activation) -> str:
    """The name of an activation function."""
    return next(name for name, known in _FUNCTIONS.items() if known is activation)


def deserialize(name: str) -> Activation:
    """An activation function from its name."""
    return get(name)


def lower(graph: GraphBuilder, tensor: int, activation: Activation) -> int:
    """Adds an activation to a graph."""
    name = serialize(activation)
    if name == "linear":
        return tensor
    if name == "softmax":
        return graph.add("softmax", [tensor], axis=-1)
    return graph.add("activation", [tensor], kind=name)
