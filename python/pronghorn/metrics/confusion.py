# SPDX-License-Identifier: Apache-2.0
"""Metrics that are no means over samples: they count over all samples first.

In `fit` and `evaluate` the core hands out the predictions and the counting is NumPy's,
so these cost time where the others do not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronghorn import eager
from pronghorn.metrics.metric import Metric
from pronghorn.training import data

Counts = NDArray[np.float64]


class CountingMetric(Metric):
    """Base class: `count` adds samples to counts, `result` reads them."""

    by_batch = False
    target = "values"

    def __init__(self, name: str, dtype: str | None = None) -> None:
        super().__init__(name, dtype)
        self.reset_state()

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


class FBetaScore(CountingMetric):
    """Harmonic mean of precision and recall, with recall beta times as important.

    Args:
        average: None for one number per class, "micro", "macro" or "weighted" (by the
            classes' numbers).
        beta: How much more recall counts.
        threshold: Predictions above it are positive; None: the largest of a row is.
        name: Name.
        dtype: None or "float32".

    Input shape:
        `(batch, classes)` both

    Example:
        >>> metric = FBetaScore(average="macro", beta=2.0)
        >>> float(metric([[1, 0], [0, 1]], [[0.9, 0.1], [0.6, 0.4]])).__round__(4)
        0.4167
    """

    direction = "up"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str = "fbeta_score",
        dtype: str | None = None,
    ) -> None:
        kind = type(self).__name__
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(
                f"{kind}: expected `average` None, micro, macro or weighted, got "
                f"{average!r}"
            )
        if not beta > 0:
            raise ValueError(f"{kind}: expected beta above 0, got {beta}")
        self.average = average
        self.beta = float(beta)
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
        precision, recall = ratio(hits, hits + alarms), ratio(hits, hits + misses)
        square = self.beta**2
        scores = ratio((1 + square) * precision * recall, square * precision + recall)
        if self.average is None:
            return scores.astype(np.float32)
        if self.average == "weighted":
            return np.float32(scores @ ratio(hits + misses, (hits + misses).sum()))
        return np.float32(scores.mean())


class F1Score(FBetaScore):
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
        super().__init__(average, 1.0, threshold, name, dtype)


def ratio(a: Any, b: Any) -> Counts:
    """The quotient, 0 where b is 0."""
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    return np.asarray(np.divide(a, b, out=np.zeros(a.shape), where=b != 0))
