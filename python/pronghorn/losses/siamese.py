# SPDX-License-Identifier: Apache-2.0
"""Losses of embeddings: of pairs and triplets, which Keras lacks, and of batches."""

from __future__ import annotations

from typing import Any

import numpy as np

from pronghorn import eager
from pronghorn.losses.loss import Array, Loss, reduce
from pronghorn.training import data


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
    per_sample = True

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

    def lower(
        self,
        graph: Any,
        y_pred: int,
        y_true: int,  # noqa: ARG002
        weights: int = -1,  # noqa: ARG002
    ) -> int:
        """Records the op; returns a tensor of one value per image."""
        return int(graph.add(self.op, [y_pred], **self.attributes()))

    def call(self, y_true: Any, y_pred: Any) -> Array:  # noqa: ARG002
        """Values of the triplets."""
        prediction = eager.as_float(y_pred, f"{self.name}: y_pred")
        return eager.run_op(self.op, [prediction], **self.attributes())


class Circle(Loss):
    """Embeddings of a class move together, those of others apart, each at its pace.

    For every embedding of the batch `softplus(p + n)`, where p and n are the logarithms
    of the sums of `exp(-gamma * (margin + d) * (margin - d))` over the embeddings of
    the same class and of `exp(gamma * (1 + margin - d) * (1 - margin - d))` over the
    others, and d is 1 minus the cosine. As in Keras an embedding without one of its own
    class, or without others, does not count in the mean.

    Args:
        gamma: Factor of the distances.
        margin: Up to where embeddings of a class may be apart.
        remove_diagonal: Whether an embedding is none of its own class for itself.
        reduction: See `Loss`.
        name: Name, "circle" by default.
        dtype: None or "float32".

    Input shape:
        `y_true` `(batch,)` or `(batch, 1)`, whole numbers; `y_pred` `(batch, size)`,
        vectors of length 1: end the network with `UnitNormalization`.

    Output shape:
        A number, with the default reduction.

    Example:
        >>> loss = Circle(gamma=2.0)
        >>> y_pred = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]
        >>> float(loss([7, 7, 4], y_pred)).__round__(4)
        0.6141

    Reference:
        Sun et al., Circle loss: a unified perspective of pair similarity optimization,
        CVPR 2020.
    """

    op = "circle_loss"
    target = "groups"
    per_sample = True

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str = "circle",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.gamma = float(gamma)
        self.margin = float(margin)
        self.remove_diagonal = bool(remove_diagonal)

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return {
            "gamma": self.gamma,
            "margin": self.margin,
            "remove_diagonal": self.remove_diagonal,
            "rescale": self.reduction != "sum",
        }

    def core_reduction(self, weighted: bool) -> str:
        """The core's name of the reduction, for samples with or without weights."""
        if weighted and self.reduction == "mean_with_sample_weight":
            raise ValueError(
                "Circle: expected another reduction than mean_with_sample_weight for "
                "training with sample_weight, as the embeddings that count are known "
                "only when their losses are"
            )
        return super().core_reduction(weighted)

    def call(self, y_true: Any, y_pred: Any) -> Array:
        """Values of the samples."""
        prediction = eager.as_float(y_pred, f"{self.name}: y_pred")
        truth = data.as_target(
            y_true, self.target, prediction.shape, f"{self.name}: y_true"
        )
        attributes = self.attributes() | {"rescale": False}
        return eager.run_op(self.op, [prediction, truth], **attributes)

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> np.float32 | Array:
        """The loss of predictions given as arrays.

        Args:
            y_true: The truth.
            y_pred: The predictions.
            sample_weight: Weights of the samples.
        """
        values = self.call(y_true, y_pred)
        weights = np.asarray(values != 0, np.float32)
        if self.reduction in ("sum_over_batch_size", "mean"):
            weights = weights * (len(weights) / max(weights.sum(), 1))
        if sample_weight is not None:
            given = eager.as_float(sample_weight, "sample_weight")
            if given.shape not in ((), values.shape, (len(values), 1)):
                raise ValueError(
                    f"sample_weight: expected shape {values.shape}, got {given.shape}"
                )
            weights = weights * given.reshape(given.shape[:1])
        return reduce(values, weights, self.reduction)


def contrastive_loss(y_true: Any, y_pred: Any, margin: float = 1.0) -> Array:
    """Values of the samples of `ContrastiveLoss`."""
    return ContrastiveLoss(margin).call(y_true, y_pred)


def triplet_loss(y_true: Any, y_pred: Any, margin: float = 0.2) -> Array:
    """Values of the triplets of `TripletLoss`."""
    return TripletLoss(margin).call(y_true, y_pred)


def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80.0,
    margin: float = 0.4,
) -> Array:
    """Values of the samples of `Circle`; the other embeddings are the batch's own."""
    if ref_labels is not None or ref_embeddings is not None:
        raise ValueError(
            "circle: expected `ref_labels` and `ref_embeddings` to be None, as the "
            "embeddings are compared with those of their own batch"
        )
    return Circle(gamma, margin, remove_diagonal).call(y_true, y_pred)
