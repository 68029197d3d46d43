# SPDX-License-Identifier: Apache-2.0
"""Operators of everything that formulas are written with.

Symbolic tensors, tensors of a graph being recorded and variables share them: `x + y` is
`ops.add(x, y)`. Equality stays that of objects, as tensors are kept in lists and dicts;
`ops.equal` compares values.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any


def _ops() -> ModuleType:
    from pronghorn import ops  # noqa: PLC0415 ops knows the classes that use this

    return ops


class Operators:
    """Arithmetic, comparisons and indexing by the functions of `pronghorn.ops`."""

    __array_priority__ = 100.0  # so that NumPy leaves `array * x` to x

    def __add__(self, other: Any) -> Any:
        return _ops().add(self, other)

    def __radd__(self, other: Any) -> Any:
        return _ops().add(other, self)

    def __sub__(self, other: Any) -> Any:
        return _ops().subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return _ops().subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return _ops().multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return _ops().multiply(other, self)

    def __truediv__(self, other: Any) -> Any:
        return _ops().divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _ops().divide(other, self)

    def __pow__(self, other: Any) -> Any:
        return _ops().power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return _ops().power(other, self)

    def __matmul__(self, other: Any) -> Any:
        return _ops().matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return _ops().matmul(other, self)

    def __neg__(self) -> Any:
        return _ops().negative(self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return _ops().absolute(self)

    def __lt__(self, other: Any) -> Any:
        return _ops().less(self, other)

    def __le__(self, other: Any) -> Any:
        return _ops().less_equal(self, other)

    def __gt__(self, other: Any) -> Any:
        return _ops().greater(self, other)

    def __ge__(self, other: Any) -> Any:
        return _ops().greater_equal(self, other)

    def __getitem__(self, key: Any) -> Any:
        return _ops().get_item(self, key)

    def __iter__(self) -> Any:
        raise TypeError(
            f"{self!r} cannot be iterated over; use ops.unstack or ops.split"
        )
