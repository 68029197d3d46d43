# SPDX-License-Identifier: Apache-2.0
"""Record of the results of every epoch; `fit` returns it."""

from __future__ import annotations

from typing import Any

from pronghorn.callbacks.callback import Callback, Logs


class History(Callback):
    """Collects the logs of every epoch; added to every `fit`, which returns it.

    Attributes:
        history: Lists of values, one per epoch, by name.
        epoch: Numbers of the epochs, counted from 0.

    Example:
        >>> history = History()
        >>> history.on_train_begin()
        >>> history.on_epoch_end(0, {"loss": 0.5})
        >>> history.history
        {'loss': [0.5]}
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs = None) -> None:  # noqa: ARG002
        """Starts a new list of epochs."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Appends the epoch's logs and makes this the model's `history`."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        if self._model is not None:
            self._model.history = self
