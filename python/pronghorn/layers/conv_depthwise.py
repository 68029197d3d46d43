# SPDX-License-Identifier: Apache-2.0
"""Depthwise and separable convolution layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pronghorn import activations, constraints, initializers, regularizers
from pronghorn.activations import Activation
from pronghorn.constraints import ConstraintLike
from pronghorn.initializers import InitializerLike
from pronghorn.layers import arguments, shapes
from pronghorn.layers.conv import padding_attribute
from pronghorn.layers.kernel import KernelLayer
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.symbolic import Shape
from pronghorn.regularizers import RegularizerLike
from pronghorn.variable import Variable


class Depthwise(KernelLayer):
    """What depthwise and separable convolutions share: a window for each channel.

    The `depthwise_` arguments are those of the base class's kernel.
    """

    rank: ClassVar[int]

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int],
        padding: str | int | Sequence[Any],
        depth_multiplier: int,
        data_format: str | None,
        dilation_rate: int | Sequence[int],
        **kwargs: Any,
    ) -> None:
        for name in ("initializer", "regularizer", "constraint"):
            kwargs[f"kernel_{name}"] = kwargs.pop(f"depthwise_{name}")
        super().__init__(**kwargs)
        self.kernel_size = self._sizes("kernel_size", kernel_size)
        self.strides = self._sizes("strides", strides)
        self.padding = arguments.explicit_padding(self.label, padding, self.rank)
        self.depth_multiplier = arguments.whole(
            self.label, "depth_multiplier", depth_multiplier
        )
        self.data_format = arguments.data_format(self.label, data_format)
        self.dilation_rate = self._sizes("dilation_rate", dilation_rate)

    def _sizes(self, name: str, value: Any) -> tuple[int, ...]:
        return arguments.several(self.label, name, value, self.rank)

    @property
    def depthwise_initializer(self) -> Any:
        """Initial values of the depthwise kernel."""
        return self.kernel_initializer

    @property
    def depthwise_regularizer(self) -> Any:
        """Regularizer of the depthwise kernel."""
        return self.kernel_regularizer

    @property
    def depthwise_constraint(self) -> Any:
        """Constraint of the depthwise kernel."""
        return self.kernel_constraint

    def channels(self, input_shape: Shape) -> int:
        """Of the input."""
        axes = self.rank + 2
        return shapes.channels(self.label, input_shape, self.data_format, axes)

    def depthwise_shape(self, channels: int) -> tuple[int, ...]:
        """Of the kernel for so many channels."""
        return (*self.kernel_size, channels, self.depth_multiplier)

    def window(self) -> dict[str, Any]:
        """The attributes of the depthwise op."""
        return {
            "strides": list(self.strides),
            "padding": padding_attribute(self.padding),
            "dilation": list(self.dilation_rate),
        }


class DepthwiseConvolution(Depthwise):
    """Base class of the depthwise ones; see `DepthwiseConv2D` for the arguments."""

    kernel_channels = (-2, -1)

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str | int | Sequence[Any] = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
        activation: str | Activation | None = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        depthwise_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size,
            strides,
            padding,
            depth_multiplier,
            data_format,
            dilation_rate,
            activation=activation,
            use_bias=use_bias,
            depthwise_initializer=depthwise_initializer,
            bias_initializer=bias_initializer,
            depthwise_regularizer=depthwise_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            depthwise_constraint=depthwise_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )

    def build(self, input_shape: Shape) -> None:
        """Makes kernel and bias."""
        channels = self.channels(input_shape)
        outputs = channels * self.depth_multiplier
        self.add_kernel(self.depthwise_shape(channels), bias=(outputs,))

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the convolution, and the activation."""
        op = f"depthwise_conv{self.rank}d"
        return self.lower_kernel(graph, op, tensors, self.data_format, **self.window())


class SeparableConvolution(Depthwise):
    """Base class of the separable ones; see `SeparableConv2D` for the arguments."""

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str | int | Sequence[Any] = "valid",
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
        depth_multiplier: int = 1,
        activation: str | Activation | None = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        pointwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        pointwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        depthwise_constraint: ConstraintLike = None,
        pointwise_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size,
            strides,
            padding,
            depth_multiplier,
            data_format,
            dilation_rate,
            activation=activation,
            use_bias=use_bias,
            depthwise_initializer=depthwise_initializer,
            bias_initializer=bias_initializer,
            depthwise_regularizer=depthwise_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            depthwise_constraint=depthwise_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self.filters = arguments.whole(self.label, "filters", filters)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.pointwise_constraint = constraints.get(pointwise_constraint)
        self.depthwise_kernel: Variable | None = None
        self.pointwise_kernel: Variable | None = None

    def build(self, input_shape: Shape) -> None:
        """Makes both kernels and the bias."""
        channels = self.channels(input_shape)
        self.depthwise_kernel = self.add_weight(
            self.depthwise_shape(channels),
            self.depthwise_initializer,
            name="depthwise_kernel",
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )
        ones = (1,) * self.rank
        self.pointwise_kernel = self.add_weight(
            (*ones, channels * self.depth_multiplier, self.filters),
            self.pointwise_initializer,
            name="pointwise_kernel",
            regularizer=self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
        )
        self.add_bias((self.filters,))

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records both convolutions, and the activation."""
        x = graph.to_channels_last(tensors[0], self.data_format)
        depthwise, *pointwise = (
            graph.parameter(weight)
            for weight in (self.depthwise_kernel, self.pointwise_kernel, self.bias)
            if weight is not None
        )
        x = graph.add(f"depthwise_conv{self.rank}d", [x, depthwise], **self.window())
        x = graph.add(f"conv{self.rank}d", [x, *pointwise])
        x = graph.from_channels_last(x, self.data_format)
        return activations.lower(graph, x, self.activation)


class DepthwiseConv1D(DepthwiseConvolution):
    """1-D convolution of every channel by itself.

    Output channel `c * depth_multiplier + m` sees input channel `c` only.

    Args:
        kernel_size: Steps of the window.
        strides: Step of the window, 1 by default.
        padding: "valid", "same", or cells `(before, after)`.
        depth_multiplier: Outputs for each input channel.
        data_format: "channels_last" (the default) or "channels_first".
        dilation_rate: Distance between the window's cells.
        activation: Name of the activation function; None for none.
        use_bias: Whether a bias is added.
        depthwise_initializer: Initial values of the kernel.
        bias_initializer: Initial values of the bias.
        depthwise_regularizer: Term of the loss that depends on the depthwise kernel.
        bias_regularizer: Likewise of the bias.
        activity_regularizer: Likewise of the output, per sample.
        depthwise_constraint: Rule for the depthwise kernel after every update.
        bias_constraint: Likewise for the bias.

    Input shape:
        `(batch, steps, channels)`, or with the channels behind the batch.

    Output shape:
        `(batch, new_steps, channels * depth_multiplier)`, or with the
        channels behind the batch.

    Example:
        >>> DepthwiseConv1D(3, depth_multiplier=2)(np.ones((1, 8, 5))).shape
        (1, 6, 10)
    """

    rank = 1


class DepthwiseConv2D(DepthwiseConvolution):
    """2-D convolution of every channel by itself.

    Output channel `c * depth_multiplier + m` sees input channel `c` only.

    Args:
        kernel_size: Height and width of the window; one integer for both.
        strides: Steps of the window; one integer for both, 1 by default.
        padding: "valid", "same", or cells `((top, bottom), (left, right))`.
        depth_multiplier: Outputs for each input channel.
        data_format: "channels_last" (the default) or "channels_first".
        dilation_rate: Distance between the window's cells; one integer for both.
        activation: Name of the activation function; None for none.
        use_bias: Whether a bias is added.
        depthwise_initializer: Initial values of the kernel.
        bias_initializer: Initial values of the bias.
        depthwise_regularizer: Term of the loss that depends on the depthwise kernel.
        bias_regularizer: Likewise of the bias.
        activity_regularizer: Likewise of the output, per sample.
        depthwise_constraint: Rule for the depthwise kernel after every update.
        bias_constraint: Likewise for the bias.

    Input shape:
        `(batch, height, width, channels)`, or with the channels behind the batch.

    Output shape:
        `(batch, new_height, new_width, channels * depth_multiplier)`, or with the
        channels behind the batch.

    Example:
        >>> layer = DepthwiseConv2D(3, depthwise_initializer="ones")
        >>> layer(np.ones((1, 3, 3, 2)))
        array([[[[9., 9.]]]], dtype=float32)
        >>> layer.kernel.shape
        (3, 3, 2, 1)

    Reference:
        Howard et al., MobileNets: efficient convolutional neural networks for mobile
        vision applications, 2017.
    """

    rank = 2


class SeparableConv1D(SeparableConvolution):
    """1-D depthwise convolution, then a convolution of size 1 that mixes channels.

    Args:
        filters: Number of output channels.
        kernel_size: Steps of the window.
        strides: Step of the window, 1 by default.
        padding: "valid", "same", or cells `(before, after)`.
        data_format: "channels_last" (the default) or "channels_first".
        dilation_rate: Distance between the window's cells.
        depth_multiplier: Outputs of the depthwise part for each input channel.
        activation: Name of the activation function; None for none.
        use_bias: Whether a bias is added.
        depthwise_initializer: Initial values of the depthwise kernel.
        pointwise_initializer: Initial values of the mixing kernel.
        bias_initializer: Initial values of the bias.
        depthwise_regularizer: Term of the loss that depends on the depthwise kernel.
        pointwise_regularizer: Likewise of the pointwise kernel.
        bias_regularizer: Likewise of the bias.
        activity_regularizer: Likewise of the output, per sample.
        depthwise_constraint: Rule for the depthwise kernel after every update.
        pointwise_constraint: Likewise for the pointwise kernel.
        bias_constraint: Likewise for the bias.

    Input shape:
        `(batch, steps, channels)`, or with the channels behind the batch.

    Output shape:
        `(batch, new_steps, filters)`, or with the filters behind the batch.

    Example:
        >>> layer = SeparableConv1D(4, 3)
        >>> layer(np.ones((1, 8, 5))).shape
        (1, 6, 4)
    """

    rank = 1


class SeparableConv2D(SeparableConvolution):
    """2-D depthwise convolution, then a convolution of size 1 that mixes channels.

    Args:
        filters: Number of output channels.
        kernel_size: Height and width of the window; one integer for both.
        strides: Steps of the window; one integer for both, 1 by default.
        padding: "valid", "same", or cells `((top, bottom), (left, right))`.
        data_format: "channels_last" (the default) or "channels_first".
        dilation_rate: Distance between the window's cells; one integer for both.
        depth_multiplier: Outputs of the depthwise part for each input channel.
        activation: Name of the activation function; None for none.
        use_bias: Whether a bias is added.
        depthwise_initializer: Initial values of the depthwise kernel.
        pointwise_initializer: Initial values of the mixing kernel.
        bias_initializer: Initial values of the bias.
        depthwise_regularizer: Term of the loss that depends on the depthwise kernel.
        pointwise_regularizer: Likewise of the pointwise kernel.
        bias_regularizer: Likewise of the bias.
        activity_regularizer: Likewise of the output, per sample.
        depthwise_constraint: Rule for the depthwise kernel after every update.
        pointwise_constraint: Likewise for the pointwise kernel.
        bias_constraint: Likewise for the bias.

    Input shape:
        `(batch, height, width, channels)`, or with the channels behind the batch.

    Output shape:
        `(batch, new_height, new_width, filters)`, or with the filters behind the batch.

    Example:
        >>> layer = SeparableConv2D(4, 3, strides=2, padding="same")
        >>> layer(np.ones((1, 8, 8, 5))).shape
        (1, 4, 4, 4)
        >>> [w.shape for w in layer.weights]
        [(3, 3, 5, 1), (1, 1, 5, 4), (4,)]

    Reference:
        Chollet, Xception: deep learning with depthwise separable convolutions, CVPR
        2017.
    """

    rank = 2
