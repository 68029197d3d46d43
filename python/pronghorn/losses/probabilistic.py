# SPDX-License-Identifier: Apache-2.0
"""Cross-entropies: losses of predicted probabilities, or of logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from pronghorn.losses.loss import Array, Loss, PlainLoss, reduce, rowwise


class Crossentropy(Loss):
    """Base class: checks what the cross-entropies share."""

    def __init__(
        self, from_logits: bool, axis: int, name: str, reduction: str | None, dtype: Any
    ) -> None:
        super().__init__(name, reduction, dtype)
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise ValueError(
                f"{type(self).__name__}: expected `axis` to be a whole number, got "
                f"{axis!r}"
            )
        self.from_logits = bool(from_logits)
        self.axis = axis

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return super().attributes() | {"from_logits": self.from_logits}


class _Smoothed(Crossentropy):
    """Base class: a cross-entropy with label smoothing."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "",
        dtype: str | None = None,
    ) -> None:
        super().__init__(from_logits, axis, name, reduction, dtype)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(
                f"{type(self).__name__}: expected label_smoothing from 0 to 1, got "
                f"{label_smoothing}"
            )
        self.label_smoothing = float(label_smoothing)

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return super().attributes() | {"label_smoothing": self.label_smoothing}


class SparseCategoricalCrossentropy(Crossentropy):
    """Cross-entropy with class numbers: `-log(p[label])`.

    Args:
        from_logits: Whether the predictions are logits rather than probabilities.
        ignore_class: A label that does not count, such as -1 or 255 for pixels without
            a class; the mean is over the others.
        reduction: See `Loss`.
        axis: The axis of the classes.
        name: Name.
        dtype: None or "float32".

    Input shape:
        `y_true` `(batch, ...)` or `(batch, ..., 1)`, `y_pred` `(batch, ..., classes)`

    Output shape:
        A number, with the default reduction.

    Example:
        >>> loss = SparseCategoricalCrossentropy()
        >>> float(loss([0, 1], np.array([[0.5, 0.5], [0.75, 0.25]]))).__round__(4)
        1.0397
    """

    op = "sparse_categorical_crossentropy"
    target = "labels"

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
        dtype: str | None = None,
    ) -> None:
        super().__init__(from_logits, axis, name, reduction, dtype)
        if ignore_class is not None and not isinstance(ignore_class, int):
            raise ValueError(
                "SparseCategoricalCrossentropy: expected `ignore_class` to be a class "
                f"number or None, got {ignore_class!r}"
            )
        self.ignore_class = ignore_class

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        attributes = super().attributes()
        if self.ignore_class is not None:
            attributes["ignore_class"] = self.ignore_class
            attributes["rescale"] = self.reduction in ("sum_over_batch_size", "mean")
        return attributes

    def call(self, y_true: Any, y_pred: Any) -> Array:
        """Values of the samples: the predictions' shape without the classes' axis."""
        attributes = super().attributes()
        if self.ignore_class is not None:
            attributes |= {"ignore_class": self.ignore_class, "rescale": False}
        return rowwise(
            self.op,
            self.target,
            y_true,
            y_pred,
            axis=self.axis,
            ignored=self.ignore_class,
            **attributes,
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
        values = self.call(y_true, y_pred)
        if self.ignore_class is None:
            return reduce(values, sample_weight, self.reduction)
        counts = np.asarray(y_true).reshape(values.shape) != self.ignore_class
        weights = counts.astype(np.float32)
        if self.reduction in ("sum_over_batch_size", "mean") and counts.any():
            weights *= counts.size / counts.sum()
        if sample_weight is not None:
            given = np.asarray(sample_weight, np.float32)
            missing = values.ndim - given.ndim
            weights = weights * given.reshape(*given.shape, *[1] * max(missing, 0))
        return reduce(values, weights, self.reduction)


class CategoricalCrossentropy(_Smoothed):
    """Cross-entropy with one-hot (or any) distributions: `-sum(y_true * log(p))`.

    Args:
        from_logits: Whether the predictions are logits rather than probabilities.
        label_smoothing: Share of the truth that is spread over all classes.
        axis: The axis of the classes.
        reduction: See `Loss`.
        name: Name.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., classes)` both

    Output shape:
        A number, with the default reduction.

    Example:
        >>> loss = CategoricalCrossentropy()
        >>> float(loss([[0, 1]], np.array([[0.5, 0.5]]))).__round__(4)
        0.6931

    Reference:
        Szegedy et al., Rethinking the Inception architecture, CVPR 2016, section 7
        (label smoothing).
    """

    op = "categorical_crossentropy"


class BinaryCrossentropy(_Smoothed):
    """Cross-entropy of independent yes-or-no questions.

    `-mean(y_true * log(p) + (1 - y_true) * log(1 - p))` over the last axis.

    Args:
        from_logits: Whether the predictions are logits rather than probabilities.
        label_smoothing: How far the truth is pulled to 0.5.
        axis: The axis that the mean is taken over.
        reduction: See `Loss`.
        name: Name.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., outputs)` both

    Output shape:
        A number, with the default reduction.

    Example:
        >>> loss = BinaryCrossentropy()
        >>> float(loss([[0, 1]], np.array([[0.5, 0.5]]))).__round__(4)
        0.6931
    """

    op = "binary_crossentropy"


class KLDivergence(PlainLoss):
    """`sum(y_true * log(y_true / y_pred))` over the last axis, both within 1e-7 and 1.

    Args:
        reduction: See `Loss`.
        name: Name, "kl_divergence" by default.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., classes)` both

    Output shape:
        A number, with the default reduction.

    Example:
        >>> loss = KLDivergence()
        >>> float(loss([[0.5, 0.5]], [[0.25, 0.75]])).__round__(4)
        0.1438
    """

    op = "pointwise_loss"
    kind = "kl_divergence"


class Poisson(PlainLoss):
    """Mean of `y_pred - y_true * log(y_pred + 1e-7)`.

    Args:
        reduction: See `Loss`.
        name: Name, "poisson" by default.
        dtype: None or "float32".

    Input shape:
        `(batch, ..., outputs)` both

    Output shape:
        A number, with the default reduction.

    Example:
        >>> float(Poisson()([[1.0, 1.0]], [[1.0, 2.0]])).__round__(4)
        1.1534
    """

    op = "pointwise_loss"
    kind = "poisson"


def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Array:
    """Values of the samples of `SparseCategoricalCrossentropy`."""
    loss = SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis)
    return loss.call(y_true, y_pred)


def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Values of the samples of `CategoricalCrossentropy`."""
    loss = CategoricalCrossentropy(from_logits, label_smoothing, axis)
    return loss.call(y_true, y_pred)


def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Values of the samples of `BinaryCrossentropy`."""
    loss = BinaryCrossentropy(from_logits, label_smoothing, axis)
    return loss.call(y_true, y_pred)


def kl_divergence(y_true: Any, y_pred: Any) -> Array:
    """Values of the samples of `KLDivergence`."""
    return KLDivergence().call(y_true, y_pred)


def poisson(y_true: Any, y_pred: Any) -> Array:
    """Values of the samples of `Poisson`."""
    return Poisson().call(y_true, y_pred)
