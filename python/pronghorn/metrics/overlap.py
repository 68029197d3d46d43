# SPDX-License-Identifier: Apache-2.0
"""Intersection over union: metrics of segmentation, from a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pronghorn.metrics.confusion import CountingMetric, Counts


class _Overlap(CountingMetric):
    """Base class: a confusion matrix, and the classes whose overlap counts."""

    def __init__(
        self,
        classes: int,
        chosen: Sequence[int] | None,
        name: str,
        dtype: str | None,
    ) -> None:
        self._classes = classes
        self._chosen = list(range(classes)) if chosen is None else list(chosen)
        if any(not 0 <= one < classes for one in self._chosen):
            raise ValueError(
                f"{type(self).__name__}: expected class numbers from 0 to "
                f"{classes - 1}, got {self._chosen}"
            )
        super().__init__(name, dtype)

    def reset_state(self) -> None:
        """Forgets all samples."""
        self._matrix = np.zeros((self._classes, self._classes))

    def labels(self, truth: Any, prediction: Any) -> tuple[Any, Any]:
        """Class numbers of truth and prediction."""
        return truth.argmax(axis=-1), prediction.argmax(axis=-1)

    def count(self, truth: Any, prediction: Any, weights: Counts) -> None:
        """Adds samples: arrays (samples, ...), weights that broadcast to them."""
        true, predicted = self.labels(truth, prediction)
        each = weights[..., 0] if weights.ndim > true.ndim else weights
        each = np.broadcast_to(each, true.shape).ravel()
        pairs = (true.ravel().astype(np.int64), predicted.ravel().astype(np.int64))
        np.add.at(self._matrix, pairs, each)

    def result(self) -> np.float32:
        """The mean over the classes that were seen."""
        hits = np.diag(self._matrix)[self._chosen]
        sums = self._matrix.sum(axis=0) + self._matrix.sum(axis=1)
        union = sums[self._chosen] - hits
        seen = union > 0
        return np.float32((hits[seen] / union[seen]).mean() if seen.any() else 0.0)


class BinaryIoU(_Overlap):
    """Intersection over union of two classes, told apart by a threshold.

    Args:
        target_class_ids: The classes that count, 0 and 1.
        threshold: Predictions of at least this are of class 1.
        name: Name, "binary_io_u" by default.
        dtype: None or "float32".

    Example:
        >>> metric = BinaryIoU(threshold=0.3)
        >>> float(metric([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])).__round__(4)
        0.3333
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        self.target_class_ids = list(target_class_ids)
        self.threshold = float(threshold)
        super().__init__(2, target_class_ids, name or "binary_io_u", dtype)

    def labels(self, truth: Any, prediction: Any) -> tuple[Any, Any]:
        """Class numbers of truth and prediction."""
        return truth, prediction >= self.threshold


class OneHotIoU(_Overlap):
    """Intersection over union of chosen classes, for one-hot truths and scores.

    Args:
        num_classes: Number of classes.
        target_class_ids: The classes that count.
        name: Name, "one_hot_io_u" by default.
        dtype: None or "float32".

    Example:
        >>> metric = OneHotIoU(num_classes=2, target_class_ids=[0])
        >>> float(metric([[1, 0], [0, 1]], [[0.6, 0.4], [0.7, 0.3]]))
        0.5
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        self.num_classes = num_classes
        self.target_class_ids = list(target_class_ids)
        super().__init__(num_classes, target_class_ids, name or "one_hot_io_u", dtype)


class OneHotMeanIoU(_Overlap):
    """Mean intersection over union of all classes, for one-hot truths and scores.

    Args:
        num_classes: Number of classes.
        name: Name, "one_hot_mean_io_u" by default.
        dtype: None or "float32".

    Example:
        >>> metric = OneHotMeanIoU(num_classes=2)
        >>> float(metric([[1, 0], [0, 1]], [[0.6, 0.4], [0.3, 0.7]]))
        1.0
    """

    def __init__(
        self, num_classes: int, name: str | None = None, dtype: str | None = None
    ) -> None:
        self.num_classes = num_classes
        super().__init__(num_classes, None, name or "one_hot_mean_io_u", dtype)


class MeanIoU(_Overlap):
    """Mean intersection over union of all classes, for class numbers and scores.

    Keras's `MeanIoU(sparse_y_pred=False)`: predictions are scores of the classes.

    Args:
        num_classes: Number of classes.
        name: Name, "mean_io_u" by default.
        dtype: None or "float32".
        sparse_y_pred: False: predictions have an axis of classes.

    Example:
        >>> metric = MeanIoU(num_classes=2, sparse_y_pred=False)
        >>> float(metric([0, 1], [[0.6, 0.4], [0.3, 0.7]]))
        1.0
    """

    target = "labels"

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: str | None = None,
        sparse_y_pred: bool = False,
    ) -> None:
        if sparse_y_pred:
            raise ValueError(
                "MeanIoU: expected sparse_y_pred=False, as a model's predictions are "
                "scores and not class numbers"
            )
        self.num_classes = num_classes
        self.sparse_y_pred = False
        super().__init__(num_classes, None, name or "mean_io_u", dtype)

    def labels(self, truth: Any, prediction: Any) -> tuple[Any, Any]:
        """Class numbers of truth and prediction."""
        return truth, prediction.argmax(axis=-1)
