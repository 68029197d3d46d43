# SPDX-License-Identifier: Apache-2.0
"""Mean and sum of values, for loops of one's own, and the mean of a function.

Accuracy, the share of values that are equal, is such a mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pronghorn import eager, losses, ops, registry
from pronghorn.metrics.accuracy import FUNCTIONS
from pronghorn.metrics.metric import (
    CoreMetric,
    LossMetric,
    MeanMetric,
    Metric,
    as_result,
    by_sample,
)
from pronghorn.operators import Operators
from pronghorn.training import data

if TYPE_CHECKING:
    from pronghorn.layers.lowering import GraphBuilder


class Mean(MeanMetric):
    """Weighted mean of values, such as the losses of a training loop of one's own.

    It takes values instead of truth and predictions, so `compile` refuses it.

    Args:
        name: Name.
        dtype: None or "float32".

    Input shape:
        `()` or `(batch, ...)`; a sample with several values counts as their mean

    Output shape:
        A number; 0 before the first sample, and where all weights are 0.

    Example:
        >>> metric = Mean(name="loss")
        >>> metric.update_state([1, 3, 5, 7])
        >>> float(metric.result())
        4.0
        >>> metric.reset_state()
        >>> metric.update_state([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])
        >>> float(metric.result())
        2.0
    """

    def __init__(self, name: str = "mean", dtype: str | None = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Adds values.

        Args:
            values: A number, or an array with the samples along its first axis.
            sample_weight: A number, or weights of samples or of their first axes.
        """
        self.add(values, sample_weight)


class Sum(Metric):
    """Weighted sum of values.

    It takes values instead of truth and predictions, so `compile` refuses it.

    Args:
        name: Name.
        dtype: None or "float32".

    Input shape:
        `()` or `(batch, ...)`

    Output shape:
        A number; 0 before the first sample.

    Example:
        >>> metric = Sum()
        >>> metric.update_state([1, 3, 5, 7])
        >>> metric.update_state(2, sample_weight=0.5)
        >>> float(metric.result())
        17.0
    """

    def __init__(self, name: str = "sum", dtype: str | None = None) -> None:
        super().__init__(name, dtype)
        self._total = 0.0

    def reset_state(self) -> None:
        """Forgets all values."""
        self._total = 0.0

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Adds values.

        Args:
            values: A number, or an array with the samples along its first axis.
            sample_weight: A number, or weights of samples or of their first axes.
        """
        self._total += by_sample("sum", self.name, values, sample_weight)[0]

    def result(self) -> np.float32:
        """The sum of all values so far."""
        return as_result(self._total)


class MeanMetricWrapper(CoreMetric):
    """Mean of a function of truth and predictions.

    Args:
        fn: Takes `y_true` and `y_pred`, gives one value per sample, or several that are
            averaged. A function of `pronghorn.losses` or `pronghorn.metrics`, or of
            one's own, written in `pronghorn.ops` if it is for `compile`.
        name: Name, "mean_metric_wrapper" and a number by default.
        dtype: None or "float32".
        **kwargs: Further arguments of `fn`.

    Input shape:
        What `fn` takes; the function of a pair of arrays `(batch, ...)`

    Output shape:
        A number.

    Example:
        >>> metric = MeanMetricWrapper(lambda y_true, y_pred: (y_true - y_pred) ** 2)
        >>> float(metric(np.array([[0.0, 1.0]]), np.array([[2.0, 1.0]])))
        2.0
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        name: str | None = None,
        dtype: str | None = None,
        **kwargs: Any,
    ) -> None:
        if not callable(fn):
            raise ValueError(
                f"{type(self).__name__}: expected `fn` to be a function of y_true and "
                f"y_pred, got {fn!r}"
            )
        super().__init__(name, dtype)
        self.fn = fn
        self._arguments = kwargs
        self._metric = _metric_of(fn, kwargs)
        self.target = self._metric.target
        self.per_sample = self._metric.per_sample
        self.direction = self.direction or self._metric.direction

    def lower(
        self, graph: GraphBuilder, y_pred: int, y_true: int, weights: int = -1
    ) -> int:
        """Records the function; returns a tensor of one value per image."""
        return self._metric.lower(graph, y_pred, y_true, weights)

    def values(self, y_true: Any, y_pred: Any) -> NDArray[np.float32]:
        """Values of the samples."""
        return self._metric.values(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric, the function itself among them."""
        return registry.get_config(self) | self._arguments


def _metric_of(fn: Callable[..., Any], arguments: dict[str, Any]) -> CoreMetric:
    if fn in FUNCTIONS:
        return FUNCTIONS[fn](**arguments)
    loss = fn if isinstance(fn, losses.Loss) else losses.of_function(fn, **arguments)
    return LossMetric(loss, loss.name)


def same_shape(name: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Arrays of one shape, or the tensors that are recorded."""
    if isinstance(y_pred, Operators):
        return y_true, y_pred
    prediction = eager.as_float(y_pred, f"{name}: y_pred")
    if prediction.ndim == 1 and np.shape(y_true) == (len(prediction), 1):
        prediction = prediction[:, np.newaxis]  # as Keras
    truth = data.as_target(y_true, "values", prediction.shape, f"{name}: y_true")
    return truth, prediction


def _equal(y_true: Any, y_pred: Any) -> Any:
    return ops.cast(ops.equal(*same_shape("accuracy", y_true, y_pred)), "float32")


class Accuracy(MeanMetricWrapper):
    """How often predictions equal the truth, such as class numbers.

    In `compile` the string "accuracy" means the accuracy that fits the shapes, which is
    another metric.

    Args:
        name: Name.
        dtype: None or "float32".

    Input shape:
        `(batch, ...)` both

    Output shape:
        A number.

    Example:
        >>> float(Accuracy()([1, 2, 3, 4], [0, 2, 3, 4]))
        0.75
    """

    direction = "up"

    def __init__(self, name: str = "accuracy", dtype: str | None = None) -> None:
        super().__init__(_equal, name, dtype)
