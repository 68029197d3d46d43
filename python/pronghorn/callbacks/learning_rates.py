# SPDX-License-Identifier: Apache-2.0
"""Callbacks that change the learning rate between epochs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pronghorn.callbacks.callback import Callback, Logs
from pronghorn.callbacks.monitor import Monitor
from pronghorn.utils import console


def _log_rate(callback: Callback, logs: Any) -> None:
    if callback.model is not None and logs is not None:
        logs["learning_rate"] = float(callback.model.compiled_optimizer.learning_rate)


class LearningRateScheduler(Callback):
    """Sets the learning rate of every epoch by a function.

    The logs of epochs have the rate as "learning_rate".

    Args:
        schedule: Takes the number of the epoch, counted from 0, and the learning rate;
            or the number alone. Returns the learning rate.
        verbose: 1 to say what it is.

    Example:
        >>> model = Sequential([Input((2,)), Dense(1)])
        >>> model.compile(optimizer="sgd", loss="mse")
        >>> halve = LearningRateScheduler(lambda epoch, rate: rate / 2)
        >>> x, y = np.ones((8, 2)), np.ones((8, 1))
        >>> history = model.fit(x, y, epochs=2, verbose=0, callbacks=[halve])
        >>> history.history["learning_rate"]
        [0.005, 0.0025]
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        """Sets the learning rate."""
        if self.model is None:
            return
        optimizer = self.model.compiled_optimizer
        try:
            rate = self.schedule(epoch, float(optimizer.learning_rate))
        except TypeError:  # of one argument, as in Keras
            rate = self.schedule(epoch)
        optimizer.learning_rate = rate
        if self.verbose:
            console.write(
                f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to "
                f"{rate}.\n"
            )

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:  # noqa: ARG002
        """Adds the learning rate to the logs."""
        _log_rate(self, logs)


class ReduceLROnPlateau(Monitor):
    """Lowers the learning rate when a result has not become better for some epochs.

    The logs of epochs have the rate as "learning_rate".

    Args:
        monitor: Name of the result, as in the logs.
        factor: What the learning rate is multiplied by, below 1.
        patience: Number of epochs without a better value after which it is lowered.
        verbose: 1 to say so.
        mode: "min", "max", or "auto": by what the metric is.
        min_delta: Least difference that counts as better.
        cooldown: Number of epochs after which patience starts to run again.
        min_lr: Least learning rate.

    Example:
        >>> model = Sequential([Input((2,)), Dense(1)])
        >>> model.compile(optimizer="sgd", loss="mse")
        >>> lower = ReduceLROnPlateau("loss", patience=1, min_delta=100, min_lr=1e-3)
        >>> x, y = np.ones((8, 2)), np.ones((8, 1))
        >>> _ = model.fit(x, y, epochs=2, verbose=0, callbacks=[lower])
        >>> float(model.optimizer.learning_rate)
        0.001
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 0.0001,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if factor >= 1:
            raise ValueError(
                f"ReduceLROnPlateau: expected a factor below 1, got {factor}"
            )
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.wait = 0
        self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs = None) -> None:  # noqa: ARG002
        """Forgets earlier training."""
        self.best = None
        self.wait = 0
        self.cooldown_counter = 0
        self.choose_direction()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Looks at the result, and may lower the learning rate."""
        _log_rate(self, logs)
        current = self.value(logs)
        if current is None:
            return
        if self.cooldown_counter:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_better(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.cooldown_counter:
            self.wait += 1
            if self.wait >= self.patience and self._lower(epoch):
                self.cooldown_counter = self.cooldown
                self.wait = 0

    def _lower(self, epoch: int) -> bool:
        """Lowers the learning rate unless it is the least already."""
        if self.model is None:
            return False
        optimizer = self.model.compiled_optimizer
        before = float(optimizer.learning_rate)
        if before <= self.min_lr:
            return False
        rate = max(before * self.factor, self.min_lr)
        optimizer.learning_rate = rate
        if self.verbose:
            console.write(
                f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to "
                f"{rate}.\n"
            )
        return True
