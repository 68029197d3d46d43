# SPDX-License-Identifier: Apache-2.0
"""The losses as metrics: means over all samples instead of means of batches."""

from __future__ import annotations

import math

from pronghorn import losses
from pronghorn.metrics.metric import LossMetric


class MeanSquaredError(LossMetric):
    """Mean of `losses.MeanSquaredError`.

    Args:
        name: Name.
        dtype: None or "float32".

    Example:
        >>> round(float(MeanSquaredError()([[0.0, 1.0]], [[2.0, 1.0]])), 4)
        2.0
    """

    def __init__(
        self, name: str = "mean_squared_error", dtype: str | None = None
    ) -> None:
        super().__init__(losses.MeanSquaredError(), name, dtype)


class RootMeanSquaredError(LossMetric):
    """Mean of `losses.MeanSquaredError`.

    The root of the mean over all samples.

    Args:
        name: Name.
        dtype: None or "float32".

    Example:
        >>> round(float(RootMeanSquaredError()([[0.0, 1.0]], [[2.0, 1.0]])), 4)
        1.4142
    """

    def __init__(
        self, name: str = "root_mean_squared_error", dtype: str | None = None
    ) -> None:
        super().__init__(losses.MeanSquaredError(), name, dtype)

    def finish(self, mean: float) -> float:
        """The result, from the mean of the values."""
        return math.sqrt(mean)


class MeanAbsoluteError(LossMetric):
    """Mean of `losses.MeanAbsoluteError`.

    Args:
        name: Name.
        dtype: None or "float32".

    Example:
        >>> round(float(MeanAbsoluteError()([[0.0, 1.0]], [[2.0, 1.0]])), 4)
        1.0
    """

    def __init__(
        self, name: str = "mean_absolute_error", dtype: str | None = None
    ) -> None:
        super().__init__(losses.MeanAbsoluteError(), name, dtype)


class MeanAbsolutePercentageError(LossMetric):
    """Mean of `losses.MeanAbsolutePercentageError`.

    Args:
        name: Name.
        dtype: None or "float32".

    Example:
        >>> round(float(MeanAbsolutePercentageError()([[2.0, 1.0]], [[3.0, 1.0]])), 4)
        25.0
    """

    def __init__(
        self, name: str = "mean_absolute_percentage_error", dtype: str | None = None
    ) -> None:
        super().__init__(losses.MeanAbsolutePercentageError(), name, dtype)


class MeanSquaredLogarithmicError(LossMetric):
    """Mean of `losses.MeanSquaredLogarithmicError`.

    Args:
        name: Name.
        dtype: None or "float32".

    Example:
        >>> round(float(MeanSquaredLogarithmicError()([[0.0, 1.0]], [[1.0, 1.0]])), 4)
        0.2402
    """

    def __init__(
        self, name: str = "mean_squared_logarithmic_error", dtype: str | None = None
    ) -> None:
        super().__init__(losses.MeanSquaredLogarithmicError(), name, dtype)


class LogCoshError(LossMetric):
    """Mean of `losses.LogCosh`.

    Args:
        name: Name.
        dtype: None or "float32".

    Example:
        >>> round(float(LogCoshError()([[0.0, 1.0]], [[1.0, 1.0]])), 4)
        0.2169
    """

    def __init__(self, name: str = "logcosh", dtype: str | None = None) -> None:
        super().__init__(losses.LogCosh(), name, dtype)


class Hinge(LossMetric):
    """Mean of `losses.Hinge`.

    Args:
        name: Name.
        dtype: None or "float32".

    Example:
        >>> round(float(Hinge()([[-1.0, 1.0]], [[0.5, 0.5]])), 4)
        1.0
    """

    def __init__(self, name: str = "hinge", dtype: str | None = None) -> None:
        super().__init__(losses.Hinge(), name, dtype)


class SquaredHinge(LossMetric):
    """Mean of `losses.SquaredHinge`.

    Args:
        name: Name.
        dtype: None or "float32".

    Example:
        >>> round(float(SquaredHinge()([[-1.0, 1.0]], [[0.5, 0.5]])), 4)
        1.25
    """

    def __init__(self, name: str = "squared_hinge", dtype: str | None = None) -> None:
        super().__init__(losses.SquaredHinge(), name, dtype)


class CategoricalHinge(LossMetric):
    """Mean of `losses.CategoricalHinge`.

    Args:
        name: Name.
        dtype: None or "float32".

    Example:
        >>> round(float(CategoricalHinge()([[0, 1, 0]], [[0.5, 1.0, 0.75]])), 4)
        0.75
    """

    def __init__(
        self, name: str = "categorical_hinge", dtype: str | None = None
    ) -> None:
        super().__init__(losses.CategoricalHinge(), name, dtype)


class KLDivergence(LossMetric):
    """Mean of `losses.KLDivergence`.

    Args:
        name: Name.
        dtype: None or "float32".

    Example:
        >>> round(float(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
        0.1438
    """

    def __init__(self, name: str = "kl_divergence", dtype: str | None = None) -> None:
        super().__init__(losses.KLDivergence(), name, dtype)


class Poisson(LossMetric):
    """Mean of `losses.Poisson`.

    Args:
        name: Name.
        dtype: None or "float32".

    Example:
        >>> round(float(Poisson()([[1.0, 1.0]], [[1.0, 2.0]])), 4)
        1.1534
    """

    def __init__(self, name: str = "poisson", dtype: str | None = None) -> None:
        super().__init__(losses.Poisson(), name, dtype)


class CosineSimilarity(LossMetric):
    """Mean cosine of the angle between truth and prediction.

    Args:
        name: Name.
        dtype: None or "float32".
        axis: The axis that holds the vectors.

    Example:
        >>> float(CosineSimilarity()([[0.0, 1.0]], [[0.0, 3.0]]))
        1.0
    """

    direction = "up"

    def __init__(
        self,
        name: str = "cosine_similarity",
        dtype: str | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(losses.CosineSimilarity(axis), name, dtype)
        self.axis = axis

    def finish(self, mean: float) -> float:
        """The result, from the mean of the values."""
        return -mean


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
        ignore_class: A label whose loss is 0; it counts in the mean, as in Keras.
        axis: The axis of the classes.
    """

    def __init__(
        self,
        name: str = "sparse_categorical_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        loss = losses.SparseCategoricalCrossentropy(
            from_logits, ignore_class, "sum", axis
        )
        super().__init__(loss, name, dtype)
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis
