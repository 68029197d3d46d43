# SPDX-License-Identifier: Apache-2.0
"""TerminateOnNaN: ends training whose loss is no number any more."""

from __future__ import annotations

import math

from pronghorn.callbacks.callback import Callback, Logs, default
from pronghorn.utils import console


class TerminateOnNaN(Callback):
    """Ends training when the loss is NaN or infinite.

    The loss that it sees is the mean of the epoch so far, which stays NaN; so it need
    not be called for every batch, and ends training up to 50 ms later.

    Args:
        raise_error: Whether to raise a RuntimeError instead.

    Example:
        >>> model = Sequential([Input((2,)), Dense(1)])
        >>> model.compile(optimizer="sgd", loss="mse")
        >>> x, y = np.full((8, 2), np.nan), np.ones((8, 1))
        >>> end = TerminateOnNaN()
        >>> model.fit(x, y, epochs=9, verbose=0, callbacks=[end]).epoch
        Batch 0: Invalid loss, terminating training
        [0]
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    @default
    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Looks at the loss."""
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss) or self.model is None:
            return
        if self.raise_error:
            raise RuntimeError(
                f"TerminateOnNaN: expected a finite loss, got {loss} at batch {batch}"
            )
        console.write(f"Batch {batch}: Invalid loss, terminating training\n")
        self.model.stop_training = True
