# SPDX-License-Identifier: Apache-2.0
"""Keras on any backend, and everything that speaks its API, as an engine.

Training through `fit` on NumPy arrays: what a user writes.
"""

from __future__ import annotations

import importlib
from typing import Any

from ..keras_model import compiled_model
from . import Problem


class KerasEngine:
    """A compiled model; `name` is keras-<backend> or a module like Keras."""

    def __init__(self, problem: Problem, name: str) -> None:
        """Builds and compiles the model."""
        module, _, backend = name.partition("-")
        self.keras: Any = importlib.import_module(module)
        self.version = f"{module} {self.keras.__version__}"
        if backend:
            version = importlib.import_module(backend).__version__
            self.version += f", {backend} {version}"
        self.problem = problem
        self.first = problem.x[: problem.batch]
        self.model = compiled_model(self.keras, problem.network, problem.weights)

    def train(self, steps: int) -> None:
        """Train on the first `steps` batches."""
        samples = steps * self.problem.batch
        self.model.fit(
            self.problem.x[:samples],
            self.problem.y[:samples],
            batch_size=self.problem.batch,
            shuffle=False,
            verbose=0,
        )

    def loss(self) -> float:
        """The loss on the first batch."""
        batch, x, y = self.problem.batch, self.problem.x, self.problem.y
        return float(
            self.model.evaluate(x[:batch], y[:batch], batch_size=batch, verbose=0)
        )

    def predict(self) -> Any:
        """The logits of the first batch."""
        return self.model.predict_on_batch(self.first)
