# SPDX-License-Identifier: Apache-2.0
"""Activations beyond the first course's, and layers that draw (but nothing here: what
is drawn is each library's own affair)."""

from drawing.choices import RANK_OF_IMAGES, number, pick
from drawing.rules import weight_rules

BY_NAME = [
    "celu",
    "elu",
    "gelu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu6",
    "selu",
    "silu",
    "soft_shrink",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "squareplus",
    "swish",
    "tanh_shrink",
]


def activation_by_name(rng, shape):
    del shape
    if rng.random() < 0.5:
        return "Dense", {"units": number(rng, 1, 12), "activation": pick(rng, BY_NAME)}
    return "Activation", {"activation": pick(rng, BY_NAME)}


def leaky_relu(rng, shape):
    del shape
    return "LeakyReLU", {"negative_slope": pick(rng, [0.0, 0.1, 0.3, 1.0])}


def elu(rng, shape):
    del shape
    return "ELU", {"alpha": pick(rng, [0.5, 1.0, 2.0])}


def prelu(rng, shape):
    axes = [axis for axis in range(1, len(shape) + 1) if rng.random() < 0.5]
    return "PReLU", {
        "alpha_initializer": pick(rng, ["Zeros", "ones"]),
        "shared_axes": pick(rng, [None, axes or None, axes[0] if axes else None]),
        **weight_rules(rng, "alpha"),
    }


def softmax_axes(rng, shape):
    if len(shape) < RANK_OF_IMAGES:
        return None
    return "Softmax", {"axis": pick(rng, [[1, 2], [-1, 1], [1, 2, 3], [2]])}


def gaussian_noise(rng, shape):
    del rng, shape
    return "GaussianNoise", {"stddev": 0.0}


def gaussian_dropout(rng, shape):
    del rng, shape
    return "GaussianDropout", {"rate": 0.0}


def alpha_dropout(rng, shape):
    del rng, shape
    return "AlphaDropout", {"rate": 0.0}


def spatial_dropout1d(rng, shape):
    del rng
    return ("SpatialDropout1D", {"rate": 0.0}) if len(shape) + 1 == 3 else None


def spatial_dropout2d(rng, shape):
    if len(shape) != RANK_OF_IMAGES:
        return None
    formats = ["channels_last", "channels_first", None]
    return "SpatialDropout2D", {"rate": 0.0, "data_format": pick(rng, formats)}


def spatial_dropout3d(rng, shape):
    del rng
    return ("SpatialDropout3D", {"rate": 0.0}) if len(shape) + 1 == 5 else None


FAMILIES = {
    "activation_by_name": activation_by_name,
    "leaky_relu": leaky_relu,
    "elu": elu,
    "prelu": prelu,
    "softmax_axes": softmax_axes,
    "gaussian_noise": gaussian_noise,
    "gaussian_dropout": gaussian_dropout,
    "alpha_dropout": alpha_dropout,
    "spatial_dropout1d": spatial_dropout1d,
    "spatial_dropout2d": spatial_dropout2d,
    "spatial_dropout3d": spatial_dropout3d,
}
