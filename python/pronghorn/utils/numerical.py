# SPDX-License-Identifier: Apache-2.0
"""Class numbers as one-hot vectors."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_categorical(x: Any, num_classes: int | None = None) -> NDArray[np.float64]:
    """Converts class numbers to one-hot vectors.

    Args:
        x: Array-like of integers from 0 to `num_classes - 1`. A last axis of length 1
            is dropped, as in Keras.
        num_classes: Number of classes; None means `max(x) + 1`.

    Returns:
        Array of zeros and ones, one axis longer than `x`.

    Example:
        >>> to_categorical([0, 2], num_classes=3)
        array([[1., 0., 0.],
               [0., 0., 1.]])
    """
    given = np.asarray(x)
    if given.dtype.kind not in "biuf":
        raise ValueError(
            f"to_categorical: expected integer classes, got an array of {given.dtype}"
        )
    with np.errstate(invalid="ignore"):  # NaN is reported below
        labels = given.astype(np.int64)
    if given.dtype.kind == "f" and not np.array_equal(labels, given):
        raise ValueError("to_categorical: expected integer classes, got fractions")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if not num_classes:
        if labels.size == 0:
            raise ValueError("to_categorical: `num_classes` is needed for empty `x`")
        num_classes = int(labels.max()) + 1
    outside = labels[(labels < 0) | (labels >= num_classes)]
    if outside.size:
        raise ValueError(
            f"to_categorical: expected classes from 0 to {num_classes - 1}, "
            f"got {outside.flat[0]}"
        )
    one_hot = np.zeros((labels.size, num_classes))
    one_hot[np.arange(labels.size), labels.ravel()] = 1
    return one_hot.reshape((*labels.shape, num_classes))
