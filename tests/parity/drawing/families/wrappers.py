# SPDX-License-Identifier: Apache-2.0
"""TimeDistributed around layers of other families, without a batch's statistics."""

from drawing.choices import pick
from drawing.families import conv, elementwise, first, normalization, space

INNER = [
    first.dense,
    first.conv2d,
    first.relu,
    first.flatten,
    conv.FAMILIES["convolution1d"],
    conv.FAMILIES["depthwise2d"],
    elementwise.prelu,
    normalization.layer_normalization,
    space.FAMILIES["max_pooling2d"],
    space.FAMILIES["average_pooling1d"],
    space.FAMILIES["global_average_pooling2d"],
]


def time_distributed(rng, shape):
    fitting = [draw(rng, shape[1:]) for draw in INNER if len(shape) > 1]
    fitting = [drawn for drawn in fitting if drawn is not None]
    if not fitting:
        return None
    name, arguments = pick(rng, fitting)
    arguments.pop("activity_regularizer", None)  # lost by Keras 3 (2 had it)
    return "TimeDistributed", {"layer": (name, arguments)}


FAMILIES = {"time_distributed": time_distributed}
