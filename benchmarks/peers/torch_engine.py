# SPDX-License-Identifier: Apache-2.0
"""PyTorch as an engine: eager, channels_last, compiled, and with bfloat16 autocast.

The batches are tensors in the wanted layout beforehand, the optimizer is the fused
one, denormals are flushed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from ..description import (
    LEARNING_RATE,
    MOMENTUM,
    Activation,
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
    Shape,
    Up,
    Upsample,
    same_padding,
)
from . import Problem, is_bfloat16


class TorchEngine:
    """`mode` is torch, torch-channels-last, torch-compile or torch-bfloat16."""

    def __init__(self, problem: Problem, mode: str) -> None:
        """Builds the model and converts the data."""
        torch.set_num_threads(problem.threads)
        torch.set_flush_denormal(True)
        self.version = f"torch {torch.__version__}"
        self.model = build(problem)
        x = torch.from_numpy(problem.x)
        if x.dim() == 4:
            x = x.permute(0, 3, 1, 2)
        layout = torch.contiguous_format
        if mode != "torch" and x.dim() == 4:
            layout = torch.channels_last
            self.model.to(memory_format=layout)
        y = torch.from_numpy(problem.y.astype(np.int64))
        pairs = zip(x.split(problem.batch), y.split(problem.batch), strict=True)
        self.batches = [(x.contiguous(memory_format=layout), y) for x, y in pairs]
        self.first = self.batches[0][0].numpy()
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), LEARNING_RATE, momentum=MOMENTUM, fused=True
        )
        self.bfloat16 = is_bfloat16(mode)
        self.objective: Any = self._objective
        self.forward: Any = self.model
        if mode == "torch-compile":
            self.objective = torch.compile(self._objective)
            self.forward = torch.compile(self.model)

    def _autocast(self) -> Any:
        return torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16)

    def _objective(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        with self._autocast():
            return nn.functional.cross_entropy(self.model(x), y)

    def train(self, steps: int) -> None:
        """Train on the first `steps` batches."""
        for x, y in self.batches[:steps]:
            self.optimizer.zero_grad(set_to_none=True)
            self.objective(x, y).backward()
            self.optimizer.step()

    def loss(self) -> float:
        """The loss on the first batch."""
        self.model.eval()
        with torch.no_grad():
            loss = float(self._objective(*self.batches[0]))
        self.model.train()
        return loss

    def predict(self) -> Any:
        """The logits of the first batch, in the model's layout before and after."""
        if self.model.training:
            self.model.eval()
        with torch.inference_mode(), self._autocast():
            y = self.forward(torch.from_numpy(self.first))
        y = y.float() if self.bfloat16 else y
        return (y.permute(0, 2, 3, 1) if y.dim() == 4 else y).numpy()


class Wired(nn.Module):
    """Layers on the values the network says, each freed when nobody needs it."""

    def __init__(self, network: Network, layers: list[nn.Module]) -> None:
        """`layers` are the network's, in its order."""
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.inputs = [network.inputs(index) for index in range(len(layers))]
        self.last = {i: index for index, taken in enumerate(self.inputs) for i in taken}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The last layer's output."""
        values: dict[int, torch.Tensor] = {0: x}
        for index, layer in enumerate(self.layers):
            taken = [values[i] for i in self.inputs[index]]
            for i in self.inputs[index]:
                if self.last[i] == index:
                    values.pop(i, None)
            values[index + 1] = x = layer(*taken)
        return x


class Sum(nn.Module):
    """The sum of two values."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Not in place: both may be needed."""
        return a + b


class Join(nn.Module):
    """The channels of several values."""

    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        """A copy of them."""
        return torch.cat(values, 1)


def build(problem: Problem) -> nn.Module:
    """The network in PyTorch's layout, with the problem's weights."""
    network, weights = problem.network, list(problem.weights)
    modules: list[nn.Module] = []
    shapes = network.shapes()
    before_flatten: Shape | None = None
    for index, layer in enumerate(network.layers):
        shape = shapes[network.inputs(index)[0]]
        if isinstance(layer, Flatten):
            before_flatten = shape
        if isinstance(layer, Dense) and before_flatten:
            # PyTorch flattens with the channels slowest.
            cells = weights[0].reshape(*before_flatten, layer.units)
            weights[0] = cells.transpose(2, 0, 1, 3).reshape(weights[0].shape)
            before_flatten = None
        parts = _modules(layer, shape, weights)
        modules.append(parts[0] if len(parts) == 1 else nn.Sequential(*parts))
    return Wired(network, modules) if network.wiring else nn.Sequential(*modules)


def _modules(layer: Layer, shape: Shape, weights: list[Array]) -> list[nn.Module]:
    """A layer's modules; takes its weights off the front of the list."""
    channels = shape[-1]
    match layer:
        case Conv():
            convolution = _convolution(layer, shape, weights)
            return [*convolution, *_activation(layer.activation)]
        case Depthwise():
            one = nn.Conv2d(channels, channels, 3, 1, groups=channels, bias=False)
            _load(one, weights.pop(0).transpose(2, 3, 0, 1))
            return _padded(one, shape, (3, 3), layer.stride)
        case Up():
            size = layer.kernel
            up = nn.ConvTranspose2d(channels, layer.filters, size, 2, size // 2 - 1)
            return [_load(up, weights.pop(0).transpose(3, 2, 0, 1), weights.pop(0))]
        case Upsample():
            return [nn.Upsample(scale_factor=2)]
        case BatchNorm():
            norm = nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
            _load(norm, weights.pop(0), weights.pop(0))
            del weights[:2]  # mean 0, variance 1
            return [norm]
        case Relu():
            return [nn.ReLU(inplace=True)]
        case Add():
            return [Sum()]
        case Concat():
            return [Join()]
        case Pool(kind="max"):
            return _padded(
                nn.MaxPool2d(layer.size), shape, layer.size, layer.stride, layer
            )
        case Pool():
            return [nn.AvgPool2d(layer.size, layer.stride)]
        case GlobalPool():
            return [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        case Flatten():
            return [nn.Flatten()]
        case Dense():
            dense = nn.Linear(channels, layer.units)
            _load(dense, weights.pop(0).T, weights.pop(0))
            return [dense, *_activation(layer.activation)]


def _convolution(layer: Conv, shape: Shape, weights: list[Array]) -> list[nn.Module]:
    convolution = nn.Conv2d(shape[-1], layer.filters, layer.kernel, bias=layer.bias)
    kernel = weights.pop(0).transpose(3, 2, 0, 1)
    _load(convolution, kernel, weights.pop(0) if layer.bias else None)
    return _padded(convolution, shape, layer.kernel, layer.stride, layer)


def _padded(
    module: Any,
    shape: Shape,
    size: Shape,
    stride: Shape,
    layer: Conv | Pool | None = None,
) -> list[nn.Module]:
    """`module` with stride and padding, the latter a module where the sides differ."""
    module.stride = stride
    if layer is not None and layer.padding == "valid":
        return [module]
    axes = zip(shape, size, stride, strict=False)
    (top, bottom), (left, right) = (same_padding(*axis) for axis in axes)
    if top == bottom and left == right:
        module.padding = (top, left)
        return [module]
    fill = -math.inf if isinstance(module, nn.MaxPool2d) else 0.0
    return [nn.ConstantPad2d((left, right, top, bottom), fill), module]


def _activation(kind: Activation) -> list[nn.Module]:
    """Relu in place, as PyTorch's own networks have it."""
    return {"linear": [], "relu": [nn.ReLU(inplace=True)], "tanh": [nn.Tanh()]}[kind]


def _load(module: Any, w: Array, b: Array | None = None) -> Any:
    """`module` with these weights."""
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(w.copy()))
        if b is not None:
            module.bias.copy_(torch.from_numpy(b))
    return module
