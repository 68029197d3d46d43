# SPDX-License-Identifier: Apache-2.0
"""Tracking: layers and variables assigned to attributes of a layer become parts of it.

Also those in lists and dicts, in the order in which they came, as in Keras: the order
of a layer's weights follows from it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, SupportsIndex

from pronghorn.variable import Variable

if TYPE_CHECKING:
    from pronghorn.layers.layer import Layer

Tracker = Callable[[Any], Any]


class TrackedList(list[Any]):
    """A list that reports what is put into it."""

    def __init__(self, values: Iterable[Any], track: Tracker) -> None:
        self._track = track
        super().__init__(track(value) for value in values)

    def append(self, value: Any) -> None:
        """Appends a value."""
        super().append(self._track(value))

    def extend(self, values: Iterable[Any]) -> None:
        """Appends several values."""
        super().extend(self._track(value) for value in values)

    def insert(self, index: SupportsIndex, value: Any) -> None:
        """Inserts a value."""
        super().insert(index, self._track(value))

    def __iadd__(self, values: Iterable[Any]) -> TrackedList:  # type: ignore[misc]
        self.extend(values)
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(index, self._track(value))

    def __reduce__(self) -> tuple[Any, ...]:
        return (list, (list(self),))


class TrackedDict(dict[Any, Any]):
    """A dict that reports what is put into it."""

    def __init__(self, values: dict[Any, Any], track: Tracker) -> None:
        self._track = track
        super().__init__({key: track(value) for key, value in values.items()})

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, self._track(value))

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Puts several values in."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __reduce__(self) -> tuple[Any, ...]:
        return (dict, (dict(self),))


def tracked(value: Any, track: Tracker) -> Any:
    """`value` as what an attribute holds, its parts reported to `track`.

    Args:
        value: What is assigned.
        track: Is called with every layer and variable.
    """

    def visit(one: Any) -> Any:
        return tracked(one, track)

    if isinstance(value, Variable) or hasattr(value, "trainable_weights"):
        track(value)
    elif type(value) is list and (not value or _has_parts(value)):
        return TrackedList(value, visit)
    elif type(value) is dict and (not value or _has_parts(list(value.values()))):
        return TrackedDict(value, visit)
    elif isinstance(value, tuple):
        for one in value:
            visit(one)
    return value


def _has_parts(values: list[Any]) -> bool:
    return any(
        isinstance(value, Variable | list | dict | tuple)
        or hasattr(value, "trainable_weights")
        for value in values
    )


def _states(layer: Layer, found: dict[int, tuple[Layer, dict[str, Any]]]) -> None:
    if id(layer) in found:
        return
    found[id(layer)] = (layer, dict(layer.__dict__))
    for inner in layer.parts():
        _states(inner, found)


@contextlib.contextmanager
def unchanged(layer: Layer, on_error_only: bool = True) -> Iterator[None]:
    """Takes back what the block did to a layer and those inside it.

    Args:
        layer: The layer.
        on_error_only: Whether changes stay if the block does not raise.
    """
    states: dict[int, tuple[Layer, dict[str, Any]]] = {}
    _states(layer, states)
    try:
        yield
    except BaseException:
        _restore(states)
        raise
    if not on_error_only:
        _restore(states)


def _restore(states: dict[int, tuple[Layer, dict[str, Any]]]) -> None:
    for layer, state in states.values():
        layer.__dict__ = state
