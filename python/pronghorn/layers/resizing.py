# SPDX-License-Identifier: Apache-2.0
"""Layers that make images larger or smaller by repeating or interpolating cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pronghorn.layers import arguments
from pronghorn.layers.lowering import GraphBuilder
from pronghorn.layers.spatial import SpatialLayer

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
_LARGEST = 3.4e38  # what float32 holds


class UpSampling1D(SpatialLayer):
    """Every step several times.

    Args:
        size: How often a step is repeated.

    Input shape:
        `(batch, steps, channels)`

    Output shape:
        `(batch, steps * size, channels)`

    Example:
        >>> UpSampling1D(2)(np.arange(3).reshape(1, 3, 1))[0, :, 0]
        array([0., 0., 1., 1., 2., 2.], dtype=float32)
    """

    axes = 1

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__("channels_last", **kwargs)
        self.size = arguments.whole(self.label, "size", size)

    def lower_channels_last(self, graph: GraphBuilder, x: int) -> int:
        """Records the repetition."""
        return graph.add("upsample_nearest", [x], size=[self.size])


class UpSampling2D(SpatialLayer):
    """Images larger by whole factors.

    Args:
        size: Factors of height and width; one integer for both.
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.
        interpolation: "nearest" repeats cells; "bilinear", "bicubic", "lanczos3" and
            "lanczos5" interpolate between their centres.

    Input shape:
        `(batch, height, width, channels)`, or with "channels_first"
        `(batch, channels, height, width)`

    Output shape:
        As the input's, with `height * size[0]` and `width * size[1]`

    Example:
        >>> x = np.arange(4).reshape(1, 2, 2, 1)
        >>> UpSampling2D((1, 2))(x)[0, :, :, 0]
        array([[0., 0., 1., 1.],
               [2., 2., 3., 3.]], dtype=float32)
        >>> UpSampling2D((1, 2), interpolation="bilinear")(x)[0, :, :, 0]
        array([[0.  , 0.25, 0.75, 1.  ],
               [2.  , 2.25, 2.75, 3.  ]], dtype=float32)
    """

    def __init__(
        self,
        size: int | Sequence[int] = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.size = arguments.pair(self.label, "size", size)
        self.interpolation = arguments.choice(
            self.label, "interpolation", interpolation, INTERPOLATIONS
        )

    def lower_channels_last(self, graph: GraphBuilder, x: int) -> int:
        """Records the repetition or interpolation."""
        if self.interpolation == "nearest":
            return graph.add("upsample_nearest", [x], size=list(self.size))
        size = [n * s for n, s in zip(graph.shape(x)[1:3], self.size, strict=True)]
        return graph.add("resize2d", [x], size=size, interpolation=self.interpolation)


class UpSampling3D(SpatialLayer):
    """Every cell of a volume several times.

    Args:
        size: Repetitions along depth, height and width; one integer for all.
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.

    Input shape:
        `(batch, depth, height, width, channels)`, or with "channels_first"
        `(batch, channels, depth, height, width)`

    Output shape:
        As the input's, with `depth`, `height` and `width` times `size`

    Example:
        >>> UpSampling3D((1, 1, 3))(np.arange(2).reshape(1, 2, 1, 1, 1)).ravel()
        array([0., 0., 0., 1., 1., 1.], dtype=float32)
    """

    axes = 3

    def __init__(
        self,
        size: int | Sequence[int] = (2, 2, 2),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.size = arguments.several(self.label, "size", size, 3)

    def lower_channels_last(self, graph: GraphBuilder, x: int) -> int:
        """Records the repetition."""
        return graph.add("upsample_nearest", [x], size=list(self.size))


class Resizing(SpatialLayer):
    """Images of a given height and width, by interpolation between centres of cells.

    Args:
        height: Height that comes out.
        width: Width that comes out.
        interpolation: "bilinear", "nearest", "bicubic", "lanczos3" or "lanczos5".
        crop_to_aspect_ratio: Whether to resize only the largest middle part that has
            the ratio of the output, so that nothing is distorted.
        pad_to_aspect_ratio: Whether to frame the image until it has that ratio.
        fill_mode: What frames are made of: "constant".
        fill_value: The constant.
        antialias: Whether to average over all cells where the image shrinks.
        data_format: "channels_last", "channels_first", or None for what
            `pronghorn.config` says.

    Input shape:
        `(batch, any_height, any_width, channels)`, or with "channels_first"
        `(batch, channels, any_height, any_width)`

    Output shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)`

    Example:
        >>> x = np.arange(4).reshape(1, 1, 4, 1)
        >>> Resizing(1, 2)(x).ravel()
        array([0.5, 2.5], dtype=float32)

    Reference:
        Keys, Cubic convolution interpolation for digital image processing, IEEE
        Transactions on Acoustics, Speech, and Signal Processing 29(6), 1981 ("bicubic",
        a = -0.5).
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.height = arguments.whole(self.label, "height", height)
        self.width = arguments.whole(self.label, "width", width)
        self.interpolation = arguments.choice(
            self.label, "interpolation", interpolation, INTERPOLATIONS
        )
        self.crop_to_aspect_ratio = bool(crop_to_aspect_ratio)
        self.pad_to_aspect_ratio = bool(pad_to_aspect_ratio)
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise ValueError(
                f"{self.label}: expected at most one of `crop_to_aspect_ratio` and "
                "`pad_to_aspect_ratio` to be True, got both"
            )
        self.fill_mode = arguments.choice(
            self.label, "fill_mode", fill_mode, ("constant",)
        )
        self.fill_value = arguments.number(
            self.label, "fill_value", fill_value, -_LARGEST, _LARGEST
        )
        self.antialias = bool(antialias)

    def lower_channels_last(self, graph: GraphBuilder, x: int) -> int:
        """Records the interpolation."""
        return graph.add(
            "resize2d",
            [x],
            size=[self.height, self.width],
            interpolation=self.interpolation,
            crop_to_aspect_ratio=self.crop_to_aspect_ratio,
            pad_to_aspect_ratio=self.pad_to_aspect_ratio,
            fill_value=self.fill_value,
            antialias=self.antialias,
        )
