# SPDX-License-Identifier: Apache-2.0
"""ModelCheckpoint: weights saved while training."""

from __future__ import annotations

import os
from pathlib import Path

from pronghorn.callbacks.callback import Logs
from pronghorn.callbacks.monitor import Monitor
from pronghorn.utils import console


class ModelCheckpoint(Monitor):
    """Saves the weights after epochs, or after some batches.

    Args:
        filepath: Where to save; must end in `.weights.h5`. `{epoch}`, counted from 1,
            `{batch}` and names of the logs are filled in: "{epoch:02d}-{loss:.2f}".
        monitor: Name of the result that says what is best, as in the logs.
        verbose: 1 to say what is saved.
        save_best_only: Whether to save only what is better than all before.
        save_weights_only: Must be True: models are not saved as a whole.
        mode: "min", "max", or "auto": by what the metric is.
        save_freq: "epoch", or a number of batches; that makes `fit` return to Python
            after every step.
        initial_value_threshold: A value that the first to be saved must be better than.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = folder.name + "/{epoch}.weights.h5"
        >>> model = Sequential([Input((2,)), Dense(1)])
        >>> model.compile(optimizer="sgd", loss="mse")
        >>> save = ModelCheckpoint(path, save_weights_only=True)
        >>> x, y = np.ones((8, 2)), np.ones((8, 1))
        >>> _ = model.fit(x, y, epochs=2, verbose=0, callbacks=[save])
        >>> sorted(path.name for path in Path(folder.name).iterdir())
        ['1.weights.h5', '2.weights.h5']
        >>> folder.cleanup()
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.filepath = os.fspath(filepath)
        if not save_weights_only or not self.filepath.endswith(".weights.h5"):
            raise ValueError(
                "ModelCheckpoint: expected save_weights_only=True and a `filepath` "
                f"that ends in .weights.h5, got {save_weights_only} and "
                f"'{self.filepath}'"
            )
        if save_freq != "epoch" and not (isinstance(save_freq, int) and save_freq > 0):
            raise ValueError(
                "ModelCheckpoint: expected `save_freq` 'epoch' or a number of batches, "
                f"got {save_freq!r}"
            )
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_freq = save_freq
        self.best = initial_value_threshold
        self._epoch = 0
        self._batches = 0
        if save_freq != "epoch":
            setattr(self, "on_train_batch_end", self._on_batch)  # noqa: B010

    def on_train_begin(self, logs: Logs = None) -> None:  # noqa: ARG002
        """Finds out which values are better."""
        if self.save_best_only:
            self.choose_direction()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        """Remembers the epoch."""
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Saves, if that is wanted for every epoch."""
        if self.save_freq == "epoch":
            self._save(self.filepath.format(epoch=epoch + 1, **(logs or {})), logs)

    def _on_batch(self, batch: int, logs: Logs = None) -> None:
        self._batches += 1
        if self._batches == self.save_freq:
            self._batches = 0
            names = {"epoch": self._epoch + 1, "batch": batch + 1, **(logs or {})}
            self._save(self.filepath.format(**names), logs)

    def _save(self, path: str, logs: Logs) -> None:
        if self.model is None:
            return
        current = self.value(logs) if self.save_best_only else None
        if current is not None:
            if not self.is_better(current, self.best):
                self._tell(f"{self.monitor} did not improve from {self.best:.5f}")
                return
            self.best = current
            self._tell(f"{self.monitor} improved to {current:.5f}")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.model.save_weights(path)
        self._tell(f"saved the weights to {path}")

    def _tell(self, text: str) -> None:
        if self.verbose:
            console.write(f"\nEpoch {self._epoch + 1}: {text}\n")
