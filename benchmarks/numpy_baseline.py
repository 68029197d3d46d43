# SPDX-License-Identifier: Apache-2.0
"""A training step in good NumPy: the reference for answers and the first peer.

NHWC. A convolution is im2col (a strided view, copied once) and one matmul; its dx is
a matmul and an add for each cell of the kernel; pooling runs over whole arrays, one
cell of the windows at a time. Softmax cross-entropy from logits, mean over the batch;
SGD with momentum. Works in float32 or float64: whatever the weights are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .description import (
    Activation,
    Conv,
    Dense,
    Flatten,
    Layer,
    Network,
    Pool,
    Shape,
    same_padding,
)

Floats: TypeAlias = NDArray[np.floating[Any]]


class Convolution:
    """Kernel w (kernel_h, kernel_w, in_c, out_c), bias b (out_c)."""

    def __init__(self, spec: Conv, w: Floats, b: Floats) -> None:
        """Weights are kept, not copied: the update works in place."""
        self.spec, self.w, self.b = spec, w, b

    def forward(self, x: Floats) -> Floats:
        """Keeps the columns (batch * out_h * out_w, kernel_h * kernel_w * in_c)."""
        self.pads = [(0, 0)] * 4
        if self.spec.padding == "same":
            axes = zip(x.shape[1:3], self.spec.kernel, self.spec.stride, strict=True)
            self.pads[1:3] = [same_padding(*axis) for axis in axes]
        if any(map(any, self.pads)):
            x = np.pad(x, self.pads)
        self.padded_shape: Shape = x.shape
        step_h, step_w = self.spec.stride
        view = sliding_window_view(x, self.spec.kernel, axis=(1, 2))
        view = view[:, ::step_h, ::step_w].transpose(0, 1, 2, 4, 5, 3)
        self.columns = view.reshape(-1, self.w[..., 0].size)
        y = self.columns @ self.w.reshape(-1, self.w.shape[-1])
        y += self.b
        return y.reshape(*view.shape[:3], -1)

    def backward(self, dy: Floats, need_dx: bool) -> Floats | None:
        """Sets dw and db; gives dx where somebody needs it."""
        rows = dy.reshape(-1, dy.shape[-1])
        self.dw = (self.columns.T @ rows).reshape(self.w.shape)
        self.db = rows.sum(axis=0)
        if not need_dx:
            return None
        dx = np.zeros(self.padded_shape, dy.dtype)
        cells = window_cells(dx, self.spec.kernel, self.spec.stride)
        for (row, col), cell in cells:
            product = rows @ self.w[row, col].T
            np.add(cell, product.reshape(cell.shape), out=cell)
        (top, bottom), (left, right) = self.pads[1:3]
        return dx[:, top : dx.shape[1] - bottom, left : dx.shape[2] - right]


class FullyConnected:
    """Kernel w (inputs, units), bias b (units)."""

    def __init__(self, w: Floats, b: Floats) -> None:
        """Weights are kept, not copied: the update works in place."""
        self.w, self.b = w, b

    def forward(self, x: Floats) -> Floats:
        """X (batch, inputs) to y (batch, units)."""
        self.x = x
        y = x @ self.w
        y += self.b
        return y

    def backward(self, dy: Floats, need_dx: bool) -> Floats | None:
        """Sets dw and db; gives dx where somebody needs it."""
        self.dw = self.x.T @ dy
        self.db = dy.sum(axis=0)
        return dy @ self.w.T if need_dx else None


class Pooling:
    """Maximum or average of windows."""

    def __init__(self, spec: Pool) -> None:
        """Nothing but the description."""
        self.spec = spec

    def forward(self, x: Floats) -> Floats:
        """One operation on whole arrays for each cell of the window."""
        self.x = x
        cells = (cell for _, cell in window_cells(x, self.spec.size, self.spec.stride))
        y = next(cells).copy()
        combine = np.maximum if self.spec.kind == "max" else np.add
        for cell in cells:
            combine(y, cell, out=y)
        if self.spec.kind == "average":
            y /= self.spec.size[0] * self.spec.size[1]
        self.y = y
        return y

    def backward(self, dy: Floats, need_dx: bool) -> Floats | None:
        """The first maximum of a window takes all, an average gives equal shares."""
        if not need_dx:
            return None
        dx = np.zeros(self.x.shape, dy.dtype)
        window = (self.spec.size, self.spec.stride)
        if self.spec.kind == "average":
            share = dy / (self.spec.size[0] * self.spec.size[1])
            for _, target in window_cells(dx, *window):
                np.add(target, share, out=target)
            return dx
        open_windows = np.ones(dy.shape, np.bool_)
        sources = window_cells(self.x, *window)
        for (_, x), (_, target) in zip(sources, window_cells(dx, *window), strict=True):
            hit = (x == self.y) & open_windows
            np.add(target, dy * hit, out=target)
            open_windows ^= hit
        return dx


class Flattening:
    """(batch, ...) to (batch, features)."""

    def forward(self, x: Floats) -> Floats:
        """A view."""
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy: Floats, need_dx: bool) -> Floats | None:
        """A view."""
        return dy.reshape(self.shape) if need_dx else None


class Activating:
    """Linear, relu or tanh; both derivatives follow from the output alone."""

    def __init__(self, kind: Activation) -> None:
        """`linear` passes everything through."""
        self.kind = kind

    def forward(self, x: Floats) -> Floats:
        """In place: nobody else needs what came in."""
        if self.kind == "relu":
            np.maximum(x, 0, out=x)
        elif self.kind == "tanh":
            np.tanh(x, out=x)
        self.y = x
        return x

    def backward(self, dy: Floats, need_dx: bool) -> Floats | None:
        """Dy times the derivative."""
        if not need_dx or self.kind == "linear":
            return dy
        return dy * (self.y > 0) if self.kind == "relu" else dy * (1 - self.y**2)


Step: TypeAlias = Convolution | FullyConnected | Pooling | Flattening | Activating


def window_cells(
    x: Floats, size: Shape, stride: Shape
) -> Iterator[tuple[tuple[int, int], Floats]]:
    """For each cell of a window: where it is, and a view of it in all windows."""
    (window_h, window_w), (step_h, step_w) = size, stride
    count_h = (x.shape[1] - window_h) // step_h + 1
    count_w = (x.shape[2] - window_w) // step_w + 1
    for row in range(window_h):
        for col in range(window_w):
            rows = slice(row, row + step_h * (count_h - 1) + 1, step_h)
            cols = slice(col, col + step_w * (count_w - 1) + 1, step_w)
            yield (row, col), x[:, rows, cols]


class Model:
    """A network's layers with their weights and momenta."""

    def __init__(self, network: Network, weights: list[Any]) -> None:
        """Copies the weights; they set the precision."""
        if network.wiring:
            raise ValueError(f"the NumPy baseline runs chains only, not {network.name}")
        queue = [weight.copy() for weight in weights]
        self.steps: list[Step] = []
        for layer in network.layers:
            self.steps += _build(layer, queue)
        weighted = (Convolution, FullyConnected)
        self.weighted = [step for step in self.steps if isinstance(step, weighted)]
        self.velocities = [np.zeros_like(weight) for weight in self.weights()]

    def weights(self) -> list[Floats]:
        """Kernel and bias of each layer, not copied."""
        return [array for step in self.weighted for array in (step.w, step.b)]

    def gradients(self) -> list[Floats]:
        """In the order of the weights, as the last `loss` left them."""
        return [array for step in self.weighted for array in (step.dw, step.db)]

    def forward(self, x: Floats) -> Floats:
        """The logits."""
        for step in self.steps:
            x = step.forward(x)
        return x

    def loss(self, x: Floats, y: NDArray[np.int32], backward: bool = False) -> float:
        """Mean softmax cross-entropy; also sets the gradients if asked to."""
        x = self.forward(x)
        x = x - x.max(axis=-1, keepdims=True)
        exponentials = np.exp(x)
        sums = exponentials.sum(axis=-1, keepdims=True)
        picked = np.arange(len(y)), y
        loss = float(np.mean(np.log(sums[:, 0]) - x[picked]))
        if backward:
            gradient = exponentials / sums
            gradient[picked] -= 1
            gradient /= len(y)
            self._backward(gradient)
        return loss

    def _backward(self, dy: Floats) -> None:
        first = self.steps.index(self.weighted[0])
        for index in range(len(self.steps) - 1, first - 1, -1):
            dx = self.steps[index].backward(dy, index > first)
            if dx is not None:
                dy = dx

    def train_step(
        self, x: Floats, y: NDArray[np.int32], learning_rate: float, momentum: float
    ) -> float:
        """One step of SGD with momentum; gives the loss before it."""
        loss = self.loss(x, y, backward=True)
        updates = zip(self.weights(), self.gradients(), self.velocities, strict=True)
        for weight, gradient, velocity in updates:
            np.multiply(velocity, momentum, out=velocity)
            np.multiply(gradient, learning_rate, out=gradient)
            np.subtract(velocity, gradient, out=velocity)
            np.add(weight, velocity, out=weight)
        return loss


def _build(layer: Layer, weights: list[Any]) -> list[Step]:
    """The steps of a layer; takes its weights off the front of the list."""
    match layer:
        case Conv():
            convolution = Convolution(layer, weights.pop(0), weights.pop(0))
            return [convolution, Activating(layer.activation)]
        case Dense():
            dense = FullyConnected(weights.pop(0), weights.pop(0))
            return [dense, Activating(layer.activation)]
        case Pool(padding="valid"):
            return [Pooling(layer)]
        case Flatten():
            return [Flattening()]
        case _:
            raise ValueError(f"the NumPy baseline has no {layer}")
