# SPDX-License-Identifier: Apache-2.0
"""Layers that act in training only.

What they draw depends on the seed, the number of the training step and the position in
the batch, and not on the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pronghorn import random
from pronghorn.layers import arguments, shapes
from pronghorn.layers.layer import Layer
from pronghorn.layers.lowering import GraphBuilder


class NoiseLayer(Layer):
    """Base class of the layers that draw.

    Args:
        seed: Integer that fixes what is drawn.
        **kwargs: See `Layer`.
    """

    def __init__(self, seed: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = arguments.seed(self.label, seed)
        self._seed = random.draw_seed() if self.seed is None else self.seed


class BaseDropout(NoiseLayer):
    """Base class of the layers that drop.

    Args:
        rate: Share of the inputs to drop, from 0 to 1.
        seed: Integer that fixes what is dropped.
        **kwargs: See `Layer`.
    """

    _op: ClassVar[str] = "dropout"

    def __init__(self, rate: float, seed: int | None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = arguments.number(self.label, "rate", rate, 0.0, 1.0)

    def noise_axes(self, shape: Sequence[int]) -> list[int]:  # noqa: ARG002
        """Axes of an input of that shape along which all positions drop together."""
        return []

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the op in training, and nothing in inference."""
        axes = self.noise_axes(graph.shape(tensors[0]))
        if not graph.training or self.rate == 0:
            return tensors[0]
        attributes = {"noise_axes": axes} if axes else {}
        return graph.add(
            self._op, tensors, rate=self.rate, seed=self._seed, **attributes
        )


class _ShapedDropout(BaseDropout):
    """Dropout with a `noise_shape`."""

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, seed, **kwargs)
        if noise_shape is not None and (
            isinstance(noise_shape, str) or not isinstance(noise_shape, Sequence)
        ):
            raise ValueError(
                f"{self.label}: expected `noise_shape` to be a sequence of integers, "
                f"got {noise_shape!r}"
            )
        self.noise_shape = noise_shape and tuple(
            None if size is None else arguments.whole(self.label, "noise_shape", size)
            for size in noise_shape
        )

    def noise_axes(self, shape: Sequence[int]) -> list[int]:
        """The axes where `noise_shape` has 1 and the input has more."""
        if self.noise_shape is None:
            return []
        fits = len(self.noise_shape) == len(shape) and all(
            size in (None, 1, extent)
            for size, extent in list(zip(self.noise_shape, shape, strict=True))[1:]
        )
        if not fits:
            raise ValueError(
                f"{self.label}: expected `noise_shape` to have 1, None or the input's "
                f"size for every axis of {tuple(shape)}, got {self.noise_shape}"
            )
        return [axis for axis, size in enumerate(self.noise_shape) if size == 1]


class Dropout(_ShapedDropout):
    """Sets inputs to zero at random in training and scales the others up.

    Args:
        rate: Share of the inputs to drop, from 0 to 1.
        noise_shape: Shape of the mask, with the batch in front: 1 for an axis along
            which all positions are kept or dropped together, None (or the input's
            size) for the others. None for a mask of the input's shape.
        seed: Integer that fixes what is dropped.

    Input shape:
        Any.

    Output shape:
        The input's.

    Example:
        >>> x = np.ones((1, 4))
        >>> Dropout(0.5)(x)
        array([[1., 1., 1., 1.]], dtype=float32)
        >>> Dropout(0.5, noise_shape=(None, 1), seed=3)(x, training=True)
        array([[2., 2., 2., 2.]], dtype=float32)

    Reference:
        Srivastava et al., Dropout: a simple way to prevent neural networks from
        overfitting, JMLR 2014.
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, noise_shape, seed, **kwargs)


class AlphaDropout(_ShapedDropout):
    """Dropout that keeps mean and variance of what a `selu` makes.

    What is dropped becomes the limit of `selu` far below zero; then all is scaled and
    moved so that inputs of mean 0 and variance 1 still have them.

    Args:
        rate: Share of the inputs to drop, from 0 to 1, without 1 itself in training.
        noise_shape: As in `Dropout`.
        seed: Integer that fixes what is dropped.

    Input shape:
        Any.

    Output shape:
        The input's.

    Example:
        >>> AlphaDropout(0.5)(np.ones((1, 3)))
        array([[1., 1., 1.]], dtype=float32)

    Reference:
        Klambauer et al., Self-normalizing neural networks, NeurIPS 2017.
    """

    _op = "alpha_dropout"

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, noise_shape, seed, **kwargs)


class _SpatialDropout(BaseDropout):
    """Drops whole feature maps."""

    rank: ClassVar[int]  # with batch and channels
    data_format: str

    def noise_axes(self, shape: Sequence[int]) -> list[int]:
        """All axes but batch and channels."""
        shapes.require(self.label, tuple(shape), axes=self.rank)
        if self.data_format == "channels_last":
            return list(range(1, self.rank - 1))
        return list(range(2, self.rank))


class SpatialDropout1D(_SpatialDropout):
    """Sets whole channels of sequences to zero at random in training.

    Neighbouring steps are alike, so that dropping single values says little.

    Args:
        rate: Share of the channels to drop, from 0 to 1.
        seed: Integer that fixes what is dropped.

    Input shape:
        `(batch, steps, channels)`

    Output shape:
        The input's.

    Example:
        >>> x = np.ones((1, 2, 3))
        >>> SpatialDropout1D(0.5, seed=3)(x, training=True)
        array([[[2., 0., 2.],
                [2., 0., 2.]]], dtype=float32)

    Reference:
        Tompson et al., Efficient object localization using convolutional networks,
        CVPR 2015.
    """

    rank = 3
    data_format = "channels_last"

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed, **kwargs)


class SpatialDropout2D(_SpatialDropout):
    """Sets whole channels of images to zero at random in training.

    Args:
        rate: Share of the channels to drop, from 0 to 1.
        data_format: "channels_last" (or None) or "channels_first".
        seed: Integer that fixes what is dropped.

    Input shape:
        `(batch, height, width, channels)`, or channels behind the batch.

    Output shape:
        The input's.

    Example:
        >>> SpatialDropout2D(0.5)(np.ones((2, 4, 4, 3))).shape
        (2, 4, 4, 3)

    Reference:
        Tompson et al., Efficient object localization using convolutional networks,
        CVPR 2015.
    """

    rank = 4

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, seed, **kwargs)
        self.data_format = arguments.data_format(self.label, data_format)


class SpatialDropout3D(_SpatialDropout):
    """Sets whole channels of volumes to zero at random in training.

    Args:
        rate: Share of the channels to drop, from 0 to 1.
        data_format: "channels_last" (or None) or "channels_first".
        seed: Integer that fixes what is dropped.

    Input shape:
        `(batch, depth, height, width, channels)`, or channels behind the batch.

    Output shape:
        The input's.

    Example:
        >>> SpatialDropout3D(0.5)(np.ones((2, 4, 4, 4, 3))).shape
        (2, 4, 4, 4, 3)

    Reference:
        Tompson et al., Efficient object localization using convolutional networks,
        CVPR 2015.
    """

    rank = 5

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, seed, **kwargs)
        self.data_format = arguments.data_format(self.label, data_format)


class GaussianDropout(BaseDropout):
    """Multiplies inputs by normal numbers of mean 1 in training.

    Their standard deviation is that of `Dropout`'s factors, `sqrt(rate / (1 - rate))`.

    Args:
        rate: As in `Dropout`, from 0 to 1, without 1 itself in training.
        seed: Integer that fixes what is drawn.

    Input shape:
        Any.

    Output shape:
        The input's.

    Example:
        >>> GaussianDropout(0.5)(np.ones((1, 3)))
        array([[1., 1., 1.]], dtype=float32)

    Reference:
        Srivastava et al., Dropout: a simple way to prevent neural networks from
        overfitting, JMLR 2014.
    """

    _op = "gaussian_dropout"

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed, **kwargs)


class GaussianNoise(NoiseLayer):
    """Adds normal numbers of mean 0 in training.

    Args:
        stddev: Their standard deviation, from 0 to 1.
        seed: Integer that fixes what is drawn.

    Input shape:
        Any.

    Output shape:
        The input's.

    Example:
        >>> GaussianNoise(0.5)(np.ones((1, 3)))
        array([[1., 1., 1.]], dtype=float32)
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.stddev = arguments.number(self.label, "stddev", stddev, 0.0, 1.0)

    def lower(self, graph: GraphBuilder, *tensors: int) -> int:
        """Records the op in training, and nothing in inference."""
        if not graph.training or self.stddev == 0:
            return tensors[0]
        return graph.add("gaussian_noise", tensors, stddev=self.stddev, seed=self._seed)
