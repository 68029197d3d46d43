# SPDX-License-Identifier: Apache-2.0
"""Metric: what all metrics have; means over samples, Keras's way of weighing them.

In `fit` and `evaluate` the core sums up means along with the loss; outside,
`update_state` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from pronghorn import eager, initializers, registry
from pronghorn.initializers import InitializerLike
from pronghorn.losses.loss import FunctionLoss, Loss, rowwise
from pronghorn.utils.naming import auto_name
from pronghorn.variable import Variable

if TYPE_CHECKING:
    from pronghorn.layers.lowering import GraphBuilder


class Metric:
    """Base class of metrics.

    A metric of one's own makes variables in `__init__`, and overrides `update_state`,
    which changes them, and `result`. In `fit` and `evaluate` the core hands out the
    predictions of every batch for it, as arrays, which costs time.

    Args:
        name: Name; the key in the logs.
        dtype: None or "float32".

    Example:
        >>> from pronghorn import ops
        >>> class Largest(Metric):
        ...     def __init__(self, name="largest"):
        ...         super().__init__(name=name)
        ...         self.error = self.add_variable(name="error")
        ...
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         error = ops.max(ops.abs(y_true - y_pred))
        ...         self.error.assign(ops.maximum(self.error, error))
        ...
        ...     def result(self):
        ...         return self.error.numpy()
        >>> model = Sequential([Activation("linear")])
        >>> model.compile(loss="mse", metrics=[Largest()])
        >>> model.evaluate([[1.0, 2.0]], [[1.0, 5.0]], verbose=0)
        [4.5, 3.0]
    """

    by_batch = True  # outside of the core: whether it sees one batch at a time
    per_sample = False  # its rows have no weights of their own
    target = "given"  # a kind of training.data.as_target
    direction = ""  # "up" where larger is better, "down" where smaller is

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        if dtype not in (None, "float32"):
            raise ValueError(
                f"{type(self).__name__}: expected dtype float32, got {dtype!r}"
            )
        self.name = name or auto_name(type(self).__name__)
        self.dtype = "float32"
        self.variables: list[Variable] = []

    def add_variable(
        self,
        shape: Sequence[int] = (),
        initializer: InitializerLike = "zeros",
        dtype: str | None = None,
        name: str = "variable",
    ) -> Variable:
        """A variable for `update_state` to change; `reset_state` makes it zero.

        Args:
            shape: Shape.
            initializer: Initial value: a name or an initializer.
            dtype: None or "float32".
            name: Name.
        """
        made = initializers.get(initializer)
        variable = Variable(made, shape, dtype, trainable=False, name=name)
        self.variables.append(variable)
        return variable

    add_weight = add_variable

    def reset_state(self) -> None:
        """Forgets all samples: makes the variables zero."""
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape))

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Adds samples: `y_true`, `y_pred` and `sample_weight` or None."""
        raise NotImplementedError(f"{type(self).__name__} has no `update_state`")

    def result(self) -> Any:
        """The number for all samples so far."""
        raise NotImplementedError(f"{type(self).__name__} has no `result`")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Adds samples and returns the result."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return registry.get_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        """A metric from the dict of `get_config`."""
        return registry.from_config(cls, config)


class MeanMetric(Metric):
    """Base class of weighted means."""

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(name, dtype)
        MeanMetric.reset_state(self)

    def finish(self, mean: float) -> float:
        """The result, from the mean of the values."""
        return mean

    def reset_state(self) -> None:
        """Forgets all samples."""
        self._total = 0.0
        self._count = 0.0

    def add(self, values: Any, sample_weight: Any) -> None:
        """Adds values to the mean."""
        total, count = by_sample("mean", self.name, values, sample_weight)
        self._total += total
        self._count += count

    def result(self) -> np.float32:
        """The mean of all samples so far, 0 if there are none."""
        mean = self._total / self._count if self._count else 0.0
        return as_result(self.finish(mean))


class CoreMetric(MeanMetric):
    """Base class of means of what an op of the core computes."""

    op = ""  # of the core
    on_host = False  # whether `values` computes it in `fit` and `evaluate` too
    target = "values"

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return {}

    def lower(
        self, graph: GraphBuilder, y_pred: int, y_true: int, weights: int = -1
    ) -> int:
        """Records the op; returns a tensor of one value per image."""
        tensors = [y_pred, y_true, *([weights] if weights >= 0 else [])]
        return graph.add(self.op, tensors, **self.attributes())

    def values(self, y_true: Any, y_pred: Any) -> NDArray[np.float32]:
        """Values of the samples."""
        return rowwise(self.op, self.target, y_true, y_pred, **self.attributes())

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds samples to the mean."""
        self.add(self.values(y_true, y_pred), sample_weight)


def in_core(metric: Metric) -> TypeGuard[CoreMetric]:
    """Whether the core computes a metric; others are given its predictions."""
    if not isinstance(metric, CoreMetric) or metric.on_host:
        return False
    return type(metric).update_state is CoreMetric.update_state


class LossMetric(CoreMetric):
    """A loss as a metric.

    Args:
        loss: The loss; its reduction does not matter.
        name: Name.
        dtype: None or "float32".
    """

    direction = "down"

    def __init__(self, loss: Loss, name: str, dtype: str | None = None) -> None:
        super().__init__(name, dtype)
        self.loss = loss
        self.op = loss.op
        self.target = loss.target
        self.direction = "" if isinstance(loss, FunctionLoss) else self.direction
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
        return self.loss.values(y_true, y_pred)


@np.errstate(invalid="ignore")  # NaN for the mean of nothing, inf - inf
def by_sample(
    kind: str, name: str, values: Any, sample_weight: Any
) -> tuple[float, float]:
    """The sum of the samples' weighted values and that of their weights, as in Keras.

    A sample's value is the sum or mean of its own: behind the axes that the weights
    have, then behind the first.

    Args:
        kind: "sum" or "mean".
        name: How errors call the metric.
        values: A number, or an array with the samples along its first axis.
        sample_weight: None, a number, or weights of samples or of their first axes.
    """
    each = eager.as_float(values, f"{name}: values").astype(np.float64)
    if sample_weight is None:
        samples = len(each) if each.ndim else 1
        return float(_behind(kind, each, 1).sum()), float(samples)
    weights = eager.as_float(sample_weight, f"{name}: sample_weight")
    if weights.ndim == each.ndim + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    each = _behind(kind, each, weights.ndim)
    try:
        spread = np.broadcast_to(weights, each.shape).astype(np.float64)
    except ValueError:
        raise ValueError(
            f"{name}: expected sample_weight for values of shape {np.shape(values)}, "
            f"got shape {np.shape(sample_weight)}"
        ) from None
    total, count = (_behind(kind, one, 1).sum() for one in (each * spread, spread))
    return float(total), float(count)


def _behind(kind: str, values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Sums or means of the axes from `axis` on."""
    if values.ndim <= axis:
        return values
    axes = tuple(range(axis, values.ndim))
    found: NDArray[np.float64] = values.sum(axis=axes)
    return found if kind == "sum" else found / np.prod(values.shape[axis:])


def as_result(value: float) -> np.float32:
    """A result as float32: inf if it is too large."""
    with np.errstate(over="ignore"):
        return np.float32(value)
