# SPDX-License-Identifier: Apache-2.0
"""Convolutions in one to three dimensions, depthwise, separable and transposed.

Locally connected layers are not Keras's any more.
"""

from drawing.choices import activation, number, pick
from drawing.rules import rules, weight_rules

FORMATS = ["channels_last", "channels_last", "channels_last", "channels_first"]


def sizes(rng, rank, low, high):
    """An integer, or one for each axis."""
    if rng.random() < 0.5:
        return number(rng, low, high)
    return [number(rng, low, high) for _ in range(rank)]


def per_axis(value, rank):
    return value if isinstance(value, list) else [value] * rank


def window(rng, shape, rank):
    """Arguments that all kinds share; None where the input has another rank."""
    if len(shape) != rank + 1:
        return None
    arguments = {
        "kernel_size": sizes(rng, rank, 1, 4 if rank < 3 else 3),
        "padding": pick(rng, ["valid", "same"]),
        "data_format": pick(rng, FORMATS),
        "activation": activation(rng),
        "use_bias": bool(rng.random() < 0.8),
    }
    kind = pick(rng, ["plain", "plain", "strides", "dilation_rate"])
    if kind != "plain":
        arguments[kind] = sizes(rng, rank, 1, 3)
    return arguments


def extents(arguments, shape):
    last = arguments["data_format"] == "channels_last"
    return shape[:-1] if last else shape[1:]


def fitting(arguments, shape):
    """The same with padding where the window would not fit."""
    rank = len(shape) - 1
    kernel = per_axis(arguments["kernel_size"], rank)
    dilation = per_axis(arguments.get("dilation_rate", 1), rank)
    for extent, k, d in zip(extents(arguments, shape), kernel, dilation, strict=True):
        if extent < (k - 1) * d + 1:
            arguments["padding"] = "same"
    return arguments


def channels(arguments, shape):
    return shape[-1 if arguments["data_format"] == "channels_last" else 0]


def convolution(rng, shape, rank):
    arguments = window(rng, shape, rank)
    if arguments is None:
        return None
    inputs = channels(arguments, shape)
    groups = pick(rng, [1, 1, *(g for g in (2, 3, inputs) if inputs % g == 0)])
    arguments |= {"groups": groups, **rules(rng, list(range(rank + 1)))}
    arguments["filters"] = groups * number(rng, 1, max(1, 12 // groups))
    if rank == 1 and rng.random() < 0.3:
        arguments["padding"] = "causal"
        return f"Conv{rank}D", arguments
    return f"Conv{rank}D", fitting(arguments, shape)


def depthwise(rng, shape, rank):
    arguments = window(rng, shape, rank)
    if arguments is None:
        return None
    arguments["depth_multiplier"] = pick(rng, [1, 1, 2, 3])
    axes = list(range(rank))
    arguments |= weight_rules(rng, "depthwise", axes)
    return f"DepthwiseConv{rank}D", fitting(arguments, shape)


def separable(rng, shape, rank):
    drawn = depthwise(rng, shape, rank)
    if drawn is None:
        return None
    drawn[1]["filters"] = number(rng, 1, 12)
    drawn[1].update(weight_rules(rng, "pointwise", rank))
    return f"SeparableConv{rank}D", drawn[1]


def transposed(rng, shape, rank):
    arguments = window(rng, shape, rank)
    if arguments is None or max(shape[:-1]) > 12:  # it grows
        return None
    arguments["filters"] = number(rng, 1, 8)
    arguments |= rules(rng, list(range(rank)))
    strides = arguments.get("strides", 1)
    if rng.random() < 0.4:
        per = [number(rng, 0, s - 1) for s in per_axis(strides, rank)]
        # Nothing is left of one cell under an even window, cropped as for "same".
        if arguments["padding"] == "valid" or min(extents(arguments, shape)) > 1:
            arguments["output_padding"] = per
    return f"Conv{rank}DTranspose", arguments


FAMILIES = {
    f"{kind.__name__}{rank}d": (
        lambda rng, shape, kind=kind, rank=rank: kind(rng, shape, rank)
    )
    for kind, ranks in {
        convolution: (1, 2, 3),
        depthwise: (1, 2),
        separable: (1, 2),
        transposed: (1, 2, 3),
    }.items()
    for rank in ranks
}
