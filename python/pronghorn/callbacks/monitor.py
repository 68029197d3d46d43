# SPDX-License-Identifier: Apache-2.0
"""Base class of callbacks that watch one result of the epochs."""

from __future__ import annotations

import warnings

from pronghorn.callbacks.callback import Callback, Logs


class Monitor(Callback):
    """Knows the best value of a result so far.

    Args:
        monitor: Name of the result, as in the logs.
        mode: "min", "max", or "auto": by what the metric is.
        min_delta: Least difference that counts as better.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            raise ValueError(
                f"{type(self).__name__}: expected `mode` auto, min or max, got {mode!r}"
            )
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.best: float | None = None
        self._sign = 1.0

    def choose_direction(self) -> None:
        """Finds out which values are better; the model must be set."""
        direction = {"min": "down", "max": "up"}.get(self.mode, "")
        if not direction and self.model is not None:
            direction = self.model.metric_direction(self.monitor.removeprefix("val_"))
        if not direction:
            raise ValueError(
                f"{type(self).__name__}: expected mode='min' or mode='max', as it is "
                f"not known whether larger values of '{self.monitor}' are better"
            )
        self._sign = 1.0 if direction == "up" else -1.0

    def is_better(self, value: float, than: float | None) -> bool:
        """Whether a value is better, by more than `min_delta`; None is the worst."""
        return than is None or self._sign * (value - than) > self.min_delta

    def value(self, logs: Logs) -> float | None:
        """The result in the logs; None, with a warning, if it is not there."""
        found = (logs or {}).get(self.monitor)
        if found is None:
            warnings.warn(
                f"{type(self).__name__}: `{self.monitor}` is not available, only: "
                f"{', '.join(logs or {})}",
                stacklevel=2,
            )
        return found
