# SPDX-License-Identifier: Apache-2.0
"""Convolution layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pronghorn.activations import Activation
from pronghorn.constraints import ConstraintLike
from pronghorn.initializers import InitializerLike
from pronghorn.layers import arguments, shapes
from pronghorn.layers.kernel import KernelLayer
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.symbolic import Shape
from pronghorn.regularizers import RegularizerLike


class Conv2D(KernelLayer):
    """2-D convolution (cross-correlation, as everywhere in deep learning).

    With `padding="valid"` the output has `(in - dilation * (kernel - 1) - 1) // stride
    + 1` rows; with "same" it has `ceil(in / stride)`, and zeros are added around the
    image, the odd one at the bottom and on the right.

    Args:
        filters: Number of output channels.
        kernel_size: Height and width of the window; one integer for both.
        strides: Steps of the window; one integer for both.
        padding: "valid" or "same".
        data_format: "channels_last" (or None).
        dilation_rate: Distance between the window's cells; one integer for both.
        groups: Number of groups that channels are cut into; each group of outputs sees
            one group of inputs.
        activation: Name of the activation function; None for none.
        use_bias: Whether a bias is added.
        kernel_initializer: Initial values of the kernel.
        bias_initializer: Initial values of the bias.
        kernel_regularizer: Term of the loss that depends on the kernel.
        bias_regularizer: Likewise of the bias.
        activity_regularizer: Likewise of the output, per sample.
        kernel_constraint: What the kernel must fulfil after every update.
        bias_constraint: Likewise the bias.

    Input shape:
        `(batch, height, width, channels)`

    Output shape:
        `(batch, new_height, new_width, filters)`

    Example:
        >>> x = np.ones((1, 5, 5, 3))
        >>> layer = Conv2D(2, 3, kernel_initializer="ones")
        >>> layer(x)[0, 0, 0]
        array([27., 27.], dtype=float32)
        >>> [w.shape for w in layer.weights]
        [(3, 3, 3, 2), (2,)]

    Reference:
        Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = (1, 1),
        groups: int = 1,
        activation: str | Activation | None = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
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
        self.kernel_size = arguments.pair(self.label, "kernel_size", kernel_size)
        self.strides = arguments.pair(self.label, "strides", strides)
        self.padding = arguments.padding(self.label, padding)
        self.data_format = arguments.channels_last(self.label, data_format)
        self.dilation_rate = arguments.pair(self.label, "dilation_rate", dilation_rate)
        self.groups = arguments.whole(self.label, "groups", groups)
        if self.filters % self.groups:
            raise ValueError(
                f"{self.label}: expected `filters` to be a multiple of `groups`, got "
                f"filters={self.filters}, groups={self.groups}"
            )
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(  # as Keras
                f"{self.label}: expected strides or dilation, not both above 1, got "
                f"strides={self.strides}, dilation_rate={self.dilation_rate}"
            )

    def build(self, input_shape: Shape) -> None:
        """Makes kernel and bias."""
        shapes.require(self.label, input_shape, axes=4)
        channels = input_shape[-1] or 0
        if channels % self.groups:
            raise ValueError(
                f"{self.label}: expected input channels to be a multiple of "
                f"groups={self.groups}, got {channels} channels in {input_shape}"
            )
        kernel_shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.add_kernel(kernel_shape)

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the convolution, and the activation."""
        return self.lower_kernel(
            graph,
            "conv2d",
            tensors,
            strides=list(self.strides),
            padding=self.padding,
            dilation=list(self.dilation_rate),
            groups=self.groups,
        )
