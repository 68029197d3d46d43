# SPDX-License-Identifier: Apache-2.0
"""Variable: a named array of float32 that the core reads and updates in place."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pronghorn._native import core as _core
from pronghorn.constraints import Constraint
from pronghorn.initializers import draw_into
from pronghorn.operators import Operators
from pronghorn.regularizers import Regularizer

Array = NDArray[np.float32]


class Variable(Operators):
    """A weight.

    Args:
        initializer: Initial value: an array, or a callable of the shape.
        shape: Shape; needed if `initializer` is a callable.
        dtype: None or "float32".
        trainable: Whether training changes it.
        name: Name, without that of the layer.
        path: Name with that of the layer, "conv2d/kernel".
        regularizer: Its term of the loss, while it trains.
        constraint: What its values must fulfil after every update.

    Example:
        >>> v = Variable(np.ones(2), name="scale")
        >>> v.assign([1.0, 3.0])
        >>> v.numpy()
        array([1., 3.], dtype=float32)
    """

    def __init__(
        self,
        initializer: Callable[..., Any] | Any,
        shape: Sequence[int] | None = None,
        dtype: str | None = None,
        trainable: bool = True,
        name: str = "variable",
        path: str | None = None,
        regularizer: Regularizer | None = None,
        constraint: Constraint | None = None,
    ) -> None:
        if dtype not in (None, "float32"):
            raise ValueError(
                f"Variable '{name}': expected dtype float32, got {dtype!r}"
            )
        self.name = name
        self.path = path or name
        self.trainable = trainable
        self.regularizer = regularizer
        self.constraint = constraint
        value = None if callable(initializer) else np.asarray(initializer)
        if shape is None:
            if value is None:
                raise ValueError(
                    f"Variable '{name}': expected a shape for {initializer}"
                )
            shape = value.shape
        # The memory comes first: a shape that is too large fails here, before numbers
        # are drawn.
        self.shape = tuple(operator.index(size) for size in shape)
        self.buffer = _core.Buffer(self.shape)
        if value is not None:
            self.assign(value)
        elif not draw_into(initializer, self.value):
            self.assign(initializer(self.shape))

    @property
    def value(self) -> Array:
        """The memory itself: writing to it changes the weight.

        As long as the array lives, nothing that was computed from the weight is kept
        from one prediction to the next.
        """
        return self.buffer.array

    @property
    def dtype(self) -> str:
        """Always "float32"."""
        return "float32"

    def numpy(self) -> Array:
        """A copy of the values."""
        return np.array(self.value)

    def assign(self, value: Any) -> None:
        """Sets all values; the shape must be the variable's."""
        self.value[...] = self.checked(value)

    def assign_add(self, value: Any) -> None:
        """Adds to all values; the shape must be the variable's."""
        self.value[...] += self.checked(value)

    def assign_sub(self, value: Any) -> None:
        """Subtracts from all values; the shape must be the variable's."""
        self.value[...] -= self.checked(value)

    def checked(self, value: Any) -> NDArray[Any]:
        """`value` as an array that can be assigned, or a ValueError."""
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise ValueError(
                f"Variable '{self.path}': expected numbers, got dtype {array.dtype}"
            )
        if array.shape != self.shape:
            raise ValueError(
                f"Variable '{self.path}': expected shape {self.shape}, got "
                f"{array.shape}"
            )
        return array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.value, dtype=dtype, copy=True if copy is None else copy)

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype=float32>"
