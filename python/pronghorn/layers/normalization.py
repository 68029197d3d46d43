# SPDX-License-Identifier: Apache-2.0
"""Layers that normalise every sample by itself, and the base of all that scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pronghorn import constraints, initializers, regularizers
from pronghorn.constraints import ConstraintLike
from pronghorn.initializers import InitializerLike
from pronghorn.layers import arguments, axes
from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.symbolic import Shape
from pronghorn.regularizers import RegularizerLike
from pronghorn.variable import Variable


class ScaledNormalization(Layer):
    """Base class: layers that scale and shift what they have normalised.

    Args:
        epsilon: Added to the variance.
        center: Whether `beta` is added.
        scale: Whether the result is multiplied by `gamma`.
        beta_initializer: Initial values of `beta`.
        gamma_initializer: Initial values of `gamma`.
        beta_regularizer: Term of the loss that depends on `beta`.
        gamma_regularizer: Likewise of `gamma`.
        beta_constraint: What `beta` must fulfil after every update.
        gamma_constraint: Likewise `gamma`.
        **kwargs: See `Layer`.
    """

    def __init__(
        self,
        *,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: InitializerLike,
        gamma_initializer: InitializerLike,
        beta_regularizer: RegularizerLike,
        gamma_regularizer: RegularizerLike,
        beta_constraint: ConstraintLike,
        gamma_constraint: ConstraintLike,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.epsilon = arguments.number(self.label, "epsilon", epsilon)
        self.center = bool(center)
        self.scale = bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def add_scales(self, shape: Sequence[int]) -> None:
        """Makes `gamma` and `beta`."""
        if self.scale:
            self.gamma = self._add_scale("gamma", shape)
        if self.center:
            self.beta = self._add_scale("beta", shape)

    def _add_scale(self, name: str, shape: Sequence[int]) -> Variable:
        kinds = ("initializer", "regularizer", "constraint")
        rules = {kind: getattr(self, f"{name}_{kind}") for kind in kinds}
        return self.add_weight(shape, name=name, **rules)

    def lower_norm(
        self,
        graph: GraphBuilder,
        op: str,
        x: int,
        along: Sequence[int],
        states: Sequence[Variable] = (),
        **attributes: Any,
    ) -> int:
        """Records an op on x with the axes `along` brought last."""
        weights = [w for w in (self.gamma, self.beta, *states) if w is not None]
        attributes |= {"scale": self.scale, "center": self.center}

        def apply(tensor: int) -> int:
            inputs = [tensor, *(graph.parameter(weight) for weight in weights)]
            return graph.add(op, inputs, epsilon=self.epsilon, **attributes)

        return axes.applied_last(graph, x, along, apply)


class LayerNormalization(ScaledNormalization):
    """Normalises every sample by its own mean and variance along some axes.

    Args:
        axis: The axis, or a list of axes, that mean and variance are taken over.
        epsilon: Added to the variance.
        center: Whether `beta` is added.
        scale: Whether the result is multiplied by `gamma`.
        beta_initializer: Initial values of `beta`.
        gamma_initializer: Initial values of `gamma`.
        beta_regularizer: Term of the loss that depends on `beta`.
        gamma_regularizer: Likewise of `gamma`.
        beta_constraint: What `beta` must fulfil after every update.
        gamma_constraint: Likewise `gamma`.

    Input shape:
        Any; the axes' sizes must be known.

    Output shape:
        The input's.

    Example:
        >>> LayerNormalization(epsilon=0.0)([[1.0, 3.0], [20.0, 10.0]])
        array([[-1.,  1.],
               [ 1., -1.]], dtype=float32)

    Reference:
        Ba, Kiros and Hinton, Layer normalization, 2016.
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            epsilon=epsilon,
            center=center,
            scale=scale,
            beta_initializer=beta_initializer,
            gamma_initializer=gamma_initializer,
            beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint,
            **kwargs,
        )
        self.axis = axes.given(self.label, axis)

    def build(self, input_shape: Shape) -> None:
        """Makes gamma and beta."""
        along = axes.resolved(self.label, self.axis, input_shape)
        self.add_scales(axes.sizes(self.label, along, input_shape))
        self.built = True

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the normalisation."""
        along = axes.resolved(self.label, self.axis, graph.shape(tensors[0]))
        return self.lower_norm(
            graph, "layer_norm", tensors[0], along, axes=list(range(-len(along), 0))
        )


class GroupNormalization(ScaledNormalization):
    """Normalises groups of channels of every sample by their own mean and variance.

    Args:
        groups: Number of groups; -1 for one of each channel (instance normalisation).
        axis: The axis of the channels.
        epsilon: Added to the variance.
        center: Whether `beta` is added.
        scale: Whether the result is multiplied by `gamma`.
        beta_initializer: Initial values of `beta`.
        gamma_initializer: Initial values of `gamma`.
        beta_regularizer: Term of the loss that depends on `beta`.
        gamma_regularizer: Likewise of `gamma`.
        beta_constraint: What `beta` must fulfil after every update.
        gamma_constraint: Likewise `gamma`.

    Input shape:
        Any, with channels along `axis`; `groups` divides their number.

    Output shape:
        The input's.

    Example:
        >>> GroupNormalization(groups=2, epsilon=0.0)([[1.0, 3.0, 20.0, 10.0]])
        array([[-1.,  1.,  1., -1.]], dtype=float32)

    Reference:
        Wu and He, Group normalization, ECCV 2018.
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            epsilon=epsilon,
            center=center,
            scale=scale,
            beta_initializer=beta_initializer,
            gamma_initializer=gamma_initializer,
            beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint,
            **kwargs,
        )
        self.groups = (
            groups if groups == -1 else arguments.whole(self.label, "groups", groups)
        )
        self.axis = arguments.axis(self.label, axis)

    def build(self, input_shape: Shape) -> None:
        """Makes gamma and beta."""
        along = axes.resolved(self.label, self.axis, input_shape)
        shape = axes.sizes(self.label, along, input_shape)
        if self.groups != -1 and shape[0] % self.groups:
            raise ValueError(
                f"{self.label}: expected `groups` to divide the {shape[0]} channels, "
                f"got {self.groups}"
            )
        self.add_scales(shape)
        self.built = True

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the normalisation."""
        shape = graph.shape(tensors[0])
        along = axes.resolved(self.label, self.axis, shape)
        groups = shape[along[0]] if self.groups == -1 else self.groups
        return self.lower_norm(graph, "group_norm", tensors[0], along, groups=groups)


class RMSNormalization(Layer):
    """Divides every sample by the root of its mean square along some axes.

    Args:
        axis: The axis, or a list of axes, that the mean is taken over.
        epsilon: Added to the mean square.

    Input shape:
        Any; the axes' sizes must be known.

    Output shape:
        The input's.

    Example:
        >>> RMSNormalization()([[1.0, 7.0]])
        array([[0.2, 1.4]], dtype=float32)

    Reference:
        Zhang and Sennrich, Root mean square layer normalization, NeurIPS 2019.
    """

    scale: Variable

    def __init__(
        self, axis: int | Sequence[int] = -1, epsilon: float = 1e-6, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.axis = axes.given(self.label, axis)
        self.epsilon = arguments.number(self.label, "epsilon", epsilon)

    def build(self, input_shape: Shape) -> None:
        """Makes the scale."""
        along = axes.resolved(self.label, self.axis, input_shape)
        shape = axes.sizes(self.label, along, input_shape)
        self.scale = self.add_weight(shape, "ones", name="scale")
        self.built = True

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the normalisation."""
        along = axes.resolved(self.label, self.axis, graph.shape(tensors[0]))

        def apply(x: int) -> int:
            return graph.add(
                "rms_norm",
                [x, graph.parameter(self.scale)],
                axes=list(range(-len(along), 0)),
                epsilon=self.epsilon,
            )

        return axes.applied_last(graph, tensors[0], along, apply)


class UnitNormalization(Layer):
    """Divides every sample by its Euclidean length along some axes.

    Args:
        axis: The axis, or a list of axes, that the length is taken over.

    Input shape:
        Any.

    Output shape:
        The input's.

    Example:
        >>> UnitNormalization()([[3.0, 4.0]])
        array([[0.6, 0.8]], dtype=float32)
    """

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axes.given(self.label, axis)

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the normalisation."""
        along = axes.resolved(self.label, self.axis, graph.shape(tensors[0]))

        def apply(x: int) -> int:
            return graph.add("unit_norm", [x], axes=list(range(-len(along), 0)))

        return axes.applied_last(graph, tensors[0], along, apply)


class LocalResponseNormalization(Layer):
    """Divides every channel by the squares of its neighbours, as AlexNet does.

    `x / (bias + alpha * sum(x ** 2)) ** beta`, summed over the channels up to
    `depth_radius` away, on either side.

    Args:
        depth_radius: How many channels on either side count.
        bias: What is added to the sum.
        alpha: Factor of the sum.
        beta: Exponent.
        data_format: "channels_last" (None) or "channels_first".

    Input shape:
        `(batch, ..., channels)`

    Output shape:
        The input's.

    Example:
        >>> LocalResponseNormalization(1)([[0.0, 0.0, 2.0]])
        array([[0.       , 0.       , 0.8944272]], dtype=float32)

    Reference:
        Krizhevsky, Sutskever and Hinton, ImageNet classification with deep
        convolutional neural networks, 2012, section 3.3 (with depth_radius=2, bias=2,
        alpha=1e-4, beta=0.75). Arguments and defaults are those of
        `tf.nn.local_response_normalization`.
    """

    def __init__(
        self,
        depth_radius: int = 5,
        bias: float = 1.0,
        alpha: float = 1.0,
        beta: float = 0.5,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        label = self.label
        self.depth_radius = arguments.whole(label, "depth_radius", depth_radius, 0)
        self.bias = arguments.number(label, "bias", bias)
        self.alpha = arguments.number(label, "alpha", alpha)
        self.beta = arguments.number(label, "beta", beta)
        self.data_format = arguments.data_format(label, data_format)

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the normalisation."""
        x = graph.to_channels_last(tensors[0], self.data_format)
        y = graph.add(
            "local_response_norm",
            [x],
            depth_radius=self.depth_radius,
            bias=self.bias,
            alpha=self.alpha,
            beta=self.beta,
        )
        return graph.from_channels_last(y, self.data_format)
