# SPDX-License-Identifier: Apache-2.0
"""Objects by name: strings and configurations become layers, losses, initializers.

Names are looked up in tables of this package only; nothing is imported by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from pronghorn.utils.naming import to_snake_case

T = TypeVar("T")


def table(
    classes: Iterable[type[T]], aliases: Mapping[str, type[T]] | None = None
) -> dict[str, type[T]]:
    """Classes by name and by name in snake case, and aliases."""
    by_name = {cls.__name__: cls for cls in classes}
    snake = {to_snake_case(name): cls for name, cls in by_name.items()}
    return {**by_name, **snake, **(aliases or {})}


def find(kind: str, name: object, choices: Mapping[str, T]) -> T:
    """The choice of that name; the error lists all names."""
    if isinstance(name, str) and name in choices:
        return choices[name]
    raise ValueError(f"Unknown {kind}: {name!r}. Expected one of: {', '.join(choices)}")


def make(kind: str, identifier: object, choices: Mapping[str, type[T]]) -> T:
    """An object from a name, a class, a configuration, or the object itself.

    Args:
        kind: What is looked for; begins the error message.
        identifier: "glorot_uniform", GlorotUniform, an object, or a dict with
            "class_name" and "config".
        choices: Classes by name.
    """
    if isinstance(identifier, dict):
        cls = find(kind, identifier.get("class_name"), choices)
        return from_config(cls, identifier.get("config") or {})
    if isinstance(identifier, type) and identifier in choices.values():
        return from_config(identifier, {})
    if isinstance(identifier, str):
        return from_config(find(kind, identifier, choices), {})
    if isinstance(identifier, tuple(choices.values())):
        return cast("T", identifier)
    raise ValueError(
        f"Cannot interpret {identifier!r} as {kind}. Expected an object, or one of: "
        f"{', '.join(choices)}"
    )


def get_config(instance: object) -> dict[str, Any]:
    """The arguments an object was made with, read from attributes of the same name."""
    parameters = inspect.signature(type(instance).__init__).parameters
    return {
        name: getattr(instance, name)
        for name, parameter in parameters.items()
        if name != "self"
        and hasattr(instance, name)  # else a subclass of its own puts it in
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }


def from_config(cls: type[T], config: Mapping[str, Any]) -> T:
    """An object from what `get_config` gave; arguments it lacks are refused."""
    try:
        return cls(**config)
    except TypeError as error:
        raise ValueError(f"Invalid configuration of {cls.__name__}: {error}") from error


def serialize(instance: Any, module: str) -> dict[str, Any]:
    """Keras's dict for an object of one of its modules, such as "keras.losses"."""
    return {
        "module": module,
        "class_name": type(instance).__name__,
        "config": instance.get_config(),
        "registered_name": None,
    }
