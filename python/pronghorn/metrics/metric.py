# SPDX-License-Identifier: Apache-2.0
"""Metric: a mean over samples.

In `fit` and `evaluate` the core sums it up along with the loss; outside, `update_state`
does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pronghorn import eager, registry
from pronghorn.losses.loss import Loss, rowwise

if TYPE_CHECKING:
    from pronghorn.layers.lowering import GraphBuilder


class Metric:
    """Base class of metrics.

    Args:
        name: Name; the key in the logs.
        dtype: None or "float32".
    """

    op = ""  # of the core
    on_host = False  # counted outside of the core, from its predictions
    per_sample = False  # its rows have no weights of their own
    target = "values"  # a kind of training.data.as_target

    def __init__(self, name: str, dtype: str | None = None) -> None:
        if dtype not in (None, "float32"):
            raise ValueError(
                f"{type(self).__name__}: expected dtype float32, got {dtype!r}"
            )
        self.name = name
        self.dtype = "float32"
        self.reset_state()

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return {}

    def finish(self, mean: float) -> float:
        """The result, from the mean of the values."""
        return mean

    def lower(
        self, graph: GraphBuilder, y_pred: int, y_true: int, weights: int = -1
    ) -> int:
        """Records the op; returns a tensor of one value per image."""
        tensors = [y_pred, y_true, *([weights] if weights >= 0 else [])]
        return graph.add(self.op, tensors, **self.attributes())

    def values(self, y_true: Any, y_pred: Any) -> NDArray[np.float32]:
        """Values of the samples."""
        return rowwise(self.op, self.target, y_true, y_pred, **self.attributes())

    def reset_state(self) -> None:
        """Forgets all samples."""
        self._total = 0.0
        self._count = 0.0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds samples to the mean."""
        values = self.values(y_true, y_pred)
        weights = np.ones_like(values)
        if sample_weight is not None:
            given = eager.as_float(sample_weight, f"{self.name}: sample_weight")
            if given.ndim and given.shape in (values.shape[:1], (len(values), 1)):
                values = values.reshape(len(values), -1).mean(axis=1)  # by sample
                weights = given.reshape(values.shape)
            else:
                weights = given.reshape(values.shape) if given.ndim else weights * given
        self._total += float((values * weights).sum(dtype=np.float64))
        self._count += float(weights.sum(dtype=np.float64))

    def result(self) -> np.float32:
        """The mean of all samples so far, 0 if there are none."""
        mean = self._total / self._count if self._count else 0.0
        result: np.float32 = np.float32(self.finish(mean))
        return result

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> np.float32:
        """Adds samples and returns the mean."""
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return registry.get_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        """A metric from the dict of `get_config`."""
        return registry.from_config(cls, config)


class LossMetric(Metric):
    """A loss as a metric.

    Args:
        loss: The loss; its reduction does not matter.
        name: Name.
        dtype: None or "float32".
    """

    def __init__(self, loss: Loss, name: str, dtype: str | None = None) -> None:
        super().__init__(name, dtype)
        self.loss = loss
        self.op = loss.op
        self.target = loss.target
        self.per_sample = loss.per_sample

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return self.loss.attributes()

    def lower(
        self, graph: GraphBuilder, y_pred: int, y_true: int, weights: int = -1
    ) -> int:
        """Records the loss; returns a tensor of one value per image."""
        return self.loss.lower(graph, y_pred, y_true, weights)

    def values(self, y_true: Any, y_pred: Any) -> NDArray[np.float32]:
        """Values of the samples: the predictions' shape without the last axis."""
        return self.loss.call(y_true, y_pred)
