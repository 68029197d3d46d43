# SPDX-License-Identifier: Apache-2.0
"""Losses of segmentation: how little two masks overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pronghorn import eager
from pronghorn.losses.loss import Array, Loss

Axes = int | Sequence[int] | None


class _Overlap(Loss):
    """Base class: sums over axes, the mean over the others."""

    op = "overlap_loss"
    per_sample = True

    def __init__(
        self, axis: Axes, name: str, reduction: str | None, dtype: str | None
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.axis = axis

    @property
    def axes(self) -> list[int]:
        """The axes as a list; an empty one means all."""
        if self.axis is None:
            return []
        return [self.axis] if isinstance(self.axis, int) else list(self.axis)

    @property
    def whole_batch(self) -> bool:  # type: ignore[override]
        """Whether the batch is summed over."""
        return not self.axes or 0 in self.axes

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return super().attributes() | {"axes": self.axes}

    def call(self, y_true: Any, y_pred: Any) -> Array:
        """Values over the axes that are not summed over."""
        prediction = eager.as_float(y_pred, f"{self.name}: y_pred")
        truth = eager.as_float(y_true, f"{self.name}: y_true")
        if truth.shape != prediction.shape:
            raise ValueError(
                f"{self.name}: expected y_true of shape {prediction.shape}, got "
                f"{truth.shape}"
            )
        rank = prediction.ndim
        summed = [at % rank for at in self.axes] if self.axes else list(range(rank))
        kept = [at for at in range(rank) if at not in summed]
        shape = tuple(prediction.shape[at] for at in kept)
        # Each kept position becomes an image of its own.
        size = int(np.prod([prediction.shape[at] for at in summed], dtype=np.int64))
        order = [*kept, *summed]
        rows = [
            np.ascontiguousarray(array.transpose(order)).reshape(-1, size)
            for array in (prediction, truth)
        ]
        attributes = self.attributes() | {"axes": [1]}
        values = eager.run_op(self.op, rows, **attributes)
        return values.reshape(shape)


class Dice(_Overlap):
    """`1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred))`.

    Args:
        reduction: See `Loss`.
        name: Name.
        axis: Axes to sum over; None means all, the batch too.
        dtype: None or "float32".

    Input shape:
        `(batch, ...)` both

    Output shape:
        A number, with the default reduction.

    Example:
        >>> float(Dice()([[0.0, 1.0]], [[0.5, 0.5]])).__round__(4)
        0.5

    Reference:
        Milletari et al., V-Net, 3DV 2016.
    """

    kind = "dice"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "dice",
        axis: Axes = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(axis, name, reduction, dtype)


class Tversky(_Overlap):
    """`1 - I / (I + alpha * FP + beta * FN)` of soft counts.

    As in Keras `I = sum(y_true * y_pred)`, `FP = sum(y_true * (1 - y_pred))` and
    `FN = sum((1 - y_true) * y_pred)`.

    Args:
        alpha: Weight of `FP`.
        beta: Weight of `FN`.
        reduction: See `Loss`.
        name: Name.
        axis: Axes to sum over; None means all, the batch too.
        dtype: None or "float32".

    Input shape:
        `(batch, ...)` both

    Output shape:
        A number, with the default reduction.

    Example:
        >>> float(Tversky()([[0.0, 1.0]], [[0.5, 0.5]])).__round__(4)
        0.5

    Reference:
        Salehi et al., Tversky loss function for image segmentation using 3D fully
        convolutional deep networks, 2017.
    """

    kind = "tversky"

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str = "tversky",
        axis: Axes = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(axis, name, reduction, dtype)
        self.alpha = float(alpha)
        self.beta = float(beta)

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return super().attributes() | {"alpha": self.alpha, "beta": self.beta}


def dice(y_true: Any, y_pred: Any, axis: Axes = None) -> Array:
    """Values of `Dice` over the axes that are not summed over."""
    return Dice(axis=axis).call(y_true, y_pred)


def tversky(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: Axes = None,
) -> Array:
    """Values of `Tversky` over the axes that are not summed over."""
    return Tversky(alpha, beta, axis=axis).call(y_true, y_pred)
