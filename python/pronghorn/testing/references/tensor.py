# SPDX-License-Identifier: Apache-2.0
"""Ops that combine, reduce, move and look up tensors."""

from collections.abc import Callable, Sequence

import numpy as np

from pronghorn.testing.conformance import Reference
from pronghorn.testing.reference import Array, Attributes, Forward

BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "power": np.power,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "equal": np.equal,
    "not_equal": np.not_equal,
}

REDUCTIONS: dict[str, Callable[..., Array]] = {
    "sum": np.sum,
    "mean": np.mean,
    "prod": np.prod,
    "max": np.max,
    "min": np.min,
    "any": np.any,
    "all": np.all,
}


def binary(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """NumPy's function of that kind; comparisons as numbers."""
    a, b = inputs
    return np.asarray(BINARY[attributes["kind"]](a, b), np.float64)


def _binary_magnitude(inputs: Sequence[Array], attributes: Attributes) -> Array:
    a, b = inputs
    if attributes["kind"] in ("add", "subtract"):
        return np.asarray(np.abs(a) + np.abs(b))
    return np.asarray(np.abs(binary(inputs, attributes)))


def _largest_image(inputs: Sequence[Array], attributes: Attributes) -> int:
    del attributes
    return int(max(x[0].size for x in inputs))


def _axes(x: Array, attributes: Attributes) -> tuple[int, ...]:
    return tuple(attributes.get("axes") or range(1, x.ndim))


def reduce(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Numbers along axes become one."""
    (x,) = inputs
    kind, keepdims = attributes["kind"], attributes.get("keepdims", False)
    axes = _axes(x, attributes)
    if kind not in ("argmax", "argmin"):
        y = REDUCTIONS[kind](x, axis=axes, keepdims=keepdims)
        return np.asarray(y, np.float64)
    rest = [axis for axis in range(x.ndim) if axis not in _positive(axes, x.ndim)]
    rows = x.transpose(*rest, *sorted(_positive(axes, x.ndim)))
    y = getattr(np, kind)(rows.reshape(*[x.shape[axis] for axis in rest], -1), axis=-1)
    y = np.expand_dims(y, tuple(_positive(axes, x.ndim))) if keepdims else y
    return np.asarray(y, np.float64)


def _positive(axes: Sequence[int], rank: int) -> list[int]:
    return [axis % rank for axis in axes]


def _reduce_magnitude(inputs: Sequence[Array], attributes: Attributes) -> Array:
    if attributes["kind"] in ("sum", "mean"):
        return reduce([np.abs(inputs[0])], attributes)
    return np.abs(reduce(inputs, attributes))


def _beside(inputs: Sequence[Array]) -> list[Array]:
    """Parameters (fewer axes, or 1 in place of the batch) repeated for every image."""
    rank = max(x.ndim for x in inputs)
    batch = max(len(x) for x in inputs if x.ndim == rank)
    return [
        x if x.ndim == rank and len(x) == batch
        else np.broadcast_to(x, (batch, *x.shape[1 - rank :]))
        for x in inputs
    ]  # fmt: skip


def concatenate(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Inputs side by side."""
    return np.concatenate(_beside(inputs), axis=attributes.get("axis", -1))


def transpose(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Axes in another order."""
    return np.transpose(inputs[0], attributes["axes"])


def where(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Numbers of one tensor or another."""
    del attributes
    condition, a, b = inputs
    return np.where(condition != 0, a, b)


def cut(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """What range(start, stop, step) counts along every axis of an image."""
    (x,) = inputs
    starts, stops = attributes["starts"], attributes["stops"]
    steps = attributes.get("steps") or [1] * len(starts)
    for axis, bounds in enumerate(zip(starts, stops, steps, strict=True), start=1):
        x = np.take(x, list(range(*bounds)), axis=axis)
    return x


def pad(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """A border of one value."""
    borders = zip(attributes["before"], attributes["after"], strict=True)
    value = attributes.get("value", 0.0)
    return np.pad(inputs[0], [(0, 0), *borders], constant_values=value)


def broadcast(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """An image repeated to another shape."""
    (x,) = inputs
    shape = attributes["shape"]
    rows = x.reshape(len(x), *[1] * (len(shape) + 1 - x.ndim), *x.shape[1:])
    return np.asarray(np.broadcast_to(rows, (len(x), *shape)))


def repeat(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Slices along an axis, each several times."""
    return np.repeat(
        inputs[0], attributes.get("repeats", 1), axis=attributes.get("axis", -1)
    )


def matmul(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Products of matrices."""
    a, b = inputs
    if attributes.get("transpose_a", False):
        a = a.swapaxes(-1, -2)
    if attributes.get("transpose_b", False):
        b = b.swapaxes(-1, -2)
    return np.asarray(np.matmul(a, b))


def _products(inputs: Sequence[Array], attributes: Attributes) -> int:
    # A gradient sums over the rows or columns of every matrix it serves.
    del attributes
    return int(max(inputs[0][0].size, inputs[1].size // len(inputs[1])))


def _matmul_magnitude(inputs: Sequence[Array], attributes: Attributes) -> Array:
    return matmul([np.abs(x) for x in inputs], attributes)


def embedding(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Rows of a table."""
    del attributes
    ids, table = inputs
    return np.asarray(table[ids.astype(np.int64)])


def one_hot(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """1 at the place of each id; nothing for what is no class."""
    classes = np.arange(attributes["classes"])
    return np.asarray(inputs[0][..., None] == classes, np.float64)


def stop_gradient(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """The same numbers."""
    del attributes
    return inputs[0]


def _moves(forward: Forward) -> Reference:
    """An op that only moves numbers."""
    return Reference(forward, linear=True, exact=True)


REFERENCES: dict[str, Reference] = {
    "binary": Reference(
        binary,
        differentiable=(0, 1),
        terms=_largest_image,
        magnitude=_binary_magnitude,
    ),
    "broadcast": _moves(broadcast),
    "concatenate": _moves(concatenate),
    "embedding": Reference(embedding, linear=True, exact=True, differentiable=()),
    "matmul": Reference(
        matmul,
        differentiable=(0, 1),
        terms=_products,
        magnitude=_matmul_magnitude,
    ),
    "one_hot": Reference(one_hot, exact=True, differentiable=()),
    "pad": Reference(pad, exact=True),
    "reduce": Reference(reduce, terms=_largest_image, magnitude=_reduce_magnitude),
    "repeat": _moves(repeat),
    "slice": _moves(cut),
    "stop_gradient": Reference(stop_gradient, exact=True, differentiable=()),
    "transpose": _moves(transpose),
    "where": Reference(where, exact=True, differentiable=(1, 2), terms=_largest_image),
}
