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
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return np.asarray(x / 2 * (1 + np.tanh(inner)))


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


PLAIN: dict[str, Callable[[Array], Array]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "cos": np.cos,
    "erf": _erf,
    "exp": np.exp,
    "expm1": np.expm1,
    "floor": np.floor,
    "gelu": lambda x: x / 2 * (1 + _erf(x / math.sqrt(2))),
    "gelu_tanh": gelu_tanh,
    "hard_sigmoid": lambda x: relu6(x + 3) / 6,
    "hard_silu": lambda x: x * relu6(x + 3) / 6,
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "is_finite": lambda x: np.isfinite(x).astype(x.dtype),
    "is_inf": lambda x: np.isinf(x).astype(x.dtype),
    "is_nan": lambda x: np.isnan(x).astype(x.dtype),
    "log": np.log,
    "log1p": np.log1p,
    "log_sigmoid": lambda x: -softplus(-x),
    "logical_not": lambda x: np.logical_not(x).astype(x.dtype),
    "mish": lambda x: x * np.tanh(softplus(x)),
    "negative": lambda x: -x,
    "reciprocal": lambda x: 1 / x,
    "relu6": relu6,
    "round": np.round,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "selu": lambda x: SELU[1] * elu(x, SELU[0]),
    "sigmoid": sigmoid,
    "sign": np.sign,
    "silu": lambda x: x * sigmoid(x),
    "sin": np.sin,
    "softplus": softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": lambda x: np.clip(x + 1, 0, 2) / 2,
    "sqrt": np.sqrt,
    "square": lambda x: x * x,
    "tan": np.tan,
    "tanh": np.tanh,
    "tanh_shrink": tanh_shrink,
}
WITH_ALPHA: dict[str, Callable[[Array, float], Array]] = {
    "celu": lambda x, a: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0) / a)),
    "elu": elu,
    "hard_shrink": lambda x, a: np.where(np.abs(x) > a, x, 0),
    "leaky_relu": lambda x, a: np.where(x >= 0, x, a * x),
    "soft_shrink": soft_shrink,
    "squareplus": lambda x, a: (x + np.sqrt(x * x + a)) / 2,
}
FUNCTIONS = sorted([*PLAIN, *WITH_ALPHA, "threshold"])


def unary(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """The function `kind`, with its numbers alpha and beta."""
    x, kind = inputs[0], attributes["kind"]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if kind == "threshold":
            y = np.where(x > attributes["alpha"], x, attributes["beta"])
        elif kind in WITH_ALPHA:
            y = WITH_ALPHA[kind](x, attributes.get("alpha", ALPHA[kind]))
        else:
            y = PLAIN[kind](x)
    return np.asarray(y, x.dtype)


def _unary_magnitude(inputs: Sequence[Array], attributes: Attributes) -> Array:
    # A saturating function is a constant and a small rest: the constant errs.
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
