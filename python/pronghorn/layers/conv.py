# SPDX-License-Identifier: Apache-2.0
"""Convolution layers."""

from __future__ import annotations

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


class Convolution(KernelLayer):
    """Base class of the convolutions; see `Conv2D` for the arguments."""

    rank: ClassVar[int]
    paddings: ClassVar[Sequence[str]] = ("valid", "same")
    kernel_channels = (-1,)

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str | int | Sequence[Any] = "valid",
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = 1,
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
        self.kernel_size = self._sizes("kernel_size", kernel_size)
        self.strides = self._sizes("strides", strides)
        self.padding = arguments.explicit_padding(
            self.label, padding, self.rank, self.paddings
        )
        self.data_format = arguments.data_format(self.label, data_format)
        self.dilation_rate = self._sizes("dilation_rate", dilation_rate)
        self.groups = arguments.whole(self.label, "groups", groups)
        if self.filters % self.groups:
            raise ValueError(
                f"{self.label}: expected `filters` to be a multiple of `groups`, got "
                f"filters={self.filters}, groups={self.groups}"
            )
        refuse_strides_with_dilation(self.label, self.strides, self.dilation_rate)

    def _sizes(self, name: str, value: Any) -> tuple[int, ...]:
        return arguments.several(self.label, name, value, self.rank)

    def build(self, input_shape: Shape) -> None:
        """Makes kernel and bias."""
        channels = shapes.channels(
            self.label, input_shape, self.data_format, self.rank + 2
        )
        if channels % self.groups:
            raise ValueError(
                f"{self.label}: expected input channels to be a multiple of "
                f"groups={self.groups}, got {channels} channels in {input_shape}"
            )
        self.add_kernel((*self.kernel_size, channels // self.groups, self.filters))

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the convolution, and the activation."""
        return self.lower_kernel(
            graph,
            f"conv{self.rank}d",
            tensors,
            self.data_format,
            strides=list(self.strides),
            padding=padding_attribute(
                self.padding, self.kernel_size, self.dilation_rate
            ),
            dilation=list(self.dilation_rate),
            groups=self.groups,
        )


def padding_attribute(
    padding: arguments.Padding,
    kernel_size: Sequence[int] = (),
    dilation_rate: Sequence[int] = (),
) -> str | list[int]:
    """Padding as the core takes it; "causal" is a window's reach in front."""
    if padding == "causal":
        return [(kernel_size[0] - 1) * dilation_rate[0], 0]
    if isinstance(padding, str):
        return padding
    return [cells for pair in padding for cells in pair]


def refuse_strides_with_dilation(
    owner: str, strides: Sequence[int], dilation_rate: Sequence[int]
) -> None:
    """Refuses what Keras refuses."""
    if max(strides) > 1 and max(dilation_rate) > 1:
        raise ValueError(
            f"{owner}: expected strides or dilation, not both above 1, got "
            f"strides={strides}, dilation_rate={dilation_rate}"
        )


class Conv1D(Convolution):
    """1-D convolution (cross-correlation) along the steps of a sequence.

    Args:
        filters: Number of output channels.
        kernel_size: Steps of the window.
        strides: Step of the window, 1 by default.
        padding: "valid", "same", "causal" (an output sees nothing behind its step), or
            cells `(before, after)`.
        data_format: "channels_last" (the default) or "channels_first".
        dilation_rate: Distance between the window's cells, 1 by default.
        groups: Number of groups that channels are cut into.
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
        `(batch, steps, channels)`, or `(batch, channels, steps)`.

    Output shape:
        `(batch, new_steps, filters)`, or `(batch, filters, new_steps)`.

    Example:
        >>> layer = Conv1D(1, 2, padding="causal", kernel_initializer="ones")
        >>> layer(np.array([[[1.0], [2.0], [3.0]]]))[0, :, 0]
        array([1., 3., 5.], dtype=float32)
    """

    rank = 1
    paddings = ("valid", "same", "causal")


class Conv2D(Convolution):
    """2-D convolution (cross-correlation, as everywhere in deep learning).

    With `padding="valid"` the output has `(in - dilation * (kernel - 1) - 1) // stride
    + 1` rows; with "same" it has `ceil(in / stride)`, and zeros are added around the
    image, the odd one at the bottom and on the right.

    Args:
        filters: Number of output channels.
        kernel_size: Height and width of the window; one integer for both.
        strides: Steps of the window; one integer for both, 1 by default.
        padding: "valid", "same", or cells `((top, bottom), (left, right))`.
        data_format: "channels_last" (the default) or "channels_first".
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
        kernel_constraint: Rule for the kernel after every update.
        bias_constraint: Likewise for the bias.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)`.

    Output shape:
        `(batch, new_height, new_width, filters)`, or
        `(batch, filters, new_height, new_width)`.

    Example:
        >>> x = np.ones((1, 5, 5, 3))
        >>> layer = Conv2D(2, 3, kernel_initializer="ones")
        >>> layer(x)[0, 0, 0]
        array([27., 27.], dtype=float32)
        >>> [w.shape for w in layer.weights]
        [(3, 3, 3, 2), (2,)]
        >>> Conv2D(2, 3, strides=2, padding=((0, 1), (0, 1)))(x).shape
        (1, 2, 2, 2)

    Reference:
        Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016.
    """

    rank = 2


class Conv3D(Convolution):
    """3-D convolution (cross-correlation) of volumes.

    Args:
        filters: Number of output channels.
        kernel_size: Depth, height and width of the window; one integer for all.
        strides: Steps of the window; one integer for all, 1 by default.
        padding: "valid", "same", or cells
            `((front, back), (top, bottom), (left, right))`.
        data_format: "channels_last" (the default) or "channels_first".
        dilation_rate: Distance between the window's cells; one integer for all.
        groups: Number of groups that channels are cut into.
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
        `(batch, depth, height, width, channels)`, or
        `(batch, channels, depth, height, width)`.

    Output shape:
        `(batch, new_depth, new_height, new_width, filters)`, or the same with the
        filters behind the batch.

    Example:
        >>> Conv3D(2, 3, padding="same")(np.ones((1, 4, 5, 6, 3))).shape
        (1, 4, 5, 6, 2)
    """

    rank = 3
