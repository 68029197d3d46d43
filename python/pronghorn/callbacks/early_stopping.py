# SPDX-License-Identifier: Apache-2.0
"""EarlyStopping: ends training that does not get better."""

from __future__ import annotations

from typing import Any

from pronghorn.callbacks.callback import Logs
from pronghorn.callbacks.monitor import Monitor
from pronghorn.utils import console


class EarlyStopping(Monitor):
    """Ends training when a result has not become better for some epochs.

    Args:
        monitor: Name of the result, as in the logs.
        min_delta: Least difference that counts as better.
        patience: Number of epochs without a better value after which training ends.
        verbose: 1 to say so.
        mode: "min", "max", or "auto": by what the metric is.
        baseline: A value that must be passed; until then patience goes on running out.
        restore_best_weights: Whether the model ends with the weights of its best epoch
            instead of those of the last.
        start_from_epoch: Epochs before this one, counted from 0, are not watched.

    Attributes:
        stopped_epoch: Number of the epoch that training ended in, counted from 0; 0 if
            it did not.
        best: The best value.
        best_epoch: Its epoch.

    Example:
        >>> model = Sequential([Input((2,)), Dense(1)])
        >>> model.compile(optimizer="sgd", loss="mse")
        >>> stop = EarlyStopping("loss", patience=3, min_delta=100)
        >>> x, y = np.ones((8, 2)), np.ones((8, 1))
        >>> history = model.fit(x, y, epochs=20, verbose=0, callbacks=[stop])
        >>> history.epoch
        [0, 1, 2, 3]
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._reset()

    def _reset(self) -> None:
        self.best = None
        self.best_epoch = 0
        self.best_weights: list[Any] | None = None
        self.stopped_epoch = 0
        self.wait = 0

    def on_train_begin(self, logs: Logs = None) -> None:  # noqa: ARG002
        """Forgets earlier training."""
        self._reset()
        self.choose_direction()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Looks at the result, and may end training."""
        current = self.value(logs)
        if current is None or epoch < self.start_from_epoch or self.model is None:
            return
        better = self.is_better(current, self.best)
        if better:
            self.best = current
            self.best_epoch = epoch
        if self.restore_best_weights and (better or self.best_weights is None):
            self.best_weights = self.model.get_weights()
        self.wait += 1
        if better:
            if self.baseline is None or self.is_better(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:  # noqa: ARG002
        """Puts the best weights back, if wanted."""
        if self.verbose and self.stopped_epoch:
            console.write(f"Epoch {self.stopped_epoch + 1}: early stopping\n")
        if self.best_weights is not None and self.model is not None:
            if self.verbose:
                console.write(
                    "Restoring model weights from the end of the best epoch: "
                    f"{self.best_epoch + 1}.\n"
                )
            self.model.set_weights(self.best_weights)
