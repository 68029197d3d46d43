# SPDX-License-Identifier: Apache-2.0
"""Normalisation layers."""

from drawing.choices import number, pick
from drawing.rules import weight_rules


def scales(rng):
    return {
        "epsilon": pick(rng, [1e-3, 1e-3, 0.1]),
        "center": bool(rng.random() < 0.8),
        "scale": bool(rng.random() < 0.8),
        **weight_rules(rng, "gamma"),
    }


def last_axes(rng, shape):
    axes = list(range(1, len(shape) + 1))[-number(rng, 1, len(shape)) :]
    return pick(rng, [-1, axes])


def batch_normalization(rng, shape):
    return "BatchNormalization", {
        **scales(rng),
        "axis": pick(rng, [-1, -1, number(rng, 1, len(shape))]),
        "momentum": pick(rng, [0.99, 0.9, 0.5]),
    }


def layer_normalization(rng, shape):
    if 1 in shape:
        return None  # of one value nothing but rounding is left
    return "LayerNormalization", {
        **scales(rng),
        "axis": pick(rng, [number(rng, 1, len(shape)), last_axes(rng, shape)]),
    }


def group_normalization(rng, shape):
    axis = pick(rng, [-1, -1, number(rng, 1, len(shape))])
    size = shape[-1] if axis == -1 else shape[axis - 1]
    groups = pick(rng, [-1, *(g for g in range(1, size + 1) if size % g == 0)])
    return "GroupNormalization", {**scales(rng), "axis": axis, "groups": groups}


def rms_normalization(rng, shape):
    epsilon = pick(rng, [1e-6, 1e-3])
    # Keras's scale only fits the last axes.
    return "RMSNormalization", {"axis": last_axes(rng, shape), "epsilon": epsilon}


def unit_normalization(rng, shape):
    if len(shape) == 1 and shape[0] < 4:
        return None  # a ReLU may have left nothing, where Keras's gradient is NaN
    return "UnitNormalization", {"axis": list(range(1, len(shape) + 1))}


def normalization(rng, shape):
    axis = pick(rng, [-1, None, list(range(1, len(shape) + 1))])
    sizes = () if axis is None else shape[-1:] if axis == -1 else shape
    return "Normalization", {
        "axis": axis,
        "mean": rng.normal(size=sizes).tolist(),
        "variance": rng.uniform(0.5, 2, sizes).tolist(),
        "invert": bool(rng.random() < 0.3),
    }


FAMILIES = {
    "batch_normalization": batch_normalization,
    "layer_normalization": layer_normalization,
    "group_normalization": group_normalization,
    "rms_normalization": rms_normalization,
    "normalization": normalization,
    "unit_normalization": unit_normalization,
}
