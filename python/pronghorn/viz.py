# SPDX-License-Identifier: Apache-2.0
"""Pictures of a training: learning curve, filters, predictions.

Each function draws into a matplotlib figure (or subfigure) that it is given; without
one it makes a figure of its own. pyplot is not used: nothing pops up, and the backend
the user chose stays as it is.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pronghorn.saving.atomic import replace_file
from pronghorn.utils.optional import require

if TYPE_CHECKING:
    from pronghorn.layers.layer import Layer

_RIGHT, _WRONG = "#2a7f3f", "#c0392b"


def new_figure(width: float = 8.0, height: float = 4.0) -> Any:
    """An empty figure, size in inches, that is drawn without a window."""
    return require("matplotlib.figure", "Drawing").Figure(
        figsize=(width, height), layout="constrained"
    )


def draw_history(history: Mapping[str, Sequence[float]], figure: Any = None) -> Any:
    """Draws the learning curve: one axis for the losses, one for each metric.

    Args:
        history: What `fit` returned, its `.history`.
        figure: Figure to draw into; None makes one.
    """
    figure = figure or new_figure()
    names = [
        name
        for name in history
        if not name.startswith("val_") and name != "learning_rate"
    ]
    names.sort(key=lambda name: name != "loss")
    axes = figure.subplots(1, max(1, len(names)), squeeze=False)[0]
    for axis, name in zip(axes, names, strict=False):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in history:
                epochs = range(1, len(history[key]) + 1)
                axis.plot(epochs, history[key], marker="o", markersize=3, label=label)
        axis.set_xlabel("epoch")
        axis.set_title(name)
        axis.grid(alpha=0.3)
        axis.legend()
        axis.locator_params(axis="x", integer=True)
    return figure


def draw_filters(layer: Layer, figure: Any = None, columns: int = 6) -> Any:
    """Draws the kernels of a convolution: one picture per filter.

    Kernels of three input channels are shown as colours, others as the sum over the
    channels, on one scale where zero is white.

    Args:
        layer: A built layer whose first weight is a kernel (height, width, in, out).
        figure: Figure to draw into; None makes one.
        columns: Pictures per row.
    """
    weights = layer.get_weights()
    if not weights or weights[0].ndim != 4:
        raise ValueError(
            f"Layer '{layer.name}': expected a kernel of 4 axes to draw, got "
            f"{[weight.shape for weight in weights]}"
        )
    kernel = weights[0]
    figure = figure or new_figure()
    for axis, index in _grid(figure, kernel.shape[-1], columns):
        one = kernel[..., index]
        if kernel.shape[2] == 3:
            low, high = kernel.min(), kernel.max()
            axis.imshow((one - low) / max(high - low, 1e-12))
        else:
            total = kernel.sum(axis=2)
            limit = max(float(np.abs(total).max()), 1e-12)
            axis.imshow(one.sum(axis=2), cmap="RdBu", vmin=-limit, vmax=limit)
    return figure


def draw_predictions(
    images: NDArray[Any],
    predicted: Sequence[int] | NDArray[Any],
    truth: Sequence[int] | NDArray[Any],
    figure: Any = None,
    columns: int = 10,
) -> Any:
    """Draws images with the predicted and, where they differ, the true class.

    Args:
        images: Array (n, height, width) or (n, height, width, channels).
        predicted: Predicted classes.
        truth: True classes.
        figure: Figure to draw into; None makes one.
        columns: Pictures per row.
    """
    if not len(images) == len(predicted) == len(truth):
        raise ValueError(
            "draw_predictions: expected as many predictions and classes as images, "
            f"got {len(images)}, {len(predicted)} and {len(truth)}"
        )
    figure = figure or new_figure()
    for axis, index in _grid(figure, len(images), columns):
        image = np.asarray(images[index])
        image = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
        axis.imshow(image, cmap="gray_r")
        right = predicted[index] == truth[index]
        title = (
            f"{predicted[index]}" if right else f"{predicted[index]}, is {truth[index]}"
        )
        axis.set_title(title, fontsize=8, color=_RIGHT if right else _WRONG, pad=2)
    return figure


def check_suffix(path: str | os.PathLike[str]) -> str:
    """The format that a file's suffix stands for; a ValueError if there is none."""
    figure = require("matplotlib.figure", "Drawing").Figure()
    formats = sorted(figure.canvas.get_supported_filetypes())
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in formats:
        raise ValueError(
            f"Cannot draw '{path}': expected a suffix of {', '.join(formats)}"
        )
    return suffix


def save_figure(figure: Any, path: str | os.PathLike[str]) -> None:
    """Writes a figure; the suffix (.png, .pdf, .svg) chooses the format."""
    with replace_file(path) as temporary:
        figure.savefig(temporary, format=check_suffix(path), dpi=120)


def _grid(figure: Any, count: int, columns: int) -> list[tuple[Any, int]]:
    """Axes without ticks for `count` pictures, with their indices."""
    columns = max(1, min(columns, count))
    axes = figure.subplots(
        max(1, math.ceil(count / columns)), columns, squeeze=False
    ).ravel()
    for axis in axes:
        axis.axis("off")
    return [(axis, index) for index, axis in enumerate(axes[:count])]
