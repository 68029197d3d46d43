# SPDX-License-Identifier: Apache-2.0
"""Shares of right answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronghorn.metrics.metric import CoreMetric


class SparseCategoricalAccuracy(CoreMetric):
    """How often the largest prediction is that of the right class, given its number.

    Args:
        name: Name.
        dtype: None or "float32".

    Input shape:
        `y_true` `(batch, ...)` or `(batch, ..., 1)`, `y_pred` `(batch, ..., classes)`

    Output shape:
        A number.

    Example:
        >>> metric = SparseCategoricalAccuracy()
        >>> float(metric([0, 1], np.array([[0.9, 0.1], [0.7, 0.3]])))
        0.5
    """

    direction = "up"
    op = "sparse_categorical_accuracy"
    target = "labels"

    def __init__(
        self, name: str = "sparse_categorical_accuracy", dtype: str | None = None
    ) -> None:
        super().__init__(name, dtype)


class CategoricalAccuracy(CoreMetric):
    """How often the largest prediction is that of the right class, given one-hot.

    Args:
        name: Name.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., classes)` both

    Output shape:
        A number.

    Example:
        >>> metric = CategoricalAccuracy()
        >>> float(metric([[1, 0], [0, 1]], np.array([[0.9, 0.1], [0.7, 0.3]])))
        0.5
    """

    direction = "up"
    op = "categorical_accuracy"

    def __init__(
        self, name: str = "categorical_accuracy", dtype: str | None = None
    ) -> None:
        super().__init__(name, dtype)


class BinaryAccuracy(CoreMetric):
    """How often predictions are on the right side of a threshold.

    Args:
        name: Name.
        dtype: None or "float32".
        threshold: Predictions above it mean 1, others 0.

    Input shape:
        `(batch, ..., outputs)` both

    Output shape:
        A number.

    Example:
        >>> float(BinaryAccuracy()([[1], [0]], np.array([[0.7], [0.6]])))
        0.5
    """

    direction = "up"
    op = "binary_accuracy"

    def __init__(
        self,
        name: str = "binary_accuracy",
        dtype: str | None = None,
        threshold: float = 0.5,
    ) -> None:
        super().__init__(name, dtype)
        self.threshold = float(threshold)

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return {"threshold": self.threshold}


class TopKCategoricalAccuracy(CoreMetric):
    """Share of predictions whose true class is among the k most probable.

    Args:
        k: How many classes count.
        name: Name.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., classes)` both

    Output shape:
        A number.

    Example:
        >>> metric = TopKCategoricalAccuracy(k=2)
        >>> float(metric([[0, 1, 0], [0, 0, 1]], [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]))
        0.5
    """

    direction = "up"
    op = "top_k_categorical_accuracy"

    def __init__(
        self,
        k: int = 5,
        name: str = "top_k_categorical_accuracy",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, dtype)
        self.k = int(k)

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return {"k": self.k}


class SparseTopKCategoricalAccuracy(CoreMetric):
    """Share of predictions whose class number is among the k most probable.

    Args:
        k: How many classes count.
        name: Name.
        dtype: None or "float32".

    Input shape:
        `y_true` `(batch, ...)` or `(batch, ..., 1)`, `y_pred` `(batch, ..., classes)`

    Output shape:
        A number.

    Example:
        >>> metric = SparseTopKCategoricalAccuracy(k=2)
        >>> float(metric([1, 2], [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]))
        0.5
    """

    direction = "up"
    op = "sparse_top_k_categorical_accuracy"
    target = "labels"

    def __init__(
        self,
        k: int = 5,
        name: str = "sparse_top_k_categorical_accuracy",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, dtype)
        self.k = int(k)

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return {"k": self.k}


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> NDArray[np.float32]:
    """1 where the largest prediction is that of the right class number, else 0."""
    return SparseCategoricalAccuracy().values(y_true, y_pred)


def categorical_accuracy(y_true: Any, y_pred: Any) -> NDArray[np.float32]:
    """1 where the largest prediction is that of the right one-hot class, else 0."""
    return CategoricalAccuracy().values(y_true, y_pred)


def binary_accuracy(
    y_true: Any, y_pred: Any, threshold: float = 0.5
) -> NDArray[np.float32]:
    """1 where a prediction is on the right side of the threshold, else 0."""
    truth, prediction = (np.asarray(y)[..., np.newaxis] for y in (y_true, y_pred))
    return BinaryAccuracy(threshold=threshold).values(truth, prediction)


def top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5
) -> NDArray[np.float32]:
    """Values of the samples of `TopKCategoricalAccuracy`."""
    return TopKCategoricalAccuracy(k).values(y_true, y_pred)


def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5
) -> NDArray[np.float32]:
    """Values of the samples of `SparseTopKCategoricalAccuracy`."""
    return SparseTopKCategoricalAccuracy(k).values(y_true, y_pred)


FUNCTIONS: dict[Callable[..., Any], Callable[..., CoreMetric]] = {
    binary_accuracy: BinaryAccuracy,
    categorical_accuracy: CategoricalAccuracy,
    sparse_categorical_accuracy: SparseCategoricalAccuracy,
    sparse_top_k_categorical_accuracy: SparseTopKCategoricalAccuracy,
    top_k_categorical_accuracy: TopKCategoricalAccuracy,
}
