# SPDX-License-Identifier: Apache-2.0
"""The layers of a first course."""

from drawing.choices import (
    ACTIVATIONS,
    RANK_OF_IMAGES,
    activation,
    fits,
    number,
    one_or_two,
    pick,
)
from drawing.rules import rules


def conv2d(rng, shape):
    if len(shape) != RANK_OF_IMAGES:
        return None
    channels = shape[-1]
    groups = pick(rng, [1, 1, 1, *(g for g in (2, 3, channels) if channels % g == 0)])
    arguments = {
        "filters": groups * number(rng, 1, 12 // groups if groups < 12 else 1),
        "kernel_size": one_or_two(rng, 1, 4),
        "padding": pick(rng, ["valid", "same"]),
        "groups": groups,
        "activation": activation(rng),
        "use_bias": bool(rng.random() < 0.8),
    }
    kind = pick(rng, ["plain", "plain", "strides", "dilation_rate"])
    if kind != "plain":
        arguments[kind] = one_or_two(rng, 1, 3)
    dilation = arguments.get("dilation_rate", 1)
    if not fits(shape, arguments["kernel_size"], dilation):
        arguments["padding"] = "same"
    return "Conv2D", arguments


def dense(rng, shape):
    del shape
    units = number(rng, 1, 20)
    return "Dense", {
        "units": units,
        "activation": activation(rng),
        "use_bias": bool(rng.random() < 0.8),
        **rules(rng, columns=units),
    }


def flatten(rng, shape):
    del shape
    return "Flatten", {"data_format": pick(rng, [None, "channels_first"])}


def activation_layer(rng, shape):
    del shape
    return "Activation", {"activation": pick(rng, ACTIVATIONS[1:])}


def relu(rng, shape):
    del shape
    return "ReLU", {
        "max_value": pick(rng, [None, 0.75, 6.0]),
        "negative_slope": pick(rng, [0.0, 0.1, 0.3]),
        "threshold": pick(rng, [0.0, 0.0, 0.25]),
    }


def softmax(rng, shape):
    return "Softmax", {"axis": pick(rng, [-1, number(rng, 1, len(shape))])}


def dropout(rng, shape):
    del rng, shape
    return "Dropout", {"rate": 0.0}  # what is dropped is each library's own affair


FAMILIES = {
    "conv2d": conv2d,
    "dense": dense,
    "flatten": flatten,
    "activation": activation_layer,
    "relu": relu,
    "softmax": softmax,
    "dropout": dropout,
}
