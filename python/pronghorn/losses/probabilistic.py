# SPDX-License-Identifier: Apache-2.0
"""Cross-entropies: losses of predicted probabilities, or of logits."""

from __future__ import annotations

from typing import Any

from pronghorn.losses.loss import Array, Loss


class _Crossentropy(Loss):
    """Base class: checks what the cross-entropies share."""

    def __init__(
        self, from_logits: bool, axis: int, name: str, reduction: str | None, dtype: Any
    ) -> None:
        super().__init__(name, reduction, dtype)
        if axis != -1:
            raise ValueError(f"{type(self).__name__}: expected axis=-1, got {axis}")
        self.from_logits = bool(from_logits)
        self.axis = axis

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return {"from_logits": self.from_logits}


class _Smoothed(_Crossentropy):
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
        super().__init__(from_logits, axis, name or self.op, reduction, dtype)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(
                f"{type(self).__name__}: expected label_smoothing from 0 to 1, got "
                f"{label_smoothing}"
            )
        self.label_smoothing = float(label_smoothing)

    def attributes(self) -> dict[str, Any]:
        """The attributes of the op."""
        return super().attributes() | {"label_smoothing": self.label_smoothing}


class SparseCategoricalCrossentropy(_Crossentropy):
    """Cross-entropy with class numbers: `-log(p[label])`.

    Args:
        from_logits: Whether the predictions are logits rather than probabilities.
        ignore_class: None; nothing else is supported.
        reduction: See `Loss`.
        axis: -1.
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
        if ignore_class is not None:
            raise ValueError(
                "SparseCategoricalCrossentropy: `ignore_class` is not supported, "
                f"expected None, got {ignore_class!r}"
            )
        self.ignore_class = None


class CategoricalCrossentropy(_Smoothed):
    """Cross-entropy with one-hot (or any) distributions: `-sum(y_true * log(p))`.

    Args:
        from_logits: Whether the predictions are logits rather than probabilities.
        label_smoothing: Share of the truth that is spread over all classes.
        axis: -1.
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
        axis: -1.
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


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False
) -> Array:
    """Values of the samples of `SparseCategoricalCrossentropy`."""
    return SparseCategoricalCrossentropy(from_logits).call(y_true, y_pred)


def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Array:
    """Values of the samples of `CategoricalCrossentropy`."""
    return CategoricalCrossentropy(from_logits, label_smoothing).call(y_true, y_pred)


def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Array:
    """Values of the samples of `BinaryCrossentropy`."""
    return BinaryCrossentropy(from_logits, label_smoothing).call(y_true, y_pred)
