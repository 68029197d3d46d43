# SPDX-License-Identifier: Apache-2.0
"""Functions of one element, and activations along an axis, as Keras's formulas."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from pronghorn.testing.conformance import Reference
from pronghorn.testing.reference import Array, Attributes, sigmoid

ALPHA = {
    "celu": 1.0,
    "elu": 1.0,
    "hard_shrink": 0.5,
    "leaky_relu": 0.2,
    "soft_shrink": 0.5,
    "squareplus": 4.0,
}
SELU = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
_erf = np.vectorize(math.erf, otypes=[np.float64])


def softplus(x: Array) -> Array:
    """log(1 + exp(x)) without overflow."""
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def elu(x: Array, alpha: float) -> Array:
    """`x` above zero, `alpha * (exp(x) - 1)` below."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def relu6(x: Array) -> Array:
    """`x` between 0 and 6."""
    return np.minimum(np.maximum(x, 0), 6)


def gelu_tanh(x: Array) -> Array:
    """Gelu by a formula with tanh."""
    return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def soft_shrink(x: Array, threshold: float) -> Array:
    """`x` moved towards zero."""
    low = np.where(x < -threshold, x + threshold, 0)
    return np.where(x > threshold, x - threshold, low)


def sparse_plus(x: Array) -> Array:
    """0, a parabola from -1 to 1, `x`."""
    return np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4))


def tanh_shrink(x: Array) -> Array:
    """X - tanh(x), as a series where they are nearly equal."""
    series = x**3 * (1 / 3 - x**2 * (2 / 15 - x**2 * 17 / 315))
    return np.where(np.abs(x) < 1e-2, series, x - np.tanh(x))


Function = Callable[[Array, float, float], Array]
FUNCTIONS: dict[str, Function] = {
    "abs": lambda x, a, b: np.abs(x),
    "ceil": lambda x, a, b: np.ceil(x),
    "celu": lambda x, a, b: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0) / a)),
    "cos": lambda x, a, b: np.cos(x),
    "elu": lambda x, a, b: elu(x, a),
    "erf": lambda x, a, b: _erf(x),
    "exp": lambda x, a, b: np.exp(x),
    "expm1": lambda x, a, b: np.expm1(x),
    "floor": lambda x, a, b: np.floor(x),
    "gelu": lambda x, a, b: x / 2 * (1 + _erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x, a, b: gelu_tanh(x),
    "hard_shrink": lambda x, a, b: np.where(np.abs(x) > a, x, 0),
    "hard_sigmoid": lambda x, a, b: relu6(x + 3) / 6,
    "hard_silu": lambda x, a, b: x * relu6(x + 3) / 6,
    "hard_tanh": lambda x, a, b: np.clip(x, -1, 1),
    "is_finite": lambda x, a, b: np.isfinite(x).astype(x.dtype),
    "is_inf": lambda x, a, b: np.isinf(x).astype(x.dtype),
    "is_nan": lambda x, a, b: np.isnan(x).astype(x.dtype),
    "leaky_relu": lambda x, a, b: np.where(x >= 0, x, a * x),
    "log": lambda x, a, b: np.log(x),
    "log1p": lambda x, a, b: np.log1p(x),
    "log_sigmoid": lambda x, a, b: -softplus(-x),
    "logical_not": lambda x, a, b: np.logical_not(x).astype(x.dtype),
    "mish": lambda x, a, b: x * np.tanh(softplus(x)),
    "negative": lambda x, a, b: -x,
    "reciprocal": lambda x, a, b: 1 / x,
    "relu6": lambda x, a, b: relu6(x),
    "round": lambda x, a, b: np.round(x),
    "rsqrt": lambda x, a, b: 1 / np.sqrt(x),
    "selu": lambda x, a, b: SELU[1] * elu(x, SELU[0]),
    "sigmoid": lambda x, a, b: sigmoid(x),
    "sign": lambda x, a, b: np.sign(x),
    "silu": lambda x, a, b: x * sigmoid(x),
    "sin": lambda x, a, b: np.sin(x),
    "soft_shrink": lambda x, a, b: soft_shrink(x, a),
    "softplus": lambda x, a, b: softplus(x),
    "softsign": lambda x, a, b: x / (1 + np.abs(x)),
    "sparse_plus": lambda x, a, b: sparse_plus(x),
    "sparse_sigmoid": lambda x, a, b: np.clip(x + 1, 0, 2) / 2,
    "sqrt": lambda x, a, b: np.sqrt(x),
    "square": lambda x, a, b: x * x,
    "squareplus": lambda x, a, b: (x + np.sqrt(x * x + a)) / 2,
    "tan": lambda x, a, b: np.tan(x),
    "tanh": lambda x, a, b: np.tanh(x),
    "tanh_shrink": lambda x, a, b: tanh_shrink(x),
    "threshold": lambda x, a, b: np.where(x > a, x, b),
}


def unary(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """The function `kind`, with its numbers alpha and beta."""
    kind = attributes["kind"]
    alpha = attributes.get("alpha", ALPHA.get(kind, 0.0))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        y = FUNCTIONS[kind](inputs[0], alpha, attributes.get("beta", 0.0))
    return np.asarray(y, inputs[0].dtype)


def _unary_magnitude(inputs: Sequence[Array], attributes: Attributes) -> Array:
    # Saturating functions are a constant and a small rest: their error is the constant's.
    y = np.abs(unary(inputs, attributes))
    return np.asarray(y + np.minimum(np.abs(inputs[0]), 1))


def _log_softmax(inputs: Sequence[Array], attributes: Attributes) -> Array:
    axis = attributes.get("axis", -1)
    z = inputs[0] - inputs[0].max(axis=axis, keepdims=True)
    return np.asarray(z - np.log(np.exp(z).sum(axis=axis, keepdims=True)))


def _sparsemax(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """The definition, with a sort."""
    x = np.moveaxis(inputs[0], attributes.get("axis", -1), -1)
    largest_first = -np.sort(-x, axis=-1)
    counts = np.arange(1, x.shape[-1] + 1)
    tau = (largest_first.cumsum(axis=-1) - 1) / counts
    support = (largest_first > tau).sum(axis=-1, keepdims=True)
    y = np.maximum(x - np.take_along_axis(tau, support - 1, axis=-1), 0)
    return np.moveaxis(y, -1, attributes.get("axis", -1))


def _glu(inputs: Sequence[Array], attributes: Attributes) -> Array:
    a, b = np.split(inputs[0], 2, axis=attributes.get("axis", -1))
    return np.asarray(a * sigmoid(b))


def _row_magnitude(inputs: Sequence[Array], attributes: Attributes) -> Array:
    axis = attributes.get("axis", -1)
    return np.asarray(
        1 + np.abs(inputs[0]) + np.abs(inputs[0]).max(axis=axis, keepdims=True)
    )


def _row(inputs: Sequence[Array], attributes: Attributes) -> int:
    return int(inputs[0].shape[attributes.get("axis", -1)])


def _prelu(inputs: Sequence[Array], attributes: Attributes) -> Array:
    del attributes
    x, alpha = inputs
    return np.where(x > 0, x, alpha * x)


REFERENCES = {
    "glu": Reference(_glu),
    "log_softmax": Reference(_log_softmax, terms=_row, magnitude=_row_magnitude),
    "prelu": Reference(_prelu),
    "sparsemax": Reference(_sparsemax, terms=_row, magnitude=_row_magnitude),
    "unary": Reference(unary, magnitude=_unary_magnitude),
}
