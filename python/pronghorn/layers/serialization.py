# SPDX-License-Identifier: Apache-2.0
"""Layers as dicts and back, in the form of Keras's configurations.

Classes are looked up by name among pronghorn's own and those that the caller names;
nothing is imported by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from pronghorn import calls, registry
from pronghorn.layers.layer import Layer
from pronghorn.layers.operation import Operation, class_of
from pronghorn.ops.operation import FUNCTIONS

Classes = Mapping[str, type[Layer]]


def module_of(cls: type[Layer]) -> str | None:
    """The module that a configuration names: Keras's, ours, or None for a user's."""
    if issubclass(cls, Operation):
        return "pronghorn.ops"
    if not cls.__module__.startswith("pronghorn."):
        return None
    if cls.__module__ == "pronghorn.models.functional":
        return "keras.src.models.functional"  # no public module has the class
    if cls.__module__.startswith("pronghorn.models"):
        return "keras"
    return "keras.layers"


def serialize(layer: Layer) -> dict[str, Any]:
    """The class and the arguments of a layer or model."""
    cls = type(layer)
    if issubclass(cls, Operation) and cls.__name__ not in _operation_names():
        raise ValueError(f"{layer.label}: a custom_op has no configuration")
    return {
        "module": module_of(cls),
        "class_name": cls.__name__,
        "config": layer.get_config(),
        "registered_name": None if module_of(cls) else cls.__name__,
    }


def deserialize(
    config: Mapping[str, Any], custom_objects: Classes | None = None
) -> Any:
    """A layer or model from the dict of `serialize`, or from Keras's.

    Args:
        config: The dict.
        custom_objects: Classes of one's own by name.
    """
    cls = _class(config, custom_objects or {})
    arguments = dict(config.get("config") or {})
    if isinstance(arguments.get("dtype"), Mapping):  # Keras's policy
        arguments["dtype"] = arguments["dtype"]["config"]["name"]
    if issubclass(cls, Operation):
        return cls(name=arguments.get("name"))
    if "custom_objects" in inspect.signature(cls.from_config).parameters:
        return cls.from_config(arguments, custom_objects=custom_objects)  # type: ignore[call-arg]
    return cls.from_config(_known(cls, arguments))


def _class(config: Mapping[str, Any], custom_objects: Classes) -> type[Layer]:
    from pronghorn import layers, models  # noqa: PLC0415 they use this module

    name = str(config.get("class_name"))
    if name in custom_objects:
        return custom_objects[name]
    if ".ops" in str(config.get("module")):
        names = _operation_names()
        return class_of(registry.find("operation", name, names))
    found = getattr(models, name, getattr(layers, name, None))
    if isinstance(found, type) and issubclass(found, Layer):
        return found
    raise ValueError(
        f"Unknown layer: {name!r}. Pass classes of your own as "
        "custom_objects={'name': class}"
    )


def _operation_names() -> dict[str, Any]:
    """Functions of `ops` by the name of their operation."""
    return {
        class_of(getattr(function, "__wrapped__", function)).__name__: getattr(
            function, "__wrapped__", function
        )
        for name, function in FUNCTIONS.items()
        if name != "custom_op"
    }


def _known(cls: type[Layer], arguments: dict[str, Any]) -> dict[str, Any]:
    """Without what Keras has and this class has not, where it is None or False."""

    def known(value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("config"), dict):
            return value
        config = {key: v for key, v in value["config"].items() if v is not None}
        return {**value, "config": config}

    names = {
        name
        for base in cls.__mro__
        if "__init__" in base.__dict__
        for name in inspect.signature(base.__dict__["__init__"]).parameters
    }
    return {
        key: known(value) for key, value in arguments.items() if key in names or value
    }


# Arguments of calls: tensors, arrays, slices and plain values.


def encode(value: Any, tensor: Any) -> Any:
    """Arguments of a call as JSON; `tensor` encodes the slots."""

    def one(leaf: Any) -> Any:
        if isinstance(leaf, calls.Slot):
            return tensor(leaf.index)
        if isinstance(leaf, slice):
            return {
                "class_name": "__slice__",
                "config": [leaf.start, leaf.stop, leaf.step],
            }
        if leaf is Ellipsis:
            return {"class_name": "__ellipsis__", "config": {}}
        if isinstance(leaf, np.ndarray | np.generic):
            config = {"value": leaf.tolist(), "dtype": str(leaf.dtype)}
            return {"class_name": "__numpy__", "config": config}
        if leaf is None or isinstance(leaf, bool | int | float | str):
            return leaf
        raise ValueError(f"{leaf!r} has no configuration")

    return calls.map_nested(one, value)


def decode(value: Any, tensor: Any) -> Any:
    """The arguments that `encode` encoded; `tensor` finds a tensor."""
    if isinstance(value, list | tuple):
        return [decode(one, tensor) for one in value]
    if not isinstance(value, dict):
        return value
    config = value.get("config")
    match value.get("class_name"):
        case "__keras_tensor__":
            return tensor(tuple(config["keras_history"]))  # type: ignore[index]
        case "__slice__":
            return slice(*config)  # type: ignore[misc]
        case "__ellipsis__":
            return Ellipsis
        case "__numpy__":
            return np.array(config["value"], config["dtype"])  # type: ignore[index]
    return {key: decode(one, tensor) for key, one in value.items()}
