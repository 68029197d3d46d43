# SPDX-License-Identifier: Apache-2.0
"""PyTorch as an engine: eager, channels_last, compiled; its best case in each.

The batches are tensors in the wanted layout beforehand, the optimizer is the fused
one, denormals are flushed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from ..networks import Activation, Array, Conv, Dense, Flatten, Pool, same_padding
from . import LEARNING_RATE, MOMENTUM, Problem


class TorchEngine:
    """`mode` is torch, torch-channels-last or torch-compile."""

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
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), LEARNING_RATE, momentum=MOMENTUM, fused=True
        )
        self.objective: Any = self._objective
        if mode == "torch-compile":
            self.objective = torch.compile(self._objective)

    def _objective(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(self.model(x), y)

    def train(self, steps: int) -> None:
        """Train on the first `steps` batches."""
        for x, y in self.batches[:steps]:
            self.optimizer.zero_grad(set_to_none=True)
            self.objective(x, y).backward()
            self.optimizer.step()

    def loss(self) -> float:
        """The loss on the first batch."""
        with torch.no_grad():
            return float(self._objective(*self.batches[0]))


def build(problem: Problem) -> nn.Sequential:
    """The network in PyTorch's layout, with the problem's weights."""
    network, weights = problem.network, list(problem.weights)
    modules: list[nn.Module] = []
    shapes = network.shapes()
    before_flatten: tuple[int, ...] | None = None
    for layer, shape in zip(network.layers, shapes, strict=False):
        match layer:
            case Conv():
                modules += _convolution(layer, shape, weights.pop(0), weights.pop(0))
                modules += _activation(layer.activation)
            case Pool(kind="max"):
                modules.append(nn.MaxPool2d(layer.size, layer.stride))
            case Pool():
                modules.append(nn.AvgPool2d(layer.size, layer.stride))
            case Flatten():
                modules.append(nn.Flatten())
                before_flatten = shape
            case Dense():
                w, b = weights.pop(0), weights.pop(0)
                if before_flatten:  # PyTorch flattens with the channels slowest
                    cells = w.reshape(*before_flatten, layer.units)
                    w = cells.transpose(2, 0, 1, 3).reshape(w.shape)
                    before_flatten = None
                modules.append(_load(nn.Linear(shape[-1], layer.units), w.T, b))
                modules += _activation(layer.activation)
    return nn.Sequential(*modules)


def _convolution(layer: Conv, shape: tuple[int, ...], w: Array, b: Array) -> list[Any]:
    """A convolution; padding is a module of its own where the sides differ."""
    pads = [(0, 0), (0, 0)]
    if layer.padding == "same":
        axes = zip(shape, layer.kernel, layer.stride, strict=False)
        pads = [same_padding(*axis) for axis in axes]
    (top, bottom), (left, right) = pads
    even = top == bottom and left == right
    padding = (top, left) if even else (0, 0)
    convolution = nn.Conv2d(
        shape[-1], layer.filters, layer.kernel, layer.stride, padding
    )
    ahead = [] if even else [nn.ZeroPad2d((left, right, top, bottom))]
    return [*ahead, _load(convolution, w.transpose(3, 2, 0, 1), b)]


def _activation(kind: Activation) -> list[nn.Module]:
    """Relu in place, as PyTorch's own networks have it."""
    return {"linear": [], "relu": [nn.ReLU(inplace=True)], "tanh": [nn.Tanh()]}[kind]


def _load(module: Any, w: Array, b: Array) -> Any:
    """`module` with these weights."""
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(w.copy()))
        module.bias.copy_(torch.from_numpy(b))
    return module
