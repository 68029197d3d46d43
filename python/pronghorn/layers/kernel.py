# SPDX-License-Identifier: Apache-2.0
"""Base class of the layers that have a kernel, maybe a bias, and an activation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pronghorn import activations, constraints, initializers, regularizers
from pronghorn.activations import Activation
from pronghorn.constraints import ConstraintLike
from pronghorn.initializers import InitializerLike
from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.regularizers import RegularizerLike
from pronghorn.variable import Variable


class KernelLayer(Layer):
    """Base class: the arguments that Dense and the convolutions share.

    Args:
        activation: Name of the activation function; None for none.
        use_bias: Whether a bias is added.
        kernel_initializer: Initial values of the kernel.
        bias_initializer: Initial values of the bias.
        kernel_regularizer: Term of the loss that depends on the kernel.
        bias_regularizer: Likewise of the bias.
        kernel_constraint: What the kernel must fulfil after every update.
        bias_constraint: Likewise the bias.
        **kwargs: See `Layer`.

    Attributes:
        kernel_channels: The axes of the kernel that the output's channels belong to,
            negative; none where a channel has no part of the kernel for itself.
    """

    kernel_channels: tuple[int, ...] = ()

    def __init__(
        self,
        *,
        activation: str | Activation | None,
        use_bias: bool,
        kernel_initializer: InitializerLike,
        bias_initializer: InitializerLike,
        kernel_regularizer: RegularizerLike,
        bias_regularizer: RegularizerLike,
        kernel_constraint: ConstraintLike,
        bias_constraint: ConstraintLike,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.kernel: Variable | None = None
        self.bias: Variable | None = None

    def add_kernel(
        self, shape: Sequence[int], bias: Sequence[int] | None = None
    ) -> None:
        """Makes the kernel and the bias, of the kernel's last axis unless given."""
        self.kernel = self.add_weight(
            shape,
            self.kernel_initializer,
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.add_bias(shape[-1:] if bias is None else bias)

    def add_bias(self, shape: Sequence[int]) -> None:
        """Makes the bias, if there is one; the layer is built then."""
        if self.use_bias:
            self.bias = self.add_weight(
                shape,
                self.bias_initializer,
                name="bias",
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.built = True

    def lower_kernel(
        self,
        graph: GraphBuilder,
        op: str,
        tensors: Sequence[int],
        data_format: str = "channels_last",
        **attributes: Any,
    ) -> int:
        """Records an op with kernel and bias behind its inputs, and the activation."""
        weights = [w for w in (self.kernel, self.bias) if w is not None]
        images = [graph.to_channels_last(tensor, data_format) for tensor in tensors]
        inputs = [*images, *(graph.parameter(weight) for weight in weights)]
        output = graph.add(op, inputs, **attributes)
        output = graph.from_channels_last(output, data_format)
        return activations.lower(graph, output, self.activation)
