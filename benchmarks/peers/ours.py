# SPDX-License-Identifier: Apache-2.0
"""Pronghorn as an engine: Keras's API, and what only our own core can tell."""

from __future__ import annotations

import importlib
import statistics
from collections.abc import Callable
from typing import Any

from .. import timing
from . import OURS, Problem
from .keras_engine import KerasEngine


class Ours(KerasEngine):
    """The Keras engine with our module, and with the measurements of the core."""

    def __init__(self, problem: Problem, name: str) -> None:
        """Builds and compiles the model."""
        super().__init__(problem, name)
        self.core: Any = importlib.import_module(f"{OURS}._core")

    def isa(self) -> str:
        """The instruction set in use."""
        return str(self.core.isa())

    def barrier_ns(self) -> float:
        """Nanoseconds of a spin barrier between the threads, now."""
        return float(self.core.measure_barrier())

    def peak_gflops(self) -> float:
        """The fastest fused multiply-adds of this machine on the threads in use."""
        return float(self.core.measure_peak(self.problem.threads))

    def fixed_costs(self, seconds: float) -> dict[str, float]:
        """Microseconds of calls with a model that computes next to nothing."""
        ours = self.keras
        model = ours.Sequential([ours.Input((8,)), ours.layers.Dense(4)])
        x = self.problem.x.ravel()[:8].reshape(1, 8)
        calls: dict[str, Callable[[], object]] = {
            "predict_on_batch": lambda: model.predict_on_batch(x),
            "model(x)": lambda: model(x),
            "predict, one image": lambda: model.predict(x, verbose=0),
        }
        for call in calls.values():  # plans are made
            call()
        return {
            name: 1e6 * statistics.median(timing.sample(call, seconds, 9))
            for name, call in calls.items()
        }

    def executed_gflop(self) -> float:
        """What a step executes: fast algorithms multiply less than the direct one."""
        batch = self.problem.batch
        rows = self.model.profile(self.problem.x[:batch], self.problem.y[:batch])
        return float(sum(row.gflops * row.milliseconds / 1e3 for row in rows))
