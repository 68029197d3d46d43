# SPDX-License-Identifier: Apache-2.0
"""Two runs of benchmarks.train side by side.

    python -m benchmarks.compare before.json after.json

`ratio` is the first time over the second: above 1, the second run is faster. `spread`
is the distance between the quartiles over the median; a ratio within it says nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import TypeAlias

from .harness import say_table
from .timing import spread

Run: TypeAlias = dict[tuple[str, str], list[float]]


def load(path: Path) -> Run:
    """Milliseconds of every network and engine that were timed."""
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    timed = (row for row in rows if row["milliseconds"])
    return {(row["name"], row["engine"]): row["milliseconds"] for row in timed}


def compare(before: Run, after: Run) -> list[list[str]]:
    """The table's rows, for what both runs have."""
    table = []
    for name, engine in before.keys() & after.keys():
        pair = before[name, engine], after[name, engine]
        first, second = map(statistics.median, pair)
        numbers = [f"{first:.4g}", f"{second:.4g}", f"{first / second:.3f}"]
        spreads = [f"{spread(times):.1%}" for times in pair]
        table.append([name, engine, *numbers, *spreads])
    return sorted(table)


def main(arguments: list[str] | None = None) -> int:
    """Prints the table; exit status 1 if the runs have nothing in common."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    options = parser.parse_args(arguments)
    table = compare(load(options.before), load(options.after))
    columns = "network engine ms-before ms-after ratio spread-before spread-after"
    say_table(columns.split(), table)
    return 0 if table else 1


if __name__ == "__main__":
    sys.exit(main())
