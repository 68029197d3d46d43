# SPDX-License-Identifier: Apache-2.0
"""Activations that are layers because they have arguments."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from pronghorn import activations, constraints, initializers, regularizers
from pronghorn.constraints import ConstraintLike
from pronghorn.initializers import InitializerLike
from pronghorn.layers import arguments
from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.symbolic import Shape
from pronghorn.regularizers import RegularizerLike
from pronghorn.variable import Variable


class ReLU(Layer):
    """Rectified linear unit, `max(x, 0)` with the default arguments.

    `max_value` where x >= max_value, x where threshold <= x < max_value, and
    `negative_slope * (x - threshold)` elsewhere.

    Args:
        max_value: Largest value of the result; None means no limit.
        negative_slope: Slope below the threshold.
        threshold: Value below which x is damped or set to zero.

    Input shape:
        Any.

    Output shape:
        The input's.

    Example:
        >>> ReLU(max_value=6.0, negative_slope=0.5)([[-1.0, 2.0, 9.0]])
        array([[-0.5,  2. ,  6. ]], dtype=float32)

    Reference:
        Nair and Hinton, Rectified linear units improve restricted Boltzmann machines,
        ICML 2010.
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = (
            None
            if max_value is None
            else arguments.number(self.label, "max_value", max_value)
        )
        self.negative_slope = arguments.number(
            self.label, "negative_slope", negative_slope
        )
        self.threshold = arguments.number(self.label, "threshold", threshold)

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the function."""
        op, attributes = activations.relu_op(
            self.negative_slope, self.max_value, self.threshold
        )
        return graph.add(op, tensors, **attributes)


class LeakyReLU(Layer):
    """The input where it is at least 0, `negative_slope` times it elsewhere.

    Args:
        negative_slope: Slope below zero.

    Input shape:
        Any.

    Output shape:
        The input's.

    Example:
        >>> LeakyReLU(0.5)([[-1.0, 2.0]])
        array([[-0.5,  2. ]], dtype=float32)

    Reference:
        Maas, Hannun and Ng, Rectifier nonlinearities improve neural network acoustic
        models, ICML 2013.
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        if "alpha" in kwargs:
            negative_slope = kwargs.pop("alpha")
            warnings.warn(
                "Argument `alpha` is deprecated. Use `negative_slope` instead.",
                stacklevel=2,
            )
        super().__init__(**kwargs)
        self.negative_slope = arguments.number(
            self.label, "negative_slope", negative_slope
        )

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the function."""
        return graph.add("unary", tensors, kind="leaky_relu", alpha=self.negative_slope)


class ELU(Layer):
    """Exponential linear unit: `x` above 0, `alpha * (exp(x) - 1)` elsewhere.

    Args:
        alpha: Minus the limit far below zero.

    Input shape:
        Any.

    Output shape:
        The input's.

    Example:
        >>> ELU(2.0)([[-100.0, 2.0]])
        array([[-2.,  2.]], dtype=float32)

    Reference:
        Clevert, Unterthiner and Hochreiter, Fast and accurate deep network learning by
        exponential linear units, ICLR 2016.
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = arguments.number(self.label, "alpha", alpha, -math.inf)

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the function."""
        return graph.add("unary", tensors, kind="elu", alpha=self.alpha)


class PReLU(Layer):
    """ReLU with a learned slope below zero for every element.

    Args:
        alpha_initializer: Initial values of the slopes.
        alpha_regularizer: Term of the loss that depends on the slopes.
        alpha_constraint: What the slopes must fulfil after every update.
        shared_axes: Axes along which all positions have the same slope, such as [1, 2]
            for one slope per channel of an image.

    Input shape:
        `(batch, ...)`

    Output shape:
        The input's.

    Example:
        >>> PReLU(alpha_initializer="ones")([[-1.0, 2.0]])
        array([[-1.,  2.]], dtype=float32)
        >>> layer = PReLU(shared_axes=[1, 2])
        >>> layer(np.zeros((2, 4, 4, 3))).shape, layer.weights[0].shape
        ((2, 4, 4, 3), (1, 1, 3))

    Reference:
        He et al., Delving deep into rectifiers, ICCV 2015.
    """

    def __init__(
        self,
        alpha_initializer: InitializerLike = "Zeros",
        alpha_regularizer: RegularizerLike = None,
        alpha_constraint: ConstraintLike = None,
        shared_axes: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        if shared_axes is not None:
            shared_axes = arguments.axes(self.label, "shared_axes", shared_axes)
        self.shared_axes = shared_axes
        self.alpha: Variable | None = None

    def build(self, input_shape: Shape) -> None:
        """Makes the slopes."""
        sizes = list(input_shape)
        for axis in self.shared_axes or ():
            if not 1 <= axis < len(sizes):
                raise ValueError(
                    f"{self.label}: expected `shared_axes` from 1 to {len(sizes) - 1} "
                    f"for an input of shape {input_shape}, got {self.shared_axes}"
                )
            sizes[axis] = 1
        known = [size for size in sizes[1:] if size is not None]
        if len(known) < len(sizes) - 1:
            raise ValueError(
                f"{self.label}: expected known sizes of the axes that do not share "
                f"slopes, got an input of shape {input_shape}"
            )
        self.alpha = self.add_weight(
            known,
            self.alpha_initializer,
            name="alpha",
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )
        self.built = True

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the op."""
        slopes = [
            graph.parameter(weight) for weight in [self.alpha] if weight is not None
        ]
        return graph.add("prelu", [*tensors, *slopes])


class Softmax(Layer):
    """Exponentials divided by their sum along an axis, or several.

    Calls may have a `mask` beside the input, which broadcasts to its shape: where it is
    0 (or False) the result is 0, and what is there does not count.

    Args:
        axis: Axis along which the result sums to 1, or a list of axes.

    Input shape:
        Any.

    Output shape:
        The input's.

    Example:
        >>> Softmax()([[0.0, 0.0]])
        array([[0.5, 0.5]], dtype=float32)
        >>> Softmax()(np.zeros((1, 3)), mask=np.array([[True, False, True]]))
        array([[0.5, 0. , 0.5]], dtype=float32)
    """

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        several = isinstance(axis, list | tuple)
        axes = arguments.axes(self.label, "axis", axis)
        self.axis: int | list[int] = axes if several else axes[0]

    def __call__(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """Applies the layer to symbolic tensors or to arrays.

        Args:
            *args: The input.
            training: As in `Layer`.
            **kwargs: `mask`, if any.

        Returns:
            A symbolic tensor, or an array.
        """
        mask = kwargs.pop("mask", None)
        if mask is not None:
            args = ([*args, self._broadcast(mask, *args)],)
        return super().__call__(*args, training=training, **kwargs)

    def _broadcast(self, mask: Any, inputs: Any) -> Any:
        """A mask of the input's shape, if it is an array."""
        if not isinstance(mask, np.ndarray):
            return mask
        try:
            return np.broadcast_to(mask, np.shape(inputs))
        except ValueError as error:
            raise ValueError(
                f"{self.label}: expected a mask that broadcasts to the input's shape "
                f"{np.shape(inputs)}, got {mask.shape}"
            ) from error

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the function."""
        if len(tensors) == 1:
            return self._lower_all(graph, tensors[0])
        half, low, none = (graph.constant(number) for number in (0.5, -1e9, 0.0))
        keep = graph.add("binary", [tensors[1], half], kind="greater")
        result = self._lower_all(graph, graph.add("where", [keep, tensors[0], low]))
        return graph.add("where", [keep, result, none])

    def _lower_all(self, graph: GraphBuilder, tensor: int) -> int:
        axes = [self.axis] if isinstance(self.axis, int) else self.axis
        if len(axes) == 1:
            return graph.add("softmax", [tensor], axis=axes[0])
        return self._lower_several(graph, tensor, axes)

    def _lower_several(
        self, graph: GraphBuilder, tensor: int, axes: Sequence[int]
    ) -> int:
        """Brings the axes to the end, as one, and back."""
        shape = graph.shape(tensor)
        rank = len(shape)
        last = sorted({axis % rank for axis in axes if -rank <= axis < rank})
        if len(last) < len(axes) or 0 in last:
            raise ValueError(
                f"{self.label}: expected different axes behind the batch of {shape}, "
                f"got {axes}"
            )
        order = [axis for axis in range(rank) if axis not in last] + last
        back = [order.index(axis) for axis in range(rank)]
        moved = graph.add("transpose", [tensor], axes=order)
        sizes = [shape[axis] for axis in order[1:]]
        outer, inner = sizes[: -len(last)], sizes[-len(last) :]
        rows = graph.add("reshape", [moved], shape=[*outer, math.prod(inner)])
        result = graph.add("softmax", [rows], axis=-1)
        result = graph.add("reshape", [result], shape=sizes)
        return graph.add("transpose", [result], axes=back)


class Maxout(Layer):
    """The largest of several features: a learned convex function of what makes them.

    The axis is read as `(features / num_units, num_units)`, and of its first part only
    the largest is kept.

    Args:
        num_units: Size of the axis afterwards; divides its size before.
        axis: The axis.

    Input shape:
        `(batch, ..., features, ...)`

    Output shape:
        `(batch, ..., num_units, ...)`

    Example:
        >>> Maxout(2)([[1.0, 2.0, 3.0, -4.0]])
        array([[3., 2.]], dtype=float32)

    Reference:
        Goodfellow et al., Maxout networks, ICML 2013.
    """

    def __init__(self, num_units: int, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_units = arguments.whole(self.label, "num_units", num_units)
        self.axis = arguments.axes(self.label, "axis", [axis])[0]

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the split of the axis and the maximum."""
        shape = graph.shape(tensors[0])
        rank = len(shape)
        axis = self.axis % rank
        if not -rank <= self.axis < rank or axis == 0:
            raise ValueError(
                f"{self.label}: expected an axis behind the batch of {shape}, got "
                f"{self.axis}"
            )
        if shape[axis] % self.num_units != 0:
            raise ValueError(
                f"{self.label}: expected a number of features that is a multiple of "
                f"num_units={self.num_units}, got an input of shape {shape}"
            )
        groups = [shape[axis] // self.num_units, self.num_units]
        split = graph.add(
            "reshape", tensors, shape=[*shape[1:axis], *groups, *shape[axis + 1 :]]
        )
        return graph.add("reduce", [split], kind="max", axes=[axis])
