# SPDX-License-Identifier: Apache-2.0
"""Forward and backward of every layer, ours beside PyTorch's and Keras's on TensorFlow.

    python -m benchmarks.layers --filter Pooling

A case is the layer and a mean squared error: the gradients of the inputs and of the
weights are computed. Every engine is a process of its own; they are timed in turn, and
the medians compared.
"""

from __future__ import annotations

import argparse
import importlib
import math
import os
import statistics
import sys
from typing import Any

import numpy as np

from . import timing
from .harness import cpu_name, say, say_table
from .layer_cases import CASES, Case
from .peers import OURS
from .worker import Worker, WorkerError, serve

ENGINES = ("torch", "torch-channels-last", "keras-tensorflow")
WARM_UP = 3
ROUNDS = 3
MODULE = "benchmarks.layers"


def data(case: Case) -> tuple[list[Any], Any]:
    """Inputs, and a generator for what the output should be."""
    rng = np.random.default_rng(0)
    shape = (case.batch, *case.shape)
    inputs = [rng.standard_normal(shape, dtype=np.float32) for _ in range(case.inputs)]
    return inputs, rng


def ours(case: Case) -> Any:
    """A function that does a step in pronghorn."""
    import pronghorn  # noqa: PLC0415 each engine lives where it is installed
    from pronghorn.layers.lowering import GraphBuilder  # noqa: PLC0415

    inputs, rng = data(case)
    layer = case.keras(pronghorn.layers)
    layer(inputs if case.inputs > 1 else inputs[0])
    graph = GraphBuilder(case.batch, True, [id(w) for w in layer.trainable_weights])
    tensors = [graph.core.input(case.shape, "float32", True) for _ in inputs]
    y = graph.lower(layer, tensors)[0]
    target = graph.input(graph.shape(y)[1:])
    wanted = rng.standard_normal(graph.shape(y), dtype=np.float32)
    loss = graph.add("mean_squared_error", [y, target])
    plan = graph.core.compile(losses=[(loss, -1, "sum_over_batch_size", 1.0)])
    order = np.arange(case.batch)
    return lambda: plan.run([*inputs, wanted], order)


def torch(case: Case, channels_last: bool) -> Any:
    """A function that does a step in PyTorch."""
    import torch  # noqa: PLC0415

    if case.torch is None:
        raise WorkerError("no such module")
    inputs, rng = data(case)
    module = case.torch(torch.nn)
    rank = len(case.shape) + 1
    layouts = {4: torch.channels_last, 5: torch.channels_last_3d}
    layout = layouts.get(rank, torch.contiguous_format)
    if not channels_last:
        layout = torch.contiguous_format
    module.to(memory_format=layout)
    order = (0, rank - 1, *range(1, rank - 1)) if rank > 2 else (0, 1)
    if isinstance(module, torch.nn.LayerNorm | torch.nn.RMSNorm | torch.nn.Linear):
        order = tuple(range(rank))
    tensors = [torch.from_numpy(x).permute(order) for x in inputs]
    tensors = [x.contiguous(memory_format=layout).requires_grad_() for x in tensors]
    shape = module(*tensors).shape
    wanted = torch.from_numpy(rng.standard_normal(tuple(shape), dtype=np.float32))
    wanted = wanted.contiguous(
        memory_format=layout if len(shape) == rank else torch.contiguous_format
    )

    def step() -> None:
        for x in (*tensors, *module.parameters()):
            x.grad = None
        torch.nn.functional.mse_loss(module(*tensors), wanted).backward()

    return step


def tensorflow(case: Case) -> Any:
    """A function that does a step in Keras on TensorFlow, compiled."""
    import keras  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    inputs, rng = data(case)
    layer = case.keras(keras.layers)
    tensors = [tf.constant(x) for x in inputs]
    given = tensors if case.inputs > 1 else tensors[0]
    wanted = tf.constant(rng.standard_normal(layer(given).shape, dtype=np.float32))

    @tf.function
    def step(given: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(given)
            y = (
                layer(given, training=True)
                if "training" in code(layer)
                else layer(given)
            )
            loss = tf.reduce_mean((y - wanted) ** 2)
        return tape.gradient(loss, [given, layer.trainable_variables])

    return lambda: tf.nest.map_structure(lambda x: x.numpy()[:0], step(given)[:1])


def code(layer: Any) -> tuple[str, ...]:
    """The names of the arguments of a layer's `call`."""
    return tuple(layer.call.__code__.co_varnames)


class Served:
    """The child's end: one case at a time."""

    def __init__(self, engine: str, threads: int) -> None:
        """The engine's name; the environment says the threads to all but PyTorch."""
        self.engine = engine
        if engine.startswith("torch"):
            importlib.import_module("torch").set_num_threads(threads)
        self.step: Any = None

    def prepare(self, name: str) -> None:
        """Builds the case and warms it up."""
        case = CASES[name]
        if self.engine == OURS:
            self.step = ours(case)
        elif self.engine.startswith("torch"):
            self.step = torch(case, self.engine != "torch")
        else:
            self.step = tensorflow(case)
        for _ in range(WARM_UP):
            self.step()

    def sample(self, seconds: float) -> list[float]:
        """Milliseconds of each step in these seconds."""
        return [1e3 * time for time in timing.sample(self.step, seconds, 3)]


def measure(name: str, workers: dict[str, Worker], seconds: float) -> list[str]:
    """A row: milliseconds of each engine, and the best peer's over ours."""
    times: dict[str, list[float]] = {}
    for engine, worker in workers.items():
        try:
            worker.call("prepare", name)
            times[engine] = []
        except WorkerError as error:
            if "no such module" not in str(error):
                say(f"{name}: {engine}: {error}")
    for _ in range(ROUNDS):
        for engine, samples in times.items():
            samples.extend(workers[engine].call("sample", seconds / ROUNDS))
    medians = {engine: statistics.median(samples) for engine, samples in times.items()}
    peers = [median for engine, median in medians.items() if engine != OURS]
    ratio = f"{min(peers) / medians[OURS]:.2f}" if peers and OURS in medians else "-"
    cells = [f"{medians[one]:.3f}" if one in medians else "-" for one in workers]
    return [name, *cells, ratio]


def main(arguments: list[str] | None = None) -> int:
    """Prints the table, the slowest of ours first; status 1 if one is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.layers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--filter", default="", help="part of the case's name")
    add("--against", default=",".join(ENGINES), help="engines (default %(default)s)")
    add("--threads", type=int, default=len(os.sched_getaffinity(0)))
    add("--seconds", type=float, default=0.5, help="timed, per engine and case")
    add(
        "--peer-python",
        default=os.environ.get("PRONGHORN_BENCH_PYTHON", sys.executable),
        help="a Python that has the peers (default $PRONGHORN_BENCH_PYTHON or this)",
    )
    options = parser.parse_args(arguments)
    names = [name for name in CASES if options.filter.lower() in name.lower()]
    workers: dict[str, Worker] = {}
    for engine in [OURS, *filter(None, options.against.split(","))]:
        python = sys.executable if engine == OURS else options.peer_python
        try:
            workers[engine] = Worker(
                python, engine, options.threads, str(options.threads), module=MODULE
            )
        except WorkerError as error:
            say(f"{engine}: skipped: {error}")
    try:
        rows = [measure(name, workers, options.seconds) for name in names]
    finally:
        for worker in workers.values():
            worker.close()
    say(f"{cpu_name()}, {options.threads} threads; milliseconds forward and backward")
    rows.sort(key=lambda row: float(row[-1]) if row[-1] != "-" else math.inf)
    say_table(["layer", *workers, "ratio"], rows)
    return 0 if all(row[1] != "-" for row in rows) else 1


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in (OURS, *ENGINES):
        serve(lambda: (Served(sys.argv[1], int(sys.argv[2])), sys.argv[1]))
    else:
        sys.exit(main())
