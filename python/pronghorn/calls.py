# SPDX-License-Identifier: Apache-2.0
"""Arguments of calls: nested lists and dicts with tensors in them, taken apart.

A layer's call is remembered as its tensors and the rest, so that it can be repeated on
other tensors: to infer shapes, to record a graph, to write it to a configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class Slot:
    """The place of a tensor in arguments."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __repr__(self) -> str:
        return f"<{self.index}>"


def map_nested(function: Callable[[Any], Any], value: Any) -> Any:
    """The same lists, tuples and dicts with `function` of what is in them."""
    if isinstance(value, list | tuple):
        return type(value)([map_nested(function, one) for one in value])
    if isinstance(value, dict):
        return {key: map_nested(function, one) for key, one in value.items()}
    return function(value)


def leaves(value: Any) -> list[Any]:
    """What is in nested lists, tuples and dicts."""
    found: list[Any] = []
    map_nested(found.append, value)
    return found


class Arguments:
    """Arguments of a call without their tensors.

    Args:
        args: Positional arguments.
        kwargs: Arguments by name.
        is_tensor: What to take out.

    Attributes:
        args: `args` with a `Slot` in the place of each tensor.
        kwargs: The same for `kwargs`.
        tensors: What was taken out, in the order of the slots.
    """

    def __init__(
        self,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        is_tensor: Callable[[Any], bool],
    ) -> None:
        self.tensors: list[Any] = []

        def take(value: Any) -> Any:
            if not is_tensor(value):
                return value
            self.tensors.append(value)
            return Slot(len(self.tensors) - 1)

        self.args = map_nested(take, tuple(args))
        self.kwargs = map_nested(take, kwargs)

    def fill(self, tensors: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with these tensors in the slots."""

        def put(value: Any) -> Any:
            return tensors[value.index] if isinstance(value, Slot) else value

        return map_nested(put, self.args), map_nested(put, self.kwargs)

    @property
    def key(self) -> str:
        """Equal for calls that differ in their tensors only."""
        return repr((self.args, self.kwargs))


def plain(tensors: Sequence[Any]) -> Arguments:
    """The arguments of `layer(x)`, or of `layer([x, y])` for several tensors."""
    slots = [Slot(index) for index in range(len(tensors))]
    call = Arguments([slots if len(slots) > 1 else slots[0]], {}, lambda _: False)
    call.tensors = list(tensors)
    return call
