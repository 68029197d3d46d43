# SPDX-License-Identifier: Apache-2.0
"""The one timer of the benchmarks, what is made of its times, and the tables.

A sample is one call of what is measured, by the monotonic clock. Medians count: the
clock of a busy or virtual machine drifts, and means follow its outliers.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence


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


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows below a head, a line each: first column to the left, others to the right."""
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ""
    for line in lines:
        first, *others = zip(line, widths, strict=True)
        cells = [cell.rjust(width) for cell, width in others]
        text += "  ".join([first[0].ljust(first[1]), *cells]).rstrip() + "\n"
    return text
