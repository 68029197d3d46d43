# SPDX-License-Identifier: Apache-2.0
"""Pronghorn as an engine: Keras's API, and what only our own core can tell."""

from __future__ import annotations

import importlib
from typing import Any

from . import OURS, Problem
from .keras_engine import KerasEngine


class Ours(KerasEngine):
    """The Keras engine with our module, and with the measurements of the core."""

    def __init__(self, problem: Problem, name: str) -> None:
        """Builds and compiles the model."""
        super().__init__(problem, name)
        self.core: Any = importlib.import_module(f"{OURS}._core")

    def barrier_ns(self) -> float:
        """Nanoseconds of a spin barrier between the threads, now."""
        return float(self.core.measure_barrier())

    def peak_gflops(self) -> float:
        """The fastest fused multiply-adds of this machine on the threads in use."""
        return float(self.core.measure_peak(self.problem.threads))

    def executed_gflop(self) -> float:
        """What a step executes: fast algorithms multiply less than the direct one."""
        batch = self.problem.batch
        rows = self.model.profile(self.problem.x[:batch], self.problem.y[:batch])
        return float(sum(row.gflops * row.milliseconds / 1e3 for row in rows))
