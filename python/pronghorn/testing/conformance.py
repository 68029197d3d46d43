# SPDX-License-Identifier: Apache-2.0
"""What check_op must know of an op, and how far float32 may be from float64.

The bound is Higham's: a float32 sum of n terms errs by at most gamma_n times the sum of
the terms' absolute values, gamma_n = n u / (1 - n u), u = 2^-24, in any order. For many
terms the probabilistic form applies (Higham and Mary, 2019): 8 sqrt(n) u.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pronghorn.testing import reference as ref
from pronghorn.testing.reference import Array, Attributes, Forward

Slopes = Callable[[Sequence[Array], Attributes, Array], Array]

UNIT = 2.0**-24
SLACK = 8  # roundings beside the sum: a division, 2 ulp of exp or log, the cotangent
LAMBDA = 8.0  # the probabilistic bound then fails once in 10^13 values


def gamma(terms: Array | float) -> Array:
    """Relative error of a float32 sum of `terms` terms and SLACK roundings more."""
    n = np.asarray(terms, np.float64)
    effective = np.minimum(n, LAMBDA * np.sqrt(n)) + SLACK
    return np.asarray(effective * UNIT / (1 - effective * UNIT))


def _one(inputs: Sequence[Array], attributes: Attributes) -> int:
    del inputs, attributes
    return 1


@dataclass(frozen=True)
class Reference:
    """An op's meaning and properties.

    forward: The op in NumPy; see reference.py.
    linear: Linear in its one input and in every parameter, each for itself. Gradients
        and error bounds are then exact, term by term.
    differentiable: Inputs (not parameters) that have a gradient.
    loss: The output has shape (batch,) and can be minimised.
    terms: How many terms an output value sums, beyond what the linear map shows.
    magnitude: Sum of the absolute values of an output's terms; None: |y|.
    exact: The forward pass only moves or compares numbers.
    slopes: Sum of the absolute values of the terms of the first input's gradient, from
        inputs, attributes and cotangent; None: errors are relative to the gradient's
        largest value.
    across_images: An image's output depends on the whole batch.
    states: How many of the last parameters are never trained.
    """

    forward: Forward
    linear: bool = False
    differentiable: tuple[int, ...] = (0,)
    loss: bool = False
    terms: Callable[[Sequence[Array], Attributes], int] = _one
    magnitude: Forward | None = None
    exact: bool = False
    slopes: Slopes | None = None
    across_images: bool = False
    states: int = 0


def _pool_cells(inputs: Sequence[Array], attributes: Attributes) -> int:
    del inputs
    size = attributes.get("pool_size", (2, 2))
    return int(size[0] * size[1])


def _image(inputs: Sequence[Array], attributes: Attributes) -> int:
    del attributes
    return int(inputs[0][0].size)


def _softmax_magnitude(inputs: Sequence[Array], attributes: Attributes) -> Array:
    # The rounding of x - max moves exp(x - max) by u |x - max| relative.
    x = inputs[0]
    axis = attributes.get("axis", -1)
    spread = np.abs(x - x.max(axis=axis, keepdims=True))
    widest = spread.max(axis=axis, keepdims=True)
    return np.asarray(ref.softmax(inputs, attributes) * (1 + spread + widest))


def _loss_magnitude(forward: Forward) -> Forward:
    def magnitude(inputs: Sequence[Array], attributes: Attributes) -> Array:
        # A logarithm of p near 1 keeps p's absolute error; logits are subtracted.
        x = np.abs(inputs[0].reshape(len(inputs[0]), -1))
        return np.asarray(np.abs(forward(inputs, attributes)) + 1 + 2 * x.max(axis=1))

    return magnitude


def _regression_magnitude(forward: Forward) -> Forward:
    def magnitude(inputs: Sequence[Array], attributes: Attributes) -> Array:
        return forward(
            (np.abs(inputs[0]) + np.abs(inputs[1]), 0 * inputs[1]), attributes
        )

    return magnitude


def _activation_slopes(
    inputs: Sequence[Array], attributes: Attributes, cotangent: Array
) -> Array:
    # 1 - y keeps y's absolute error; the factor y of a sigmoid's slope does not.
    y = ref.activation(inputs, attributes)
    return np.abs(cotangent) * (y if attributes["kind"] == "sigmoid" else 1)


def _softmax_slopes(
    inputs: Sequence[Array], attributes: Attributes, cotangent: Array
) -> Array:
    axis = attributes.get("axis", -1)
    y, c = _softmax_magnitude(inputs, attributes), np.abs(cotangent)
    return np.asarray(y * (c + (y * c).sum(axis=axis, keepdims=True)))


def _crossentropy_slopes(
    inputs: Sequence[Array], attributes: Attributes, cotangent: Array
) -> Array:
    y_pred, y_true = inputs[0], inputs[1]
    if y_true.ndim < y_pred.ndim:
        y_true = np.eye(y_pred.shape[-1])[y_true]
    # Smoothing by a moves a share a / classes to each class.
    targets = np.abs(y_true) + abs(attributes.get("label_smoothing", 0.0))
    total = targets.sum(axis=-1, keepdims=True)
    if attributes.get("from_logits", False):
        slopes = _softmax_magnitude((y_pred,), {}) * total + targets
    else:
        slopes = targets / y_pred + total / y_pred.sum(axis=-1, keepdims=True)
    rows = y_pred[0].size // y_pred.shape[-1]
    return np.asarray(slopes * cotangent.reshape(-1, *[1] * (y_pred.ndim - 1)) / rows)


def _binary_crossentropy_slopes(
    inputs: Sequence[Array], attributes: Attributes, cotangent: Array
) -> Array:
    y_pred = inputs[0]
    targets = np.abs(inputs[1]) + 1
    if attributes.get("from_logits", False):
        slopes = targets
    else:
        slopes = targets / y_pred + targets / (1 - y_pred)
    weight = cotangent.reshape(-1, *[1] * (y_pred.ndim - 1))
    return np.asarray(slopes * weight / y_pred[0].size)


def _crossentropy(forward: Forward, slopes: Slopes) -> Reference:
    return Reference(
        forward,
        loss=True,
        terms=_image,
        magnitude=_loss_magnitude(forward),
        slopes=slopes,
    )


def _regression(forward: Forward) -> Reference:
    return Reference(
        forward, loss=True, terms=_image, magnitude=_regression_magnitude(forward)
    )


def _metric(forward: Forward) -> Reference:
    return Reference(forward, differentiable=(), terms=_image)


REFERENCES: dict[str, Reference] = {
    "activation": Reference(ref.activation, slopes=_activation_slopes),
    "average_pool2d": Reference(ref.average_pool2d, linear=True, terms=_pool_cells),
    "binary_accuracy": _metric(ref.binary_accuracy),
    "binary_crossentropy": _crossentropy(
        ref.binary_crossentropy, _binary_crossentropy_slopes
    ),
    "categorical_accuracy": _metric(ref.categorical_accuracy),
    "categorical_crossentropy": _crossentropy(
        ref.categorical_crossentropy, _crossentropy_slopes
    ),
    "conv2d": Reference(ref.conv2d, linear=True),
    "dense": Reference(ref.dense, linear=True),
    "flatten": Reference(ref.flatten, linear=True, exact=True),
    "max_pool2d": Reference(ref.max_pool2d, exact=True),
    "mean_absolute_error": _regression(ref.mean_absolute_error),
    "mean_squared_error": _regression(ref.mean_squared_error),
    "relu": Reference(
        ref.relu, magnitude=lambda i, a: np.abs(i[0]) + abs(a.get("threshold", 0))
    ),
    "reshape": Reference(ref.reshape, linear=True, exact=True),
    "softmax": Reference(
        ref.softmax, terms=_image, magnitude=_softmax_magnitude, slopes=_softmax_slopes
    ),
    "sparse_categorical_accuracy": _metric(ref.sparse_categorical_accuracy),
    "sparse_categorical_crossentropy": _crossentropy(
        ref.sparse_categorical_crossentropy, _crossentropy_slopes
    ),
}
