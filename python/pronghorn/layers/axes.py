# SPDX-License-Identifier: Apache-2.0
"""Axes that a layer works along, the batch being axis 0, and bringing them last."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from pronghorn.layers.lowering import GraphBuilder


def given(owner: str, value: Any) -> int | list[int]:
    """The argument `axis`: an integer or a list of them."""
    try:
        if isinstance(value, list | tuple) and value:
            return [operator.index(axis) for axis in value]
        return operator.index(value)
    except TypeError:
        raise TypeError(
            f"{owner}: expected `axis` to be an integer or a list of integers, "
            f"got {value!r}"
        ) from None


def resolved(
    owner: str, axis: int | Sequence[int], shape: Sequence[int | None]
) -> tuple[int, ...]:
    """The axes in ascending order, none of them negative, none the batch."""
    rank = len(shape)
    axes = [axis] if isinstance(axis, int) else list(axis)
    found = sorted({one + rank if one < 0 else one for one in axes})
    if len(found) < len(axes) or found[0] < 1 or found[-1] >= rank:
        raise ValueError(
            f"{owner}: expected `axis` to name different axes from 1 to {rank - 1} of "
            f"an input of shape {tuple(shape)}, got {axis}"
        )
    return tuple(found)


def sizes(
    owner: str, axes: Sequence[int], shape: Sequence[int | None]
) -> tuple[int, ...]:
    """The sizes of those axes, which must be known."""
    known = [size for size in (shape[axis] for axis in axes) if size is not None]
    if len(known) < len(axes):
        raise ValueError(
            f"{owner}: expected the sizes of axes {tuple(axes)} to be known, got an "
            f"input of shape {tuple(shape)}"
        )
    return tuple(known)


def applied_last(
    graph: GraphBuilder, x: int, axes: Sequence[int], apply: Callable[[int], int]
) -> int:
    """Records `apply` on a tensor whose `axes` come last; its result has x's order."""
    rank = len(graph.shape(x))
    order = [axis for axis in range(rank) if axis not in axes] + list(axes)
    if order == list(range(rank)):
        return apply(x)
    back = [order.index(axis) for axis in range(rank)]
    y = apply(graph.add("transpose", [x], axes=order))
    return graph.add("transpose", [y], axes=back)
