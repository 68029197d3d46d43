# SPDX-License-Identifier: Apache-2.0
"""Batch normalisation folded into the weights of the layer before it.

In inference `gamma * (conv(x) - mean) / sqrt(variance + epsilon) + beta` is a
convolution with another kernel and bias.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pronghorn import activations
from pronghorn.layers import axes
from pronghorn.layers.batch_normalization import BatchNormalization
from pronghorn.layers.core import Input
from pronghorn.layers.kernel import KernelLayer
from pronghorn.layers.layer import Layer
from pronghorn.layers.symbolic import KerasTensor, Node
from pronghorn.training.trainer import Trainer

if TYPE_CHECKING:
    from pronghorn.models.model import Model
    from pronghorn.models.network import Network


def fold(model: Model, outputs_as_list: bool) -> tuple[Any, Any, list[Layer]]:
    """Inputs, outputs and layers of a copy of a model, with what can be folded folded.

    Args:
        model: A built model with inputs and outputs.
        outputs_as_list: Whether a single output is to stay in a list.
    """
    network = model.network
    norms = _foldable(network)
    folded = {id(norm) for norm in norms.values()}
    copies: dict[int, Layer] = {}
    values = {id(tensor): _input_like(tensor) for tensor in network.inputs}
    inputs = list(values.values())
    for node in network.nodes:
        tensors = [values[id(tensor)] for tensor in node.inputs]
        if id(node) in folded:
            values[id(node.outputs[0])] = tensors[0]
            continue
        layer = node.layer
        is_new = id(layer) not in copies
        if is_new:
            copies[id(layer)] = _copy(layer, id(node) in norms)
        copy = copies[id(layer)]
        args, kwargs = node.call.fill(tensors) if node.call else ((tensors,), {})
        result = copy(*args, training=node.training, **kwargs)
        if is_new and not isinstance(copy, Trainer):
            _set_weights(copy, layer, norms.get(id(node)))
        results = result if isinstance(result, list | tuple) else [result]
        for old, new in zip(node.outputs, results, strict=True):
            values[id(old)] = new
    outputs = [values[id(tensor)] for tensor in network.outputs]
    one = len(outputs) == 1 and not outputs_as_list
    return inputs, outputs[0] if one else outputs, list(copies.values())


def _input_like(tensor: KerasTensor) -> KerasTensor:
    name = tensor.node.layer.name
    return Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=name)


def _foldable(network: Network) -> dict[int, Node]:
    """The normalisations that can go, by the identity of the call before them."""
    calls: dict[int, int] = {}
    readers: dict[int, int] = {}
    for node in network.nodes:
        calls[id(node.layer)] = calls.get(id(node.layer), 0) + 1
        for tensor in node.inputs:
            readers[id(tensor)] = readers.get(id(tensor), 0) + 1
    for tensor in network.outputs:
        readers[id(tensor)] = readers.get(id(tensor), 0) + 1
    inside = {id(node) for node in network.nodes}
    found = {}
    for norm in network.nodes:
        if not isinstance(norm.layer, BatchNormalization):
            continue
        before = norm.inputs[0].node
        once = calls[id(norm.layer)] == calls.get(id(before.layer)) == 1
        only_reader = readers[id(norm.inputs[0])] == 1
        if id(before) in inside and once and only_reader and _fits(before, norm):
            found[id(before)] = norm
    return found


def _fits(before: Node, norm: Node) -> bool:
    """Whether the layers are a plain convolution and a norm of its channels."""
    layer, shape = before.layer, norm.inputs[0].shape
    if not isinstance(layer, KernelLayer) or not layer.kernel_channels:
        return False
    first = getattr(layer, "data_format", "channels_last") == "channels_first"
    channels = 1 if first else len(shape) - 1
    along = axes.resolved(norm.layer.label, _norm_of(norm).axis, shape)
    return layer.activation is activations.linear and along == (channels,)


def _norm_of(node: Node) -> BatchNormalization:
    if not isinstance(node.layer, BatchNormalization):
        raise TypeError(f"{node.layer.label}: expected a BatchNormalization")
    return node.layer


def _copy(layer: Layer, folds: bool) -> Layer:
    """A layer with the same arguments; with a bias where a norm is to go into it."""
    if isinstance(layer, Trainer):
        copy: Layer = layer.fold_batch_norm()  # type: ignore[attr-defined]
        return copy
    config = layer.get_config()
    if folds:
        config["use_bias"] = True
    return type(layer).from_config(config)


def _set_weights(copy: Layer, layer: Layer, norm: Node | None) -> None:
    if norm is None:
        copy.set_weights(layer.get_weights())
        return
    if isinstance(layer, KernelLayer) and isinstance(copy, KernelLayer):
        kernel, bias = _folded(layer, _norm_of(norm))
        for variable, value in ((copy.kernel, kernel), (copy.bias, bias)):
            if variable is not None:
                variable.assign(value)


def _folded(
    layer: KernelLayer, norm: BatchNormalization
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Kernel and bias with the normalisation in them."""

    def wide(variable: Any, otherwise: float) -> Any:
        return otherwise if variable is None else variable.numpy().astype(np.float64)

    deviation = np.sqrt(wide(norm.moving_variance, 1.0) + norm.epsilon)
    ratio = wide(norm.gamma, 1.0) / deviation
    kernel = wide(layer.kernel, 0.0)
    shape = [1] * kernel.ndim
    for axis in layer.kernel_channels:
        shape[axis] = kernel.shape[axis]
    bias = wide(layer.bias, 0.0) - wide(norm.moving_mean, 0.0)
    return kernel * ratio.reshape(shape), bias * ratio + wide(norm.beta, 0.0)
