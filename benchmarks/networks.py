# SPDX-License-Identifier: Apache-2.0
"""The networks of the benchmarks, once, as data; every engine builds its model from it.

Activations are (height, width, channels), kernels HWIO, weights in Keras's order:
kernel, bias, layer after layer. To add a network, add a line to `NETWORKS`; to add a
kind of layer, add a class here and a case to `output_shape`, `weight_shapes`,
`forward_flops` and to each engine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float32]
Shape: TypeAlias = tuple[int, ...]
Activation: TypeAlias = Literal["linear", "relu", "tanh"]


@dataclass(frozen=True)
class Conv:
    """A convolution with bias and activation."""

    filters: int
    kernel: tuple[int, int]
    padding: Literal["valid", "same"] = "valid"
    stride: tuple[int, int] = (1, 1)
    activation: Activation = "relu"


@dataclass(frozen=True)
class Pool:
    """Pooling without padding."""

    kind: Literal["max", "average"]
    size: tuple[int, int] = (2, 2)
    stride: tuple[int, int] = (2, 2)


@dataclass(frozen=True)
class Flatten:
    """All axes but the batch become one, channels fastest."""


@dataclass(frozen=True)
class Dense:
    """A fully connected layer with bias and activation."""

    units: int
    activation: Activation = "relu"


Layer: TypeAlias = Conv | Pool | Flatten | Dense


@dataclass(frozen=True)
class Network:
    """A chain of layers; the last one gives the logits."""

    name: str
    input_shape: Shape
    layers: tuple[Layer, ...]

    def shapes(self) -> list[Shape]:
        """The input's shape and the shape behind each layer, without the batch."""
        shapes = [self.input_shape]
        for layer in self.layers:
            shapes.append(output_shape(layer, shapes[-1]))
        return shapes

    def weights(self, seed: int = 0) -> list[Array]:
        """Glorot-uniform kernels and small biases, the same for every engine."""
        rng = np.random.default_rng(seed)
        weights = []
        for layer, shape in zip(self.layers, self.shapes(), strict=False):
            for dims in weight_shapes(layer, shape):
                receptive = math.prod(dims[:-2])
                limit = math.sqrt(6 / (receptive * sum(dims[-2:])))
                scale = limit if len(dims) > 1 else 0.05
                uniform = rng.random(dims, dtype=np.float32)
                weights.append((uniform * 2 - 1) * np.float32(scale))
        return weights

    def data(self, samples: int, seed: int = 1) -> tuple[Array, NDArray[np.int32]]:
        """Inputs of mean 0 and variance 1, and labels; fewer samples are a prefix."""
        x_rng, y_rng = (np.random.default_rng([seed, part]) for part in range(2))
        x = x_rng.random((samples, *self.input_shape), dtype=np.float32)
        x -= np.float32(0.5)
        x *= np.float32(math.sqrt(12))
        classes = self.shapes()[-1][-1]
        y = (y_rng.random(samples) * classes).astype(np.int32)
        return x, y

    def step_flops(self) -> int:
        """Floating-point operations of a training step per image.

        Of the direct algorithm, multiply and add counted as two, padding included:
        forward, dw, and dx of all layers but the first. Bias, pooling, loss and update
        are not counted.
        """
        costs = [
            forward_flops(layer, shape)
            for layer, shape in zip(self.layers, self.shapes(), strict=False)
        ]
        first = next(cost for cost in costs if cost)
        return 3 * sum(costs) - first


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Cells Keras adds before and after an axis for `padding="same"`."""
    total = max(0, (math.ceil(size / stride) - 1) * stride + kernel - size)
    return total // 2, total - total // 2


def output_shape(layer: Layer, shape: Shape) -> Shape:
    """The shape behind `layer` for an input of `shape`, without the batch."""
    match layer:
        case Conv(padding="same"):
            sizes = zip(shape, layer.stride, strict=False)
            return (*(math.ceil(size / step) for size, step in sizes), layer.filters)
        case Conv():
            return (*_windows(shape, layer.kernel, layer.stride), layer.filters)
        case Pool():
            return (*_windows(shape, layer.size, layer.stride), shape[-1])
        case Flatten():
            return (math.prod(shape),)
        case Dense():
            return (*shape[:-1], layer.units)


def _windows(shape: Shape, size: Shape, stride: Shape) -> Shape:
    """How many windows fit along each axis."""
    axes = zip(shape, size, stride, strict=False)
    return tuple((length - window) // step + 1 for length, window, step in axes)


def weight_shapes(layer: Layer, shape: Shape) -> list[Shape]:
    """The shapes of kernel and bias, or none."""
    match layer:
        case Conv():
            return [(*layer.kernel, shape[-1], layer.filters), (layer.filters,)]
        case Dense():
            return [(shape[-1], layer.units), (layer.units,)]
        case _:
            return []


def forward_flops(layer: Layer, shape: Shape) -> int:
    """Floating-point operations of the layer's forward pass per image."""
    match layer:
        case Conv() | Dense():
            kernel = weight_shapes(layer, shape)[0]
            return 2 * math.prod(output_shape(layer, shape)[:-1]) * math.prod(kernel)
        case _:
            return 0


NETWORKS = {
    network.name: network
    for network in (
        Network(
            "lenet5",
            (32, 32, 1),
            (
                Conv(6, (3, 3)),
                Pool("average"),
                Conv(16, (3, 3)),
                Pool("average"),
                Flatten(),
                Dense(120),
                Dense(84),
                Dense(10, "linear"),
            ),
        ),
        Network(
            "lenet_caffe",
            (28, 28, 1),
            (
                Conv(20, (5, 5), "same"),
                Pool("max"),
                Conv(50, (5, 5), "same"),
                Pool("max"),
                Flatten(),
                Dense(500),
                Dense(10, "linear"),
            ),
        ),
        Network(
            "cifar",
            (32, 32, 3),
            (
                Conv(32, (3, 3), "same"),
                Conv(32, (3, 3)),
                Pool("max"),
                Conv(64, (3, 3), "same"),
                Conv(64, (3, 3)),
                Pool("max"),
                Flatten(),
                Dense(512),
                Dense(10, "linear"),
            ),
        ),
        Network("mlp", (784,), (Dense(512), Dense(512), Dense(10, "linear"))),
        # The odd ones are there for their answers: every size and stride unlike the
        # next, windows that overlap or leave cells out, nothing a multiple of a vector.
        Network(
            "odd_strides",
            (29, 23, 5),
            (
                Conv(7, (3, 5), "same", (2, 1)),
                Pool("max", (3, 3), (2, 2)),
                Conv(11, (2, 3), "valid", (1, 2), "tanh"),
                Flatten(),
                Dense(13, "tanh"),
                Dense(3, "linear"),
            ),
        ),
        Network(
            "odd_pools",
            (17, 19, 2),
            (
                Pool("average", (3, 2), (1, 2)),
                Conv(9, (4, 1), "same"),
                Pool("average", (2, 3), (3, 2)),
                Conv(1, (1, 1), activation="linear"),
                Flatten(),
                Dense(5, "linear"),
            ),
        ),
    )
}


def parse(text: str) -> tuple[Network, int]:
    """Network and batch of `name:batch`."""
    name, _, batch = text.partition(":")
    if name not in NETWORKS or not batch.isdecimal() or int(batch) < 1:
        known = ", ".join(NETWORKS)
        raise ValueError(
            f"expected NETWORK:BATCH with one of {known}, received {text!r}"
        )
    return NETWORKS[name], int(batch)
