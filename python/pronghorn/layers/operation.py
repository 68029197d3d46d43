# SPDX-License-Identifier: Apache-2.0
"""Operation: a call of a function of `pronghorn.ops` on symbolic tensors.

It is a layer without weights, so that models treat it as all others; as in Keras it is
in a model's summary but not in `model.layers`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pronghorn.layers.layer import Layer


class Operation(Layer):
    """A function of `pronghorn.ops` in a model.

    Args:
        name: Name; by default the function's, numbered.
        **kwargs: See `Layer`.
    """

    function: Callable[..., Any]  # of the subclass

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The function."""
        return type(self).function(*args, **kwargs)


def class_of(function: Callable[..., Any]) -> type[Operation]:
    """The operation of a function: `Add` of `add`."""
    known: type[Operation] | None = function.__dict__.get("operation")
    if known is not None:
        return known
    title = "".join(word.capitalize() for word in function.__name__.split("_"))
    made = type(title, (Operation,), {"function": staticmethod(function)})
    function.__dict__["operation"] = made
    return made


def apply(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Calls a function on symbolic tensors."""
    return class_of(function)()(*args, **kwargs)
