# SPDX-License-Identifier: Apache-2.0
"""Functions that make constants, and that convert."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronghorn import tracing
from pronghorn.layers.symbolic import KerasTensor
from pronghorn.ops import operation as base

Array = NDArray[np.float32]


def shape(x: Any) -> tuple[int | None, ...]:
    """The shape; in a model None where a size is open."""
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


def ndim(x: Any) -> int:
    """Number of axes, the batch included."""
    return base.rank_of(x)


def convert_to_tensor(x: Any, dtype: str | None = None) -> Any:
    """`x` as float32; tensors are returned as they are."""
    if dtype is not None and not str(dtype).startswith("float"):
        raise ValueError(f"ops.convert_to_tensor: expected float32, got {dtype!r}")
    if isinstance(x, KerasTensor | tracing.Tensor):
        return x
    return base.array(x, "convert_to_tensor")


def convert_to_numpy(x: Any) -> Any:
    """The values of an array or variable."""
    return np.array(x)


def is_tensor(x: Any) -> bool:
    """Whether `x` is a tensor or an array."""
    return isinstance(x, KerasTensor | tracing.Tensor | np.ndarray)


def zeros(shape: Any) -> Array:
    """A constant of zeros; it has no batch."""
    return np.zeros(shape, np.float32)


def ones(shape: Any) -> Array:
    """A constant of ones; it has no batch."""
    return np.ones(shape, np.float32)


def full(shape: Any, fill_value: float) -> Array:
    """A constant of equal values; it has no batch."""
    return np.full(shape, fill_value, np.float32)


def eye(N: int, M: int | None = None, k: int = 0) -> Array:
    """A constant with ones on a diagonal."""
    return np.eye(N, M, k, dtype=np.float32)


def arange(start: float, stop: float | None = None, step: float = 1) -> Array:
    """A constant of equidistant numbers."""
    if stop is None:
        start, stop = 0, start
    return np.arange(start, stop, step).astype(np.float32)
