# SPDX-License-Identifier: Apache-2.0
"""The callback that shows the progress of `fit`, `evaluate` and `predict`."""

from __future__ import annotations

from typing import Any

from pronghorn.callbacks.callback import Callback, Logs, default
from pronghorn.utils import console
from pronghorn.utils.progbar import Progbar


class ProgbarLogger(Callback):
    """Shows a progress bar; added automatically unless `verbose=0`.

    Its batch hooks only redraw the bar, so they may be called once per chunk of
    steps: they do not make `fit` return to Python after every step.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.progbar: Progbar | None = None
        self.target: int | None = None
        self.verbose = 1
        self.epochs = 1
        self._called_in_fit = False

    def set_params(self, params: dict[str, Any]) -> None:
        """Takes "verbose" ("auto" is 1), "epochs" and "steps"."""
        super().set_params(params)
        verbose = params.get("verbose", 1)
        self.verbose = 1 if verbose == "auto" else int(verbose)
        self.epochs = params.get("epochs") or 1
        self.target = params.get("steps")

    def on_train_begin(self, logs: Logs = None) -> None:  # noqa: ARG002
        """Remembers to stay silent during the validation inside `fit`."""
        self._called_in_fit = True

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        """Writes `Epoch 1/5` and starts a bar."""
        self._start()
        if self.verbose and self.epochs > 1:
            console.write(f"Epoch {epoch + 1}/{self.epochs}\n")

    def on_test_begin(self, logs: Logs = None) -> None:  # noqa: ARG002
        """Starts a bar, outside `fit`."""
        if not self._called_in_fit:
            self._start()

    def on_predict_begin(self, logs: Logs = None) -> None:  # noqa: ARG002
        """Starts a bar."""
        self._start()

    @default
    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Moves the bar."""
        self._update(batch, logs)

    @default
    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Moves the bar, outside `fit`."""
        if not self._called_in_fit:
            self._update(batch, logs)

    @default
    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:  # noqa: ARG002
        """Moves the bar; the predictions in `logs` are not shown."""
        self._update(batch, None)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        """Finishes the bar with the results of the epoch."""
        self._finish(logs)

    def on_test_end(self, logs: Logs = None) -> None:
        """Finishes the bar, outside `fit`."""
        if not self._called_in_fit:
            self._finish(logs)

    def on_predict_end(self, logs: Logs = None) -> None:  # noqa: ARG002
        """Finishes the bar."""
        self._finish(None)

    def _start(self) -> Progbar:
        self.seen = 0
        self.progbar = Progbar(
            target=self.target, verbose=self.verbose, stateless_metrics=()
        )
        return self.progbar

    def _update(self, batch: int, logs: Logs) -> None:
        progbar = self.progbar or self._start()
        self.seen = batch + 1
        if self.verbose == 1:
            progbar.update(self.seen, list((logs or {}).items()), finalize=False)

    def _finish(self, logs: Logs) -> None:
        progbar = self.progbar or self._start()
        if self.target is None:
            self.target = progbar.target = self.seen
        progbar.update(self.target, list((logs or {}).items()), finalize=True)
