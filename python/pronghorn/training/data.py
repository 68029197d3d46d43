# SPDX-License-Identifier: Apache-2.0
"""Users' arrays: the one place where they are checked and converted.

What comes out is C-contiguous and of a type that the core reads: float32, uint8 for
images that are bytes, int32 for class numbers. An array that is so already is passed on
without a copy; no array of the caller is ever written to. NaN passes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronghorn.layers import shapes

Array = NDArray[Any]

_INT32 = (-(2**31), 2**31 - 1)


def as_numbers(x: Any, name: str) -> Array:
    """`x` as an array of real numbers with at least one axis."""
    try:
        array = np.asarray(x)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}: expected an array of numbers, {error}") from error
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name}: expected real numbers, got an array of dtype {array.dtype}"
        )
    if array.ndim == 0:
        raise ValueError(f"{name}: expected an array of samples, got the number {x!r}")
    return array


def as_feed(x: Any, name: str) -> Array:
    """An input of a model: uint8 as it is, all else as float32."""
    array = as_numbers(x, name)
    if array.dtype in (np.float32, np.uint8):
        return np.ascontiguousarray(array)
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, np.float32)


def is_ready(x: Any, expected: Sequence[int | None]) -> bool:
    """Whether `as_input` would return `x` itself."""
    return (
        type(x) is np.ndarray
        and x.dtype in (np.float32, np.uint8)
        and x.flags.c_contiguous
        and x.ndim > 0
        and shapes.fits(x.shape[1:], expected)
    )


def as_input(x: Any, expected: Sequence[int | None], name: str) -> Array:
    """An input of a model of shape (samples, *expected).

    As in Keras a last axis of size 1 is added or dropped if that makes it fit.
    """
    array = as_feed(x, name)
    wanted = tuple(expected)
    for shape in (array.shape, (*array.shape, 1)):
        if shapes.fits(shape[1:], wanted):
            return array.reshape(shape)
    if array.shape[-1] == 1 and shapes.fits(array.shape[1:-1], wanted):
        return array.reshape(array.shape[:-1])
    text = ", ".join("None" if size is None else str(size) for size in wanted)
    raise ValueError(f"{name}: expected shape (samples, {text}), got {array.shape}")


def as_target(
    y: Any,
    kind: str,
    predictions: Sequence[int],
    name: str,
    ignored: int | None = None,
) -> Array:
    """The truth for predictions of a shape.

    As in Keras a last axis of size 1 is added or dropped if that makes it fit.

    Args:
        y: The truth.
        kind: "values" or "classes" of that shape, "labels" without its last axis,
            "groups": a whole number per sample, "sequences": rows of class numbers, or
            "given": int32 for whole numbers, else float32.
        predictions: Shape of the predictions, classes last.
        name: How errors call `y`.
        ignored: A label that is allowed though it is no class.
    """
    if kind == "labels":
        return _as_labels(y, predictions, name, ignored)
    if kind == "groups":
        return _as_groups(y, predictions, name)
    if kind == "sequences":
        return _as_sequences(y, predictions, name)
    array = as_numbers(y, name)
    if kind == "given":
        if array.dtype.kind in "iu":
            return _whole(array, *_INT32, name)
        return as_feed(array, name)
    expected = tuple(predictions)
    for shape in (array.shape, (*array.shape, 1), _without_last(array.shape)):
        if shape == expected:
            with np.errstate(over="ignore"):
                return np.ascontiguousarray(array, np.float32).reshape(shape)
    raise ValueError(
        f"{name}: expected the shape of the predictions, {expected}, got {array.shape}"
        + (
            "; predictions that are scores of classes need sparse_y_pred=False"
            if kind == "classes"
            else ""
        )
    )


def _without_last(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without a last axis of size 1."""
    return shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape


def _as_labels(
    y: Any, predictions: Sequence[int], name: str, ignored: int | None
) -> Array:
    """Class numbers as int32, checked to be whole and inside the classes."""
    array = as_numbers(y, name)
    *sizes, classes = predictions
    expected = tuple(sizes)
    if array.shape == (*expected, 1):
        array = array.reshape(expected)
    if array.shape != expected:
        raise ValueError(
            f"{name}: expected class numbers of shape {expected}, got {array.shape}"
            + (
                "; for one-hot rows use categorical_crossentropy and "
                "categorical_accuracy"
                if array.shape == (*expected, classes)
                else ""
            )
        )
    wrong = (array < 0) | (array >= classes)
    if array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            wrong |= ~(array == np.floor(array))  # NaN too
    if ignored is not None:
        wrong &= array != ignored
    if wrong.any():
        index = np.unravel_index(int(wrong.argmax()), wrong.shape)
        where = int(index[0]) if len(index) == 1 else tuple(int(i) for i in index)
        raise ValueError(
            f"{name}: expected whole class numbers from 0 to {classes - 1}, got "
            f"{array[index]} at sample {where}"
        )
    return np.ascontiguousarray(array, np.int32)


def _as_groups(y: Any, predictions: Sequence[int], name: str) -> Array:
    """A whole number per sample, as int32."""
    array = as_numbers(y, name)
    samples = predictions[0]
    if array.shape not in ((samples,), (samples, 1)):
        raise ValueError(
            f"{name}: expected one class number per sample, shape ({samples},), got "
            f"{array.shape}"
        )
    return _whole(array.reshape(samples), *_INT32, name)


def _as_sequences(y: Any, predictions: Sequence[int], name: str) -> Array:
    """Rows of class numbers from 1, zeros behind them, as int32."""
    array = as_numbers(y, name)
    if len(predictions) != 3:
        raise ValueError(
            f"{name}: expected predictions of shape (samples, frames, classes), got "
            f"{tuple(predictions)}"
        )
    if array.ndim != 2 or len(array) != predictions[0]:
        raise ValueError(
            f"{name}: expected rows of class numbers, shape ({predictions[0]}, "
            f"length), got {array.shape}"
        )
    labels = _whole(array, 0, predictions[-1] - 1, name)
    behind = (labels[:, :-1] == 0) & (labels[:, 1:] != 0)
    if behind.any():
        raise ValueError(
            f"{name}: expected zeros only behind the class numbers of a row, got "
            f"{array[int(behind.any(axis=1).argmax())]}"
        )
    return labels


def _whole(array: Array, least: int, most: int, name: str) -> Array:
    """Whole numbers inside of limits, as int32."""
    with np.errstate(invalid="ignore"):
        wrong = ~((array >= least) & (array <= most) & (array == np.floor(array)))
    if wrong.any():
        raise ValueError(
            f"{name}: expected whole numbers from {least} to {most}, got "
            f"{array[wrong][0]}"
        )
    return np.ascontiguousarray(array, np.int32)


def as_weights(weights: Any, rows: Sequence[int], name: str) -> Array:
    """One weight per sample, of shape (samples,), or per row of the predictions.

    Args:
        weights: The weights.
        rows: Shape of the predictions without the axis of the loss.
        name: How errors call them.
    """
    array = as_numbers(weights, name)
    samples, expected = rows[0], tuple(rows)
    if array.shape in ((samples,), (samples, 1)):
        return np.ascontiguousarray(array.reshape(samples), np.float32)
    if array.shape not in (expected, (*expected, 1)):
        raise ValueError(
            f"{name}: expected one weight per sample, shape ({samples},)"
            + (f", or per row, shape {expected}" if len(expected) > 1 else "")
            + f", got {array.shape}"
        )
    one_each = int(np.prod(expected[1:])) == 1
    return np.ascontiguousarray(array, np.float32).reshape(
        expected[:1] if one_each else expected
    )


def class_weights(y: Any, weight_of: Mapping[int, float]) -> NDArray[np.float32]:
    """Weights of samples from weights of classes; classes not named weigh 1."""
    if not isinstance(weight_of, Mapping):
        raise ValueError(
            f"class_weight: expected a dict from classes to weights, got {weight_of!r}"
        )
    labels = as_numbers(y, "y")
    if labels.ndim > 1:
        last = labels.shape[-1]
        labels = labels[..., 0] if last == 1 else labels.argmax(axis=-1)
    if labels.ndim != 1:
        raise ValueError(
            f"class_weight: expected y to hold one class per sample, got shape "
            f"{np.shape(y)}"
        )
    classes = np.round(labels)
    weights = np.ones(len(labels), np.float32)
    for label, weight in weight_of.items():
        weights[classes == label] = as_numbers([weight], "class_weight")[0]
    return weights


def per_name(value: Any, names: Sequence[str], what: str) -> list[Any]:
    """One entry per input or output, from one, a list or a dict by name."""
    if isinstance(value, Mapping):
        if set(value) != set(names):
            raise ValueError(
                f"{what}: expected the keys {list(names)}, got {list(value)}"
            )
        return [value[name] for name in names]
    if len(names) == 1:
        if (
            isinstance(value, list | tuple)
            and len(value) == 1
            and np.ndim(value[0]) > 1
        ):
            return [value[0]]  # [x] for x
        return [value]
    if not isinstance(value, list | tuple) or len(value) != len(names):
        got = (
            f"{len(value)}" if isinstance(value, list | tuple) else type(value).__name__
        )
        raise ValueError(
            f"{what}: expected {len(names)} arrays, for {', '.join(names)}, got {got}"
        )
    return list(value)


def unpack(value: Any, what: str) -> tuple[Any, Any, Any]:
    """(x, y, sample_weight) from a tuple of one to three."""
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= 3:
        raise ValueError(
            f"{what}: expected (x, y) or (x, y, sample_weight), got "
            f"{type(value).__name__}"
        )
    x, y, weights = (*value, None, None)[:3]
    return x, y, weights
