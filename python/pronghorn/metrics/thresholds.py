# SPDX-License-Identifier: Apache-2.0
"""Metrics of true and false positives and negatives at thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronghorn.metrics.confusion import CountingMetric, Counts, ratio

Given = float | Sequence[float] | None


class Thresholds(CountingMetric):
    """Base class: counts at thresholds, (4, thresholds, labels).

    The rows are true positives, false positives, true negatives, false negatives.
    """

    top_k: int | None = None
    class_id: int | None = None

    def __init__(
        self, thresholds: Sequence[float], name: str, dtype: str | None
    ) -> None:
        self._at = np.asarray(thresholds, np.float32)
        super().__init__(name, dtype)

    def reset_state(self) -> None:
        """Forgets all samples."""
        self._counts: Counts = np.zeros((4, len(self._at), 1))

    def count(self, truth: Any, prediction: Any, weights: Counts) -> None:
        """Adds samples: arrays (samples, ...), weights that broadcast to them."""
        if self.top_k is not None:
            prediction = _of_the_top(prediction, self.top_k)
        if self.class_id is not None:
            classes = prediction.shape[-1]
            if prediction.ndim < 2 or not -classes <= self.class_id < classes:
                raise ValueError(
                    f"{self.name}: expected predictions (samples, classes) with a "
                    f"class {self.class_id}, got shape {prediction.shape}"
                )
            truth, prediction = (
                y[..., self.class_id, None] for y in (truth, prediction)
            )
        self.add(truth, prediction, np.broadcast_to(weights, truth.shape), 1)

    def add(self, truth: Any, prediction: Any, weights: Any, labels: int) -> None:
        """Adds numbers to the counts of `labels` labels, their last axis."""
        order = np.argsort(self._at, kind="stable")
        thresholds = len(order)
        flat = prediction.reshape(-1, labels)
        # How many thresholds a prediction is above; NaN is above none.
        passed = np.searchsorted(self._at[order], flat.ravel(), side="left")
        passed[np.isnan(flat.ravel())] = 0
        places = passed.reshape(flat.shape) * labels + np.arange(labels)
        sums = []
        for positive in (truth > 0, ~(truth > 0)):
            each = np.where(positive, weights, 0.0)
            found = np.bincount(
                places.ravel(), each.ravel(), minlength=(thresholds + 1) * labels
            ).reshape(thresholds + 1, labels)
            above = found[::-1].cumsum(axis=0)[::-1]  # at least so many thresholds
            sums.append((above[1:], above[:1] - above[1:]))
        (hits, misses), (alarms, rejections) = sums
        moved = np.empty((4, thresholds, labels))
        moved[:, order] = [hits, alarms, rejections, misses]
        self._counts = self._counts + moved


def _of_the_top(prediction: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """The k largest of every row; the others are below all thresholds."""
    best = np.argsort(-prediction, axis=-1, kind="stable")[..., :k]
    kept = np.full_like(prediction, -np.inf)
    np.put_along_axis(kept, best, np.take_along_axis(prediction, best, -1), axis=-1)
    return kept


class _AtThresholds(Thresholds):
    """Base class: a number for each of the thresholds that a user chooses."""

    default = 0.5

    def __init__(self, thresholds: Given, name: str | None, dtype: str | None) -> None:
        given = self.default if thresholds is None else thresholds
        listed = [float(one) for one in np.atleast_1d(np.asarray(given, float))]
        if thresholds is not None and not all(0 <= one <= 1 for one in listed):
            raise ValueError(
                f"{type(self).__name__}: expected thresholds from 0 to 1, got "
                f"{thresholds!r}"
            )
        self.thresholds = thresholds
        super().__init__(listed, name or _snake(type(self).__name__), dtype)

    def quotients(self) -> Counts:
        """The numbers, one for each threshold."""
        raise NotImplementedError

    def result(self) -> Any:
        """A number, or one for each threshold."""
        found = self.quotients().astype(np.float32)
        return found[0] if len(found) == 1 else found


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


class _Count(_AtThresholds):
    """Base class: one of the four counts."""

    row = 0

    def __init__(
        self,
        thresholds: Given = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(thresholds, name, dtype)

    def quotients(self) -> Counts:
        """The counts, one for each threshold."""
        return self._counts[self.row, :, 0]


class TruePositives(_Count):
    """Number, or weight, of the positives that are predicted.

    Args:
        thresholds: Predictions above mean positive, 0.5 by default; or a list of them.
        name: Name, "true_positives" by default.
        dtype: None or "float32".

    Example:
        >>> float(TruePositives()([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0]))
        2.0
    """


class FalsePositives(_Count):
    """Number, or weight, of the predicted positives that are none.

    Args:
        thresholds: Predictions above mean positive, 0.5 by default; or a list of them.
        name: Name, "false_positives" by default.
        dtype: None or "float32".

    Example:
        >>> float(FalsePositives()([0, 1, 0, 0], [0.0, 0.0, 1.0, 1.0]))
        2.0
    """

    row = 1


class TrueNegatives(_Count):
    """Number, or weight, of the negatives that are predicted.

    Args:
        thresholds: Predictions above mean positive, 0.5 by default; or a list of them.
        name: Name, "true_negatives" by default.
        dtype: None or "float32".

    Example:
        >>> float(TrueNegatives()([0, 1, 0, 0], [1.0, 1.0, 0.0, 0.0]))
        2.0
    """

    row = 2


class FalseNegatives(_Count):
    """Number, or weight, of the predicted negatives that are none.

    Args:
        thresholds: Predictions above mean positive, 0.5 by default; or a list of them.
        name: Name, "false_negatives" by default.
        dtype: None or "float32".

    Example:
        >>> float(FalseNegatives()([0, 1, 1, 1], [0.0, 1.0, 0.0, 0.0]))
        2.0
    """

    row = 3


class _Quotient(_AtThresholds):
    """Base class of Precision and Recall."""

    direction = "up"
    others = 1  # row of the counts that the true positives are compared with

    def __init__(
        self,
        thresholds: Given = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        if top_k is not None and top_k < 1:
            raise ValueError(
                f"{type(self).__name__}: expected top_k of at least 1, got {top_k}"
            )
        self.top_k = top_k
        self.class_id = class_id
        if top_k is not None:
            self.default = -1e10  # all of the top
        super().__init__(thresholds, name, dtype)

    def quotients(self) -> Counts:
        """The quotients, one for each threshold."""
        counts = self._counts[:, :, 0]
        return ratio(counts[0], counts[0] + counts[self.others])


class Precision(_Quotient):
    """Share of the predicted positives that are positive.

    Args:
        thresholds: Predictions above mean positive, 0.5 by default; or a list of them.
        top_k: Only the k largest predictions of a row can be positive, and without
            `thresholds` all of them are.
        class_id: The only class that counts; None: all do.
        name: Name, "precision" by default.
        dtype: None or "float32".

    Example:
        >>> float(Precision()([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0])).__round__(4)
        0.6667
    """


class Recall(_Quotient):
    """Share of the positives that are predicted.

    Args:
        thresholds: Predictions above mean positive, 0.5 by default; or a list of them.
        top_k: Only the k largest predictions of a row can be positive, and without
            `thresholds` all of them are.
        class_id: The only class that counts; None: all do.
        name: Name, "recall" by default.
        dtype: None or "float32".

    Example:
        >>> float(Recall()([0, 1, 1, 1], [1.0, 0.0, 1.0, 1.0])).__round__(4)
        0.6667
    """

    others = 3


class _AtBest(Thresholds):
    """Base class: the best of one quotient where another is large enough."""

    direction = "up"
    needed = ""
    wanted = ""

    def __init__(
        self,
        value: float,
        num_thresholds: int,
        class_id: int | None,
        name: str | None,
        dtype: str | None,
    ) -> None:
        kind = type(self).__name__
        if not 0 <= value <= 1 or num_thresholds < 1:
            raise ValueError(
                f"{kind}: expected {self.needed} from 0 to 1 and at least 1 threshold, "
                f"got {value} and {num_thresholds}"
            )
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        self._value = value
        spaced = np.linspace(0, 1, num_thresholds) if num_thresholds > 1 else [0.5]
        super().__init__(list(spaced), name or _snake(kind), dtype)

    def result(self) -> np.float32:
        """The largest of the wanted quotient, 0 if nothing will do."""
        hits, alarms, rejections, misses = self._counts[..., 0]
        quotients = {
            "precision": ratio(hits, hits + alarms),
            "recall": ratio(hits, hits + misses),
            "sensitivity": ratio(hits, hits + misses),
            "specificity": ratio(rejections, rejections + alarms),
        }
        enough = quotients[self.needed].astype(np.float32) >= np.float32(self._value)
        return np.float32(np.where(enough, quotients[self.wanted], 0).max(initial=0))


class SensitivityAtSpecificity(_AtBest):
    """The best sensitivity (recall) at a specificity of at least a value.

    Args:
        specificity: The value, from 0 to 1.
        num_thresholds: How many thresholds are tried.
        class_id: The only class that counts; None: all do.
        name: Name, "sensitivity_at_specificity" by default.
        dtype: None or "float32".

    Example:
        >>> metric = SensitivityAtSpecificity(0.5)
        >>> float(metric([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
        0.5
    """

    needed, wanted = "specificity", "sensitivity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        self.specificity = specificity
        super().__init__(specificity, num_thresholds, class_id, name, dtype)


class SpecificityAtSensitivity(_AtBest):
    """The best specificity at a sensitivity (recall) of at least a value.

    Args:
        sensitivity: The value, from 0 to 1.
        num_thresholds: How many thresholds are tried.
        class_id: The only class that counts; None: all do.
        name: Name, "specificity_at_sensitivity" by default.
        dtype: None or "float32".

    Example:
        >>> metric = SpecificityAtSensitivity(0.5)
        >>> round(float(metric([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])), 4)
        0.6667
    """

    needed, wanted = "sensitivity", "specificity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        self.sensitivity = sensitivity
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)


class PrecisionAtRecall(_AtBest):
    """The best precision at a recall of at least a value.

    Args:
        recall: The value, from 0 to 1.
        num_thresholds: How many thresholds are tried.
        class_id: The only class that counts; None: all do.
        name: Name, "precision_at_recall" by default.
        dtype: None or "float32".

    Example:
        >>> metric = PrecisionAtRecall(0.5)
        >>> float(metric([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
        0.5
    """

    needed, wanted = "recall", "precision"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        self.recall = recall
        super().__init__(recall, num_thresholds, class_id, name, dtype)


class RecallAtPrecision(_AtBest):
    """The best recall at a precision of at least a value.

    Args:
        precision: The value, from 0 to 1.
        num_thresholds: How many thresholds are tried.
        class_id: The only class that counts; None: all do.
        name: Name, "recall_at_precision" by default.
        dtype: None or "float32".

    Example:
        >>> metric = RecallAtPrecision(0.8)
        >>> float(metric([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
        0.5
    """

    needed, wanted = "precision", "recall"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        self.precision = precision
        super().__init__(precision, num_thresholds, class_id, name, dtype)
