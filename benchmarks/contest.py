# SPDX-License-Identifier: Apache-2.0
"""Engines in turn on one network: first their answers, then rounds of times.

What benchmarks.train and benchmarks.inference have in common; they differ in what a
worker repeats, in the reference for the answers, and in the goals.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from . import networks, peers
from .harness import cpu_name, say, say_table
from .timing import spread
from .worker import ISAS, Worker, WorkerError

WARM_UP_STEPS = 20
TOLERANCE = 1e-3
# A bfloat16 has 8 bits: each product is off by up to 0.4 %, and by less on average.
BFLOAT16_TOLERANCE = 5e-2
MISSING: set[str] = set()  # measurements of our core already said to be missing
NOTES = (
    "spread: between the quartiles; ratio: to ours.\n"
    "memory: highest resident memory of the engine's process (VmHWM) with its\n"
    "libraries, its data and the model; nothing is subtracted.\n"
    "barrier: a spin barrier between two threads, measured before each turn of the\n"
    "engine; virtual machines change it by themselves, and short steps with it."
)


@dataclass(frozen=True)
class Task:
    """What every engine does with a network, again and again."""

    mode: Literal["train", "predict"]
    steps: int  # of a sample
    checked_steps: int  # before the answer
    reference: list[float] | None  # the NumPy baseline's answer, where it has one
    gflop: float  # of a step, by the direct algorithm


@dataclass
class Row:
    """What is known about an engine on a network; goes to the JSON file as it is."""

    name: str
    engine: str
    version: str
    answer: list[float]
    reference: list[float]
    milliseconds: list[float] = field(default_factory=list)
    barrier_ns: list[float] = field(default_factory=list)
    peak_memory_mb: float = 0.0
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def error(self) -> float:
        """The largest difference to the reference over its largest number."""
        if len(self.answer) != len(self.reference):
            return math.inf
        pairs = zip(self.answer, self.reference, strict=True)
        differences = [abs(answer - reference) for answer, reference in pairs]
        if not all(map(math.isfinite, differences)):
            return math.inf
        return max(differences) / (max(map(abs, self.reference)) or 1.0)

    @property
    def right(self) -> bool:
        """The answer is the reference's; false for NaN as well."""
        bfloat16 = peers.is_bfloat16(self.engine)
        return self.error <= (BFLOAT16_TOLERANCE if bfloat16 else TOLERANCE)

    @property
    def median(self) -> float:
        """Milliseconds per step."""
        return statistics.median(self.milliseconds)


def measure(name: str, task: Task, options: argparse.Namespace) -> list[Row]:
    """All engines on one network; the answers first, then rounds of times."""
    with ExitStack() as stack:
        rows: dict[Worker, Row] = {}
        for engine in [peers.OURS, *options.against]:
            try:
                worker = start(engine, name, task, options.threads, options)
                stack.callback(worker.close)
                answer = worker.call("check", task.checked_steps)
                rows[worker] = Row(name, engine, worker.version, answer, [])
            except WorkerError as error:
                say(f"{engine}: skipped: {error}")
        reference = task.reference or middle(rows.values())
        for row in rows.values():
            row.reference = reference
        right = [worker for worker in rows if rows[worker].right]
        run_rounds(right, rows, task.mode == "train", options)
        return list(rows.values())


def start(
    engine: str, name: str, task: Task, threads: int, options: argparse.Namespace
) -> Worker:
    """The engine's process for a network."""
    here = engine in (peers.OURS, "numpy")
    return Worker(
        sys.executable if here else options.peer_python,
        engine,
        threads,
        *(name, str(threads), str(task.steps), task.mode),
        isa=options.isa,
    )


def middle(rows: Any) -> list[float]:
    """What most engines say, number by number."""
    answers = [row.answer for row in rows if not peers.is_bfloat16(row.engine)]
    return [statistics.median_low(numbers) for numbers in zip(*answers, strict=False)]


def run_rounds(
    workers: list[Worker],
    rows: dict[Worker, Row],
    trains: bool,
    options: argparse.Namespace,
) -> None:
    """Warm all up, then time them in turn."""
    ours = next((worker for worker in workers if worker.engine == peers.OURS), None)
    share = options.seconds / options.rounds
    for worker in workers:
        worker.call("warm_up", 0 if options.smoke else WARM_UP_STEPS)
    for _ in range(options.rounds):
        for worker in workers:
            row = rows[worker]
            row.barrier_ns += tell(ours, "barrier_ns")
            row.milliseconds += worker.call("sample", share, 1)
    for worker in workers:
        row = rows[worker]
        row.peak_memory_mb = worker.call("peak_memory_mb")
        # Training on must not have blown up: times of NaN mean nothing.
        last = worker.call("answer")
        if not all(map(math.isfinite, last)):
            row.answer = last
    if ours:
        measured = ["peak_gflops"] + ["executed_gflop"] * trains
        for key in measured:
            for value in tell(ours, key):
                rows[ours].extra[key] = value


def tell(ours: Worker | None, method: str) -> list[float]:
    """What only our own core measures, if it is there and can."""
    try:
        return [ours.call(method)] if ours else []
    except WorkerError as error:
        if method not in MISSING:
            MISSING.add(method)
            say(f"{method}: skipped: {error}")
        return []


def report(name: str, rows: list[Row], gflop: float) -> None:
    """The table of a network, and the speed of ours against the machine's."""
    ours = find_ours(rows)
    lines = []
    for row in rows:
        if not row.right:
            lines.append([row.engine, "WRONG", *[""] * 4, row.version])
            continue
        barrier = f"{statistics.median(row.barrier_ns):.0f}" if row.barrier_ns else "-"
        lines.append(
            [
                row.engine,
                f"{row.median:.4g}",
                f"{spread(row.milliseconds):.0%}",
                f"{row.median / ours.median:.2f}" if ours else "-",
                f"{row.peak_memory_mb:.0f}",
                barrier,
                row.version,
            ]
        )
    head = [name, "ms", "spread", "ratio", "memory MB", "barrier ns", "version"]
    say_table(head, lines)
    for row in rows:
        if not row.right:
            say(f"{row.engine}: off by {row.error:.1e} of the largest number expected")
    if ours:
        report_speed(ours, gflop)


def report_speed(ours: Row, gflop: float) -> None:
    """Effective and executed GFLOP/s, and how much of the measured peak that is."""
    work = {"effective": gflop}
    if "executed_gflop" in ours.extra:
        work["executed"] = ours.extra["executed_gflop"]
    parts = []
    for kind, amount in work.items():
        speed = amount / ours.median * 1e3
        peak = ours.extra.get("peak_gflops")
        percent = f" ({speed / peak:.0%} of {peak:.0f})" if peak else ""
        parts.append(f"{kind} {speed:.1f} GFLOP/s{percent}")
    say(f"{peers.OURS}: " + ", ".join(parts))


def find_ours(rows: Sequence[Row]) -> Row | None:
    """Our row, if it is there and right."""
    return next((row for row in rows if row.engine == peers.OURS and row.right), None)


def summarise(results: Sequence[Sequence[Row]], goals: Mapping[str, float]) -> None:
    """The best peer of every network over ours, beside the goal; their mean."""
    lines, ratios = [], []
    for rows in results:
        ours = find_ours(rows)
        others = [row for row in rows if row.right and row.engine != peers.OURS]
        exact = [row for row in others if not peers.is_bfloat16(row.engine)]
        if ours is None or not exact:
            continue
        best = min(exact, key=lambda row: row.median)
        ratio = best.median / ours.median
        ratios.append(ratio)
        goal = goals.get(ours.name)
        rounded = [row for row in others if peers.is_bfloat16(row.engine)]
        lines.append(
            [
                ours.name,
                f"{ours.median:.4g}",
                f"{best.median:.4g}",
                best.engine,
                f"{ratio:.2f}",
                f"{goal:g}" if goal else "-",
                "-" if goal is None else "yes" if ratio >= goal else "no",
                *[f"{row.median / ours.median:.2f}" for row in rounded],
            ]
        )
    if not lines:
        return
    say("\nbest float32 peer / ours")
    head = ["network", "ours ms", "peer ms", "best peer", "ratio", "goal", "reached"]
    width = max(map(len, lines))
    head += ["bfloat16 / ours"] * (width - len(head))
    say_table(head, [line + ["-"] * (width - len(line)) for line in lines])
    mean = float(np.exp(np.mean(np.log(ratios))))
    say(f"geometric mean {mean:.2f}, least {min(ratios):.2f}")


def parse_arguments(
    arguments: list[str] | None,
    program: str,
    description: str | None,
    presets: Mapping[str, Any],
) -> argparse.Namespace:
    """The command line; `presets` has the defaults, `all` and the `smoke` ones."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{program}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("networks", nargs="*", metavar="NETWORK:BATCH")
    add("--all", action="store_true", help="all networks that have a goal")
    add("--against", help=f"engines, by commas (default {presets['against']})")
    add("--isa", choices=ISAS, help="limit all engines that can be to this")
    add("--threads", type=int, default=len(os.sched_getaffinity(0)))
    add("--seconds", type=float, default=4.0, help="timed, per engine and network")
    add("--rounds", type=int, default=5, help="turns of each engine")
    add("--json", type=Path, help="write the samples here, for benchmarks.compare")
    add(
        "--peer-python",
        default=os.environ.get("PRONGHORN_BENCH_PYTHON", sys.executable),
        help="a Python that has the peers (default $PRONGHORN_BENCH_PYTHON or this)",
    )
    add("--smoke", action="store_true", help="answers and a few steps only, for CI")
    options = parser.parse_args(arguments)
    if options.smoke:
        options.rounds, options.seconds = 1, 0.0
    if options.all:
        options.networks += presets["all"]
    if not options.networks:
        options.networks = presets["smoke" if options.smoke else "networks"]
    against = options.against
    if against is None:
        against = "numpy" if options.smoke else presets["against"]
    engines = [engine for engine in against.split(",") if engine]
    if options.isa and options.against is None:  # bfloat16 is emulated there
        engines = [engine for engine in engines if not peers.is_bfloat16(engine)]
    options.against = engines
    for name in options.networks:
        try:
            networks.parse(name)
        except ValueError as error:
            parser.error(str(error))
    return options


def run(
    options: argparse.Namespace, task: Any, goals: Mapping[str, float], unit: str
) -> int:
    """Measures all networks; exit status 0 if pronghorn was there and all was right.

    Args:
        options: Of the command line.
        task: A function of a network's name that gives its Task.
        goals: The ratios to reach.
        unit: What the milliseconds are of.
    """
    say(f"{cpu_name()}\nms: of {unit}, median of all samples; {NOTES}")
    results: list[list[Row]] = []
    for name in options.networks:
        made = task(name)
        say(f"\n{name}: samples of {made.steps}, {options.threads} threads")
        rows = measure(name, made, options)
        report(name, rows, made.gflop)
        results.append(rows)
    summarise(results, goals)
    flat = [row for rows in results for row in rows]
    if options.json:
        document: dict[str, Any] = {
            "cpu": cpu_name(),
            "threads": options.threads,
            "isa": options.isa,
            "rows": [asdict(row) for row in flat],
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    present = {row.name for row in flat if row.engine == peers.OURS}
    complete = present == set(options.networks)
    return 0 if complete and all(row.right for row in flat) else 1
