# SPDX-License-Identifier: Apache-2.0
"""Metrics that are no means over samples: they count over all samples first.

In `fit` and `evaluate` the core hands out the predictions and the counting is NumPy's,
so these cost time where the others do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronghorn import eager
from pronghorn.metrics.metric import Metric
from pronghorn.training import data

Counts = NDArray[np.float64]


class CountingMetric(Metric):
    """Base class: `count` adds samples to counts, `result` reads them."""

    on_host = True

    def count(self, truth: Any, prediction: Any, weights: Counts) -> None:
        """Adds samples: arrays (samples, ...), weights that broadcast to them."""
        raise NotImplementedError

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds samples.

        Args:
            y_true: The truth.
            y_pred: The predictions.
            sample_weight: Weights of the samples.
        """
        prediction = eager.as_float(y_pred, f"{self.name}: y_pred")
        truth = data.as_target(
            y_true, self.target, prediction.shape, f"{self.name}: y_true"
        )
        self.count(truth, prediction, self._weights(sample_weight, prediction.shape))

    def _weights(self, value: Any, shape: tuple[int, ...]) -> Counts:
        """Weights that broadcast to predictions: of samples, rows or numbers."""
        if value is None:
            return np.ones((shape[0], *[1] * (len(shape) - 1)))
        given = np.asarray(value, np.float64)
        if given.ndim == 2 and given.shape[1] == 1 and len(shape) == 1:
            given = given[:, 0]
        if given.ndim > len(shape) or given.shape != shape[: given.ndim]:
            given = np.broadcast_to(given, shape[:1])
        return given.reshape(*given.shape, *[1] * (len(shape) - given.ndim))


class _Thresholds(CountingMetric):
    """Base class: true and false positives and negatives at thresholds."""

    def __init__(
        self, thresholds: Sequence[float], name: str, dtype: str | None
    ) -> None:
        self._at = np.asarray(thresholds, np.float32)
        super().__init__(name, dtype)

    def reset_state(self) -> None:
        """Forgets all samples."""
        self._counts = np.zeros((4, len(self._at)))

    def count(self, truth: Any, prediction: Any, weights: Counts) -> None:
        """Adds samples: arrays (samples, ...), weights that broadcast to them."""
        each = np.broadcast_to(weights, truth.shape).ravel()
        positive = truth.ravel() > 0
        for i, threshold in enumerate(self._at):
            predicted = prediction.ravel() > threshold
            for row, (is_true, is_predicted) in enumerate(
                ((True, True), (False, True), (False, False), (True, False))
            ):
                chosen = (positive == is_true) & (predicted == is_predicted)
                self._counts[row, i] += each[chosen].sum()


class _AtThresholds(_Thresholds):
    """Base class of Precision and Recall."""

    others = 1  # row of the counts that the true positives are compared with

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: None = None,
        class_id: None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        kind = type(self).__name__
        if top_k is not None or class_id is not None:
            raise ValueError(
                f"{kind}: `top_k` and `class_id` are not supported, expected None"
            )
        self.thresholds = thresholds
        self.top_k = self.class_id = None
        single = thresholds is None or isinstance(thresholds, int | float)
        self._single = single
        listed = [0.5 if thresholds is None else thresholds] if single else thresholds
        super().__init__(listed, name or kind.lower(), dtype)  # type: ignore[arg-type]

    def result(self) -> Any:
        """A number, or one for each threshold."""
        ratio = _ratio(self._counts[0], self._counts[0] + self._counts[self.others])
        values = ratio.astype(np.float32)
        return values[0] if self._single else values


class Precision(_AtThresholds):
    """Share of the predicted positives that are positive.

    Args:
        thresholds: Predictions above mean positive, 0.5 by default; or a list of them.
        top_k: None.
        class_id: None.
        name: Name, "precision" by default.
        dtype: None or "float32".

    Example:
        >>> float(Precision()([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0])).__round__(4)
        0.6667
    """


class Recall(_AtThresholds):
    """Share of the positives that are predicted.

    Args:
        thresholds: Predictions above mean positive, 0.5 by default; or a list of them.
        top_k: None.
        class_id: None.
        name: Name, "recall" by default.
        dtype: None or "float32".

    Example:
        >>> float(Recall()([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0])).__round__(4)
        0.6667
    """

    others = 3


class AUC(_Thresholds):
    """Area under the curve of true against false positives, or precision and recall.

    Args:
        num_thresholds: How many thresholds the curve has.
        curve: "ROC" or "PR".
        name: Name.
        dtype: None or "float32".

    Example:
        >>> float(AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
        0.75

    Reference:
        Davis and Goadrich, The relationship between precision-recall and ROC curves,
        ICML 2006 (how precision is interpolated).
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        name: str = "auc",
        dtype: str | None = None,
    ) -> None:
        if num_thresholds < 2 or curve not in ("ROC", "PR"):
            raise ValueError(
                "AUC: expected at least 2 thresholds and curve ROC or PR, got "
                f"num_thresholds={num_thresholds}, curve={curve!r}"
            )
        self.num_thresholds = num_thresholds
        self.curve = curve
        inner = np.arange(1, num_thresholds - 1) / (num_thresholds - 1)
        super().__init__([-1e-7, *inner, 1 + 1e-7], name, dtype)

    def result(self) -> np.float32:
        """The area."""
        hits, alarms, rejections, misses = self._counts
        if self.curve == "ROC":
            x, y = _ratio(alarms, alarms + rejections), _ratio(hits, hits + misses)
            area = ((x[:-1] - x[1:]) * (y[:-1] + y[1:]) / 2).sum()
            return np.float32(area)
        predicted = hits + alarms
        gained = hits[:-1] - hits[1:]
        slope = _ratio(gained, np.maximum(predicted[:-1] - predicted[1:], 0))
        start = hits[1:] - slope * predicted[1:]
        both = (predicted[:-1] > 0) & (predicted[1:] > 0)
        ratio = np.where(both, _ratio(predicted[:-1], predicted[1:]), 1.0)
        parts = slope * (gained + start * np.log(ratio))
        return np.float32(_ratio(parts, hits[1:] + misses[1:]).sum())


class F1Score(CountingMetric):
    """Harmonic mean of precision and recall, per class.

    Args:
        average: None for one number per class, "micro", "macro" or "weighted" (by the
            classes' numbers).
        threshold: Predictions above it are positive; None: the largest of a row is.
        name: Name.
        dtype: None or "float32".

    Input shape:
        `(batch, classes)` both

    Example:
        >>> metric = F1Score(average="macro")
        >>> float(metric([[1, 0], [0, 1]], [[0.9, 0.1], [0.6, 0.4]])).__round__(4)
        0.3333
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str = "f1_score",
        dtype: str | None = None,
    ) -> None:
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(
                "F1Score: expected `average` None, micro, macro or weighted, got "
                f"{average!r}"
            )
        self.average = average
        self.threshold = threshold
        super().__init__(name, dtype)

    def reset_state(self) -> None:
        """Forgets all samples."""
        self._counts: Counts = np.zeros((3, 1))  # hits, false alarms, misses

    def count(self, truth: Any, prediction: Any, weights: Counts) -> None:
        """Adds samples: arrays (samples, classes), weights that broadcast to them."""
        if truth.ndim != 2:
            raise ValueError(
                f"{self.name}: expected arrays (batch, classes), got {truth.shape}"
            )
        if self.threshold is None:
            best = prediction.max(axis=-1, keepdims=True)
            chosen = (prediction == best) & (np.abs(prediction) > 1e-12)
        else:
            chosen = prediction > self.threshold
        axis = (0, 1) if self.average == "micro" else 0
        counts = [
            (part * weights).sum(axis=axis)
            for part in (chosen * truth, chosen * (1 - truth), ~chosen * truth)
        ]
        self._counts = self._counts + np.reshape(counts, (3, -1))

    def result(self) -> Any:
        """A number, or one for each class."""
        hits, alarms, misses = self._counts
        precision, recall = _ratio(hits, hits + alarms), _ratio(hits, hits + misses)
        scores = _ratio(2 * precision * recall, precision + recall)
        if self.average is None:
            return scores.astype(np.float32)
        if self.average == "weighted":
            return np.float32(scores @ _ratio(hits + misses, (hits + misses).sum()))
        return np.float32(scores.mean())


def _ratio(a: Any, b: Any) -> Counts:
    """The quotient, 0 where b is 0."""
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    return np.asarray(np.divide(a, b, out=np.zeros(a.shape), where=b != 0))
