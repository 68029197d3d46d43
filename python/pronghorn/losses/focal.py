# SPDX-License-Identifier: Apache-2.0
"""Cross-entropies that weigh easy, or wrongly labelled, samples less."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pronghorn.losses.loss import Array, Loss
from pronghorn.losses.probabilistic import Crossentropy
from pronghorn.training import data


class BinaryFocalCrossentropy(Crossentropy):
    """Binary cross-entropy in which what is easy counts less.

    `(1 - p_t) ** gamma * crossentropy`, where `p_t` is the probability given to the
    truth; the mean over the last axis.

    Args:
        apply_class_balancing: Whether a truth of 1 weighs alpha and 0 weighs 1 - alpha.
        alpha: See `apply_class_balancing`.
        gamma: How much less the easy ones count.
        from_logits: Whether the predictions are logits rather than probabilities.
        label_smoothing: How far the truth is pulled to 0.5.
        axis: The axis that the mean is taken over.
        reduction: See `Loss`.
        name: Name, "binary_focal_crossentropy" by default.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., outputs)` both

    Output shape:
        A number, with the default reduction.

    Example:
        >>> loss = BinaryFocalCrossentropy()
        >>> float(loss([[0, 1]], [[0.5, 0.5]])).__round__(4)
        0.1733

    Reference:
        Lin et al., Focal loss for dense object detection, ICCV 2017.
    """

    op = "pointwise_loss"
    kind = "binary_focal_crossentropy"

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "",
        dtype: str | None = None,
    ) -> None:
        super().__init__(from_logits, axis, name, reduction, dtype)
        self.apply_class_balancing = bool(apply_class_balancing)
        self.alpha = float(alpha)
        self.gamma = float(gamma)
        self.label_smoothing = float(label_smoothing)

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return super().attributes() | {
            "apply_class_balancing": self.apply_class_balancing,
            "alpha": self.alpha,
            "gamma": self.gamma,
            "label_smoothing": self.label_smoothing,
        }


class CategoricalFocalCrossentropy(Crossentropy):
    """Categorical cross-entropy in which what is easy counts less.

    `-sum(alpha * (1 - p) ** gamma * y_true * log(p))` over the classes.

    Args:
        alpha: A factor, or a list of them, one for each class.
        gamma: How much less the easy ones count.
        from_logits: Whether the predictions are logits rather than probabilities.
        label_smoothing: Share of the truth that is spread over all classes.
        axis: The axis of the classes.
        reduction: See `Loss`.
        name: Name, "categorical_focal_crossentropy" by default.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., classes)` both

    Output shape:
        A number, with the default reduction.

    Example:
        >>> loss = CategoricalFocalCrossentropy()
        >>> float(loss([[0, 1]], [[0.5, 0.5]])).__round__(4)
        0.0433

    Reference:
        Lin et al., Focal loss for dense object detection, ICCV 2017.
    """

    op = "row_loss"
    kind = "categorical_focal_crossentropy"

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "",
        dtype: str | None = None,
    ) -> None:
        super().__init__(from_logits, axis, name, reduction, dtype)
        factors = data.as_numbers(np.atleast_1d(alpha), f"{type(self).__name__}: alpha")
        if factors.ndim != 1:
            raise ValueError(
                "CategoricalFocalCrossentropy: expected `alpha` to be a number or a "
                f"list of numbers, one for each class, got {alpha!r}"
            )
        listed = [float(one) for one in factors]
        self.alpha = listed if np.ndim(alpha) else listed[0]
        self.gamma = float(gamma)
        self.label_smoothing = float(label_smoothing)

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return super().attributes() | {
            "alpha": self.alpha,
            "gamma": self.gamma,
            "label_smoothing": self.label_smoothing,
        }


class CategoricalGeneralizedCrossEntropy(Loss):
    """`(1 - p[label] ** q) / q`: less moved by wrong labels than cross-entropy.

    Args:
        q: Above 0 and below 1; near 0 it is cross-entropy, near 1 the absolute error.
        reduction: See `Loss`.
        name: Name.
        dtype: None or "float32".

    Input shape:
        `y_true` `(batch, ...)` or `(batch, ..., 1)`, `y_pred` `(batch, ..., classes)`

    Output shape:
        A number, with the default reduction.

    Example:
        >>> loss = CategoricalGeneralizedCrossEntropy()
        >>> float(loss([1], [[0.75, 0.25]]))
        1.0

    Reference:
        Zhang and Sabuncu, Generalized cross entropy loss for training deep neural
        networks with noisy labels, NeurIPS 2018.
    """

    op = "row_loss"
    kind = "categorical_generalized_cross_entropy"
    target = "labels"

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_generalized_cross_entropy",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not 0 < q < 1:
            raise ValueError(
                "CategoricalGeneralizedCrossEntropy: expected q above 0 and below 1, "
                f"got {q}"
            )
        self.q = float(q)

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return super().attributes() | {"q": self.q}


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Values of the samples of `BinaryFocalCrossentropy`."""
    loss = BinaryFocalCrossentropy(
        apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis
    )
    return loss.call(y_true, y_pred)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Values of the samples of `CategoricalFocalCrossentropy`."""
    loss = CategoricalFocalCrossentropy(
        alpha, gamma, from_logits, label_smoothing, axis
    )
    return loss.call(y_true, y_pred)


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Array:
    """Values of the samples of `CategoricalGeneralizedCrossEntropy`."""
    return CategoricalGeneralizedCrossEntropy(q).call(y_true, y_pred)
