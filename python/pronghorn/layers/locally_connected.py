# SPDX-License-Identifier: Apache-2.0
"""Locally connected layers: convolutions whose weights are not shared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from pronghorn.activations import Activation
from pronghorn.constraints import ConstraintLike
from pronghorn.initializers import InitializerLike
from pronghorn.layers import arguments, shapes
from pronghorn.layers.kernel import KernelLayer
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.symbolic import Shape
from pronghorn.regularizers import RegularizerLike


class LocallyConnected(KernelLayer):
    """Base class; see `LocallyConnected2D` for the arguments."""

    rank: ClassVar[int]
    kernel_channels = (-1,)

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        activation: str | Activation | None = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        implementation: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self.filters = arguments.whole(self.label, "filters", filters)
        self.kernel_size = self._sizes("kernel_size", kernel_size)
        self.strides = self._sizes("strides", strides)
        self.padding = arguments.choice(self.label, "padding", padding, ("valid",))
        self.data_format = arguments.data_format(self.label, data_format)
        if implementation != 1:
            raise ValueError(
                f"{self.label}: expected `implementation` 1, the one there is, got "
                f"{implementation!r}"
            )
        self.implementation = 1

    def _sizes(self, name: str, value: Any) -> tuple[int, ...]:
        return arguments.several(self.label, name, value, self.rank)

    def build(self, input_shape: Shape) -> None:
        """Makes kernel and bias, for the positions of the output."""
        axes = self.rank + 2
        channels = shapes.channels(self.label, input_shape, self.data_format, axes)
        first = 1 if self.data_format == "channels_last" else 2
        extents = input_shape[first : first + self.rank]
        outputs = []
        for extent, kernel, stride in zip(
            extents, self.kernel_size, self.strides, strict=True
        ):
            if extent is None or extent < kernel:
                raise ValueError(
                    f"{self.label}: expected an input of known size, at least "
                    f"{self.kernel_size}, got shape {input_shape}"
                )
            outputs.append((extent - kernel) // stride + 1)
        window = math.prod(self.kernel_size) * channels
        kernel_shape = (math.prod(outputs), window, self.filters)
        self.add_kernel(kernel_shape, bias=(*outputs, self.filters))

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the products, and the activation."""
        return self.lower_kernel(
            graph,
            f"locally_connected{self.rank}d",
            tensors,
            self.data_format,
            kernel_size=list(self.kernel_size),
            strides=list(self.strides),
        )


class LocallyConnected1D(LocallyConnected):
    """1-D convolution with a kernel and a bias of its own for every output position.

    Keras 2 had it; Keras 3 has not.

    Args:
        filters: Number of output channels.
        kernel_size: Steps of the window.
        strides: Step of the window, 1 by default.
        padding: "valid".
        data_format: "channels_last" (the default) or "channels_first".
            Of the weights the order is the same for both.
        activation: Name of the activation function; None for none.
        use_bias: Whether a bias is added.
        kernel_initializer: Initial values of the kernel.
        bias_initializer: Initial values of the bias.
        kernel_regularizer: Term of the loss that depends on the kernel.
        bias_regularizer: Likewise of the bias.
        activity_regularizer: Likewise of the output, per sample.
        kernel_constraint: Rule for the kernel after every update.
        bias_constraint: Likewise for the bias.
        implementation: 1.

    Input shape:
        `(batch, steps, channels)`, or with the channels behind the batch.

    Output shape:
        `(batch, new_steps, filters)`, or with the filters behind the batch.

    Example:
        >>> layer = LocallyConnected1D(4, 3)
        >>> layer(np.ones((1, 8, 5))).shape
        (1, 6, 4)
        >>> [w.shape for w in layer.weights]
        [(6, 15, 4), (6, 4)]
    """

    rank = 1


class LocallyConnected2D(LocallyConnected):
    """2-D convolution with a kernel and a bias of its own for every output position.

    Keras 2 had it; Keras 3 has not.

    Args:
        filters: Number of output channels.
        kernel_size: Height and width of the window; one integer for both.
        strides: Steps of the window; one integer for both, 1 by default.
        padding: "valid".
        data_format: "channels_last" (the default) or "channels_first".
            Of the weights the order is the same for both.
        activation: Name of the activation function; None for none.
        use_bias: Whether a bias is added.
        kernel_initializer: Initial values of the kernel.
        bias_initializer: Initial values of the bias.
        kernel_regularizer: Term of the loss that depends on the kernel.
        bias_regularizer: Likewise of the bias.
        activity_regularizer: Likewise of the output, per sample.
        kernel_constraint: Rule for the kernel after every update.
        bias_constraint: Likewise for the bias.
        implementation: 1.

    Input shape:
        `(batch, height, width, channels)`, or with the channels behind the batch.

    Output shape:
        `(batch, new_height, new_width, filters)`, or with the filters behind the batch.

    Example:
        >>> layer = LocallyConnected2D(4, 3, strides=2)
        >>> layer(np.ones((1, 7, 9, 5))).shape
        (1, 3, 4, 4)
        >>> [w.shape for w in layer.weights]
        [(12, 45, 4), (3, 4, 4)]

    Reference:
        LeCun, Generalization and network design strategies, 1989.
    """

    rank = 2
