# SPDX-License-Identifier: Apache-2.0
"""Areas under curves of true and false positives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pronghorn.metrics.confusion import Counts, ratio
from pronghorn.metrics.thresholds import Thresholds

_CURVES = ("ROC", "PR", "PRGAIN")
_METHODS = ("interpolation", "minoring", "majoring")


class AUC(Thresholds):
    """Area under a curve: true against false positives, or precision against recall.

    Args:
        num_thresholds: How many thresholds the curve has.
        curve: "ROC", "PR" or "PRGAIN".
        summation_method: "interpolation" (of precision as in Davis and Goadrich), or
            rectangles that are too small, "minoring", or too large, "majoring".
        name: Name, "auc" by default.
        dtype: None or "float32".
        thresholds: Thresholds between 0 and 1, instead of `num_thresholds` even ones.
        multi_label: Whether every label (the last axis) has a curve of its own, and
            their areas are averaged.
        num_labels: Number of labels, with `multi_label` only; found if not given.
        label_weights: Weights of the labels in that average or, without `multi_label`,
            in the counts.
        from_logits: Whether the predictions are logits rather than probabilities.

    Example:
        >>> float(AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
        0.75

    Reference:
        Davis and Goadrich, The relationship between precision-recall and ROC curves,
        ICML 2006; Flach and Kull, Precision-recall-gain curves, NeurIPS 2015.
    """

    direction = "up"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: str | None = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        self.curve, self.summation_method = str(curve).upper(), summation_method.lower()
        if self.curve not in _CURVES or self.summation_method not in _METHODS:
            raise ValueError(
                f"AUC: expected a curve of {', '.join(_CURVES)} and a summation_method "
                f"of {', '.join(_METHODS)}, got {curve!r} and {summation_method!r}"
            )
        if thresholds is None and num_thresholds < 2:
            raise ValueError(
                f"AUC: expected at least 2 thresholds, got {num_thresholds}"
            )
        if num_labels and not multi_label:
            raise ValueError(
                f"AUC: expected num_labels with multi_label=True only, got {num_labels}"
            )
        inner = np.arange(1, num_thresholds - 1) / (num_thresholds - 1)
        self.thresholds = None
        if thresholds is not None:
            self.thresholds = sorted(float(one) for one in thresholds)
            inner = np.asarray(self.thresholds)
        self.num_thresholds = len(inner) + 2
        self.multi_label = bool(multi_label)
        self.num_labels = num_labels
        self.label_weights = None
        if label_weights is not None:
            self.label_weights = [float(one) for one in label_weights]
        self.from_logits = bool(from_logits)
        super().__init__([-1e-7, *inner, 1 + 1e-7], name or "auc", dtype)

    def count(self, truth: Any, prediction: Any, weights: Counts) -> None:
        """Adds samples: arrays (samples, ...), weights that broadcast to them."""
        self._check(prediction.shape)
        if self.from_logits:
            with np.errstate(over="ignore"):
                prediction = 1 / (1 + np.exp(-prediction))
        labels = prediction.shape[-1] if self.multi_label else 1
        if self.label_weights is not None and not self.multi_label:
            weights = weights * self.label_weights
        weights = np.broadcast_to(weights, truth.shape)
        self.add(truth, np.clip(prediction, 0, 1), weights, labels)

    def _check(self, shape: tuple[int, ...]) -> None:
        if self.multi_label and (
            len(shape) != 2 or self.num_labels not in (None, shape[-1])
        ):
            expected = "labels" if self.num_labels is None else self.num_labels
            raise ValueError(
                f"{self.name}: expected predictions (samples, {expected}), got {shape}"
            )
        if self.label_weights is not None and len(self.label_weights) != shape[-1]:
            raise ValueError(
                f"{self.name}: expected {shape[-1]} label_weights for predictions of "
                f"shape {shape}, got {len(self.label_weights)}"
            )

    def result(self) -> np.float32:
        """The area; with `multi_label` the mean of the labels'."""
        areas = self._areas()
        if self.multi_label and self.label_weights is not None:
            weights = np.asarray(self.label_weights)
            return np.float32(ratio((areas * weights).sum(), weights.sum()))
        return np.float32(areas.mean())

    def _areas(self) -> Counts:
        hits, alarms, rejections, misses = self._counts
        if self.curve == "PR" and self.summation_method == "interpolation":
            return _interpolated(hits, alarms, misses)
        recall = ratio(hits, hits + misses)
        if self.curve == "ROC":
            x, y = ratio(alarms, alarms + rejections), recall
        elif self.curve == "PR":
            x, y = recall, ratio(hits, hits + alarms)
        else:
            odds = ratio(hits + misses, rejections + alarms)
            x = np.where(hits == 0, 0, np.maximum(1 - odds * ratio(misses, hits), 0))
            y = np.where(hits == 0, 1, 1 - odds * ratio(alarms, hits))
        heights = {
            "interpolation": (y[:-1] + y[1:]) / 2,
            "minoring": np.minimum(y[:-1], y[1:]),
            "majoring": np.maximum(y[:-1], y[1:]),
        }[self.summation_method]
        return np.asarray(((x[:-1] - x[1:]) * heights).sum(axis=0))


def _interpolated(hits: Counts, alarms: Counts, misses: Counts) -> Counts:
    """Under precision, hits and alarms being linear between thresholds."""
    predicted = hits + alarms
    gained = hits[:-1] - hits[1:]
    slope = ratio(gained, np.maximum(predicted[:-1] - predicted[1:], 0))
    start = hits[1:] - slope * predicted[1:]
    both = (predicted[:-1] > 0) & (predicted[1:] > 0)
    steps = np.where(both, ratio(predicted[:-1], predicted[1:]), 1.0)
    parts = slope * (gained + start * np.log(steps))
    return np.asarray(ratio(parts, hits[1:] + misses[1:]).sum(axis=0))
