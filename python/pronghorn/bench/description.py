# SPDX-License-Identifier: Apache-2.0
"""Networks as data: layers, their shapes, weights and arithmetic.

Activations are (height, width, channels), kernels and weights as in Keras. To add a
kind of layer, add a class here and a case to `output_shape`, `weight_shapes`,
`forward_flops`, to keras_model.py and to the engines of benchmarks/.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float32]
Shape: TypeAlias = tuple[int, ...]
Activation: TypeAlias = Literal["linear", "relu", "tanh"]
LEARNING_RATE = 0.01  # networks are trained by SGD
MOMENTUM = 0.9
EPOCH_BYTES = 32e6  # data of an epoch: some steps of any network, many of a small one
EPOCH_GFLOP = 300  # arithmetic of an epoch: about a second


@dataclass(frozen=True)
class Conv:
    """A convolution with bias and activation."""

    filters: int
    kernel: tuple[int, int]
    padding: Literal["valid", "same"] = "valid"
    stride: tuple[int, int] = (1, 1)
    activation: Activation = "relu"
    bias: bool = True


@dataclass(frozen=True)
class Depthwise:
    """A 3x3 convolution of each channel by itself, "same", without bias."""

    stride: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Up:
    """A transposed convolution, "same", with an even kernel, stride 2 and bias."""

    filters: int
    kernel: int = 2


@dataclass(frozen=True)
class Upsample:
    """Every cell twice along both axes."""


@dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation over images and places."""


@dataclass(frozen=True)
class Relu:
    """The function by itself."""


@dataclass(frozen=True)
class Add:
    """The sum of two values."""


@dataclass(frozen=True)
class Concat:
    """The channels of several values, one after the other."""


@dataclass(frozen=True)
class Pool:
    """Pooling, without padding by default."""

    kind: Literal["max", "average"]
    size: tuple[int, int] = (2, 2)
    stride: tuple[int, int] = (2, 2)
    padding: Literal["valid", "same"] = "valid"


@dataclass(frozen=True)
class GlobalPool:
    """The average over all places."""


@dataclass(frozen=True)
class Flatten:
    """All axes but the batch become one, channels fastest."""


@dataclass(frozen=True)
class Dense:
    """A fully connected layer with bias and activation."""

    units: int
    activation: Activation = "relu"


Layer: TypeAlias = (
    Conv
    | Depthwise
    | Up
    | Upsample
    | BatchNorm
    | Relu
    | Add
    | Concat
    | Pool
    | GlobalPool
    | Flatten
    | Dense
)


@dataclass(frozen=True)
class Network:
    """Layers, each on values computed before; the last one gives the logits.

    Value 0 is the input, value i + 1 the output of layer i. `wiring` says for each
    layer which values it takes; empty for a chain.
    """

    name: str
    input_shape: Shape
    layers: tuple[Layer, ...]
    wiring: tuple[tuple[int, ...], ...] = ()

    def inputs(self, index: int) -> tuple[int, ...]:
        """The values that layer `index` takes."""
        return self.wiring[index] if self.wiring else (index,)

    def shapes(self) -> list[Shape]:
        """The shape of every value, without the batch."""
        shapes = [self.input_shape]
        for index, layer in enumerate(self.layers):
            shapes.append(output_shape(layer, [shapes[i] for i in self.inputs(index)]))
        return shapes

    def weights(self, seed: int = 0) -> list[Array]:
        """Glorot-uniform kernels and small biases, layer after layer."""
        rng = np.random.default_rng(seed)
        shapes = self.shapes()
        weights: list[Array] = []
        for index, layer in enumerate(self.layers):
            dims = weight_shapes(layer, shapes[self.inputs(index)[0]])
            if isinstance(layer, BatchNorm):  # gamma, beta, moving mean and variance
                pairs = zip(dims, (1, 0, 0, 1), strict=True)
                weights += [np.full(shape, value, np.float32) for shape, value in pairs]
            else:
                weights += [_drawn(rng, shape) for shape in dims]
        return weights

    def data(self, samples: int, seed: int = 1) -> tuple[Array, NDArray[np.int32]]:
        """Inputs of mean 0 and variance 1, and labels; fewer samples are a prefix."""
        x_rng, y_rng = (np.random.default_rng([seed, part]) for part in range(2))
        x = x_rng.random((samples, *self.input_shape), dtype=np.float32)
        x -= np.float32(0.5)
        x *= np.float32(math.sqrt(12))
        *places, classes = self.shapes()[-1]
        y = (y_rng.random((samples, *places)) * classes).astype(np.int32)
        return x, y

    def epoch_steps(self, batch: int, least: int, most: int = 2048) -> int:
        """Batches of an epoch: of small networks enough to hide what an epoch costs."""
        in_bytes = EPOCH_BYTES / (4 * batch * math.prod(self.input_shape))
        in_flops = 1e9 * EPOCH_GFLOP / (batch * self.step_flops())
        return min(max(int(min(in_bytes, in_flops)), least), most)

    def predict_flops(self) -> int:
        """Floating-point operations of a prediction per image, counted as below."""
        return sum(self._forward_flops())

    def step_flops(self) -> int:
        """Floating-point operations of a training step per image.

        Of the direct algorithm, multiply and add counted as two, padding included:
        forward, dw, and dx of all layers but the first. Bias, normalisation, pooling,
        loss and update are not counted.
        """
        costs = self._forward_flops()
        first = next(cost for cost in costs if cost)
        return 3 * sum(costs) - first

    def _forward_flops(self) -> list[int]:
        shapes = self.shapes()
        return [
            forward_flops(layer, shapes[self.inputs(index)[0]])
            for index, layer in enumerate(self.layers)
        ]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Cells Keras adds before and after an axis for `padding="same"`."""
    total = max(0, (math.ceil(size / stride) - 1) * stride + kernel - size)
    return total // 2, total - total // 2


def output_shape(layer: Layer, shapes: Sequence[Shape]) -> Shape:
    """The shape behind `layer` for inputs of `shapes`, without the batch."""
    shape = shapes[0]
    match layer:
        case Conv():
            return (*_places(shape, layer.kernel, layer), layer.filters)
        case Depthwise():
            return (*_same(shape, layer.stride), shape[-1])
        case Up():
            return (2 * shape[0], 2 * shape[1], layer.filters)
        case Upsample():
            return (2 * shape[0], 2 * shape[1], shape[-1])
        case Concat():
            return (*shape[:-1], sum(one[-1] for one in shapes))
        case Pool():
            return (*_places(shape, layer.size, layer), shape[-1])
        case GlobalPool():
            return shape[-1:]
        case Flatten():
            return (math.prod(shape),)
        case Dense():
            return (*shape[:-1], layer.units)
        case BatchNorm() | Relu() | Add():
            return shape


def _drawn(rng: np.random.Generator, dims: Shape) -> Array:
    """A kernel (Glorot uniform) or a bias."""
    limit = 0.05
    if len(dims) > 1:
        limit = math.sqrt(6 / (math.prod(dims[:-2]) * sum(dims[-2:])))
    return (rng.random(dims, dtype=np.float32) * 2 - 1) * np.float32(limit)


def _places(shape: Shape, size: Shape, layer: Conv | Pool) -> Shape:
    """How many windows fit along each axis."""
    if layer.padding == "same":
        return _same(shape, layer.stride)
    axes = zip(shape, size, layer.stride, strict=False)
    return tuple((length - window) // step + 1 for length, window, step in axes)


def _same(shape: Shape, stride: Shape) -> Shape:
    axes = zip(shape, stride, strict=False)
    return tuple(math.ceil(size / step) for size, step in axes)


def weight_shapes(layer: Layer, shape: Shape) -> list[Shape]:
    """The shapes of the weights in Keras's order, or none."""
    match layer:
        case Conv():
            kernel = (*layer.kernel, shape[-1], layer.filters)
            return [kernel, (layer.filters,)] if layer.bias else [kernel]
        case Depthwise():
            return [(3, 3, shape[-1], 1)]
        case Up():
            size = layer.kernel
            return [(size, size, layer.filters, shape[-1]), (layer.filters,)]
        case BatchNorm():
            return [shape[-1:]] * 4
        case Dense():
            return [(shape[-1], layer.units), (layer.units,)]
        case _:
            return []


def forward_flops(layer: Layer, shape: Shape) -> int:
    """Floating-point operations of the layer's forward pass per image."""
    match layer:
        case Conv() | Depthwise() | Dense():
            places = output_shape(layer, [shape])[:-1]
        case Up():
            places = shape[:-1]  # every input pixel meets the whole kernel
        case _:
            return 0
    return 2 * math.prod(places) * math.prod(weight_shapes(layer, shape)[0])
