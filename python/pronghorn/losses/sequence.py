# SPDX-License-Identifier: Apache-2.0
"""CTC: the loss of frames that spell labels without saying where each of them is."""

from __future__ import annotations

from typing import Any

from pronghorn import eager
from pronghorn.losses.loss import Array, PlainLoss
from pronghorn.training import data


class CTC(PlainLoss):
    """-log of the probability that the frames spell the labels.

    A frame gives one of the classes or the blank, class 0. Repetitions count once and
    blanks not at all: `a a - a b b` spells `a a b`. A label of n classes needs at least
    n frames and one more for each repetition; where there are fewer the loss is near
    1e5, as in Keras on JAX.

    Args:
        reduction: See `Loss`.
        name: Name, "ctc" by default.
        dtype: None or "float32".

    Input shape:
        `y_true` `(batch, length)`: class numbers from 1, then zeros; `y_pred`
        `(batch, frames, classes)`: logits, that of the blank first.

    Output shape:
        A number, with the default reduction.

    Example:
        >>> logits = [[[0.0, 0.0, 0.0, 0.0]] * 3]
        >>> float(CTC()([[2, 3]], logits)).__round__(4)  # 5 of 4 ** 3 paths
        2.5494

    Reference:
        Graves et al., Connectionist temporal classification: labelling unsegmented
        sequence data with recurrent neural networks, ICML 2006.
    """

    op = "ctc_loss"
    target = "sequences"
    per_sample = True

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "ctc",
        dtype: str | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Array:
        """Values of the samples."""
        prediction = eager.as_float(y_pred, f"{self.name}: y_pred")
        truth = data.as_target(
            y_true, self.target, prediction.shape, f"{self.name}: y_true"
        )
        return eager.run_op(self.op, [prediction, truth])


def ctc(y_true: Any, y_pred: Any) -> Array:
    """Values of the samples of `CTC`."""
    return CTC().call(y_true, y_pred)
