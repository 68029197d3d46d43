# SPDX-License-Identifier: Apache-2.0
"""Convolutions of every kind, tap by tap, in any number of dimensions."""

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from pronghorn.testing.conformance import Reference
from pronghorn.testing.reference import Array, Attributes, window


def _per_axis(attributes: Attributes, name: str, axes: int) -> list[int]:
    return list(attributes.get(name, [1] * axes))


def _paddings(attributes: Attributes, axes: int) -> list[str | list[int]]:
    padding = attributes.get("padding", "valid")
    if isinstance(padding, str):
        return [padding] * axes
    return [list(padding[2 * i : 2 * i + 2]) for i in range(axes)]


def _taps(kernel: Array, axes: int) -> Iterator[tuple[int, ...]]:
    return itertools.product(*(range(size) for size in kernel.shape[:axes]))


def _slices(
    tap: Sequence[int],
    dilation: Sequence[int],
    strides: Sequence[int],
    n: Sequence[int],
) -> tuple[slice, ...]:
    """The cells that `n` windows see with one tap, for each axis; all images."""
    cells = zip(tap, dilation, strides, n, strict=True)
    return (
        slice(None),
        *(slice(t * d, t * d + (count - 1) * s + 1, s) for t, d, s, count in cells),
    )


def conv(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """X (b, ..., c), kernel (..., c / groups, out), optional bias (out,)."""
    x, kernel = inputs[0], inputs[1]
    groups = attributes.get("groups", 1)

    def product(cells: Array, weights: Array) -> Array:
        parts = zip(
            np.split(cells, groups, axis=-1),
            np.split(weights, groups, axis=-1),
            strict=True,
        )
        return np.concatenate([part @ w for part, w in parts], axis=-1)

    return _convolve(x, kernel, inputs[2:], attributes, product)


def depthwise_conv(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """X (b, ..., c), kernel (..., c, multiplier), optional bias (c * multiplier,)."""

    def product(cells: Array, weights: Array) -> Array:
        y = cells[..., None] * weights
        return y.reshape(*y.shape[:-2], -1)

    return _convolve(inputs[0], inputs[1], inputs[2:], attributes, product)


def _convolve(
    x: Array,
    kernel: Array,
    bias: Sequence[Array],
    attributes: Attributes,
    product: Callable[[Array, Array], Array],
) -> Array:
    axes = x.ndim - 2
    strides = _per_axis(attributes, "strides", axes)
    dilation = _per_axis(attributes, "dilation", axes)
    plans = [
        window(x.shape[1 + i], kernel.shape[i], strides[i], dilation[i], padding)
        for i, padding in enumerate(_paddings(attributes, axes))
    ]
    x = np.pad(x, [(0, 0), *((plan[0], plan[1]) for plan in plans), (0, 0)])
    y = np.zeros(1, x.dtype)
    for tap in _taps(kernel, axes):
        cells = x[_slices(tap, dilation, strides, [plan[2] for plan in plans])]
        y = y + product(cells, kernel[tap])
    return y + bias[0] if bias else y


def transposed_window(
    extent: int,
    kernel: int,
    stride: int,
    dilation: int,
    padding: str | list[int],
    more: int | None,
) -> tuple[int, int]:
    """Cells cropped in front, and the size that is left, as Keras has them."""
    reach = (kernel - 1) * dilation + 1
    full = (extent - 1) * stride + reach
    if padding == "valid":
        return 0, full + (max(stride - reach, 0) if more is None else more)
    if padding != "same":
        return int(padding[0]), full - int(padding[0]) - int(padding[1]) + (more or 0)
    total = stride + reach - 2 if more is None else reach + reach % 2 - 2 + more
    before = min(total // 2 + total % 2, reach - 1)
    return reach - 1 - before, full + total - 2 * (reach - 1)


def conv_transpose(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """X (b, ..., c), kernel (..., out, c), optional bias (out,)."""
    x, kernel = inputs[0], inputs[1]
    axes = x.ndim - 2
    strides = _per_axis(attributes, "strides", axes)
    dilation = _per_axis(attributes, "dilation", axes)
    more = attributes.get("output_padding", [None] * axes)
    paddings = _paddings(attributes, axes)
    extents = x.shape[1:-1]
    plans = [
        transposed_window(
            extents[i], kernel.shape[i], strides[i], dilation[i], paddings[i], more[i]
        )
        for i in range(axes)
    ]
    sizes = [
        max((extents[i] - 1) * strides[i] + (kernel.shape[i] - 1) * dilation[i] + 1,
            sum(plans[i]))
        for i in range(axes)
    ]  # fmt: skip
    y = np.zeros((len(x), *sizes, kernel.shape[-2]), x.dtype)
    for tap in _taps(kernel, axes):
        y[_slices(tap, dilation, strides, extents)] += x @ kernel[tap].T
    y = y[(slice(None), *(slice(crop, crop + size) for crop, size in plans))]
    return y + inputs[2] if len(inputs) > 2 else y


def locally_connected(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """X (b, ..., c), kernel (positions, window, out), optional bias (..., out)."""
    x, kernel = inputs[0], inputs[1]
    axes = x.ndim - 2
    size = _per_axis(attributes, "kernel_size", axes)
    strides = _per_axis(attributes, "strides", axes)
    counts = [(x.shape[1 + i] - size[i]) // strides[i] + 1 for i in range(axes)]
    positions = []
    for number, place in enumerate(np.ndindex(*counts)):
        cells = (
            slice(at * s, at * s + k)
            for at, s, k in zip(place, strides, size, strict=True)
        )
        patch = x[(slice(None), *cells)].reshape(len(x), -1)
        positions.append(patch @ kernel[number])
    y = np.stack(positions, axis=1).reshape(len(x), *counts, -1)
    return y + inputs[2] if len(inputs) > 2 else y


REFERENCES = {
    "conv1d": Reference(conv, linear=True),
    "conv1d_transpose": Reference(conv_transpose, linear=True),
    "conv2d_transpose": Reference(conv_transpose, linear=True),
    "conv3d": Reference(conv, linear=True),
    "conv3d_transpose": Reference(conv_transpose, linear=True),
    "depthwise_conv1d": Reference(depthwise_conv, linear=True),
    "depthwise_conv2d": Reference(depthwise_conv, linear=True),
    "locally_connected1d": Reference(locally_connected, linear=True),
    "locally_connected2d": Reference(locally_connected, linear=True),
}
