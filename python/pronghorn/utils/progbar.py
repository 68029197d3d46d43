# SPDX-License-Identifier: Apache-2.0
"""Progress bar with the output of Keras's `utils.Progbar`.

On a terminal (or in a notebook) the line is redrawn in place and coloured. Elsewhere
(a pipe, a log file) one plain line is written when the bar is finalized: logs do not
fill with backspaces and colour codes.
"""

import math
import os
import sys
import time
from collections.abc import Iterable, Sequence

from pronghorn.utils import console

_BOLD = "\x1b[1m"
_GREEN = "\x1b[32m"
_WHITE = "\x1b[37m"
_RESET = "\x1b[0m"


class Progbar:
    """Displays a progress bar.

    Args:
        target: Total number of steps, None if unknown.
        width: Width of the bar in characters.
        verbose: 0 silent, 1 a bar, 2 one line when the bar is finalized.
        interval: Smallest time between two redraws, in seconds.
        stateful_metrics: Names of values shown as they come; all others are averaged
            over the steps. At most one of the two lists can be given.
        stateless_metrics: Names of values averaged over the steps; all others are
            shown as they come.
        unit_name: What a step is called in the output.

    Example:
        >>> bar = Progbar(2, verbose=0)
        >>> bar.update(1, [("loss", 0.5)])
        >>> bar.update(2, [("loss", 0.25)])
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(
                "Progbar: expected one of `stateful_metrics` and `stateless_metrics`, "
                "got both"
            )
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self._stateful = set(stateful_metrics or ())
        self._stateless = None if stateless_metrics is None else set(stateless_metrics)
        self._redraws = _is_terminal()
        self._seen_so_far = 0
        self._values: dict[str, tuple[float, int]] = {}  # name: (sum, count)
        self._start = time.time()
        self._last_update = 0.0
        self._time_after_first_step: float | None = None
        self._drawn_width = 0

    def update(
        self,
        current: int,
        values: Sequence[tuple[str, float]] | None = None,
        finalize: bool | None = None,
    ) -> None:
        """Moves the bar to step `current` (steps may be skipped).

        Args:
            current: Number of steps done.
            values: Pairs (name, value) to show.
            finalize: Whether this is the last update; None means when `current`
                reaches the target.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in values or ():
            self._record(name, float(value), current, finalize)
        self._seen_so_far = current
        now = time.time()
        step_time = self._step_time(current, now)
        if self.verbose == 1:
            if not finalize and (
                not self._redraws or now - self._last_update < self.interval
            ):
                return
            self._draw(current, now, step_time, finalize)
        elif self.verbose == 2 and finalize and self.target:
            self._write_line(current, now, step_time)
        self._last_update = now

    def add(self, n: int, values: Sequence[tuple[str, float]] | None = None) -> None:
        """Moves the bar by `n` steps."""
        self.update(self._seen_so_far + n, values)

    def _record(self, name: str, value: float, current: int, finalize: bool) -> None:
        if self._stateless is not None:
            averaged = name in self._stateless
        else:
            averaged = name not in self._stateful
        if not averaged or finalize:
            self._values[name] = (value, 1)
            return
        steps = max(current - self._seen_so_far, 1)
        total, count = self._values.get(name, (0.0, 0))
        self._values[name] = (total + value * steps, count + steps)

    def _step_time(self, current: int, now: float) -> float:
        """Seconds a step takes, without the first one (which builds plans)."""
        if not current:
            return 0.0
        if self._time_after_first_step is not None and current > 1:
            return (now - self._time_after_first_step) / (current - 1)
        if current == 1:
            self._time_after_first_step = now
        return (now - self._start) / current

    def _draw(self, current: int, now: float, step_time: float, finalize: bool) -> None:
        """Writes the bar: `6/6 ━━━━━━━━━━━━━━━━━━━━ 1s 69ms/step - loss: 2.3201`."""
        if self.target:
            done = int(self.width * current / self.target)
            counter = _counter(current, self.target)
            bars = ("━" * done, "━" * (self.width - done))
            plain = f"{counter} {bars[0]}{bars[1]}"
            green = f"{_GREEN}{bars[0]}{_RESET}" if done > 0 else ""
            styled = f"{_BOLD}{counter}{_RESET} {green}{_WHITE}{bars[1]}{_RESET}"
        else:
            plain = styled = f"{current:7d}/Unknown"
        if self.target and not finalize:
            clock = _format_eta(step_time * (self.target - current))
        else:
            clock = f"{now - self._start:.0f}s"
        tail = f"{_format_step(step_time, self.unit_name)}{self._format_values()}"
        plain += f" {clock}{tail}"
        if self._redraws:
            erase = "\b" * self._drawn_width + "\r"
            rest = " " * (self._drawn_width - len(plain))
            text = f"{erase}{styled} {_BOLD}{clock}{_RESET}{tail}{rest}"
        else:
            text = plain
        self._drawn_width = len(plain)
        console.write(text + ("\n" if finalize else ""))

    def _write_line(self, current: int, now: float, step_time: float) -> None:
        """Writes the line of verbose=2: `8/8 - 0s - 3ms/step - loss: 2.2976`."""
        counter = _counter(current, self.target or current)
        step = _format_step(step_time, self.unit_name)
        values = self._format_values()
        console.write(f"{counter} - {now - self._start:.0f}s -{step}{values}\n")

    def _format_values(self) -> str:
        parts = []
        for name, (total, count) in self._values.items():
            value = total / max(1, count)
            number = f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}"
            parts.append(f" - {name}: {number}")
        return "".join(parts)


def _is_terminal() -> bool:
    isatty = getattr(sys.stdout, "isatty", None)
    if isatty is not None and isatty():
        return True
    return "ipykernel" in sys.modules or "PYCHARM_HOSTED" in os.environ


def _counter(current: int, target: int) -> str:
    digits = int(math.log10(target)) + 1
    return f"{current:{digits}d}/{target}"


def _format_eta(seconds: float) -> str:
    whole = int(seconds)
    if seconds > 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    if seconds > 60:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole}s"


def _format_step(seconds: float, unit: str) -> str:
    if seconds >= 1 or seconds == 0:
        return f" {seconds:.0f}s/{unit}"
    if seconds >= 1e-3:
        return f" {seconds * 1e3:.0f}ms/{unit}"
    return f" {seconds * 1e6:.0f}us/{unit}"
