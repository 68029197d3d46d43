# SPDX-License-Identifier: Apache-2.0
"""Times training steps of pronghorn and its peers, in turn, after checking answers.

    python -m benchmarks.train lenet5:1 lenet5:32 --against numpy,torch,keras-jax

A step is forward, softmax cross-entropy from logits, backward and SGD with momentum
0.9, in float32. Pronghorn and Keras train through `fit` over an epoch of many batches,
PyTorch in a loop over tensors made beforehand. Every engine starts from the same
weights and data; one whose loss after three steps differs from the NumPy baseline's is
marked WRONG, and the exit status is 1. Where the baseline cannot run, the engines are
compared, after one step, with the median of their losses.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import networks, peers
from .description import Network
from .harness import cpu_name, say, say_table
from .timing import spread
from .worker import Worker, WorkerError

NETWORKS = ["lenet5:1", "lenet5:32", "lenet_caffe:128", "cifar:128"]
SMOKE_NETWORKS = ["lenet5:1", "lenet5:33", "cifar:8", "odd_strides:5", "odd_pools:3"]
AGAINST = "numpy,torch,torch-channels-last,torch-compile,keras-tensorflow,keras-jax"
CHECK_STEPS = 3
WARM_UP_STEPS = 20
TOLERANCE = 1e-3
LARGEST_REFERENCE = 64 * 64 * 3  # floats of an image; beyond, NumPy takes minutes
MISSING: set[str] = set()  # measurements of our core already said to be missing
NOTES = (
    "ms/step: median over all epochs; spread: between the quartiles; ratio: to ours.\n"
    "memory: highest resident memory of the engine's process (VmHWM) with its\n"
    "libraries, its data and the model; nothing is subtracted.\n"
    "barrier: a spin barrier between two threads, measured before each turn of the\n"
    "engine; virtual machines change it by themselves, and short steps with it."
)


@dataclass
class Row:
    """What is known about an engine on a network; goes to the JSON file as it is."""

    name: str
    engine: str
    version: str
    loss: float
    reference: float
    milliseconds: list[float] = field(default_factory=list)
    barrier_ns: list[float] = field(default_factory=list)
    peak_memory_mb: float = 0.0
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def right(self) -> bool:
        """The loss is the reference's; false for NaN as well."""
        return abs(self.loss - self.reference) <= TOLERANCE * abs(self.reference)

    @property
    def median(self) -> float:
        """Milliseconds per step."""
        return statistics.median(self.milliseconds)


def reference_loss(network: Network, batch: int) -> float | None:
    """The NumPy baseline's loss after the first steps; None where it cannot tell."""
    if network.wiring or math.prod(network.input_shape) > LARGEST_REFERENCE:
        return None
    problem = peers.Problem.create(network, batch, 1, CHECK_STEPS)
    engine = peers.create("numpy", problem)
    engine.train(CHECK_STEPS)
    return engine.loss()


def measure(name: str, options: argparse.Namespace) -> list[Row]:
    """All engines on one network; the answers first, then rounds of times."""
    network, batch = networks.parse(name)
    most = CHECK_STEPS + 1 if options.smoke else 2048
    steps = network.epoch_steps(batch, CHECK_STEPS + 1, most)
    say(f"\n{name}: {steps} steps an epoch, {options.threads} threads")
    reference = reference_loss(network, batch)
    with ExitStack() as stack:
        rows: dict[Worker, Row] = {}
        for engine in [peers.OURS, *options.against]:
            python = options.peer_python
            if engine in (peers.OURS, "numpy"):
                python = sys.executable
            try:
                threads = options.threads
                worker = Worker(python, engine, threads, name, str(threads), str(steps))
                stack.callback(worker.close)
                # Large networks magnify rounding, where a maximum or a ReLU flips.
                loss = worker.call("check", 1 if reference is None else CHECK_STEPS)
                rows[worker] = Row(name, engine, worker.version, loss, loss)
            except WorkerError as error:
                say(f"{engine}: skipped: {error}")
        if reference is None:  # what most engines say
            reference = statistics.median_low(row.loss for row in rows.values())
        for row in rows.values():
            row.reference = reference
        run_rounds([worker for worker in rows if rows[worker].right], rows, options)
        return list(rows.values())


def run_rounds(
    workers: list[Worker], rows: dict[Worker, Row], options: argparse.Namespace
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
        rows[worker].peak_memory_mb = worker.call("peak_memory_mb")
        # Training on must not have blown up: times of NaN mean nothing.
        if not math.isfinite(worker.call("loss")):
            rows[worker].loss = math.nan
    if ours:
        for key in ("peak_gflops", "executed_gflop"):
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


def report(name: str, rows: list[Row]) -> None:
    """The table of a network, and the speed of ours against the machine's."""
    ours = next((row for row in rows if row.engine == peers.OURS and row.right), None)
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
    say_table(
        [name, "ms/step", "spread", "ratio", "memory MB", "barrier ns", "version"],
        lines,
    )
    for row in rows:
        if not row.right:
            say(f"{row.engine}: loss {row.loss}, expected {row.reference}")
    timed = [row for row in rows if row.right and row is not ours]
    if timed:
        best = min(timed, key=lambda row: row.median)
        ratio = f": {best.median / ours.median:.2f}x ours" if ours else ""
        say(f"best peer {best.engine}{ratio}")
    if ours:
        report_speed(ours)


def report_speed(ours: Row) -> None:
    """Effective and executed GFLOP/s, and how much of the measured peak that is."""
    network, batch = networks.parse(ours.name)
    work = {"effective": network.step_flops() * batch / 1e9}
    if "executed_gflop" in ours.extra:
        work["executed"] = ours.extra["executed_gflop"]
    parts = []
    for kind, gflop in work.items():
        speed = gflop / ours.median * 1e3
        peak = ours.extra.get("peak_gflops")
        percent = f" ({speed / peak:.0%} of {peak:.0f})" if peak else ""
        parts.append(f"{kind} {speed:.1f} GFLOP/s{percent}")
    say(f"{peers.OURS}: " + ", ".join(parts))


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("networks", nargs="*", metavar="NETWORK:BATCH")
    add("--against", help=f"engines, by commas (default {AGAINST})")
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
    if not options.networks:
        options.networks = SMOKE_NETWORKS if options.smoke else NETWORKS
    default = "numpy" if options.smoke else AGAINST
    against = default if options.against is None else options.against
    options.against = [engine for engine in against.split(",") if engine]
    for name in options.networks:
        try:
            networks.parse(name)
        except ValueError as error:
            parser.error(str(error))
    return options


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 if pronghorn was there and every answer was right."""
    options = parse_arguments(arguments)
    say(f"{cpu_name()}\n{NOTES}")
    results: list[Row] = []
    for name in options.networks:
        rows = measure(name, options)
        report(name, rows)
        results += rows
    if options.json:
        document: dict[str, Any] = {
            "cpu": cpu_name(),
            "threads": options.threads,
            "rows": [asdict(row) for row in results],
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    present = {row.name for row in results if row.engine == peers.OURS}
    complete = present == set(options.networks)
    return 0 if complete and all(row.right for row in results) else 1


if __name__ == "__main__":
    sys.exit(main())
