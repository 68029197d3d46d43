# SPDX-License-Identifier: Apache-2.0
"""Normalisation: of channels over the batch, of groups, of rows, of neighbours."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pronghorn.testing.conformance import Reference
from pronghorn.testing.reference import Array, Attributes


def _split(
    inputs: Sequence[Array], attributes: Attributes
) -> tuple[Array, Array | float, Array | float]:
    """x, gamma and beta, the latter 1 and 0 where there are none."""
    rest = list(inputs[1:])
    gamma = rest.pop(0) if attributes.get("scale", True) else 1.0
    beta = rest.pop(0) if attributes.get("center", True) else 0.0
    return inputs[0], gamma, beta


def _magnitude(n: Array, gamma: Array | float, beta: Array | float) -> Array:
    # The mean keeps an error of its own, whatever n is.
    return np.asarray((np.abs(n) + 1) * np.abs(gamma) + np.abs(beta))


def _standardized(x: Array, axis: Any, epsilon: float) -> Array:
    mean = x.mean(axis=axis, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=axis, keepdims=True)
    return np.asarray((x - mean) / np.sqrt(variance + epsilon))


def _batch_normal(inputs: Sequence[Array], attributes: Attributes) -> Array:
    x, epsilon = inputs[0], attributes.get("epsilon", 1e-3)
    if attributes.get("training", False):
        return _standardized(x, tuple(range(x.ndim - 1)), epsilon)
    mean, variance = inputs[-2], inputs[-1]
    return np.asarray((x - mean) / np.sqrt(variance + epsilon))


def batch_norm(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """X, gamma?, beta?, moving_mean, moving_variance."""
    _, gamma, beta = _split(inputs, attributes)
    return np.asarray(_batch_normal(inputs, attributes) * gamma + beta)


def _batch_norm_magnitude(inputs: Sequence[Array], attributes: Attributes) -> Array:
    _, gamma, beta = _split(inputs, attributes)
    return _magnitude(_batch_normal(inputs, attributes), gamma, beta)


def _batch_norm_slopes(
    inputs: Sequence[Array], attributes: Attributes, cotangent: Array
) -> Array:
    _, gamma, _ = _split(inputs, attributes)
    x, epsilon = inputs[0], attributes.get("epsilon", 1e-3)
    c, n = np.abs(cotangent), np.abs(_batch_normal(inputs, attributes))
    if not attributes.get("training", False):
        return np.asarray(c * np.abs(gamma) / np.sqrt(inputs[-1] + epsilon))
    axes = tuple(range(x.ndim - 1))
    terms = c + c.mean(axis=axes) + n * (c * n).mean(axis=axes)
    return np.asarray(terms * np.abs(gamma) / np.sqrt(x.var(axis=axes) + epsilon))


def _group_normal(inputs: Sequence[Array], attributes: Attributes) -> Array:
    x, groups = inputs[0], attributes.get("groups", 32)
    split = x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)
    axes = (*range(1, x.ndim - 1), x.ndim)
    return _standardized(split, axes, attributes.get("epsilon", 1e-3)).reshape(x.shape)


def group_norm(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """X, gamma?, beta?."""
    _, gamma, beta = _split(inputs, attributes)
    return np.asarray(_group_normal(inputs, attributes) * gamma + beta)


def _group_norm_magnitude(inputs: Sequence[Array], attributes: Attributes) -> Array:
    _, gamma, beta = _split(inputs, attributes)
    return _magnitude(_group_normal(inputs, attributes), gamma, beta)


def _last(x: Array, attributes: Attributes) -> tuple[int, ...]:
    return tuple(range(x.ndim - len(attributes.get("axes", [-1])), x.ndim))


def _layer_normal(x: Array, attributes: Attributes) -> Array:
    return _standardized(x, _last(x, attributes), attributes.get("epsilon", 1e-3))


def layer_norm(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """X, gamma?, beta?."""
    x, gamma, beta = _split(inputs, attributes)
    return np.asarray(_layer_normal(x, attributes) * gamma + beta)


def _layer_norm_magnitude(inputs: Sequence[Array], attributes: Attributes) -> Array:
    x, gamma, beta = _split(inputs, attributes)
    return _magnitude(_layer_normal(x, attributes), gamma, beta)


def rms_norm(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """X, gamma?."""
    x, gamma, _ = _split(inputs, {**attributes, "center": False})
    square = (x**2).mean(axis=_last(x, attributes), keepdims=True)
    return np.asarray(x / np.sqrt(square + attributes.get("epsilon", 1e-6)) * gamma)


def unit_norm(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """X / max(its length, 1e-12)."""
    x = inputs[0]
    square = (x**2).sum(axis=_last(x, attributes), keepdims=True)
    return np.asarray(x / np.maximum(np.sqrt(square), 1e-12))


def local_response_norm(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Each channel by the squares of its neighbours and its own."""
    x, radius = inputs[0], attributes.get("depth_radius", 5)
    channels = np.arange(x.shape[-1])
    near = np.abs(channels[:, None] - channels) <= radius
    base = attributes.get("bias", 1.0) + attributes.get("alpha", 1.0) * (x**2 @ near)
    return np.asarray(x / base ** attributes.get("beta", 0.5))


def _batch(inputs: Sequence[Array], attributes: Attributes) -> int:
    del attributes
    return int(inputs[0].size // inputs[0].shape[-1])


def _image(inputs: Sequence[Array], attributes: Attributes) -> int:
    del attributes
    return int(inputs[0][0].size)


def _neighbours(inputs: Sequence[Array], attributes: Attributes) -> int:
    del inputs
    # exp(-beta * log(s)) errs by |log(s)| ulp.
    return int(2 * attributes.get("depth_radius", 5) + 20)


REFERENCES = {
    "batch_norm": Reference(
        batch_norm,
        terms=_batch,
        magnitude=_batch_norm_magnitude,
        slopes=_batch_norm_slopes,
        across_images=True,
        states=2,
    ),
    "group_norm": Reference(group_norm, terms=_image, magnitude=_group_norm_magnitude),
    "layer_norm": Reference(layer_norm, terms=_image, magnitude=_layer_norm_magnitude),
    "rms_norm": Reference(rms_norm, terms=_image),
    "unit_norm": Reference(unit_norm, terms=_image),
    "local_response_norm": Reference(local_response_norm, terms=_neighbours),
}
