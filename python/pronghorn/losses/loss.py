# SPDX-License-Identifier: Apache-2.0
"""Loss: base class of losses.

The formula is an op of the core, whether the loss is part of a training step or is
called on arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pronghorn import eager, registry, tracing
from pronghorn.totals import Total
from pronghorn.training import data
from pronghorn.utils.naming import auto_name

if TYPE_CHECKING:
    from pronghorn.layers.lowering import GraphBuilder

Array = NDArray[np.float32]

REDUCTIONS = (
    "sum_over_batch_size",
    "sum",
    "mean",
    "mean_with_sample_weight",
    "none",
    None,
)


class Loss:
    """Base class of losses.

    A loss of one's own overrides `call(y_true, y_pred)`, written in `pronghorn.ops`.

    Args:
        name: Name.
        reduction: How the values of the samples become one: "sum_over_batch_size" (or
            "mean") divides their weighted sum by their number,
            "mean_with_sample_weight" by the sum of the weights, "sum" by nothing;
            "none" leaves them, for calls on arrays only.
        dtype: None or "float32".
    """

    op = ""  # of the core
    kind = ""  # the op's attribute of that name, where it has one
    target = "values"  # a kind of training.data.as_target, or "nothing"
    axis: Any = -1
    ignore_class: int | None = None
    whole_batch = False  # one value, the same for every image
    per_sample = False  # its rows have no weights of their own

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: str | None = None,
    ) -> None:
        kind = type(self).__name__
        if reduction not in REDUCTIONS:
            raise ValueError(
                f"{kind}: expected `reduction` to be one of "
                f"{', '.join(map(str, REDUCTIONS))}, got {reduction!r}"
            )
        if dtype not in (None, "float32"):
            raise ValueError(f"{kind}: expected dtype float32, got {dtype!r}")
        self.name = name or self.kind or self.op or auto_name(kind)
        self.reduction = reduction
        self.dtype = "float32"

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return {"kind": self.kind} if self.kind else {}

    def core_reduction(self, weighted: bool) -> str:
        """The core's name of the reduction, for samples with or without weights."""
        if self.whole_batch and weighted and not self.op:
            raise ValueError(
                f"{self.name}: expected one value per sample, which sample_weight can "
                "weigh, got a sum or mean over the whole batch; reduce axes from 1 on"
            )
        if self.reduction == "mean" or (self.whole_batch and not weighted):
            return "sum_over_batch_size"
        return str(self.reduction)

    def lower(
        self, graph: GraphBuilder, y_pred: int, y_true: int, weights: int = -1
    ) -> int:
        """Records the op, or `call`; returns a tensor of one value per image.

        Args:
            graph: Where to record.
            y_pred: The predictions.
            y_true: The truth.
            weights: Weights of the rows of an image, -1 if there are none.
        """
        if not self.op:
            return self._record_call(graph, y_pred, y_true, weights)
        tensors = [y_pred, y_true]
        rank = len(graph.shape(y_pred))
        if isinstance(self.axis, int) and self.axis not in (-1, rank - 1):
            tensors = [self._classes_last(graph, tensor, rank) for tensor in tensors]
        tensors += [weights] if weights >= 0 else []
        return graph.add(self.op, tensors, **self.attributes())

    def _record_call(
        self, graph: GraphBuilder, y_pred: int, y_true: int, weights: int
    ) -> int:
        def call(y_true: Any, y_pred: Any) -> Any:
            found = self.call(y_true, y_pred)
            self.whole_batch = isinstance(found, Total)
            return found.per_image if isinstance(found, Total) else found

        call.__name__ = self.name
        kind = "sum" if self.reduction == "sum" and weights < 0 else "mean"
        return tracing.record(graph, call, [y_true, y_pred], kind, weights)

    def _classes_last(self, graph: GraphBuilder, tensor: int, rank: int) -> int:
        if len(graph.shape(tensor)) < rank:
            return tensor  # class numbers have no such axis
        if not -rank < self.axis < rank or self.axis == 0:
            raise ValueError(
                f"{type(self).__name__}: expected `axis` to be an axis behind the "
                f"batch's of {rank} axes, got {self.axis}"
            )
        axis = self.axis % rank
        order = [*(at for at in range(rank) if at != axis), axis]
        return graph.add("transpose", [tensor], axes=order)

    def call(self, y_true: Any, y_pred: Any) -> Array:
        """Values of the samples: the predictions' shape without the last axis."""
        if not self.op:
            raise NotImplementedError(f"{type(self).__name__} has no `call`")
        return rowwise(
            self.op,
            self.target,
            y_true,
            y_pred,
            axis=self.axis,
            ignored=self.ignore_class,
            **self.attributes(),
        )

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> np.float32 | Array:
        """The loss of predictions given as arrays.

        Args:
            y_true: The truth.
            y_pred: The predictions.
            sample_weight: Weights of the samples.
        """
        return reduce(self.values(y_true, y_pred), sample_weight, self.reduction)

    def values(self, y_true: Any, y_pred: Any) -> Array:
        """What `call` gives for arrays."""
        if not self.op:
            y_true, y_pred = (
                eager.as_float(y, f"{self.name}: {what}")
                for y, what in ((y_true, "y_true"), (y_pred, "y_pred"))
            )
        return np.asarray(self.call(y_true, y_pred), np.float32)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal loss."""
        return registry.get_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        """A loss from the dict of `get_config`."""
        return registry.from_config(cls, config)


class FunctionLoss(Loss):
    """A loss that is a function of one's own.

    Args:
        function: Takes `y_true` and `y_pred`, gives one value per sample, or several
            that are averaged; written in `pronghorn.ops`.
        reduction: See `Loss`.
        name: Name, the function's by default.
        dtype: None or "float32".
    """

    def __init__(
        self,
        function: Callable[[Any, Any], Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        label = getattr(function, "__name__", type(function).__name__)
        super().__init__(name or label, reduction, dtype)
        self.function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The function's values."""
        return self.function(y_true, y_pred)


class PlainLoss(Loss):
    """Base class of the losses without arguments of their own."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


def rowwise(
    op: str,
    target: str,
    y_true: Any,
    y_pred: Any,
    axis: int = -1,
    ignored: int | None = None,
    **attributes: Any,
) -> Array:
    """An op of the core with one value per row of predictions, along `axis`."""
    prediction = eager.as_float(y_pred, f"{op}: y_pred")
    if prediction.ndim == 1 and np.shape(y_true) == (len(prediction), 1):
        prediction = prediction[:, np.newaxis]  # as Keras
    if not -prediction.ndim <= axis < prediction.ndim:
        raise ValueError(
            f"{op}: expected y_pred with an axis {axis}, got shape {prediction.shape}"
        )
    if target == "values" and axis not in (-1, prediction.ndim - 1):
        y_true = np.moveaxis(eager.as_float(y_true, f"{op}: y_true"), axis, -1)
    prediction = np.ascontiguousarray(np.moveaxis(prediction, axis, -1))
    truth = data.as_target(y_true, target, prediction.shape, f"{op}: y_true", ignored)
    rows = prediction.reshape(-1, prediction.shape[-1])
    truth = truth.reshape(rows.shape if target == "values" else rows.shape[:1])
    return eager.run_op(op, [rows, truth], **attributes).reshape(prediction.shape[:-1])


def reduce(
    values: Array, sample_weight: Any, reduction: str | None
) -> np.float32 | Array:
    """One value from many, by Keras's rules."""
    total = float(values.size)
    if sample_weight is not None:
        weights = eager.as_float(sample_weight, "sample_weight")
        if weights.ndim == values.ndim + 1 and weights.shape[-1] == 1:
            weights = weights[..., 0]
        if weights.shape not in ((), values.shape):
            raise ValueError(
                f"sample_weight: expected shape {values.shape}, got {weights.shape}"
            )
        values = values * weights
        if reduction == "mean_with_sample_weight":
            total = float(weights.sum())
    if reduction in (None, "none"):
        return values
    summed = float(values.sum(dtype=np.float64))
    if reduction != "sum":
        summed = summed / total if total else 0.0
    result: np.float32 = np.float32(summed)
    return result
