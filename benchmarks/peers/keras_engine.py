# SPDX-License-Identifier: Apache-2.0
"""Keras on any backend, and everything that speaks its API, as an engine.

Defaults everywhere, training through `fit` on NumPy arrays: what a user writes.
"""

from __future__ import annotations

import importlib
from typing import Any

from ..description import (
    Add,
    Array,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Depthwise,
    Flatten,
    GlobalPool,
    Layer,
    Network,
    Pool,
    Relu,
    Up,
    weight_shapes,
)
from . import LEARNING_RATE, MOMENTUM, Problem


class KerasEngine:
    """A compiled model; `name` is keras-<backend> or a module like Keras."""

    def __init__(self, problem: Problem, name: str) -> None:
        """Builds and compiles the model."""
        module, _, backend = name.partition("-")
        keras: Any = importlib.import_module(module)
        self.version = f"{module} {keras.__version__}"
        if backend:
            version = importlib.import_module(backend).__version__
            self.version += f", {backend} {version}"
        self.problem = problem
        self.model = build_model(keras, problem.network, problem.weights)
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


def build_model(keras: Any, network: Network, weights: list[Array]) -> Any:
    """The network with these weights: a Sequential, or a functional model."""
    layers = [build_layer(keras, layer) for layer in network.layers]
    inputs = keras.Input(shape=network.input_shape)
    if not network.wiring:
        model = keras.Sequential([inputs, *layers])
    else:
        values = [inputs]
        for index, layer in enumerate(layers):
            taken = [values[i] for i in network.inputs(index)]
            values.append(layer(taken if len(taken) > 1 else taken[0]))
        model = keras.Model(inputs, values[-1])
    queue, shapes = list(weights), network.shapes()
    for index, layer in enumerate(layers):
        shape = shapes[network.inputs(index)[0]]
        count = len(weight_shapes(network.layers[index], shape))
        layer.set_weights([queue.pop(0) for _ in range(count)])
    return model


def build_layer(keras: Any, layer: Layer) -> Any:
    """The Keras layer for a description."""
    layers = keras.layers
    match layer:
        case Conv():
            return layers.Conv2D(
                layer.filters,
                layer.kernel,
                strides=layer.stride,
                padding=layer.padding,
                activation=layer.activation,
                use_bias=layer.bias,
            )
        case Depthwise():
            return layers.DepthwiseConv2D(
                3, strides=layer.stride, padding="same", use_bias=False
            )
        case Up():
            return layers.Conv2DTranspose(layer.filters, 2, strides=2)
        case BatchNorm():
            return layers.BatchNormalization()
        case Relu():
            return layers.ReLU()
        case Add():
            return layers.Add()
        case Concat():
            return layers.Concatenate()
        case Pool():
            kind = (
                layers.MaxPooling2D if layer.kind == "max" else layers.AveragePooling2D
            )
            return kind(layer.size, strides=layer.stride, padding=layer.padding)
        case GlobalPool():
            return layers.GlobalAveragePooling2D()
        case Flatten():
            return layers.Flatten()
        case Dense():
            return layers.Dense(layer.units, activation=layer.activation)
