# SPDX-License-Identifier: Apache-2.0
"""The NumPy baseline as an engine."""

from __future__ import annotations

import numpy as np

from ..description import LEARNING_RATE, MOMENTUM
from ..numpy_baseline import Floats, Model
from . import Problem


class NumpyEngine:
    """A loop over slices of the data."""

    version = f"numpy {np.__version__}"

    def __init__(self, problem: Problem, _name: str) -> None:
        """Builds the model."""
        self.problem = problem
        self.model = Model(problem.network, problem.weights)

    def train(self, steps: int) -> None:
        """Train on the first `steps` batches."""
        batch, x, y = self.problem.batch, self.problem.x, self.problem.y
        for start in range(0, steps * batch, batch):
            part = slice(start, start + batch)
            self.model.train_step(x[part], y[part], LEARNING_RATE, MOMENTUM)

    def loss(self) -> float:
        """The loss on the first batch."""
        batch = self.problem.batch
        return self.model.loss(self.problem.x[:batch], self.problem.y[:batch])

    def predict(self) -> Floats:
        """The logits of the first batch."""
        return self.model.forward(self.problem.x[: self.problem.batch])
