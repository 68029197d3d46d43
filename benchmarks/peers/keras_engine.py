# SPDX-License-Identifier: Apache-2.0
"""Keras on any backend, and everything that speaks its API, as an engine.

Defaults everywhere, training through `fit` on NumPy arrays: what a user writes.
"""

from __future__ import annotations

import importlib
from typing import Any

from ..networks import Conv, Dense, Flatten, Layer, Pool
from . import LEARNING_RATE, MOMENTUM, Problem


class KerasEngine:
    """A compiled Sequential model; `name` is keras-<backend> or a module like Keras."""

    def __init__(self, problem: Problem, name: str) -> None:
        """Builds and compiles the model."""
        module, _, backend = name.partition("-")
        keras: Any = importlib.import_module(module)
        self.version = f"{module} {keras.__version__}"
        if backend:
            version = importlib.import_module(backend).__version__
            self.version += f", {backend} {version}"
        self.problem = problem
        layers = [build_layer(keras, layer) for layer in problem.network.layers]
        inputs = keras.Input(shape=problem.network.input_shape)
        self.model = keras.Sequential([inputs, *layers])
        self.model.set_weights(problem.weights)
        self.model.compile(
            optimizer=keras.optimizers.SGD(LEARNING_RATE, momentum=MOMENTUM),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )

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


def build_layer(keras: Any, layer: Layer) -> Any:
    """The Keras layer for a description."""
    match layer:
        case Conv():
            return keras.layers.Conv2D(
                layer.filters,
                layer.kernel,
                strides=layer.stride,
                padding=layer.padding,
                activation=layer.activation,
            )
        case Pool(kind="max"):
            return keras.layers.MaxPooling2D(layer.size, strides=layer.stride)
        case Pool():
            return keras.layers.AveragePooling2D(layer.size, strides=layer.stride)
        case Flatten():
            return keras.layers.Flatten()
        case Dense():
            return keras.layers.Dense(layer.units, activation=layer.activation)
