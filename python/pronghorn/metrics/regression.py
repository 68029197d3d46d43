# SPDX-License-Identifier: Apache-2.0
"""R2Score: how much of the truth's variance the predictions explain."""

from __future__ import annotations

from typing import Any

import numpy as np

from pronghorn.metrics.confusion import CountingMetric, Counts


class R2Score(CountingMetric):
    """Coefficient of determination: 1 is exact, 0 no better than the mean.

    Args:
        class_aggregation: "uniform_average" or "variance_weighted_average" of the
            outputs, or None for a number per output.
        num_regressors: Number of regressors that the adjusted score allows for; 0 gives
            the plain score.
        name: Name.
        dtype: None or "float32".

    Input shape:
        `(batch, outputs)` both

    Example:
        >>> metric = R2Score()
        >>> float(metric([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])).__round__(4)
        0.5714
    """

    direction = "up"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str = "r2_score",
        dtype: str | None = None,
    ) -> None:
        known = (None, "uniform_average", "variance_weighted_average")
        if class_aggregation not in known or num_regressors < 0:
            raise ValueError(
                f"R2Score: expected class_aggregation of {known} and num_regressors of "
                f"at least 0, got {class_aggregation!r} and {num_regressors}"
            )
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        super().__init__(name, dtype)

    def reset_state(self) -> None:
        """Forgets all samples."""
        self._numbers = 0
        self._sums: Counts = np.zeros((4, 1))

    def count(self, truth: Any, prediction: Any, weights: Counts) -> None:
        """Adds samples: arrays (samples, outputs), weights that broadcast to them."""
        if truth.ndim != 2:
            raise ValueError(
                f"{self.name}: expected arrays (batch, outputs), got {truth.shape}"
            )
        true, error = truth.astype(np.float64), prediction.astype(np.float64) - truth
        weighted = [one * weights for one in (np.ones_like(true), true)]
        parts = [*weighted, weighted[1] * true, error**2 * weights]
        self._sums = self._sums + np.array([part.sum(axis=0) for part in parts])
        self._numbers += truth.size

    def result(self) -> Any:
        """A number, or one for each output."""
        with np.errstate(divide="ignore", invalid="ignore"):
            weights, total, squares, residual = self._sums
            variance = squares - total * total / weights
            scores = 1 - residual / variance
            scores[np.isinf(scores)] = 0
            if self.class_aggregation == "uniform_average":
                scores = scores.mean()
            elif self.class_aggregation is not None:
                scores = (variance * scores).sum() / variance.sum()
        freedom = self._numbers - self.num_regressors - 1
        if self.num_regressors and freedom > 0:
            scores = 1 - (1 - scores) * (self._numbers - 1) / freedom
        return np.asarray(scores, np.float32)[()]
