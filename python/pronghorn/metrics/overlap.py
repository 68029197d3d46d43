# SPDX-License-Identifier: Apache-2.0
"""Intersection over union: metrics of segmentation, from a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pronghorn import eager
from pronghorn.metrics.confusion import CountingMetric, Counts
from pronghorn.training import data


class _Overlap(CountingMetric):
    """Base class: a confusion matrix, and the classes whose overlap counts."""

    direction = "up"
    ignore_class: int | None = None
    sparse_y_true = False
    sparse_y_pred = False
    axis = -1

    def __init__(
        self,
        classes: int,
        chosen: Sequence[int],
        name: str,
        dtype: str | None,
    ) -> None:
        kind = type(self).__name__
        self._classes = classes
        self._chosen = list(chosen)
        if any(not 0 <= one < classes for one in self._chosen):
            raise ValueError(
                f"{kind}: expected class numbers from 0 to {classes - 1}, got "
                f"{self._chosen}"
            )
        if self.sparse_y_pred and not self.sparse_y_true:
            raise ValueError(
                f"{kind}: expected sparse_y_pred=False where truths are one-hot rows, "
                "got True"
            )
        if self.sparse_y_pred:
            self.target = "classes"
        elif self.sparse_y_true:
            self.target = "labels"
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds samples.

        Args:
            y_true: The truth.
            y_pred: The predictions.
            sample_weight: Weights of the samples, or of their rows.
        """
        prediction = eager.as_float(y_pred, f"{self.name}: y_pred")
        if self.target != "classes":
            prediction = np.moveaxis(prediction, self.axis, -1)
        if self.target == "values" and self.axis != -1:
            y_true = np.moveaxis(np.asarray(y_true), self.axis, -1)
        shape, name = prediction.shape, f"{self.name}: y_true"
        truth = data.as_target(y_true, self.target, shape, name, self.ignore_class)
        self.count(truth, prediction, self._weights(sample_weight, shape))

    def reset_state(self) -> None:
        """Forgets all samples."""
        self._matrix = np.zeros((self._classes, self._classes))

    def labels(self, truth: Any, prediction: Any) -> tuple[Any, Any]:
        """Class numbers of truth and prediction."""
        return (
            truth if self.sparse_y_true else truth.argmax(axis=-1),
            prediction if self.sparse_y_pred else prediction.argmax(axis=-1),
        )

    def count(self, truth: Any, prediction: Any, weights: Counts) -> None:
        """Adds samples: arrays (samples, ...), weights that broadcast to them."""
        true, predicted = self.labels(truth, prediction)
        each = weights[..., 0] if weights.ndim > true.ndim else weights
        each = np.broadcast_to(each, true.shape).ravel()
        pairs = [one.ravel().astype(np.int64) for one in (true, predicted)]
        inside = (pairs[0] >= 0) & (pairs[0] < self._classes)
        inside &= (pairs[1] >= 0) & (pairs[1] < self._classes)
        if self.ignore_class is not None:
            inside &= pairs[0] != self.ignore_class
        np.add.at(self._matrix, tuple(one[inside] for one in pairs), each[inside])

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


class IoU(_Overlap):
    """Intersection over union of chosen classes: the mean over them.

    Args:
        num_classes: Number of classes.
        target_class_ids: The classes that count.
        name: Name, "io_u" by default.
        dtype: None or "float32".
        ignore_class: A label that does not count.
        sparse_y_true: Whether truths are class numbers; else rows, such as one-hot.
        sparse_y_pred: Whether predictions are class numbers; else scores of the
            classes, as those of a model mostly are.
        axis: The axis of the classes.

    Example:
        >>> metric = IoU(num_classes=2, target_class_ids=[0])
        >>> float(metric([0, 0, 1, 1], [0, 1, 0, 1])).__round__(4)
        0.3333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        self.num_classes = num_classes
        self.target_class_ids = list(target_class_ids)
        self.ignore_class = ignore_class
        self.sparse_y_true = bool(sparse_y_true)
        self.sparse_y_pred = bool(sparse_y_pred)
        self.axis = axis
        super().__init__(num_classes, target_class_ids, name or "io_u", dtype)


class MeanIoU(IoU):
    """Mean intersection over union of all classes.

    Args:
        num_classes: Number of classes.
        name: Name, "mean_io_u" by default.
        dtype: None or "float32".
        ignore_class: A label that does not count.
        sparse_y_true: Whether truths are class numbers; else rows, such as one-hot.
        sparse_y_pred: Whether predictions are class numbers; else scores of the
            classes, as those of a model mostly are.
        axis: The axis of the classes.

    Example:
        >>> metric = MeanIoU(num_classes=2, sparse_y_pred=False)
        >>> float(metric([0, 1], [[0.6, 0.4], [0.3, 0.7]]))
        1.0
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes,
            range(num_classes),
            name or "mean_io_u",
            dtype,
            ignore_class,
            sparse_y_true,
            sparse_y_pred,
            axis,
        )


class OneHotIoU(IoU):
    """Intersection over union of chosen classes, for one-hot truths and scores.

    Args:
        num_classes: Number of classes.
        target_class_ids: The classes that count.
        name: Name, "one_hot_io_u" by default.
        dtype: None or "float32".
        ignore_class: A class that does not count where it is the truth.
        sparse_y_pred: False: predictions have an axis of classes.
        axis: The axis of the classes.

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
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes,
            target_class_ids,
            name or "one_hot_io_u",
            dtype,
            ignore_class,
            False,
            sparse_y_pred,
            axis,
        )


class OneHotMeanIoU(MeanIoU):
    """Mean intersection over union of all classes, for one-hot truths and scores.

    Args:
        num_classes: Number of classes.
        name: Name, "one_hot_mean_io_u" by default.
        dtype: None or "float32".
        ignore_class: A class that does not count where it is the truth.
        sparse_y_pred: False: predictions have an axis of classes.
        axis: The axis of the classes.

    Example:
        >>> metric = OneHotMeanIoU(num_classes=2)
        >>> float(metric([[1, 0], [0, 1]], [[0.6, 0.4], [0.3, 0.7]]))
        1.0
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes,
            name or "one_hot_mean_io_u",
            dtype,
            ignore_class,
            False,
            sparse_y_pred,
            axis,
        )
