# SPDX-License-Identifier: Apache-2.0
"""Both ends of the pipe to an engine's process.

An engine lives in a process of its own, maybe of another Python, as long as its
network is measured, so engines can be timed in turn: A B A B. Requests and replies
are lines of JSON: {"call": method, "arguments": [...]}, then {"result": ...} or
{"error": ...}. What libraries print goes to stderr, which is shown when one dies.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from . import harness, peers, timing
from .networks import parse

WARM_UP_SECONDS = 5
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"}
THREAD_VARIABLES = (
    "PRONGHORN_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NPROC",  # XLA's, under JAX as under TensorFlow
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
# What holds an engine to an instruction set; ONNX Runtime knows of nothing.
ISAS = {
    "avx2": {
        "PRONGHORN_ISA": "avx2",
        "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch's own kernels
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",  # PyTorch's BLAS
        "ONEDNN_MAX_CPU_ISA": "AVX2",  # PyTorch's, TensorFlow's
        "OPENBLAS_CORETYPE": "Haswell",  # NumPy's
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",  # JAX, TensorFlow
    }
}
CHECKED_OUTPUTS = 256


class WorkerError(RuntimeError):
    """An engine said no, or died."""


class Worker:
    """The parent's end: an engine's process."""

    def __init__(
        self,
        python: str,
        engine: str,
        threads: int,
        *arguments: str,
        module: str = "benchmarks.worker",
        isa: str | None = None,
    ) -> None:
        """Starts `python -m module engine arguments...`; WorkerError says why not."""
        environment = {**os.environ, **QUIET, **ISAS.get(isa or "", {})}
        environment |= dict.fromkeys(THREAD_VARIABLES, str(threads))
        if engine.startswith("keras-"):
            environment["KERAS_BACKEND"] = engine.removeprefix("keras-")
        self.engine = engine
        self.errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self.process = subprocess.Popen(
            [python, "-m", module, engine, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            bufsize=1,
            env=environment,
            cwd=Path(__file__).parent.parent,
        )
        self.requests = cast(IO[str], self.process.stdin)
        self.replies = cast(IO[str], self.process.stdout)
        try:
            self.version = str(self._reply())
        except WorkerError:
            self.close()
            raise

    def call(self, method: str, *arguments: float | str) -> Any:
        """The method's result in the engine's process."""
        request = json.dumps({"call": method, "arguments": arguments})
        with contextlib.suppress(BrokenPipeError):  # the missing reply tells as well
            self.requests.write(request + "\n")
        return self._reply()

    def _reply(self) -> Any:
        line = self.replies.readline()
        if not line:
            self.errors.seek(0)
            lines = [text.strip() for text in self.errors if text.strip()]
            last = lines[-1] if lines else f"exit status {self.process.wait()}"
            raise WorkerError(f"the process died: {last}")
        reply = json.loads(line)
        if "error" in reply:
            raise WorkerError(reply["error"])
        return reply["result"]

    def close(self) -> None:
        """Ends the process."""
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.requests.close()
        self.replies.close()
        self.errors.close()


class Served:
    """The child's end: what can be called, besides the engine's own methods."""

    def __init__(self, engine: peers.Engine, steps: int, mode: str) -> None:
        """A sample is `steps` steps of training, or as many predictions of a batch."""
        self.engine, self.steps, self.trains = engine, steps, mode == "train"

    def run(self) -> None:
        """A sample's work."""
        if self.trains:
            self.engine.train(self.steps)
            return
        for _ in range(self.steps):
            self.engine.predict()

    def check(self, steps: int) -> list[float]:
        """The answer after some steps of training, or without."""
        if self.trains:
            self.engine.train(steps)
        return self.answer()

    def answer(self) -> list[float]:
        """The loss on the first batch, or numbers of the outputs for it."""
        if self.trains:
            return [self.engine.loss()]
        outputs = np.ravel(self.engine.predict())
        some = np.random.default_rng(0).integers(0, outputs.size, CHECKED_OUTPUTS)
        return [float(outputs[place]) for place in some]

    def warm_up(self, steps: int) -> None:
        """A sample, and more until `steps` steps or some seconds are over."""
        begin = time.perf_counter()
        for sample in range(max(1, -(-steps // self.steps))):
            if sample == 0 or time.perf_counter() - begin < WARM_UP_SECONDS:
                self.run()

    def sample(self, seconds: float, least: int) -> list[float]:
        """Milliseconds per step of each sample in these seconds."""
        times = timing.sample(self.run, seconds, least)
        return [time / self.steps * 1e3 for time in times]

    def peak_memory_mb(self) -> float:
        """Of this process."""
        return harness.peak_memory_mb()

    def __getattr__(self, method: str) -> Any:
        """What only some engines can tell."""
        return getattr(self.engine, method)


def describe(error: Exception) -> dict[str, str]:
    """The first line of an exception as a reply."""
    lines = str(error).splitlines() or [""]
    return {"error": f"{type(error).__name__}: {lines[0]}"}


def serve(make: Callable[[], tuple[Any, str]]) -> None:
    """Makes an object and calls its methods until the parent closes the pipe.

    Args:
        make: Gives the object, and what is replied first: the engine's version.
    """
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def reply(compute: Callable[[], Any]) -> bool:
        try:
            answer = {"result": compute()}
        except Exception as error:
            answer = describe(error)
        replies.write(json.dumps(answer) + "\n")
        return "result" in answer

    served: list[Any] = []

    def begin() -> str:
        one, version = make()
        served.append(one)
        return version

    if not reply(begin):
        return
    for line in sys.stdin:
        request = json.loads(line)
        reply(functools.partial(_call, served[0], request))


def _call(served: Any, request: dict[str, Any]) -> Any:
    return getattr(served, request["call"])(*request["arguments"])


def main(engine: str, network: str, threads: int, steps: int, mode: str) -> None:
    """Builds the model, then answers."""

    def make() -> tuple[Served, str]:
        data = steps if mode == "train" else 1
        problem = peers.Problem.create(*parse(network), threads, data)
        made = peers.create(engine, problem)
        problem.weights.clear()  # no part of what the engine, with its own, takes
        return Served(made, steps, mode), made.version

    serve(make)


if __name__ == "__main__":
    main(*sys.argv[1:3], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
