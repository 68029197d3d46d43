# SPDX-License-Identifier: Apache-2.0
"""Layers that merge x with what a branch makes of it, that move and that rescale.

A merging layer is drawn as (class name, arguments, branches): it is called on x and, of
each branch, on what its layers make of x.
"""

import numpy as np

from drawing.choices import RANK_OF_IMAGES, number, pick


def branch(rng, shape, last=None):
    """Layers that keep the shape, or change the size of the last axis."""
    kinds = ["Dense", "Activation", "ReLU"] + ["Conv2D"] * (
        len(shape) == RANK_OF_IMAGES
    )
    kind = pick(rng, kinds[: 1 if last and rng.random() < 0.5 else None])
    if kind == "Dense":
        return [("Dense", {"units": last or shape[-1]})]
    if kind == "Conv2D":
        size = number(rng, 1, 3)
        arguments = {"kernel_size": size, "padding": "same", "activation": "tanh"}
        return [("Conv2D", {"filters": last or shape[-1], **arguments})]
    if kind == "ReLU":
        return [("ReLU", {"negative_slope": 0.25})]
    return [("Activation", {"activation": pick(rng, ["tanh", "sigmoid"])})]


def merge(rng, shape, name, most=2):
    return name, {}, [branch(rng, shape) for _ in range(number(rng, 1, most))]


def add(rng, shape):
    return merge(rng, shape, "Add")


def subtract(rng, shape):
    return merge(rng, shape, "Subtract", 1)


def multiply(rng, shape):
    return merge(rng, shape, "Multiply")


def average(rng, shape):
    return merge(rng, shape, "Average")


def maximum(rng, shape):
    return merge(rng, shape, "Maximum")


def minimum(rng, shape):
    return merge(rng, shape, "Minimum")


def squeeze(rng, shape):
    """Channels weighted by a pooled branch, as in squeeze and excitation."""
    if len(shape) != RANK_OF_IMAGES:
        return None
    pooled = [("GlobalAveragePooling2D", {"keepdims": bool(rng.random() < 0.5)})]
    weights = [("Dense", {"units": shape[-1], "activation": "sigmoid"})]
    return pick(rng, ["Multiply", "Add"]), {}, [pooled + weights]


def concatenate(rng, shape):
    axis = pick(rng, [-1, number(rng, 1, len(shape))])
    last = number(rng, 1, 5) if axis == -1 else None
    branches = [branch(rng, shape, last) for _ in range(number(rng, 1, 2))]
    return "Concatenate", {"axis": axis}, branches


def dot(rng, shape):
    axis = number(rng, 1, len(shape))
    arguments = {"axes": axis, "normalize": bool(rng.random() < 0.5)}
    return "Dot", arguments, [branch(rng, shape)]


def permute(rng, shape):
    dims = rng.permutation(len(shape)) + 1
    return "Permute", {"dims": dims.tolist()}


def reshape(rng, shape):
    """Rarely does another shape suit what follows, so ranks stay."""
    order = [int(shape[axis]) for axis in rng.permutation(len(shape))]
    if rng.random() < 0.5:
        order[number(rng, 0, len(shape) - 1)] = -1
    return "Reshape", {"target_shape": order}


def repeat_vector(rng, shape):
    return ("RepeatVector", {"n": number(rng, 1, 4)}) if len(shape) == 1 else None


def borders(rng, sizes):
    """Pairs, or numbers for both sides."""
    return [
        pick(rng, [number(rng, 0, n), [number(rng, 0, n), number(rng, 0, n)]])
        for n in sizes
    ]


def border(rng, shape, name, axes, cuts):
    if len(shape) != axes + 1:
        return None
    data_format = pick(rng, ["channels_last", "channels_first"])
    sizes = shape[:-1] if data_format == "channels_last" else shape[1:]
    most = [(size - 1) // 2 if cuts else 2 for size in sizes]
    found = borders(rng, most)
    arguments = {"cropping" if cuts else "padding": found if axes > 1 else found[0]}
    if name != "Cropping1D":
        arguments["data_format"] = data_format
    elif shape[0] - np.sum(np.ones(2, int) * found[0]) < 1:
        return None
    return name, arguments


def cropping1d(rng, shape):
    return border(rng, shape, "Cropping1D", 1, True)


def cropping2d(rng, shape):
    return border(rng, shape, "Cropping2D", 2, True)


def cropping3d(rng, shape):
    return border(rng, shape, "Cropping3D", 3, True)


def zero_padding1d(rng, shape):
    return border(rng, shape, "ZeroPadding1D", 1, False)


def zero_padding2d(rng, shape):
    return border(rng, shape, "ZeroPadding2D", 2, False)


def zero_padding3d(rng, shape):
    return border(rng, shape, "ZeroPadding3D", 3, False)


def rescaling(rng, shape):
    by_channel = shape[-1] if rng.random() < 0.3 else None
    scale = rng.uniform(0.3, 1.5, by_channel)
    return "Rescaling", {
        "scale": np.asarray(scale).tolist(),
        "offset": pick(rng, [0.0, -0.5, 0.25]),
    }


def identity(rng, shape):
    del rng, shape
    return "Identity", {}


FAMILIES = {
    "add": add,
    "subtract": subtract,
    "multiply": multiply,
    "average": average,
    "maximum": maximum,
    "minimum": minimum,
    "squeeze": squeeze,
    "concatenate": concatenate,
    "dot": dot,
    "permute": permute,
    "reshape": reshape,
    "repeat_vector": repeat_vector,
    "cropping1d": cropping1d,
    "cropping2d": cropping2d,
    "cropping3d": cropping3d,
    "zero_padding1d": zero_padding1d,
    "zero_padding2d": zero_padding2d,
    "zero_padding3d": zero_padding3d,
    "rescaling": rescaling,
    "identity": identity,
}
