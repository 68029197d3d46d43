# SPDX-License-Identifier: Apache-2.0
"""Every op of the core in NumPy: the independent answer that check_op compares with.

A forward function takes the op's inputs in the op's order and its attributes, and
computes in the dtype of its inputs: float64 gives the yardstick, and gradients come
from differences of it (differences.py). The meaning is Keras's. Written to be read.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Attributes = Mapping[str, Any]
Forward = Callable[[Sequence[Array], Attributes], Array]

EPSILON = 1e-7  # Keras's backend.epsilon(): probabilities are clipped by it
DEFAULT_THRESHOLD = 0.5


def window(
    extent: int, kernel: int, stride: int, dilation: int, padding: str | Sequence[int]
) -> tuple[int, int, int]:
    """Padding before and after one axis, and the number of windows that fit.

    Args:
        extent: Size of the axis.
        kernel: Cells of the kernel along it.
        stride: Steps between windows.
        dilation: Steps between the kernel's cells.
        padding: "valid", "same", or (before, after).
    """
    reach = (kernel - 1) * dilation + 1
    if padding == "same":
        total = max((-(-extent // stride) - 1) * stride + reach - extent, 0)
        before, after = total // 2, total - total // 2
    elif padding == "valid":
        before, after = 0, 0
    else:
        before, after = int(padding[0]), int(padding[1])
    return before, after, (extent + before + after - reach) // stride + 1


def windows(
    x: Array,
    size: Sequence[int],
    attributes: Attributes,
    fill: float,
    default_strides: Sequence[int],
) -> Array:
    """All windows of x (batch, h, w, c): (batch, out_h, out_w, c, size_h, size_w)."""
    strides = attributes.get("strides", default_strides)
    dilation = attributes.get("dilation", (1, 1))
    padding = attributes.get("padding", "valid")
    per_axis = [padding] * 2 if isinstance(padding, str) else [padding[:2], padding[2:]]
    plans = [
        window(x.shape[1 + axis], size[axis], strides[axis], dilation[axis], each)
        for axis, each in enumerate(per_axis)
    ]
    edges = [(0, 0), *((before, after) for before, after, _ in plans), (0, 0)]
    padded = np.pad(x, edges, constant_values=fill)
    reach = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    view = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=(1, 2))
    view = view[:, :: strides[0], :: strides[1], :, :: dilation[0], :: dilation[1]]
    return view[:, : plans[0][2], : plans[1][2]]


def conv2d(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """X (b, h, w, c), kernel (kh, kw, c / groups, out), optional bias (out,)."""
    x, kernel = inputs[0], inputs[1]
    groups = attributes.get("groups", 1)
    cells = windows(x, kernel.shape[:2], attributes, 0.0, (1, 1))
    per_group = [
        np.tensordot(part, weights, axes=((4, 5, 3), (0, 1, 2)))
        for part, weights in zip(
            np.split(cells, groups, axis=3),
            np.split(kernel, groups, axis=3),
            strict=True,
        )
    ]
    y = np.concatenate(per_group, axis=-1)
    return y + inputs[2] if len(inputs) > 2 else y


def dense(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """X (b, ..., in), kernel (in, units), optional bias (units,)."""
    del attributes
    y = inputs[0] @ inputs[1]
    return y + inputs[2] if len(inputs) > 2 else y


def max_pool2d(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Largest value per window; padding never wins, NaN always does."""
    size = attributes.get("pool_size", (2, 2))
    cells = windows(inputs[0], size, attributes, -np.inf, size)
    return np.asarray(cells.max(axis=(4, 5)))


def average_pool2d(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Mean of each window's real cells: padding is not counted."""
    size = attributes.get("pool_size", (2, 2))
    cells = windows(inputs[0], size, attributes, 0.0, size)
    ones = np.ones((1, *inputs[0].shape[1:3], 1), inputs[0].dtype)
    real = windows(ones, size, attributes, 0.0, size)
    return np.asarray(cells.sum(axis=(4, 5)) / real.sum(axis=(4, 5)))


def flatten(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """X (b, ...) -> (b, everything else)."""
    del attributes
    return inputs[0].reshape(inputs[0].shape[0], -1)


def reshape(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """X (b, ...) -> (b, *shape)."""
    return inputs[0].reshape(inputs[0].shape[0], *attributes["shape"])


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def activation(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """relu, tanh or sigmoid."""
    x = inputs[0]
    kind = attributes["kind"]
    if kind == "relu":
        return np.asarray(np.maximum(x, x.dtype.type(0)))
    return np.tanh(x) if kind == "tanh" else sigmoid(x)


def relu(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Keras's ReLU layer: slope below the threshold, identity, ceiling."""
    x = inputs[0]
    slope = attributes.get("negative_slope", 0.0)
    threshold = attributes.get("threshold", 0.0)
    # NaN is neither below nor above anything, so it falls through both.
    below = np.where(x <= threshold, slope * (x - threshold), x)
    ceiling = x.dtype.type(attributes.get("max_value", np.inf))
    return np.where(x > ceiling, ceiling, below).astype(x.dtype)


def softmax(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """exp(x) over its sum along `axis`."""
    x = inputs[0]
    axis = attributes.get("axis", -1)
    with np.errstate(invalid="ignore"):  # inf - inf: a row with inf is a row of NaN
        e = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


def log_probabilities(y_pred: Array, attributes: Attributes) -> Array:
    """Log-probabilities along the last axis, from logits or probabilities."""
    if attributes.get("from_logits", False):
        shifted = y_pred - y_pred.max(axis=-1, keepdims=True)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))
    p = y_pred / y_pred.sum(axis=-1, keepdims=True)
    one = y_pred.dtype.type(1)
    return np.asarray(np.log(np.clip(p, one * EPSILON, one - one * EPSILON)))


def mean_per_image(values: Array) -> Array:
    """(b, ...) -> (b,)."""
    return np.asarray(values.reshape(values.shape[0], -1).mean(axis=1))


def smoothed(y_true: Array, attributes: Attributes, target: float) -> Array:
    """Labels moved towards `target` by label_smoothing."""
    amount = attributes.get("label_smoothing", 0.0)
    return np.asarray(y_true * (1 - amount) + amount * target)


def sparse_categorical_crossentropy(
    inputs: Sequence[Array], attributes: Attributes
) -> Array:
    """y_pred (b, ..., classes), labels (b, ...) of integers."""
    logs = log_probabilities(inputs[0], attributes)
    labels = inputs[1].astype(np.int64)
    picked = np.take_along_axis(logs, labels[..., None], axis=-1)
    return mean_per_image(-picked)


def categorical_crossentropy(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """y_pred and y_true (b, ..., classes)."""
    y_true = smoothed(inputs[1], attributes, 1 / inputs[1].shape[-1])
    logs = log_probabilities(inputs[0], attributes)
    return mean_per_image(-(y_true * logs).sum(axis=-1))


def binary_crossentropy(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """y_pred and y_true (b, ...): independent yes-or-no questions."""
    y_pred = inputs[0]
    y_true = smoothed(inputs[1], attributes, 0.5)
    if attributes.get("from_logits", False):
        softplus = np.log1p(np.exp(-np.abs(y_pred)))
        return mean_per_image(np.maximum(y_pred, 0) - y_pred * y_true + softplus)
    one = y_pred.dtype.type(1)
    p = np.clip(y_pred, one * EPSILON, one - one * EPSILON)
    return mean_per_image(-(y_true * np.log(p) + (1 - y_true) * np.log(1 - p)))


def mean_squared_error(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """y_pred and y_true (b, ...)."""
    del attributes
    return mean_per_image((inputs[0] - inputs[1]) ** 2)


def mean_absolute_error(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """y_pred and y_true (b, ...)."""
    del attributes
    return mean_per_image(np.abs(inputs[0] - inputs[1]))


def sparse_categorical_accuracy(
    inputs: Sequence[Array], attributes: Attributes
) -> Array:
    """Share of rows whose largest value, the first of equals, is the label's."""
    del attributes
    hits = inputs[0].argmax(axis=-1) == inputs[1]
    return mean_per_image(hits.astype(inputs[0].dtype))


def categorical_accuracy(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """The same with one-hot labels."""
    return sparse_categorical_accuracy(
        (inputs[0], inputs[1].argmax(axis=-1)), attributes
    )


def binary_accuracy(inputs: Sequence[Array], attributes: Attributes) -> Array:
    """Share of predictions on the label's side of the threshold."""
    threshold = attributes.get("threshold", DEFAULT_THRESHOLD)
    hits = (inputs[0] > threshold).astype(inputs[0].dtype) == inputs[1]
    return mean_per_image(hits.astype(inputs[0].dtype))
