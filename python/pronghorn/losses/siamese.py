# SPDX-License-Identifier: Apache-2.0
"""Losses of Siamese networks: distances between embeddings. Keras has neither."""

from __future__ import annotations

from typing import Any

from pronghorn import eager
from pronghorn.losses.loss import Array, Loss


class ContrastiveLoss(Loss):
    """Pulls pairs that are alike together, others apart up to a margin.

    `mean((1 - y_true) * d**2 / 2 + y_true * max(margin - d, 0)**2 / 2)` over the last
    axis, where `y_pred` holds distances d between the two embeddings of a pair. As in
    the paper `y_true` is 0 for pairs that are alike and 1 for pairs that are not.

    Args:
        margin: Distance beyond which unlike pairs are left alone.
        reduction: See `Loss`.
        name: Name.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., distances)` both, often `(batch, 1)`

    Output shape:
        A number, with the default reduction.

    Example:
        >>> float(ContrastiveLoss()([[0.0], [1.0]], [[2.0], [0.5]]))
        1.0625

    Reference:
        Hadsell, Chopra and LeCun, Dimensionality reduction by learning an invariant
        mapping, CVPR 2006, equation 4.
    """

    op = "pointwise_loss"
    kind = "contrastive"

    def __init__(
        self,
        margin: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str = "contrastive_loss",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.margin = float(margin)

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return super().attributes() | {"margin": self.margin}


class TripletLoss(Loss):
    """An anchor must be nearer to its positive than to its negative, by a margin.

    `max(|a - p|**2 - |a - n|**2 + margin, 0)` for the embeddings of an anchor, an image
    of the same class and one of another. The paper has embeddings of length 1: end the
    network with `UnitNormalization`.

    Args:
        margin: The margin between the squared distances.
        reduction: See `Loss`.
        name: Name.
        dtype: None or "float32".

    Input shape:
        `y_pred` `(batch, 3, size)` or `(batch, 3 * size)`: anchor, positive, negative;
        `y_true` has no meaning, any array with one row per triplet.

    Output shape:
        A number, with the default reduction.

    Example:
        >>> y_pred = [[[0.0, 1.0], [0.0, 0.5], [1.0, 1.0]]]
        >>> round(float(TripletLoss(margin=1.0)([0], y_pred)), 4)
        0.25

    Reference:
        Schroff, Kalenichenko and Philbin, FaceNet: a unified embedding for face
        recognition and clustering, CVPR 2015, equation 3.
    """

    op = "triplet_loss"
    target = "nothing"

    def __init__(
        self,
        margin: float = 0.2,
        reduction: str | None = "sum_over_batch_size",
        name: str = "triplet_loss",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.margin = float(margin)

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return {"margin": self.margin}

    def lower(self, graph: Any, y_pred: int, y_true: int) -> int:  # noqa: ARG002
        """Records the op; returns a tensor of one value per image."""
        return int(graph.add(self.op, [y_pred], **self.attributes()))

    def call(self, y_true: Any, y_pred: Any) -> Array:  # noqa: ARG002
        """Values of the triplets."""
        prediction = eager.as_float(y_pred, f"{self.name}: y_pred")
        return eager.run_op(self.op, [prediction], **self.attributes())


def contrastive_loss(y_true: Any, y_pred: Any, margin: float = 1.0) -> Array:
    """Values of the samples of `ContrastiveLoss`."""
    return ContrastiveLoss(margin).call(y_true, y_pred)


def triplet_loss(y_true: Any, y_pred: Any, margin: float = 0.2) -> Array:
    """Values of the triplets of `TripletLoss`."""
    return TripletLoss(margin).call(y_true, y_pred)
