# SPDX-License-Identifier: Apache-2.0
"""The one timer of the benchmarks, what is made of its times, and the tables.

A sample is one call of what is measured, by the monotonic clock. Medians count: the
clock of a busy or virtual machine drifts, and means follow its outliers.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path


def sample(run: Callable[[], object], seconds: float, least: int = 1) -> list[float]:
    """Seconds of each call, calling until `seconds` and `least` calls are over."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def spread(times: Sequence[float]) -> float:
    """Distance between the quartiles over the median; 0 for a single time."""
    if len(times) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
    return (high - low) / middle


def peak_memory_mb() -> float:
    """Highest resident memory of this process so far (VmHWM), in MB of 10^6 bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def cpu_name() -> str:
    """The processor as the kernel names it."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown CPU"


def say(text: str = "") -> None:
    """Print a line now, also into a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows below a head: first column to the left, others to the right."""
    table = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        first, *others = zip(row, widths, strict=True)
        cells = [cell.rjust(width) for cell, width in others]
        say("  ".join([first[0].ljust(first[1]), *cells]).rstrip())
