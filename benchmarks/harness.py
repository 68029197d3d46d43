# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks say of the machine, and how they print."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from .timing import table


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
    """Print rows below a head."""
    say(table(head, rows).removesuffix("\n"))
