# SPDX-License-Identifier: Apache-2.0
"""BatchNormalization."""

from __future__ import annotations

from typing import Any

from pronghorn import initializers
from pronghorn.constraints import ConstraintLike
from pronghorn.initializers import InitializerLike
from pronghorn.layers import arguments, axes
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.normalization import ScaledNormalization
from pronghorn.layers.symbolic import Shape
from pronghorn.regularizers import RegularizerLike
from pronghorn.variable import Variable


class BatchNormalization(ScaledNormalization):
    """Normalises every channel by its mean and variance over the batch.

    In training `gamma * (x - mean) / sqrt(variance + epsilon) + beta` has the batch's
    mean and (biased) variance, and the moving ones follow them: `moving = momentum *
    moving + (1 - momentum) * batch`. In inference, and wherever the layer is not
    trainable, it has the moving ones, which then stay as they are.

    Args:
        axis: The axis of the channels.
        momentum: Momentum of the moving statistics.
        epsilon: Added to the variance.
        center: Whether `beta` is added.
        scale: Whether the result is multiplied by `gamma`.
        beta_initializer: Initial values of `beta`.
        gamma_initializer: Initial values of `gamma`.
        moving_mean_initializer: Initial values of the moving mean.
        moving_variance_initializer: Initial values of the moving variance.
        beta_regularizer: Term of the loss that depends on `beta`.
        gamma_regularizer: Likewise of `gamma`.
        beta_constraint: What `beta` must fulfil after every update.
        gamma_constraint: Likewise `gamma`.
        renorm: False; batch renormalisation is not supported.
        renorm_clipping: None.
        renorm_momentum: Without effect.
        synchronized: False; there is one device.

    Input shape:
        Any, with channels along `axis`.

    Output shape:
        The input's.

    Example:
        >>> layer = BatchNormalization(epsilon=0.0)
        >>> layer([[1.0], [3.0]], training=True)
        array([[-1.],
               [ 1.]], dtype=float32)
        >>> float(layer.moving_mean.numpy()[0])  # 0.99 * 0 + 0.01 * 2
        0.019999999552965164

    Reference:
        Ioffe and Szegedy, Batch normalization: accelerating deep network training by
        reducing internal covariate shift, ICML 2015.
    """

    moving_mean: Variable
    moving_variance: Variable

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        moving_mean_initializer: InitializerLike = "zeros",
        moving_variance_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        renorm: bool = False,
        renorm_clipping: None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
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
        if renorm or renorm_clipping is not None or synchronized:
            raise ValueError(
                f"{self.label}: expected renorm=False, renorm_clipping=None and "
                f"synchronized=False, got {renorm!r}, {renorm_clipping!r} and "
                f"{synchronized!r}"
            )
        self.axis = arguments.axis(self.label, axis)
        self.momentum = arguments.number(self.label, "momentum", momentum)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.renorm = self.synchronized = False
        self.renorm_clipping = None
        self.renorm_momentum = renorm_momentum

    def build(self, input_shape: Shape) -> None:
        """Makes gamma, beta, and the moving statistics."""
        along = axes.resolved(self.label, self.axis, input_shape)
        shape = axes.sizes(self.label, along, input_shape)
        self.add_scales(shape)
        self.moving_mean = self.add_weight(
            shape, self.moving_mean_initializer, trainable=False, name="moving_mean"
        )
        self.moving_variance = self.add_weight(
            shape,
            self.moving_variance_initializer,
            trainable=False,
            name="moving_variance",
        )
        self.built = True

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the normalisation."""
        along = axes.resolved(self.label, self.axis, graph.shape(tensors[0]))
        return self.lower_norm(
            graph,
            "batch_norm",
            tensors[0],
            along,
            [self.moving_mean, self.moving_variance],
            training=graph.training and self.trainable,
            momentum=self.momentum,
        )
