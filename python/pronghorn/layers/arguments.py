# SPDX-License-Identifier: Apache-2.0
"""Checks of layers' arguments.

Every message names the layer, what was expected and what came.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronghorn import config

# The core counts in int64: products of a few sizes below this cannot overflow.
_LARGEST = 2**31 - 1


def whole(owner: str, name: str, value: Any, least: int = 1) -> int:
    """An integer of at least `least`."""
    number = _index(value)
    if number is None or not least <= number <= _LARGEST:
        raise ValueError(
            f"{owner}: expected `{name}` to be an integer from {least} to {_LARGEST}, "
            f"got {value!r}"
        )
    return number


def several(
    owner: str, name: str, value: Any, count: int, least: int = 1
) -> tuple[int, ...]:
    """`count` integers, given as such or as one for all."""
    values = (value,) * count if _index(value) is not None else value
    if (
        not isinstance(values, Sequence)
        or isinstance(values, str)
        or len(values) != count
    ):
        raise ValueError(
            f"{owner}: expected `{name}` to be an integer or {count} of them, "
            f"got {value!r}"
        )
    return tuple(whole(owner, name, one, least) for one in values)


def pair(owner: str, name: str, value: Any, least: int = 1) -> tuple[int, int]:
    """Two integers, given as such or as one for both."""
    first, second = several(owner, name, value, 2, least)
    return first, second


def number(
    owner: str, name: str, value: Any, least: float = 0.0, most: float = math.inf
) -> float:
    """A number in [least, most]."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        result = math.nan
    if isinstance(value, str) or not least <= result <= most:
        limits = f"from {least:g} to {most:g}" if most < math.inf else f">= {least:g}"
        raise ValueError(
            f"{owner}: expected `{name}` to be a number {limits}, got {value!r}"
        )
    return result


def array(owner: str, name: str, value: Any) -> NDArray[np.float32]:
    """Numbers as an array of float32."""
    try:
        found = np.asarray(value)
    except ValueError:  # ragged lists
        found = np.asarray(None)
    if found.dtype.kind not in "biuf":
        raise ValueError(f"{owner}: expected `{name}` to be numbers, got {value!r}")
    return np.asarray(found, np.float32)


def axis(owner: str, value: Any) -> int:
    """An axis, which may be negative."""
    number = _index(value)
    if number is None:
        raise ValueError(f"{owner}: expected `axis` to be an integer, got {value!r}")
    return number


def axes(owner: str, name: str, value: Any) -> list[int]:
    """Numbers of axes, given as such or as one."""
    values = [value] if _index(value) is not None else value
    is_list = isinstance(values, Sequence) and not isinstance(values, str)
    numbers = [_index(one) for one in values] if is_list else []
    found = [one for one in numbers if one is not None]
    if not found or len(found) < len(numbers):
        raise ValueError(
            f"{owner}: expected `{name}` to be an integer or a list of them, "
            f"got {value!r}"
        )
    return found


def seed(owner: str, value: Any) -> int | None:
    """None, or an integer of at least 0."""
    return None if value is None else whole(owner, "seed", value, 0)


def choice(owner: str, name: str, value: Any, choices: Sequence[str]) -> str:
    """One of a few strings, in any case."""
    lower = value.lower() if isinstance(value, str) else value
    if lower not in choices:
        raise ValueError(
            f"{owner}: expected `{name}` to be one of {', '.join(choices)}, "
            f"got {value!r}"
        )
    return str(lower)


def padding(owner: str, value: Any) -> str:
    """The padding of a convolution or pooling."""
    return choice(owner, "padding", value, ("valid", "same"))


Padding = str | tuple[tuple[int, int], ...]


def explicit_padding(
    owner: str, value: Any, axes: int, words: Sequence[str] = ("valid", "same")
) -> Padding:
    """The padding of a convolution: a word, or cells before and after each axis.

    For one axis (before, after); for more a pair for each; an integer in a pair's place
    stands for both.
    """
    if isinstance(value, str):
        return choice(owner, "padding", value, words)
    pairs = (value,) * axes if _index(value) is not None else value
    if axes == 1 and isinstance(pairs, Sequence) and len(pairs) == 2:
        pairs = (pairs,)
    if not isinstance(pairs, Sequence) or len(pairs) != axes:
        raise ValueError(
            f"{owner}: expected `padding` to be one of {', '.join(words)}, or cells "
            f"before and after each of {axes} axes, got {value!r}"
        )
    return tuple(pair(owner, "padding", one, least=0) for one in pairs)


def data_format(owner: str, value: Any) -> str:
    """Where an image's channels are; None for what `pronghorn.config` says."""
    given = config.image_data_format() if value is None else value
    return choice(owner, "data_format", given, config.DATA_FORMATS)


def unsupported(owner: str, **arguments: Any) -> None:
    """Refuses arguments of Keras that nothing stands behind yet."""
    for name, value in arguments.items():
        if value is not None:
            raise ValueError(
                f"{owner}: `{name}` is not supported, expected None, got {value!r}"
            )


def _index(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None
