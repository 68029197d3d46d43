# SPDX-License-Identifier: Apache-2.0
"""Input, Dense and Activation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pronghorn import activations
from pronghorn.activations import Activation as ActivationFunction
from pronghorn.constraints import ConstraintLike
from pronghorn.initializers import InitializerLike
from pronghorn.layers import arguments, shapes
from pronghorn.layers.kernel import KernelLayer
from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.symbolic import KerasTensor, Node, Shape
from pronghorn.regularizers import RegularizerLike

# What the data will be; the core is fed float32 or uint8.
_INPUT_DTYPES = ("float32", "uint8", "int32", "int64")


class InputLayer(Layer):
    """The entry of a model; `Input` makes one and returns its tensor.

    Args:
        shape: Shape without the batch; None where a size is open.
        batch_size: Number of samples, if fixed.
        dtype: "float32", or "uint8", "int32" or "int64" as information that such data
            will come.
        batch_shape: Shape with the batch, instead of `shape` and `batch_size`.
        name: Name.
    """

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        batch_shape: Sequence[int | None] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if (shape is None) == (batch_shape is None):
            raise ValueError(
                f"{self.label}: expected either `shape` or `batch_shape`, got "
                f"shape={shape}, batch_shape={batch_shape}"
            )
        if shape is not None:
            sizes = [shape] if isinstance(shape, int) else shape
            batch_shape = (batch_size, *sizes)
        self.batch_shape: Shape = shapes.checked(self.label, batch_shape)
        self.shape: Shape | None = None  # `batch_shape` says it all in the config
        self.batch_size: int | None = None
        self._dtype = arguments.choice(
            self.label, "dtype", dtype or "float32", _INPUT_DTYPES
        )
        self.nodes.append(Node(self, (), [self.batch_shape], self._dtype))

    @property
    def dtype(self) -> str:
        """Type of the data."""
        return self._dtype

    @property
    def input(self) -> KerasTensor:
        """The same as `output`."""
        return self.nodes[0].outputs[0]

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:  # noqa: ARG002
        """Passes its input on."""
        return tensors[0]


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
) -> KerasTensor:
    """A symbolic tensor that is an input of a model.

    Args:
        shape: Shape without the batch; None where a size is open.
        batch_size: Number of samples, if fixed.
        dtype: "float32", or "uint8", "int32" or "int64" as information that such data
            will come.
        batch_shape: Shape with the batch, instead of `shape` and `batch_size`.
        name: Name.

    Example:
        >>> Input((32, 32, 3), name="image")
        <KerasTensor shape=(None, 32, 32, 3), dtype=float32, name=image>
    """
    layer = InputLayer(shape, batch_size, dtype, batch_shape, name)
    return layer.nodes[0].outputs[0]


class Dense(KernelLayer):
    """Fully connected layer: `activation(x @ kernel + bias)` along the last axis.

    Args:
        units: Number of outputs.
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
        `(batch, ..., inputs)`

    Output shape:
        `(batch, ..., units)`

    Example:
        >>> layer = Dense(2, kernel_initializer="ones")
        >>> layer([[1.0, 2.0, 3.0]])
        array([[6., 6.]], dtype=float32)
        >>> [w.path.partition("/")[2] for w in layer.weights]
        ['kernel', 'bias']
    """

    kernel_channels = (-1,)

    def __init__(
        self,
        units: int,
        activation: str | ActivationFunction | None = None,
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
        if (inputs := kwargs.pop("input_dim", None)) is not None:
            kwargs["input_shape"] = (inputs,)
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
        self.units = arguments.whole(self.label, "units", units)

    def build(self, input_shape: Shape) -> None:
        """Makes kernel and bias."""
        shapes.require(self.label, input_shape, least_axes=2)
        self.add_kernel((input_shape[-1] or 0, self.units))

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the product, and the activation."""
        return self.lower_kernel(graph, "dense", tensors)


class Activation(Layer):
    """An activation function as a layer.

    Args:
        activation: Name of the function, or the function.

    Input shape:
        Any.

    Output shape:
        The input's.

    Example:
        >>> Activation("relu")([[-1.0, 2.0]])
        array([[0., 2.]], dtype=float32)
    """

    def __init__(self, activation: str | ActivationFunction, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the function."""
        return activations.lower(graph, tensors[0], self.activation)
