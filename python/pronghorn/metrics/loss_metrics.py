# SPDX-License-Identifier: Apache-2.0
"""The losses as metrics: means over all samples instead of means of batches."""

from __future__ import annotations

from pronghorn import losses
from pronghorn.metrics.metric import LossMetric


class MeanSquaredError(LossMetric):
    """Mean of `(y_true - y_pred) ** 2`.

    Args:
        name: Name.
        dtype: None or "float32".

    Example:
        >>> float(MeanSquaredError()([[0.0, 1.0]], [[2.0, 1.0]]))
        2.0
    """

    def __init__(
        self, name: str = "mean_squared_error", dtype: str | None = None
    ) -> None:
        super().__init__(losses.MeanSquaredError(), name, dtype)


class MeanAbsoluteError(LossMetric):
    """Mean of `abs(y_true - y_pred)`.

    Args:
        name: Name.
        dtype: None or "float32".

    Example:
        >>> float(MeanAbsoluteError()([[0.0, 1.0]], [[2.0, 1.0]]))
        1.0
    """

    def __init__(
        self, name: str = "mean_absolute_error", dtype: str | None = None
    ) -> None:
        super().__init__(losses.MeanAbsoluteError(), name, dtype)


class BinaryCrossentropy(LossMetric):
    """Mean of the binary cross-entropy.

    Args:
        name: Name.
        dtype: None or "float32".
        from_logits: Whether the predictions are logits rather than probabilities.
        label_smoothing: How far the truth is pulled to 0.5.
    """

    def __init__(
        self,
        name: str = "binary_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        loss = losses.BinaryCrossentropy(from_logits, label_smoothing)
        super().__init__(loss, name, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing


class CategoricalCrossentropy(LossMetric):
    """Mean of the cross-entropy with one-hot distributions.

    Args:
        name: Name.
        dtype: None or "float32".
        from_logits: Whether the predictions are logits rather than probabilities.
        label_smoothing: Share of the truth that is spread over all classes.
        axis: -1.
    """

    def __init__(
        self,
        name: str = "categorical_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        loss = losses.CategoricalCrossentropy(from_logits, label_smoothing, axis)
        super().__init__(loss, name, dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


class SparseCategoricalCrossentropy(LossMetric):
    """Mean of the cross-entropy with class numbers.

    Args:
        name: Name.
        dtype: None or "float32".
        from_logits: Whether the predictions are logits rather than probabilities.
        axis: -1.
    """

    def __init__(
        self,
        name: str = "sparse_categorical_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        axis: int = -1,
    ) -> None:
        loss = losses.SparseCategoricalCrossentropy(from_logits, axis=axis)
        super().__init__(loss, name, dtype)
        self.from_logits = from_logits
        self.axis = axis
