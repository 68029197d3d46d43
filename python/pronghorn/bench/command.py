# SPDX-License-Identifier: Apache-2.0
"""`pronghorn bench`: how fast training steps of well-known networks are here.

A step is forward, softmax cross-entropy from logits, backward and SGD with momentum,
through `fit` on random data.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

import pronghorn
from pronghorn import config
from pronghorn._native import core as _core
from pronghorn.bench import networks, timing
from pronghorn.bench.description import Network
from pronghorn.bench.keras_model import compiled_model
from pronghorn.training.profile import StageTime
from pronghorn.utils import console

_PROFILE_HEAD = ["stage", "ms", "GFLOP/s", "GB/s", "% of peak"]
_PROFILED_STEPS = 100  # at most: what a short step's stages take is steady by then


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    networks: list[str]  # name:batch
    profile: bool
    seconds: float


def run(options: Options) -> None:
    """Measures each network, and prints it before the next."""
    problems = [networks.parse(name) for name in options.networks]
    threads = 1 if options.profile else config.num_threads()
    peak = _core.measure_peak(threads)
    console.write(
        f"{_core.cpu_name()}, {_core.isa()}, threads: {threads}, "
        f"float32 peak: {peak:.0f} GFLOP/s\n"
    )
    for name, problem in zip(options.networks, problems, strict=True):
        if options.profile:
            _profile(name, *problem, options.seconds, peak)
        else:
            _time(name, *problem, options.seconds, peak)


def _model(network: Network) -> Any:
    return compiled_model(pronghorn, network, network.weights())


def _time(name: str, network: Network, batch: int, seconds: float, peak: float) -> None:
    model = _model(network)
    steps = network.epoch_steps(batch, least=1)
    x, y = network.data(steps * batch)

    def epoch() -> None:
        model.fit(x, y, batch_size=batch, shuffle=False, verbose=0)

    epoch()
    times = [time / steps for time in timing.sample(epoch, seconds, 3)]
    step = statistics.median(times)
    gflops = 1e-9 * batch * network.step_flops() / step
    console.write(
        f"{name}: {1e3 * step:.4g} ms/step (spread {timing.spread(times):.0%}), "
        f"{batch / step:,.0f} images/s, {gflops:.4g} GFLOP/s of the direct algorithm "
        f"({gflops / peak:.0%} of peak)\n"
    )


def _profile(
    name: str, network: Network, batch: int, seconds: float, peak: float
) -> None:
    model = _model(network)
    x, y = network.data(batch)
    model.profile(x, y, 1)
    step = sum(row.milliseconds for row in model.profile(x, y, 1)) / 1e3
    repeats = max(1, min(_PROFILED_STEPS, int(seconds / step)))
    rows: list[StageTime] = model.profile(x, y, repeats)
    total = sum(row.milliseconds for row in rows)
    rows.append(
        StageTime(
            "all stages",
            total,
            sum(row.milliseconds * row.gflops for row in rows) / total,
            sum(row.milliseconds * row.gbytes_per_second for row in rows) / total,
        )
    )
    console.write(f"\n{name}, a training step, mean of {repeats}\n")
    console.write(timing.table(_PROFILE_HEAD, [_cells(row, peak) for row in rows]))


def _cells(row: StageTime, peak: float) -> list[str]:
    numbers = row.gflops, row.gbytes_per_second, 100 * row.gflops / peak
    cells = [f"{number:.1f}" if number else "-" for number in numbers]
    return [row.stage, f"{row.milliseconds:.4g}", *cells]
