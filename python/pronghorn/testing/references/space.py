# SPDX-License-Identifier: Apache-2.0
"""Pooling of any rank, upsampling and resizing: cell by cell, axis by axis."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pronghorn.testing.conformance import Reference
from pronghorn.testing.reference import Array, Attributes

Pool = Callable[[Array, tuple[int, ...]], Array]
Windows = list[tuple[int, int]]  # begin and end of each, along one axis


def _over_windows(x: Array, windows: Sequence[Windows], pool: Pool) -> Array:
    """Pools x (b, axes..., c) over all combinations of windows of its axes."""
    sizes = [len(axis) for axis in windows]
    y = np.empty((x.shape[0], *sizes, x.shape[-1]), x.dtype)
    axes = tuple(range(1, x.ndim - 1))
    for place in np.ndindex(*sizes):
        cells = [slice(*axis[i]) for axis, i in zip(windows, place, strict=True)]
        y[(slice(None), *place)] = pool(x[(slice(None), *cells)], axes)
    return y


def _pool_windows(x: Array, attributes: Attributes) -> list[Windows]:
    """Windows of a pool of any rank, without the cells outside."""
    pool = list(attributes.get("pool_size", (2,) * (x.ndim - 2)))
    strides = list(attributes.get("strides", pool))
    found = []
    for size, width, stride in zip(x.shape[1:-1], pool, strides, strict=True):
        if attributes.get("padding", "valid") == "same":
            count = -(-size // stride)
            before = max(0, (count - 1) * stride + width - size) // 2
        else:
            count, before = (size - width) // stride + 1, 0
        starts = [i * stride - before for i in range(count)]
        found.append([(max(0, s), min(size, s + width)) for s in starts])
    return found


def _adaptive_windows(x: Array, attributes: Attributes) -> list[Windows]:
    return [
        [(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]
        for n, m in zip(x.shape[1:-1], attributes["output_size"], strict=True)
    ]


def _max(cells: Array, axes: tuple[int, ...]) -> Array:
    return np.asarray(cells.max(axis=axes))


def _mean(cells: Array, axes: tuple[int, ...]) -> Array:
    return np.asarray(cells.mean(axis=axes))


def max_pool3d(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Largest value per window; padding never wins."""
    return _over_windows(inputs[0], _pool_windows(inputs[0], attributes), _max)


def average_pool3d(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Mean of each window's real cells."""
    return _over_windows(inputs[0], _pool_windows(inputs[0], attributes), _mean)


def adaptive_max_pool(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Largest value per window [floor(i n / m), ceil((i + 1) n / m))."""
    return _over_windows(inputs[0], _adaptive_windows(inputs[0], attributes), _max)


def adaptive_average_pool(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Mean per window [floor(i n / m), ceil((i + 1) n / m))."""
    return _over_windows(inputs[0], _adaptive_windows(inputs[0], attributes), _mean)


def global_max_pool(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Largest value over all axes but batch and channels."""
    axes = tuple(range(1, inputs[0].ndim - 1))
    keepdims = bool(attributes.get("keepdims", False))
    return np.asarray(inputs[0].max(axis=axes, keepdims=keepdims))


def global_average_pool(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Mean over all axes but batch and channels."""
    axes = tuple(range(1, inputs[0].ndim - 1))
    keepdims = bool(attributes.get("keepdims", False))
    return np.asarray(inputs[0].mean(axis=axes, keepdims=keepdims))


def upsample_nearest(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Every cell repeated along each spatial axis."""
    x = inputs[0]
    for axis, size in enumerate(attributes["size"], start=1):
        x = np.repeat(x, size, axis=axis)
    return x


def _lanczos(x: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    return np.asarray(np.where(x <= radius, np.sinc(x) * np.sinc(x / radius), 0.0))


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


KERNELS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "bilinear": lambda x: np.maximum(0.0, 1 - x),
    "bicubic": _cubic,
    "lanczos3": lambda x: _lanczos(x, 3),
    "lanczos5": lambda x: _lanczos(x, 5),
}


def _resize_matrix(n: int, m: int, attributes: Attributes) -> NDArray[np.float64]:
    """(m, n): how m cells are made of n, as jax.image.resize has it."""
    kind = attributes.get("interpolation", "bilinear")
    if kind == "nearest" or n == m:
        return np.eye(n)[(2 * np.arange(m) + 1) * n // (2 * m)]
    scale = max(n / m, 1.0) if attributes.get("antialias", False) else 1.0
    centres = (np.arange(m) + 0.5) * (n / m) - 0.5
    weights = KERNELS[kind](np.abs(centres[:, None] - np.arange(n)) / scale)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _source(x: Array, attributes: Attributes) -> Array:
    """The part of x that is resized, or x in its frame."""
    height, width = x.shape[1:3]
    rows, columns = attributes["size"]
    fitting_h, fitting_w = width * rows // columns, height * columns // rows
    if attributes.get("crop_to_aspect_ratio", False):
        h, w = max(min(height, fitting_h), 1), max(min(width, fitting_w), 1)
        top, left = (height - h) // 2, (width - w) // 2
        return x[:, top : top + h, left : left + w]
    if attributes.get("pad_to_aspect_ratio", False):
        above = max(0, fitting_h - height) // 2
        beside = 0 if above else max(0, fitting_w - width) // 2
        edges = ((0, 0), (above, above), (beside, beside), (0, 0))
        return np.pad(x, edges, constant_values=attributes.get("fill_value", 0.0))
    return x


def _resized(x: Array, attributes: Attributes, absolute: bool) -> Array:
    x = _source(x, attributes)
    sizes = zip(x.shape[1:3], attributes["size"], strict=True)
    rows, columns = (_resize_matrix(n, m, attributes) for n, m in sizes)
    if absolute:
        x, rows, columns = np.abs(x), np.abs(rows), np.abs(columns)
    return np.asarray(np.einsum("bhwc,ih,jw->bijc", x, rows, columns))


def resize2d(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Interpolation with half-pixel centres."""
    return _resized(inputs[0], attributes, absolute=False)


def _resize_magnitude(inputs: Sequence[Array], attributes: Attributes) -> Array:
    return _resized(inputs[0], attributes, absolute=True)


def _resize_terms(inputs: Sequence[Array], attributes: Attributes) -> int:
    # A tap is rounded, multiplied and added, along both axes.
    sizes = zip(inputs[0].shape[1:3], attributes["size"], strict=True)
    shrinking = max(1, *(-(-n // m) for n, m in sizes))
    return 2 * 10 * (shrinking if attributes.get("antialias", False) else 1)


def _pool_cells(inputs: Sequence[Array], attributes: Attributes) -> int:
    del inputs
    return int(np.prod(attributes.get("pool_size", (2, 2, 2))))


def _cells(inputs: Sequence[Array], attributes: Attributes) -> int:
    del attributes
    return int(np.prod(inputs[0].shape[1:-1]))


REFERENCES = {
    "adaptive_average_pool": Reference(
        adaptive_average_pool, linear=True, terms=_cells
    ),
    "adaptive_max_pool": Reference(adaptive_max_pool, exact=True),
    "average_pool3d": Reference(average_pool3d, linear=True, terms=_pool_cells),
    "global_average_pool": Reference(global_average_pool, linear=True, terms=_cells),
    "global_max_pool": Reference(global_max_pool, exact=True),
    "max_pool3d": Reference(max_pool3d, exact=True),
    "resize2d": Reference(resize2d, terms=_resize_terms, magnitude=_resize_magnitude),
    "upsample_nearest": Reference(upsample_nearest, linear=True, exact=True),
}
