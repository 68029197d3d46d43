# SPDX-License-Identifier: Apache-2.0
"""Training steps on one thread and on all, alone and beside a busy process.

    python -m benchmarks.scaling cifar:128 resnet18:16

`speed-up` is the time on one thread over that on all of them. `slow-down` is the time
on all threads while another process spins on one of their CPUs, over that without; on
two CPUs a fair scheduler leaves three quarters of the machine, and a step that waits
for its slower half at every barrier takes twice its time. All of it is taken in turn.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

from . import contest, peers, train
from .harness import cpu_name, say, say_table
from .worker import Worker, WorkerError

NETWORKS = ["lenet5:32", "lenet_caffe:128", "cifar:128", "resnet20:128", "resnet18:1"]
SMOKE_NETWORKS = ["lenet5:8"]
AGAINST = "torch-channels-last"
SPEED_UP = 1.9  # at least, of steps of a millisecond and more
SLOW_DOWN = 2.2  # at most
HEAD = ["ms, 1 thread", "ms, all", "speed-up", "ms, busy", "slow-down"]


@contextlib.contextmanager
def neighbour() -> Iterator[None]:
    """A process that spins on the last of the CPUs we may use."""
    spinning = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        os.sched_setaffinity(spinning.pid, {max(os.sched_getaffinity(0))})
        yield
    finally:
        spinning.kill()
        spinning.wait()


class Team:
    """An engine on one thread and on all."""

    def __init__(
        self,
        engine: str,
        name: str,
        task: contest.Task,
        options: argparse.Namespace,
        stack: ExitStack,
    ) -> None:
        """Starts the processes and takes their answers."""
        self.engine = engine
        self.workers: list[Worker] = []
        self.rows: list[contest.Row] = []
        for threads in (1, options.threads):
            worker = contest.start(engine, name, task, threads, options)
            stack.callback(worker.close)
            answer = worker.call("check", task.checked_steps)
            self.rows.append(contest.Row(name, engine, worker.version, answer, []))
            worker.call("warm_up", 0 if options.smoke else contest.WARM_UP_STEPS)
            self.workers.append(worker)
        self.times: dict[str, list[float]] = {"one": [], "all": [], "busy": []}

    def sample(self, kind: str, seconds: float) -> None:
        """Steps of one kind."""
        worker = self.workers[0 if kind == "one" else 1]
        self.times[kind] += worker.call("sample", seconds, 1)

    def cells(self) -> list[str]:
        """A row of the table."""
        if not all(row.right for row in self.rows):
            return [self.engine, "WRONG", *[""] * (len(HEAD) - 1)]
        one, alone, busy = map(statistics.median, self.times.values())
        times = [f"{time:.4g}" for time in (one, alone, busy)]
        up, down = f"{one / alone:.2f}", f"{busy / alone:.2f}"
        return [self.engine, *times[:2], up, times[2], down]


def measure(name: str, options: argparse.Namespace) -> bool:
    """The table of a network; whether ours was there and all answers right."""
    task = train.task(name, options)
    share = options.seconds / options.rounds
    with ExitStack() as stack:
        teams: list[Team] = []
        for engine in [peers.OURS, *options.against]:
            try:
                teams.append(Team(engine, name, task, options, stack))
            except WorkerError as error:
                say(f"{engine}: skipped: {error}")
        rows = [row for team in teams for row in team.rows]
        reference = task.reference or contest.middle(rows)
        for row in rows:
            row.reference = reference
        for _ in range(options.rounds):
            for team in teams:
                team.sample("one", share)
                team.sample("all", share)
            with neighbour():
                for team in teams:
                    team.sample("busy", share)
    say()
    say_table([name, *HEAD], [team.cells() for team in teams])
    return peers.OURS in {team.engine for team in teams} and all(
        row.right for row in rows
    )


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 if pronghorn was there and every answer was right."""
    presets = {
        "networks": NETWORKS,
        "smoke": SMOKE_NETWORKS,
        "all": list(train.GOALS),
        "against": AGAINST,
    }
    options = contest.parse_arguments(arguments, "scaling", __doc__, presets)
    say(
        f"{cpu_name()}, {options.threads} threads. Goals: a speed-up of {SPEED_UP} "
        f"for steps of a\nmillisecond and more, a slow-down of {SLOW_DOWN} at most."
    )
    right = [measure(name, options) for name in options.networks]
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.exit(main())
