# SPDX-License-Identifier: Apache-2.0
"""Transposed convolution layers: a convolution's gradient as a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pronghorn.activations import Activation
from pronghorn.constraints import ConstraintLike
from pronghorn.initializers import InitializerLike
from pronghorn.layers import arguments, shapes
from pronghorn.layers.conv import padding_attribute, refuse_strides_with_dilation
from pronghorn.layers.kernel import KernelLayer
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.symbolic import Shape
from pronghorn.regularizers import RegularizerLike


class ConvolutionTranspose(KernelLayer):
    """Base class of the transposed ones; see `Conv2DTranspose` for the arguments."""

    rank: ClassVar[int]
    kernel_channels = (-2,)

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str | int | Sequence[Any] = "valid",
        output_padding: int | Sequence[int] | None = None,
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
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
        self.kernel_size = self._sizes("kernel_size", kernel_size)
        self.strides = self._sizes("strides", strides)
        self.padding = arguments.explicit_padding(self.label, padding, self.rank)
        self.output_padding: tuple[int, ...] | None = None
        if output_padding is not None:
            self.output_padding = self._sizes("output_padding", output_padding, 0)
            pairs = zip(self.output_padding, self.strides, strict=True)
            if any(more >= stride for more, stride in pairs):
                raise ValueError(
                    f"{self.label}: expected `output_padding` below the strides, got "
                    f"output_padding={self.output_padding}, strides={self.strides}"
                )
        self.data_format = arguments.data_format(self.label, data_format)
        self.dilation_rate = self._sizes("dilation_rate", dilation_rate)
        refuse_strides_with_dilation(self.label, self.strides, self.dilation_rate)

    def _sizes(self, name: str, value: Any, least: int = 1) -> tuple[int, ...]:
        return arguments.several(self.label, name, value, self.rank, least)

    def build(self, input_shape: Shape) -> None:
        """Makes kernel and bias."""
        channels = shapes.channels(
            self.label, input_shape, self.data_format, self.rank + 2
        )
        kernel_shape = (*self.kernel_size, self.filters, channels)
        self.add_kernel(kernel_shape, bias=(self.filters,))

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the transposed convolution, and the activation."""
        attributes: dict[str, Any] = {}
        if self.output_padding is not None:
            attributes["output_padding"] = list(self.output_padding)
        return self.lower_kernel(
            graph,
            f"conv{self.rank}d_transpose",
            tensors,
            self.data_format,
            strides=list(self.strides),
            padding=padding_attribute(self.padding),
            dilation=list(self.dilation_rate),
            **attributes,
        )


class Conv1DTranspose(ConvolutionTranspose):
    """1-D transposed convolution ("deconvolution").

    Goes back from a `Conv1D`'s output to the shape of its input.

    With "valid" an axis grows to `(in - 1) * stride + max(kernel, stride)`, with "same"
    to `in * stride`. A given `output_padding` is added to `(in - 1) * stride + kernel`
    with "valid", to `(in - 1) * stride + kernel % 2` with "same".

    Args:
        filters: Number of output channels.
        kernel_size: Size of the window.
        strides: Steps between the windows in the output.
        padding: "valid", "same", or cells that are cropped, `(before, after)`.
        output_padding: Cells added behind the output, fewer than the stride; None for
            the sizes above.
        data_format: "channels_last" (the default) or "channels_first".
        dilation_rate: Distance between the window's cells.
        activation: Name of the activation function; None for none.
        use_bias: Whether a bias is added.
        kernel_initializer: Initial values of the kernel.
        bias_initializer: Initial values of the bias.
        kernel_regularizer: Term of the loss that depends on the kernel.
        bias_regularizer: Likewise of the bias.
        activity_regularizer: Likewise of the output, per sample.
        kernel_constraint: Rule for the kernel after every update.
        bias_constraint: Likewise for the bias.

    Input shape:
        `(batch, steps, channels)`, or with the channels behind the batch.

    Output shape:
        `(batch, new_steps, filters)`, or with the filters behind the batch.

    Example:
        >>> layer = Conv1DTranspose(1, 2, strides=2, kernel_initializer="ones")
        >>> layer(np.array([[[1.0], [2.0]]]))[0, :, 0]
        array([1., 1., 2., 2.], dtype=float32)
    """

    rank = 1


class Conv2DTranspose(ConvolutionTranspose):
    """2-D transposed convolution ("deconvolution").

    Goes back from a `Conv2D`'s output to the shape of its input, as generators and
    decoders do.

    With "valid" an axis grows to `(in - 1) * stride + max(kernel, stride)`, with "same"
    to `in * stride`. A given `output_padding` is added to `(in - 1) * stride + kernel`
    with "valid", to `(in - 1) * stride + kernel % 2` with "same".

    Args:
        filters: Number of output channels.
        kernel_size: Size of the window; one integer for both.
        strides: Steps between the windows in the output; one integer for both.
        padding: "valid", "same", or cells that are cropped,
            `((top, bottom), (left, right))`.
        output_padding: Cells added behind the output, fewer than the stride; None for
            the sizes above.
        data_format: "channels_last" (the default) or "channels_first".
        dilation_rate: Distance between the window's cells; one integer for both.
        activation: Name of the activation function; None for none.
        use_bias: Whether a bias is added.
        kernel_initializer: Initial values of the kernel.
        bias_initializer: Initial values of the bias.
        kernel_regularizer: Term of the loss that depends on the kernel.
        bias_regularizer: Likewise of the bias.
        activity_regularizer: Likewise of the output, per sample.
        kernel_constraint: Rule for the kernel after every update.
        bias_constraint: Likewise for the bias.

    Input shape:
        `(batch, height, width, channels)`, or with the channels behind the
        batch.

    Output shape:
        `(batch, new_height, new_width, filters)`, or with the filters
        behind the batch.

    Example:
        >>> layer = Conv2DTranspose(4, 3, strides=2, padding="same")
        >>> layer(np.ones((1, 5, 6, 3))).shape
        (1, 10, 12, 4)
        >>> layer.kernel.shape
        (3, 3, 4, 3)

    Reference:
        Zeiler, Krishnan, Taylor and Fergus, Deconvolutional networks, CVPR 2010.
    """

    rank = 2


class Conv3DTranspose(ConvolutionTranspose):
    """3-D transposed convolution ("deconvolution").

    Goes back from a `Conv3D`'s output to the shape of its input.

    With "valid" an axis grows to `(in - 1) * stride + max(kernel, stride)`, with "same"
    to `in * stride`. A given `output_padding` is added to `(in - 1) * stride + kernel`
    with "valid", to `(in - 1) * stride + kernel % 2` with "same".

    Args:
        filters: Number of output channels.
        kernel_size: Size of the window; one integer for all.
        strides: Steps between the windows in the output; one integer for all.
        padding: "valid", "same", or cells that are cropped, a pair for each axis.
        output_padding: Cells added behind the output, fewer than the stride; None for
            the sizes above.
        data_format: "channels_last" (the default) or "channels_first".
        dilation_rate: Distance between the window's cells; one integer for all.
        activation: Name of the activation function; None for none.
        use_bias: Whether a bias is added.
        kernel_initializer: Initial values of the kernel.
        bias_initializer: Initial values of the bias.
        kernel_regularizer: Term of the loss that depends on the kernel.
        bias_regularizer: Likewise of the bias.
        activity_regularizer: Likewise of the output, per sample.
        kernel_constraint: Rule for the kernel after every update.
        bias_constraint: Likewise for the bias.

    Input shape:
        `(batch, depth, height, width, channels)`, or with the channels behind the
        batch.

    Output shape:
        `(batch, new_depth, new_height, new_width, filters)`, or with the filters
        behind the batch.

    Example:
        >>> Conv3DTranspose(4, 2, strides=2)(np.ones((1, 2, 3, 4, 5))).shape
        (1, 4, 6, 8, 4)
    """

    rank = 3
