# SPDX-License-Identifier: Apache-2.0
"""Gradients of a NumPy forward function from differences, image by image.

For a fixed cotangent c the derivative of sum(c * forward) is taken along coordinates of
one input. Keeping the images apart, one pass serves every batch made of them: dx is the
images' rows, dw their sum. Functions that are linear in the input need no small step:
the answer to a unit vector is the Jacobian, exactly.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Evaluate = Callable[[Sequence[Array]], Array]

STEP = 1e-5
# Central differences of fourth order: weights of the answers at +-1 and +-2 steps.
STENCIL = ((1, 2 / 3), (-1, -2 / 3), (2, -1 / 12), (-2, 1 / 12))
CHUNK_ELEMENTS = 1 << 18  # of stacked perturbed inputs, so that windows of them fit


@dataclass(frozen=True)
class Derivatives:
    """Derivatives along some coordinates of one input.

    values: (images, coordinates).
    magnitude: the same sum over absolute values of its terms; None if unknown.
    terms: how many terms each value sums; None if unknown.
    noise: how far the values themselves may be off.
    """

    coordinates: NDArray[np.int64]
    values: Array
    magnitude: Array | None = None
    terms: Array | None = None
    noise: float = 0.0


def choose_coordinates(
    size: int, most: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """All of `size` coordinates, or `most` of them: both ends and a drawn rest."""
    if size <= most:
        return np.arange(size)
    inner = 1 + rng.choice(size - 2, most - 2, replace=False)
    return np.sort(np.concatenate(([0, size - 1], inner)))


def _dot(values: Array, cotangent: Array) -> Array:
    """Sums values * cotangent over everything but the first axis."""
    rows = len(values)
    flat = values.reshape(rows, -1), cotangent.reshape(rows, -1)
    return np.asarray(np.einsum("bi,bi->b", *flat))


def linear_in_images(
    evaluate: Evaluate,
    inputs: Sequence[Array],
    index: int,
    cotangent: Array,
    coordinates: NDArray[np.int64],
) -> Derivatives:
    """Derivatives to the only input with images, in which `evaluate` is linear."""
    x = inputs[index]
    c = cotangent.reshape(len(cotangent), -1)

    def answer(part: Array) -> Array:
        trial = [*inputs[:index], part, *inputs[index + 1 :]]
        return evaluate(trial).reshape(len(part), -1)

    offset = answer(np.zeros((1, *x.shape[1:])))
    per_chunk = max(1, CHUNK_ELEMENTS // max(1, x[0].size))
    values, magnitude, terms = [], [], []
    for begin in range(0, len(coordinates), per_chunk):
        chosen = coordinates[begin : begin + per_chunk]
        units = np.zeros((len(chosen), x[0].size))
        units[np.arange(len(chosen)), chosen] = 1
        jacobian = answer(units.reshape(-1, *x.shape[1:])) - offset
        values.append(c @ jacobian.T)
        magnitude.append(np.abs(c) @ np.abs(jacobian).T)
        terms.append(np.count_nonzero(jacobian, axis=1))
    counts = np.broadcast_to(np.concatenate(terms), (len(c), len(coordinates)))
    return Derivatives(
        coordinates, np.hstack(values), np.hstack(magnitude), np.asarray(counts)
    )


def linear_in_parameter(
    evaluate: Evaluate,
    inputs: Sequence[Array],
    index: int,
    cotangent: Array,
    coordinates: NDArray[np.int64],
) -> Derivatives:
    """Derivatives to parameter `index`, in which `evaluate` is linear."""
    trial = list(inputs)
    unit = np.zeros(inputs[index].shape)
    trial[index] = unit
    offset = evaluate(trial)
    shape = (len(cotangent), len(coordinates))
    values, magnitude, terms = np.empty(shape), np.empty(shape), np.empty(shape)
    for column, coordinate in enumerate(coordinates):
        unit.flat[coordinate] = 1
        jacobian = evaluate(trial) - offset
        unit.flat[coordinate] = 0
        values[:, column] = _dot(jacobian, cotangent)
        magnitude[:, column] = _dot(np.abs(jacobian), np.abs(cotangent))
        terms[:, column] = np.count_nonzero(jacobian.reshape(len(jacobian), -1), axis=1)
    return Derivatives(coordinates, values, magnitude, terms)


def _noise(evaluate: Evaluate, inputs: Sequence[Array], cotangent: Array) -> float:
    """What rounding in float64 leaves of a difference over the smallest step."""
    scale = float(_dot(np.abs(evaluate(inputs)), np.abs(cotangent)).max())
    return 4 * scale * 2.0**-52 / float(_step(np.zeros(())))


def _step(x: Array) -> Array:
    return np.asarray(STEP * np.maximum(np.abs(x), 0.1))


def central_in_images(
    evaluate: Evaluate,
    inputs: Sequence[Array],
    index: int,
    cotangent: Array,
    coordinates: NDArray[np.int64],
    images: Sequence[int],
) -> Derivatives:
    """Derivatives to input `index` by central differences.

    `images` are the inputs with images first: copies of all of them, each with another
    coordinate moved, go through one evaluation.
    """
    x = inputs[index]
    count = len(x)
    c = cotangent.reshape(count, -1)
    per_chunk = max(1, CHUNK_ELEMENTS // max(1, x.size))
    values = np.empty((count, len(coordinates)))
    for begin in range(0, len(coordinates), per_chunk):
        chosen = coordinates[begin : begin + per_chunk]
        copies = len(chosen)
        stacked = [
            np.tile(a, (copies, *[1] * (a.ndim - 1))) if i in images else a
            for i, a in enumerate(inputs)
        ]
        base = x.reshape(count, -1)[:, chosen].T  # (copies, images)
        step = _step(base)
        change: Array | float = 0.0
        for steps, weight in STENCIL:
            moved = np.tile(x.reshape(1, count, -1), (copies, 1, 1))
            places = (np.arange(copies)[:, None], np.arange(count), chosen[:, None])
            moved[places] = base + steps * step
            stacked[index] = moved.reshape(-1, *x.shape[1:])
            change = change + weight * evaluate(stacked).reshape(copies, count, -1)
        sums = np.einsum("kbi,bi->kb", change, c)
        values[:, begin : begin + copies] = (sums / step).T
    return Derivatives(coordinates, values, noise=_noise(evaluate, inputs, cotangent))


def central_in_parameter(
    evaluate: Evaluate,
    inputs: Sequence[Array],
    index: int,
    cotangent: Array,
    coordinates: NDArray[np.int64],
) -> Derivatives:
    """Derivatives to parameter `index` by central differences."""
    trial = list(inputs)
    moving = inputs[index].copy()
    trial[index] = moving
    values = np.empty((len(cotangent), len(coordinates)))
    for column, coordinate in enumerate(coordinates):
        base = moving.flat[coordinate]
        step = float(_step(base))
        change: Array | float = 0.0
        for steps, weight in STENCIL:
            moving.flat[coordinate] = base + steps * step
            change = change + weight * evaluate(trial)
        moving.flat[coordinate] = base
        values[:, column] = _dot(np.asarray(change), cotangent) / step
    return Derivatives(coordinates, values, noise=_noise(evaluate, inputs, cotangent))
